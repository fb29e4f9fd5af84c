"""Whole texts against the corpus, and the spellings of one."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from suffixindex.errors import QueryError
from suffixindex.ngrams import Ngram, check_not_negative, check_positive
from suffixindex.queries.documents import DocumentQueries
from suffixindex.queries.groups import Where
from suffixindex.queries.matching import Matches, Texts, portions
from suffixindex.queries.variants import KINDS, boundary_warning, find_variants, minimal
from suffixindex.results import (
    NgramProb,
    Scores,
    Span,
    TextMatches,
    Variant,
    VariantCount,
    VariantCounts,
)


class TextQueries(DocumentQueries):
    """Questions about texts."""

    def infgram(self, context: Ngram, token: int) -> NgramProb:
        """Probability of one token after a context, by the longest suffix of the context that occurs in the corpus.

        The ∞-gram of infini-gram (Liu et al., 2024, arXiv 2401.17377). :meth:`score` does it for every token of a text.

        Raises
        ------
        QueryError
            An id is outside the vocabulary, or the context holds a separator.
        """
        ids = self._checker.text(context)
        self._checker.ngram([token])
        length = self.suffix_length(ids)
        suffix = ids[len(ids) - length :]
        context_count, ngram_count = self.count(suffix), self.count(np.append(suffix, token))
        return NgramProb(ngram_count / max(context_count, 1), length, context_count, ngram_count)

    def suffix_length(self, context: Ngram) -> int:
        """Tokens of the longest end of a context that occurs in the corpus.

        Raises
        ------
        QueryError
            An id is outside the vocabulary, or the context holds a separator.
        """
        (matches,) = self._matching([context])
        return matches.suffix_length()

    def score(self, text: Ngram) -> Scores:
        """The ∞-gram log-probability of each token of a text after those before it, with its evidence. One pass.

        Raises
        ------
        QueryError
            An id is outside the vocabulary, or the text holds a separator.

        Examples
        --------
        >>> index.score("the cat sat on the dog").suffix_lengths   # doctest: +SKIP
        array([0, 1, 2, 3, 4, 5])
        """
        return self.scores([text])[0]

    def scores(self, texts: Iterable[Ngram]) -> list[Scores]:
        """:meth:`score` of many texts in one call, on all cores. About 2 µs a token and shard of text that is new."""
        answers: list[Scores] = []
        for found in self._matching(texts):
            contexts = found.contexts(self.num_tokens)
            bounds = zip(found.texts.offsets[:-1].tolist(), found.texts.offsets[1:].tolist(), strict=True)
            answers += [Scores(*(part[start:stop] for part in contexts)) for start, stop in bounds]
        return answers

    def matches(self, text: Ngram) -> TextMatches:
        """Matching statistics: the longest match that begins at each position of a text, and how often it occurs.

        Raises
        ------
        QueryError
            An id is outside the vocabulary, or the text holds a separator.
        """
        return self.text_matches([text])[0]

    def text_matches(self, texts: Iterable[Ngram]) -> list[TextMatches]:
        """:meth:`matches` of many texts in one call, on all cores."""
        answers: list[TextMatches] = []
        for found in self._matching(texts):
            counts = found.match_counts()
            bounds = zip(found.texts.offsets[:-1].tolist(), found.texts.offsets[1:].tolist(), strict=True)
            answers += [TextMatches(found.lengths[start:stop], counts[start:stop]) for start, stop in bounds]
        return answers

    def spans(self, text: Ngram, min_length: int = 1, limit: int | None = 10) -> list[Span]:
        """The maximal parts of a text that the corpus says too, in the order of the text, with documents that hold them.

        A part is maximal if no longer part of the text that includes it occurs (as OLMoTrace's, arXiv 2504.07096). Of each,
        up to ``limit`` documents are listed (None: all).

        Raises
        ------
        QueryError
            min_length is below 1, limit is negative, an id is outside the vocabulary, or the text holds a separator.
        """
        check_positive(min_length=min_length)
        check_not_negative(limit=limit)
        ids = self._checker.text(text)
        lengths, counts = self.matches(ids)
        reach = np.arange(len(ids)) + lengths
        maximal = np.flatnonzero((lengths >= min_length) & (reach > np.append(0, reach[:-1])))
        return [
            Span(start, int(reach[start]), int(counts[start]), self.documents(ids[start : reach[start]], limit))
            for start in maximal.tolist()
        ]

    def _matching(self, texts: Iterable[Ngram]) -> Iterator[Matches]:
        """The longest matches of texts, portion by portion."""
        if isinstance(texts, str):
            raise QueryError("expected a list of texts, found one: put it in a list")
        checked = [self._checker.text(text) for text in texts]
        for portion in portions(checked, len(self.shards)):
            yield self._match(portion)

    def _match(self, texts: Texts) -> Matches:
        return Matches(self.shards, texts, self._pool, self._cores)

    # ---- spellings -----------------------------------------------------------------------------------------------

    def variants(self, text: str, kinds: Sequence[str] = KINDS) -> list[Variant]:
        """The spellings of a text that the tokenizer tells apart, the text itself first, each once by its ids.

        Parameters
        ----------
        text
            With or without a leading space.
        kinds
            "space": with and without one leading space. "case": as it is, lower, First letter, First Letter Of Each Word,
            UPPER; the first two of these also of the lower text. Both: each with each.

        Raises
        ------
        QueryError
            An unknown kind, or what is no text.

        Examples
        --------
        >>> [variant.text for variant in index.variants("cat", ["space"])]     # doctest: +SKIP
        ['cat', ' cat']
        """
        return find_variants(text, kinds, self.encode)

    def count_variants(self, text: str, kinds: Sequence[str] = KINDS, where: Where | None = None) -> VariantCounts:
        """Occurrences of a text in any of its spellings, and documents that hold any, with the counts of each spelling.

        A spelling whose ids hold those of another adds nothing to the union: each of its occurrences holds one of the
        other. That is so of all with a space under the tokenizer ``bytes``; ``words`` knows one spelling of anything.

        Parameters
        ----------
        text, kinds
            As for :meth:`variants`.
        where
            Some documents alone, see :meth:`mask`.

        Examples
        --------
        >>> index.count_variants("natural").count                  # doctest: +SKIP
        6312
        """
        spellings = self.variants(text, kinds)
        asked = [spelling.token_ids for spelling in spellings]
        where = None if where is None else self.mask(where)
        counts, documents = self.counts(asked, where).tolist(), self.document_counts(asked, where).tolist()
        each = [VariantCount(*row, *both) for row, *both in zip(spellings, counts, documents, strict=True)]
        chosen = set(minimal(spellings))
        total = sum(number for spelling, number in zip(spellings, counts, strict=True) if spelling in chosen)
        return VariantCounts(each, total, self.cooccurrence([list(one.token_ids) for one in chosen], where=where))

    def boundary_warning(self, text: str) -> str | None:
        """A sentence if the tokenizer encodes a text otherwise inside a longer one, with what to ask instead; else None.

        So a byte-level tokenizer has other ids for "natural" than for the word in "is natural", which is " natural" to it;
        and a space at the end becomes part of the next word. ``bytes`` and ``words`` never do. A text that ends inside a
        word cannot be told from one that ends with it: it is encoded as if the word ended there. Some ten encodings.
        """
        return boundary_warning(text, self.encode)
