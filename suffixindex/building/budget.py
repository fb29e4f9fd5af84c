"""What a build will cost: the size of its shards under a memory budget, and an estimate from a sample before a long one."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from math import ceil, log10
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from suffixindex.building.team import MUCH_BYTES, START_SECONDS
from suffixindex.corpus.readers import RawRecords, RecordOptions, parse, read_records
from suffixindex.corpus.sources import Source
from suffixindex.errors import BuildError, CorpusError
from suffixindex.gpu_sort.device import CPU, HOST_BYTES, shards_planned
from suffixindex.storage.format import TOKEN_TYPES, separator_of
from suffixindex.storage.tables import TABLE_BYTES
from suffixindex.suffix_sort.devices import COMPILING_TOKENS, suffix_array
from suffixindex.system.memory import MAX_TOKENS, parse_count, parse_size, sort_bytes_per_token, total_memory
from suffixindex.tokenizers.encoders import Encoded, Encoder

if TYPE_CHECKING:
    from suffixindex.suffix_sort.sort import SortConfig

FIXED_BYTES = 360 << 20  # interpreter, compiled kernels, a tokenizer, the sort's tables
THREAD_BYTES = 60 << 20  # the sort's scratch, or batches under way
PROCESS_BYTES = 400 << 20  # of one that encodes: interpreter, tokenizer, the words that its engine has seen, batches
SMALLEST_SHARD = 1 << 20
SMALLEST_RECORD = 16 << 20
SAMPLED_PLACES = 16
SAMPLE_BYTES = 32 << 20
GROWTH_PER_DECADE = 0.3  # a token's share of a sort ten times as long: measured, benchmarks/README.md


def bytes_per_token(token_type: str, at_once: int = 1) -> float:
    """Peak memory of a build for each token of its largest shard: the sort's, and the mapped tokens'.

    Where GPUs sort, ``at_once`` shards are under way, of which the host holds the tokens and the suffix array.
    """
    dtype = TOKEN_TYPES[token_type]
    return max(sort_bytes_per_token(dtype) + dtype.itemsize, at_once * (4 + dtype.itemsize) if at_once > 1 else 0)


def fixed_bytes(threads: int, at_once: int = 1) -> int:
    """Memory of a build that does not grow with its shards."""
    return FIXED_BYTES + THREAD_BYTES * threads + (HOST_BYTES if at_once > 1 else 0)


def shard_capacity(
    memory: str | int | None, shard_tokens: str | int | None, token_type: str, threads: int, device: str = CPU
) -> int:
    """Tokens and separators that a shard may hold; by default half of what memory there is sets it.

    Raises
    ------
    BuildError
        A size does not parse, both are given, or the budget is too small to build anything.
    """
    if memory is not None and shard_tokens is not None:
        raise BuildError("memory and shard_tokens both set the size of the shards: give one")
    if shard_tokens is not None:
        return min(parse_count(shard_tokens), MAX_TOKENS)
    budget = parse_size(memory) if memory is not None else total_memory() // 2
    at_once = shards_planned(device)
    fixed, each = fixed_bytes(threads, at_once), bytes_per_token(token_type, at_once)
    capacity = int((budget - fixed) / each)
    if capacity < SMALLEST_SHARD:
        least = fixed + ceil(SMALLEST_SHARD * each)
        raise BuildError(
            f"{budget / 2**20:,.0f} MiB of memory are too little for a build: give it {least / 2**20:,.0f} MiB or more"
        )
    return min(capacity, MAX_TOKENS)


def encoding_processes(memory: str | int | None, threads: int) -> int:
    """In how many processes a corpus is encoded: one for each thread, or as many as the budget allows; 1 is this one alone."""
    budget = parse_size(memory) if memory is not None else total_memory() // 2
    return max(1, min(threads, (budget - fixed_bytes(1)) // PROCESS_BYTES - 1))


def record_bytes(memory: str | int | None) -> int:
    """The largest record that a build takes: read, parsed and encoded it takes some eight times its size."""
    budget = parse_size(memory) if memory is not None else total_memory() // 2
    return max(SMALLEST_RECORD, budget // 8)


class BuildEstimate(NamedTuple):
    """What a build would make and cost, extrapolated from ``sampled_bytes`` of its text."""

    num_sources: int
    num_documents: int
    num_tokens: int
    num_shards: int
    num_bytes: int
    peak_memory_bytes: int
    seconds: dict[str, float]
    text_bytes: int
    sampled_bytes: int
    formats: Mapping[str, int] = {}
    """Files of each kind."""
    sampled_documents: int = 0
    sampled_empty_documents: int = 0
    sampled_skipped: Mapping[str, int] = {}
    """Bad records of the sample that ``on_error="skip"`` passes over, by reason."""


def estimate(
    sources: Sequence[Source], encoder: Encoder, options: RecordOptions, capacity: int, threads: int, processes: int = 1
) -> BuildEstimate:
    """Encode and sort text from up to 16 places of the corpus, and extrapolate by their share of its bytes.

    Writes nothing. The time is that of this machine as busy as it is now; kernels are compiled before it is taken.

    Raises
    ------
    CorpusError
        A source has no size (standard input, a Hugging Face dataset), or there is nothing in the sample.
    """
    if any(source.bytes is None for source in sources):
        raise CorpusError("a dry run needs inputs of known size, files: standard input and datasets have none, nor do some URLs")
    pieces, read = _sample(sources, options.record_bytes)
    if not pieces:
        raise CorpusError(f"the corpus is empty: {len(sources)} inputs hold no text")

    skipped: Counter[str] = Counter()

    def encode(piece: RawRecords) -> tuple[Encoded, int]:
        documents = parse([piece], sources, options)
        skipped.update(documents.skipped)
        return encoder.encode(documents.texts), sum(map(len, documents.metadata))

    encode(pieces[0])
    skipped.clear()
    started, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        encoded = list(pool.map(encode, pieces))
    tokens = np.concatenate([part.tokens(encoder.number(part.unnumbered)) for part, _ in encoded])
    encode_seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    documents = sum(len(part.lengths) for part, _ in encoded)
    separator = separator_of(encoder.token_type)
    text_bytes = sum(piece.num_bytes for piece in pieces)
    scale = max(sum(source.bytes or 0 for source in sources) / max(read, 1), 1.0)
    config: SortConfig | None = None
    if len(tokens) * scale > COMPILING_TOKENS:  # else as the build will do it, which does not wait for a compiler
        from suffixindex.suffix_sort.sort import DEFAULT_CONFIG

        config = DEFAULT_CONFIG
        suffix_array(tokens[:1000], separator=separator, threads=threads, config=config)  # compiles
    started = time.perf_counter()
    suffix_array(tokens, separator=separator, threads=threads, config=config)
    sort_seconds = time.perf_counter() - started
    if encoder.spread and text_bytes * scale >= MUCH_BYTES:  # processes will do it, which share no interpreter
        encode_seconds = min(encode_seconds, cpu / processes + START_SECONDS / scale)
    length = len(tokens)
    shards = ceil(length * scale / capacity)
    growth = 1 + GROWTH_PER_DECADE * max(0.0, log10(length * scale / shards / len(tokens)))
    width = TOKEN_TYPES[encoder.token_type].itemsize
    metadata = sum(size for _, size in encoded) + 8 * documents if options.keep_metadata else 0
    return BuildEstimate(
        num_sources=len(sources),
        num_documents=round(documents * scale),
        num_tokens=round((length - documents) * scale),
        num_shards=shards,
        num_bytes=round(scale * (length * (width + 4 + TABLE_BYTES) + 8 * documents + metadata)),
        peak_memory_bytes=round(fixed_bytes(threads) + length * scale / shards * bytes_per_token(encoder.token_type)),
        seconds={"encode": encode_seconds * scale, "sort": sort_seconds * scale * growth},
        text_bytes=round(text_bytes * scale),
        sampled_bytes=text_bytes,
        formats=dict(Counter(source.kind for source in sources)),
        sampled_documents=documents,
        sampled_empty_documents=sum(int(np.count_nonzero(part.lengths == 0)) for part, _ in encoded),
        sampled_skipped=dict(skipped),
    )


def _sample(sources: Sequence[Source], limit: int) -> tuple[list[RawRecords], int]:
    """Pieces from places spread evenly over the corpus, and how many bytes of its files they stand for."""
    ends = np.cumsum([source.bytes or 0 for source in sources])
    places = np.linspace(0, ends[-1], SAMPLED_PLACES, endpoint=False)
    starts = np.unique(np.searchsorted(ends, places, side="right")).tolist()
    pieces: list[RawRecords] = []
    read = 0
    for start, stop in pairwise([*starts, len(sources)]):
        size = 0
        consumed = {start: 0}
        for piece in read_records(sources[:stop], (start, 0), limit):
            pieces.append(piece)
            size += piece.num_bytes
            consumed[piece.source] = piece.consumed
            if size >= SAMPLE_BYTES // len(starts):
                break
        read += sum(consumed.values())
    return pieces, read
