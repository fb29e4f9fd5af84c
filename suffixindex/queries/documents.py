"""Which documents, how many, of which groups, and together with what."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import QueryError
from suffixindex.ngrams import Clause, Ngram, check_not_negative, join
from suffixindex.queries.cooccurrence import (
    Questions,
    check_clauses,
    count_one,
    count_together,
    count_within,
    in_pieces,
    number_pairs,
    number_questions,
)
from suffixindex.queries.groups import Value, Where
from suffixindex.queries.occurrences import OccurrenceQueries
from suffixindex.results import (
    Document,
    DocumentMatch,
)
from suffixindex.storage.shard import Shard

Unit = Literal["occurrences", "documents"]


class DocumentQueries(OccurrenceQueries):
    """Questions about the documents that hold n-grams."""

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
        return Document(document_id, shard.read(start, stop), record.get("path"), record.get("line"), record.get("metadata", {}))

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
        chosen = self._holding([[ids]], where=where)[offset : None if limit is None else offset + limit]
        return self._matches(ids, chosen)

    def document_ids(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> NDArray[np.int64]:
        """Ids of all documents that hold an n-gram, or every one of several clauses, ascending: ``int64[documents]``.

        They are the documents that :meth:`cooccurrence` of the same arguments counts. About 10 ns an occurrence; with a
        ``window``, O(occurrences log occurrences). With ``where``, of some documents alone, see :meth:`mask`.

        Raises
        ------
        QueryError
            As for :meth:`cooccurrence`.
        """
        check_not_negative(window=window)
        return self._holding(check_clauses(clauses, self._checker), window, where)

    def holding(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> NDArray[np.bool_]:
        """The documents of :meth:`document_ids` as a mask, the ``where`` of any other question: ``bool[num_documents]``.

        Raises
        ------
        QueryError
            As for :meth:`cooccurrence`.

        Examples
        --------
        >>> both = index.holding("cat", "dog")                     # doctest: +SKIP
        >>> index.documents("cat", where=both), index.next_tokens("the", where=both)       # doctest: +SKIP
        """
        mask = np.zeros(self.num_documents, bool)
        mask[self.document_ids(*clauses, window=window, where=where)] = True
        return self.mask(mask)

    def sample_documents(self, ngram: Ngram, k: int, seed: int, where: Where | None = None) -> list[DocumentMatch]:
        """k documents that hold an n-gram (all, if fewer do), each equally likely, without replacement, by ascending id.

        With ``where``, of some documents alone, see :meth:`mask`.
        """
        check_not_negative(k=k)
        ids = self._checker.ngram(ngram)
        holding = self._holding([[ids]], where=where)
        chosen = np.random.default_rng(seed).choice(holding, min(k, len(holding)), replace=False)
        return self._matches(ids, np.sort(chosen))

    def cooccurrence(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> int:
        """Documents that hold every clause: ``cooccurrence(a, b)``, ``cooccurrence([a1, a2], b)`` for (a1 or a2) and b.

        With ``window=w``, documents where some occurrences of all clauses start within w tokens of each other; growing w
        never shrinks the answer. About 2.5 ns an occurrence without a window. With ``where``, of some documents alone, see
        :meth:`mask`: another 4 ns an occurrence, and at most 4 bytes. :meth:`document_ids` says which they are.

        Raises
        ------
        QueryError
            No clause, a clause of no n-grams, a negative window; or as for :meth:`count`.
        """
        if window is not None or where is not None:
            return int(self.cooccurrences([clauses], window=window, where=where)[0])
        ngrams = check_clauses(clauses, self._checker)
        total = 0
        for shard in self.shards:
            intervals = [[shard.interval(ngram) for ngram in clause] for clause in ngrams]
            total += count_one(shard, ngrams, intervals, self._stamps)
        return total

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
        check_not_negative(window=window)
        checker = self._checker
        questions = number_questions(pairs, checker) if ngrams is None else number_pairs(pairs, checker.batch(ngrams))
        return self._together(questions, window, where)

    def _together(self, questions: Questions, window: int | None, where: Where | None = None) -> NDArray[np.int64]:
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

    def _holding(
        self, clauses: Sequence[Sequence[NDArray[np.int64]]], window: int | None = None, where: Where | None = None
    ) -> NDArray[np.int64]:
        """Ascending ids of the documents that hold every clause, of those of ``where``."""
        lengths = [[len(ngram) for ngram in clause] for clause in clauses]
        found = []
        for base, shard in zip(self._first_document.tolist(), self.shards, strict=False):
            intervals = [[shard.interval(ngram) for ngram in clause] for clause in clauses]
            here = shard.documents_of_all(intervals) if window is None else shard.documents_within(intervals, lengths, window)
            found.append(here + base)
        holding = np.concatenate(found)
        return holding if where is None else holding[self.mask(where)[holding]]

    def _matches(self, ids: NDArray[Any], document_ids: NDArray[np.int64]) -> list[DocumentMatch]:
        """What the chosen documents, ascending, say of the n-gram."""
        matches: list[DocumentMatch] = []
        for base, shard in zip(self._first_document.tolist(), self.shards, strict=False):
            here = document_ids[(document_ids >= base) & (document_ids < base + shard.num_documents)] - base
            if not len(here):
                continue
            positions = shard.positions([shard.interval(ids)], [len(ids)])
            for document in here.tolist():
                start, stop = shard.bounds(document)
                first, last = np.searchsorted(positions, [start, stop + 1])
                record = shard.metadata(document)
                origin = record.get("path"), record.get("line"), record.get("metadata", {})
                matches.append(DocumentMatch(base + document, positions[first:last] - start, stop - start, *origin))
        return matches
