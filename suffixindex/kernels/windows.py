"""Where occurrences of several n-grams start near each other."""

import numpy as np

from suffixindex.kernels.jit import kernel


@kernel
def documents_within(positions, documents, clauses, window, heads, found):
    """Fill ``found`` with the ascending distinct documents where a start of every clause lies within ``window`` of all others.

    Clause c starts at ``positions[i]``, ascending, in document ``documents[i]``, ``clauses[c] <= i < clauses[c + 1]``. Returns how
    many were found. The clause whose next start is the leftmost moves on, until one has none left: each of its starts is seen
    with the next one of every other, which are the nearest to the right. A document is done with when it was found.
    O(starts · clauses), 3 ns a start of two clauses. ``heads`` has room for a number of each clause.
    """
    number = len(clauses) - 1
    count = np.int64(0)
    for clause in range(number):
        heads[clause] = clauses[clause]
        if clauses[clause] == clauses[clause + 1]:
            return count
    while True:
        leftmost = np.int64(0)
        left = positions[heads[0]]
        right = left
        for clause in range(1, number):
            position = positions[heads[clause]]
            if position < left:
                left = position
                leftmost = clause
            right = max(right, position)
        if right - left <= window:
            document = documents[heads[leftmost]]
            together = True
            for clause in range(number):
                together &= documents[heads[clause]] == document
            if together and (count == 0 or found[count - 1] != document):
                found[count] = document
                count += 1
        heads[leftmost] += 1
        if heads[leftmost] == clauses[leftmost + 1]:
            return count
