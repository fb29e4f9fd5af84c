"""Questions to a cluster: each worker answers for some shards, which it holds mapped, and the answers add up exactly."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from suffixindex.distributed.cluster import CONNECT_SECONDS, open_client
from suffixindex.errors import ClusterError
from suffixindex.index import SuffixIndex
from suffixindex.ngrams import Checked, NgramBatch, join
from suffixindex.opening import Said, open_index
from suffixindex.queries.cooccurrence import Questions
from suffixindex.queries.local import LocalShards
from suffixindex.queries.matching import Matches
from suffixindex.queries.shard_set import Clauses, Mask
from suffixindex.results import NextTokens
from suffixindex.storage.format import MANIFEST
from suffixindex.storage.matches import Texts
from suffixindex.storage.sparse import merge_counts
from suffixindex.system.threads import ForkLock

Answer = TypeVar("Answer")

HELD = 4  # portions of texts whose matches a worker keeps between the two rounds of a question about them


class ClusterIndex(SuffixIndex):
    """An index whose shards lie with the workers of a Dask cluster: the questions and answers of :class:`SuffixIndex`.

    The shards are divided among the workers that are there when it is opened; if one goes, others take over. To workers go
    the n-grams, and with ``where`` a bit a document; back come counts, a number a question and group of shards, or sparse
    distributions. Text is encoded here. A call costs some milliseconds, so ask in bulk.

    Workers answer ``count(s)``, ``document_count(s)``, ``document_ids``, ``holding``, ``cooccurrence(s)``,
    ``cooccurrence_matrix``, ``next_distribution(s)``, ``count_variants``, and the whole-text questions ``infgram``,
    ``suffix_length``, ``score(s)``, ``match(es)`` and ``novelty``, in two rounds: the longest match in any shard, then its
    count in all. This process answers the others itself, from the index as it lies on the
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
        self.shard_set = ClusterShards(self.path, self.local, scheduler)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.scheduler)


class ClusterShards:
    """A :class:`~suffixindex.queries.shard_set.ShardSet` whose shards are asked by workers, consecutive ones by each."""

    def __init__(self, path: Path, local: LocalShards, scheduler: str) -> None:
        self._path = path
        self._scheduler = scheduler
        self._first_documents = local.first_documents
        self._lengths = [shard.length for shard in local.shards]
        self._content = sha256((path / MANIFEST).read_bytes()).hexdigest()
        self._connect()

    def _connect(self) -> None:
        self._process = os.getpid()
        with ExitStack() as opening:
            self._client = opening.enter_context(open_client(self._scheduler))
            try:
                self._client.wait_for_workers(1, CONNECT_SECONDS)
            except TimeoutError as error:
                raise ClusterError(f"the scheduler at {self._scheduler} has no workers: start some with dask worker") from error
            self._groups = self._divide(sorted(self._client.scheduler_info(n_workers=-1)["workers"]))
            self._leave = finalize(self, opening.pop_all().close)  # also when the interpreter ends, while threads still run

    def close(self) -> None:
        if os.getpid() == self._process:
            self._leave()

    def _divide(self, workers: Sequence[str]) -> list[tuple[str, int, int]]:
        """(worker, first shard, last): consecutive shards for each, of about as many tokens."""
        ends = np.cumsum(self._lengths)
        wanted = np.linspace(0, ends[-1], len(workers) + 1)[1:-1]
        cuts = np.unique([0, *np.searchsorted(ends, wanted), len(ends)]).tolist()
        return list(zip(workers, cuts[:-1], cuts[1:], strict=False))

    def ask(self, function: Callable[..., Answer], *arguments: Any, mask: Mask | None = None) -> list[Answer]:
        """``function(the group's shards, *arguments, the group's part of the mask)`` of every group, in order."""
        from dask import config
        from distributed import KilledWorker

        if os.getpid() != self._process:  # a forked process has the parent's sockets, and none of its threads
            self._leave.detach()
            self._connect()
        futures = []
        with config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):  # questions are what is to be sent
            for worker, first, last in self._groups:
                bounds = slice(self._first_documents[first], self._first_documents[last])
                part = None if mask is None else np.packbits(mask[bounds])
                asked = str(self._path), self._content, (first, last), function, arguments, part
                futures.append(self._client.submit(answer, *asked, pure=False, workers=[worker], allow_other_workers=True))
        try:
            return list(self._client.gather(futures))
        except KilledWorker as error:
            raise ClusterError(f"workers died over a question, the last was {error.last_worker.address}: {error}") from error

    def _sum(self, function: Callable[..., NDArray[np.int64]], *arguments: Any, mask: Mask | None) -> NDArray[np.int64]:
        total: NDArray[np.int64] = np.sum(self.ask(function, *arguments, mask=mask), axis=0)
        return total

    def count(self, ngram: Checked, mask: Mask | None) -> int:
        return int(self.counts(join([ngram]), mask)[0])

    def counts(self, ngrams: NgramBatch, mask: Mask | None) -> NDArray[np.int64]:
        return self._sum(LocalShards.counts, ngrams, mask=mask)

    def document_count(self, ngram: Checked, mask: Mask | None) -> int:
        return int(self.document_counts(join([ngram]), mask)[0])

    def document_counts(self, ngrams: NgramBatch, mask: Mask | None) -> NDArray[np.int64]:
        return self._sum(LocalShards.document_counts, ngrams, mask=mask)

    def document_ids(self, clauses: Clauses, window: int | None, mask: Mask | None) -> NDArray[np.int64]:
        parts = self.ask(LocalShards.document_ids, clauses, window, mask=mask)
        firsts = [self._first_documents[first] for _, first, _ in self._groups]
        return np.concatenate([first + part for first, part in zip(firsts, parts, strict=True)])

    def cooccurrence(self, clauses: Clauses) -> int:
        return sum(self.ask(_cooccurrence, clauses))

    def cooccurrences(self, questions: Questions, window: int | None, mask: Mask | None) -> NDArray[np.int64]:
        return self._sum(LocalShards.cooccurrences, questions, window, mask=mask)

    def next_tokens(self, context: Checked, mask: Mask | None) -> NextTokens:
        return _merge(self.ask(LocalShards.next_tokens, context, mask=mask))

    def next_tokens_of(self, contexts: NgramBatch, mask: Mask | None) -> list[NextTokens]:
        return [_merge(parts) for parts in zip(*self.ask(LocalShards.next_tokens_of, contexts, mask=mask), strict=True)]

    def matches(self, texts: Texts) -> Matches:
        return ClusterMatches(self, texts)


