"""The first half of a build: sources -> token shards. Read in order, parse and encode on all cores, append in order."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.state import Counts
from suffixindex.building.writer import TokenWriter, without_longer
from suffixindex.corpus.readers import RawRecords, RecordOptions, parse, read_records
from suffixindex.corpus.sources import Source
from suffixindex.system.parallel import in_order
from suffixindex.system.progress import Bar
from suffixindex.tokenizers.encoders import Encoder

BATCH_BYTES = 1 << 20
LOOKAHEAD = 2  # batches under way for each thread
SWITCH_SECONDS = 5e-4  # Python's own 5 ms are as long as a batch: whoever has read or written one would wait as long again


class _Batch(NamedTuple):
    encoded: Any
    metadata: list[bytes]
    skipped: Counter[str]
    text_bytes: int
    last: RawRecords


def encode_corpus(
    sources: Sequence[Source],
    encoder: Encoder,
    writer: TokenWriter,
    options: RecordOptions,
    counts: Counts,
    *,
    threads: int,
    checkpoint: Callable[[Counts], None] = lambda counts: None,
    checkpoint_seconds: float = float("inf"),
    progress: Callable[[int, Counts], None] = lambda done, counts: None,
    places: Sequence[Source] | None = None,
) -> Counts:
    """Encode everything from ``counts.cursor`` on and append it; returns what there is in all.

    ``checkpoint`` is called every so many seconds with the counts of what was appended, ``progress`` after each batch with
    the bytes of the sources' files that are read, and these counts.
    ``places`` are the sources as this process finds them, where that is not by the paths that the documents' metadata keep.
    Memory: about ``LOOKAHEAD`` batches a thread, a few times their text each.
    """

    def work(pieces: list[RawRecords]) -> _Batch:
        documents = parse(pieces, sources, options)
        encoded = encoder.encode(documents.texts)
        return _Batch(encoded, documents.metadata, documents.skipped, sum(piece.num_bytes for piece in pieces), pieces[-1])

    before = bytes_before(sources)
    saved = time.monotonic()
    with _switching_often(), ThreadPoolExecutor(threads if encoder.parallel else 1, "encode") as pool:
        batches = _batches(read_records(places or sources, counts.cursor, options.record_bytes))
        for batch in in_order(pool, work, batches, LOOKAHEAD * threads):
            tokens, lengths = encoder.number(batch.encoded)
            metadata, skipped = batch.metadata, batch.skipped
            if options.on_error == "skip" and len(lengths) and lengths.max() >= writer.capacity:
                skipped = skipped + Counter({"longer than a shard": int(np.count_nonzero(lengths >= writer.capacity))})
                tokens, lengths, metadata = without_longer(tokens, lengths, metadata, writer.capacity)
            writer.append(tokens, lengths, metadata)
            last = batch.last
            counts = replace(counts, cursor=(last.source, last.first + last.num_records))
            counts = counts.plus(len(lengths), len(tokens) - len(lengths), batch.text_bytes, skipped)
            progress(int(before[last.source]) + last.consumed, counts)
            if time.monotonic() - saved >= checkpoint_seconds:
                checkpoint(counts)
                saved = time.monotonic()
    return counts


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
