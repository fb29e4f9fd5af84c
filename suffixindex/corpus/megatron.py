"""Datasets of Megatron and GPT-NeoX.

One (MMapIndexedDataset) is ``X.idx``, which says where each sequence lies and which sequences are a document, and ``X.bin``,
raw ids; or several files ``X-00000-of-00020.bin`` and so on, in which a sequence may straddle two, as in Pythia's preshuffled
Pile. There documents are lost, and sequence s is read in training step s // 1024. A multimodal dataset has a byte more for each
sequence, its mode.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.corpus.records import BadRecordError, Chunk, Source, too_large
from suffixindex.corpus.token_files import CHUNK_DOCUMENTS, CHUNK_TOKENS, Document
from suffixindex.errors import CorpusError
from suffixindex.storage.files import map_array

MAGIC = b"MMIDIDX\x00\x00"
UNMAPPED_MAGIC = b"TNTIDX\x00\x00"
HEADER_BYTES = 34
DTYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2", 9: "<u4", 10: "<u8"}
OTHER_TYPES = {6: "float64", 7: "float32"}


class Header(NamedTuple):
    """What the ``.idx`` says of itself."""

    dtype: np.dtype[Any]
    num_sequences: int
    num_documents: int
    """Entries of its table of documents."""


class Dataset(NamedTuple):
    """Sequence s is ``sizes[s]`` tokens from ``starts[s]`` on.

    Document d is the sequences from ``documents[d]`` on, below ``documents[d + 1]``.
    """

    header: Header
    paths: list[Path]
    sizes: NDArray[np.int32]
    starts: NDArray[np.int64]
    documents: NDArray[np.int64]


def data_files(index: Path) -> list[Path]:
    """The files of tokens that belong to an ``.idx``.

    Raises
    ------
    CorpusError
        There are none, or one of several is missing.
    """
    whole = index.with_suffix(".bin")
    if whole.exists():
        return [whole]
    parts = sorted(index.parent.glob(f"{index.stem}-*-of-*.bin"))
    if not parts:
        raise CorpusError(f"{index} has no tokens beside it: expected {whole.name}, or {index.stem}-00000-of-….bin")
    total = parts[0].stem.rpartition("-")[2]
    if total.isdecimal() and len(parts) not in (int(total), int(total) + 1):  # Pythia counts from 00000-of-00020 to 00020-of-00020
        raise CorpusError(
            f"{index.parent} holds {len(parts)} files {index.stem}-*-of-{total}.bin: some are missing; fetch them again"
        )
    return parts


def read_header(index: Path) -> Header:
    """
    Raises
    ------
    CorpusError
        It is none, or of a kind that is not read.
    """
    with open(index, "rb") as file:
        header = file.read(HEADER_BYTES)
    if header.startswith(UNMAPPED_MAGIC):
        raise CorpusError(f"{index} is an index of fairseq's older kind (TNTIDX): make it anew with --dataset-impl mmap")
    if not header.startswith(MAGIC) or len(header) < HEADER_BYTES:
        raise CorpusError(f"{index} is no Megatron index: it does not begin with MMIDIDX")
    version, sequences, documents = (int.from_bytes(header[at : at + 8], "little") for at in (9, 18, 26))
    if version != 1 or header[17] not in DTYPES:
        what = f" ({OTHER_TYPES[header[17]]})" if header[17] in OTHER_TYPES else ""
        raise CorpusError(
            f"{index} has version {version} and type {header[17]}{what}: expected version 1 and ids, types {[*DTYPES]}"
        )
    return Header(np.dtype(DTYPES[header[17]]), sequences, documents)


def open_megatron(index: Path) -> Dataset:
    """Read the ``.idx`` and check every entry of its tables.

    Raises
    ------
    CorpusError
        It is none, it is damaged, or the tokens are cut short.
    """
    header = read_header(index)
    sequences = header.num_sequences
    expected = HEADER_BYTES + 12 * sequences + 8 * header.num_documents
    size = index.stat().st_size
    if size < expected:
        raise CorpusError(f"{index} has {size:,} bytes, expected {expected:,}: it was cut short; fetch it again")
    if size not in (expected, expected + sequences):
        raise CorpusError(
            f"{index} has {size:,} bytes, expected {expected:,}, or {expected + sequences:,} with a mode for each of its "
            f"{sequences:,} sequences: it was written to, or is of a newer kind; make it anew"
        )
    raw = map_array(index, "u1")[HEADER_BYTES:]
    sizes = raw[: 4 * sequences].view("<i4")
    pointers = raw[4 * sequences : 12 * sequences].view("<i8")
    documents = raw[12 * sequences : expected - HEADER_BYTES].view("<i8")
    modes = raw[expected - HEADER_BYTES :]
    if modes.any():
        first = int(np.flatnonzero(modes)[0])
        raise CorpusError(
            f"{index} is of a multimodal dataset: sequence {first:,} is of mode {modes[first]}, expected text alone, mode 0; "
            "make a dataset of the text"
        )
    paths = data_files(index)
    lengths = [path.stat().st_size for path in paths]
    _check_tables(index, header, sizes, pointers, sum(lengths))
    odd = next((path for path, length in zip(paths, lengths, strict=True) if length % header.dtype.itemsize), None)
    if odd is not None:
        raise CorpusError(
            f"{odd} has {odd.stat().st_size:,} bytes, expected a multiple of {header.dtype.itemsize} ({header.dtype.name}, "
            f"as {index} says): one was cut short or is missing; fetch it again"
        )
    return Dataset(header, paths, sizes, np.asarray(pointers // header.dtype.itemsize), documents)


def _check_tables(index: Path, header: Header, sizes: NDArray[np.int32], pointers: NDArray[np.int64], num_bytes: int) -> None:
    """Hold every size and pointer against the others and the tokens. Some ns a sequence."""
    width = header.dtype.itemsize
    damaged = "the table is damaged; fetch it again"
    if (at := _first(sizes < 0)) is not None:
        raise CorpusError(f"{index}: sequence {at:,} has {int(sizes[at]):,} tokens, expected 0 or more: {damaged}")
    if (at := _first((pointers < 0) | (pointers % width != 0))) is not None:
        raise CorpusError(
            f"{index}: sequence {at:,} begins at byte {int(pointers[at]):,}, expected a multiple of {width}, 0 or more: {damaged}"
        )
    ends = np.minimum(pointers, num_bytes + 1) + sizes * np.int64(width)
    if (at := _first(ends > num_bytes)) is not None:
        last = int(pointers[at]) // width + int(sizes[at])
        raise CorpusError(
            f"{index} tells of {last:,} tokens, up to the end of sequence {at:,}; its .bin files hold {num_bytes // width:,}: "
            "one was cut short or is missing; fetch it again"
        )
    if (at := _first(pointers[1:] < ends[:-1])) is not None:
        raise CorpusError(
            f"{index}: sequence {at + 1:,} begins at byte {int(pointers[at + 1]):,}, before the end of the one before it, "
            f"{int(ends[at]):,}: {damaged}"
        )


def _check_documents(index: str, documents: NDArray[np.int64], num_sequences: int) -> None:
    advice = "take sequences as documents, with --sequences-per-step, or fetch it again"
    if not len(documents) or documents[0] or documents[-1] != num_sequences:
        ends = f"from {int(documents[0]):,} to {int(documents[-1]):,}" if len(documents) else "nowhere"
        raise CorpusError(
            f"{index} does not say which sequences are documents: its table goes {ends}, expected 0 to {num_sequences:,}; {advice}"
        )
    if (at := _first(documents[1:] < documents[:-1])) is not None:
        raise CorpusError(
            f"{index} does not say which sequences are documents: document {at + 1:,} begins with sequence "
            f"{int(documents[at + 1]):,}, the one before it with {int(documents[at]):,}; {advice}"
        )


def _first(wrong: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(wrong)) if wrong.any() else None


def dataset_info(path: Path) -> dict[str, Any] | None:
    """What a dataset of Megatron holds, as plain data; None if the path is none.

    Raises
    ------
    CorpusError
        It is damaged.
    """
    if not path.is_file() or path.suffix != ".idx":
        return None
    with open(path, "rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return None
    data = open_megatron(path)
    return {
        "path": str(path.absolute()),
        "kind": "Megatron dataset, a corpus without an index",
        "dtype": data.header.dtype.name,
        "num_sequences": len(data.sizes),
        "num_documents": len(data.documents) - 1,
        "num_tokens": int(data.sizes.sum(dtype=np.int64)),
        "files": [str(file) for file in data.paths],
    }


def token_type_of_dataset(index: Path) -> str:
    """The token type that holds all ids of a dataset's type."""
    return {1: "u8", 2: "u16"}.get(read_header(index).dtype.itemsize, "u32")


