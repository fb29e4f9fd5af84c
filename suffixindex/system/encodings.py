"""Which encoding a text has, by its byte order mark: UTF-8, UTF-16 or UTF-32, of either order of bytes; UTF-8 without one.

And where a text in UTF-8 may be cut.
"""

import codecs

import numpy as np
from numpy.typing import NDArray

MARKS = (  # UTF-32's begin with UTF-16's
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(head: bytes) -> str:
    """The encoding that the first bytes say, by a byte order mark or for want of one. Its decoder leaves the mark out."""
    return next((name for mark, name in MARKS if head.startswith(mark)), "utf-8")


def goes_on(first_bytes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether a character of UTF-8 does not begin with each of some bytes but goes on with it."""
    inside: NDArray[np.bool_] = (first_bytes & 0xC0) == 0x80
    return inside
