"""SuffixIndex: the one class to ask with, and the one page on which every question stands."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suffixindex.deprecated import OldNames, is_one_text, renamed, warn_renamed
from suffixindex.ngrams import LONGEST, Clause, Ngram, Queries, Query, check_limits, check_positive, check_range
from suffixindex.opening import Paths, Said, open_index
from suffixindex.queries import documents as document_queries
from suffixindex.queries import statistics
from suffixindex.queries import texts as text_queries
from suffixindex.queries.cooccurrence import check_clauses, number_matrix, number_pairs, number_questions
from suffixindex.queries.documents import Unit
from suffixindex.queries.duplicates import Order, find_duplicates
from suffixindex.queries.groups import Value, Where
from suffixindex.queries.local import LocalShards
from suffixindex.queries.occurrences import concordance
from suffixindex.queries.shard_set import Mask, ShardSet
from suffixindex.queries.variants import DEFAULT_KINDS, boundary_warning, find_variants
from suffixindex.query_checker import QueryChecker
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
    VariantCounts,
)
from suffixindex.storage.format import TOKEN_TYPES
from suffixindex.storage.shard import Shard
from suffixindex.system.memory import cpu_count
from suffixindex.tokenizers.base import Tokenizer
from suffixindex.tokenizers.query_encoding import Encoding


class SuffixIndex(OldNames):
    """An index on disk, opened for questions. Immutable, safe to share between threads, pickled by its path, a context manager.

    An *n-gram* is text, which the index's tokenizer encodes without special tokens, or a sequence of ids. Its last id may be the
    separator: "and there the document ends". *Counts* are exact at any frequency, and do not depend on the number of shards.
    Singular methods take one n-gram, plural ones many in one call, on all cores. All units are tokens.

    A *pattern* is n-grams with holes between, ``["the", suffixindex.ANY, "of"]``: :mod:`suffixindex.patterns` says what it may be
    and what an occurrence is. Every method whose argument is a Query takes one: 10 ns an occurrence of its rarest part; where a
    gap has several lengths 30 ns, and 3 ns a token that it may skip.

    ``where`` asks about some documents alone; :meth:`mask` says what it may be. It costs 2.5 to 8 ns an occurrence, at most 4
    bytes.

    Every method raises QueryError for an id outside the vocabulary, a separator before the end, and a number out of range.
    """

    def __init__(
        self,
        path: Paths,
        *,
        shards: tuple[int, int] | None = None,
        threads: int | None = None,
        tokenizer: str | None = None,
        token_type: str | None = None,
        reversed: bool | None = None,
        separator: int | None = None,
        vocabulary_size: int | None = None,
        token_dtype: str | None = None,
    ) -> None:
        """See :func:`suffixindex.open`; ``shards`` ``[first, last)`` alone make an index of the documents in them, from 0."""
        if threads is not None:
            check_positive(threads=threads)
        token_type = renamed("token_dtype", token_dtype, "token_type", token_type)
        self._said = Said(tokenizer, token_type, reversed, separator, vocabulary_size)
        self._chosen, self._cores = shards, threads
        self._opened = open_index(path, self._said, shards)
        self.manifest, self.kind, self.path = self._opened.manifest, self._opened.kind, self._opened.path
        self.separator, self.vocabulary_size = self.manifest.separator, self.manifest.vocabulary_size
        self.num_documents, self.num_tokens = self.manifest.num_documents, self.manifest.num_tokens
        self.dtype = TOKEN_TYPES[self.manifest.token_type]
        self.local = LocalShards(self._opened.shards, self.separator, threads or cpu_count(), self._opened.shard_names)
        self.shard_set: ShardSet = self.local
        self._encoding = Encoding(self._opened.open_tokenizer, self.vocabulary_size, self.separator)
        stored = self.manifest.settings.get("stored_separator")
        encoding, ids = self._encoding, (self.vocabulary_size, self.separator, stored)
        self.checker = QueryChecker(encoding.encode_inside, encoding.encode_question, *ids, encoding.encode_questions)

    # ---- the index itself --------------------------------------------------------------------------------------------

    @property
    def shards(self) -> list[Shard]:
        """The shards as they are mapped here: ``shards[0].tokens``, ``.suffix_array``, ``.document_offsets``."""
        return self.local.shards

    @property
    def num_shards(self) -> int:
        """How many shards there are; no answer depends on it."""
        return len(self.shards)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that the index was built with, loaded when first needed."""
        return self._encoding.tokenizer

    def info(self) -> dict[str, Any]:
        """What the index holds and how it was made, as plain data."""
        return self._opened.info()

    @property
    def is_current(self) -> bool:
        """Whether its folder still holds what was opened; not once documents were appended or removed: then open it again."""
        return self._opened.is_current

    def close(self) -> None:
        """Give back the index's maps, descriptors and threads. A question asked later, or cut off by this, raises QueryError.

        Arrays that were handed out, such as a document's ids, stay readable.
        """
        self.shard_set.close()
        self.local.close()
        self._encoding.close()

    def __repr__(self) -> str:
        shards = f"{self.num_shards} shard{'s' * (self.num_shards != 1)}"
        size = f"{self.num_documents:,} documents, {self.num_tokens:,} tokens, {shards}"
        return f"{type(self).__name__}({self._opened.label!r}: {self.manifest.tokenizer['kind']} tokenizer, {size})"

    def __reduce__(self) -> tuple[Any, ...]:
        paths, chosen = list(self._opened.paths), {"shards": self._chosen} if self._chosen else {}
        said: dict[str, Any] = {**asdict(self._said), "threads": self._cores, **chosen}
        return partial(type(self), **said), (paths if len(paths) > 1 else self.path,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # ---- text --------------------------------------------------------------------------------------------------------

    def encode(self, text: str) -> NDArray[Any]:
        """Ids of a text as the corpus was encoded, without special tokens."""
        return self._encoding.encode(text)

    def decode(self, ids: ArrayLike) -> str:
        """Text of ids; separators are left out."""
        return self._encoding.decode(ids)

    def pieces(self, ids: ArrayLike) -> list[str]:
        """What each id stands for, readable; the separator as ``<end of document>``."""
        return self._encoding.pieces(ids)

    # ---- how often, and what follows ---------------------------------------------------------------------------------

    def count(self, ngram: Query, where: Where | None = None) -> int:
        """Occurrences of an n-gram, overlapping ones each; the empty one occurs at every token. O(length · log tokens)."""
        return self.shard_set.count(self.checker.query(ngram), None if where is None else self.mask(where))

    def counts(self, ngrams: Queries, where: Where | None = None) -> NDArray[np.int64]:
        """Occurrences of many n-grams: ``int64[len(ngrams)]``. About 1 µs each."""
        return self.shard_set.counts(self.checker.queries(ngrams), self._mask(where))

    def next_distribution(self, context: Query, where: Where | None = None) -> NextTokens:
        """Everything that follows a context, the end of a document included: its counts add up to the context's.

        After the empty context comes the distribution of single tokens. O(distinct continuations · log occurrences): 20 µs for 300
        continuations of 6,000 occurrences, 0.4 ms for 6,000 of a million.
        """
        return self.shard_set.next_tokens(self.checker.context_query(context), self._mask(where))

    def next_distributions(self, contexts: Queries, where: Where | None = None) -> list[NextTokens]:
        """:meth:`next_distribution` of many contexts in one call."""
        return self.shard_set.next_tokens_of(self.checker.context_queries(contexts), self._mask(where))

    def concordance(
        self, ngram: Query, width: int = 8, limit: int | None = 10, offset: int = 0, where: Where | None = None
    ) -> list[Concordance]:
        """The first 10 occurrences (``limit``; None: all) after ``offset`` others, in the order of the corpus, with text around.

        Up to ``width`` tokens on each side, never across a document's ends. O(occurrences · log occurrences), or where they are
        frequent, what is read of the corpus until so many are found.
        """
        return concordance(self.local, self.checker.query(ngram), width, limit, offset, self._mask(where))

    # ---- documents ---------------------------------------------------------------------------------------------------

    def document(self, document_id: int) -> Document:
        """One document: its ids, its path and line, its metadata."""
        return document_queries.document(self.local, document_id)

    def text(self, document_id: int) -> str:
        """The text of one document, decoded from its ids."""
        return self.decode(self.document(document_id).token_ids)

    def document_count(self, ngram: Query, where: Where | None = None) -> int:
        """Documents that hold an n-gram, each counted once. About 2.5 ns an occurrence."""
        return self.shard_set.document_count(self.checker.query(ngram), self._mask(where))

    def document_counts(self, ngrams: Queries, where: Where | None = None) -> NDArray[np.int64]:
        """Documents that hold each of many n-grams: ``int64[len(ngrams)]``."""
        return self.shard_set.document_counts(self.checker.queries(ngrams), self._mask(where))

    def documents(self, ngram: Query, limit: int | None = 10, offset: int = 0, where: Where | None = None) -> list[DocumentMatch]:
        """The first 10 documents (``limit``; None: all) after ``offset`` others that hold an n-gram, by id, and where in them."""
        return document_queries.matches(self.shard_set, self.local, self.checker.query(ngram), limit, offset, self._mask(where))

    def sample_documents(self, ngram: Query, k: int, seed: int, where: Where | None = None) -> list[DocumentMatch]:
        """k documents that hold an n-gram (all, if fewer do), each equally likely, without replacement, by ascending id."""
        return document_queries.sample(self.shard_set, self.local, self.checker.query(ngram), k, seed, self._mask(where))

    def document_ids(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> NDArray[np.int64]:
        """Ids of all documents that :meth:`cooccurrence` counts, ascending: ``int64[documents]``. About 10 ns an occurrence."""
        check_limits(window=window)
        return self.shard_set.document_ids(check_clauses(clauses, self.checker), window, self._mask(where))

    def holding(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> Mask:
        """The documents of :meth:`document_ids` as a mask, the ``where`` of any other question: ``bool[num_documents]``."""
        mask = np.zeros(self.num_documents, bool)
        mask[self.document_ids(*clauses, window=window, where=where)] = True
        return self.mask(mask)

    # ---- together ----------------------------------------------------------------------------------------------------

    def cooccurrence(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> int:
        """Documents that hold every clause: ``cooccurrence(a, b)``, or ``cooccurrence([a1, a2], b)`` for (a1 or a2) and b.

        With ``window=w``, documents where some occurrences of all clauses start within w tokens of each other: growing w never
        shrinks the answer. About 2.5 ns an occurrence; with a window 30 ns, O(occurrences · log occurrences).
        """
        if window is not None or where is not None:
            return int(self.cooccurrences([clauses], window=window, where=where)[0])
        return self.shard_set.cooccurrence(check_clauses(clauses, self.checker))

    def cooccurrences(
        self,
        pairs: Iterable[Sequence[Clause]] | NDArray[np.integer[Any]],
        ngrams: Queries | None = None,
        window: int | None = None,
        where: Where | None = None,
    ) -> NDArray[np.int64]:
        """Documents that hold all clauses of each pair, or longer tuple: ``int64[len(pairs)]``.

        With ``ngrams``, pairs are numbers of n-grams in that list, an integer array ``[pairs, 2]``. Pairs that have an n-gram in
        common share its documents: a million pairs of 100,000 n-grams are a matter of seconds.
        """
        check_limits(window=window)
        checker = self.checker
        questions = number_questions(pairs, checker) if ngrams is None else number_pairs(pairs, checker.queries(ngrams))
        return self.shard_set.cooccurrences(questions, window, self._mask(where))

    def cooccurrence_matrix(self, rows: Iterable[Query], columns: Iterable[Query], where: Where | None = None) -> NDArray[np.int64]:
        """Documents that hold both an n-gram of ``rows`` and one of ``columns``: ``int64[len(rows), len(columns)]``."""
        pairs, ngrams, shape = number_matrix(rows, columns)
        return self.cooccurrences(pairs, ngrams, where=where).reshape(shape)

    # ---- groups of documents -----------------------------------------------------------------------------------------

    def groups(self, field: str) -> Counter[Value]:
        """How many documents have each value of a field, as for :meth:`counts_by`; ``counts_by([], field)``: how many tokens."""
        return self.local.groups.sizes(field)

    def counts_by(self, ngram: Query, field: str, unit: Unit = "occurrences", where: Where | None = None) -> Counter[Value]:
        """Occurrences of an n-gram, or documents (``unit="documents"``), for each value of a field of the documents' metadata.

        A field is a key of the metadata, a dotted path into records in it (``meta.pile_set_name``; a key with the dots itself goes
        first), ``path``, the file that a document came from, or, of several indexes, ``index``, its name. Largest counts first,
        equal ones by value, none that is 0. Documents without the field count under None. Values that are equal in Python are one:
        1, 1.0 and true. The field is read first, by column or, 1 µs each, by line; then 4 ns an occurrence. Raises QueryError where
        no document has a value, one holds a list or a record, or the index keeps no metadata.
        """
        return document_queries.counts_by(self.local, self.checker.query(ngram), field, unit, self._mask(where))

    def mask(self, where: Where) -> Mask:
        """The documents that a ``where`` means: ``bool[num_documents]``, read-only, itself a ``where``. 1 ns a document.

        A ``where`` is a condition for each of several fields, which must all hold: a value (``{"set": "ArXiv"}``, None for
        documents without the field), a collection of values, a range of integers (``{"step": range(1000)}``), or a function of the
        value. Or it is a boolean array. Raises QueryError as :meth:`counts_by`, and for what is no condition.
        """
        return self.local.groups.mask(where)

    def _mask(self, where: Where | None) -> Mask | None:
        return None if where is None else self.mask(where)

    # ---- whole texts -------------------------------------------------------------------------------------------------

    def infgram(self, context: Ngram, token: int) -> NgramProb:
        """Probability of a token after the longest end of a context that the corpus holds (∞-gram, arXiv 2401.17377)."""
        ids, _ = self.checker.text(context), self.checker.ngram([token])
        return text_queries.infgram(self.shard_set, ids, token)

    def suffix_length(self, context: Ngram) -> int:
        """Tokens of the longest end of a context that occurs in the corpus."""
        return text_queries.suffix_length(self.shard_set, self.checker.text(context))

    def score(self, text: Ngram) -> Scores:
        """The ∞-gram log-probability of each token of a text after those before it, with its evidence, in one pass."""
        return self.scores([text])[0]

    def scores(self, texts: Iterable[Ngram]) -> list[Scores]:
        """:meth:`score` of many texts in one call. About 2 µs a token and shard of text that is new."""
        return text_queries.scores(self.shard_set, text_queries.check_texts(texts, self.checker), self.num_shards, self.num_tokens)

    def match(self, text: Ngram) -> TextMatches:
        """Matching statistics: the longest match that begins at each position of a text, and how often it occurs."""
        return text_queries.text_matches(self.shard_set, [self.checker.text(text)], self.num_shards)[0]

    def matches(self, texts: Iterable[Ngram]) -> list[TextMatches]:
        """:meth:`match` of many texts in one call. About 2 µs a token and shard."""
        if is_one_text(texts):
            warn_renamed("matches of one text", "match")
            return self.match(texts)  # type: ignore[arg-type, return-value]
        return text_queries.text_matches(self.shard_set, text_queries.check_texts(texts, self.checker), self.num_shards)

    def spans(self, text: Ngram, min_length: int = 1, limit: int | None = 10) -> list[Span]:
        """The parts of a text that occur and that no longer part includes (OLMoTrace, arXiv 2504.07096), in the text's order.

        Each with its count and up to ``limit`` of the documents that hold it (None: all).
        """
        ids = self.checker.text(text)
        return text_queries.spans(self.match(ids), lambda start, stop: self.documents(ids[start:stop], limit), min_length, limit)

    def novelty(self, text: Ngram, max_n: int) -> Novelty:
        """For n = 1 … max_n: the n-grams of a text, and those of them, each occurrence, that the corpus does not hold."""
        check_range(1, LONGEST, max_n=max_n)
        return statistics.novelty(self.match(text).lengths, max_n)

    # ---- spellings ---------------------------------------------------------------------------------------------------

    def variants(self, text: str, kinds: Sequence[str] = DEFAULT_KINDS) -> list[Variant]:
        """The spellings of a text that the tokenizer tells apart, the text itself first, each once by its ids.

        "space": with and without one leading space. "case": as it is, lower, First letter, First Letter Of Each Word, UPPER, and
        the middle two of the lower text. "unicode": in the four normal forms, which look the same. Several: each with each.
        """
        return find_variants(text, kinds, self.checker.ngram)

    def count_variants(self, text: str, kinds: Sequence[str] = DEFAULT_KINDS, where: Where | None = None) -> VariantCounts:
        """Occurrences of a text in any of its spellings, the documents that hold any, and both for each spelling.

        A spelling whose ids hold those of another adds nothing to the union: each of its occurrences holds one of the other. Under
        ``bytes`` that is so of all with a space; ``words`` knows one spelling of anything.
        """
        spellings, mask = self.variants(text, kinds), self._mask(where)
        asked = [spelling.token_ids for spelling in spellings]
        counts, holding = self.counts(asked, mask).tolist(), self.document_counts(asked, mask).tolist()
        return text_queries.sum_variants(spellings, counts, holding, lambda clause: self.cooccurrence(clause, where=mask))

    def boundary_warning(self, text: str) -> str | None:
        """A sentence if the tokenizer encodes a text otherwise inside a longer one, with what to ask instead; else None.

        So a byte-level tokenizer has other ids for "natural" than for the word in "is natural", which is " natural" to it.
        ``bytes`` and ``words`` never do. A text that ends inside a word is taken as if the word ended there. Some ten encodings.
        """
        return boundary_warning(text, self.encode)

    # ---- the whole corpus --------------------------------------------------------------------------------------------

    def top_ngrams(self, n: int, k: int) -> list[NgramCount]:
        """The k most frequent n-grams of exactly n tokens, equal ones by ids; none holds a separator.

        15 ns a token for n = 5. Where documents are that long, n is at most 10,000.
        """
        check_positive(n=n, k=k)
        return statistics.top_ngrams(self.local, n, k)

    def ngram_statistics(self, max_n: int, max_count: int = 1) -> NgramStatistics:
        """For n = 1 … max_n: how many n-grams, how many distinct, how many that occur c times, c up to max_count. 35 ns a token."""
        statistics.check_sizes(max_n, max_count)
        return statistics.ngram_statistics(self.local, max_n, max_count)

    def distinct_ngrams(self, max_n: int) -> NDArray[np.int64]:
        """Distinct n-grams for n = 1 … max_n: ``int64[max_n]``. See :meth:`ngram_statistics`."""
        return self.ngram_statistics(max_n).num_distinct

    def count_of_counts(self, max_n: int, max_count: int) -> NDArray[np.int64]:
        """Distinct n-grams that occur exactly c times, at ``[n - 1, c - 1]``: ``int64[max_n, max_count]``, for smoothing."""
        return self.ngram_statistics(max_n, max_count).count_of_counts

    def duplicates(
        self, min_length: int, *, limit: int | None = 20, order: Order = "saved", max_documents: int | None = 10
    ) -> Duplicates:
        """The maximal repeats of at least ``min_length`` tokens (50 is usual, arXiv 2107.06499), in one document or several.

        Such a passage occurs at least twice and cannot be made longer without losing an occurrence. Lists ``limit`` of them (None:
        all), by ``(count - 1) · length`` ("saved") or by "length", with up to ``max_documents`` document ids each (None: all);
        counts all of them, and the tokens that lie in any. Costs: :func:`suffixindex.queries.duplicates.find_duplicates`.
        """
        return find_duplicates(self.local, min_length, limit, order, max_documents)
