"""Sorting suffixes: tokens in, the suffix array out. The order is defined in :mod:`suffixindex.suffix_sort.text`."""

from suffixindex.suffix_sort.devices import suffix_array

__all__ = ["suffix_array"]
