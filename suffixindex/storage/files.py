"""Files that are either whole or absent: temporary name, fsync, rename; and how they are mapped for reading."""

import ctypes
import errno
import hashlib
import mmap
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError

IO_BYTES = 1 << 24  # read or written at a time
ATTEMPTS, WAIT_SECONDS = 50, 0.1  # to remove a folder into which others write

_LIBC = None if os.name == "nt" else ctypes.CDLL(None, use_errno=True)
_FAILED = ctypes.c_void_p(-1).value
if _LIBC is not None:
    _LIBC.mmap.restype = ctypes.c_void_p
    _LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64]
    _LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def fsync_folder(folder: Path) -> None:
    """Make renames inside a folder durable, where the system can open a folder at all (Windows cannot)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_files(paths: Iterable[Path]) -> None:
    """Wait until the disk has what was written to some files."""
    for path in paths:
        with open(path, "r+b", 0) as file:
            os.fsync(file.fileno())


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


def link_file(source: Path, target: Path) -> bool:
    """A file of the same content, durable: a link, or a copy where the disk has no links or is another one.

    Returns whether it is a link.
    """
    linked = _link(source, target)
    if linked:
        _make_durable(target)
    return linked


def link_files(targets: Mapping[Path, Path]) -> None:
    """As :func:`link_file`, of sources that are durable, each to its target: what is written for it is the targets' folders."""
    for source, target in targets.items():
        _link(source, target)
    for folder in dict.fromkeys(target.parent for target in targets.values()):
        fsync_folder(folder)


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        copy_file(source, target)
        return False
    return True


def copy_file(source: Path, target: Path) -> None:
    """A copy of a file, durable."""
    shutil.copyfile(source, target)
    _make_durable(target)


def _make_durable(target: Path) -> None:
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


class _Map:
    """The bytes of a file, read-only, until nothing refers to them any more. It holds no descriptor.

    Python's own maps keep one each as long as they live (before 3.13), so that 353 shards of three files reach the usual limit of
    1,024. The system allows some 65,000 maps.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        assert _LIBC is not None
        self._unmap, self._size = _LIBC.munmap, size
        self._address = _LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
        if self._address in (None, _FAILED):
            self._address = None
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.__array_interface__ = {"version": 3, "typestr": "|u1", "shape": (size,), "data": (self._address, True)}

    def __del__(self) -> None:
        if self._address is not None:
            self._unmap(self._address, self._size)


def map_array(path: Path, dtype: str | np.dtype[Any]) -> NDArray[Any]:
    """A raw array as a read-only map; an empty file, which no system maps, as an empty array.

    Raises
    ------
    FormatError
        The file holds no whole number of entries, or the system maps no more files.
    """
    with open(path, "rb", buffering=0) as file:
        return map_open_file(path, file, np.dtype(dtype))


def map_open_file(path: Path, file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    """:func:`map_array` of a file that is open, and may be closed then."""
    size = os.fstat(file.fileno()).st_size
    if size % dtype.itemsize:
        raise FormatError(f"{path} has {size:,} bytes, expected a multiple of {dtype.itemsize}: it was cut short; restore it")
    if not size:
        return np.empty(0, dtype)
    if _LIBC is None:
        return np.memmap(path, dtype=dtype, mode="r").view(np.ndarray)
    try:
        return np.asarray(_Map(file.fileno(), size)).view(dtype)
    except OSError as error:
        raise FormatError(f"{path} cannot be mapped ({error.strerror}): raise the limit vm.max_map_count or ulimit -v") from error


def remove(path: Path) -> None:
    """Remove a file or a whole folder, or nothing; a folder again where somebody puts a file into it meanwhile."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for attempt in range(1, ATTEMPTS + 1):
        try:
            shutil.rmtree(path)
            return
        except OSError as error:  # a worker of a cluster may not have heard yet that its build has ended
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT) or attempt == ATTEMPTS:
                raise
            if not path.exists():
                return
            time.sleep(WAIT_SECONDS)
