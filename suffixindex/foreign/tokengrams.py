"""tokengrams' pairs of files: ``X.bin``, ids without a header, and ``X.idx``, the suffix array in u64 token positions.

Suffixes are in the order of ids, one that ends before those that go on. There are no documents: the file is one, unless the
user names the id that ends them.
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.corpus.token_files import document_starts
from suffixindex.errors import FormatError
from suffixindex.foreign.arrays import Table
from suffixindex.foreign.shard import Layout, Made, StoredShard
from suffixindex.foreign.sidecar import Sidecar
from suffixindex.storage.files import map_array
from suffixindex.storage.format import TOKEN_TYPES, separator_of

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
        Two files do not fit each other, or no id is left to end documents.
    """
    types = [_type_of(*pair, token_type) for pair in pairs]
    largest = max(
        int(map_array(tokens, TOKEN_TYPES[name])[int(map_array(table, "<u8")[-1])])
        for (tokens, table), name in zip(pairs, types, strict=True)
    )
    widest = max(types, key=list(TOKEN_TYPES).index)
    if largest == separator_of(widest) != separator:
        if widest == "u32":
            raise FormatError(f"{pairs[0][0]} holds the id {largest:,}, which ends documents here: build an index of smaller ids")
        widest = "u32"  # all ids of two bytes are in use
    return [_layout(i, *pair, widest, name, separator, sidecar) for i, (pair, name) in enumerate(zip(pairs, types, strict=True))]


def _type_of(tokens: Path, table: Path, token_type: str | None) -> str:
    """The type of a pair's ids, by the sizes of its files."""
    size, table_size = tokens.stat().st_size, table.stat().st_size
    length = table_size // POINTER
    found = {2 * length: "u16", 4 * length: "u32"}.get(size)
    if not length or table_size % POINTER or found is None or token_type not in (None, found):
        raise FormatError(
            f"{tokens} has {size:,} bytes and {table.name} {table_size:,}: expected 8 in the second for each 2 or 4 in the first; "
            "one was cut short, or they are no pair of tokengrams"
        )
    if (map_array(table, "<u8")[np.unique(np.linspace(0, length - 1, SAMPLED).astype(np.int64))] >= length).any():
        raise FormatError(f"{table} holds what is no position in {tokens.name}: copy both again")
    return found


def _layout(
    number: int, tokens: Path, table: Path, token_type: str, stored_type: str, separator: int | None, sidecar: Sidecar
) -> Layout:
    content = map_array(tokens, TOKEN_TYPES[stored_type])
    starts = None
    if separator is not None:
        name = f"{number:05d}.{offsets_name(separator)}"
        starts = starts_of(content, separator, sidecar, name)
    return Layout(
        tokens=tokens,
        table=table,
        token_type=token_type,
        stored_type=stored_type,
        pointer_bytes=POINTER,
        length=len(content) + 1 if starts is None else int(starts[-1]),
        num_documents=1 if starts is None else len(starts) - 1,
        separator=separator,
    )


class TokengramsShard(StoredShard):
    """A shard of tokengrams: its order is that of ids, that of the separator among them, and no file has its documents."""

    @property
    def _key_bits(self) -> int | None:
        return None

    @property
    def _searched_table(self) -> Table:
        """Without the suffixes that begin with a separator, which stand elsewhere than where its id would."""
        table = self.suffix_array
        return table if self.layout.separator is None else table.up_to(self.length - self.num_documents)

    @cached_property
    def document_offsets(self) -> NDArray[np.uint64]:
        separator = self.layout.separator
        if separator is None:
            return np.array([0, self.length], np.uint64)
        starts = starts_of(self._content, separator, self._sidecar, self._made(offsets_name(separator)))
        if len(starts) != self.num_documents + 1 or int(starts[-1]) != self.length:
            raise FormatError(f"{self.layout.tokens} was changed since the index was opened: open the index again")
        return starts

    @property
    def _content(self) -> NDArray[np.unsignedinteger[Any]]:
        return self._index_files.map(self.layout.tokens, TOKEN_TYPES[self.layout.stored_type])

    def _made_of_tokens(self) -> list[Made]:
        separator = self.layout.separator
        if separator is None:
            return []
        return [(offsets_name(separator), "<u8", lambda: document_starts(self._content, separator))]


def starts_of(content: NDArray[np.unsignedinteger[Any]], separator: int, sidecar: Sidecar, name: str) -> NDArray[np.uint64]:
    """Where the documents begin that each end with a separator, and the end of the last one. O(tokens) once."""

    def check(made: NDArray[np.uint64]) -> None:
        check_starts(made, content, separator)

    return sidecar.array(name, lambda: document_starts(content, separator), "<u8", check)


def offsets_name(separator: int) -> str:
    return f"document_offsets.{separator}.u64"


def check_starts(starts: NDArray[np.uint64], content: NDArray[np.unsignedinteger[Any]], separator: int) -> None:
    """Documents begin at 0 and after separators, and the last one ends with the file or after it.

    Raises
    ------
    FormatError
    """
    size = len(content)
    wrong = FormatError(f"offsets of {len(starts) - 1:,} documents do not fit {size:,} tokens")
    if len(starts) < 2 or starts[0] != 0 or int(starts[-1]) not in (size, size + 1) or (starts[1:] <= starts[:-1]).any():
        raise wrong
    ends = starts[1:].astype(np.int64) - 1
    if (content[ends[ends < size]] != separator).any():
        raise wrong
