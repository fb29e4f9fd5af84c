"""Other engines' files, written from the definition of their formats: slow and obvious, importing nothing of the package."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

WIDTHS = {"u8": 1, "u16": 2, "u32": 4}


def _bytes(ids: Sequence[int], width: int) -> bytes:
    return b"".join(int(token).to_bytes(width, "little") for token in ids)


def write_infinigram(
    folder: Path,
    shards: Sequence[Sequence[Sequence[int]]],
    token_type: str = "u16",
    *,
    mirrored: bool = False,
    pointer_bytes: int | None = None,
    metadata: Sequence[Sequence[dict[str, object]]] | None = None,
    suffixes: bool = True,
) -> Path:
    """An index of infini-gram: version 4, or 5 if ``mirrored``, or 6 (one shard) without ``suffixes`` of its files' names."""
    width = WIDTHS[token_type]
    folder.mkdir(parents=True, exist_ok=True)
    for number, documents in enumerate(shards):
        name = f".{number}" if suffixes else ""
        text, offsets = b"", []
        for document in documents:
            offsets.append(len(text))
            text += b"\xff" * width + _bytes(document[::-1] if mirrored else document, width)
        order = sorted(range(0, len(text), width), key=lambda start: text[start:])
        pointer = pointer_bytes or max(1, (len(text).bit_length() + 7) // 8)
        (folder / f"tokenized{name}").write_bytes(text)
        (folder / f"table{name}").write_bytes(_bytes(order, pointer))
        (folder / f"offset{name}").write_bytes(_bytes(offsets, 8))
        if metadata is not None:
            lines = [json.dumps(record) + "\n" for record in metadata[number]]
            starts = np.cumsum([0, *map(len, lines)])[:-1].tolist()
            (folder / f"metadata{name}").write_text("".join(lines))
            (folder / f"metaoff{name}").write_bytes(_bytes(starts, 8))
    return folder


def write_tokengrams(stem: Path, tokens: Sequence[int], token_type: str = "u16") -> Path:
    """A pair ``stem.bin``, ``stem.idx``; returns the first."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    order = sorted(range(len(tokens)), key=lambda start: list(tokens[start:]))
    path = stem.with_suffix(".bin")
    path.write_bytes(_bytes(tokens, WIDTHS[token_type]))
    stem.with_suffix(".idx").write_bytes(_bytes(order, 8))
    return path


def in_string_order(shards: Sequence[Sequence[Sequence[int]]]) -> list[Sequence[int]]:
    """The documents of numbered shards as the engine numbers them: shard 10 before shard 2."""
    order = sorted(range(len(shards)), key=str)
    return [document for number in order for document in shards[number]]


def write_megatron(
    stem: Path,
    sequences: Sequence[Sequence[int]],
    dtype: str = "<u2",
    *,
    documents: Sequence[int] | None = None,
    cuts: Sequence[int] = (),
) -> Path:
    """A dataset of Megatron; ``cuts`` are tokens at which the data goes on in another file. Returns the ``.idx``."""
    codes = {"|u1": 1, "|i1": 2, "<i2": 3, "<i4": 4, "<i8": 5, "<u2": 8}
    kind = np.dtype(dtype)
    sizes = np.array([len(sequence) for sequence in sequences], "<i4")
    pointers = np.cumsum(np.append(0, sizes))[:-1].astype("<i8") * kind.itemsize
    of_documents = np.array(range(len(sequences) + 1) if documents is None else documents, "<i8")
    header = (
        b"MMIDIDX\x00\x00"
        + _bytes([1], 8)
        + _bytes([codes[kind.str]], 1)
        + _bytes([len(sequences)], 8)
        + _bytes([len(of_documents)], 8)
    )
    index = stem.with_suffix(".idx")
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_bytes(header + sizes.tobytes() + pointers.tobytes() + of_documents.tobytes())
    data = np.concatenate([np.array(sequence, kind) for sequence in sequences]).tobytes()
    if not cuts:
        stem.with_suffix(".bin").write_bytes(data)
        return index
    edges = [0, *(cut * kind.itemsize for cut in cuts), len(data)]
    for number in range(len(edges) - 1):
        name = f"{stem.name}-{number:05d}-of-{len(edges) - 2:05d}.bin"
        (stem.parent / name).write_bytes(data[edges[number] : edges[number + 1]])
    return index
