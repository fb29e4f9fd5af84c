"""Who reads and encodes: threads of this process, and where there is enough to do, processes of their own.

Parsing and what goes before and after an engine hold Python's interpreter, so threads share one core and a half. Where there is
much to encode, a process reads and unpacks the files, others parse and encode, and this one appends what they made. Documents do
not depend on who encodes them.
"""

import pickle
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from suffixindex.corpus.readers import RawRecords, RecordOptions, parse, read_records
from suffixindex.corpus.sources import Source
from suffixindex.system.parallel import in_order
from suffixindex.system.pipeline import POSSIBLE, Made, Pipeline
from suffixindex.tokenizers.encoders import Encoder, stored_encoder

BATCH_BYTES = 1 << 20
LARGE_BATCH_BYTES = 1 << 22  # of processes, which hand them over by pipes
LOOKAHEAD = 2  # batches under way for each thread
SWITCH_SECONDS = 5e-4  # Python's own 5 ms are as long as a batch: whoever has read or written one would wait as long again
START_SECONDS = 1.0  # until processes encode
MUCH_BYTES = 1 << 28  # of text: processes take a second to start, in which threads encode a third of this
PACKED = 4  # bytes of text that a byte of a packed file stands for, about
ONE_THREAD = {"RAYON_NUM_THREADS": "1", "FASTOKENS_BPE_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "NUMBA_NUM_THREADS": "1"}


class Spread(NamedTuple):
    """Processes that may be started: how many, and where the build is whose encoder they are to have."""

    processes: int
    folder: Path
    engine: str | None


class Batch(NamedTuple):
    """Encoded records."""

    encoded: Any
    metadata: list[bytes]
    skipped: Counter[str]
    text_bytes: int
    last: RawRecords
    """The last of the raw records, without its payload."""


class Team:
    """Threads, or processes.

    Memory: about ``LOOKAHEAD`` batches for each, a few times their text, and what a process takes anyway.
    """

    def __init__(self, threads: int, spread: Spread | None = None) -> None:
        self._threads = threads
        self._spread = spread if spread is not None and spread.processes > 1 and POSSIBLE else None
        self.peak_memory_bytes = 0
        """Of its processes together, when they are done."""

    def encode(
        self,
        sources: Sequence[Source],
        encoder: Encoder,
        options: RecordOptions,
        start: tuple[int, int],
        places: Sequence[Source] | None = None,
    ) -> Generator[Batch, None, None]:
        """Everything from record ``start`` on, in order. See :func:`suffixindex.building.encode.encode_corpus`."""
        seen = places or sources
        if self._spread is not None and encoder.spread and _is_much(seen[start[0] :]):
            reading = Made(make_reading, (seen, start, options.record_bytes))
            arguments = encoder.entry, self._spread.folder.absolute(), self._spread.engine, sources, options
            with Pipeline(reading, Made(make_encoding, arguments), self._spread.processes, ONE_THREAD) as pipeline:
                yield from pipeline.results()
                self.peak_memory_bytes = pipeline.peak_memory_bytes
            return
        threads = self._threads if encoder.parallel else 1
        with _switching_often(), ThreadPoolExecutor(threads, "encode") as pool:
            batches = _batches(read_records(seen, start, options.record_bytes), BATCH_BYTES)
            yield from in_order(pool, encoding(encoder, sources, options), batches, LOOKAHEAD * threads)


def make_encoding(
    entry: dict[str, Any], index: Path, engine: str | None, sources: Sequence[Source], options: RecordOptions
) -> Callable[[list[RawRecords]], Batch]:
    """What an encoding process does with a batch."""
    return encoding(stored_encoder(entry, index, engine), sources, options)


def encoding(encoder: Encoder, sources: Sequence[Source], options: RecordOptions) -> Callable[[list[RawRecords]], Batch]:
    """What is done with a batch of raw records."""

    def work(pieces: list[RawRecords]) -> Batch:
        documents = parse(pieces, sources, options)
        encoded = encoder.encode(documents.texts)
        size = sum(piece.num_bytes for piece in pieces)
        return Batch(encoded, documents.metadata, documents.skipped, size, pieces[-1]._replace(payload=None))

    return work


def make_reading(sources: Sequence[Source], start: tuple[int, int], limit: int) -> Iterator[list[RawRecords]]:
    """What the reading process makes: batches of raw records, as they go through a pipe."""
    for batch in _batches(read_records(sources, start, limit), LARGE_BATCH_BYTES):
        yield [_sealed(piece) for piece in batch]


def _batches(pieces: Iterator[RawRecords], size: int) -> Iterator[list[RawRecords]]:
    """Pieces of ``size`` bytes together, and what the last of them has beyond."""
    batch: list[RawRecords] = []
    length = 0
    for piece in pieces:
        batch.append(piece)
        length += piece.num_bytes
        if length >= size:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


def _sealed(piece: RawRecords) -> RawRecords:
    """Raw records as they go through a pipe: bytes beside the pickle."""
    if isinstance(piece.payload, bytes):
        return piece._replace(payload=pickle.PickleBuffer(piece.payload))
    return piece


def _is_much(sources: Sequence[Source]) -> bool:
    """Whether there is so much text that the start of processes is worth it; not known of what is no file."""
    if any(source.bytes is None for source in sources):
        return False
    packed = (".gz", ".zst", ".bz2", ".xz", ".parquet", ".zip")
    return sum((source.bytes or 0) * (PACKED if source.path.endswith(packed) else 1) for source in sources) >= MUCH_BYTES


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let threads hand the interpreter over every ``SWITCH_SECONDS``; here reading, parsing and writing share it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
