"""Corpora that are tokens already: Megatron's datasets, and raw ids.

A dataset of Megatron or GPT-NeoX (MMapIndexedDataset) is ``X.idx``, which says where each sequence lies and which sequences are
a document, and ``X.bin``, raw ids; or several files ``X-00000-of-00020.bin`` and so on, in which a sequence may straddle two, as
in Pythia's preshuffled Pile. There documents are lost, and sequence s is read in training step s // 1024.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import CorpusError
from suffixindex.storage.files import map_array

MAGIC = b"MMIDIDX\x00\x00"
HEADER_BYTES = 34
DTYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}
PIECE_TOKENS = 1 << 19
RAW = {"u8": "u1", "u16": "<u2", "u32": "<u4"}

Record = tuple[NDArray[Any], dict[str, Any]]
"""Ids of a document, and the fields that are kept of it."""


class Records(NamedTuple):
    """Documents ``first .. first + len(records)`` of a source; ``consumed`` bytes of it are read at their end."""

    first: int
    records: list[Record]
    num_bytes: int
    consumed: int


class Dataset(NamedTuple):
    """A dataset of Megatron: sequence s is ``sizes[s]`` tokens from ``starts[s]`` on.

    Document d is the sequences from ``documents[d]`` on, below ``documents[d + 1]``.
    """

    files: list[NDArray[Any]]
    offsets: NDArray[np.int64]
    """First token of each file, then their number."""
    sizes: NDArray[np.int32]
    starts: NDArray[np.int64]
    documents: NDArray[np.int64]

    def tokens(self, start: int, stop: int) -> NDArray[Any]:
        """Tokens of the files one after the other; in the place where they lie unless they straddle two."""
        first = int(np.searchsorted(self.offsets, start, side="right")) - 1
        parts = []
        while start < stop:
            base, end = int(self.offsets[first]), int(self.offsets[first + 1])
            parts.append(self.files[first][start - base : min(stop, end) - base])
            start, first = end, first + 1
        return parts[0] if len(parts) == 1 else np.concatenate([*parts, self.files[0][:0]])


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


def open_megatron(index: Path) -> Dataset:
    """Read the ``.idx`` and map the tokens.

    Raises
    ------
    CorpusError
        It is none, it is cut short, or the tokens are.
    """
    with open(index, "rb") as file:
        header = file.read(HEADER_BYTES)
    if not header.startswith(MAGIC) or len(header) < HEADER_BYTES:
        raise CorpusError(f"{index} is no Megatron index: it does not begin with MMIDIDX")
    version, sequences, documents = (int.from_bytes(header[at : at + 8], "little") for at in (9, 18, 26))
    if version != 1 or header[17] not in DTYPES:
        raise CorpusError(f"{index} has version {version} and type {header[17]}: expected version 1 and ids, types {[*DTYPES]}")
    expected = HEADER_BYTES + 12 * sequences + 8 * documents
    if index.stat().st_size != expected:
        raise CorpusError(f"{index} has {index.stat().st_size:,} bytes, expected {expected:,}: it was cut short; fetch it again")
    raw = map_array(index, "u1")[HEADER_BYTES:]
    sizes = raw[: 4 * sequences].view("<i4")
    starts, ends = (part.view("<i8") for part in np.split(raw[4 * sequences :], [8 * sequences]))
    dtype = np.dtype(DTYPES[header[17]])
    files = [map_array(path, dtype) for path in data_files(index)]
    offsets = np.cumsum([0, *map(len, files)])
    last = int(starts[-1]) // dtype.itemsize + int(sizes[-1]) if sequences else 0
    if last > offsets[-1] or any(path.stat().st_size % dtype.itemsize for path in data_files(index)):
        raise CorpusError(
            f"{index} tells of {last:,} tokens, its .bin files hold {int(offsets[-1]):,}: "
            "one was cut short or is missing; fetch it again"
        )
    return Dataset(files, offsets, sizes, np.asarray(starts // dtype.itemsize), ends)


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
        "dtype": data.files[0].dtype.name,
        "num_sequences": len(data.sizes),
        "num_documents": len(data.documents) - 1,
        "num_tokens": int(data.sizes.sum(dtype=np.int64)),
        "files": [str(file) for file in data_files(path)],
    }


def token_type_of_dataset(index: Path) -> str:
    """The token type that holds all ids of a dataset's type."""
    itemsize = open_megatron(index).files[0].dtype.itemsize
    return {1: "u8", 2: "u16"}.get(itemsize, "u32")


