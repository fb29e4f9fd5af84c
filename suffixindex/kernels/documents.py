"""Documents inside the token array."""

import numpy as np

from suffixindex.kernels.jit import kernel


@kernel
def append_separators(ids, lengths, separator, out):
    """Copy ragged documents, each followed by the separator; ``out`` has ``len(ids) + len(lengths)`` entries. O(tokens)."""
    source = 0
    target = 0
    for document in range(len(lengths)):
        for _ in range(lengths[document]):
            out[target] = ids[source]
            source += 1
            target += 1
        out[target] = separator
        target += 1


@kernel
def renumber(ids, numbers):
    """Replace each id by ``numbers[id]``, in place. O(tokens)."""
    for i in range(len(ids)):
        ids[i] = numbers[np.int64(ids[i])]
