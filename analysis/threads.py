"""How many threads torch computes with: set here and nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Let torch compute with so many threads of a processor meanwhile; 0: as many as it takes itself.

    That is ``OMP_NUM_THREADS``, else one a core. Small models gain nothing from a second thread, and where other processes have the
    cores each operation waits for the slowest.
    """
    import torch

    before = torch.get_num_threads()
    if number:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
