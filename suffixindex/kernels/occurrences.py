"""From ranks to documents: which documents hold an n-gram, how many hold several, and of which group they are.

``postings`` are those of :mod:`suffixindex.storage.tables`. A *stamp* is a number that no earlier call has written into
``stamps`` (int32, one a document): a document that carries it was met in this call. So nothing is cleared between calls. Tuples of
arrays are taken apart before a loop: inside one, each access costs as much as the memory it reads.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.kernels import BLOCK_SHIFT, MARKS_SHIFT
from suffixindex.kernels.guarded import BLOCK, check_block, position_at
from suffixindex.kernels.jit import helper, kernel, prefetch, scratch

AHEAD = 32
"""Ranks by which the memory is asked ahead for the block of a position: 30 % of a pair's time at 2,500 occurrences."""


class Clauses(NamedTuple):
    """Clause c is any of the intervals ``[lows[i], highs[i])`` with ``offsets[c] <= i < offsets[c + 1]``."""

    lows: NDArray[np.int64]
    highs: NDArray[np.int64]
    offsets: NDArray[np.int64]


class Lists(NamedTuple):
    """List i is ``documents[starts[i] : stops[i]]``."""

    documents: NDArray[np.uint32]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]


@helper
def _document(position, blocks, offsets):
    """The document that holds a position, which is one: O(documents that begin in its block), or O(1) by marks."""
    at = np.uint64(position)
    if len(offsets) == 1:
        word = at >> np.uint64(MARKS_SHIFT) << np.uint64(1)
        marks = np.uint64(blocks[word]) & (np.uint64(2) << (at & np.uint64(31))) - np.uint64(1)
        marks -= marks >> np.uint64(1) & np.uint64(0x55555555)  # of each two bits, how many are set, then of each four and eight
        marks = (marks & np.uint64(0x33333333)) + (marks >> np.uint64(2) & np.uint64(0x33333333))
        marks = marks + (marks >> np.uint64(4)) & np.uint64(0x0F0F0F0F)
        begun = marks * np.uint64(0x01010101) >> np.uint64(24) & np.uint64(63)
        return np.uint64(blocks[word + np.uint64(1)]) + begun - np.uint64(1)
    document = np.uint64(blocks[at >> np.uint64(BLOCK_SHIFT)])
    while offsets[document + np.uint64(1)] <= at:
        document += np.uint64(1)
    return document


@helper
def _look_ahead(suffix_array, blocks, offsets, rank):
    """Ask for the block that a later occurrence lies in."""
    position = np.int64(suffix_array[np.uint64(min(rank + AHEAD, len(suffix_array) - 1))])
    prefetch(blocks, position >> MARKS_SHIFT << 1 if len(offsets) == 1 else position >> BLOCK_SHIFT)


@kernel
def documents_at(positions, blocks, offsets, out):
    """Fill ``out`` with the document of each position."""
    for i in range(len(positions)):
        out[i] = _document(np.int64(positions[i]), blocks, offsets)


@kernel
def mark_documents(postings, low, high, marks):
    """Set ``marks[document]`` of every document that holds an occurrence. About 2.5 ns an occurrence."""
    suffix_array, blocks, offsets = postings
    size = np.int64(offsets[len(offsets) - 1])
    for rank in range(low, high):
        _look_ahead(suffix_array, blocks, offsets, rank)
        marks[_document(position_at(suffix_array, rank, size), blocks, offsets)] = True


@kernel
def count_documents(postings, low, high, first, last, stamps, stamp, counts):
    """Fill ``counts[q]`` with the number of documents of interval q, ``first <= q < last``; uses a stamp for each."""
    suffix_array, blocks, offsets = postings
    size = np.int64(offsets[len(offsets) - 1])
    for q in range(first, last):
        met = np.int32(stamp + q - first)
        found = np.int64(0)
        for rank in range(low[q], high[q]):
            _look_ahead(suffix_array, blocks, offsets, rank)
            document = _document(position_at(suffix_array, rank, size), blocks, offsets)
            found += np.int64(stamps[document] != met)
            stamps[document] = met
        counts[q] = found


