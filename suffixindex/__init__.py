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
    ServerError,
    SuffixIndexError,
    TokenizerError,
    UnaskableError,
    UnfinishedIndexError,
)

if TYPE_CHECKING:
    from suffixindex import lm, serve
    from suffixindex.building.publish import BuildReport
    from suffixindex.changing.appending import Appended, append
    from suffixindex.changing.merging import Merged, merge
    from suffixindex.changing.removing import Removed, Restored, remove, restore
    from suffixindex.construct import build, estimate_build
    from suffixindex.corpus.doctor import check_corpus
    from suffixindex.deduplicating import Deduplicated, deduplicate
    from suffixindex.exporting import export
    from suffixindex.index import SuffixIndex
    from suffixindex.integrity import verify
    from suffixindex.patterns import ANY, gap, pattern
    from suffixindex.results import (
        Concordance,
        Document,
        DocumentMatch,
        Duplicate,
        Duplicates,
        NextTokens,
        NgramCount,
        NgramProb,
        NgramStatistics,
        Novelty,
        Scores,
        Span,
        TextMatches,
        TokenCount,
        Variant,
        VariantCount,
        VariantCounts,
    )
    from suffixindex.serve.client import connect
    from suffixindex.suffix_sort import suffix_array

__version__ = "0.1.0"

_LAZY = {
    "ANY": "patterns",
    "Appended": "changing.appending",
    "BuildReport": "building.publish",
    "Deduplicated": "deduplicating",
    "Merged": "changing.merging",
    "Removed": "changing.removing",
    "Restored": "changing.removing",
    "SuffixIndex": "index",
    "append": "changing.appending",
    "build": "construct",
    "check_corpus": "corpus.doctor",
    "connect": "serve.client",
    "deduplicate": "deduplicating",
    "estimate_build": "construct",
    "export": "exporting",
    "gap": "patterns",
    "merge": "changing.merging",
    "pattern": "patterns",
    "remove": "changing.removing",
    "restore": "changing.removing",
    "suffix_array": "suffix_sort",
    "verify": "integrity",
    **dict.fromkeys(
        (
            "Concordance Document DocumentMatch Duplicate Duplicates NextTokens NgramCount NgramProb NgramStatistics Novelty "
            "Scores Span TextMatches TokenCount Variant VariantCount VariantCounts"
        ).split(),
        "results",
    ),
}

__all__ = [
    "ANY",
    "Appended",
    "BuildError",
    "BuildReport",
    "ClusterError",
    "Concordance",
    "CorpusError",
    "Deduplicated",
    "Document",
    "DocumentMatch",
    "Duplicate",
    "Duplicates",
    "FormatError",
    "Merged",
    "MissingDependencyError",
    "NextTokens",
    "NgramCount",
    "NgramProb",
    "NgramStatistics",
    "NoIndexError",
    "Novelty",
    "QueryError",
    "Removed",
    "Restored",
    "Scores",
    "ServerError",
    "Span",
    "SuffixIndex",
    "SuffixIndexError",
    "TextMatches",
    "TokenCount",
    "TokenizerError",
    "UnaskableError",
    "UnfinishedIndexError",
    "Variant",
    "VariantCount",
    "VariantCounts",
    "append",
    "build",
    "check_corpus",
    "connect",
    "deduplicate",
    "estimate_build",
    "export",
    "gap",
    "lm",
    "merge",
    "open",
    "pattern",
    "remove",
    "restore",
    "serve",
    "suffix_array",
    "verify",
]


def open(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    scheduler: str | None = None,
    *,
    threads: int | None = None,
    shards: tuple[int, int] | None = None,
    tokenizer: str | None = None,
    token_type: str | None = None,
    reversed: bool | None = None,
    separator: int | None = None,
    vocabulary_size: int | None = None,
    token_dtype: str | None = None,
) -> "SuffixIndex":
    """Open an index for questions; costs a ``stat`` a file. See :class:`SuffixIndex`.

    Parameters
    ----------
    path
        An index of ours, or a list of some of one tokenizer, which answer as one: their documents are numbered in this order, and
        have the field ``index``, its folder's name, or its whole path where two have the same. Or an index of infini-gram, versions
        4 to 6: a folder, or a list of folders. Or one of tokengrams: a pair of files ``.bin`` and ``.idx``, named by either, or a
        folder of pairs. Those are read as they lie, nothing is copied.
    scheduler
        Address or scheduler file of a Dask cluster that sees the index, one of ours, under the same path: its workers answer,
        see :class:`suffixindex.distributed.queries.ClusterIndex`.
    threads
        Cores that bulk questions use; all by default.
    shards
        Shards ``[first, last)`` alone of indexes of ours, as an index of the documents in them, which count from 0.
    tokenizer
        Of another engine's index, whose files do not say it: ``bytes``, or a Hugging Face name, folder or ``tokenizer.json``,
        for questions in text. This and what follows is remembered beside the files, or in the user's cache.
    token_type
        u8, u16 or u32, if another engine's files fit several.
    reversed
        Whether an infini-gram index holds its documents reversed, as version 5 does.
    separator
        The id that ends documents in tokengrams' files.
    vocabulary_size
        If it is smaller than the tokens' type allows, and no tokenizer says so.
    token_dtype
        The old name of ``token_type``.

    Raises
    ------
    NoIndexError, UnfinishedIndexError, FormatError, TokenizerError
        With what to do about it.
    """
    of_others = {
        "tokenizer": tokenizer,
        "token_type": token_type,
        "reversed": reversed,
        "separator": separator,
        "vocabulary_size": vocabulary_size,
        "token_dtype": token_dtype,
    }
    if scheduler is not None:
        given = [name for name, value in {**of_others, "shards": shards, "threads": threads}.items() if value is not None]
        if given or not isinstance(path, (str, os.PathLike)):
            out = f"leave {given[0]} out" if given else "leave other paths out, or make one index of them with suffixindex merge"
            raise QueryError(f"a cluster answers for one whole index of ours: {out}")
        from suffixindex.distributed.queries import ClusterIndex

        return ClusterIndex(path, scheduler)
    from suffixindex.index import SuffixIndex

    return SuffixIndex(path, threads=threads, shards=shards, **of_others)  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    if name in ("lm", "serve"):
        return import_module(f"suffixindex.{name}")
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
