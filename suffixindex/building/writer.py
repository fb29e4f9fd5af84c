"""Append documents to shards. Every file only grows, so a checkpoint is its length, and resuming is truncating to it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.state import ShardSize, Written
from suffixindex.errors import BuildError
from suffixindex.storage.files import fsync_folder, make_folder, remove
from suffixindex.storage.format import DOCUMENT_OFFSETS, METADATA, METADATA_OFFSETS, TOKEN_TYPES, shard_folder

BUFFER_BYTES = 1 << 22  # each write lets go of the interpreter, and to get it back from busy threads takes milliseconds


class TokenWriter:
    """Writes documents in order into shards of at most ``capacity`` tokens and separators.

    The bytes depend on the documents and the capacity alone, not on how the documents are cut into batches.
    """

    def __init__(self, index: Path, token_type: str, capacity: int, keep_metadata: bool, written: Written | None = None) -> None:
        self.written = written or Written()
        self._index = index
        self._token_type = token_type
        self._dtype = TOKEN_TYPES[token_type]
        self.capacity = capacity
        self._keep_metadata = keep_metadata
        self._files: dict[str, IO[bytes]] = {}
        number = len(self.written.shards)
        if self.written.documents:
            self._open_shard(number)
            number += 1
        while shard_folder(index, number).exists():  # begun after the checkpoint
            remove(shard_folder(index, number))
            number += 1

    def append(self, tokens: NDArray[Any], lengths: NDArray[np.int64], metadata: Sequence[bytes]) -> None:
        """Append ``len(lengths)`` documents, a separator after each, not counted in its length.

        ``metadata``: a line for each, with its end; or nothing.

        Raises
        ------
        BuildError
            A document is longer than a shard may be.
        """
        offsets = np.append(0, np.cumsum(lengths + 1))
        for first, last, fresh in cut(offsets, self.capacity, self.written.length):
            if last == first:
                advice = ", or pass over it with --on-error skip"
                raise BuildError(too_long(int(lengths[first]), self.capacity, metadata[first] if metadata else b"", advice))
            if fresh:
                self._close_shard()
            start, stop = offsets[first], offsets[last]
            self._append_here(tokens[start:stop], offsets[first + 1 : last + 1] - start, metadata[first:last])

    def checkpoint(self) -> Written:
        """Make everything so far durable and say how far that is."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        if self._files:
            fsync_folder(shard_folder(self._index, len(self.written.shards)))
        return self.written

    def finish(self) -> tuple[ShardSize, ...]:
        """Close the last shard; the size of every one."""
        if self.written.documents:
            self._close_shard()
        return self.written.shards

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with suppress(OSError) if error else nullcontext():  # the first error is the one to tell
            self.close()

    def close(self) -> None:
        with ExitStack() as all_of_them:  # even if one of them finds the disk full
            for file in self._files.values():
                all_of_them.callback(file.close)
            self._files = {}

    def _append_here(self, tokens: NDArray[Any], ends: NDArray[np.int64], metadata: Sequence[bytes]) -> None:
        before = self.written
        if not self._files:
            self._open_shard(len(before.shards))
        self._write("tokens", tokens)
        self._write(DOCUMENT_OFFSETS, (ends + before.length).astype("<u8"))
        metadata_bytes = before.metadata_bytes
        if self._keep_metadata:
            offsets = np.cumsum([len(line) for line in metadata], dtype=np.uint64)
            self._write(METADATA, np.frombuffer(b"".join(metadata), np.uint8))
            self._write(METADATA_OFFSETS, (offsets + np.uint64(metadata_bytes)).astype("<u8"))
            metadata_bytes += int(offsets[-1])
        self.written = replace(
            before,
            documents=before.documents + len(ends),
            length=before.length + len(tokens),
            metadata_bytes=metadata_bytes,
        )

    def _open_shard(self, number: int) -> None:
        folder = shard_folder(self._index, number)
        make_folder(folder)
        written = self.written
        sizes = {
            "tokens": written.length * self._dtype.itemsize,
            DOCUMENT_OFFSETS: (written.documents + 1) * 8,
            METADATA: written.metadata_bytes,
            METADATA_OFFSETS: (written.documents + 1) * 8,
        }
        for name, size in sizes.items():
            if name in (METADATA, METADATA_OFFSETS) and not self._keep_metadata:
                continue
            path = folder / (f"tokens.{self._token_type}" if name == "tokens" else name)
            file = open(path, "r+b" if written.documents else "wb", buffering=BUFFER_BYTES)  # noqa: SIM115 - closed by close
            self._files[name] = file
            if not written.documents and name in (DOCUMENT_OFFSETS, METADATA_OFFSETS):
                file.write(bytes(8))
            file.flush()
            if os.fstat(file.fileno()).st_size < size:
                raise BuildError(f"{path} is shorter than when the build was interrupted: start anew with --restart")
            file.truncate(size)
            file.seek(size)

    def _close_shard(self) -> None:
        self.checkpoint()
        self.close()
        self.written = Written((*self.written.shards, ShardSize(self.written.documents, self.written.length)))

    def _write(self, name: str, array: NDArray[Any]) -> None:
        if array.size:
            self._files[name].write(memoryview(np.ascontiguousarray(array)).cast("B"))


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


def without_longer(
    tokens: NDArray[Any], lengths: NDArray[np.int64], metadata: Sequence[bytes], capacity: int
) -> tuple[NDArray[Any], NDArray[np.int64], list[bytes]]:
    """The documents, each with a separator, that fit a shard."""
    fits = lengths < capacity
    return tokens[np.repeat(fits, lengths + 1)], lengths[fits], [line for line, kept in zip(metadata, fits, strict=False) if kept]


def too_long(length: int, capacity: int, metadata: bytes, advice: str = "") -> str:
    """What to say of a document that no shard can hold."""
    return (
        f"a document of {length:,} tokens does not fit a shard of {capacity:,}, and a shard holds whole documents: "
        "raise --memory or --shard-tokens, and start anew with --restart"
        f"{advice} ({metadata[:200].decode(errors='replace').rstrip() or 'no metadata kept'})"
    )
