"""Suffix arrays of token arrays."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels import sort_codes, sort_cover, sort_partitions
from suffixindex.kernels.sort_text import END_PADDING, RankedText

MAX_TOKENS = 2**32 - 2


@dataclass(frozen=True)
class SortConfig:
    """Sizes of the suffix sort; tests shrink them to take every path on small inputs."""

    partition_size: int = 1 << 16
    max_partition_bits: int = 16
    max_partition: int = 1 << 20  # a larger partition is sorted in place
    key_bits: int = 39
    depth_limit: int = sort_cover.MODULUS
    group_limit: int = 1 << 13
    rounds: int | None = None
    max_buckets: int = 1 << 20


DEFAULT = SortConfig()


def sort_bytes_per_token(dtype: Any) -> float:
    return 12.0 if np.dtype(dtype).itemsize == 4 else 10.0


def suffix_array(
    tokens: NDArray[np.unsignedinteger[Any]],
    *,
    separator: int | None = None,
    threads: int | None = None,
    out: NDArray[np.uint32] | None = None,
    config: SortConfig = DEFAULT,
) -> NDArray[np.uint32]:
    size = len(tokens)
    if out is None:
        out = np.empty(size, np.uint32)
    if size == 0:
        return out
    threads = threads or len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool:
        Sort(tokens, separator, threads, out, config, pool).run()
    return out


class Sort:
    def __init__(self, tokens, separator, threads, out, config, pool):
        self.tokens, self.separator, self.threads, self.out, self.config, self.pool = tokens, separator, threads, out, config, pool
        self.size = len(tokens)
        self.blocks = blocks(self.size, threads)
        import time
        self.t = time.perf_counter(); self.times = {}

    def mark(self, name):
        import time
        t = time.perf_counter(); self.times[name] = self.times.get(name, 0) + t - self.t; self.t = t

    def each(self, call, work):
        return list(self.pool.map(lambda w: call(*w), work))

    def run(self):
        text = self.ranked_text()
        self.mark('rank')
        tied = np.zeros(self.size, np.uint8)
        left = self.sort_by_depth(text, tied)
        del text
        if left:
            self.sort_tied(tied)
        if os.environ.get('SORT_TIMES'):
            print({k: round(v, 3) for k, v in self.times.items()}, 'left', round(left / self.size, 4))

    def ranked_text(self):
        tokens, separator = self.tokens, self.separator
        if tokens.dtype.itemsize == 4 and separator is not None:
            inner = tokens[tokens != separator]
            least = int(inner.max()) + 1 if len(inner) else 0
            self.tokens = tokens = np.where(tokens == separator, np.uint32(least), tokens)
            self.separator = separator = least
        largest = int(tokens.max())
        if separator is not None and largest > separator:
            raise ValueError(f"the separator {separator} is smaller than the id {largest}")
        width = largest + 1
        counts = np.zeros((self.threads, width), np.int64)
        self.each(lambda k, b: sort_codes.count_tokens(tokens, b[0], b[1], counts[k]), enumerate(self.blocks))
        counts = counts.sum(0)
        present = np.flatnonzero(counts)
        rank_dtype = np.uint8 if len(present) < 256 else np.uint16 if len(present) < 65536 else np.uint32
        rank_of = np.zeros(width, rank_dtype)
        rank_of[present] = np.arange(1, len(present) + 1)
        ranks = np.zeros(self.size + END_PADDING, rank_dtype)
        self.each(lambda b: sort_codes.rank_tokens(tokens, b[0], b[1], rank_of, ranks), [(b,) for b in self.blocks])
        weights = np.concatenate([[1], counts[present]])
        codes = np.empty(len(weights), np.uint64)
        sort_codes.alphabetic_code(weights, 0, codes)
        separator_rank = len(present) + 1
        if separator is not None and largest == separator:
            separator_rank = len(present)
            codes[separator_rank] = sort_codes.SEPARATOR_CODE
        lane_bits, lanes = {1: (8, 8), 2: (16, 4), 4: (21, 3)}[ranks.itemsize]
        ones = sum(1 << (lane_bits * k) for k in range(lanes))
        has = separator is not None and largest == separator
        return RankedText(ranks, separator_rank, lanes, lane_bits, np.uint64(separator_rank * ones if has else 0), np.uint64(ones), np.uint64((ones << (lane_bits - 1)) if has else 0), codes, 0)

    def sort_by_depth(self, text, tied):
        config = self.config
        bits = min(max(1, (self.size // config.partition_size).bit_length()), config.max_partition_bits)
        partitions = 1 << bits
        key_bits = min(config.key_bits, 64 - max(1, (self.size - 1).bit_length()), sort_codes.CODE_BITS - bits)
        counts = np.zeros((len(self.blocks), partitions), np.uint32)
        self.each(lambda k, b: sort_codes.count_partitions(text, b[0], b[1], bits, counts[k]), enumerate(self.blocks))
        self.mark('histogram')
        offsets = np.zeros(partitions + 1, np.int64)
        np.cumsum(counts.sum(0, dtype=np.int64), out=offsets[1:])
        ends = offsets[:-1] + np.cumsum(counts, axis=0, dtype=np.int64)
        rounds = config.rounds or (3 if self.size > 1 << 22 else 1)
        capacity = self.size // rounds + config.max_partition
        left = 0
        sizes = np.diff(offsets)
        large = np.flatnonzero(sizes > config.max_partition)
        records = np.empty(min(capacity, self.size), np.uint64)
        first = 0
        while first < partitions:
            if sizes[first] > config.max_partition:
                first += 1
                continue
            last = int(np.searchsorted(offsets, offsets[first] + capacity, side='right')) - 1
            for l in large:
                if first < l < last: last = int(l)
                break_ = l
            nxt = large[(large >= first)]
            if len(nxt): last = min(last, int(nxt[0]))
            cursors = ends - offsets[first]
            self.each(lambda k, b: sort_codes.scatter_records(text, b[0], b[1], bits, key_bits, first, last, cursors[k], records), enumerate(self.blocks))
            self.mark('scatter')
            target = (offsets[last] - offsets[first]) // (self.threads * 16) + 1
            cuts = np.unique(np.searchsorted(offsets, np.arange(offsets[first], offsets[last], target)).clip(first, last).tolist() + [first, last])
            def work(a, b):
                biggest = int(sizes[a:b].max())
                return sort_partitions.sort_partitions(text, config.depth_limit, bits, key_bits, a, b, offsets,
                    records[offsets[a] - offsets[first]:offsets[b] - offsets[first]], self.out, tied, self.scratch(biggest))
            left += sum(self.each(work, zip(cuts[:-1].tolist(), cuts[1:].tolist())))
            self.mark('partitions')
            first = last
        del records
        for l in large.tolist():
            self.each(lambda k, b: sort_codes.collect_partition(text, b[0], b[1], bits, l, int(ends[k, l]), self.out), enumerate(self.blocks))
        left += sum(self.each(lambda l: sort_partitions.sort_large_partition(text, config.depth_limit, bits, int(offsets[l]), int(sizes[l]), self.out, tied, self.scratch(1)), [(l,) for l in large.tolist()]))
        self.mark('large')
        return left

    def scratch(self, biggest):
        limit = self.config.group_limit
        return sort_partitions.Scratch(
            np.empty(biggest, np.uint64), np.empty((3, 8192), np.uint32), np.empty(biggest + 2, np.uint32),
            np.empty(limit, np.uint64), np.empty(limit, np.uint32), np.empty(limit, np.uint64), np.empty(limit, np.uint32),
            np.empty(32, np.uint64), np.empty(32, np.uint32), np.empty(40, np.uint8),
            np.empty((limit // 2 + 1, 2), np.int64), np.empty((limit // 2 + 256, 3), np.int64))

    def sort_tied(self, tied):
        size, out = self.size, self.out
        cuts = sorted({sort_cover.next_head(tied, size * k // (self.threads * 8)) for k in range(self.threads * 8)} | {size})
        units = list(zip(cuts[:-1], cuts[1:]))
        sample_ranks = np.zeros((size // 32 + 2) * sort_cover.COVER_SIZE, np.uint32)
        self.each(lambda lo, hi: sort_cover.rank_sample(out, tied, lo, hi, sample_ranks), units)
        self.mark('rank_sample')
        def sample(lo, hi):
            s = np.empty(hi - lo, np.uint32); st = np.empty(hi - lo, np.uint8)
            c = sort_cover.tied_sample(out, tied, lo, hi, s, st)
            return s[:c].copy(), st[:c].copy()
        samples = self.each(sample, units)
        self.mark('tied_sample')
        shift = self.config.depth_limit
        while any(len(s) for s, _ in samples):
            self.each(lambda s, st: sort_cover.sort_sample(s, st, shift, sample_ranks), samples)
            kept = self.each(lambda s, st: sort_cover.update_sample(s, st, sample_ranks), samples)
            samples = [(s[:k], st[:k]) for (s, st), k in zip(samples, kept)]
            shift *= 2
        self.mark('doubling')
        self.each(lambda lo, hi: sort_cover.sort_tied(out, tied, lo, hi, sample_ranks), units)
        self.mark('sort_tied')


def blocks(size, count):
    edges = [size * k // count for k in range(count + 1)]
    return list(zip(edges[:-1], edges[1:]))


def available_threads():
    return len(os.sched_getaffinity(0))


blocks_of = blocks
