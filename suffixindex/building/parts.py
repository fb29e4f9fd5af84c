"""A build in parts that know nothing of each other: parts of the corpus are encoded, documents given to shards, shards made.

A part is some consecutive sources. It is laid out as an index of one shard of any length, with a vocabulary of its own for
`words`. Which documents go to which shard follows from the lengths of all parts, by the rule of :class:`TokenWriter`; a
shard is then put together from ranges of documents of parts, in the ids of the whole corpus. So the bytes are those of a build in
one go. Every folder appears whole, under a name of its own until then, and whoever comes first stays: all attempts at a
part or a shard make the same bytes, and one that was given up may still be at it.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.encode import encode_corpus
from suffixindex.building.sort_shards import sort_shard
from suffixindex.building.state import Counts, DocumentRange, Json, ShardSize
from suffixindex.building.team import Spread, Team
from suffixindex.building.writer import TokenWriter, cut, too_long
from suffixindex.corpus.readers import RecordOptions
from suffixindex.corpus.sources import Source
from suffixindex.errors import BuildError, FormatError
from suffixindex.storage.files import IO_BYTES, make_folder, map_array, move_folder, remove, write_array, write_blocks, write_bytes
from suffixindex.storage.format import (
    DOCUMENT_OFFSETS,
    METADATA,
    METADATA_OFFSETS,
    SHARD_MARKER,
    TOKEN_TYPES,
    WORK,
    FileEntry,
    ShardEntry,
    separator_of,
    shard_folder,
)
from suffixindex.storage.schema import strict_json
from suffixindex.system.memory import peak_memory
from suffixindex.tokenizers.encoders import Encoder, stored_encoder

PART_BYTES = 1 << 22  # of files that one part takes, unless one file is larger: compressed, a second's work
PART_MARKER = "part.json"
NUMBERS = "numbers.u32"
UNLIMITED = 1 << 62


@dataclass(frozen=True)
class EncodedPart:
    """What a finished part says of itself. It has one shard, of any length, or none."""

    counts: Counts
    shards: tuple[ShardSize, ...]
    peak_memory_bytes: int

    @classmethod
    def from_json(cls, part: Json) -> Self:
        shards = tuple(ShardSize(documents, length) for documents, length in part["shards"])
        return cls(Counts.from_json(part["counts"]), shards, int(part["peak_memory_bytes"]))


class PlannedShard(NamedTuple):
    """Which documents a shard holds, and how large it is then."""

    size: ShardSize
    ranges: tuple[DocumentRange, ...]


class ShardPlan(NamedTuple):
    """What a shard is made of, and of which type."""

    number: int
    size: ShardSize
    ranges: tuple[DocumentRange, ...]
    part_type: str
    token_type: str
    vocabulary_size: int


def part_folder(index: Path, number: int) -> Path:
    return index / WORK / "parts" / f"{number:05d}"


def make_room(index: Path) -> None:
    """The folders that parts and shards appear in."""
    for folder in (index / WORK / "parts", index / WORK / "attempts", index / "shards"):
        make_folder(folder)


def clear_room(index: Path) -> None:
    """Remove all that is not the index; an attempt that is still under way finds no place to write to."""
    aside = index / f"{WORK}.tmp"
    remove(aside)
    if (index / WORK).exists():
        move_folder(index / WORK, aside)
        remove(aside)


@contextmanager
def _attempt(index: Path, target: Path, marker: str) -> Iterator[Path]:
    """A folder to fill that becomes ``target``, unless another attempt was faster; ``marker`` is the last file in it."""
    folder = index / WORK / "attempts" / f"{target.parent.name}-{target.name}-{uuid4().hex}"
    folder.mkdir()
    try:
        yield folder
        try:
            move_folder(folder, target)
        except OSError:
            if not (target / marker).exists():
                raise
    finally:
        with suppress(OSError):  # the first error is the one to tell, and another build clears the room
            remove(folder)


# ---- parts of the corpus -----------------------------------------------------------------------------------------


def group_sources(sources: Sequence[Source]) -> list[tuple[int, int]]:
    """Ranges of sources that make a part each: small files together, every other one alone."""
    groups: list[tuple[int, int]] = []
    size = PART_BYTES
    for number, source in enumerate(sources):
        size += PART_BYTES if source.bytes is None else source.bytes
        if size > PART_BYTES:
            groups.append((number, number))
            size = PART_BYTES if source.bytes is None else source.bytes
        groups[-1] = (groups[-1][0], number + 1)
    return groups


def encode_part(
    index: Path,
    number: int,
    sources: Sequence[Source],
    places: Sequence[Source],
    entry: Mapping[str, Any],
    engine: str | None,
    options: RecordOptions,
    threads: int,
    progress: Callable[[int], None],
) -> EncodedPart:
    """Encode some sources, which stand at ``places`` on every machine; returns what :func:`read_part` does.

    ``progress`` is told how many bytes of their files are read. Memory as for :func:`encode_corpus`, and for `words` the part's
    vocabulary.

    Raises
    ------
    CorpusError, TokenizerError
        As in a build in one go.
    BuildError
        This machine does not see the files.
    """
    target = part_folder(index, number)
    if (target / PART_MARKER).exists():
        return read_part(index, number)
    _check_seen(places)
    encoder = stored_encoder(entry, index, engine)
    with _attempt(index, target, PART_MARKER) as folder:
        writer = TokenWriter(folder, encoder.token_type, UNLIMITED, options.keep_metadata)
        counts = encode_corpus(
            sources,
            encoder,
            writer,
            options,
            Counts(),
            Team(threads, Spread(threads, index, engine)),
            progress=lambda done, counts: progress(done),
            places=places,
        )
        shards = writer.finish()
        encoder.hand_over(folder)
        write_bytes(folder / PART_MARKER, json.dumps(asdict(EncodedPart(counts, shards, peak_memory()))).encode())
    return read_part(index, number)


def read_part(index: Path, number: int) -> EncodedPart:
    """What a finished part says of itself.

    Raises
    ------
    FormatError
        It is damaged.
    """
    path = part_folder(index, number) / PART_MARKER
    try:
        return EncodedPart.from_json(strict_json(path.read_bytes()))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError(f"{path} is damaged: start anew with --restart") from error


def _check_seen(places: Sequence[Source]) -> None:
    for place in places:
        if place.bytes is None or place.url is not None:  # what is at a URL is held against what was there when it is read
            continue
        try:
            size = os.stat(place.path).st_size
        except OSError as error:
            raise BuildError(f"{place.path} cannot be read here ({error.strerror}): every worker must see the corpus") from error
        if size != place.bytes:
            raise BuildError(f"{place.path} has {size:,} bytes here, expected {place.bytes:,}: every worker must see one corpus")


# ---- from parts to shards ----------------------------------------------------------------------------------------


def join_parts(index: Path, parts: Sequence[EncodedPart], encoder: Encoder) -> Counts:
    """Number all parts' ids as one corpus; the sum of their counts. O(their vocabularies), one part after the other."""
    total = Counts()
    encoder.begin(index, 0)
    for number, part in enumerate(parts):
        numbers = encoder.adopt(part_folder(index, number))
        if numbers is not None:
            write_array(part_folder(index, number) / NUMBERS, numbers)
        total = total.plus(part.counts.documents, part.counts.tokens, part.counts.text_bytes, part.counts.skipped)
    return total