class _Tokens:
    """The tokens of the files one after the other. Read and not mapped: a map of a file that is cut short ends the process."""

    def __init__(self, paths: list[Path], dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._paths = paths
        self._offsets = np.cumsum([0, *(path.stat().st_size // dtype.itemsize for path in paths)])
        self._first = 0
        self._window = np.empty(0, dtype)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        if stop - self._first > len(self._window) or start < self._first:
            ahead = CHUNK_TOKENS if self._first <= start <= self._first + len(self._window) else 0  # in order, or here and there
            self._window = self._load(start, max(stop, min(start + ahead, int(self._offsets[-1]))))
            self._first = start
        return self._window[start - self._first : stop - self._first]

    def _load(self, start: int, stop: int) -> NDArray[Any]:
        parts = []
        number = int(np.searchsorted(self._offsets, start, side="right")) - 1
        while start < stop:
            base, end = int(self._offsets[number]), int(self._offsets[number + 1])
            last = min(stop, end)
            part = np.fromfile(self._paths[number], self.dtype, last - start, offset=(start - base) * self.dtype.itemsize)
            if len(part) != last - start:
                raise CorpusError(f"{self._paths[number]} changed while it was read: it was cut short; fetch it again")
            parts.append(part)
            start, number = last, number + 1
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, self.dtype), *parts])


def read_megatron(source: Source, start: int, limit: int) -> Iterator[Chunk]:
    """Documents from number ``start`` on; with a source's number each sequence is one, and ``step`` is kept of it."""
    data = open_megatron(Path(source.path))
    steps = source.number
    if steps is None:
        edges = data.documents
        _check_documents(source.path, edges, len(data.sizes))
    else:
        edges = np.arange(len(data.sizes) + 1)
    tokens = _Tokens(data.paths, data.header.dtype)
    ends = data.starts + data.sizes
    adjoining = np.append(data.starts[1:] == ends[:-1], True)
    width = data.header.dtype.itemsize
    before = np.append(0, np.cumsum(data.sizes, dtype=np.int64))

    def document(number: int) -> Document | BadRecordError:
        first, last = int(edges[number]), int(edges[number + 1])
        size = int(before[last] - before[first]) * width
        if size > limit:
            return too_large(size, limit)
        if first == last:
            ids = np.empty(0, data.header.dtype)
        elif adjoining[first : last - 1].all():
            ids = tokens.read(int(data.starts[first]), int(ends[last - 1]))
        else:
            ids = np.concatenate([tokens.read(int(data.starts[s]), int(ends[s])) for s in range(first, last)])
        return ids, {} if steps is None else {"step": number // steps}

    waiting: list[Any] = []
    size = 0
    for number in range(start, len(edges) - 1):
        waiting.append(document(number))
        size += 0 if isinstance(waiting[-1], BadRecordError) else len(waiting[-1][0])
        if size >= CHUNK_TOKENS or len(waiting) >= CHUNK_DOCUMENTS or number == len(edges) - 2:
            yield Chunk(len(waiting), waiting, size * width, int(before[int(edges[number + 1])]) * width)
            waiting, size = [], 0
    if source.bytes is not None and state_of(Path(source.path)) != (source.bytes, source.mtime_ns):
        raise CorpusError(
            f"{source.path}, or a .bin file of it, changed while it was read: a corpus must stay as it is while an index of it is "
            "built; run the build again with --restart when nothing writes to it"
        )


def state_of(index: Path) -> tuple[int, int]:
    """Bytes of the tokens of a dataset, and the latest time of its files."""
    files = data_files(index)
    return sum(file.stat().st_size for file in files), max(file.stat().st_mtime_ns for file in [index, *files])
