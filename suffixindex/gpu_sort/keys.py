"""The first tokens of every suffix in one 64-bit number each, which orders suffixes as their first tokens do."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

LOWEST = -(1 << 63)
END = 0
"""The symbol after the last token: less than all others, so that a suffix that ends sorts before any that goes on."""
MAX_LANES = 8
"""Tokens in a key at most: more would cost more to pack than they spare."""
WORD = 0xFFFFFFFF


def blocks(size: int, step: int) -> Iterator[tuple[int, int]]:
    """Half-open intervals that cover ``range(size)``."""
    return ((lo, min(lo + step, size)) for lo in range(0, size, step))


def wide(numbers: Tensor) -> Tensor:
    """32-bit numbers without a sign, which torch holds as int32, as int64."""
    return numbers.to(torch.int64).bitwise_and_(WORD)


@dataclass(frozen=True)
class PackedText:
    """A text on a device, and how its tokens are packed.

    Symbols are the ids plus 1, the separator's the one after the largest. 0 stands for the end of the text and no other place has
    it: so the keys of suffixes that reach the end differ from all others, unless a separator comes first.
    """

    tokens: Tensor
    """uint8, int16 or int32: the bits of unsigned ids."""
    separator: int | None
    stop: int
    """The separator's symbol; -1 if there is none."""
    bits: int
    lanes: int

    def symbols(self, lo: int, hi: int) -> Tensor:
        """Symbols of the positions ``[lo, hi)``, which may reach past the end."""
        ids = _ids(self.tokens[lo:hi], self.bits)  # fewer at the end
        symbols = ids + 1 if self.separator is None else torch.where(ids == self.separator, self.stop, ids + 1)
        missing = hi - lo - symbols.numel()
        return torch.cat([symbols, symbols.new_full((missing,), END)]) if missing else symbols

    def keys(self, lo: int, hi: int) -> Tensor:
        """Keys of the suffixes at ``[lo, hi)``, int64; what follows a separator is the separator over and over.

        The top bit is flipped, since torch compares with a sign.
        """
        symbols = self.symbols(lo, hi + self.lanes - 1)
        lane = symbols[: hi - lo]
        key = lane.to(torch.int64, copy=True)
        for shift in range(1, self.lanes):
            following = symbols[shift : shift + hi - lo]
            lane = following if self.separator is None else torch.where(lane == self.stop, lane, following)
            key <<= self.bits
            key |= lane
        key ^= LOWEST
        return key

    def closed(self, keys: Tensor) -> Tensor:
        """Whether a key holds a separator: suffixes that share it stand in the order of their positions, and are done."""
        return (keys & ((1 << self.bits) - 1)) == self.stop


def _ids(tokens: Tensor, bits: int) -> Tensor:
    """Unsigned ids in a type with a sign that has room for symbols of ``bits`` bits."""
    width = tokens.element_size()
    ids = tokens.to(torch.int32 if width < 4 and bits < 32 else torch.int64)
    return ids if tokens.dtype == torch.uint8 else ids.bitwise_and_((1 << 8 * width) - 1)


def pack_text(tokens: Tensor, separator: int | None, chunk: int) -> PackedText:
    """Choose how the tokens are packed: in as many bits as the largest id takes.

    Raises
    ------
    ValueError
        An id is larger than the separator.
    """
    if separator is not None and separator >= 1 << 8 * tokens.element_size():
        separator = None  # no token is this one
    largest = ordinary = -1
    for lo, hi in blocks(tokens.numel(), chunk):
        ids = _ids(tokens[lo:hi], 64)
        largest = max(largest, int(ids.max()))
        if separator is not None:
            ids = ids.masked_fill_(ids == separator, -1)
        ordinary = max(ordinary, int(ids.max()))
    if separator is not None and largest > separator:
        raise ValueError(f"the separator {separator} is smaller than the id {largest}: it must be the largest id")
    stop = -1 if separator is None else ordinary + 2
    bits = max(ordinary + 1, stop).bit_length()
    return PackedText(tokens, separator, stop, bits, min(64 // bits, MAX_LANES))
