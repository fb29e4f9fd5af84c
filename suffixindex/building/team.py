"""Who reads and encodes: threads of this process, and where there is enough to do, processes of their own.

Parsing and what goes before and after an engine hold Python's interpreter, so threads share one core and a half. Where there is
much to encode, a process reads and unpacks the files, others parse, encode and write, and this one tells them the places of their
documents. Documents do not depend on who encodes them.
"""

import pickle
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain, compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.writer import Place, ShardFiles, too_long
from suffixindex.corpus.readers import RawRecords, RecordOptions, parse, read_records
from suffixindex.corpus.sources import Source
from suffixindex.errors import BuildError
from suffixindex.remote.urls import name_in
from suffixindex.system.child import Later
from suffixindex.system.parallel import in_order
from suffixindex.system.pipeline import POSSIBLE, Made, Pipeline
from suffixindex.tokenizers.encoders import Encoder, stored_encoder

BATCH_BYTES = 1 << 20
LARGE_BATCH_BYTES = 1 << 21  # of processes, which hand them over by pipes; what is larger leaves the cache on the way
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


class Work(NamedTuple):
    """What is done with raw records: of which sources, how they are read, and the shards that they are written into."""

    sources: Sequence[Source]
    options: RecordOptions
    folder: Path
    token_type: str
    capacity: int


class Batch(NamedTuple):
    """Encoded records that wait for their places. The rest of them is with whom encoded them."""

    lengths: NDArray[np.int64]
    """Tokens of each document, its separator not counted."""
    line_bytes: NDArray[np.int64] | None
    """Bytes of each document's line of metadata."""
    unnumbered: Any
    skipped: Counter[str]
    text_bytes: int
    last: RawRecords
    """The last of the raw records, without its payload."""


Told = tuple[Any, list[Place]]
"""What :meth:`Encoder.number` said of a batch, and the places of its documents."""


class Team:
    """Threads, or processes: they encode batches, and write each when it is told its places.

    Memory: about ``LOOKAHEAD`` batches for each, a few times their text, and what a process takes anyway.
    """

    def __init__(self, threads: int, spread: Spread | None = None) -> None:
        self._threads = threads
        self._spread = spread if spread is not None and spread.processes > 1 and POSSIBLE else None
        self._tell: Callable[[Told], None] = _nobody
        self._settle: Callable[[], None] = lambda: None
        self.peak_memory_bytes = 0
        """Of its processes together, when they are done."""

    def encode(
        self, work: Work, encoder: Encoder, start: tuple[int, int], places: Sequence[Source] | None = None
    ) -> Generator[Batch, None, None]:
        """Everything from record ``start`` on, in order; each batch is to be answered by :meth:`write` before the next is taken.

        See :func:`suffixindex.building.encode.encode_corpus`.
        """
        seen = places or work.sources
        may_spread = self._spread is not None and encoder.spread
        size = _text_bytes(seen[start[0] :])
        much = self._as_utf8(work, encoder, max(size, MUCH_BYTES))
        if size >= MUCH_BYTES:
            work = much
            if may_spread:
                yield from self._by_processes(Made(make_reading, (seen, start, work.options.record_bytes)), work, encoder)
                return
        batches = _batches(read_records(seen, start, work.options.record_bytes), BATCH_BYTES)
        yield from self._by_threads(_first(batches, MUCH_BYTES) if may_spread else batches, work, encoder)
        if may_spread and (following := next(batches, None)) is not None:  # more than was thought, or nobody knew
            yield from self._by_processes(map(_all_sealed, chain([following], batches)), much, encoder)

    def _as_utf8(self, work: Work, encoder: Encoder, size: int) -> Work:
        """The same of so much text: as UTF-8 where each process has enough of it."""
        processes = self._spread.processes if self._spread is not None else 1
        return work._replace(options=replace(work.options, utf8=size >= encoder.utf8_from * processes))

    def write(self, numbers: Any, places: list[Place]) -> None:
        """Have the batch that was taken last written to its places."""
        self._tell((numbers, places))

    def settle(self) -> None:
        """Wait until all is written."""
        self._settle()

    def _by_threads(self, batches: Iterator[list[RawRecords]], work: Work, encoder: Encoder) -> Generator[Batch, None, None]:
        threads = self._threads if encoder.parallel else 1
        writing: deque[Future[None]] = deque()

        def settle(at_most: int = 0) -> None:
            while len(writing) > at_most:
                writing.popleft().result()

        self._settle = settle
        with (
            closing(ShardFiles(work.folder, work.token_type)) as files,
            _switching_often(),
            ThreadPoolExecutor(threads, "encode") as pool,
            ThreadPoolExecutor(1, "write") as writer,
        ):
            for batch, finish in in_order(pool, encoding(encoder, work, files), batches, LOOKAHEAD * threads):

                def tell(told: Told, finish: Callable[[Told], None] = finish) -> None:
                    settle(1)
                    writing.append(writer.submit(finish, told))

                self._tell = tell
                yield batch
            settle()

    def _by_processes(
        self, reading: Made | Iterator[list[RawRecords]], work: Work, encoder: Encoder
    ) -> Generator[Batch, None, None]:
        assert self._spread is not None
        index = self._spread.folder.absolute()
        arguments = dict(encoder.entry), index, self._spread.engine, work._replace(folder=work.folder.absolute())
        with Pipeline(reading, Made(make_encoding, arguments), self._spread.processes, ONE_THREAD) as pipeline:
            self._tell, self._settle = pipeline.reply, pipeline.settle
            yield from pipeline.results()
            self.peak_memory_bytes = pipeline.peak_memory_bytes


