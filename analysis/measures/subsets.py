"""Which examples are of a task, and which of its subsets: subjects, language pairs."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def groups_of(names: Sequence[tuple[str, str]], by_subset: bool) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
    """(task, subset, places) of examples whose (task, subset) are given: each whole task, and after it its subsets if asked."""
    for task in sorted({task for task, _ in names}):
        yield task, "", np.array([place for place, name in enumerate(names) if name[0] == task])
        for subset in sorted({subset for of, subset in names if of == task and subset}) if by_subset else ():
            yield task, subset, np.array([place for place, name in enumerate(names) if name == (task, subset)])
