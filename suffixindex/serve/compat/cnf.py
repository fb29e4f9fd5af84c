"""Occurrences near each other, as infini-gram counts a CNF query, without what its engine does wrong.

Every occurrence of the rarest clause is a range ``[p, p]`` of positions. Each further clause, rarer ones first, has to lie near
it: ``a``, its last occurrence before the range's right end, makes the range begin at most ``max_diff`` earlier, or ``b``, its
first at or after the left end, makes it end at most ``max_diff`` later. The range grows on each side on which that is so, and is
dropped if it is on neither. Only occurrences in the same document are looked at (the engine takes those of the neighbouring
documents too, and then drops the range), and the rarest clause is that of the whole corpus, so that shards do not matter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suffixindex.index import SuffixIndex
from suffixindex.storage.shard import Shard

Terms = Sequence[NDArray[np.int64]]
"""The n-grams of a clause."""
BLOCK = 1 << 18
"""Ranges that grow at a time."""
SAMPLED = 2000
"""Occurrences from which a count is estimated where an exact one is too expensive."""


@dataclass(frozen=True)
class Found:
    """The ranges found, by their left ends in each shard; ``approx`` if they are those of a sample, and ``count`` an estimate."""

    count: int
    starts: list[NDArray[np.int64]]
    approx: bool


def occurrences(index: SuffixIndex, clauses: Sequence[Terms]) -> list[int]:
    """Of each clause, those of its terms added up."""
    return [sum(index.count(term) for term in clause) for clause in clauses]


def rarest_first(index: SuffixIndex, clauses: Sequence[Terms]) -> list[Terms]:
    counts = occurrences(index, clauses)
    return [clauses[number] for number in sorted(range(len(clauses)), key=lambda number: counts[number])]


def find(index: SuffixIndex, clauses: Sequence[Terms], max_diff: int, check: Callable[[], None]) -> Found:
    """All ranges, exactly. O(occurrences log occurrences) of all clauses; ``check()`` is called between blocks."""
    ordered = rarest_first(index, clauses)
    starts = [_find_in_shard(shard, ordered, max_diff, check) for shard in index.shards]
    return Found(sum(map(len, starts)), starts, False)


def _find_in_shard(shard: Shard, clauses: Sequence[Terms], max_diff: int, check: Callable[[], None]) -> NDArray[np.int64]:
    positions = []
    for clause in clauses:
        check()
        positions.append(_positions(shard, clause))
        if not len(positions[-1]):
            return np.empty(0, np.int64)
    rarest, *others = positions
    found = []
    for first in range(0, len(rarest), BLOCK):
        check()
        block = rarest[first : first + BLOCK]
        documents = shard.documents_at(block)
        begin = shard.document_offsets[documents].astype(np.int64)
        end = shard.document_offsets[documents + 1].astype(np.int64)
        found.append(grow(block, begin, end, others, max_diff))
    return np.concatenate(found)


def _positions(shard: Shard, clause: Terms) -> NDArray[np.int64]:
    """Ascending positions of a clause's terms; one that two terms have stands twice, as in the sum of their counts."""
    found = [shard.positions([shard.interval(term)], [len(term)]) for term in clause]
    return np.sort(np.concatenate(found)) if len(found) > 1 else found[0]


def grow(
    rarest: NDArray[np.int64],
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    others: Sequence[NDArray[np.int64]],
    max_diff: int,
) -> NDArray[np.int64]:
    """Left ends of the ranges that grow from some occurrences, in documents ``[begin, end)``, and have every other clause near."""
    left = right = rarest
    for positions in others:
        if not len(positions):
            return np.empty(0, np.int64)
        last = np.searchsorted(positions, right) - 1
        before = positions[np.maximum(last, 0)]
        lower = np.minimum(left, before)
        on_left = (last >= 0) & (before >= begin) & (lower + max_diff >= left)
        first = np.searchsorted(positions, left)
        after = positions[np.minimum(first, len(positions) - 1)]
        upper = np.maximum(right, after)
        on_right = (first < len(positions)) & (after < end) & (upper <= right + max_diff)
        left, right = np.where(on_left, lower, left), np.where(on_right, upper, right)
        kept = on_left | on_right
        left, right, begin, end = left[kept], right[kept], begin[kept], end[kept]
    return left


def estimate(
    index: SuffixIndex, clauses: Sequence[Terms], max_diff: int, most: int, check: Callable[[], None], seed: int = 0
) -> Found:
    """The number of ranges, estimated from occurrences of the rarest clause drawn at random without replacement.

    Only the text around each is read: half a millisecond an occurrence, however frequent the clauses are.
    """
    rarest, *others = rarest_first(index, clauses)
    intervals = [(shard, *shard.interval(term), len(term)) for shard in index.shards for term in rarest]
    sizes = np.array([high - low for _, low, high, _ in intervals])
    total, size = int(sizes.sum()), min(most, SAMPLED, int(sizes.sum()))
    drawn = np.sort(np.random.default_rng(seed).choice(total, size, replace=False, shuffle=False))
    ends = np.cumsum(sizes)
    reach = max_diff * len(others)
    starts: dict[int, list[int]] = {id(shard): [] for shard in index.shards}
    for number in drawn.tolist():
        check()
        which = int(np.searchsorted(ends, number, side="right"))
        shard, low, _, length = intervals[which]
        rank = low + number - int(ends[which] - sizes[which])
        position = int(shard.positions([(rank, rank + 1)], [length])[0])
        begin, end = shard.bounds(int(shard.documents_at(np.array([position]))[0]))
        first, last = (
            max(begin, position - reach),
            min(end + 1, position + reach + 1 + max(len(term) for one in others for term in one)),
        )
        text = shard.read(first, last).astype(np.int64)
        near = [np.sort(np.concatenate([_places(text, term) for term in clause])) + first for clause in others]
        grown = grow(np.array([position]), np.array([begin]), np.array([end + 1]), near, max_diff)
        starts[id(shard)] += grown.tolist()
    hits = sum(map(len, starts.values()))
    found = [np.array(sorted(starts[id(shard)]), np.int64) for shard in index.shards]
    return Found(round(total * hits / max(size, 1)), found, True)


def _places(text: NDArray[np.int64], term: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where a term starts in a text."""
    starts = np.flatnonzero(text[: max(len(text) - len(term) + 1, 0)] == term[0])
    for offset in range(1, len(term)):
        starts = starts[text[starts + offset] == term[offset]]
    return starts
