"""The occurrences of a pattern in one shard: planned from one of its parts, the *pivot*, around whose occurrences the rest is read.

The pivot is the part that makes the least work, mostly the rarest. No other part's occurrences are listed, so that a pattern with a
rare part costs as much as that part occurs, however frequent the others are. Only where all parts are frequent and a gap is wide,
the occurrences of all are sorted and joined instead, which costs the same for a gap of any width.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import chain, islice, pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from suffixindex.ngrams import NgramBatch
from suffixindex.patterns import CheckedPattern, Ids
from suffixindex.storage.shard import Interval, Shard
from suffixindex.storage.sparse import merge_counts
from suffixindex.system.parallel import RANGES_PER_THREAD, split_range
from suffixindex.system.patience import can_wait, patient

BLOCK = 1 << 16
"""Occurrences of the pivot that a thread looks around at a time, at most;"""
SMALL_BLOCK = 1 << 15
"""and at least, where there are so many: handing over fewer takes as long."""
JOINED_AT_ONCE = 16
"""One in so many of these are joined at a time, since each may be near many of another part."""
READ, TRIED, SKIPPED, SORTED, JOINED = 10, 2, 3, 30, 60
"""What it costs, in ns: to read around an occurrence of the pivot, to try another start before it, to look past a token that a gap
may skip, to sort an occurrence, and to look up which ones of another part are near it."""

Found = TypeVar("Found")
Mask = NDArray[np.bool_]
NONE = np.empty(0, np.int64)


class Stretches(NamedTuple):
    """Occurrences of a pattern: where the first token of each is stored, and how many tokens it has."""

    positions: NDArray[np.unsignedinteger[Any]]
    lengths: NDArray[np.int32]


class Plan(NamedTuple):
    """The pivot of a pattern in one shard, and how far before it an occurrence starts, in the order of ``tokens``."""

    pattern: CheckedPattern
    """As it lies in ``tokens``."""
    part: int
    """The number of the pivot; that of no part where there are holes alone: then any token is one."""
    intervals: list[Interval]
    """Distinct ones."""
    nearest: int
    farthest: int
    joining: int | None = None
    """What it costs, in ns, to join the occurrences of all parts, if they are joined; then the pivot is the first part."""

    @property
    def size(self) -> int:
        """Occurrences of the pivot."""
        return sum(high - low for low, high in self.intervals)


def plan(shard: Shard, pattern: CheckedPattern) -> Plan:
    """Choose the pivot. A search for each n-gram of the pattern."""
    stored = pattern.reversed() if shard.mirrored else pattern
    if not pattern.parts:  # holes alone: from every token on
        return Plan(stored, 0, [shard.interval(NONE)], 0, 0)
    plans: list[Plan] = []
    nearest = farthest = 0
    for part, of_text, (least, most) in zip(stored.parts, _in_text(shard, stored), stored.holes, strict=False):
        nearest, farthest = nearest + least, farthest + most
        intervals = _distinct([shard.interval(np.array(ids, np.int64)) for ids in of_text])
        plans.append(Plan(stored, len(plans), intervals, nearest, farthest))
        nearest, farthest = nearest + min(map(len, part)), farthest + max(map(len, part))
    best = min(plans, key=_cost)
    if len(plans) > 1 and stored.holes[0] == stored.holes[-1] == (0, 0):
        sizes = [one.size for one in plans]
        joining = SORTED * sum(sizes) + JOINED * sizes[0] * (len(sizes) - 1)
        near = 1 + _spread(pattern) * max(sizes) / shard.length  # of another part, that an occurrence is joined with
        if (min(sizes) and joining < _cost(best)) or can_wait(int(joining * near)):
            return plans[0]._replace(joining=int(joining * near))
    return best


def _in_text(shard: Shard, stored: CheckedPattern) -> Sequence[Any]:
    """The parts in the order of the text in which each of its n-grams is searched."""
    return [[ids[::-1] for ids in part] for part in stored.parts] if shard.mirrored else stored.parts


def _cost(of: Plan) -> float:
    slack = of.farthest - of.nearest
    return of.size * (READ + SKIPPED * _spread(of.pattern) + TRIED * slack + SORTED * (slack > 0))


def _spread(pattern: CheckedPattern) -> int:
    """Tokens by which the occurrences of a pattern differ in length, for its gaps."""
    return sum(most - least for least, most in pattern.holes)


def _distinct(intervals: Sequence[Interval]) -> list[Interval]:
    """Those that lie in no other: the n-grams of one position are beginnings of each other."""
    found: list[Interval] = []
    for low, high in sorted(intervals, key=lambda interval: (interval[0], -interval[1])):
        if low < high and (not found or low >= found[-1][1]):
            found.append((low, high))
    return found


def work(shard: Shard, pattern: CheckedPattern) -> int:
    """Places at which a part of a pattern is looked for in a shard: the pivot's, times those that its gaps leave open."""
    return plan(shard, pattern).size * (1 + _spread(pattern))


