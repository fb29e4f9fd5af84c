"""What can be sorted, and into what."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.system.memory import MAX_TOKENS


def checked_tokens(tokens: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.unsignedinteger[Any]]:
    """The tokens as a read-only plain array, so that each kernel compiles once for a dtype."""
    if tokens.dtype not in (np.uint8, np.uint16, np.uint32):
        raise TypeError(f"tokens have dtype {tokens.dtype}, expected uint8, uint16 or uint32")
    if tokens.ndim != 1:
        raise ValueError(f"tokens have shape {tokens.shape}, expected one dimension")
    if len(tokens) > MAX_TOKENS:
        raise ValueError(f"there are {len(tokens):,} tokens, at most {MAX_TOKENS:,} can be sorted at once: sort parts of them")
    plain = np.ascontiguousarray(tokens).view(np.ndarray)
    plain.flags.writeable = False
    return plain


def check_out(out: NDArray[Any], size: int) -> None:
    """Refuse an array that cannot take the ranks of ``size`` suffixes."""
    if out.dtype != np.uint32:
        raise TypeError(f"out has dtype {out.dtype}, expected uint32")
    if out.shape != (size,) or not out.flags.c_contiguous:
        raise ValueError(f"out has shape {out.shape}, expected ({size},) and contiguous")