def plan_shards(index: Path, parts: Sequence[EncodedPart], capacity: int) -> list[PlannedShard]:
    """Give every document to a shard. O(shards · log documents).

    Raises
    ------
    BuildError
        A document is longer than a shard may be.
    """
    shards: list[PlannedShard] = []
    for number, part in enumerate(parts):
        if not part.shards:
            continue
        folder = shard_folder(part_folder(index, number), 0)
        offsets = map_array(folder / DOCUMENT_OFFSETS, "<u8")
        for first, last, fresh in cut(offsets, capacity, shards[-1].size.length if shards else 0):
            if first == last:
                metadata = _bytes_of(folder, first, last + 1) if (folder / METADATA).exists() else iter([b""])
                raise BuildError(too_long(int(offsets[first + 1] - offsets[first]) - 1, capacity, next(metadata)))
            if fresh or not shards:
                shards.append(PlannedShard(ShardSize(0, 0), ()))
            (documents, length), ranges = shards[-1]
            size = ShardSize(documents + last - first, length + int(offsets[last] - offsets[first]))
            shards[-1] = PlannedShard(size, (*ranges, DocumentRange(number, first, last)))
    return shards


def make_shard(
    index: Path, plan: ShardPlan, device: str, threads: int, progress: Callable[[float], None]
) -> tuple[ShardEntry, int]:
    """Put a shard together from its documents and sort it; also the peak memory of this process so far, in bytes.

    ``progress`` is told which share is done. Memory: :func:`suffixindex.building.budget.bytes_per_token` for each token.
    """
    target = shard_folder(index, plan.number)
    if not (target / SHARD_MARKER).exists():
        with _attempt(index, target, SHARD_MARKER) as folder:
            known = _assemble(index, plan, folder)
            whole = folder, plan.size, plan.token_type, plan.vocabulary_size
            sort_shard(*whole, threads, progress, known, device=device, number=plan.number)
    return ShardEntry.read(target), peak_memory()