@kernel
def list_documents(postings, clauses, wanted, first, last, stamps, stamp, lists):
    """Fill lists ``first <= i < last`` with the distinct documents of clause ``wanted[i]``, in the order met.

    Each begins at ``lists.starts[i]``; sets ``lists.stops[i]``. Uses a stamp for each.
    """
    suffix_array, blocks, offsets = postings
    size = np.int64(offsets[len(offsets) - 1])
    lows, highs, of_clauses = clauses
    documents, starts, stops = lists
    for i in range(first, last):
        met = np.int32(stamp + i - first)
        end = starts[i]
        for interval in range(of_clauses[wanted[i]], of_clauses[wanted[i] + 1]):
            for rank in range(lows[interval], highs[interval]):
                _look_ahead(suffix_array, blocks, offsets, rank)
                document = _document(position_at(suffix_array, rank, size), blocks, offsets)
                if stamps[document] != met:
                    stamps[document] = met
                    documents[end] = document
                    end += 1
        stops[i] = end


@kernel
def count_holding_all(suffix_array, blocks, offsets, intervals, clauses, stamps, stamp):
    """How many documents hold every clause: those that carry the last of as many stamps as there are clauses.

    Clause c is any of the ranks ``[intervals[i, 0], intervals[i, 1])`` with ``clauses[c] <= i < clauses[c + 1]``. A document
    moves up a stamp with each clause it holds, so clauses come by growing number of occurrences. At most 2.5 ns an occurrence;
    a clause is done when every document that is left holds it.
    """
    size = np.int64(offsets[len(offsets) - 1])
    left = np.int64(0)
    for interval in range(clauses[0], clauses[1]):
        for rank in range(intervals[interval, 0], intervals[interval, 1]):
            _look_ahead(suffix_array, blocks, offsets, rank)
            document = _document(position_at(suffix_array, rank, size), blocks, offsets)
            left += np.int64(stamps[document] != stamp)
            stamps[document] = stamp
    for clause in range(1, len(clauses) - 1):
        before = np.int32(stamp + clause - 1)
        found = np.int64(0)
        for interval in range(clauses[clause], clauses[clause + 1]):
            for rank in range(intervals[interval, 0], intervals[interval, 1]):
                _look_ahead(suffix_array, blocks, offsets, rank)
                document = _document(position_at(suffix_array, rank, size), blocks, offsets)
                held = np.int32(stamps[document] == before)
                stamps[document] += held  # the next stamp
                found += np.int64(held)
                if found == left:
                    break
            if found == left:
                break
        left = found
    return left


@kernel
def count_pairs(postings, clauses, frequent, groups, partners, lists, first, last, stamps, stamp, counts):
    """Count the documents of pairs of clauses, which come in groups, ``first <= g < last``, of one frequent clause each.

    The documents of clause ``frequent[g]`` are stamped once; pair p, ``groups[g] <= p < groups[g + 1]``, then looks through
    the list ``partners[p]``. Uses a stamp for each group. 2.5 ns an occurrence of frequent clauses, 1 ns a listed document.
    """
    suffix_array, blocks, offsets = postings
    size = np.int64(offsets[len(offsets) - 1])
    lows, highs, of_clauses = clauses
    documents, starts, stops = lists
    for group in range(first, last):
        met = np.int32(stamp + group - first)
        for interval in range(of_clauses[frequent[group]], of_clauses[frequent[group] + 1]):
            for block in range(lows[interval], highs[interval], BLOCK):
                for rank in range(block, check_block(suffix_array, block, highs[interval], size)):
                    stamps[_document(np.int64(suffix_array[np.uint64(rank)]), blocks, offsets)] = met
        for pair in range(groups[group], groups[group + 1]):
            together = np.int64(0)
            for i in range(starts[partners[pair]], stops[partners[pair]]):
                together += np.int64(stamps[np.int64(documents[i])] == met)
            counts[pair] = together


