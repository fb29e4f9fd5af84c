"""Cut 64-bit keys into ranges that few enough of them fall into."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from suffixindex.gpu_sort.keys import LOWEST

BIN_BITS = 12
"""A histogram of 4,096 bins fits the fast memory of a GPU's processor."""

Keyed = Iterator[tuple[Tensor, Tensor]]
"""Chunks of keys, and of the positions of the suffixes that have them, both int64."""


class KeyRange(NamedTuple):
    """The keys ``[low, high]``, both ends included since the highest has no successor, and how many keys there are in it."""

    low: int
    high: int
    size: int


class KeySpan(NamedTuple):
    """Where all keys lie: they agree with ``low`` in the bits from ``bits`` on."""

    low: int
    bits: int

    @property
    def high(self) -> int:
        return self.low + (1 << self.bits) - 1


WORDS = KeySpan(0, 32)
KEYS = KeySpan(LOWEST, 64)


def key_ranges(keyed: Callable[[], Keyed], span: KeySpan, size: int, capacity: int) -> list[KeyRange]:
    """Ascending ranges that hold all ``size`` keys, at most ``capacity`` each, or more of one single key.

    Counts the keys by their top 12 bits; a bin that holds too many is counted again by the next 12 bits, and so on: at most six
    passes over the keys for each such bin, of which there are fewer than ``size / capacity``.
    """
    if size <= capacity:
        return [KeyRange(span.low, span.high, size)]
    ranges: list[KeyRange] = []
    for found in _narrow(keyed, span, capacity):
        last = ranges[-1] if ranges else None
        if last and last.size + found.size <= capacity:
            ranges[-1] = KeyRange(last.low, found.high, last.size + found.size)
        else:
            ranges.append(found)
    return ranges


def _narrow(keyed: Callable[[], Keyed], span: KeySpan, capacity: int) -> Iterator[KeyRange]:
    """Ascending ranges that are not joined yet."""
    shift = max(span.bits - BIN_BITS, 0)
    base = span.low >> shift
    for number, size in _histogram(keyed, span, shift):
        low = (base + number) << shift
        if size <= capacity or shift == 0:
            yield KeyRange(low, low + (1 << shift) - 1, size)
        else:
            yield from _narrow(keyed, KeySpan(low, shift), capacity)


def _histogram(keyed: Callable[[], Keyed], span: KeySpan, shift: int) -> list[tuple[int, int]]:
    """(bin, how many) of the bins that are not empty: a key's bin is what ``span.bits`` and ``shift`` leave of it."""
    bins = 1 << (span.bits - shift)
    total: Tensor | None = None
    for keys, _ in keyed():
        inside = keys if span in (KEYS, WORDS) else keys[within(keys, span.low, span.high)]
        counts = torch.bincount((inside >> shift).sub_(span.low >> shift), minlength=bins)
        total = counts if total is None else total + counts
    assert total is not None
    numbers = torch.nonzero(total).squeeze(1)
    return list(zip(numbers.tolist(), total[numbers].tolist(), strict=True))


def within(keys: Tensor, low: int, high: int) -> Tensor:
    return (keys >= low) & (keys <= high)
