"""The first half of a build: sources -> token shards. Read in order, parse and encode on all cores, append in order."""

import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.writer import TokenWriter, without_longer
from suffixindex.corpus.readers import RawRecords, RecordOptions, parse, read_records
from suffixindex.corpus.sources import Source
from suffixindex.system.progress import Bar
from suffixindex.tokenizers.encoders import Encoder

BATCH_BYTES = 1 << 20
LOOKAHEAD = 2  # batches under way for each thread
SWITCH_SECONDS = 5e-4  # Python's own 5 ms are as long as a batch: whoever has read or written one would wait as long again

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class Counts:
    """What encoding has seen so far; ``cursor`` is the next record as (source, record)."""

    cursor: tuple[int, int] = (0, 0)
    documents: int = 0
    tokens: int = 0
    text_bytes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @classmethod
    def from_json(cls, counts: dict[str, Any]) -> "Counts":
        source, record = counts["cursor"]
        return cls(**{**counts, "cursor": (source, record), "skipped": Counter(counts["skipped"])})

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "skipped": dict(sorted(self.skipped.items()))}


class _Batch(NamedTuple):
    encoded: Any
    metadata: list[bytes]
    skipped: Counter[str]
    text_bytes: int


def encode_corpus(
    sources: Sequence[Source],
    encoder: Encoder,
    writer: TokenWriter,
    options: RecordOptions,
    counts: Counts,
    *,
    threads: int,
    checkpoint: Callable[[], None],
    checkpoint_seconds: float,
    reach: Callable[..., None],
    places: Sequence[Source] | None = None,
) -> None:
    """Encode everything from ``counts.cursor`` on and append it; calls ``checkpoint`` now and then.

    ``reach(done, documents=…, tokens=…)`` is told how many bytes of the sources' files are read.
    ``places`` are the sources as this process finds them, where that is not by the paths that the documents' metadata keep.
    Memory: about ``LOOKAHEAD`` batches a thread, a few times their text each.
    """

    def work(pieces: list[RawRecords]) -> _Batch:
        documents = parse(pieces, sources, options)
        encoded = encoder.encode(documents.texts)
        return _Batch(encoded, documents.metadata, documents.skipped, sum(piece.num_bytes for piece in pieces))

    before = bytes_before(sources)
    saved = time.monotonic()
    with _switching_often(), ThreadPoolExecutor(threads if encoder.parallel else 1, "encode") as pool:
        batches = _batches(read_records(places or sources, counts.cursor, options.record_bytes))
        for pieces, batch in _map_in_order(pool, work, batches, LOOKAHEAD * threads):
            tokens, lengths = encoder.number(batch.encoded)
            metadata = batch.metadata
            if options.on_error == "skip" and len(lengths) and lengths.max() >= writer.capacity:
                batch.skipped["longer than a shard"] += int(np.count_nonzero(lengths >= writer.capacity))
                tokens, lengths, metadata = without_longer(tokens, lengths, metadata, writer.capacity)
            writer.append(tokens, lengths, metadata)
            last = pieces[-1]
            counts.cursor = (last.source, last.first + last.num_records)
            counts.documents += len(lengths)
            counts.tokens += len(tokens) - len(lengths)
            counts.text_bytes += batch.text_bytes
            counts.skipped += batch.skipped
            reach(int(before[last.source]) + last.consumed, documents=counts.documents, tokens=counts.tokens)
            if time.monotonic() - saved >= checkpoint_seconds:
                checkpoint()
                saved = time.monotonic()


def encoding_bar(sources: Sequence[Source], counts: Counts, progress: bool | None) -> Bar:
    """The progress of encoding in bytes of the sources' files, from ``counts.cursor`` on."""
    before = bytes_before(sources)
    known = all(source.bytes is not None for source in sources)
    return Bar("encode", int(before[-1]) if known else None, "B", progress, int(before[counts.cursor[0]]))


def bytes_before(sources: Sequence[Source]) -> NDArray[np.int64]:
    """Bytes of the files before each source, and of all."""
    return np.cumsum([0] + [source.bytes or 0 for source in sources])


def _batches(pieces: Iterator[RawRecords]) -> Iterator[list[RawRecords]]:
    batch: list[RawRecords] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += piece.num_bytes
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let threads hand the interpreter over every ``SWITCH_SECONDS``; here reading, parsing and writing share it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _map_in_order(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterator[Item], ahead: int
) -> Iterator[tuple[Item, Result]]:
    """(item, function(item)) in the order of the items, ``ahead`` of them under way; an error comes in its place."""
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) > ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()
