"""Documents that a question has seen: an array that kernels put stamps in, and never clear."""

import threading

import numpy as np

LAST = 2**31 - 1


class Stamps(threading.local):
    """Each thread's own array of int32, one a document, and the stamps it has used."""

    def __init__(self, size: int) -> None:
        self.array = np.zeros(size, np.int32)
        self._used = 0

    def take(self, count: int) -> int:
        """The first of ``count`` consecutive stamps that no entry of the array carries."""
        if self._used + count > LAST:
            self.array[:] = 0
            self._used = 0
        first = self._used + 1
        self._used += count
        return first
