"""Check a whole index: small tables, metadata, documents and a sample of the order, or every byte and the whole order."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError
from suffixindex.index import SuffixIndex
from suffixindex.opening import is_foreign
from suffixindex.storage.earlier import open_shard
from suffixindex.storage.files import hash_file
from suffixindex.storage.format import (
    DOCUMENT_BLOCKS,
    SEARCH_TREE,
    SHARD_MARKER,
    SUFFIX_ARRAY,
    Manifest,
    ShardEntry,
)
from suffixindex.storage.history import left_bytes
from suffixindex.storage.layout import check_layout
from suffixindex.storage.shard import Shard
from suffixindex.storage.tables import lookup_tables
from suffixindex.suffix_sort.check import check_suffix_array, sample_check_suffix_array
from suffixindex.system.memory import cpu_count

CHECKED_TOKENS = 1 << 24  # whose ids are compared at a time


class Checked(NamedTuple):
    """What a verification looked at."""

    shards: int
    tokens: int
    full: bool
    suffixes_compared: int
    left_bytes: int = 0
    """Of files that lie beside the index: of documents that were removed, or of an append under way."""

    def __str__(self) -> str:
        what = (
            "every hash and the whole order"
            if self.full
            else f"sizes, tables, metadata, documents and {self.suffixes_compared:,} neighbouring suffixes"
        )
        left = f"; {self.left_bytes:,} bytes of what was removed or replaced lie beside it" if self.left_bytes else ""
        return f"{self.shards} shard{'s' * (self.shards != 1)}, {self.tokens:,} tokens; checked {what}{left}"


def verify(
    index: str | os.PathLike[str], *, full: bool = False, samples: int = 10_000, seed: int = 0, threads: int | None = None
) -> Checked:
    """Check an index; returns what was checked.

    Parameters
    ----------
    index
        Its folder; of an index of another engine, which has no hashes, the documents, their metadata and the order are checked:
        text that was changed into other text in order is not noticed there.
    full
        Compare every sha256 and check that each suffix array is a permutation in order: O(tokens) time, reads everything,
        4 bytes of memory a token of the largest shard. Otherwise the sha256 of all files but tokens and suffix arrays, and
        ``samples`` pairs of neighbours in each shard, drawn with ``seed``.

    Raises
    ------
    NoIndexError, UnfinishedIndexError, FormatError
        The first thing that is wrong, and where.
    """
    folder = Path(index)
    threads = threads or cpu_count()
    if is_foreign(folder):
        return _verify_foreign(folder, full, samples, seed)
    manifest = Manifest.read(folder)
    files = check_layout(folder, manifest)
    _check_hashes(manifest, folder, threads, full=full)
    compared = 0
    for place, entry in zip(manifest.shard_folders(folder), manifest.shards, strict=True):
        shard = open_shard(place, entry, manifest.token_type, manifest.vocabulary_size, files)
        _check_marker(shard.folder, entry)
        size = entry.vocabulary_size or manifest.vocabulary_size
        _check_documents(shard, manifest.separator, size)
        _check_metadata(shard)
        if full:
            bad = check_suffix_array(shard.tokens, shard.suffix_array, manifest.separator, threads)
            compared += entry.length
        else:
            bad = sample_check_suffix_array(shard.tokens, shard.suffix_array, manifest.separator, samples, seed)
            compared += min(samples, entry.length)
        if bad >= 0:
            raise FormatError(f"{shard.folder / 'suffix_array.u32'}: rank {bad:,} is out of order or no position; build again")
        if full:
            _check_tables(shard, entry, size)
    return Checked(len(manifest.shards), manifest.num_tokens, full, compared, left_bytes(folder))


def _verify_foreign(folder: Path, full: bool, samples: int, seed: int) -> Checked:
    """An index of another engine, which has no hashes."""
    from suffixindex.foreign.checking import check_shard
    from suffixindex.foreign.shard import StoredShard

    with SuffixIndex(folder) as opened:
        compared = sum(check_shard(shard, samples, seed, full=full) for shard in opened.shards if isinstance(shard, StoredShard))
        return Checked(len(opened.shards), opened.num_tokens, full, compared)


def _check_hashes(manifest: Manifest, folder: Path, threads: int, *, full: bool) -> None:
    """The content of all files, or of all but the two that are large: tokens and suffix arrays."""
    large = (f"tokens.{manifest.token_type}", SUFFIX_ARRAY)
    files = [(path, entry) for path, entry in manifest.listed_files(folder) if full or path.name not in large]
    with ThreadPoolExecutor(threads) as pool:
        for (path, entry), (_, found) in zip(files, pool.map(hash_file, [path for path, _ in files]), strict=True):
            if found != entry.sha256:
                raise FormatError(
                    f"{path.relative_to(folder)} in {folder} has sha256 {found[:12]}…, expected {entry.sha256[:12]}…: "
                    "its content changed; restore the file or build again"
                )


def _check_marker(folder: Path, entry: ShardEntry) -> None:
    if ShardEntry.read(folder) != replace(entry, vocabulary_size=None, folder=None):
        raise FormatError(f"{folder / SHARD_MARKER} and the manifest differ: the shard belongs to another build")


def _check_documents(shard: Shard, separator: int, vocabulary_size: int) -> None:
    """A separator stands at each document's end and nowhere else; the offsets themselves are checked as they are mapped."""
    offsets = shard.document_offsets.astype(np.int64)
    name = shard.folder / "document_offsets.u64"
    if (shard.tokens[offsets[1:] - 1] != separator).any():
        raise FormatError(f"{name}: a document does not end with a separator; build again")
    separators = 0
    for start in range(0, shard.length, CHECKED_TOKENS):
        block = shard.tokens[start : start + CHECKED_TOKENS]
        ends = int(np.count_nonzero(block == separator))
        separators += ends
        if ends != np.count_nonzero(block >= vocabulary_size):
            raise FormatError(f"{shard.folder}: an id is outside the vocabulary of {vocabulary_size:,}; build again")
    if separators != shard.num_documents:
        raise FormatError(f"{shard.folder} has {separators:,} separators, expected {shard.num_documents:,}; build again")


def _check_metadata(shard: Shard) -> None:
    """Every line is a record, and where the offsets say; the columns say of every document what its line does."""
    if shard.metadata_path is None:
        return
    first = 0
    for records in shard.metadata_lines.records():
        shard.fields.check(first, records)
        first += len(records)
    shard.metadata_lines.check_starts()


def _check_tables(shard: Shard, entry: ShardEntry, vocabulary_size: int) -> None:
    """Lookup tables are those that the other arrays make; format version 1 has none."""
    if not {SEARCH_TREE, DOCUMENT_BLOCKS} <= entry.files.keys():
        return
    expected = lookup_tables(shard.tokens, shard.suffix_array, shard.document_offsets, vocabulary_size)
    found: dict[str, NDArray[Any]] = {SEARCH_TREE: shard.search_tree.keys, DOCUMENT_BLOCKS: shard.document_blocks}
    for name, array in expected.items():
        if not np.array_equal(found[name], array):
            raise FormatError(f"{shard.folder / name} does not fit the other arrays; build again")
