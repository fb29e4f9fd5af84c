"""An index of ours of some documents of another engine's, whose files stay as they are.

Other engines order suffixes past the ends of documents, so that each document decides where suffixes of the one before it stand:
without some of them the order is another one. So what stays is written as a corpus of ids is, and sorted.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.budget import shard_capacity
from suffixindex.building.sort_shards import sort_shard
from suffixindex.building.writer import ShardFiles, TokenWriter
from suffixindex.changing.removal import Removal
from suffixindex.errors import BuildError
from suffixindex.opening import OpenedIndex
from suffixindex.storage.files import copy_file, hash_file, make_folder, write_bytes
from suffixindex.storage.format import SOURCES, FileEntry, Manifest, shard_folder
from suffixindex.storage.layout import check_layout
from suffixindex.storage.shard import Shard
from suffixindex.system.exact_json import dumps
from suffixindex.system.memory import MAX_TOKENS
from suffixindex.system.progress import Bar
from suffixindex.tokenizers.hub import TOKENIZER_FILE

BATCH = 1 << 22  # tokens that are read at a time


def write_rest(
    opened: OpenedIndex, removal: Removal, record: Mapping[str, Any], folder: Path, threads: int, show_progress: bool | None
) -> Manifest:
    """Make an index of what stays in a folder, which is absent; its manifest. Costs the sort of a build, and its memory.

    Raises
    ------
    BuildError
        A document is longer than a shard may be.
    """
    theirs = opened.manifest
    token_type, size = theirs.token_type, theirs.vocabulary_size
    keeps_metadata = all(shard.metadata_path is not None for shard in opened.shards)
    longest = max(int(np.diff(_offsets(shard)).max()) for shard in opened.shards)
    if longest > MAX_TOKENS:
        raise BuildError(
            f"{opened.path} holds a document of {longest - 1:,} tokens, and a shard of ours has {MAX_TOKENS:,} at most"
        )
    capacity = max(shard_capacity(None, None, token_type, threads), longest)
    make_folder(folder)
    writer = TokenWriter(folder, token_type, capacity, keeps_metadata)
    with closing(ShardFiles(folder, token_type)) as files:
        for shard, stays in zip(opened.shards, removal.kept, strict=True):
            for tokens, lengths, metadata in _documents(shard, stays, keeps_metadata):
                line_bytes = np.array([len(line) for line in metadata], np.int64) if keeps_metadata else None
                files.write(writer.place(lengths, line_bytes), tokens, lengths, metadata)
    sizes = writer.finish()
    shards, done = [], 0
    with Bar("sort", sum(shard.length for shard in sizes), "token", show_progress) as bar:
        for number, shard_size in enumerate(sizes):
            show = partial(_show, bar, done, shard_size.length)
            shards.append(sort_shard(shard_folder(folder, number), shard_size, token_type, size, threads, show))
            done += shard_size.length
    found = [(name, Path(name).stat()) for name in theirs.settings["files"]]
    sources = "".join(json.dumps({"path": name, "bytes": one.st_size, "mtime_ns": one.st_mtime_ns}) + "\n" for name, one in found)
    listed = {SOURCES: FileEntry(*write_bytes(folder / SOURCES, sources.encode()))}
    if theirs.tokenizer["kind"] == "huggingface":
        copy_file(opened.tokenizer_folder / TOKENIZER_FILE, folder / TOKENIZER_FILE)
        listed[TOKENIZER_FILE] = FileEntry(*hash_file(folder / TOKENIZER_FILE))
    settings = {
        "inputs": sha256(sources.encode()).hexdigest(),
        "metadata": keeps_metadata,
        "shard_capacity": capacity,
        "removed": [dict(record)],
    }
    manifest = Manifest(token_type, size, theirs.tokenizer, settings, tuple(shards), listed)
    check_layout(folder, manifest)
    manifest.write(folder)
    return manifest


def _show(bar: Bar, before: int, length: int, share: float) -> None:
    bar.show(before + int(share * length))


def _offsets(shard: Shard) -> NDArray[np.int64]:
    return np.asarray(shard.document_offsets).astype(np.int64)


def _documents(
    shard: Shard, stays: NDArray[np.bool_], keeps_metadata: bool
) -> Iterator[tuple[NDArray[Any], NDArray[np.int64], list[bytes]]]:
    """The documents that stay, some at a time: their tokens with separators, their lengths without, and lines of metadata."""
    offsets, first = _offsets(shard), 0
    while first < shard.num_documents:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + BATCH, side="right")) - 1)
        here, lengths = stays[first:last], np.diff(offsets[first : last + 1])
        if here.any():
            tokens = shard.read(int(offsets[first]), int(offsets[last]))[np.repeat(here, lengths)]
            records = shard.metadata_lines.records_of(first + np.flatnonzero(here)) if keeps_metadata else []
            yield tokens, lengths[here] - 1, [dumps(record).encode() + b"\n" for record in records]
        first = last