def read_megatron(path: str, start: int, sequences_per_step: int | None) -> Iterator[Records]:
    """Documents from number ``start`` on; with ``sequences_per_step`` each sequence is one, and ``step`` is kept of it."""
    data = open_megatron(Path(path))
    if sequences_per_step is None:
        edges = data.documents
        if not len(edges) or edges[0] or edges[-1] != len(data.sizes) or (np.diff(edges) < 0).any():
            raise CorpusError(f"{path} does not say which sequences are documents: take sequences, with --sequences-per-step")
    else:
        edges = np.arange(len(data.sizes) + 1)
    itemsize = data.files[0].dtype.itemsize
    ends = data.starts + data.sizes
    adjoining = np.append(data.starts[1:] == ends[:-1], True)

    def document(number: int) -> Record:
        first, last = int(edges[number]), int(edges[number + 1])
        if first == last:
            ids = data.files[0][:0]
        elif adjoining[first : last - 1].all():
            ids = data.tokens(int(data.starts[first]), int(ends[last - 1]))
        else:
            ids = np.concatenate([data.tokens(int(data.starts[s]), int(ends[s])) for s in range(first, last)])
        return ids, {} if sequences_per_step is None else {"step": number // sequences_per_step}

    yield from _in_pieces(
        map(document, range(start, len(edges) - 1)), start, itemsize, int(ends[int(edges[start]) - 1]) if start else 0
    )


def read_raw(path: str, start: int, dtype: str, separator: int | None) -> Iterator[Records]:
    """Documents that each end with the separator, which is left out; without one, the file is a document."""
    tokens = map_array(Path(path), dtype)

    def documents() -> Iterator[Record]:
        first = 0
        for block in range(0, len(tokens) if separator is not None else 0, PIECE_TOKENS):
            for end in (np.flatnonzero(tokens[block : block + PIECE_TOKENS] == separator) + block).tolist():
                yield tokens[first:end], {}
                first = end + 1
        if first < len(tokens):
            yield tokens[first:], {}

    records = documents()
    for _ in range(start):
        next(records)
    yield from _in_pieces(records, start, tokens.dtype.itemsize, 0)


def document_starts(tokens: NDArray[np.unsignedinteger[Any]], separator: int) -> NDArray[np.uint64]:
    """Starts of the documents that each end with a separator, the last one perhaps without, and one more than their end."""
    step = 1 << 24
    ends = [np.flatnonzero(tokens[start : start + step] == separator) + start + 1 for start in range(0, len(tokens), step)]
    starts = np.concatenate([np.zeros(1, np.int64), *ends])
    return (starts if len(tokens) and starts[-1] == len(tokens) else np.append(starts, len(tokens) + 1)).astype(np.uint64)


def _in_pieces(records: Iterator[Record], first: int, itemsize: int, consumed: int) -> Iterator[Records]:
    """Records in pieces of about a megabyte."""
    waiting: list[Record] = []
    size = 0
    for record in records:
        waiting.append(record)
        size += len(record[0])
        if size >= PIECE_TOKENS or len(waiting) >= PIECE_TOKENS // 64:
            consumed += size * itemsize
            yield Records(first, waiting, size * itemsize, consumed)
            first, waiting, size = first + len(waiting), [], 0
    if waiting:
        yield Records(first, waiting, size * itemsize, consumed + size * itemsize)
