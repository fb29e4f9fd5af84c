"""How many suffixes a device sorts at a time: from its free memory."""

from dataclasses import dataclass, replace

ORDER_BYTES = 13
"""Bytes a token that stay: suffix array 4, ranks 4, and for a tied suffix its slot 4 and a flag. Besides there are the tokens."""
SPLIT_BYTES = 16
"""Bytes a token while a group larger than a piece is split: suffix array, ranks, and a copy of both. The tokens are gone then."""
PIECE_BYTES = 64
"""Bytes for each suffix of a piece: position 4, slot 4, flag 1, key 8, 40 of the sort, and some to spare."""
USED = 0.9
"""Share of the free memory that is planned with; the rest is for blocks that the allocator cannot use whole."""
SMALLEST_PIECE = 1 << 20
LARGEST_PIECE = 1 << 30
"""torch sorts at most 2**31 - 1 numbers at once on a GPU."""
WHOLE_TOKENS = 1 << 27
"""A text up to here is one piece, if it fits; larger ones have pieces of 3/8, which take less memory and little more time."""
CHUNK = 1 << 25
"""Suffixes that an elementwise step takes at once."""


@dataclass(frozen=True)
class Plan:
    """How many suffixes are sorted at a time (``piece``), and read at a time (``chunk``)."""

    piece: int
    chunk: int
    smallest: int = SMALLEST_PIECE

    def halved(self) -> "Plan | None":
        """The plan after a lack of memory; None if a piece would be too small to be worth it."""
        if self.piece // 2 < self.smallest:
            return None
        return replace(self, piece=self.piece // 2, chunk=max(1, min(self.chunk, self.piece // 4)))


def plan_pieces(size: int, itemsize: int, free_bytes: int) -> Plan | None:
    """The plan for ``size`` tokens of ``itemsize`` bytes; None if even small pieces do not fit.

    >>> plan_pieces(10**9, 2, 79 * 10**9)
    Plan(piece=375000000, chunk=33554432, smallest=1048576)
    >>> plan_pieces(4 * 10**9, 2, 79 * 10**9)
    Plan(piece=110937500, chunk=33554432, smallest=1048576)
    >>> plan_pieces(10**9, 2, 8 * 10**9)
    """
    room = int(USED * free_bytes) - size * max(ORDER_BYTES + itemsize, SPLIT_BYTES)
    piece = min(size, room // PIECE_BYTES, max(WHOLE_TOKENS, size * 3 // 8), LARGEST_PIECE)
    if piece < min(size, SMALLEST_PIECE):
        return None
    return Plan(piece, max(1, min(CHUNK, piece // 2)))
