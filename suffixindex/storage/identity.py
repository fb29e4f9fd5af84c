"""The files of an open index, as they lay there when it was opened.

What a path names may be replaced while an index is open. So the identity of every file is noted when the index is opened,
and a file is mapped only if it is still that one: an index answers as it was opened, or says that it changed.

A map goes on showing the file that was mapped, whatever its path names later, but also what is written into that file. So
questions look at the times of the mapped files again, every 10 ms at most, and say that one was written to. What is asked
in the 10 ms after that may be answered by a mixture; what a file was cut to, no process survives to read.
"""

import os
from collections.abc import Iterable
from math import inf
from pathlib import Path
from time import monotonic
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError, QueryError
from suffixindex.storage.files import map_open_file
from suffixindex.system.threads import CLOSED

EVERY = 0.01  # seconds between two looks at the mapped files, a look's own time a hundred times over if that is more


class Identity(NamedTuple):
    """What tells a file from any other, and from itself before a change."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Identity":
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


class IndexFiles:
    """The files of one open index: those that are noted are read as they were then, or not at all."""

    due: float
    """When, by ``time.monotonic``, a question has to call :meth:`check_mapped`."""

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._known: dict[Path, Identity] = {}
        self._mapped: dict[Path, Identity] = {}
        self.due = inf
        self._closed = False
        for path in paths:
            self.note(path)

    def note(self, path: Path) -> int:
        """Remember which file this is; its size.

        Raises
        ------
        FileNotFoundError
        """
        found = Identity.of(os.stat(path))
        self._known[path] = found
        return found.size

    def open(self, path: Path) -> IO[bytes]:
        """A file for reading.

        Raises
        ------
        QueryError
            The index is closed.
        FormatError
            There is another file, or none, or it was changed.
        """
        self.check_open()
        try:
            file = open(path, "rb")  # noqa: SIM115 - the caller closes it
        except FileNotFoundError:
            raise self._changed(path, "removed") from None
        known = self._known.get(path)
        if known is not None and known != Identity.of(os.fstat(file.fileno())):
            file.close()
            raise self._changed(path, "replaced or changed")
        return file

    def map(self, path: Path, dtype: str | np.dtype[Any]) -> NDArray[Any]:
        """The array in the file that is meant, mapped; raises as :meth:`open`."""
        with self.open(path) as file:
            array = map_open_file(path, file, np.dtype(dtype))
            self._mapped[path] = Identity.of(os.fstat(file.fileno()))
            self.due = 0.0
            return array

    def watch(self, paths: Iterable[Path]) -> None:
        """Count some noted files, which others map, among those that are mapped."""
        for path in paths:
            self._mapped[path] = self._known[path]
            self.due = 0.0

    def check_mapped(self) -> None:
        """Raise as :meth:`open` if something was written to a file that is mapped. A microsecond a file, on a local disk.

        A file of another identity at its path, or none, changes no map.
        """
        began = monotonic()
        self.due = began + EVERY  # for other threads
        for path, known in list(self._mapped.items()):
            try:
                found = Identity.of(os.stat(path))
            except OSError:
                continue
            if found[:2] == known[:2] and found != known:
                self.due = 0.0
                raise self._changed(path, "replaced or changed")
        self.due = inf if self._closed else max(began + EVERY, monotonic() + 100 * (monotonic() - began))

    def check(self, paths: Iterable[Path]) -> None:
        """Raise as :meth:`open` if one of some files is not the one that is meant."""
        for path in paths:
            self.open(path).close()

    def check_open(self) -> None:
        if self._closed:
            raise QueryError(CLOSED)

    def close(self) -> None:
        """From now on, nothing is mapped or read."""
        self._closed = True
        self._mapped.clear()
        self.due = inf

    @staticmethod
    def _changed(path: Path, how: str) -> FormatError:
        return FormatError(f"{path} was {how} since the index was opened: open the index again")
