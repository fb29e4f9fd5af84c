"""Questions to a cluster: each worker answers for some shards, which it holds mapped, and the answers add up exactly."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from suffixindex.distributed.cluster import CONNECT_SECONDS, open_client
from suffixindex.errors import ClusterError
from suffixindex.index import SuffixIndex
from suffixindex.ngrams import Clause, Ngram, NgramBatch
from suffixindex.queries.cooccurrence import Questions
from suffixindex.queries.groups import Where
from suffixindex.queries.matching import Matches, Texts
from suffixindex.results import NextTokens
from suffixindex.storage.format import MANIFEST
from suffixindex.storage.shard import merge_counts

HELD = 4  # portions of texts whose matches a worker keeps between the two rounds of a question about them


class ClusterIndex(SuffixIndex):
    """An index whose shards lie with the workers of a Dask cluster: the questions and answers of :class:`SuffixIndex`.

    The shards are divided among the workers that are there when it is opened; if one goes, others take over. To workers go
    the n-grams, and with ``where`` a bit a document; back come counts, a number a question and group of shards, or sparse
    distributions. Text is encoded here. A call costs some milliseconds, so ask in bulk.

    Workers answer ``count``, ``counts``, ``document_count(s)``, ``document_ids``, ``holding``, ``cooccurrence(s)``,
    ``cooccurrence_matrix``, ``next_tokens``, ``bulk_next_tokens``, ``count_variants``, and the whole-text questions
    ``infgram``, ``suffix_length``, ``score(s)``, ``matches``, ``text_matches`` and ``novelty``, in two rounds: the longest
    match in any shard, then its count in all. This process answers the others itself, from the index as it lies on the
    shared filesystem: ``document``, ``concordance``, what ``documents`` and ``sample_documents`` say of each and the
    documents of ``spans``, which read a few pages for what they return; ``groups``, ``counts_by`` and the documents of
    ``where``, which read the metadata once; ``top_ngrams``, ``ngram_statistics``, ``duplicates`` and the language models of
    :mod:`suffixindex.lm` but the ∞-gram, which compare all shards with each other. Pickles by its path and its scheduler.

    Raises
    ------
    ClusterError
        No scheduler or no worker answers, or a worker sees another index at this path.
    """

    def __init__(self, path: str | os.PathLike[str], scheduler: str) -> None:
        super().__init__(path)
        self.scheduler = scheduler
        self._content = sha256((self.path / MANIFEST).read_bytes()).hexdigest()
        with ExitStack() as opening:
            self._client = opening.enter_context(open_client(scheduler))
            try:
                self._client.wait_for_workers(1, CONNECT_SECONDS)
            except TimeoutError as error:
                raise ClusterError(f"the scheduler at {scheduler} has no workers: start some with dask worker") from error
            self._held_by = self._divide(sorted(self._client.scheduler_info(n_workers=-1)["workers"]))
            self._leave = finalize(self, opening.pop_all().close)  # also when the interpreter ends, while threads still run

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.scheduler)

    def close(self) -> None:
        """Leave the cluster, and stop this process's threads."""
        self._leave()
        super().close()

    def _divide(self, workers: Sequence[str]) -> list[tuple[str, int, int]]:
        """(worker, first shard, last): consecutive shards for each, of about as many tokens."""
        ends = np.cumsum([shard.length for shard in self.shards])
        wanted = np.linspace(0, ends[-1], len(workers) + 1)[1:-1]
        cuts = np.unique([0, *np.searchsorted(ends, wanted), len(ends)]).tolist()
        return list(zip(workers, cuts[:-1], cuts[1:], strict=False))

    def _ask(self, function: Callable[..., Any], *arguments: Any, where: Where | None = None) -> list[Any]:
        """``function(index of the group's shards, *arguments)`` of every group, in order; with the group's part of ``where``."""
        from dask import config
        from distributed import KilledWorker

        mask = None if where is None else self.mask(where)
        futures = []
        with config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):  # questions are what is to be sent
            for worker, first, last in self._held_by:
                part = None if mask is None else np.packbits(mask[self._first_document[first] : self._first_document[last]])
                asked = str(self.path), self._content, (first, last), function, arguments, part
                futures.append(self._client.submit(answer, *asked, pure=False, workers=[worker], allow_other_workers=True))
        try:
            return list(self._client.gather(futures))
        except KilledWorker as error:
            raise ClusterError(f"workers died over a question, the last was {error.last_worker.address}: {error}") from error

    def _sum(self, function: Callable[..., Any], *arguments: Any, where: Where | None = None) -> NDArray[np.int64]:
        total: NDArray[np.int64] = np.sum(self._ask(function, *arguments, where=where), axis=0)
        return total

    # ---- what workers answer ---------------------------------------------------------------------------------------

    def count(self, ngram: Ngram, where: Where | None = None) -> int:
        return int(self.counts([self._checker.ngram(ngram)], where)[0])

    def counts(self, ngrams: Iterable[Ngram], where: Where | None = None) -> NDArray[np.int64]:
        return self._sum(SuffixIndex.counts, self._checker.batch(ngrams), where=where)

    def document_counts(self, ngrams: Iterable[Ngram], where: Where | None = None) -> NDArray[np.int64]:
        return self._sum(SuffixIndex.document_counts, self._checker.batch(ngrams), where=where)

    def _holding(
        self, clauses: Sequence[Sequence[NDArray[np.int64]]], window: int | None = None, where: Where | None = None
    ) -> NDArray[np.int64]:
        parts = self._ask(SuffixIndex._holding, clauses, window, where=where)
        return np.concatenate(
            [self._first_document[first] + part for (_, first, _), part in zip(self._held_by, parts, strict=True)]
        )

    def cooccurrence(self, *clauses: Clause, window: int | None = None, where: Where | None = None) -> int:
        return int(self.cooccurrences([clauses], window=window, where=where)[0])

    def _together(self, questions: Questions, window: int | None, where: Where | None = None) -> NDArray[np.int64]:
        return self._sum(SuffixIndex._together, questions, window, where=where)

    def _next_tokens(self, ids: NDArray[np.int64], where: Where | None = None) -> NextTokens:
        return _merge(self._ask(SuffixIndex._next_tokens, ids, where=where))

    def _bulk_next_tokens(self, batch: NgramBatch, where: Where | None = None) -> list[NextTokens]:
        return [_merge(parts) for parts in zip(*self._ask(SuffixIndex._bulk_next_tokens, batch, where=where), strict=True)]

    def _match(self, texts: Texts) -> Matches:
        return ClusterMatches(self._ask, texts)


