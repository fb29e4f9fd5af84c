"""Numba kernels: loops over arrays and nothing else.

Every kernel takes arrays and scalars, returns scalars or fills a caller-allocated ``out``, and checks
nothing: its callers have validated. A module here holds kernels and the helpers they call, because a
cached kernel is not recompiled when a helper in another file changes.
"""
