"""Sort suffixes by a 64-bit key each, one range of keys after the other, so that only a piece of them is being sorted."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from suffixindex.gpu_sort.keys import blocks, wide
from suffixindex.gpu_sort.plan import Plan
from suffixindex.gpu_sort.ranges import Keyed, KeyRange, KeySpan, key_ranges, within


@dataclass(frozen=True)
class Order:
    """What is known of the order of all suffixes. Numbers are 32 bits without a sign, held as int32.

    Suffixes that are not told apart yet form a group: they fill neighbouring slots of the suffix array, in any order, and all
    have the rank of the group's first slot. So ranks never contradict the order: a smaller rank is a smaller suffix.
    """

    suffix_array: Tensor
    ranks: Tensor
    """By position, counted from 1; one more than tokens: the end of the text has rank 0."""
    plan: Plan

    @classmethod
    def unknown(cls, size: int, device: torch.device, plan: Plan) -> "Order":
        ranks = torch.empty(size + 1, dtype=torch.int32, device=device)
        ranks[size] = 0
        return cls(torch.empty(size, dtype=torch.int32, device=device), ranks, plan)

    def rank_after(self, positions: Tensor, depth: int) -> Tensor:
        """Ranks of the suffixes ``depth`` tokens on from int64 positions, int64.

        Tied suffixes agree in ``depth`` tokens, none of which is a separator or the end: none of these is past the end.
        """
        return wide(self.ranks[positions + depth])


@dataclass(frozen=True)
class Ties:
    """Groups of suffixes that are not told apart, none larger than a piece, whole and one after the other."""

    slots: Tensor
    """32 bits: of each suffix, ascending within a group."""
    heads: Tensor
    """Whether a slot is the first of its group."""

    def __len__(self) -> int:
        return self.slots.numel()


@dataclass
class Left:
    """What a step leaves tied."""

    ties: list[Ties] = field(default_factory=list)
    large: list[tuple[int, int]] = field(default_factory=list)
    """Slots ``[lo, hi)`` of groups larger than a piece."""

    def __len__(self) -> int:
        return sum(map(len, self.ties)) + sum(hi - lo for lo, hi in self.large)

    def add(self, ties: Ties) -> None:
        if len(ties):
            self.ties.append(ties)


Lap = Callable[[str], None]
"""Called with the name of a step when it ends."""


def sort_by_key(
    order: Order,
    slot: int,
    size: int,
    keyed: Callable[[], Keyed],
    span: KeySpan,
    closed: Callable[[Tensor], Tensor] | None,
    left: Left,
    lap: Lap,
) -> None:
    """Sort the ``size`` suffixes that fill the slots from ``slot`` on, by their keys; what shares a key is left tied.

    ``keyed`` gives keys and positions, the same each time. ``closed`` says of which keys the suffixes stand in the order in which
    ``keyed`` gives them. A range of one single key that is larger than a piece needs no sort.
    """
    ranges = key_ranges(keyed, span, size, order.plan.piece)
    lap("count")
    for bounds in ranges:
        if bounds.size > order.plan.piece:
            _place_equal(order, slot, keyed(), bounds, closed, left)
            lap("ranks")
        else:
            keys, positions = _collect(keyed(), bounds, size, order.ranks.device)
            lap("keys")
            keys, positions = sort_stably(keys, positions, order.plan.chunk)
            lap("sort")
            new = changes(keys)
            if closed:
                for lo, hi in blocks(len(keys), order.plan.chunk):
                    new[lo:hi] |= closed(keys[lo:hi])
            del keys
            slots = torch.empty_like(positions)
            for lo, hi in blocks(bounds.size, order.plan.chunk):
                slots[lo:hi] = torch.arange(slot + lo, slot + hi, device=slots.device)
            left.add(settle(order, slots, positions, new))
            del positions, slots, new
            lap("ranks")
        slot += bounds.size


def _collect(keyed: Keyed, bounds: KeyRange, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Keys in a range, and their positions in 32 bits, in the order in which they come."""
    found = torch.empty(bounds.size, dtype=torch.int64, device=device)
    places = torch.empty(bounds.size, dtype=torch.int32, device=device)
    end = 0
    for keys, positions in keyed:
        if bounds.size < size:
            inside = torch.nonzero(within(keys, bounds.low, bounds.high)).squeeze(1)
            keys, positions = keys[inside], positions[inside]  # noqa: PLW2901
        start, end = end, end + keys.numel()
        found[start:end] = keys
        places[start:end] = positions
    assert end == bounds.size
    return found, places


def _place_equal(
    order: Order, slot: int, keyed: Keyed, bounds: KeyRange, closed: Callable[[Tensor], Tensor] | None, left: Left
) -> None:
    """Suffixes that all have one key: they are one group, or done."""
    start = end = slot
    done = False
    for keys, positions in keyed:
        inside = torch.nonzero(within(keys, bounds.low, bounds.high)).squeeze(1)
        if not inside.numel():
            continue
        start, end = end, end + inside.numel()
        places = positions[inside]
        done = closed is not None and bool(closed(keys[inside[:1]]))
        order.suffix_array[start:end] = places
        order.ranks[places] = (
            torch.arange(start + 1, end + 1, device=places.device) if done else torch.full_like(places, slot + 1)
        ).to(torch.int32)
    assert end - slot == bounds.size
    if not done:
        left.large.append((slot, end))


def sort_stably(keys: Tensor, positions: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """Sorted keys, and the positions in their order."""
    keys, permutation = torch.sort(keys, stable=True)
    moved = torch.empty_like(positions)
    for lo, hi in blocks(len(keys), chunk):
        moved[lo:hi] = positions[permutation[lo:hi]]
    return keys, moved


def changes(keys: Tensor) -> Tensor:
    """Where a key differs from the one before; one more than keys, and the ends count as different."""
    size = keys.numel()
    new = torch.ones(size + 1, dtype=torch.bool, device=keys.device)
    torch.ne(keys[1:], keys[:-1], out=new[1:size])
    return new


def settle(order: Order, slots: Tensor, positions: Tensor, new: Tensor) -> Ties:
    """Put sorted suffixes into their slots and give each the rank of the last slot where a group is ``new``; what stays tied."""
    size, chunk = slots.numel(), order.plan.chunk
    heads = torch.nonzero(new[:size]).squeeze(1)
    first = slots[heads].add_(1)
    sizes = torch.diff(heads, append=heads.new_full((1,), size))
    del heads
    ranks = torch.repeat_interleave(first, sizes, output_size=size)
    del first, sizes
    for lo, hi in blocks(size, chunk):
        order.suffix_array[wide(slots[lo:hi])] = positions[lo:hi]
        order.ranks[wide(positions[lo:hi])] = ranks[lo:hi]
    tied = (new[:size] & new[1:]).logical_not_()
    return Ties(slots[tied], new[:size][tied])