# ---- answers -----------------------------------------------------------------------------------------------------


def count(shard: Shard, pattern: CheckedPattern, mask: Mask | None, pool: Executor) -> int:
    """Occurrences of a pattern in a shard, or in those of its documents that a mask chooses."""
    if mask is not None:
        return len(find(shard, pattern, mask, pool).positions)
    fill, blocks = _search(shard, pattern)
    return sum(_over(pool, partial(_count, shard, fill), blocks))


def find(shard: Shard, pattern: CheckedPattern, mask: Mask | None, pool: Executor) -> Stretches:
    """All of them, in no order: 8 bytes each, or 12 in a shard of more than 2**32 tokens."""
    fill, blocks = _search(shard, pattern)
    found = list(_over(pool, partial(_list, shard, fill), blocks))
    positions = np.concatenate([np.empty(0, shard.position_type), *(positions for positions, _ in found)])
    lengths = np.concatenate([np.empty(0, np.int32), *(lengths for _, lengths in found)])
    if mask is None:
        return Stretches(positions, lengths)
    kept = mask[shard.documents_at(positions)]
    return Stretches(positions[kept], lengths[kept])


def find_starts(shard: Shard, pattern: CheckedPattern, mask: Mask | None, pool: Executor) -> NDArray[np.unsignedinteger[Any]]:
    """The positions alone, those of one start mostly once: which documents hold a pattern does not depend on how often."""
    fill, blocks = _search(shard, pattern)
    found = _over(pool, lambda block: np.unique(_list(shard, fill, block).positions), blocks)
    positions = np.concatenate([np.empty(0, shard.position_type), *found])
    return positions if mask is None else positions[mask[shard.documents_at(positions)]]


