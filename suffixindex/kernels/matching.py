"""Matching statistics: how far the corpus goes on with a text from each of its positions.

A bulk search for the first ``cap`` tokens from each position settles all shorter matches. A longer one is followed token by
token; when it ends at ``e``, the next position from which the corpus says one token more is found by galloping, and all
positions in between end at ``e`` too. So a text that the corpus holds as a whole is read about once, not once a position.
"""

import numpy as np

from suffixindex.kernels.guarded import inside, position_at
from suffixindex.kernels.jit import helper, kernel
from suffixindex.kernels.stored import place


@helper
def _common(tokens, position, ids, start, stop):
    """How many tokens from ``position`` on are those of ``ids[start:stop]``, which holds no separator, as the last token is."""
    length = np.int64(0)
    while start + length < stop and np.int64(tokens[position + length]) == ids[start + length]:
        length += 1
    return length


@helper
def _narrow(tokens, suffix_array, ids, start, known, length, low, high):
    """The part of the interval of ``ids[start : start + known]`` that begins with ``length`` tokens from ``start``."""
    below, above = low, high
    while below < above:
        middle = (below + above) >> 1
        position = np.int64(suffix_array[middle])
        same = known + _common(tokens, inside(position + known, len(tokens)), ids, start + known, start + length)
        if same < length and place(tokens, np.int64(tokens[position + same])) < place(tokens, ids[start + same]):
            below = middle + 1
        else:
            above = middle
    first = below
    above = high
    while below < above:
        middle = (below + above) >> 1
        position = inside(np.int64(suffix_array[middle]) + known, len(tokens))
        if _common(tokens, position, ids, start + known, start + length) == length - known:
            below = middle + 1
        else:
            above = middle
    return first, below


@kernel
def longest_prefixes(tokens, suffix_array, ids, starts, stops, first, last, low, high, lengths):
    """Fill ``lengths[q]`` with how much of ``ids[starts[q] : stops[q]]`` occurs, given its interval, ``first <= q < last``.

    Where the interval is empty it says where the n-gram would stand: its neighbours share most with it.
    """
    for q in range(first, last):
        if low[q] < high[q]:
            lengths[q] = stops[q] - starts[q]
            continue
        longest = np.int64(0)
        for rank in range(max(low[q] - 1, 0), min(low[q] + 1, np.int64(len(suffix_array)))):
            longest = max(longest, _common(tokens, position_at(suffix_array, rank, len(tokens)), ids, starts[q], stops[q]))
        lengths[q] = longest


@kernel
def follow_matches(tokens, suffix_array, ids, cap, first, last, low, high, lengths, counts):
    """Follow the matches of ``cap`` tokens in the text ``ids[first:last]`` to their ends; sets ``lengths`` and ``counts``.

    O(length of the match × log of its count) for each match that no other one contains.
    """
    start = first
    while start < last:
        if lengths[start] < cap:
            start += 1
            continue
        run = start  # the last of consecutive positions with matches of cap tokens
        while run + 1 < last and lengths[run + 1] >= cap:
            run += 1
        end = start + cap
        here_low, here_high = low[start], high[start]
        while True:
            # the corpus says ids[start:end], at the ranks [here_low, here_high)
            while end < last:
                narrower = _narrow(tokens, suffix_array, ids, start, end - start, end - start + 1, here_low, here_high)
                if narrower[0] == narrower[1]:
                    break
                here_low, here_high = narrower
                end += 1
            count = here_high - here_low
            lengths[start] = end - start
            counts[start] = count
            # the least position from which it goes on: those up to `fails` do not, `goes` does, or is beyond the run
            fails = start
            goes = run + 1
            if end == last:
                fails = run
            step = 1
            while fails + 1 < goes:
                at = fails + step if step > 0 else (fails + goes) >> 1
                if at >= goes:
                    step = 0
                    continue
                longer = end - at + 1 <= cap
                if not longer:
                    if high[at] - low[at] == 1:  # ids[at:end] occurs, so it does here
                        position = inside(np.int64(suffix_array[low[at]]) + end - at, len(tokens))
                        longer = np.int64(tokens[position]) == ids[end]
                    else:
                        narrower = _narrow(tokens, suffix_array, ids, at, cap, end - at + 1, low[at], high[at])
                        longer = narrower[0] < narrower[1]
                if longer:
                    goes = at
                    step = 0
                else:
                    fails = at
                    step *= 2
            for at in range(start + 1, min(goes, run + 1)):
                lengths[at] = end - at
                if high[at] - low[at] != count:  # else as many as of the shorter and of the longer: as many
                    narrower = _narrow(tokens, suffix_array, ids, at, cap, end - at, low[at], high[at])
                    count = narrower[1] - narrower[0]
                counts[at] = count
            if goes > run:
                break
            start = goes
            here_low, here_high = low[start], high[start]
            if start + cap <= end:
                if here_high - here_low > 1:
                    here_low, here_high = _narrow(tokens, suffix_array, ids, start, cap, end - start + 1, here_low, here_high)
                end += 1
            else:
                end = start + cap
        start = run + 1


@kernel
def count_spans(tokens, suffix_array, ids, starts, stops, cap, low, high, lengths, counts, out):
    """Fill ``out[q]`` with the occurrences of ``ids[starts[q] : stops[q]]`` where it has more than ``cap`` tokens.

    From what is known of the match at its start: its first ``cap`` tokens' interval, its length and its count.
    """
    for q in range(len(starts)):
        start, length = starts[q], stops[q] - starts[q]
        if length <= cap:
            continue
        if lengths[start] < length:
            out[q] = 0
        elif lengths[start] == length or high[start] - low[start] == counts[start]:
            out[q] = counts[start]
        else:
            narrower = _narrow(tokens, suffix_array, ids, start, cap, length, low[start], high[start])
            out[q] = narrower[1] - narrower[0]
