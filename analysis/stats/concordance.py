"""Loops over pairs of rows that NumPy has no words for, compiled when first called."""

from collections.abc import Callable
from typing import Any

import numba

kernel: Callable[..., Any] = numba.njit(nogil=True, cache=True, error_model="numpy")


@kernel
def concordance(order, a, b, weights, below):  # type: ignore[no-untyped-def]
    """Σ over pairs of rows i, j of ``weights[i] * weights[j] * sign(a[i] - a[j]) * sign(b[i] - b[j])``, each pair once.

    ``order`` puts ``a`` in ascending order; ``b`` counts from 0; ``below`` is room for ``max(b) + 2`` sums, a binary indexed
    tree (Fenwick, 1994) of the weights by ``b``. O(n log max(b)).
    """
    below[:] = 0.0
    total, found, first = 0.0, 0.0, 0
    for stop in range(1, len(order) + 1):
        if stop < len(order) and a[order[stop]] == a[order[first]]:
            continue
        for i in range(first, stop):  # rows of one a first look, then enter: they are no pairs of each other
            row = order[i]
            if weights[row] == 0.0:
                continue
            less, place = 0.0, b[row]
            while place > 0:
                less += below[place]
                place &= place - 1
            up_to, place = 0.0, b[row] + 1
            while place > 0:
                up_to += below[place]
                place &= place - 1
            found += weights[row] * (less + up_to - total)
        for i in range(first, stop):
            row = order[i]
            if weights[row] == 0.0:
                continue
            total += weights[row]
            place = b[row] + 1
            while place < len(below):
                below[place] += weights[row]
                place += place & -place
        first = stop
    return found
