"""Files that are either whole or absent: temporary name, fsync, rename."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

IO_BYTES = 1 << 24  # read or written at a time


def fsync_folder(folder: Path) -> None:
    """Make renames inside a folder durable, where the system can open a folder at all (Windows cannot)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder, and those that it lies in, so that they outlive a power cut; one that is there is left as it is.

    Raises
    ------
    FileExistsError, OSError
        A file is in the way; or the system refuses.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def move_folder(source: Path, target: Path) -> None:
    """Rename a folder whose files are durable, durably."""
    os.rename(source, target)
    fsync_folder(target.parent)


def link_file(source: Path, target: Path) -> None:
    """A file of the same content, durable: a link, or a copy where the disk has no links or is another one."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copyfile(source, target)
    with open(target, "rb") as file:
        os.fsync(file.fileno())
    fsync_folder(target.parent)


def write_blocks(path: Path, blocks: Iterator[bytes | memoryview]) -> tuple[int, str]:
    """Write a file whole or not at all; return its bytes and sha256.

    Blocks are written by ``write`` and never through a writable map: a map raises SIGBUS, not an error,
    when the disk is full.
    """
    temporary = path.with_name(path.name + ".tmp")
    digest = hashlib.sha256()
    size = 0
    try:
        with open(temporary, "wb") as file:
            for block in blocks:
                file.write(block)
                digest.update(block)
                size += len(block)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)
    return size, digest.hexdigest()


def write_bytes(path: Path, content: bytes) -> tuple[int, str]:
    """Write a small file whole or not at all; return its bytes and sha256."""
    return write_blocks(path, iter([content]))


def write_array(path: Path, array: NDArray[Any]) -> tuple[int, str]:
    """Write a raw little-endian array whole or not at all; return its bytes and sha256."""
    flat = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    raw = memoryview(flat).cast("B") if flat.size else memoryview(b"")
    return write_blocks(path, (raw[start : start + IO_BYTES] for start in range(0, len(raw), IO_BYTES)))


def hash_file(path: Path) -> tuple[int, str]:
    """Bytes and sha256 of a file."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb", buffering=0) as file:
        while block := file.read(IO_BYTES):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def map_array(path: Path, dtype: str | np.dtype[Any]) -> NDArray[Any]:
    """A raw array as a read-only map; an empty file, which no system maps, as an empty array."""
    if path.stat().st_size == 0:
        return np.empty(0, dtype)
    return np.memmap(path, dtype=dtype, mode="r").view(np.ndarray)


def remove(path: Path) -> None:
    """Remove a file or a whole folder, or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