def find_ordered(
    shard: Shard, pattern: CheckedPattern, mask: Mask | None, pool: Executor
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(starts, lengths) of all of them, by start, then by length: ``int64`` positions of the text."""
    found = find(shard, pattern, mask, pool)
    starts, lengths = shard.text_starts(found.positions, 1).astype(np.int64), found.lengths.astype(np.int64)
    order = np.lexsort((lengths, starts))
    return starts[order], lengths[order]


def next_tokens(
    shard: Shard, pattern: CheckedPattern, mask: Mask | None, pool: Executor
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ids ascending, counts) of what follows the occurrences of a pattern in a shard."""
    if mask is None:
        fill, blocks = _search(shard, pattern)
        parts = list(_over(pool, partial(_following, shard, fill), blocks))
    else:
        found = find(shard, pattern, mask, pool)
        positions = found.positions.astype(np.int64)
        places = positions - found.lengths if shard.mirrored else positions + found.lengths
        parts = [np.unique(_tokens_at(shard, places), return_counts=True)]
    ids, counts = merge_counts([NONE, *(ids.astype(np.int64) for ids, _ in parts)], [NONE, *(counts for _, counts in parts)])
    shard.check_ids(ids)
    return ids, counts


def _tokens_at(shard: Shard, places: NDArray[np.int64]) -> NDArray[Any]:
    if len(places) and int(places.max()) >= len(shard.tokens):
        raise shard.damage()
    found: NDArray[Any] = shard.tokens[places]
    return found


def with_patterns(
    ranked: Shard,
    whole: Shard,
    queries: NgramBatch,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    mask: Mask | None,
    pool: Executor,
    each: bool,
) -> tuple[Shard, NDArray[np.int64], NDArray[np.int64]]:
    """A shard of the occurrences of n-grams and patterns alone, and the ranks of each there: patterns are then as n-grams.

    ``low`` and ``high`` are the ranks of the n-grams in ``ranked``; the patterns are looked for in the ``whole`` shard. Without
    ``each``, occurrences of one start may be one. 4 bytes an occurrence, of n-grams too.
    """
    patterns = dict(queries.patterns)

    def listed(pattern: CheckedPattern) -> NDArray[Any]:
        return find(whole, pattern, mask, pool).positions if each else find_starts(whole, pattern, mask, pool)

    columns: list[NDArray[Any]] = [
        listed(patterns[place]) if place in patterns else ranked.positions_at(int(first), int(last))
        for place, (first, last) in enumerate(zip(low, high, strict=True))
    ]
    ends = np.cumsum([0, *map(len, columns)])
    positions = np.concatenate([np.empty(0, whole.position_type), *columns]).astype(whole.position_type, copy=False)
    positions.flags.writeable = False  # as a mapped suffix array, for which the kernels are compiled
    return whole.over(positions), ends[:-1], ends[1:]


# ---- around the pivot ----------------------------------------------------------------------------------------------


class Block(NamedTuple):
    """Some occurrences of the pivot, ``pivots[first:last]``; starts up to ``after`` were tried with those before them."""

    pivots: Any
    first: int
    last: int
    after: int


Fill = Callable[[Block, NDArray[Any], NDArray[np.int32], NDArray[Any]], int]
"""Fills starts, lengths and the tokens that follow with what a block finds, as far as each has room; returns how many there are."""


def _over(pool: Executor, work: Callable[[Block], Found], blocks: Iterator[Block]) -> Iterable[Found]:
    """What is done with each block, by threads where there are several: handing one over costs a tenth of a millisecond."""
    first = list(islice(blocks, 2))
    return pool.map(work, chain(first, blocks)) if len(first) > 1 else map(work, first)


def _blocks(shard: Shard, of: Plan) -> Iterator[Block]:
    """The occurrences of the pivot; in ascending order where several starts before each are tried."""
    if not of.size:
        return
    size = min(max(of.size // RANGES_PER_THREAD, SMALL_BLOCK), BLOCK)
    if of.nearest == of.farthest:
        for low, high in of.intervals:
            for first, last in split_range(high - low, -(-(high - low) // size)):
                yield Block(shard.suffix_array, low + first, low + last, -1)
        return
    listed = [np.empty(0, shard.position_type), *(shard.positions_at(low, high) for low, high in of.intervals)]
    pivots = np.sort(np.concatenate(listed).astype(shard.position_type, copy=False))
    pivots.flags.writeable = False
    for first, last in split_range(len(pivots), -(-len(pivots) // size)):
        after = int(pivots[first - 1]) - of.nearest if first else -1
        yield Block(pivots, first, last, after)


def _search(shard: Shard, pattern: CheckedPattern) -> tuple[Fill, Iterator[Block]]:
    """How a pattern is looked for, and around what."""
    of = plan(shard, pattern)
    if of.joining is not None:
        patient(of.joining)
        return _join(shard, of.pattern)
    rigid = all(len(part) == 1 for part in of.pattern.parts) and all(least == most for least, most in of.pattern.holes)
    return _fill_rigid(shard, of) if rigid else _fill_elastic(shard, of), _blocks(shard, of)


def _fill_rigid(shard: Shard, of: Plan) -> Fill:
    """Of a pattern of one length: a row of tokens, any where it is negative."""
    from suffixindex.kernels.patterns import find_rigid

    row: list[int] = []
    known = range(0)
    for number, (_, size) in enumerate(of.pattern.holes):
        row += [-1] * size
        if number < len(of.pattern.parts):
            (ids,) = of.pattern.parts[number]
            if number == of.part:
                known = range(len(row), len(row) + len(ids))
            row += ids
    places = [place for place in range(len(row)) if place not in known]
    offsets = np.array(sorted(places, key=lambda place: row[place] < 0), np.int64)  # what is rarely there first
    wanted = np.array(row, np.int64)[offsets]

    def fill(block: Block, starts: NDArray[Any], lengths: NDArray[np.int32], nexts: NDArray[Any]) -> int:
        asked = (block.pivots, block.first, block.last, of.nearest, len(row), offsets, wanted, not shard.mirrored, starts, nexts)
        found: int = shard.run(find_rigid, shard.tokens, shard.separator, *asked)
        lengths[:] = len(row)
        return found

    return fill


def _fill_elastic(shard: Shard, of: Plan) -> Fill:
    from suffixindex.kernels.patterns import Holed, find_stretches

    parts = of.pattern.parts
    if of.pattern.holes[-1] != (0, 0):
        parts = (*parts, ((),))  # a hole is before a part
    ngrams = [ids for part in parts for ids in part]
    bounds = np.cumsum([0, *map(len, ngrams)])
    least, most = np.array(of.pattern.holes[: len(parts)], np.int64).T.copy()
    ids = np.array([token for ngram in ngrams for token in ngram], np.int64)
    pattern = Holed(least, most, np.cumsum([0, *map(len, parts)]), bounds[:-1], bounds[1:], ids)

    def fill(block: Block, starts: NDArray[Any], lengths: NDArray[np.int32], nexts: NDArray[Any]) -> int:
        reached = np.zeros((2, of.pattern.longest + 1), bool)
        pivots = (block.pivots, block.first, block.last, of.nearest, of.farthest, block.after)
        filled = (reached, not shard.mirrored, starts, lengths, nexts)
        found: int = shard.run(find_stretches, shard.tokens, shard.separator, *pivots, pattern, *filled)
        return found

    return fill


class Listed(NamedTuple):
    """The occurrences of a part as it lies in ``tokens``, by start, then by end."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


def _listed(shard: Shard, part: Sequence[Ids]) -> Listed:
    found = []
    for ids in part:
        low, high = shard.interval(np.array(ids[::-1] if shard.mirrored else ids, np.int64))
        starts = np.sort(shard.positions_at(low, high)).astype(np.int64)
        found.append(Listed(starts, starts + len(ids)))
    if len(found) == 1:
        return found[0]
    starts, ends = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((ends, starts))
    return Listed(starts[order], ends[order])


def _join(shard: Shard, pattern: CheckedPattern) -> tuple[Fill, Iterator[Block]]:
    """To the occurrences of the first part those of the next are joined that its gap reaches, and so on."""
    first, *others = [_listed(shard, part) for part in pattern.parts]
    once = len(others) == 1 and all(len(part) == 1 for part in pattern.parts)  # no stretch is found twice

    def fill(block: Block, starts: NDArray[Any], lengths: NDArray[np.int32], nexts: NDArray[Any]) -> int:
        begins, ends = first.starts[block.first : block.last], first.ends[block.first : block.last]
        limits = shard.document_offsets[shard.documents_at(begins) + 1].astype(np.int64)
        for (least, most), other in zip(pattern.holes[1:], others, strict=False):
            low = np.searchsorted(other.starts, ends + least)
            sizes = np.maximum(np.searchsorted(other.starts, np.minimum(ends + most + 1, limits)) - low, 0)
            stops = np.cumsum(sizes)
            if once and int(stops[-1]) > max(len(starts), len(nexts)):
                return int(stops[-1])
            ends = other.ends[np.repeat(low - stops + sizes, sizes) + np.arange(int(stops[-1]))]
            begins, limits = np.repeat(begins, sizes), np.repeat(limits, sizes)
            if not len(begins):
                return 0
            if not once:
                _, kept = np.unique(begins * (pattern.longest + 1) + ends - begins, return_index=True)
                begins, limits, ends = begins[kept], limits[kept], ends[kept]
        room = slice(len(starts))
        starts[: len(begins)], lengths[: len(begins)] = begins[room], (ends - begins)[room]
        followers = (begins - 1 if shard.mirrored else ends)[: len(nexts)]
        nexts[: len(begins)] = _tokens_at(shard, followers)
        return len(begins)

    edges = np.append(
        np.flatnonzero(np.diff(first.starts, prepend=-1))[:: max(BLOCK // JOINED_AT_ONCE, 1)], len(first.starts)
    ).tolist()
    return fill, (Block(None, low, high, -1) for low, high in pairwise(edges))


def _count(shard: Shard, fill: Fill, block: Block) -> int:
    return fill(block, np.empty(0, shard.position_type), np.empty(0, np.int32), np.empty(0, shard.tokens.dtype))


def _list(shard: Shard, fill: Fill, block: Block) -> Stretches:
    size, found = 0, block.last - block.first
    while found > size:
        size = found
        starts, lengths = np.empty(size, shard.position_type), np.empty(size, np.int32)
        found = fill(block, starts, lengths, np.empty(0, shard.tokens.dtype))
    starts, lengths = starts[:found], lengths[:found]
    if shard.mirrored:
        starts = (starts + (lengths - 1).astype(shard.position_type)).astype(shard.position_type)
    return Stretches(starts, lengths)


def _following(shard: Shard, fill: Fill, block: Block) -> tuple[NDArray[Any], NDArray[np.int64]]:
    size, found = 0, block.last - block.first
    while found > size:
        size = found
        nexts = np.empty(size, shard.tokens.dtype)
        found = fill(block, np.empty(0, shard.position_type), np.empty(0, np.int32), nexts)
    return np.unique(nexts[:found], return_counts=True)
