"""infini-gram's indexes, versions 4, 5 and 6, as they lie on disk.

For each shard N: ``tokenized.N``, ids with a separator of bytes 0xFF before each document; ``table.N``, the suffix array,
whose entries are byte offsets and whose order is that of the bytes of the rest of the file; ``offset.N``, a byte offset for
each document's separator; perhaps ``metadata.N`` and ``metaoff.N``. Version 5 holds each document's tokens reversed; version 6
has one shard a folder, without ``.N``. No file says how wide a token is, nor whether documents are reversed: the width is
inferred from what the others hold, the direction from a folder's name that begins with ``v4_`` or ``v5_``, or it is asked for.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from suffixindex.errors import FormatError
from suffixindex.foreign.shard import Layout
from suffixindex.storage.files import map_array
from suffixindex.storage.format import TOKEN_TYPES

SHARD = re.compile(r"tokenized(\.\d+)?")
SAMPLED = 1000  # documents, and entries of a table, that are looked at to tell the width of tokens


def shard_names(folder: Path) -> list[str]:
    """The suffixes of a folder's shards, ``.0`` and so on, in the order of the engine, which is that of strings."""
    found = [match[1] or "" for name in sorted(os.listdir(folder)) if (match := SHARD.fullmatch(name))]
    if found and len(found) > 1 and "" in found:
        raise FormatError(f"{folder} holds both tokenized and tokenized.N: they are not of one index; keep one of them there")
    return found


def files_of(folder: Path, shard: str) -> list[Path]:
    """The files that a shard must have.

    Raises
    ------
    FormatError
        One is missing.
    """
    paths = [folder / f"{name}{shard}" for name in ("tokenized", "table", "offset")]
    for path in paths:
        if not path.exists():
            raise FormatError(
                f"{folder} lacks {path.name}, without which tokenized{shard} cannot be asked: copy the rest of the index"
            )
    return paths


def layouts(folders: Sequence[Path], token_type: str | None, mirrored: bool | None) -> list[Layout]:
    """How the shards of an index lie, in the engine's order.

    Raises
    ------
    FormatError
        A file is missing or damaged, or what was not said cannot be inferred.
    """
    shards = [(folder, shard) for folder in folders for shard in shard_names(folder)]
    types = [infer_types(*files_of(folder, shard)) for folder, shard in shards]
    agreed = [name for name in TOKEN_TYPES if all(name in found for found in types)]
    where = f"{folders[0]}{' and others' if len(folders) > 1 else ''}"
    if token_type is None:
        if len(agreed) > 1:
            raise FormatError(
                f"{where}: tokens may be {' or '.join(agreed)}: say which with {adopt(folders)} --token-dtype {agreed[0]}"
            )
        if not agreed:
            raise FormatError(
                f"{where}: tokenized, table and offset do not fit each other for u8, u16 or u32 tokens: "
                "a file was cut short or is of another index; copy it again"
            )
        token_type = agreed[0]
    for (folder, shard), found in zip(shards, types, strict=True):
        if token_type not in found:
            expected = (
                f"fit {' or '.join(found)} tokens" if found else "fit no width of tokens: a file was cut short; copy it again"
            )
            raise FormatError(
                f"{folder}: tokenized{shard}, table{shard} and offset{shard} do not fit {token_type} tokens; they {expected}"
            )
    if mirrored is None:
        mirrored = infer_direction(folders)
    return [_layout(folder, shard, token_type, mirrored) for folder, shard in shards]


def adopt(folders: Sequence[Path]) -> str:
    """The command that says what the files do not."""
    return f"suffixindex adopt {' '.join(map(str, folders))}"


def infer_direction(folders: Sequence[Path]) -> bool:
    """Whether documents are reversed, by the names of the folders."""
    named = {folder.name[:3] for folder in folders}
    if named in ({"v4_"}, {"v5_"}):
        return named == {"v5_"}
    raise FormatError(
        f"{folders[0]}: an infini-gram index does not say whether its documents are reversed (version 5): "
        f"say so with {adopt(folders)} --forward or --reversed"
    )


def infer_types(tokens: Path, table: Path, offsets: Path) -> list[str]:
    """The token types for which the files of a shard fit each other, narrow ones first. Reads a sample."""
    size, table_size, offsets_size = (path.stat().st_size for path in (tokens, table, offsets))
    if not size or not offsets_size or offsets_size % 8:
        return []
    starts = map_array(offsets, "<u8")
    sampled = starts[np.unique(np.linspace(0, len(starts) - 1, SAMPLED).astype(np.int64))]
    if starts[0] or (sampled[1:] <= sampled[:-1]).any() or int(sampled[-1]) >= size:
        return []
    content, entries = map_array(tokens, "u1"), map_array(table, "u1")
    return [name for name, dtype in TOKEN_TYPES.items() if _fits(content, entries, sampled, dtype.itemsize, table_size)]


def _fits(content: np.ndarray, entries: np.ndarray, starts: np.ndarray, width: int, table_size: int) -> bool:
    length, rest = divmod(len(content), width)
    if rest or table_size % length or not 1 <= (pointer := table_size // length) <= 8 or 256**pointer < len(content):
        return False
    if (starts % width).any() or int(starts[-1]) + width > len(content):
        return False
    if (content[starts.astype(np.int64)[:, None] + np.arange(width)] != 0xFF).any():
        return False
    ranks = np.unique(np.linspace(0, length - 1, SAMPLED).astype(np.int64))
    wide = np.zeros((len(ranks), 8), np.uint8)
    wide[:, :pointer] = entries[ranks[:, None] * pointer + np.arange(pointer)]
    positions = wide.view("<u8")[:, 0]
    return not (positions % width).any() and bool((positions < len(content)).all())


def _layout(folder: Path, shard: str, token_type: str, mirrored: bool) -> Layout:
    tokens, table, offsets = files_of(folder, shard)
    width = TOKEN_TYPES[token_type].itemsize
    length, num_documents = tokens.stat().st_size // width, offsets.stat().st_size // 8
    metadata = folder / f"metadata{shard}", folder / f"metaoff{shard}"
    there = [path.exists() for path in metadata]
    if any(there):
        if not all(there):
            raise FormatError(
                f"{folder} has one of metadata{shard} and metaoff{shard}, expected both or none: copy the rest of the index"
            )
        if metadata[1].stat().st_size != 8 * num_documents:
            raise FormatError(
                f"{metadata[1]} has {metadata[1].stat().st_size:,} bytes, expected {8 * num_documents:,}, "
                "8 a document: copy it again"
            )
        if int(map_array(metadata[1], "<u8")[-1]) >= metadata[0].stat().st_size:
            raise FormatError(f"{metadata[0]} ends before the last document's line: copy it again")
    return Layout(
        tokens=tokens,
        table=table,
        token_type=token_type,
        stored_type=token_type,
        pointer_bytes=table.stat().st_size // length,
        length=length,
        num_documents=num_documents,
        pointer_shift=width.bit_length() - 1,
        leading=1,
        offsets=offsets,
        swapped=True,
        mirrored=mirrored,
        metadata=metadata if all(there) else None,
    )
