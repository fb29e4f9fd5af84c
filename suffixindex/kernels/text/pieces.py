"""From ids to the bytes that they stand for."""

import numpy as np

from suffixindex.kernels.jit import kernel


@kernel
def join_pieces(pool, offsets, ids, rows, out, stops):
    """Write ``pool[offsets[id] : offsets[id + 1]]`` of each id into ``out``, one after the other, as far as there is room.

    Row r is the ids ``[rows[r], rows[r + 1])``; its bytes end at ``stops[r]``. 2 ns an id, and 2 a byte that is written.
    """
    at = np.int64(0)
    for row in range(len(stops)):
        for i in range(rows[row], rows[row + 1]):
            begin = np.int64(offsets[ids[i]])
            size = np.int64(offsets[ids[i] + 1]) - begin
            if at + size <= len(out):
                for k in range(size):
                    out[np.uint64(at + k)] = pool[np.uint64(begin + k)]
            at += size
        stops[row] = at
