"""Copies between the host and a device, through pinned blocks: some threads fill or empty blocks while others' travel."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suffixindex.gpu_sort.keys import blocks

log = logging.getLogger(__name__)

BLOCK_BYTES = 32 << 20
THREADS = 4
"""A core copies some 5 GB/s from or to pages that are there, less to new ones; a bus takes 25 and more."""


class Staging:
    """Pinned blocks for the copies to and from one device, 128 MiB at most."""

    def __init__(self, device: torch.device, num_bytes: int, block_bytes: int = BLOCK_BYTES) -> None:
        self.device = device
        self.block_bytes = max(1, min(block_bytes, -(-num_bytes // THREADS)))
        self.blocks: SimpleQueue[Tensor] = SimpleQueue()
        for _ in range(min(THREADS, -(-num_bytes // self.block_bytes))):
            self.blocks.put(self._block())

    def _block(self) -> Tensor:
        if self.device.type == "cuda":
            try:
                return torch.empty(self.block_bytes, dtype=torch.uint8, pin_memory=True)
            except RuntimeError as error:
                log.info("copies go through memory that is not pinned: %s", error)
        return torch.empty(self.block_bytes, dtype=torch.uint8)

    def upload(self, source: NDArray[Any], target: Tensor) -> None:
        """Copy an array to a tensor of as many bytes."""
        host, device = source.view(np.uint8), target.view(torch.uint8)

        def copy(lo: int, hi: int, block: Tensor, wait: Callable[[], None]) -> None:
            np.copyto(block.numpy()[: hi - lo], host[lo:hi])
            device[lo:hi].copy_(block[: hi - lo], non_blocking=True)
            wait()

        self._run(copy, len(host))

    def download(self, source: Tensor, target: NDArray[Any]) -> None:
        """Copy a tensor to an array of as many bytes."""
        host, device = target.view(np.uint8), source.view(torch.uint8)

        def copy(lo: int, hi: int, block: Tensor, wait: Callable[[], None]) -> None:
            block[: hi - lo].copy_(device[lo:hi], non_blocking=True)
            wait()
            np.copyto(host[lo:hi], block.numpy()[: hi - lo])

        self._run(copy, len(host))

    def _run(self, copy: Callable[[int, int, Tensor, Callable[[], None]], None], num_bytes: int) -> None:
        """Copy all blocks, each on a stream of its thread; what was launched before is waited for."""
        cuda = self.device.type == "cuda"
        if cuda:
            torch.cuda.synchronize(self.device)

        def one(bounds: tuple[int, int]) -> None:
            stream = torch.cuda.Stream(self.device) if cuda else None  # type: ignore[no-untyped-call]
            context: AbstractContextManager[Any] = torch.cuda.stream(stream) if stream else nullcontext()
            block = self.blocks.get()
            try:
                with context:
                    copy(*bounds, block, stream.synchronize if stream else _nothing)
            finally:
                self.blocks.put(block)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, blocks(num_bytes, self.block_bytes)))


def _nothing() -> None:
    """There is nothing to wait for on the CPU."""
