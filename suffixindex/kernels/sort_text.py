"""The text as the suffix sort reads it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

END_PADDING = 64
"""Zeros after the last rank: no kernel reads further than one word or one code past the end."""


class RankedText(NamedTuple):
    """A token array made dense, with an order-preserving prefix code of its ranks.

    Rank 0 is the end of the text, the ordinary ids follow in their order, the separator has the largest rank.
    Reading stays on a separator once it is there, so a suffix reads as its tokens up to its first separator and
    then as separators for ever: two suffixes that are equal through their separator are equal, and stay in the order of
    their positions.
    """

    ranks: NDArray[np.unsignedinteger]  # of length n + END_PADDING
    separator: int  # its rank; one that does not occur when there is none
    lanes: int  # ranks in one 64-bit key
    lane_bits: int
    separators: np.uint64  # the separator in every lane
    lane_ones: np.uint64  # 1 in every lane
    lane_tops: np.uint64  # the highest bit of every lane, or 0 when there is no separator
    codes: NDArray[np.uint64]  # of rank >> bucket_bits: codeword at the top, length of the code of a rank in the low 6 bits
    bucket_bits: int  # low bits of a rank that are their own code, after the codeword of their bucket
