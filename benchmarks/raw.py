"""An index of raw token ids, without text or tokenizer."""

from pathlib import Path

import numpy as np

import suffixindex as si
from suffixindex.storage.files import hash_file, write_array, write_bytes
from suffixindex.storage.format import (
    DOCUMENT_OFFSETS,
    SOURCES,
    SUFFIX_ARRAY,
    FileEntry,
    Manifest,
    ShardEntry,
    shard_folder,
)
from suffixindex.storage.tables import lookup_tables


def write_raw_index(folder: Path, tokens: np.ndarray) -> None:
    """Write ids that end with a separator, the largest of their type, as an index of one shard."""
    token_type = f"u{8 * tokens.itemsize}"
    separator = int(np.iinfo(tokens.dtype).max)
    shard = shard_folder(folder, 0)
    shard.mkdir(parents=True)
    offsets = np.append(0, np.flatnonzero(tokens == separator) + 1).astype(np.uint64)
    array = si.suffix_array(tokens, separator=separator)
    arrays = {
        f"tokens.{token_type}": tokens,
        SUFFIX_ARRAY: array,
        DOCUMENT_OFFSETS: offsets,
        **lookup_tables(tokens, array, offsets, separator),
    }
    files = {name: FileEntry(*write_array(shard / name, content)) for name, content in arrays.items()}
    write_bytes(folder / SOURCES, b"")
    entry = ShardEntry(len(offsets) - 1, len(tokens), files)
    sources = {SOURCES: FileEntry(*hash_file(folder / SOURCES))}
    Manifest(token_type, separator, {"kind": "none"}, {}, (entry,), sources).write(folder)
