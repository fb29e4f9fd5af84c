"""suffixindex: a suffix-array index over a language model's training corpus, built once on disk, asked at once.

>>> import suffixindex as si
>>> si.build("corpus/*.jsonl.zst", "my-index", tokenizer="words")      # doctest: +SKIP
>>> index = si.open("my-index")                                        # doctest: +SKIP
>>> index.count("natural language processing")                         # doctest: +SKIP

Importing this loads none of numba, torch or transformers; what needs them loads them when it is first used.
"""

import os
from collections.abc import Sequence
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
    from suffixindex.exporting import export
    from suffixindex.index import SuffixIndex
    from suffixindex.integrity import verify
    from suffixindex.suffix_sort.sort import suffix_array

__version__ = "0.1.0"

_LAZY = {
    "BuildReport": "construct",
    "SuffixIndex": "index",
    "build": "construct",
    "estimate_build": "construct",
    "export": "exporting",
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
    "export",
    "lm",
    "open",
    "suffix_array",
    "verify",
]


def open(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], scheduler: str | None = None, **said: Any
) -> "SuffixIndex":
    """Open an index for questions; costs a ``stat`` a file. See :class:`SuffixIndex`.

    Parameters
    ----------
    path
        An index of ours. Or one of infini-gram, versions 4 to 6: a folder, or a list of folders. Or one of tokengrams: a pair
        of files ``.bin`` and ``.idx``, named by either, or a folder of pairs. Those are read as they lie, nothing is copied.
    scheduler
        Address or scheduler file of a Dask cluster that sees the index, one of ours, under the same path: its workers answer,
        see :class:`suffixindex.distributed.queries.ClusterIndex`.
    said
        What the files of another engine do not say; it is remembered beside them or in the user's cache.
        ``tokenizer``: ``bytes``, or a Hugging Face name, folder or ``tokenizer.json``, for questions in text.
        ``token_dtype``: u8, u16 or u32, if the files fit several. ``reversed``: whether an infini-gram index holds its
        documents reversed, as version 5 does. ``separator``: the id that ends documents in tokengrams' files.
        ``vocabulary_size``: if it is smaller than the tokens' type allows and no tokenizer says so.

    Raises
    ------
    NoIndexError, UnfinishedIndexError, FormatError, TokenizerError
        With what to do about it.
    """
    if scheduler is not None:
        if said or not isinstance(path, (str, os.PathLike)):
            raise QueryError("a cluster answers for one index of ours: open another engine's without a scheduler")
        from suffixindex.distributed.queries import ClusterIndex

        return ClusterIndex(path, scheduler)
    from suffixindex.index import SuffixIndex

    return SuffixIndex(path, **said)


def __getattr__(name: str) -> Any:
    if name == "lm":
        return import_module("suffixindex.lm")
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
