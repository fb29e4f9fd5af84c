"""Shards that other engines made, as shards of ours: the same arrays, read where they lie."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError
from suffixindex.foreign.arrays import Pieces, Table, Tokens
from suffixindex.foreign.last_document import find_pieces
from suffixindex.foreign.sidecar import Sidecar
from suffixindex.ngrams import NgramBatch
from suffixindex.storage.checks import check_ascending, check_blocks, check_tree
from suffixindex.storage.files import map_array
from suffixindex.storage.format import TOKEN_TYPES, ShardEntry, separator_of
from suffixindex.storage.identity import IndexFiles
from suffixindex.storage.metadata import MetadataLines, our_record
from suffixindex.storage.shard import FEW, Interval, Shard
from suffixindex.storage.tables import SPACING, Postings, SearchTree, document_blocks, grow_search_tree, search_tree

LEAVES = 1 << 19
"""Leaves of a search tree at most: to sample a suffix is to read two places of the disk."""
WORTH = 32
"""A search saves the reads of as many leaves: a tree is grown when the searches so far would have paid for it."""
BLOCKS = "document_blocks.u32"
Made = tuple[str, str, Callable[[], NDArray[Any]]]
"""A table that is made for an index: its name, its type, and how."""
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

    def __init__(self, layout: Layout, number: int, sidecar: Sidecar, vocabulary_size: int, index_files: IndexFiles) -> None:
        entry = ShardEntry(layout.num_documents, layout.length, {})
        super().__init__(layout.tokens.parent, entry, layout.token_type, vocabulary_size, index_files)
        self.layout = layout
        self.in_id_order = not layout.mirrored and layout.separator is None and (not layout.swapped or layout.token_type == "u8")
        self._number = number
        self._sidecar = sidecar

    def _made(self, name: str) -> str:
        return f"{self._number:05d}.{name}"

    @property
    def index_files(self) -> IndexFiles:
        """The files of the index."""
        return self._index_files

    # ---- arrays --------------------------------------------------------------------------------------------------

    @cached_property
    def tokens(self) -> Tokens:  # type: ignore[override]
        layout = self.layout
        content = self._index_files.map(layout.tokens, TOKEN_TYPES[layout.stored_type])
        # documents that lie reversed keep the separators that stand before them: to us those come after
        length = layout.length + 1 if layout.mirrored else layout.length
        content = content if layout.mirrored else content[layout.leading :]
        return Tokens(
            content, length, stored_separator=layout.separator, swapped=layout.swapped, dtype=TOKEN_TYPES[layout.token_type]
        )

    @cached_property
    def suffix_array(self) -> Table:  # type: ignore[override]
        layout = self.layout
        content = self._index_files.map(layout.table, "u1")
        name = self._made(f"pieces.{layout.separator}.i64")
        found = self._sidecar.array(name, self._find_pieces, "<i8", lambda made: check_pieces(made, layout.length)).reshape(2, -1)
        settings = {"shift": layout.pointer_shift, "last": layout.length - 1, "length": layout.length}
        base = 0 if layout.mirrored else layout.leading
        return Table(content, layout.pointer_bytes, **settings, base=base, pieces=Pieces(found[0].copy(), found[1].copy()))

    def _find_pieces(self) -> NDArray[np.int64]:
        layout = self.layout
        tokens = self._index_files.map(layout.tokens, TOKEN_TYPES[layout.stored_type])
        separator = separator_of(layout.token_type) if layout.separator is None else layout.separator
        last = int(self.document_offsets[self.num_documents - 1]) + layout.leading - layout.mirrored
        if layout.length == len(tokens) - layout.leading:
            last = len(tokens)  # no document's end is missing
        content = self._index_files.map(layout.table, "u1")
        stored = Table(content, layout.pointer_bytes, shift=layout.pointer_shift, length=layout.length)
        return np.array(find_pieces(tokens, stored, layout.swapped, last, separator, str(layout.table)))

    @cached_property
    def document_offsets(self) -> Any:
        layout = self.layout
        if layout.offsets is not None:
            shift = TOKEN_TYPES[layout.token_type].itemsize.bit_length() - 1
            content = self._index_files.map(layout.offsets, "u1")
            uneven = np.flatnonzero(content.view("<u8") & np.uint64((1 << shift) - 1))
            if len(uneven):
                raise FormatError(f"{layout.offsets}: entry {int(uneven[0]):,} is no multiple of {1 << shift}; {self.remedy}")
            offsets = Table(content, 8, shift=shift, last=layout.length, length=layout.num_documents + 1)
            check_ascending(layout.offsets, offsets, layout.num_documents, layout.length, "tokens into documents")
            return offsets
        raise NotImplementedError

    @cached_property
    def search_tree(self) -> SearchTree:
        """The tree that was grown, or one that says nothing."""
        keys = self._sidecar.known(self._made(self._tree_name), "<u8", self._check_keys)
        return self._tree_of(np.empty(0, np.uint64) if keys is None else keys)

    def _check_keys(self, keys: NDArray[np.uint64]) -> None:
        check_tree(Path(self._tree_name), self._tree_of(keys))

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
        keys = self._sidecar.array(self._made(self._tree_name), self._grown_keys, "<u8", self._check_keys)
        self.search_tree = self._tree_of(keys)
        vars(self).pop("_find", None)  # which searches without it

    def _grown_keys(self) -> NDArray[np.uint64]:
        arrays = self.tokens, self._searched_table
        tree: SearchTree = self.run(grow_search_tree, *arrays, self._vocabulary_size, self._spacing, self._key_bits)
        return tree.keys

    @property
    def _searched_table(self) -> Table:
        return self.suffix_array

    @property
    def _searched(self) -> tuple[Any, ...]:
        return self.tokens, self._searched_table, *self.search_tree

    def check_made(self) -> None:
        """What was made for this shard earlier is what would be made now. O(tokens).

        Raises
        ------
        FormatError
        """
        made: list[Made] = [
            (f"pieces.{self.layout.separator}.i64", "<i8", self._find_pieces),
            (self._tree_name, "<u8", self._grown_keys),
            (BLOCKS, "<u4", lambda: document_blocks(np.asarray(self.document_offsets))),
            *self._made_of_tokens(),
        ]
        for name, dtype, make in made:
            path = self._sidecar.path(self._made(name))
            if path is not None and not np.array_equal(map_array(path, dtype), make().astype(dtype).ravel()):
                raise FormatError(f"{path} does not fit the index that it was made for: remove it, it is made again")

    def _made_of_tokens(self) -> list[Made]:
        """What else is made for shards of a kind."""
        return []

    @cached_property
    def postings(self) -> Postings:
        offsets = self.document_offsets

        def check(made: NDArray[np.uint32]) -> None:
            check_blocks(Path(BLOCKS), made, offsets)

        blocks = self._sidecar.array(self._made(BLOCKS), lambda: document_blocks(np.asarray(offsets)), "<u4", check)
        return Postings(self.suffix_array, blocks, offsets)  # type: ignore[arg-type]

    # ---- search --------------------------------------------------------------------------------------------------

    def interval(self, ngram: NDArray[np.int64]) -> Interval:
        if len(ngram) == 1 and ngram[0] == self.tokens.separator:
            return self.length - self.num_documents, self.length
        return self._stored_interval(np.ascontiguousarray(self.as_stored(ngram)))

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

    @cached_property
    def metadata_lines(self) -> MetadataLines:
        assert self.layout.metadata is not None
        path, of_starts = self.layout.metadata
        starts = self._index_files.map(of_starts, "<u8")
        num_bytes = path.stat().st_size
        check_ascending(of_starts, np.append(starts, np.uint64(num_bytes)), self.num_documents, num_bytes, "bytes into lines")
        return MetadataLines(path, starts, num_bytes, self._index_files, _as_ours, self.remedy)

    @property
    def suffix_array_path(self) -> Path:
        return self.layout.table

    @property
    def remedy(self) -> str:
        return "run suffixindex verify --full to see what else is damaged, then copy the index again"


def check_pieces(found: NDArray[np.int64], length: int) -> None:
    """An order in pieces holds each of ``length`` entries once.

    Raises
    ------
    FormatError
    """
    wrong = FormatError(f"an order of {length:,} entries in pieces has {len(found):,} numbers that make none")
    if len(found) % 2:
        raise wrong
    starts, deltas = found.reshape(2, -1)
    if not len(starts) or starts[0] != 0 or starts[-1] >= length or (starts[1:] <= starts[:-1]).any():
        raise wrong
    firsts = starts + deltas
    stops = firsts + np.diff(np.append(starts, length))
    if sorted([0, *stops.tolist()]) != sorted([length, *firsts.tolist()]) or firsts.min() < 0:
        raise wrong


def _as_ours(record: Any) -> dict[str, Any]:
    """A line of infini-gram's metadata, which counts lines from 0.

    Raises
    ------
    ValueError
        It is no record.
    """
    if not isinstance(record, dict):
        raise ValueError("no record")
    ours = {"path": record.get("path"), "line": record.get("linenum"), "metadata": record.get("metadata") or {}}
    return our_record(ours)
