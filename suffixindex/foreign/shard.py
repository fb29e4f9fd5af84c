"""Shards that other engines made, as shards of ours: the same arrays, read where they lie."""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.foreign.arrays import Pieces, Table, Tokens
from suffixindex.foreign.last_document import find_pieces
from suffixindex.foreign.sidecar import Sidecar
from suffixindex.ngrams import NgramBatch
from suffixindex.storage.files import map_array
from suffixindex.storage.format import TOKEN_TYPES, ShardEntry, separator_of
from suffixindex.storage.shard import FEW, Interval, Shard, parse_lines
from suffixindex.storage.tables import SPACING, SearchTree, document_blocks, grow_search_tree, search_tree

if TYPE_CHECKING:
    from suffixindex.kernels.occurrences import Postings

LEAVES = 1 << 19
"""Leaves of a search tree at most: to sample a suffix is to read two places of the disk."""
WORTH = 32
"""A search saves the reads of as many leaves: a tree is grown when the searches so far would have paid for it."""
SCANNED = 1 << 22  # occurrences whose neighbours are read at a time


@dataclass(frozen=True)
class Layout:
    """Where the parts of a shard lie, and how they are to be read."""

    tokens: Path
    table: Path
    token_type: str
    """Whose largest id ends documents: that of the file, or a wider one."""
    stored_type: str
    """Of the ids in the file."""
    pointer_bytes: int
    """Of an entry of the table."""
    length: int
    """Tokens and separators, one of which the end of the file may stand for."""
    num_documents: int
    pointer_shift: int = 0
    """Binary logarithm of the bytes that an entry counts to a token."""
    leading: int = 0
    """Separators before the first document."""
    offsets: Path | None = None
    """Byte offsets of the documents' separators; else documents end with ``separator``."""
    separator: int | None = None
    """The id that ends documents in the file, if it is not the largest of its type."""
    swapped: bool = False
    """Whether suffixes stand in the order of their bytes."""
    mirrored: bool = False
    metadata: tuple[Path, Path] | None = field(default=None)
    """Lines, and the byte offset of each."""


