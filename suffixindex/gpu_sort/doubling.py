"""Tell ties apart by the ranks of what follows, twice as far on in each round.

After a round of depth h, suffixes of one rank agree in their first 2 h tokens. A round may see ranks that it has refined itself:
a rank is the first slot of its group, a refined one lies between its group's and the next group's, so ranks never contradict
the order of the suffixes, and equal ranks still mean at least h equal tokens (Larsson and Sadakane update in place likewise).
Within one sort all ranks are read before any is written.
"""

import torch

from suffixindex.gpu_sort.keys import blocks, wide
from suffixindex.gpu_sort.pieces import Lap, Left, Order, Ties, changes, settle, sort_by_key, sort_stably
from suffixindex.gpu_sort.ranges import WORDS, Keyed


def refine(order: Order, left: Left, depth: int, lap: Lap) -> Left:
    """One round: suffixes tied in ``depth`` tokens are sorted by the ranks ``depth`` tokens on. Empties ``left``."""
    after = Left()
    pieces = _joined(left, order.plan.piece)
    while left.large:
        _split(order, *left.large.pop(), depth, after, lap)
    while pieces:
        after.add(_refine_piece(order, pieces.pop(), depth))
    lap("doubling")
    return after


def _joined(left: Left, piece: int) -> list[Ties]:
    """Small pieces joined: late rounds have few ties in each, and a piece costs some launches. Takes what it joins."""
    joined: list[Ties] = []
    while left.ties:
        some = [left.ties.pop()]
        size = len(some[0])
        while left.ties and size + len(left.ties[-1]) <= piece:
            size += len(left.ties[-1])
            some.append(left.ties.pop())
        one = some[0]
        if len(some) > 1:
            one = Ties(torch.cat([ties.slots for ties in some]), torch.cat([ties.heads for ties in some]))
        joined.append(one)
    return joined


def _refine_piece(order: Order, ties: Ties, depth: int) -> Ties:
    """Sort by (number of the group in this piece, rank of what follows): groups stay where they are."""
    chunk = order.plan.chunk
    positions = torch.empty_like(ties.slots)
    keys = torch.cumsum(ties.heads, 0, dtype=torch.int64)
    keys <<= 32
    for lo, hi in blocks(len(ties), chunk):
        here = order.suffix_array[wide(ties.slots[lo:hi])]
        positions[lo:hi] = here
        keys[lo:hi] |= order.rank_after(wide(here), depth)
    keys, positions = sort_stably(keys, positions, chunk)
    new = changes(keys)
    del keys
    return settle(order, ties.slots, positions, new)


def _split(order: Order, lo: int, hi: int, depth: int, after: Left, lap: Lap) -> None:
    """Sort a group that is larger than a piece, by ranges of the ranks of what follows.

    These are read once, before any of them changes, so that a suffix stays in the range in which it was counted.
    """
    size, chunk = hi - lo, order.plan.chunk
    positions = order.suffix_array[lo:hi].clone()
    ranks = torch.empty_like(positions)
    for start, end in blocks(size, chunk):
        ranks[start:end] = order.rank_after(wide(positions[start:end]), depth)

    def keyed() -> Keyed:
        return ((wide(ranks[start:end]), wide(positions[start:end])) for start, end in blocks(size, chunk))

    sort_by_key(order, lo, size, keyed, WORDS, None, after, lap)
