"""Write an index of ours as other engines read it: infini-gram's version 4, or tokengrams' pairs of files.

Both order suffixes otherwise than we do: past separators to the end of the file, infini-gram by the bytes of ids. So the suffixes
of each shard are sorted anew. Shards keep their order, and with it documents their numbers.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import BuildError, SuffixIndexError
from suffixindex.index import SuffixIndex
from suffixindex.storage.files import IO_BYTES, make_folder, move_folder, remove, write_blocks
from suffixindex.storage.shard import Shard
from suffixindex.suffix_sort.devices import suffix_array
from suffixindex.system.exact_json import dumps
from suffixindex.system.memory import cpu_count

FORMATS = ("infini-gram", "tokengrams")
WRITTEN_ENTRIES = 1 << 20  # entries of a table that are written at a time


class Exported(NamedTuple):
    """What was written, and what it takes to open it there."""

    path: Path
    num_shards: int
    num_bytes: int
    note: str


def export(index: str | os.PathLike[str], folder: str | os.PathLike[str], *, format: str, threads: int | None = None) -> Exported:
    """Write an index in another engine's format into a folder, which is made and must be empty; whole or not at all.

    Parameters
    ----------
    index
        An index of ours. What another engine made is its own already.
    format
        ``infini-gram``: version 4, with metadata if there is some. ``tokengrams``: a pair of files for each shard, of u16 or u32
        ids, in which our separator stands after each document, so that no n-gram crosses one.

    Raises
    ------
    BuildError
        An unknown format, a folder that is not empty, no space, or ids that the format has no type for.

    Notes
    -----
    A suffix sort of each shard: some 40 ns a token, and 12 bytes a token of the largest shard.
    """
    target = Path(folder)
    if format not in FORMATS:
        raise BuildError(f"format is {format!r}: expected {' or '.join(FORMATS)}")
    with SuffixIndex(index) as opened:
        if opened.kind != "suffixindex":
            raise BuildError(f"{index} is an index of {opened.kind} already: only ours are exported")
        if format == "tokengrams" and opened.manifest.token_type == "u8":
            raise BuildError(
                "tokengrams has no type for ids of one byte: build with a tokenizer of more ids, or export to infini-gram"
            )
        try:
            with _appearing(target) as working:
                for number, shard in enumerate(opened.shards):
                    name = f"{number:0{len(str(len(opened.shards) - 1))}d}"  # engines sort names as strings
                    if format == "infini-gram":
                        _write_infinigram(shard, working, name, threads or cpu_count())
                    else:
                        _write_tokengrams(shard, working, name, threads or cpu_count())
        except OSError as error:
            if isinstance(error, SuffixIndexError):
                raise
            why = "no space is left" if error.errno == errno.ENOSPC else error.strerror
            raise BuildError(
                f"{target} cannot be written: {why}; nothing of it is left, export again when that is mended"
            ) from error
        token_type, separator = opened.manifest.token_type, opened.separator
    note = (
        f"version=4, token_dtype={token_type!r}" if format == "infini-gram" else f"{token_type} ids, documents end with {separator}"
    )
    return Exported(target, len(opened.shards), sum(path.stat().st_size for path in target.iterdir()), note)


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A folder to fill that becomes ``target`` in the end: a part of an index would answer as if it were one.

    Raises
    ------
    BuildError
        There is something already.
    """
    if target.exists() and any(target.iterdir()):
        raise BuildError(f"{target} is not empty: choose another folder")
    working = target.with_name(f"{target.name}.tmp")
    if working.exists():
        raise BuildError(f"{working} is there, as an export leaves it that was stopped: remove it and export again")
    make_folder(working)
    try:
        yield working
        if target.exists():
            target.rmdir()
        move_folder(working, target)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell
            remove(working)
        raise


def _write_infinigram(shard: Shard, folder: Path, name: str, threads: int) -> None:
    # each document's separator comes before it: the last one is the first
    text = np.roll(shard.tokens, 1)
    width = text.itemsize
    order = suffix_array(text.byteswap() if width > 1 else text, threads=threads)
    pointer = max(1, -(-((len(text) * width) - 1).bit_length() // 8))
    write_blocks(folder / f"tokenized.{name}", _raw(text))
    write_blocks(folder / f"table.{name}", _packed(order, width, pointer))
    write_blocks(folder / f"offset.{name}", _raw(shard.document_offsets[:-1] * np.uint64(width)))
    if shard.metadata_path is None:
        return
    lengths: list[int] = []

    def lines() -> Iterator[bytes | memoryview]:
        for records in shard.metadata_lines.records():
            for record in records:
                ours = {"path": record["path"], "linenum": record["line"], "metadata": record["metadata"]}
                line = (dumps(ours) + "\n").encode()
                lengths.append(len(line))
                yield line

    write_blocks(folder / f"metadata.{name}", lines())
    write_blocks(folder / f"metaoff.{name}", _raw(np.cumsum([0, *lengths])[:-1].astype("<u8")))


def _write_tokengrams(shard: Shard, folder: Path, name: str, threads: int) -> None:
    order = suffix_array(shard.tokens, threads=threads)
    write_blocks(folder / f"tokens-{name}.bin", _raw(shard.tokens))
    write_blocks(
        folder / f"tokens-{name}.idx",
        (order[i : i + WRITTEN_ENTRIES].astype("<u8").tobytes() for i in range(0, len(order), WRITTEN_ENTRIES)),
    )


def _raw(array: NDArray[np.unsignedinteger[Any]]) -> Iterator[bytes | memoryview]:
    content = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    step = IO_BYTES // content.itemsize
    return (content[start : start + step].tobytes() for start in range(0, len(content), step))


def _packed(order: NDArray[np.uint32], width: int, pointer: int) -> Iterator[bytes | memoryview]:
    """Positions as byte offsets of so many bytes each."""
    for start in range(0, len(order), WRITTEN_ENTRIES):
        offsets = (order[start : start + WRITTEN_ENTRIES].astype("<u8") * np.uint64(width)).view(np.uint8).reshape(-1, 8)
        yield offsets[:, :pointer].tobytes()
