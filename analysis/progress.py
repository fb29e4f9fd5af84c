"""Bulk questions with a bar: a block at a time, so that one that takes minutes shows where it is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray
from tqdm import tqdm

Answer = TypeVar("Answer")
BLOCK = 4096
"""Questions of a block: some tenths of a second of texts, and far more than what a call costs by itself."""


def in_blocks(
    items: Sequence[Any] | NDArray[Any],
    ask: Callable[[Any], Iterable[Answer]],
    *,
    desc: str,
    unit: str,
    size: int = BLOCK,
) -> Iterator[Answer]:
    """The answers to all items in their order, of ``size`` at a time, with a bar on standard error if that is a terminal.

    Parameters
    ----------
    ask
        Some of the items, as the same type -> an answer to each.
    desc, unit
        What the bar calls the whole and one of the items.
    """
    with tqdm(total=len(items), desc=desc, unit=f" {unit}", disable=None) as bar:
        for first in range(0, len(items), size):
            block = items[first : first + size]
            yield from ask(block)
            bar.update(len(block))
