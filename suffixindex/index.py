"""SuffixIndex: the one class to ask with. Fans a question out over the shards and merges their exact answers."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex import statistics
from suffixindex.cooccurrence import count_together, count_within, in_pieces, number_pairs, number_questions
from suffixindex.duplicates import Order, find_duplicates
from suffixindex.errors import NoIndexError, QueryError
from suffixindex.format import PROVENANCE, TOKEN_TYPES, Manifest, shard_folder
from suffixindex.groups import DocumentGroups, Value, Where
from suffixindex.matching import Matches, portions
from suffixindex.memory import cpu_count
from suffixindex.ngrams import Clause, Ngram, NgramBatch, NgramChecker, check_not_negative, check_positive, integers, join
from suffixindex.restriction import count_kept, restrict
from suffixindex.results import (
    Concordance,
    Document,
    DocumentMatch,
    Duplicates,
    NextTokens,
    NgramCount,
    NgramProb,
    NgramStatistics,
    Novelty,
    Scores,
    Span,
    TextMatches,
    Variant,
    VariantCount,
    VariantCounts,
)
from suffixindex.shard import Shard, merge_counts
from suffixindex.stamps import Stamps
from suffixindex.tokenizers import Tokenizer, open_tokenizer
from suffixindex.variants import KINDS, boundary_warning, find_variants, minimal

Unit = Literal["occurrences", "documents"]


class SuffixIndex:
    """An index on disk, opened for questions.

    Immutable and safe to share between threads; pickles by its path; a context manager. An n-gram is text, which the
    index's tokenizer encodes without special tokens, or a sequence of ids. Counts are exact at any frequency and do not
    depend on the number of shards.

    Examples
    --------
    >>> import suffixindex as si
    >>> index = si.open("my-index")                                # doctest: +SKIP
    >>> index.count(" natural language processing")                # doctest: +SKIP
    1204
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open an index: reads the manifest and compares file sizes, no more. O(shards).

        Raises
        ------
        NoIndexError, UnfinishedIndexError, FormatError
            With what to do about it.
        """
        self.path = Path(path).absolute()
        try:
            self.manifest = Manifest.read(self.path)
            self.manifest.check_sizes(self.path)
        except PermissionError as error:
            raise NoIndexError(f"{error.filename} may not be read: {error.strerror}; ask its owner for access") from error
        self.separator = self.manifest.separator
        self.vocabulary_size = self.manifest.vocabulary_size
        self.dtype = TOKEN_TYPES[self.manifest.token_type]
        self.num_documents = self.manifest.num_documents
        self.num_tokens = self.manifest.num_tokens
        shards = self.manifest.shards
        types = self.manifest.token_type, self.vocabulary_size
        self.shards = [Shard(shard_folder(self.path, i), shard, *types) for i, shard in enumerate(shards)]
        self._first_document = np.cumsum([0] + [shard.num_documents for shard in shards])
        self._cores = cpu_count()
        self._lock = Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._checker = NgramChecker(self.encode, self.vocabulary_size, self.separator)

    def __repr__(self) -> str:
        size = (
            f"{self.num_documents:,} documents, {self.num_tokens:,} tokens, {len(self.shards)} shard{'s' * (len(self.shards) != 1)}"
        )
        return f"SuffixIndex({str(self.path)!r}: {self.manifest.tokenizer['kind']} tokenizer, {size})"

    def __reduce__(self) -> tuple[type["SuffixIndex"], tuple[Path]]:
        return SuffixIndex, (self.path,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def info(self) -> dict[str, Any]:
        """What the index holds and how it was made, as plain data."""
        manifest = self.manifest
        try:
            provenance = json.loads((self.path / PROVENANCE).read_bytes())
        except (OSError, ValueError):
            provenance = {}
        return {
            "path": str(self.path),
            "format_version": manifest.format_version,
            "tokenizer": dict(manifest.tokenizer),
            "vocabulary_size": self.vocabulary_size,
            "token_type": manifest.token_type,
            "num_documents": self.num_documents,
            "num_tokens": self.num_tokens,
            "num_shards": len(self.shards),
            "num_bytes": manifest.num_bytes,
            "bytes_per_token": round(manifest.num_bytes / max(self.num_tokens, 1), 3),
            "skipped": dict(manifest.skipped),
            "settings": dict(manifest.settings),
            "provenance": provenance,
        }

    def close(self) -> None:
        """Stop the index's threads; its maps go when nothing refers to them any more."""
        with self._lock:
            if self._threads is not None:
                self._threads.shutdown()
                self._threads = None

    @property
    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._cores, "suffixindex")
            return self._threads

    @cached_property
    def _stamps(self) -> Stamps:
        return Stamps(max(shard.num_documents for shard in self.shards))

    # ---- text ----------------------------------------------------------------------------------------------------

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the index was built with, loaded when first needed."""
        return open_tokenizer(self.manifest.tokenizer, self.path)

    def encode(self, text: str) -> NDArray[Any]:
        """Ids of a text as the corpus was encoded, without special tokens.

        Raises
        ------
        QueryError
            The text holds half a surrogate pair, which no corpus holds.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise QueryError(f"the text {text!r} is not Unicode: {error.reason}") from None
        return self.tokenizer.encode(text)

    def decode(self, ids: ArrayLike) -> str:
        """Text of ids; separators are left out."""
        return self.tokenizer.decode(self._without_separators(ids))

    def pieces(self, ids: ArrayLike) -> list[str]:
        """What each id stands for, readable; the separator as ``<end of document>``."""
        flat = integers(ids)
        named = iter(self.tokenizer.pieces(self._without_separators(flat)))
        return ["<end of document>" if i == self.separator else next(named) for i in flat.tolist()]

    def _without_separators(self, ids: ArrayLike) -> NDArray[Any]:
        flat = integers(ids)
        if flat.size and not ((flat >= 0) & ((flat < self.vocabulary_size) | (flat == self.separator))).all():
            raise QueryError(f"an id is outside the vocabulary of {self.vocabulary_size:,} ids: {flat.min()} … {flat.max()}")
        kept: NDArray[Any] = flat[flat != self.separator]
        return kept

    # ---- occurrences ---------------------------------------------------------------------------------------------

    def count(self, ngram: Ngram, where: Where | None = None) -> int:
        """Occurrences of an n-gram, overlapping ones each; the empty one occurs at every token. O(length log tokens).

        With ``where``, those in some documents alone, see :meth:`mask`: another 2.5 ns an occurrence.

        Raises
        ------
        QueryError
            An id is outside the vocabulary, or a separator stands before the end.

        Examples
        --------
        >>> index.count("the cat", where={"year": range(1990, 2000)})      # doctest: +SKIP
        2
        """
        if where is not None:
            return int(self.counts([ngram], where)[0])
        ids = self._checker.ngram(ngram)
        total = 0
        for shard in self.shards:
            low, high = shard.interval(ids)
            total += high - low
        return total

    def counts(self, ngrams: Iterable[Ngram], where: Where | None = None) -> NDArray[np.int64]:
        """Occurrences of many n-grams: ``int64[len(ngrams)]``. The bulk call of :meth:`count`, on all cores."""
        batch = self._checker.batch(ngrams)
        mask = None if where is None else self.mask(where)
        total = np.zeros(len(batch), np.int64)
        for shard, part, (low, high) in zip(self.shards, self._parts(mask), self._intervals(batch), strict=True):
            total += high - low if part is None else count_kept(shard, low, high, part, self._pool, self._cores)
        return total

    def next_tokens(self, context: Ngram, where: Where | None = None) -> NextTokens:
        """Everything that follows a context, exactly, with counts that add up to the context's. O(occurrences).

        After the empty context comes the distribution of single tokens. With ``where``, what follows in some documents
        alone, see :meth:`mask`: 8 ns an occurrence, and at most 4 bytes.

        Raises
        ------
        QueryError
            The context ends a document, so that nothing follows; or as for :meth:`count`.
        """
        ids = self._checker.ngram(context)
        if len(ids) and ids[-1] == self.separator:
            raise QueryError("the context ends with the separator: nothing follows a document's end")
        within = self._within(join([ids]), where)
        found = [(shard, (int(low[0]), int(high[0]))) for shard, low, high in within]
        parts = [shard.next_tokens(interval, len(ids)) for shard, interval in found]
        token_ids, counts = merge_counts([part[0] for part in parts], [part[1] for part in parts])
        return NextTokens(token_ids, counts, sum(high - low for _, (low, high) in found), self.separator)

    def concordance(self, ngram: Ngram, width: int = 8, limit: int | None = 10, offset: int = 0) -> list[Concordance]:
        """Occurrences in the order of the corpus with up to ``width`` tokens on each side, never across a document's ends.

        ``limit`` of them (None: all) after the first ``offset``. O(occurrences log occurrences) for the shards up to there.
        """
        check_not_negative(width=width, limit=limit, offset=offset)
        ids = self._checker.ngram(ngram)
        lines: list[Concordance] = []
        for base, shard, (positions, skipped) in self._pages(ids, limit, offset):
            for position in positions[skipped:].tolist():
                document = int(shard.documents_at(np.array([position]))[0])
                start, stop = shard.bounds(document)
                end = min(position + len(ids), stop + 1)
                left, match = shard.tokens[max(start, position - width) : position], shard.tokens[position:end]
                lines.append(
                    Concordance(base + document, position - start, left, match, shard.tokens[end : min(end + width, stop)])
                )
        return lines if limit is None else lines[:limit]

    # ---- whole texts ---------------------------------------------------------------------------------------------

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
            yield Matches(self.shards, portion, self._pool, self._cores)

    # ---- documents -----------------------------------------------------------------------------------------------

    def document(self, document_id: int) -> Document:
        """One document of the corpus.

        Raises
        ------
        QueryError
            There is no such document.
        """
        if not 0 <= document_id < self.num_documents:
            raise QueryError(f"document {document_id} is outside the corpus of {self.num_documents:,} documents")
        number = int(np.searchsorted(self._first_document, document_id, side="right")) - 1
        shard, local = self.shards[number], document_id - int(self._first_document[number])
        start, stop = shard.bounds(local)
        record = shard.metadata(local)
        return Document(document_id, shard.tokens[start:stop], record.get("path"), record.get("line"), record.get("metadata", {}))

    def document_count(self, ngram: Ngram, where: Where | None = None) -> int:
        """Documents that hold an n-gram, each counted once; with ``where``, see :meth:`mask`. About 2.5 ns an occurrence."""
        return int(self.document_counts([ngram], where)[0])

    def document_counts(self, ngrams: Iterable[Ngram], where: Where | None = None) -> NDArray[np.int64]:
        """Documents that hold each of many n-grams: ``int64[len(ngrams)]``.

        With ``where``, of some documents alone, see :meth:`mask`: another 4 ns an occurrence, and at most 4 bytes.
        """
        from suffixindex.kernels.occurrences import count_documents

        batch = self._checker.batch(ngrams)
        total = np.zeros(len(batch), np.int64)
        for shard, low, high in self._within(batch, where):
            counts = np.empty(len(batch), np.int64)

            def count(first: int, last: int, shard: Shard = shard, asked: Any = (low, high), counts: Any = counts) -> None:
                stamp = self._stamps.take(last - first)
                count_documents(shard.postings, *asked, first, last, self._stamps.array, stamp, counts)

            in_pieces(count, high - low, self._pool, self._cores)
            total += counts
        return total

    def documents(self, ngram: Ngram, limit: int | None = 10, offset: int = 0, where: Where | None = None) -> list[DocumentMatch]:
        """The documents that hold an n-gram, by ascending id: ``limit`` of them (None: all) after the first ``offset``.

        With ``where``, of some documents alone, see :meth:`mask`.
        """
        check_not_negative(limit=limit, offset=offset)
        ids = self._checker.ngram(ngram)
        chosen = self._holding(ids, where)[offset : None if limit is None else offset + limit]
        return self._matches(ids, chosen)

    def sample_documents(self, ngram: Ngram, k: int, seed: int, where: Where | None = None) -> list[DocumentMatch]:
        """k documents that hold an n-gram (all, if fewer do), each equally likely, without replacement, by ascending id.

        With ``where``, of some documents alone, see :meth:`mask`.
        """
        check_not_negative(k=k)
        ids = self._checker.ngram(ngram)
        holding = self._holding(ids, where)
        chosen = np.random.default_rng(seed).choice(holding, min(k, len(holding)), replace=False)
        return self._matches(ids, np.sort(chosen))

    def cooccurrence(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> int:
        """Documents that hold every clause: ``cooccurrence(a, b)``, ``cooccurrence([a1, a2], b)`` for (a1 or a2) and b.

        With ``window=w``, documents where some occurrences of all clauses start within w tokens of each other; growing w
        never shrinks the answer. O(occurrences log documents). With ``where``, of some documents alone, see :meth:`mask`:
        another 4 ns an occurrence, and at most 4 bytes.

        Raises
        ------
        QueryError
            No clause, a clause of no n-grams, a negative window; or as for :meth:`count`.
        """
        return int(self.cooccurrences([clauses], window=window, where=where)[0])

    def cooccurrences(
        self,
        pairs: Iterable[Sequence[Clause]] | NDArray[np.integer[Any]],
        ngrams: Iterable[Ngram] | None = None,
        window: int | None = None,
        where: Where | None = None,
    ) -> NDArray[np.int64]:
        """Documents that hold all clauses of each pair (or longer tuple): ``int64[len(pairs)]``.

        With ``ngrams``, pairs are numbers of n-grams in that list, an integer array ``[pairs, 2]``. Pairs that have an n-gram
        in common share its documents: a million pairs of 100,000 n-grams are a matter of seconds.

        Raises
        ------
        QueryError
            As for :meth:`cooccurrence`.
        """
        if window is not None and window < 0:
            raise QueryError(f"a window of {window} tokens: expected 0 or more")
        checker = self._checker
        questions = number_questions(pairs, checker) if ngrams is None else number_pairs(pairs, checker.batch(ngrams))
        total = np.zeros(questions.size, np.int64)
        for shard, low, high in self._within(questions.ngrams, where):
            if window is None:
                total += count_together(shard, questions, low, high, self._stamps, self._pool, self._cores)
            else:
                total += count_within(shard, questions, low, high, window, self._pool)
        return total

    def cooccurrence_matrix(self, rows: Iterable[Ngram], columns: Iterable[Ngram], where: Where | None = None) -> NDArray[np.int64]:
        """Documents that hold both an n-gram of ``rows`` and one of ``columns``: ``int64[len(rows), len(columns)]``.

        The whole matrix at once shares all work that its rows and columns have in common.
        """
        first, second = list(rows), list(columns)
        pairs = np.indices((len(first), len(second))).reshape(2, -1).T + np.array([0, len(first)])
        return self.cooccurrences(pairs, [*first, *second], where=where).reshape(len(first), len(second))

    # ---- groups of documents -------------------------------------------------------------------------------------

    @cached_property
    def _groups(self) -> DocumentGroups:
        return DocumentGroups(self.shards)

    def counts_by(self, ngram: Ngram, field: str, unit: Unit = "occurrences", where: Where | None = None) -> Counter[Value]:
        """Occurrences of an n-gram, or documents that hold it, for each value of a field of the documents' metadata.

        Parameters
        ----------
        ngram
            Text or ids.
        field
            A key of the metadata, a dotted path into records in it (``meta.pile_set_name``; a key that has the dots itself
            goes first), or ``path``, the file that a document came from.
        unit
            "occurrences" or "documents".
        where
            Some documents alone, see :meth:`mask`.

        Returns
        -------
        Counter
            Value -> count by count descending, equal ones by value; 0 for values under which the n-gram does not occur,
            which are not listed. Documents that lack the field count under None, as those with null. Values that are equal
            in Python are one: 1, 1.0 and true.

        Raises
        ------
        QueryError
            No document has a value in the field, one holds a list or a record there, the index keeps no metadata; or as
            for :meth:`count`.

        Notes
        -----
        The first question about a field reads it of all documents, about 1 µs each; then it is kept, in 4 bytes a document.
        2.5 ns an occurrence.

        Examples
        --------
        >>> index.counts_by("the cat", "year")                     # doctest: +SKIP
        Counter({1999: 2, 2001: 1})
        """
        if unit not in ("occurrences", "documents"):
            raise QueryError(f"unit is {unit!r}: expected 'occurrences' or 'documents'")
        ids = self._checker.ngram(ngram)
        groups = self._groups.by(field)
        total = np.zeros(len(groups.values), np.int64)
        within = self._within(join([ids]), where)
        for first, (shard, low, high) in zip(self._first_document.tolist(), within, strict=False):
            codes = groups.codes[first : first + shard.num_documents]
            shard.count_by((int(low[0]), int(high[0])), codes, unit == "documents", total)
        return groups.by_count(total)

    def groups(self, field: str) -> Counter[Value]:
        """How many documents have each value of a field, as for :meth:`counts_by`: what the corpus is made of.

        ``counts_by([], field)`` says how many tokens.
        """
        groups = self._groups.by(field)
        return groups.by_count(np.bincount(groups.codes))

    def mask(self, where: Where) -> NDArray[np.bool_]:
        """The documents that ``where`` restricts a question to: ``bool[num_documents]``, read-only.

        It may be given in place of ``where``; that saves, for the second question on, 1 ns a document and condition.

        Parameters
        ----------
        where
            Fields as for :meth:`counts_by`, with a condition on the value of each; all must hold. A condition is a value
            (``{"set": "ArXiv"}``, None for documents that lack the field), a collection of values, a range of integers
            (``{"step": range(1000)}``), or a function of the value, called once for each distinct one. Or a boolean
            array ``[num_documents]``.

        Raises
        ------
        QueryError
            As for :meth:`counts_by`, or what is no condition. A value that no document has is none: nothing is found.

        Examples
        --------
        >>> index.mask({"year": lambda year: year and year > 2000})        # doctest: +SKIP
        array([False,  True])
        """
        return self._groups.mask(where)

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

    # ---- fan-out -------------------------------------------------------------------------------------------------

    def _intervals(self, batch: NgramBatch) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        for shard in self.shards:
            yield shard.intervals(batch, self._pool, self._cores)

    def _parts(self, mask: NDArray[np.bool_] | None) -> Iterator[NDArray[np.bool_] | None]:
        """A mask's part of each shard."""
        for first, shard in zip(self._first_document.tolist(), self.shards, strict=False):
            yield None if mask is None else mask[first : first + shard.num_documents]

    def _within(self, batch: NgramBatch, where: Where | None) -> Iterator[tuple[Shard, NDArray[np.int64], NDArray[np.int64]]]:
        """(shard, low, high): the ranks of n-grams, in shards that hold their occurrences in the documents of ``where`` alone."""
        mask = None if where is None else self.mask(where)
        for shard, part, (low, high) in zip(self.shards, self._parts(mask), self._intervals(batch), strict=True):
            yield (shard, low, high) if part is None else restrict(shard, low, high, part, self._pool, self._cores)

    def _holding(self, ids: NDArray[Any], where: Where | None) -> NDArray[np.int64]:
        """Ascending ids of the documents that hold an n-gram, of those of ``where``."""
        found = [shard.documents([shard.interval(ids)]) for shard in self.shards]
        holding = np.concatenate([documents + base for documents, base in zip(found, self._first_document, strict=False)])
        return holding if where is None else holding[self.mask(where)[holding]]

    def _matches(self, ids: NDArray[Any], document_ids: NDArray[np.int64]) -> list[DocumentMatch]:
        """What the chosen documents, ascending, say of the n-gram."""
        matches: list[DocumentMatch] = []
        for base, shard in zip(self._first_document.tolist(), self.shards, strict=False):
            here = document_ids[(document_ids >= base) & (document_ids < base + shard.num_documents)] - base
            if not len(here):
                continue
            positions = shard.positions([shard.interval(ids)])
            for document in here.tolist():
                start, stop = shard.bounds(document)
                first, last = np.searchsorted(positions, [start, stop + 1])
                record = shard.metadata(document)
                origin = record.get("path"), record.get("line"), record.get("metadata", {})
                matches.append(DocumentMatch(base + document, positions[first:last] - start, stop - start, *origin))
        return matches

    def _pages(
        self, ids: NDArray[Any], limit: int | None, offset: int
    ) -> Iterator[tuple[int, Shard, tuple[NDArray[np.int64], int]]]:
        """(first document, shard, (ascending positions, how many of them to pass over)) until the page is full."""
        passed, wanted = 0, None if limit is None else offset + limit
        for base, shard in zip(self._first_document.tolist(), self.shards, strict=False):
            if wanted is not None and passed >= wanted:
                return
            low, high = shard.interval(ids)
            if passed + high - low > offset:
                positions = shard.positions([(low, high)])
                yield base, shard, (positions[: None if wanted is None else wanted - passed], max(offset - passed, 0))
            passed += high - low

    # ---- the whole corpus ----------------------------------------------------------------------------------------

    def top_ngrams(self, n: int, k: int) -> list[NgramCount]:
        """The k most frequent n-grams of exactly n tokens, by count descending, equal ones by ids ascending.

        None holds a separator; fewer than k if the corpus has fewer. One pass over the suffix arrays, O(n) a token: 15 ns a
        token on one core for n = 5, another 20 ns for each doubling of the shards, and some 10 MiB a thread, whatever the
        corpus.

        Raises
        ------
        QueryError
            n or k is below 1.

        Examples
        --------
        >>> index.top_ngrams(2, 3)                                 # doctest: +SKIP
        [NgramCount(token_ids=(1, 2), count=3), NgramCount(token_ids=(1, 5), count=2), NgramCount(token_ids=(3, 4), count=2)]
        """
        check_positive(n=n, k=k)
        return statistics.top_ngrams(self.shards, n, k, self.separator, self._pool, self._cores)

    def ngram_statistics(self, max_n: int, max_count: int = 1) -> NgramStatistics:
        """For n = 1 … max_n: how many n-grams there are, how many are distinct, and how many occur c times, c up to max_count.

        No n-gram holds a separator. One pass over the suffix arrays for all n together, O(max_n) a token: 35 ns a token on
        one core for max_n = 8, another 20 ns for each doubling of the shards, and some 10 MiB a thread, whatever the corpus.

        Raises
        ------
        QueryError
            max_n or max_count is below 1.
        """
        check_positive(max_n=max_n, max_count=max_count)
        return statistics.ngram_statistics(self.shards, max_n, max_count, self.separator, self._pool, self._cores)

    def distinct_ngrams(self, max_n: int) -> NDArray[np.int64]:
        """Distinct n-grams for n = 1 … max_n: ``int64[max_n]``. See :meth:`ngram_statistics`."""
        return self.ngram_statistics(max_n).num_distinct

    def count_of_counts(self, max_n: int, max_count: int) -> NDArray[np.int64]:
        """Distinct n-grams that occur exactly c times, at ``[n - 1, c - 1]``: ``int64[max_n, max_count]``.

        What the discounts of Good-Turing and Kneser-Ney smoothing are estimated from. See :meth:`ngram_statistics`.
        """
        return self.ngram_statistics(max_n, max_count).count_of_counts

    def novelty(self, text: Ngram, max_n: int) -> Novelty:
        """How much of a text is new to the corpus: for n = 1 … max_n its n-grams, and those that occur nowhere in the corpus.

        Each occurrence in the text counts. The n-gram at a position is new if the longest match there is shorter.

        Raises
        ------
        QueryError
            max_n is below 1, or the text holds a separator or an id outside the vocabulary.

        Examples
        --------
        >>> index.novelty("the cat sat on the dog", 3).share       # doctest: +SKIP
        array([0.  , 0.  , 0.25])
        """
        check_positive(max_n=max_n)
        (matches,) = self._matching([text])
        return statistics.novelty(matches.lengths, max_n)

    def duplicates(
        self, min_length: int, *, limit: int | None = 20, order: Order = "saved", max_documents: int | None = 10
    ) -> Duplicates:
        """Repeated passages: the maximal repeats of at least ``min_length`` tokens, in one document or several.

        A passage is a sequence of tokens without a separator that occurs at least twice, overlapping occurrences each, and
        that cannot be made longer without losing one: not all of its occurrences are followed by the same token, nor
        preceded by the same token, where a document's end or start is like no token and no other end or start. So a
        document that occurs twice is one passage, whatever lies in it, and a part of it is another one only if that occurs
        elsewhere too.

        Parameters
        ----------
        min_length
            Tokens. 50 is usual for language models' corpora (Lee et al., 2022, arXiv 2107.06499).
        limit
            Passages to list; None: all. ``num_passages`` says how many there are.
        order
            "saved": by ``(count - 1) * length`` descending, then the longer first; "length": by length descending, then by
            count descending. Equal ones by ids ascending.
        max_documents
            Ids of documents to list for each passage, ascending; None: all. ``num_documents`` says how many there are.

        Returns
        -------
        Duplicates
            The passages; how many there are; and how many tokens of the corpus lie in one of them, each counted once.

        Raises
        ------
        QueryError
            A number is out of range, an unknown order, or more than 2**32 - 2 tokens that seem to repeat.

        Notes
        -----
        O(tokens) for a sieve of hashes: 45 ns a token on one core, of which each of several cores takes 15; 1 byte a token,
        and 2 to 4 a token but at most 256 MiB a thread for its slots. Then O(r log r) for the r tokens of windows that occur
        twice, however often they do: 100 ns and 10 to 20 bytes each, 24 more for each passage that is found, and 24 for
        each level of passages that begin alike, r of both at worst. r is the whole corpus if everything repeats, or if
        ``min_length`` is a few tokens. O(count log count) for each passage that is listed.

        Examples
        --------
        >>> found = index.duplicates(50, limit=1)                  # doctest: +SKIP
        >>> found.num_passages, found.num_tokens                   # doctest: +SKIP
        (2144, 316094)
        """
        check_positive(min_length=min_length)
        check_not_negative(limit=limit, max_documents=max_documents)
        if order not in ("saved", "length"):
            raise QueryError(f"order is {order!r}: expected 'saved' or 'length'")
        chosen = min_length, limit, order, max_documents
        return find_duplicates(self.shards, *chosen, self.separator, self._pool, self._cores)