class StoredShard(Shard):
    """A shard whose arrays are other engines' files. A search tree and document blocks are made when they are worth it."""

    position_type = np.uint64

    def __init__(self, layout: Layout, number: int, sidecar: Sidecar, vocabulary_size: int) -> None:
        super().__init__(
            layout.tokens.parent, ShardEntry(layout.num_documents, layout.length, {}), layout.token_type, vocabulary_size
        )
        self.layout = layout
        self.in_id_order = not layout.mirrored and layout.separator is None and (not layout.swapped or layout.token_type == "u8")
        self._number = number
        self._sidecar = sidecar

    def _made(self, name: str) -> str:
        return f"{self._number:05d}.{name}"

    # ---- arrays --------------------------------------------------------------------------------------------------

    @cached_property
    def tokens(self) -> Tokens:  # type: ignore[override]
        layout = self.layout
        content = map_array(layout.tokens, TOKEN_TYPES[layout.stored_type])
        # documents that lie reversed keep the separators that stand before them: to us those come after
        length = layout.length + 1 if layout.mirrored else layout.length
        content = content if layout.mirrored else content[layout.leading :]
        return Tokens(
            content, length, stored_separator=layout.separator, swapped=layout.swapped, dtype=TOKEN_TYPES[layout.token_type]
        )

    @cached_property
    def suffix_array(self) -> Table:  # type: ignore[override]
        def find() -> NDArray[np.int64]:
            tokens = map_array(layout.tokens, TOKEN_TYPES[layout.stored_type])
            separator = separator_of(layout.token_type) if layout.separator is None else layout.separator
            last = int(self.document_offsets[self.num_documents - 1]) + layout.leading - layout.mirrored
            if layout.length == len(tokens) - layout.leading:
                last = len(tokens)  # no document's end is missing
            stored = Table(content, layout.pointer_bytes, shift=layout.pointer_shift, length=layout.length)
            return np.array(find_pieces(tokens, stored, layout.swapped, last, separator, str(layout.table)))

        layout = self.layout
        content = map_array(layout.table, "u1")
        found = self._sidecar.array(self._made(f"pieces.{layout.separator}.i64"), find, "<i8").reshape(2, -1)
        settings = {"shift": layout.pointer_shift, "last": layout.length - 1, "length": layout.length}
        base = 0 if layout.mirrored else layout.leading
        return Table(content, layout.pointer_bytes, **settings, base=base, pieces=Pieces(found[0].copy(), found[1].copy()))

    @cached_property
    def document_offsets(self) -> Any:
        layout = self.layout
        if layout.offsets is not None:
            shift = TOKEN_TYPES[layout.token_type].itemsize.bit_length() - 1
            content = map_array(layout.offsets, "u1")
            return Table(content, 8, shift=shift, last=layout.length, length=layout.num_documents + 1)
        raise NotImplementedError

    @cached_property
    def search_tree(self) -> SearchTree:
        """The tree that was grown, or one that says nothing."""
        keys = self._sidecar.known(self._made(self._tree_name), "<u8")
        return self._tree_of(np.empty(0, np.uint64) if keys is None else keys)

    @property
    def _spacing(self) -> int:
        return max(SPACING, 1 << max(len(self._searched_table) // LEAVES - 1, 0).bit_length())

    @property
    def _tree_name(self) -> str:
        return f"search_tree.{self._vocabulary_size}.u64"

    @property
    def _key_bits(self) -> int | None:
        """Bits of a token in a key, where all of them go in."""
        return 8 * TOKEN_TYPES[self.layout.token_type].itemsize

    def _tree_of(self, keys: NDArray[np.uint64]) -> SearchTree:
        tree = search_tree(keys, len(self._searched_table), self._vocabulary_size, self._spacing)
        bits = self._key_bits
        return tree if bits is None else tree._replace(bits=bits, limit=1 << bits)

    def _grow(self) -> None:
        def make() -> NDArray[np.uint64]:
            grown = grow_search_tree(self.tokens, self._searched_table, self._vocabulary_size, self._spacing, self._key_bits)  # type: ignore[arg-type]
            return grown.keys

        self.search_tree = self._tree_of(self._sidecar.array(self._made(self._tree_name), make, "<u8"))

    @property
    def _searched_table(self) -> Table:
        return self.suffix_array

    @property
    def _searched(self) -> tuple[Any, ...]:
        return self.tokens, self._searched_table, *self.search_tree

    @cached_property
    def postings(self) -> "Postings":
        from suffixindex.kernels.occurrences import Postings

        blocks = self._sidecar.array(
            self._made("document_blocks.u32"), lambda: document_blocks(np.asarray(self.document_offsets)), "<u4"
        )
        return Postings(self.suffix_array, blocks, self.document_offsets)  # type: ignore[arg-type]

    # ---- search --------------------------------------------------------------------------------------------------

    def interval(self, ngram: NDArray[np.int64]) -> Interval:
        if len(ngram) == 1 and ngram[0] == self.tokens.separator:
            return self.length - self.num_documents, self.length
        return self._interval(np.ascontiguousarray(self.as_stored(ngram)))

    def intervals(self, batch: NgramBatch, pool: Executor, threads: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ends = np.flatnonzero(batch.stops - batch.starts == 1)
        ends = ends[batch.ids[batch.starts[ends]] == self.tokens.separator]
        if len(ends):
            starts = batch.starts.copy()
            starts[ends] = batch.stops[ends]  # in the place of the separator alone nothing, which costs nothing
            low, high = self.intervals(NgramBatch(batch.ids, starts, batch.stops), pool, threads)
            low[ends], high[ends] = self.length - self.num_documents, self.length
            return low, high
        return self.stored_intervals(self._stored_batch(batch), pool, threads)

    def stored_intervals(self, batch: NgramBatch, pool: Executor, threads: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        self._searches += len(batch)
        if not len(self.search_tree.keys) and self._searches * WORTH > max(len(self.suffix_array) // self._spacing, FEW * WORTH):
            self._grow()
        return super().stored_intervals(batch, pool, threads)

    def _stored_batch(self, batch: NgramBatch) -> NgramBatch:
        return batch

    def _sort_keys(self, ids: list[int]) -> list[int]:
        return self.tokens.places(np.array(ids, np.int64)).tolist()  # type: ignore[no-any-return]

    def next_tokens(self, interval: Interval, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        ids, counts = super().next_tokens(interval, length)
        order = np.argsort(ids)
        return ids[order], counts[order]

    def stored_interval(self, interval: Interval) -> Interval:
        """The ranks of an n-gram without a separator, which occurs, in the file itself."""
        entries = self.suffix_array.entries(np.arange(*interval))
        return int(entries.min()), int(entries.max()) + 1

    # ---- documents -----------------------------------------------------------------------------------------------

    def documents_at(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        if len(positions) > FEW:
            return super().documents_at(positions)
        offsets = self.document_offsets
        if not isinstance(offsets, Table):
            return np.searchsorted(offsets, positions.astype(np.uint64), side="right") - 1
        stored = offsets.content.view("<u8")
        return np.searchsorted(stored, positions.astype(np.uint64) << np.uint64(offsets.shift), side="right") - 1

    @property
    def metadata_path(self) -> Path | None:
        return None if self.layout.metadata is None else self.layout.metadata[0]

    def metadata_records(self) -> Iterator[list[dict[str, Any]]]:
        for records in super().metadata_records():
            yield [_as_ours(record) for record in records]

    def metadata(self, document: int) -> dict[str, Any]:
        if self.layout.metadata is None:
            return {}
        lines, offsets = self.layout.metadata
        starts = map_array(offsets, "<u8")
        with open(lines, "rb") as file:
            file.seek(int(starts[document]))
            line = file.readline()
        return _as_ours(parse_lines([line])[0])


def _as_ours(record: dict[str, Any]) -> dict[str, Any]:
    """A line of infini-gram's metadata, which counts lines from 0."""
    return {"path": record.get("path"), "line": record.get("linenum"), "metadata": record.get("metadata") or {}}
