"""Many p-values at once: what share of those that are called significant would be so by chance."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.errors import MeasureError


def adjusted(p_values: ArrayLike) -> NDArray[np.float64]:
    """q-values of Benjamini and Hochberg (1995): calling all with q ≤ α significant errs in a share of at most α of these calls.

    The guarantee is of tests that are independent or depend on each other positively (Benjamini and Yekutieli 2001), as those of
    one set of examples do. A p-value that is nan was no test: it stays nan and is not counted.

    Raises
    ------
    MeasureError
        A p-value outside of [0, 1].

    Examples
    --------
    >>> adjusted([0.01, 0.02, 0.03, 0.5]).tolist()
    [0.04, 0.04, 0.04, 0.5]
    """
    from scipy.stats import false_discovery_control

    found = np.array(p_values, np.float64)
    tested = ~np.isnan(found)
    if tested.any():
        if not ((found[tested] >= 0) & (found[tested] <= 1)).all():
            raise MeasureError("a p-value is outside of [0, 1]: expected probabilities")
        found[tested] = false_discovery_control(found[tested], method="bh")
    return found
