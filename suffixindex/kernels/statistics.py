"""Distinct n-grams in the order of their ids, with their counts.

A prefix is the first ``width`` tokens of a suffix; where its document ends sooner, separators fill it up. The separator
is the largest id, so prefixes compare token by token in the order of the suffixes. A run is one distinct prefix with
the number of suffixes that begin with it.
"""

import numpy as np

from suffixindex.kernels import DamageError
from suffixindex.kernels.guarded import position_at
from suffixindex.kernels.jit import kernel, prefetch
from suffixindex.kernels.stored import place

AHEAD = 24  # ranks by which a suffix's text is asked for early


@kernel
def collect_runs(tokens, suffix_array, separator, lo, hi, step, prefixes, counts):
    """Write the distinct prefixes of every ``step``-th rank in ``[lo, hi)`` and their counts; returns how many they are.

    ``prefixes`` has a row for each and one more. A random read and O(width) a rank: loops of a fixed length, which are
    predicted, are faster than those that stop at the first difference.
    """
    width = prefixes.shape[1]
    runs = 0
    for rank in range(lo, hi, step):
        if rank + AHEAD * step < hi:
            prefetch(tokens, np.int64(suffix_array[rank + AHEAD * step]))
        position = position_at(suffix_array, rank, len(tokens))
        filled = 0
        while filled < width:
            prefixes[runs, filled] = tokens[position + filled]
            if np.int64(prefixes[runs, filled]) == separator:
                break
            filled += 1
        for i in range(filled, width):
            prefixes[runs, i] = separator
        new = runs == 0
        if runs > 0:
            for i in range(width):
                new |= prefixes[runs, i] != prefixes[runs - 1, i]
        if new:
            if runs == len(counts):
                raise DamageError  # more than ranks in order have
            counts[runs] = 0
            runs += 1
        counts[runs - 1] += 1
    return runs


@kernel
def find_ranks(tokens, suffix_array, separator, end, prefixes, ranks):
    """``ranks[i]``: the first rank below ``end`` whose suffix is not below ``prefixes[i]``. O(width log tokens) each."""
    width = prefixes.shape[1]
    for row in range(len(prefixes)):
        below, above = np.int64(0), np.int64(end)
        while below < above:
            middle = (below + above) >> 1
            position = position_at(suffix_array, middle, len(tokens))
            i = 0
            while i < width - 1 and tokens[position + i] == prefixes[row, i] and np.int64(prefixes[row, i]) != separator:
                i += 1
            if place(tokens, np.int64(tokens[position + i])) < place(tokens, np.int64(prefixes[row, i])):
                below = middle + 1
            else:
                above = middle
        ranks[row] = below


@kernel
def merge_runs(tokens, first, first_counts, second, second_counts, prefixes, counts):
    """Merge two lists of runs, ascending in the order of the suffixes of ``tokens``; returns the number of runs.

    Adds up the counts of what is in both.
    ``prefixes`` and ``counts`` have room for both lists. O(width) a run, no random reads.
    """
    width = prefixes.shape[1]
    i, j, runs = 0, 0, 0
    while i < len(first) or j < len(second):
        order = 0
        if i == len(first):
            order = 1
        elif j == len(second):
            order = -1
        else:
            column = 0
            while column < width and first[i, column] == second[j, column]:
                column += 1
            if column < width:
                order = -1 if place(tokens, np.int64(first[i, column])) < place(tokens, np.int64(second[j, column])) else 1
        counts[runs] = 0
        if order >= 0:
            for column in range(width):
                prefixes[runs, column] = second[j, column]
            counts[runs] += second_counts[j]
            j += 1
        if order <= 0:
            for column in range(width):
                prefixes[runs, column] = first[i, column]
            counts[runs] += first_counts[i]
            i += 1
        runs += 1
    return runs


@kernel
def count_runs(prefixes, counts, separator, previous, opened, total, count_of_counts):
    """Go through runs in ascending order and count, for n = 1 … width, the n-grams that end with them by their counts.

    All suffixes with an n-gram lie together: it starts with a run that differs from the one before within n tokens, and
    ends with the next such run. Carried from call to call: ``previous``, the last run's prefix (separators before the
    first); ``opened[n - 1]``, the suffixes before the n-gram that is open; ``total``, the suffixes so far, which is
    returned. A last run of separators closes all. The last column of ``count_of_counts`` takes all counts from there on.
    O(width) a run, without a branch.
    """
    width = prefixes.shape[1]
    more = np.int64(count_of_counts.shape[1] - 1)
    for run in range(len(prefixes)):
        differs = False
        for i in range(width):
            before = previous[i]
            previous[i] = prefixes[run, i]
            differs |= before != previous[i]
            closes = differs & (np.int64(before) != separator)
            count_of_counts[i, min(total - opened[i], more)] += closes
            opened[i] = total if differs else opened[i]
        total += counts[run]
    return total