class ClusterMatches(Matches):
    """The longest match in the whole corpus from every position of some texts, looked for by workers."""

    def __init__(self, shards: ClusterShards, texts: Texts) -> None:
        self.texts = texts
        self._asked = shards
        self._name = uuid4().hex
        self.lengths: NDArray[np.int64] = np.max(shards.ask(_lengths, self._name, texts), axis=0)

    def counts(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
        total: NDArray[np.int64] = np.sum(self._asked.ask(_span_counts, self._name, self.texts, starts, stops), axis=0)
        return total


def _merge(parts: Sequence[NextTokens]) -> NextTokens:
    token_ids, counts = merge_counts([part.token_ids for part in parts], [part.counts for part in parts])
    return NextTokens(token_ids, counts, sum(part.context_count for part in parts), parts[0].separator)


# ---- on the workers ------------------------------------------------------------------------------------------------

_shards: dict[tuple[str, str, tuple[int, int]], LocalShards] = {}
_matches: dict[tuple[str, int], Matches] = {}
_lock = ForkLock()


def answer(
    path: str,
    content: str,
    chosen: tuple[int, int],
    function: Callable[..., Answer],
    arguments: tuple[Any, ...],
    part: NDArray[np.uint8] | None,
) -> Answer:
    """Ask some shards of an index, which stay open; on a worker.

    Raises
    ------
    ClusterError
        The worker sees another index at this path, or none.
    """
    from distributed import get_worker

    worker = get_worker()
    key = path, content, chosen
    with _lock:
        if key not in _shards:
            try:
                seen = sha256((Path(path) / MANIFEST).read_bytes()).hexdigest()
            except OSError as error:
                raise ClusterError(f"the worker {worker.address} does not see the index {path}: {error.strerror}") from error
            if seen != content:
                raise ClusterError(f"the worker {worker.address} sees another index at {path}: open it again")
            for old in [old for old in _shards if old[0] == path and old[1] != content]:
                del _shards[old]  # built anew since
            opened = open_index(path, Said(), chosen)
            _shards[key] = LocalShards(opened.shards, opened.manifest.separator, worker.state.nthreads)
        shards = _shards[key]
    mask = None if part is None else np.unpackbits(part, count=shards.num_documents).astype(bool)
    return function(shards, *arguments, mask)


def _cooccurrence(shards: LocalShards, clauses: Clauses, mask: Mask | None) -> int:
    assert mask is None
    return shards.cooccurrence(clauses)


def _known_matches(shards: LocalShards, name: str, texts: Texts) -> Matches:
    """The matches of some texts; those of the last portions are kept for a second round."""
    key = name, id(shards)
    with _lock:
        matches = _matches.get(key)
    if matches is None:
        matches = shards.matches(texts)
        with _lock:
            _matches[key] = matches
            for old in list(_matches)[:-HELD]:
                del _matches[old]
    return matches


def _lengths(shards: LocalShards, name: str, texts: Texts, mask: Mask | None) -> NDArray[np.int64]:
    return _known_matches(shards, name, texts).lengths


def _span_counts(
    shards: LocalShards, name: str, texts: Texts, starts: NDArray[np.int64], stops: NDArray[np.int64], mask: Mask | None
) -> NDArray[np.int64]:
    return _known_matches(shards, name, texts).counts(starts, stops)