def make_encoding(entry: dict[str, Any], index: Path, engine: str | None, work: Work) -> Callable[[list[RawRecords]], Later]:
    """What an encoding process does with a batch."""
    encoder = stored_encoder(entry, index, engine)
    encoder.remember()
    return encoding(encoder, work, ShardFiles(work.folder, work.token_type))


def encoding(encoder: Encoder, work: Work, files: ShardFiles) -> Callable[[list[RawRecords]], Later]:
    """What is done with a batch of raw records: parsed and encoded, and when its places are known, written."""

    def encode(pieces: list[RawRecords]) -> Later:
        documents = parse(pieces, work.sources, work.options)
        encoded = encoder.encode(documents.texts)
        lengths, metadata, skipped = encoded.lengths, documents.metadata, documents.skipped
        fits = lengths < work.capacity
        if not fits.all():
            if work.options.on_error != "skip":
                first = int(np.argmin(fits))
                advice = ", or pass over it with --on-error skip"
                raise BuildError(too_long(int(lengths[first]), work.capacity, metadata[first] if metadata else b"", advice))
            skipped = skipped + Counter({"longer than a shard": int(np.count_nonzero(~fits))})
            metadata = list(compress(metadata, fits))

        def finish(told: Told) -> None:
            numbers, places = told
            tokens = encoded.tokens(numbers)
            if not fits.all():
                tokens = tokens[np.repeat(fits, lengths + 1)]
            files.write(places, tokens, lengths[fits], metadata)

        line_bytes = np.array([len(line) for line in metadata], np.int64) if metadata else None
        size = sum(piece.num_bytes for piece in pieces)
        last = pieces[-1]._replace(payload=None)
        return Later(Batch(lengths[fits], line_bytes, encoded.unnumbered, skipped, size, last), finish)

    return encode


def make_reading(sources: Sequence[Source], start: tuple[int, int], limit: int) -> Iterator[list[RawRecords]]:
    """What the reading process makes: batches of raw records, as they go through a pipe."""
    return map(_all_sealed, _batches(read_records(sources, start, limit), LARGE_BATCH_BYTES))


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


def _first(batches: Iterator[list[RawRecords]], size: int) -> Iterator[list[RawRecords]]:
    """The batches that hold the next ``size`` bytes of text; the iterator stays at the one behind."""
    while size > 0 and (batch := next(batches, None)) is not None:
        yield batch
        size -= sum(piece.num_bytes for piece in batch)


def _all_sealed(batch: list[RawRecords]) -> list[RawRecords]:
    """Raw records as they go through a pipe."""
    return [_sealed(piece) for piece in batch]


def _sealed(piece: RawRecords) -> RawRecords:
    """Bytes beside the pickle."""
    if isinstance(piece.payload, bytes):
        return piece._replace(payload=pickle.PickleBuffer(piece.payload))
    return piece


def _nobody(told: Told) -> None:
    raise ValueError("no batch was taken")


def _text_bytes(sources: Sequence[Source]) -> int:
    """About how much text there is, as far as sizes are known."""
    packed = (".gz", ".zst", ".bz2", ".xz", ".parquet", ".zip")
    return sum((source.bytes or 0) * (PACKED if name_in(source.path).endswith(packed) else 1) for source in sources)


@contextmanager
def _switching_often() -> Iterator[None]:
    """Let threads hand the interpreter over every ``SWITCH_SECONDS``; here reading, parsing and writing share it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
