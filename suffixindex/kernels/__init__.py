"""Numba kernels: loops over arrays and nothing else.

Every kernel takes arrays and scalars, returns scalars or fills a caller-allocated ``out``, and checks
no argument: its callers have validated. What it reads of a suffix array it checks before it is an address
(:mod:`suffixindex.kernels.guarded`). A module here holds kernels and the helpers they call, because a
cached kernel is not recompiled when a helper in another file changes.
"""

from collections.abc import Callable

COMPILING: list[Callable[[bool], None]] = []
"""Told true when a kernel is about to be compiled, which takes seconds, and false when that is over."""
FANOUT = 16
"""Keys of a node of the search tree: two cache lines, which the processor fetches together."""
BLOCK_SHIFT = 7
"""Binary logarithm of the tokens for which ``document_blocks`` has one entry."""
MARKS_SHIFT = 5
"""Binary logarithm of the tokens for which ``document_marks`` has two entries: there is a bit for each in one of them."""


class DamageError(Exception):
    """A kernel read a number that leads out of its arrays: what it reads is damaged. Callers say which file (`Shard.run`)."""
