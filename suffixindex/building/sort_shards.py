"""The second half of a build, shard by shard: tokens -> suffix array, tables, columns, hashes; the marker comes last."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from suffixindex.building.state import ShardSize
from suffixindex.errors import FormatError
from suffixindex.storage.fields.writing import write_columns
from suffixindex.storage.files import IO_BYTES, hash_file, map_array, remove, write_array, write_blocks, write_bytes
from suffixindex.storage.format import (
    DOCUMENT_OFFSETS,
    METADATA,
    METADATA_OFFSETS,
    SHARD_MARKER,
    SUFFIX_ARRAY,
    TOKEN_TYPES,
    FileEntry,
    ShardEntry,
    separator_of,
)
from suffixindex.storage.tables import lookup_tables


def sort_shard(
    folder: Path,
    size: ShardSize,
    token_type: str,
    vocabulary_size: int,
    threads: int,
    progress: Callable[[float], None],
    known: Mapping[str, FileEntry] | None = None,
    *,
    device: str = "cpu",
    number: int = 0,
) -> ShardEntry:
    """Sort the shard in ``folder``; every file is whole when this returns, and the marker is written last.

    ``known`` files need no hashing. ``number`` is the shard's, where several are shared out to several GPUs. See
    :func:`suffixindex.suffix_sort.devices.suffix_array` for what it costs.
    """
    tokens_path = folder / f"tokens.{token_type}"
    _narrow(folder, tokens_path)
    tokens = map_array(tokens_path, TOKEN_TYPES[token_type])
    if len(tokens) != size.length:
        raise FormatError(f"{tokens_path} has {len(tokens):,} tokens, expected {size.length:,}: start anew with --restart")
    from suffixindex.suffix_sort import suffix_array

    separator = separator_of(token_type)
    array = suffix_array(tokens, separator=separator, threads=threads, device=device, shard=number, progress=progress)
    files: dict[str, FileEntry] = dict(known or {})
    names = [tokens_path.name, DOCUMENT_OFFSETS]
    if (folder / METADATA).exists():
        names += [METADATA, METADATA_OFFSETS]
    with ThreadPoolExecutor(1 + threads) as pool:  # one waits for the disk
        writing = pool.submit(write_array, folder / SUFFIX_ARRAY, array)
        columns = pool.submit(write_columns, folder) if METADATA in names else None
        hashes = {name: pool.submit(hash_file, folder / name) for name in names if name not in files}
        tables = lookup_tables(tokens, array, map_array(folder / DOCUMENT_OFFSETS, "<u8"), vocabulary_size)
        written = {SUFFIX_ARRAY: FileEntry(*writing.result())}
        written |= {name: FileEntry(*write_array(folder / name, content)) for name, content in tables.items()}
        files |= {name: FileEntry(*future.result()) for name, future in hashes.items()}
        written |= columns.result() if columns is not None else {}
    entry = ShardEntry(size.documents, size.length, {**{name: files[name] for name in names}, **written})
    write_bytes(folder / SHARD_MARKER, json.dumps(entry.to_json(), indent=1).encode())
    return entry


def _narrow(folder: Path, tokens_path: Path) -> None:
    """Rewrite the tokens of `words` where the vocabulary fits a narrower type: the separator, all ones, keeps all ones there."""
    dtype = TOKEN_TYPES[tokens_path.suffix[1:]]
    for wider in [name for name in TOKEN_TYPES if TOKEN_TYPES[name].itemsize > dtype.itemsize]:
        if (path := folder / f"tokens.{wider}").exists():
            wide = map_array(path, TOKEN_TYPES[wider])
            step = IO_BYTES // wide.itemsize
            write_blocks(tokens_path, (wide[i : i + step].astype(dtype).tobytes() for i in range(0, len(wide), step)))
            del wide
            remove(path)
