"""Kernels that read text."""

SPARE = 8
"""Bytes after a text, or after the words of a pool, that kernels read with it and may write: they take eight at once."""
