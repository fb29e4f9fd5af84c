"""Continuation counts: how many different tokens stand before an n-gram, a document's start being one of them.

Ids of neighbours are numbers up to ``vocabulary_size``, which stands for the separator: before an n-gram for the start of
a document, after it for the end. Whether a neighbour is new is read off a table of when each was last seen, so that no
set is ever built.
"""

import numpy as np

from suffixindex.kernels import DamageError
from suffixindex.kernels.guarded import inside, position_at
from suffixindex.kernels.jit import helper, kernel, prefetch
from suffixindex.kernels.stored import place

AHEAD = 24  # ranks by which a suffix's text is asked for early


@helper
def _left(tokens, position, separator):
    return np.int64(tokens[position - 1]) if position > 0 else np.int64(separator)


@kernel
def collect_pairs(tokens, suffix_array, vocabulary_size, low, high, length, seen, keys, lefts):
    """Write each different (context, next token, token before the context); returns how many there are.

    The contexts, all of ``length`` tokens, are at ranks ``[low[q], high[q])``. ``keys`` takes q * (vocabulary_size + 1) +
    the next token, ascending, and ``lefts`` the token before; both have a row for each occurrence. ``seen`` holds
    vocabulary_size + 1 zeros. A random read an occurrence.
    """
    found = np.int64(0)
    stamp = np.int64(0)
    for query in range(len(low)):
        previous = np.int64(-1)
        for rank in range(low[query], high[query]):
            if rank + AHEAD < high[query]:
                prefetch(tokens, np.int64(suffix_array[rank + AHEAD]))
            position = position_at(suffix_array, rank, len(tokens))
            token = min(np.int64(tokens[inside(position + length, len(tokens))]), vocabulary_size)
            left = min(_left(tokens, position, vocabulary_size), vocabulary_size)
            if token != previous:
                previous = token
                stamp += 1
            if seen[left] != stamp:
                seen[left] = stamp
                keys[found] = query * (vocabulary_size + 1) + token
                lefts[found] = left
                found += 1
    return found


@kernel
def collect_followers(tokens, suffix_array, vocabulary_size, low, high, length, keys, counts):
    """Write each different (context, next token) with the number of its occurrences; returns how many there are.

    As ``collect_pairs``, which does not count occurrences.
    """
    found = np.int64(0)
    for query in range(len(low)):
        previous = np.int64(-1)
        for rank in range(low[query], high[query]):
            if rank + AHEAD < high[query]:
                prefetch(tokens, np.int64(suffix_array[rank + AHEAD]))
            token = min(np.int64(tokens[inside(np.int64(suffix_array[rank]) + length, len(tokens))]), vocabulary_size)
            if token != previous:
                previous = token
                keys[found] = query * (vocabulary_size + 1) + token
                counts[found] = 0
                found += 1
            counts[found - 1] += 1
    return found


@kernel
def collect_neighbours(tokens, suffix_array, separator, vocabulary_size, lo, hi, seen, rows, counts):
    """Write the different (prefix, token before it) of the ranks ``[lo, hi)`` in the order of prefixes; returns how many.

    A row is a prefix, filled up with separators, and the token before it in the last column. The counts of the rows of a
    prefix add up to its occurrences. ``rows`` has one more than there are; ``seen`` holds vocabulary_size + 1 zeros. A
    random read and O(width) a rank.
    """
    width = rows.shape[1] - 1
    found = np.int64(0)
    start = np.int64(0)  # the first row of this prefix, counted from 1
    for rank in range(lo, hi):
        if rank + AHEAD < hi:
            prefetch(tokens, np.int64(suffix_array[rank + AHEAD]))
        position = position_at(suffix_array, rank, len(tokens))
        filled = 0
        while filled < width:
            rows[found, filled] = tokens[position + filled]
            if np.int64(rows[found, filled]) == separator:
                break
            filled += 1
        for i in range(filled, width):
            rows[found, i] = separator
        new = found == 0
        if found > 0:
            for i in range(width):
                new |= rows[found, i] != rows[found - 1, i]
        if new:
            start = found + 1
        before = _left(tokens, position, separator)
        left = min(before, vocabulary_size)
        if seen[left] != start:
            seen[left] = start
            if found == len(counts):
                raise DamageError  # more than ranks in order have
            rows[found, width] = before
            counts[found] = 0
            found += 1
        counts[found - 1] += 1
    return found


@kernel
def merge_neighbours(tokens, first, first_counts, second, second_counts, rows, counts):
    """Merge two lists of rows by their prefixes, in the order of the suffixes of ``tokens``, whatever is in the last column.

    O(width) a row, no random reads.
    """
    width = rows.shape[1] - 1
    i, j = 0, 0
    for row in range(len(rows)):
        take_first = j == len(second)
        if i < len(first) and j < len(second):
            column = 0
            while column < width and first[i, column] == second[j, column]:
                column += 1
            take_first = column == width or place(tokens, np.int64(first[i, column])) < place(tokens, np.int64(second[j, column]))
        if take_first:
            counts[row] = first_counts[i]
            for column in range(width + 1):
                rows[row, column] = first[i, column]
            i += 1
        else:
            counts[row] = second_counts[j]
            for column in range(width + 1):
                rows[row, column] = second[j, column]
            j += 1


@kernel
def count_continuations(
    rows, counts, separator, vocabulary_size, total, previous, opened, continuations, last_seen, count_of_counts, unigrams
):
    """Go through rows in the order of their prefixes, and count the n-grams that end with them by their counts.

    The count of an n-gram of ``width`` tokens is that of its occurrences, of a shorter one that of the different tokens
    before it: a token is new if it was last seen before the n-gram's first row. Carried from call to call: ``total``, the
    rows so far, which is returned; ``previous``, the last row's prefix (separators before the first); ``opened[n - 1]``, the
    row at which the n-gram that is open begins, from 1; ``continuations[n - 1]``, its count; ``last_seen``, of each
    token before. A last row of separators closes all. ``count_of_counts[n - 1, c]``, whose last column takes all counts
    from there on, and ``unigrams[token]`` are what is found. O(width) a row.
    """
    width = rows.shape[1] - 1
    more = np.int64(count_of_counts.shape[1] - 1)
    for row in range(len(rows)):
        total += 1
        differs = False
        inside = np.int64(previous[0]) != separator  # an n-gram may end with a separator, and holds none before
        for i in range(width):
            before = np.int64(previous[i])
            differs |= before != np.int64(rows[row, i])
            if differs:
                if inside:
                    count_of_counts[i, min(continuations[i], more)] += 1
                    if i == 0:
                        if before >= len(unigrams):
                            raise DamageError  # no id of the vocabulary
                        unigrams[before] = continuations[0]
                previous[i] = rows[row, i]
                opened[i] = total
                continuations[i] = 0
            inside &= before != separator
        left = min(np.int64(rows[row, width]), vocabulary_size)
        for i in range(width - 1):
            continuations[i] += last_seen[left] < opened[i]
        continuations[width - 1] += counts[row]
        last_seen[left] = total
    return total
