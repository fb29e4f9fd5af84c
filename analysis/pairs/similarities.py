"""How similar the pairs of a task are: what each γ would keep, which is how γ is chosen."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from analysis.schemas import SIMILARITIES
from analysis.tables import table_of

EDGES: NDArray[np.float64] = np.linspace(-1, 1, 201).round(2)
"""Values of γ: a cosine in steps of 0.01."""
SHARES = (0.01, 0.05, 0.1)
"""Of the compared pairs, what a γ is asked to keep."""


class Similarities:
    """Counts the compared pairs of each task and n above each γ, whatever γ the study has."""

    def __init__(self) -> None:
        self._below: Mapping[tuple[str, int], NDArray[np.int64]] = defaultdict(lambda: np.zeros(len(EDGES) + 1, np.int64))

    def add(self, task: str, n: int, similarity: ArrayLike) -> None:
        """The similarities of the pairs of an example. O(pairs log 201)."""
        values = np.asarray(similarity, np.float64).round(6)  # float32's seventh digit is rounding
        self._below[task, n][:] += np.bincount(np.searchsorted(EDGES, values.ravel()), minlength=len(EDGES) + 1)

    def table(self) -> pa.Table:
        """SIMILARITIES: from the last γ that keeps all pairs to the first that keeps none."""
        rows = []
        for (task, n), below in self._below.items():
            above = below.sum() - np.cumsum(below)[:-1]
            first, last = int((above == below.sum()).sum()), len(EDGES) - int((above == 0).sum())
            for place in range(max(first - 1, 0), min(last + 1, len(EDGES))):
                gamma = round(float(EDGES[place]), 2)
                rows.append({"task": task, "n": n, "gamma": gamma, "num_above": int(above[place]), "num_pairs": int(below.sum())})
        return table_of(rows, SIMILARITIES)

    def advice(self) -> str:
        """Which γ would keep how many of the compared pairs, in words; "" if none were compared."""
        told = []
        for (_, n), below in self._below.items():
            above = below.sum() - np.cumsum(below)[:-1]
            if below.sum():
                kept = [f"{share:.0%} above {EDGES[int(np.argmax(above <= share * below.sum()))]:.2f}" for share in SHARES]
                told.append(f"n = {n}: at most {', '.join(kept)}")
        return "; ".join(told)
