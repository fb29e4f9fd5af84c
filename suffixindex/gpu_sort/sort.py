"""Sort a text on a device: upload, sort by first tokens, double, download; with less memory, by smaller pieces, then on the CPU."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suffixindex.gpu_sort.doubling import refine
from suffixindex.gpu_sort.keys import blocks, pack_text
from suffixindex.gpu_sort.pieces import Lap, Left, Order, sort_by_key
from suffixindex.gpu_sort.plan import Plan, plan_pieces
from suffixindex.gpu_sort.ranges import KEYS, Keyed
from suffixindex.gpu_sort.staging import Staging

log = logging.getLogger(__name__)

OutOfMemory: type[RuntimeError] = getattr(torch, "OutOfMemoryError", torch.cuda.OutOfMemoryError)
TORCH_TYPES = {1: torch.uint8, 2: torch.int16, 4: torch.int32}
"""By bytes of a token: older versions of torch have no unsigned types but uint8."""
UPLOADED, SORTED = 0.05, 0.4
"""Shares of the work that are told as done after the upload, after the sort by first tokens."""

_turns: defaultdict[str, Lock] = defaultdict(Lock)
"""One text at a time on a device: a thread's next shard is sorted while another's is written."""


@dataclass(frozen=True)
class Timed:
    """What a sort took."""

    device: str
    size: int
    plan: Plan
    seconds: dict[str, float]
    """By step, in the order of their first end."""
    rounds: tuple[int, ...]
    """Suffixes still tied at the beginning of each round of doubling."""
    peak_bytes: int
    """Device memory at the peak; 0 on the CPU, where nobody counts it."""

    @property
    def sort_seconds(self) -> float:
        """Without the copies between host and device."""
        return sum(seconds for step, seconds in self.seconds.items() if step not in ("upload", "download"))


class _Clock:
    """Seconds by step, and bytes at the peak. Waits for the device at the end of each step: there are few."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}
        if device.type == "cuda":
            torch.cuda.init()  # type: ignore[no-untyped-call]
            torch.cuda.reset_peak_memory_stats(device)
        self.before = self._bytes(torch.cuda.memory_allocated)
        self.last = time.perf_counter()

    def _bytes(self, counted: Callable[[torch.device], int]) -> int:
        return counted(self.device) if self.device.type == "cuda" else 0

    @property
    def peak_bytes(self) -> int:
        """More than there was before."""
        return self._bytes(torch.cuda.max_memory_allocated) - self.before

    def lap(self, step: str) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self.last
        self.last = now


def sort_on_device(
    tokens: NDArray[np.unsignedinteger[Any]],
    separator: int | None,
    device: torch.device | str,
    on_cpu: Callable[[], NDArray[np.uint32]],
    *,
    free_bytes: int | None = None,
    plan: Plan | None = None,
    out: NDArray[np.uint32] | None = None,
    progress: Callable[[float], None] | None = None,
    tell: Callable[[Timed], None] | None = None,
) -> NDArray[np.uint32]:
    """The suffix array of ``tokens``, the same as :func:`suffixindex.suffix_array` gives.

    Parameters
    ----------
    tokens
        One-dimensional, uint8, uint16 or uint32, at most 2**32 - 2 long; a read-only memmap will do.
    separator
        An id that no other id exceeds.
    device
        A device of torch.
    on_cpu
        Sorts the same tokens, into the same ``out``: called where the device lacks the memory.
    free_bytes
        Memory that may be used on the device, by default what is free there.
    plan
        Sizes to work with instead of those that follow from ``free_bytes``.
    out
        Array to fill instead of a new one; a memmap will do.
    progress
        Called on this thread, now and then, with the share of the work that is done; it starts anew if memory lacked.
    tell
        Called with what the sort took, if the device did it.

    Raises
    ------
    ValueError
        An id exceeds the separator.

    Notes
    -----
    O(n log n) time for any text; the module ``suffixindex.gpu_sort`` says what natural text takes, and how much memory.
    """
    device = torch.device(device)
    size = len(tokens)
    if size == 0:
        return np.empty(0, np.uint32) if out is None else out
    with _turns[str(device)]:
        plan = plan or _plan(device, size, tokens.itemsize, free_bytes)
        while plan is not None:
            try:
                return _sort(tokens, separator, device, plan, out, progress, tell)
            except OutOfMemory:
                smaller = plan.halved()
                then = f"again with {smaller.piece:,}" if smaller else "the CPU sorts them"
                log.warning("%s ran out of memory on %s tokens in pieces of %s: %s", device, f"{size:,}", f"{plan.piece:,}", then)
                plan = smaller
            finally:
                if device.type == "cuda":
                    torch.cuda.empty_cache()
    return on_cpu()


def _plan(device: torch.device, size: int, itemsize: int, free_bytes: int | None) -> Plan | None:
    """What fits the memory that is free; None, and a line in the log, if the CPU has to sort."""
    free = free_bytes
    if free is None and device.type == "cuda":
        try:
            torch.cuda.empty_cache()
            free = torch.cuda.mem_get_info(device)[0]
        except (RuntimeError, AssertionError) as error:  # a device that is full or broken, a torch built without
            log.warning("%s does not start, the CPU sorts %s tokens: %s", device, f"{size:,}", str(error).partition("\n")[0])
            return None
    if free is None:
        return Plan(size, size)
    plan = plan_pieces(size, itemsize, free)
    if plan is None:
        log.warning("%s has %s bytes free, too few for %s tokens: the CPU sorts them", device, f"{free:,}", f"{size:,}")
    return plan


def _sort(
    tokens: NDArray[np.unsignedinteger[Any]],
    separator: int | None,
    device: torch.device,
    plan: Plan,
    out: NDArray[np.uint32] | None,
    progress: Callable[[float], None] | None,
    tell: Callable[[Timed], None] | None,
) -> NDArray[np.uint32]:
    """One attempt: the tokens stay on the host, so that another can follow."""
    size = len(tokens)
    clock = _Clock(device)
    advance = progress or (lambda share: None)
    staging = Staging(device, 4 * size)
    uploaded = torch.empty(size, dtype=TORCH_TYPES[tokens.itemsize], device=device)
    staging.upload(np.ascontiguousarray(tokens).view(np.ndarray), uploaded)
    clock.lap("upload")
    advance(UPLOADED)
    order = Order.unknown(size, device, plan)
    left, depth = _sort_by_first_tokens(order, uploaded, separator, clock.lap)
    del uploaded
    advance(SORTED)
    rounds = []
    while len(left):
        rounds.append(len(left))
        left = refine(order, left, depth, clock.lap)
        depth *= 2
        advance(1 - (1 - SORTED) * max(len(left), 1) / size)
    if out is None:
        out = np.empty(size, np.uint32)
    staging.download(order.suffix_array, out.view(np.ndarray))
    clock.lap("download")
    advance(1.0)
    if tell:
        tell(Timed(str(device), size, plan, clock.seconds, tuple(rounds), clock.peak_bytes))
    return out


def _sort_by_first_tokens(order: Order, tokens: Tensor, separator: int | None, lap: Lap) -> tuple[Left, int]:
    """What stays tied, and in how many tokens."""
    size, chunk = len(tokens), order.plan.chunk
    text = pack_text(tokens, separator, chunk)
    lap("pack")

    def keyed() -> Keyed:
        return ((text.keys(lo, hi), torch.arange(lo, hi, device=tokens.device)) for lo, hi in blocks(size, chunk))

    left = Left()
    sort_by_key(order, 0, size, keyed, KEYS, None if text.separator is None else text.closed, left, lap)
    return left, text.lanes
