"""Write documents into shards: one gives them their places in order, and any number fill these.

Every file only grows, so a checkpoint is its length, and resuming is truncating to it.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.state import ShardSize, Written
from suffixindex.errors import BuildError
from suffixindex.storage.files import fsync_files, fsync_folder, make_folder, remove
from suffixindex.storage.format import DOCUMENT_OFFSETS, METADATA, METADATA_OFFSETS, TOKEN_TYPES, shard_folder
from suffixindex.system.frames import write


class Place(NamedTuple):
    """Where documents ``first .. last`` of a batch go: a shard, and what stands in it before them."""

    shard: int
    first: int
    last: int
    documents: int
    length: int
    metadata_bytes: int


class ShardFiles:
    """The files of shards that are being written: by several threads or processes at once, each at its own places."""

    def __init__(self, index: Path, token_type: str) -> None:
        self._index = index
        self._tokens = f"tokens.{token_type}"
        self._itemsize = TOKEN_TYPES[token_type].itemsize
        self._files: dict[tuple[int, str], IO[bytes]] = {}
        self._lock = Lock()

    def write(self, places: Sequence[Place], tokens: NDArray[Any], lengths: NDArray[np.int64], metadata: Sequence[bytes]) -> None:
        """Write documents at their places: tokens with a separator after each, not counted in its length.

        ``metadata``: a line for each, with its end; or nothing.
        """
        offsets = np.append(0, np.cumsum(lengths + 1))
        for place in places:
            start, stop = int(offsets[place.first]), int(offsets[place.last])
            ends = offsets[place.first + 1 : place.last + 1] - start + place.length
            at = 8 * (place.documents + 1)
            blocks: list[tuple[str, int, NDArray[Any]]] = [
                (self._tokens, place.length * self._itemsize, tokens[start:stop]),
                (DOCUMENT_OFFSETS, at, ends.astype("<u8")),
            ]
            if metadata:
                lines = metadata[place.first : place.last]
                line_ends = np.cumsum([len(line) for line in lines]) + place.metadata_bytes
                blocks.append((METADATA, place.metadata_bytes, np.frombuffer(b"".join(lines), np.uint8)))
                blocks.append((METADATA_OFFSETS, at, line_ends.astype("<u8")))
            with self._lock:
                self._close([key for key in self._files if key[0] < place.shard])
                for name, begin, block in blocks:
                    if block.size:
                        self._write(place.shard, name, begin, memoryview(np.ascontiguousarray(block)).cast("B"))

    def close(self) -> None:
        with self._lock:
            self._close(list(self._files))

    def _write(self, shard: int, name: str, start: int, block: memoryview) -> None:
        if (shard, name) not in self._files:
            self._files[shard, name] = open(shard_folder(self._index, shard) / name, "r+b", 0)  # noqa: SIM115 - closed by close
        file = self._files[shard, name]
        file.seek(start)
        write(file, block)

    def _close(self, keys: Sequence[tuple[int, str]]) -> None:
        for key in keys:
            self._files.pop(key).close()


class TokenWriter:
    """Gives documents their places, in order, in shards of at most ``capacity`` tokens and separators.

    The bytes depend on the documents and the capacity alone, not on how the documents are cut into batches. Whoever fills the
    places has done so before each :meth:`checkpoint`.
    """

    def __init__(self, index: Path, token_type: str, capacity: int, keep_metadata: bool, written: Written | None = None) -> None:
        self.written = written or Written()
        self.index = index
        self.token_type = token_type
        self.capacity = capacity
        self._keep_metadata = keep_metadata
        self._begun: list[Path] = []
        """Files that are not durable yet, of shards that are full too."""
        number = len(self.written.shards)
        if self.written.documents:
            self._open_shard(number)
            number += 1
        while shard_folder(index, number).exists():  # begun after the checkpoint
            remove(shard_folder(index, number))
            number += 1

    def place(self, lengths: NDArray[np.int64], line_bytes: NDArray[np.int64] | None) -> list[Place]:
        """Places of the next documents: of so many tokens, all shorter than a shard, and bytes of metadata."""
        offsets = np.append(0, np.cumsum(lengths + 1))
        places = []
        for first, last, fresh in cut(offsets, self.capacity, self.written.length):
            if fresh:
                self._next_shard()
            before = self.written
            if not before.documents:
                self._open_shard(len(before.shards))
            places.append(Place(len(before.shards), first, last, before.documents, before.length, before.metadata_bytes))
            self.written = replace(
                before,
                documents=before.documents + last - first,
                length=before.length + int(offsets[last] - offsets[first]),
                metadata_bytes=before.metadata_bytes + (0 if line_bytes is None else int(line_bytes[first:last].sum())),
            )
        return places

    def checkpoint(self) -> Written:
        """Make everything so far durable and say how far that is."""
        fsync_files(self._begun)
        for folder in {path.parent for path in self._begun}:
            fsync_folder(folder)
        latest = shard_folder(self.index, len(self.written.shards))
        self._begun = [path for path in self._begun if path.parent == latest]
        return self.written

    def unfinished(self) -> list[Path]:
        """The files that are not known to be durable."""
        return self._begun.copy()

    def finish(self) -> tuple[ShardSize, ...]:
        """End the last shard; the size of every one."""
        self.checkpoint()
        if self.written.documents:
            self._next_shard()
        return self.written.shards

    def _next_shard(self) -> None:
        self.written = Written((*self.written.shards, ShardSize(self.written.documents, self.written.length)))

    def _open_shard(self, number: int) -> None:
        """Make its files, or cut them to what is written."""
        folder = shard_folder(self.index, number)
        make_folder(folder)
        written = self.written
        sizes = {
            f"tokens.{self.token_type}": written.length * TOKEN_TYPES[self.token_type].itemsize,
            DOCUMENT_OFFSETS: (written.documents + 1) * 8,
        }
        if self._keep_metadata:
            sizes |= {METADATA: written.metadata_bytes, METADATA_OFFSETS: (written.documents + 1) * 8}
        for name, size in sizes.items():
            path = folder / name
            self._begun.append(path)
            with open(path, "r+b" if written.documents else "wb", 0) as file:
                if not written.documents and name in (DOCUMENT_OFFSETS, METADATA_OFFSETS):
                    file.write(bytes(8))
                if os.fstat(file.fileno()).st_size < size:
                    raise BuildError(f"{path} is shorter than when the build was interrupted: start anew with --restart")
                file.truncate(size)


def cut(offsets: NDArray[Any], capacity: int, length: int) -> Iterator[tuple[int, int, bool]]:
    """Where documents go, as ``(first, last, fresh)``: those of one shard, the open one of ``length`` tokens or a fresh one.

    ``offsets`` is the first token of each document, then the end of the last. An empty range is a document longer than a
    shard may be. O(shards log documents).
    """
    first, count = 0, len(offsets) - 1
    while first < count:
        start = int(offsets[first])
        last = int(np.searchsorted(offsets, start + capacity - length, side="right")) - 1
        fresh = last == first and length > 0
        if fresh:
            last = int(np.searchsorted(offsets, start + capacity, side="right")) - 1
        yield first, last, fresh
        if last == first:
            return
        length = int(offsets[last]) - start + (0 if fresh else length)
        first = last


def too_long(length: int, capacity: int, metadata: bytes, advice: str = "") -> str:
    """What to say of a document that no shard can hold."""
    return (
        f"a document of {length:,} tokens does not fit a shard of {capacity:,}, and a shard holds whole documents: "
        "raise --memory or --shard-tokens, and start anew with --restart"
        f"{advice} ({metadata[:200].decode(errors='replace').rstrip() or 'no metadata kept'})"
    )
