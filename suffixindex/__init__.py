"""suffixindex: a suffix-array index over a language model's training corpus, built once on disk, asked at once.

>>> import suffixindex as si
>>> si.build("corpus/*.jsonl.zst", "my-index", tokenizer="words")      # doctest: +SKIP
>>> index = si.open("my-index")                                        # doctest: +SKIP
>>> index.count("natural language processing")                         # doctest: +SKIP

Importing this loads none of numba, torch or transformers; what needs them loads them when it is first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from suffixindex.errors import (
    BuildError,
    ClusterError,
    CorpusError,
    FormatError,
    MissingDependencyError,
    NoIndexError,
    QueryError,
    SuffixIndexError,
    TokenizerError,
    UnfinishedIndexError,
)
from suffixindex.results import (
    Concordance,
    Document,
    DocumentMatch,
    Duplicate,
    Duplicates,
    NextTokens,
    NgramCount,
    NgramStatistics,
    Novelty,
    TokenCount,
    Variant,
    VariantCount,
    VariantCounts,
)

if TYPE_CHECKING:
    from suffixindex import lm
    from suffixindex.construct import BuildReport, build, estimate_build
    from suffixindex.index import SuffixIndex
    from suffixindex.integrity import verify
    from suffixindex.suffix_sort import suffix_array

__version__ = "0.1.0"

_LAZY = {
    "BuildReport": "construct",
    "SuffixIndex": "index",
    "build": "construct",
    "estimate_build": "construct",
    "suffix_array": "suffix_sort",
    "verify": "integrity",
}

__all__ = [
    "BuildError",
    "BuildReport",
    "ClusterError",
    "Concordance",
    "CorpusError",
    "Document",
    "DocumentMatch",
    "Duplicate",
    "Duplicates",
    "FormatError",
    "MissingDependencyError",
    "NextTokens",
    "NgramCount",
    "NgramStatistics",
    "NoIndexError",
    "Novelty",
    "QueryError",
    "SuffixIndex",
    "SuffixIndexError",
    "TokenCount",
    "TokenizerError",
    "UnfinishedIndexError",
    "Variant",
    "VariantCount",
    "VariantCounts",
    "build",
    "estimate_build",
    "lm",
    "open",
    "suffix_array",
    "verify",
]


def open(path: str | os.PathLike[str], scheduler: str | None = None) -> "SuffixIndex":
    """Open an index for questions; costs a ``stat`` a file. See :class:`SuffixIndex`.

    With ``scheduler``, the address or the scheduler file of a Dask cluster that sees the index under the same path, its
    workers answer, see :class:`suffixindex.distributed.queries.ClusterIndex`.
    """
    if scheduler is not None:
        from suffixindex.distributed.queries import ClusterIndex

        return ClusterIndex(path, scheduler)
    from suffixindex.index import SuffixIndex

    return SuffixIndex(path)


def __getattr__(name: str) -> Any:
    if name == "lm":
        return import_module("suffixindex.lm")
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
