"""Corpora that are tokens already: raw ids, and NumPy's arrays of them; Megatron's datasets are in ``megatron.py``."""

import os
import warnings
from collections.abc import Iterator
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from suffixindex.corpus.records import BadRecordError, Chunk, Parsed, Source, too_large
from suffixindex.corpus.streams import open_file
from suffixindex.errors import CorpusError

CHUNK_TOKENS = 1 << 19
CHUNK_DOCUMENTS = 1 << 13
RAW = {"u8": "u1", "u16": "<u2", "u32": "<u4"}
NPY_MAGIC = b"\x93NUMPY"

Document = tuple[NDArray[Any], dict[str, Any]]
"""Ids of a document, and the fields that are kept of it."""


def read_raw(source: Source, start: int, limit: int) -> Iterator[Chunk]:
    """Documents that each end with the separator, which is left out; without one, the file is a document."""
    with open_file(source, anywhere=True) as file:
        check_width(source.path, file.seek(0, os.SEEK_END), source.kind)
        file.seek(0)
        yield from _chunks(file, np.dtype(RAW[source.kind]), source.number, start, limit)


def read_npy(source: Source, start: int, limit: int) -> Iterator[Chunk]:
    """The same of an array that ``numpy.save`` wrote."""
    with open_file(source, anywhere=True) as file:
        dtype, _ = npy_header(source.path, file)
        yield from _chunks(file, dtype, source.number, start, limit)


def parse_tokens(payload: list[Any], first: int) -> Iterator[Parsed]:
    """Documents by their number."""
    yield from enumerate(payload, first + 1)


def check_width(path: str, size: int, kind: str) -> None:
    """
    Raises
    ------
    CorpusError
        A file of ids is no whole number of them.
    """
    width = np.dtype(RAW[kind]).itemsize
    if size % width == 0:
        return
    likely = next(name for name in ("u16", "u8") if size % np.dtype(RAW[name]).itemsize == 0)
    raise CorpusError(
        f"{path} has {size:,} bytes, expected a multiple of {width} ({kind}): it was cut short, or its ids have another width, "
        f"as {likely} (--input-format {likely})"
    )


def npy_header(path: str, file: IO[bytes]) -> tuple[np.dtype[Any], int]:
    """The type of an array of ids and their number; ``file`` is at the first of them then.

    Raises
    ------
    CorpusError
        It holds something else than a line of integers, or fewer than it says.
    """
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            shape, _, dtype = read(file)
    except (ValueError, SyntaxError, TypeError, TokenError) as error:
        raise CorpusError(f"{path} is a damaged .npy file: {error}; save it again") from error
    if dtype.kind not in "iu":
        raise CorpusError(f"{path} is an array of {dtype.name}, expected integers, ids: save it as array.astype('uint32')")
    if len(shape) != 1:
        raise CorpusError(f"{path} is an array of the shape {list(shape)}, expected one dimension: save it as array.reshape(-1)")
    start = file.tell()
    found = file.seek(0, os.SEEK_END) - start
    file.seek(start)
    if found != shape[0] * dtype.itemsize:
        raise CorpusError(
            f"{path} has {found:,} bytes of ids, expected {shape[0] * dtype.itemsize:,} ({shape[0]:,} of {dtype.name}): "
            "it was cut short or written to; save it again"
        )
    return dtype, shape[0]


def npy_token_type(source: Source) -> str:
    """The narrowest token type that holds the ids of an array's type; of a wide one, the ids themselves are looked at when read."""
    with open_file(source, anywhere=True) as file:
        dtype, _ = npy_header(source.path, file)
    return {1: "u8", 2: "u16"}.get(dtype.itemsize, "u32")


def document_starts(tokens: NDArray[np.unsignedinteger[Any]], separator: int) -> NDArray[np.uint64]:
    """Starts of the documents that each end with a separator, the last one perhaps without, and one more than their end."""
    step = 1 << 24
    ends = [np.flatnonzero(tokens[start : start + step] == separator) + start + 1 for start in range(0, len(tokens), step)]
    starts = np.concatenate([np.zeros(1, np.int64), *ends])
    return (starts if len(tokens) and starts[-1] == len(tokens) else np.append(starts, len(tokens) + 1)).astype(np.uint64)


def _chunks(file: IO[bytes], dtype: np.dtype[Any], separator: int | None, start: int, limit: int) -> Iterator[Chunk]:
    """Documents from number ``start`` on. Read and not mapped: a map of a file that is cut short meanwhile ends the process."""
    waiting: list[Any] = []
    size = 0
    for number, document in enumerate(_documents(file, dtype, separator, limit)):
        if number < start:
            continue
        waiting.append(document)
        size += 0 if isinstance(document, BadRecordError) else len(document[0])
        if size >= CHUNK_TOKENS or len(waiting) >= CHUNK_DOCUMENTS:
            yield Chunk(len(waiting), waiting, size * dtype.itemsize, file.tell())
            waiting, size = [], 0
    if waiting:
        yield Chunk(len(waiting), waiting, size * dtype.itemsize, file.tell())


def _documents(file: IO[bytes], dtype: np.dtype[Any], separator: int | None, limit: int) -> Iterator[Any]:
    parts: list[NDArray[Any]] = []  # of the document that is under way
    length = 0

    def add(part: NDArray[Any]) -> None:
        nonlocal length
        length += len(part)
        if length * dtype.itemsize <= limit:
            parts.append(part)
        else:
            parts.clear()

    def document() -> Document | BadRecordError:
        if length * dtype.itemsize > limit:
            return too_large(length * dtype.itemsize, limit)
        return (parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, dtype), *parts])), {}

    while len(block := np.frombuffer(file.read(CHUNK_TOKENS * dtype.itemsize), dtype)):
        first = 0
        for end in np.flatnonzero(block == separator).tolist() if separator is not None else ():
            add(block[first:end])
            yield document()
            parts.clear()
            first, length = end + 1, 0
        add(block[first:])
    if length:
        yield document()