class ClusterMatches(Matches):
    """The longest match in the whole corpus from every position of some texts, looked for by workers."""

    def __init__(self, ask: Callable[..., list[Any]], texts: Texts) -> None:
        self.texts = texts
        self._ask = ask
        self._name = uuid4().hex
        self.lengths: NDArray[np.int64] = np.max(ask(_lengths, self._name, texts), axis=0)

    def counts(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        total: NDArray[np.int64] = np.sum(self._ask(_span_counts, self._name, self.texts, starts, stops), axis=0)
        return total


def _merge(parts: Sequence[NextTokens]) -> NextTokens:
    token_ids, counts = merge_counts([part.token_ids for part in parts], [part.counts for part in parts])
    return NextTokens(token_ids, counts, sum(part.context_count for part in parts), parts[0].separator)


# ---- on the workers ------------------------------------------------------------------------------------------------

_indexes: dict[tuple[str, str, tuple[int, int]], SuffixIndex] = {}
_matches: dict[tuple[str, int], Matches] = {}
_lock = Lock()


def answer(
    path: str,
    content: str,
    shards: tuple[int, int],
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    part: NDArray[np.uint8] | None,
) -> Any:
    """Ask the index of some shards, which stays open; on a worker.

    Raises
    ------
    ClusterError
        The worker sees another index at this path, or none.
    """
    from distributed import get_worker

    worker = get_worker()
    key = path, content, shards
    with _lock:
        if key not in _indexes:
            try:
                seen = sha256((Path(path) / MANIFEST).read_bytes()).hexdigest()
            except OSError as error:
                raise ClusterError(f"the worker {worker.address} does not see the index {path}: {error.strerror}") from error
            if seen != content:
                raise ClusterError(f"the worker {worker.address} sees another index at {path}: open it again")
            for old in [old for old in _indexes if old[0] == path and old[1] != content]:
                del _indexes[old]  # built anew since
            _indexes[key] = SuffixIndex(path, shards=shards, threads=worker.state.nthreads)
        index = _indexes[key]
    restricted = {} if part is None else {"where": np.unpackbits(part, count=index.num_documents).astype(bool)}
    return function(index, *arguments, **restricted)


def _held_matches(index: SuffixIndex, name: str, texts: Texts) -> Matches:
    """The matches of some texts; those of the last portions are kept for a second round."""
    key = name, id(index)
    with _lock:
        found = _matches.get(key)
    if found is None:
        found = index._match(texts)
        with _lock:
            _matches[key] = found
            for old in list(_matches)[:-HELD]:
                del _matches[old]
    return found


def _lengths(index: SuffixIndex, name: str, texts: Texts) -> NDArray[np.int64]:
    return _held_matches(index, name, texts).lengths


def _span_counts(
    index: SuffixIndex, name: str, texts: Texts, starts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.int64]:
    return _held_matches(index, name, texts).counts(starts, stops)
