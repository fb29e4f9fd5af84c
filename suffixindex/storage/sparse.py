"""Counts of a few ids out of many, as two arrays: ascending ids and their counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def merge_counts(ids: Sequence[NDArray[Any]], counts: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add up sparse counts: ascending distinct ids and their sums."""
    if len(ids) == 1:
        return ids[0], counts[0]
    distinct, place = np.unique(np.concatenate(ids), return_inverse=True)
    return distinct, np.bincount(place, np.concatenate(counts), len(distinct)).astype(np.int64)