def _assemble(index: Path, plan: ShardPlan, target: Path) -> dict[str, FileEntry]:
    """Write the tokens and documents of a shard; O(its bytes), in blocks."""
    ranges = [(part_folder(index, one.part), one) for one in plan.ranges]
    files: dict[str, Iterator[bytes | memoryview]] = {
        f"tokens.{plan.token_type}": (block for part, one in ranges for block in _tokens_of(part, one, plan)),
        DOCUMENT_OFFSETS: _offsets_of(ranges, DOCUMENT_OFFSETS),
    }
    if all((shard_folder(part, 0) / METADATA).exists() for part, _ in ranges):
        files[METADATA] = (block for part, one in ranges for block in _bytes_of(shard_folder(part, 0), one.first, one.last))
        files[METADATA_OFFSETS] = _offsets_of(ranges, METADATA_OFFSETS)
    return {name: FileEntry(*write_blocks(target / name, blocks)) for name, blocks in files.items()}


def _tokens_of(part: Path, documents: DocumentRange, plan: ShardPlan) -> Iterator[bytes]:
    dtype, wide = TOKEN_TYPES[plan.token_type], TOKEN_TYPES[plan.part_type]
    numbers = None
    if (part / NUMBERS).exists():
        # the separator, larger than any id, is clipped to the last entry, which is the shard's separator
        numbers = np.append(_read(part / NUMBERS, np.dtype("<u4")).astype(dtype), dtype.type(separator_of(plan.token_type)))
    folder = shard_folder(part, 0)
    start, stop = _bounds(folder / DOCUMENT_OFFSETS, documents.first, documents.last)
    for block in _blocks(folder / f"tokens.{plan.part_type}", start * wide.itemsize, stop * wide.itemsize):
        tokens = np.frombuffer(block, wide)
        yield (tokens.astype(dtype) if numbers is None else numbers.take(tokens, mode="clip")).tobytes()


def _offsets_of(ranges: Sequence[tuple[Path, DocumentRange]], name: str) -> Iterator[bytes]:
    """The offsets of all ranges, counted through."""
    yield bytes(8)
    before = 0
    for part, (_, first, last) in ranges:
        offsets = _read(shard_folder(part, 0) / name, np.dtype("<u8"), first, last + 1).astype(np.int64)
        yield (offsets[1:] - offsets[0] + before).astype("<u8").tobytes()
        before += int(offsets[-1] - offsets[0])


def _bytes_of(folder: Path, first: int, last: int) -> Iterator[bytes]:
    """The lines of metadata of documents ``first .. last``."""
    return _blocks(folder / METADATA, *_bounds(folder / METADATA_OFFSETS, first, last))


def _bounds(path: Path, first: int, last: int) -> tuple[int, int]:
    """The offsets at both ends of documents ``first .. last``."""
    dtype = np.dtype("<u8")
    return int(_read(path, dtype, first, first + 1)[0]), int(_read(path, dtype, last, last + 1)[0])


def _blocks(path: Path, start: int, stop: int) -> Iterator[bytes]:
    """Bytes ``start .. stop`` of a file. Read, not mapped: another worker may remove the part meanwhile, which breaks a map."""
    with open(path, "rb") as file:
        file.seek(start)
        while start < stop:
            block = file.read(min(IO_BYTES, stop - start))
            if not block:
                raise BuildError(f"{path} is cut short: start anew with --restart")
            start += len(block)
            yield block


def _read(path: Path, dtype: np.dtype[Any], first: int = 0, last: int | None = None) -> NDArray[Any]:
    """Entries ``first .. last`` of a raw array."""
    return np.fromfile(path, dtype, -1 if last is None else last - first, offset=first * dtype.itemsize)
