"""tokengrams' pairs of files: ``X.bin``, ids without a header, and ``X.idx``, the suffix array in u64 token positions.

Suffixes are in the order of ids, one that ends before those that go on. There are no documents: the file is one, unless the
user names the id that ends them.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from suffixindex.errors import FormatError
from suffixindex.files import map_array
from suffixindex.foreign.shard import Layout, document_starts, offsets_name
from suffixindex.foreign.sidecar import Sidecar
from suffixindex.format import TOKEN_TYPES, separator_of

POINTER = 8
SAMPLED = 1000


def pairs_of(path: Path) -> list[tuple[Path, Path]]:
    """The (tokens, table) files that a path names: a folder, or one of a pair. Sorted by name.

    Raises
    ------
    FormatError
        One of a pair is missing.
    """
    tables = sorted(path.glob("*.idx")) if path.is_dir() else [path.with_suffix(".idx")]
    pairs = [(table.with_suffix(".bin"), table) for table in tables]
    for pair in pairs:
        for file, other in (pair, pair[::-1]):
            if not file.exists():
                raise FormatError(f"{file} is missing, the other half of {other.name}: copy it there")
    return pairs


def layouts(pairs: Sequence[tuple[Path, Path]], token_type: str | None, separator: int | None, sidecar: Sidecar) -> list[Layout]:
    """How the shards lie; with a separator, its first use reads all tokens once.

    Raises
    ------
    FormatError
        Two files do not fit each other, or an id is the one that is ours to end documents.
    """
    return [_layout(number, *pair, token_type, separator, sidecar) for number, pair in enumerate(pairs)]


def _layout(number: int, tokens: Path, table: Path, token_type: str | None, separator: int | None, sidecar: Sidecar) -> Layout:
    size, table_size = tokens.stat().st_size, table.stat().st_size
    length = table_size // POINTER
    widths = {length * TOKEN_TYPES[name].itemsize: name for name in ("u16", "u32")}
    if (
        not length
        or table_size % POINTER
        or widths.get(size, token_type) is None
        or (token_type or widths.get(size)) != widths.get(size)
    ):
        raise FormatError(
            f"{tokens} has {size:,} bytes and {table.name} {table_size:,}: expected 8 in the second for each 2 or 4 in the first; "
            "one was cut short, or they are no pair of tokengrams"
        )
    found = widths[size]
    content, entries = map_array(tokens, TOKEN_TYPES[found]), map_array(table, "<u8")
    if (entries[np.unique(np.linspace(0, length - 1, SAMPLED).astype(np.int64))] >= length).any():
        raise FormatError(f"{table} holds what is no position in {tokens.name}: copy both again")
    largest = separator_of(found)
    if separator != largest and int(content[int(entries[-1])]) == largest:
        raise FormatError(
            f"{tokens} holds the id {largest:,}, which would end documents here: name it as --separator, or build anew"
        )
    starts = None
    if separator is not None:
        name = f"{number:05d}.{offsets_name(separator)}"
        starts = sidecar.array(name, lambda: document_starts(content, separator), "<u8")
    return Layout(
        tokens=tokens,
        table=table,
        token_type=found,
        pointer_bytes=POINTER,
        length=length + 1 if starts is None else int(starts[-1]),
        num_documents=1 if starts is None else len(starts) - 1,
        separator=separator,
    )
