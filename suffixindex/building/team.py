"""Who reads and encodes: threads of this process, and where there is enough to do, processes of their own.

Parsing and what goes before and after an engine hold Python's interpreter, so threads share one core and a half. Where there is
much to encode, a process loads what that takes, while threads begin; then it reads and unpacks the files, others that it forks
parse, encode and write, and this one tells them the places of their documents. Documents do not depend on who encodes them.
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
from suffixindex.corpus.lines import parse_json_utf8
from suffixindex.corpus.readers import RawRecords, RecordOptions, parse, read_records
from suffixindex.corpus.sources import Source
from suffixindex.errors import BuildError
from suffixindex.remote.urls import name_in
from suffixindex.system.parallel import in_order
from suffixindex.system.pipeline import POSSIBLE, Made, Pipeline
from suffixindex.system.worker import Later
from suffixindex.tokenizers.encoders import Encoder, stored_encoder

BATCH_BYTES = 1 << 20
LARGE_BATCH_BYTES = 1 << 21  # of processes, which hand them over by pipes; what is larger leaves the cache on the way
LOOKAHEAD = 2  # batches under way for each thread
SWITCH_SECONDS = 5e-4  # Python's own 5 ms are as long as a batch: whoever has read or written one would wait as long again
START_SECONDS = 1.0  # until processes encode
MUCH_BYTES = 1 << 28  # of text: processes take a second to start, in which threads encode up to half of this
PACKED = 4  # bytes of text that a byte of a packed file stands for, about
ONE_THREAD = {
    "FASTOKENS_BPE_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Of libraries in processes that encode: each has one, and as these are forked, none but the first may be there."""


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
    threads: int = 1
    """By which a document of many megabytes may be encoded."""


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
        work = work._replace(threads=self._threads)
        seen = places or work.sources
        size = _text_bytes(seen[start[0] :])
        batches = _batches(read_records(seen, start, work.options.record_bytes), BATCH_BYTES)
        much = work._replace(options=replace(work.options, utf8=max(size, MUCH_BYTES) >= encoder.utf8_from))
        if self._spread is None or not encoder.spread:
            yield from self._by_threads(batches, much if size >= MUCH_BYTES else work, encoder)
            return
        if size < MUCH_BYTES:
            yield from self._by_threads(_first(batches, MUCH_BYTES), work, encoder)
            if (following := next(batches, None)) is None:
                return
            batches = chain([following], batches)  # more than was thought, or nobody knew
        with self._pipeline(much, encoder, self._spread) as pipeline:
            yield from self._by_threads(_while(lambda: not pipeline.ready, batches), work, encoder)
            if (following := next(batches, None)) is None:
                return
            source: Made | Iterator[list[RawRecords]] = map(_all_sealed, chain([following], batches))
            if size >= MUCH_BYTES:
                source = Made(make_reading, (seen, (following[0].source, following[0].first), work.options.record_bytes))
            self._tell, self._settle = pipeline.reply, pipeline.settle
            yield from pipeline.results(source)
            self.peak_memory_bytes = pipeline.peak_memory_bytes

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

    def _pipeline(self, work: Work, encoder: Encoder, spread: Spread) -> Pipeline:
        arguments = dict(encoder.entry), spread.folder.absolute(), spread.engine, work._replace(folder=work.folder.absolute())
        return Pipeline(Made(make_encoding, arguments), spread.processes, ONE_THREAD)


def make_encoding(entry: dict[str, Any], index: Path, engine: str | None, work: Work) -> Callable[[list[RawRecords]], Later]:
    """What an encoding process does with a batch. All that this needs is loaded, for those that are forked of this process."""
    _load(stored_encoder(entry, index, engine), work.options)
    encoder = stored_encoder(entry, index, engine)
    encoder.remember()
    return encoding(encoder, work, ShardFiles(work.folder, work.token_type))


def _load(encoder: Encoder, options: RecordOptions) -> None:
    """Use everything once: the engine of a tokenizer, or compiled code."""
    if options.utf8:
        list(parse_json_utf8(b'{"text": "a"}', 0, "text"))
    encoder.remember()
    encoded = encoder.encode(["a"])
    encoded.tokens(encoder.number(encoded.unnumbered))


def encoding(encoder: Encoder, work: Work, files: ShardFiles) -> Callable[[list[RawRecords]], Later]:
    """What is done with a batch of raw records: parsed and encoded, and when its places are known, written."""
    encoder.threads = work.threads

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


def _while(going: Callable[[], bool], batches: Iterator[list[RawRecords]]) -> Iterator[list[RawRecords]]:
    """The batches that are taken as long as something goes on."""
    while going() and (batch := next(batches, None)) is not None:
        yield batch


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
