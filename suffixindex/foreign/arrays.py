"""Arrays as other engines store them: what they hold is read where it lies, and looks like an array of ours.

Both classes are read by Python (integers, slices, arrays of integers) and by kernels, which see the numbers in ``fields``
(:mod:`suffixindex.kernels.stored`).
"""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

UNMOVED = np.empty(0, np.int64)


class Pieces(NamedTuple):
    """An order of ranks in few pieces: rank r is entry ``r + deltas[i]`` of the file for the last i with ``starts[i] <= r``."""

    starts: NDArray[np.int64]
    deltas: NDArray[np.int64]

    @classmethod
    def of(cls, segments: list[tuple[int, int]]) -> "Pieces":
        """From the stretches ``[first, stop)`` of entries in the order in which they are wanted."""
        joined: list[tuple[int, int]] = []
        for first, stop in segments:
            if joined and joined[-1][1] == first:
                joined[-1] = joined[-1][0], stop
            elif first < stop:
                joined.append((first, stop))
        firsts = np.array([first for first, _ in joined], np.int64)
        starts = np.cumsum([0, *(stop - first for first, stop in joined)])[:-1].astype(np.int64)
        return cls(starts, firsts - starts)


class Table:
    """Numbers of 1 to 8 bytes each, as ``number >> shift``, less ``base``.

    ``last`` stands in the place of what would be negative, and of all entries after those in the file, up to ``length``.
    With ``pieces``, the entries stand in another order than in the file.
    """

    def __init__(
        self,
        content: NDArray[np.uint8],
        width: int,
        *,
        shift: int = 0,
        base: int = 0,
        last: int = 0,
        length: int | None = None,
        pieces: Pieces | None = None,
    ) -> None:
        self.content = content
        self.width, self.shift, self.base, self.last = width, shift, base, last
        self.stored = len(content) // width
        self.length = self.stored if length is None else length
        self.pieces = (
            pieces if pieces is not None and len(pieces.starts) > 1 else Pieces(np.zeros(1, np.int64), np.zeros(1, np.int64))
        )
        moved = np.flatnonzero(self.pieces.deltas)
        # the first and the last piece mostly lie where they did, so that most ranks need not be looked up
        self._moved_from = int(self.pieces.starts[moved[0]]) if len(moved) else self.length
        after = self.pieces.starts[moved[-1] + 1 :] if len(moved) else UNMOVED
        self._moved_to = int(after[0]) if len(after) else self.length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, places: Any) -> Any:
        if isinstance(places, slice):
            return self._read(np.arange(*places.indices(self.length)))
        if isinstance(places, np.ndarray):
            return self._read(places.astype(np.int64))
        place = int(places)
        return self._read(np.array([place if place >= 0 else place + self.length]))[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        found: NDArray[Any] = self[:]
        return found if dtype is None else found.astype(dtype)

    def up_to(self, length: int) -> "Table":
        """The first so many of the numbers."""
        settings = {"shift": self.shift, "base": self.base, "last": self.last, "length": length, "pieces": self.pieces}
        return Table(self.content, self.width, **settings)  # type: ignore[arg-type]

    def entries(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """The places in the file of some ranks; one after the last stands for what is not in the file."""
        return np.asarray(ranks + self.pieces.deltas[np.searchsorted(self.pieces.starts, ranks, side="right") - 1])

    def _read(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        places = self.entries(ranks)
        there = places < self.stored
        raw = self.content[np.where(there, places, 0)[:, None] * self.width + np.arange(self.width)] if self.stored else None
        values = np.full(len(places), -1, np.int64)
        if raw is not None:
            wide = np.zeros((len(places), 8), np.uint8)
            wide[:, : self.width] = raw
            values = (wide.view("<i8")[:, 0] >> self.shift) - self.base
        return np.where(there & (values >= 0), values, self.last)

    @cached_property
    def _fields(self) -> NDArray[np.int64]:
        starts, deltas = self.pieces
        values = (self.content.ctypes.data, self.stored, self.length, self.shift, self.base, self.last)
        moved = (self._moved_from, self._moved_to, starts.ctypes.data, deltas.ctypes.data, len(starts))
        return np.array([*values, *moved], np.int64)

    @cached_property
    def fields_address(self) -> int:
        return int(self._fields.ctypes.data)

    @cached_property
    def _numba_type_(self) -> Any:
        from suffixindex.kernels.stored import StoredTable

        return StoredTable(self.width)


class Tokens:
    """Tokens of which the last separator is perhaps not in the file, and for which another id than ours may stand.

    They are read as ``dtype``, which may be wider than in the file, so that its largest id is free to end documents.

    ``length`` counts the separator that is read after those in the file. ``swapped``: suffixes stand in the order of their
    bytes, which is that of ids with their bytes in reverse.
    """

    def __init__(
        self,
        content: NDArray[np.unsignedinteger[Any]],
        length: int,
        *,
        stored_separator: int | None = None,
        swapped: bool = False,
        dtype: np.dtype[Any] | None = None,
    ) -> None:
        self.content = content
        self.dtype = content.dtype if dtype is None else dtype
        self.separator = int(np.iinfo(self.dtype).max)
        self.stored_separator = self.separator if stored_separator is None else stored_separator
        self.length = length
        self.swapped = swapped and content.dtype.itemsize > 1

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, places: Any) -> Any:
        if isinstance(places, slice):
            start, stop, step = places.indices(self.length)
            found = self.content[start : min(stop, len(self.content)) : step]
            missing = len(range(start, stop, step)) - len(found)
            if not missing and self.stored_separator == self.separator and found.dtype == self.dtype:
                return found
            return self._ours(np.append(found.astype(self.dtype), np.full(max(missing, 0), self.separator, self.dtype)))
        if isinstance(places, np.ndarray):
            there = (places >= 0) & (places < len(self.content))
            found = self.content[np.where(there, places, 0)] if len(self.content) else np.zeros(places.shape, self.dtype)
            return self._ours(np.where(there, found.astype(self.dtype), self.dtype.type(self.separator)))
        return self[int(places) : int(places) + 1][0] if 0 <= places < self.length else self.dtype.type(self.separator)

    def _ours(self, ids: NDArray[Any]) -> NDArray[Any]:
        if self.stored_separator != self.separator:
            ids = np.where(ids == self.stored_separator, self.dtype.type(self.separator), ids)
        return ids

    def place(self, token: int) -> int:
        """Where an id stands in the order of the suffixes."""
        if self.swapped:
            return int.from_bytes(int(token).to_bytes(self.dtype.itemsize, "little"), "big")
        return self.stored_separator if token == self.separator else int(token)

    def places(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """:meth:`place` of many."""
        if self.swapped:
            return ids.astype(self.dtype).byteswap().astype(np.int64)
        return np.where(ids == self.separator, self.stored_separator, ids).astype(np.int64)

    @cached_property
    def _fields(self) -> NDArray[np.int64]:
        address = self.content.ctypes.data
        return np.array([address, len(self.content), self.length, self.separator, self.stored_separator], np.int64)

    @cached_property
    def fields_address(self) -> int:
        return int(self._fields.ctypes.data)

    @cached_property
    def _numba_type_(self) -> Any:
        from numba import from_dtype

        from suffixindex.kernels.stored import StoredTokens

        return StoredTokens(from_dtype(self.dtype.newbyteorder("=")), self.content.dtype.itemsize, self.swapped)
