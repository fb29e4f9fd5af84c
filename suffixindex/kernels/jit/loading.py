"""Numba without what it loads and no kernel needs."""

from importlib.util import find_spec

from numba.np import linalg


def load_arrays() -> None:
    """Load what compiled arrays need, but not SciPy: to see whether it is there, Numba imports its linear algebra, 0.15 s of it.

    Code that others compile finds it as before.
    """
    look = linalg.ensure_blas
    if find_spec("scipy") is not None:
        linalg.ensure_blas = lambda: None
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        linalg.ensure_blas = look