@kernel
def count_reading(tokens, document_offsets, documents, ids, starts, stops, clauses):
    """How many of the listed documents hold every clause, by reading them up to each clause's first occurrence.

    Clause c is any of the n-grams ``ids[starts[i] : stops[i]]`` with ``clauses[c] <= i < clauses[c + 1]``. About 1 ns a token.
    """
    together = np.int64(0)
    for i in range(len(documents)):
        begin = np.int64(document_offsets[np.int64(documents[i])])
        end = np.int64(document_offsets[np.int64(documents[i]) + 1])
        held = np.int64(0)
        for clause in range(len(clauses) - 1):
            found = False
            for ngram in range(clauses[clause], clauses[clause + 1]):
                length = stops[ngram] - starts[ngram]
                for position in range(begin, end - length + 1):
                    if np.int64(tokens[position]) == ids[starts[ngram]]:
                        same = np.int64(1)
                        while same < length and np.int64(tokens[position + same]) == ids[starts[ngram] + same]:
                            same += 1
                        if same == length:
                            found = True
                            break
                if found:
                    break
            if not found:
                break
            held += 1
        together += np.int64(held == len(clauses) - 1)
    return together


@kernel
def count_by_group(postings, low, high, groups, counts):
    """Add one to ``counts[groups[document]]`` for every occurrence. 4 to 5 ns each."""
    suffix_array, blocks, offsets = postings
    size = np.int64(offsets[len(offsets) - 1])
    documents = scratch(BLOCK, np.uint32)
    for first in range(low, high, BLOCK):
        end = check_block(suffix_array, first, high, size)
        if len(offsets) > 1:  # few documents, whose groups are near
            for rank in range(first, end):
                counts[groups[_document(np.int64(suffix_array[np.uint64(rank)]), blocks, offsets)]] += 1
            continue
        for rank in range(first, end):
            _look_ahead(suffix_array, blocks, offsets, rank)
            document = _document(np.int64(suffix_array[np.uint64(rank)]), blocks, offsets)
            documents[rank - first] = document
            prefetch(groups, np.int64(document))
        for i in range(end - first):
            counts[groups[documents[i]]] += 1


@kernel
def count_kept(postings, low, high, first, last, mask, counts):
    """Fill ``counts[q]`` with the occurrences in interval q, ``first <= q < last``, that lie in documents of ``mask``."""
    suffix_array, blocks, offsets = postings
    size = np.int64(offsets[len(offsets) - 1])
    for q in range(first, last):
        found = np.int64(0)
        for rank in range(low[q], high[q]):
            _look_ahead(suffix_array, blocks, offsets, rank)
            found += np.int64(mask[_document(position_at(suffix_array, rank, size), blocks, offsets)])
        counts[q] = found


@kernel
def keep(postings, low, high, first, last, mask, starts, ends, out):
    """Copy the positions of interval q, ``first <= q < last``, that lie in documents of ``mask`` to ``out[starts[q]:ends[q]]``.

    Sets ``ends[q]``.
    """
    suffix_array, blocks, offsets = postings
    size = np.int64(offsets[len(offsets) - 1])
    for q in range(first, last):
        end = starts[q]
        for rank in range(low[q], high[q]):
            _look_ahead(suffix_array, blocks, offsets, rank)
            position = position_at(suffix_array, rank, size)
            if mask[_document(position, blocks, offsets)]:
                out[end] = position
                end += 1
        ends[q] = end


@kernel
def keep_moved(postings, low, high, shifts, out):
    """Fill ``out`` with the positions of ranks ``[low, high)``, each less its document's shift; leave out where that is below 0.

    Returns how many they are. About 4 ns a rank.
    """
    suffix_array, blocks, offsets = postings
    size = np.int64(offsets[len(offsets) - 1])
    end = np.int64(0)
    for rank in range(low, high):
        _look_ahead(suffix_array, blocks, offsets, rank)
        position = position_at(suffix_array, rank, size)
        shift = shifts[_document(position, blocks, offsets)]
        out[end] = position - shift
        end += np.int64(shift >= 0)
    return end
