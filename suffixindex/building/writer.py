"""Append documents to shards. Every file only grows, so a checkpoint is its length, and resuming is truncating to it."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import BuildError
from suffixindex.storage.files import fsync_folder, remove
from suffixindex.storage.format import DOCUMENT_OFFSETS, METADATA, METADATA_OFFSETS, TOKEN_TYPES, shard_folder

BUFFER_BYTES = 1 << 22  # each write lets go of the interpreter, and to get it back from busy threads takes milliseconds


@dataclass
class WriterState:
    """How far writing has come: finished shards as (documents, length), and the lengths of the open one."""

    shards: list[tuple[int, int]] = field(default_factory=list)
    documents: int = 0
    length: int = 0
    metadata_bytes: int = 0

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "WriterState":
        return cls(**{**state, "shards": [(documents, length) for documents, length in state["shards"]]})

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class TokenWriter:
    """Writes documents in order into shards of at most ``capacity`` tokens and separators.

    The bytes depend on the documents and the capacity alone, not on how the documents are cut into batches.
    """

    def __init__(self, index: Path, token_type: str, capacity: int, keep_metadata: bool, state: WriterState | None = None) -> None:
        self.state = state or WriterState()
        self._index = index
        self._token_type = token_type
        self._dtype = TOKEN_TYPES[token_type]
        self.capacity = capacity
        self._keep_metadata = keep_metadata
        self._files: dict[str, IO[bytes]] = {}
        number = len(self.state.shards)
        if self.state.documents:
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
        for first, last, fresh in cut(offsets, self.capacity, self.state.length):
            if last == first:
                advice = ", or pass over it with --on-error skip"
                raise BuildError(too_long(int(lengths[first]), self.capacity, metadata[first] if metadata else b"", advice))
            if fresh:
                self._close_shard()
            start, stop = offsets[first], offsets[last]
            self._append_here(tokens[start:stop], offsets[first + 1 : last + 1] - start, metadata[first:last])

    def checkpoint(self) -> dict[str, Any]:
        """Make everything so far durable and say how far that is."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
        if self._files:
            fsync_folder(shard_folder(self._index, len(self.state.shards)))
        return self.state.to_json()

    def finish(self) -> list[tuple[int, int]]:
        """Close the last shard; (documents, length) of every one."""
        if self.state.documents:
            self._close_shard()
        return self.state.shards

    def close(self) -> None:
        with ExitStack() as all_of_them:  # even if one of them finds the disk full
            for file in self._files.values():
                all_of_them.callback(file.close)
            self._files = {}

    def _append_here(self, tokens: NDArray[Any], ends: NDArray[np.int64], metadata: Sequence[bytes]) -> None:
        state = self.state
        if not self._files:
            self._open_shard(len(state.shards))
        self._write("tokens", tokens)
        self._write(DOCUMENT_OFFSETS, (ends + state.length).astype("<u8"))
        if self._keep_metadata:
            offsets = np.cumsum([len(line) for line in metadata], dtype=np.uint64)
            self._write(METADATA, np.frombuffer(b"".join(metadata), np.uint8))
            self._write(METADATA_OFFSETS, (offsets + np.uint64(state.metadata_bytes)).astype("<u8"))
            state.metadata_bytes += int(offsets[-1])
        state.length += len(tokens)
        state.documents += len(ends)

    def _open_shard(self, number: int) -> None:
        folder = shard_folder(self._index, number)
        folder.mkdir(parents=True, exist_ok=True)
        state = self.state
        sizes = {
            "tokens": state.length * self._dtype.itemsize,
            DOCUMENT_OFFSETS: (state.documents + 1) * 8,
            METADATA: state.metadata_bytes,
            METADATA_OFFSETS: (state.documents + 1) * 8,
        }
        for name, size in sizes.items():
            if name in (METADATA, METADATA_OFFSETS) and not self._keep_metadata:
                continue
            path = folder / (f"tokens.{self._token_type}" if name == "tokens" else name)
            file = open(path, "r+b" if state.documents else "wb", buffering=BUFFER_BYTES)  # noqa: SIM115 - closed by close
            self._files[name] = file
            if not state.documents and name in (DOCUMENT_OFFSETS, METADATA_OFFSETS):
                file.write(bytes(8))
            file.flush()
            if os.fstat(file.fileno()).st_size < size:
                raise BuildError(f"{path} is shorter than when the build was interrupted: start anew with --restart")
            file.truncate(size)
            file.seek(size)

    def _close_shard(self) -> None:
        self.checkpoint()
        self.close()
        shards = [*self.state.shards, (self.state.documents, self.state.length)]
        self.state = WriterState(shards)

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
        f"raise --memory or --shard-tokens{advice} ({metadata[:200].decode(errors='replace').rstrip() or 'no metadata kept'})"
    )
