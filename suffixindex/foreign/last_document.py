"""Where the last suffixes of a file belong if its last document ends with a separator, as all others do.

Other engines sort a suffix that the end of the file cuts before all that go on. To us a document's end is a separator. So a
suffix of the last document, if its text occurs elsewhere too, stands before the others that begin with this text, and we
want it among those where a separator follows. These few are told apart here, and the table is read in pieces.
"""

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError
from suffixindex.foreign.arrays import Pieces, Table

FIRST = 64  # tokens compared at first, then twice as many and so on


class StoredOrder:
    """The order of suffixes in a file as its engine made it, found by comparing tokens."""

    def __init__(self, text: NDArray[np.unsignedinteger[Any]], table: Table, swapped: bool) -> None:
        self.text = text
        self._table = table
        self._swapped = swapped

    def places(self, start: int, stop: int) -> NDArray[np.int64]:
        """Tokens of the file by their places in its order."""
        ids = self.text[start:stop]
        return (ids.byteswap() if self._swapped else ids).astype(np.int64)

    def lower(self, places: NDArray[np.int64]) -> int:
        """Entries of suffixes below an n-gram, which is given by places. O(length + log tokens) comparisons of arrays."""
        below, above = 0, self._table.stored
        while below < above:
            middle = (below + above) // 2
            if self._compare(int(self._table[middle]), places) < 0:
                below = middle + 1
            else:
                above = middle
        return below

    def begins(self, entry: int, places: NDArray[np.int64]) -> bool:
        """Whether the suffix of an entry begins with an n-gram."""
        return entry < self._table.stored and self._compare(int(self._table[entry]), places) == 0

    def _compare(self, position: int, places: NDArray[np.int64]) -> int:
        return compare(lambda start, stop: self.places(position + start, position + stop), lambda a, b: places[a:b], len(places))


def compare(left: Callable[[int, int], NDArray[Any]], right: Callable[[int, int], NDArray[Any]], size: int) -> int:
    """-1, 0, 1 as the first ``size`` of one sequence are below, equal or above those of another; a shorter one is below."""
    start, step = 0, FIRST
    while start < size:
        stop = min(start + step, size)
        first, second = left(start, stop), right(start, stop)
        common = min(len(first), len(second))
        different = np.flatnonzero(first[:common] != second[:common])
        if len(different):
            return -1 if first[different[0]] < second[different[0]] else 1
        if len(first) != len(second):
            return -1 if len(first) < len(second) else 1
        if common < stop - start:
            return 0
        start, step = stop, 2 * step
    return 0


def find_pieces(
    text: NDArray[np.unsignedinteger[Any]], table: Table, swapped: bool, last_document: int, separator: int, name: str
) -> Pieces:
    """The order in which a separator ends the file, and suffixes that begin with one are the last.

    ``last_document`` is where the last document begins, or its separator, if n-grams may begin with one;
    ``separator`` is the place of the separator in the order of the file, and ``name`` that of the table, for a message. A bisection
    for each end of the last document that occurs elsewhere: some ten for text that does not repeat.

    Raises
    ------
    FormatError
        The table lacks one of the last positions.
    """
    order = StoredOrder(text, table, swapped)
    end = len(text)
    moved: list[tuple[int, int, int]] = []  # entry, the entry that it goes before, length
    for length in range(1, end - last_document + 1):
        places = order.places(end - length, end)
        entry = order.lower(places)
        if entry == table.stored or int(table[entry]) != end - length:
            raise FormatError(
                f"{name} has no entry for position {end - length:,} of the tokens where its order would have it: it is no whole "
                "suffix array (as infini-gram's indexer makes of files below 200,000 bytes); build it again"
            )
        if not order.begins(entry + 1, places):
            break  # it occurs nowhere else, and no longer one does
        moved.append((entry, order.lower(np.append(places, separator)), length))

    def above(one: tuple[int, int, int], other: tuple[int, int, int]) -> int:
        if one[1] != other[1]:
            return one[1] - other[1]
        first, second = (np.append(order.places(end - length, end), separator) for _, _, length in (one, other))
        return compare(lambda a, b: first[a:b], lambda a, b: second[a:b], min(len(first), len(second)))

    moved.sort(key=cmp_to_key(above))
    first, stop = order.lower(np.array([separator])), order.lower(np.array([separator + 1]))
    taken = {entry for entry, _, _ in moved}
    edges = {0, table.stored, first, stop, *taken, *(entry + 1 for entry in taken), *(target for _, target, _ in moved)}
    cuts = sorted(edges)
    segments: list[tuple[int, int]] = []
    separators: list[tuple[int, int]] = []
    waiting = moved[::-1]
    for cut, after in zip(cuts, [*cuts[1:], table.stored], strict=True):
        while waiting and waiting[-1][1] == cut:
            entry = waiting.pop()[0]
            (separators if first <= entry < stop else segments).append((entry, entry + 1))
        if cut < after and cut not in taken:
            (separators if first <= cut < stop else segments).append((cut, after))
    if table.length > table.stored:
        separators.append((table.stored, table.length))
    return Pieces.of([*segments, *separators])
