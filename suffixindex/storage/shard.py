"""One shard: its read-only arrays, and what they answer. A shard knows no other shard."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from copy import copy
from functools import cached_property, partial
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError
from suffixindex.kernels import DamageError
from suffixindex.ngrams import NgramBatch
from suffixindex.storage.checks import REMEDY, check_ascending, check_blocks, check_tree, damage_of
from suffixindex.storage.fields.columns import FieldColumns
from suffixindex.storage.format import (
    DOCUMENT_BLOCKS,
    DOCUMENT_OFFSETS,
    METADATA,
    METADATA_OFFSETS,
    SEARCH_TREE,
    SUFFIX_ARRAY,
    TOKEN_TYPES,
    ShardEntry,
    separator_of,
)
from suffixindex.storage.identity import IndexFiles
from suffixindex.storage.matches import LongestMatches, ShardMatches, Texts
from suffixindex.storage.metadata import MetadataLines, our_record
from suffixindex.storage.sparse import merge_counts
from suffixindex.storage.tables import SHORT_DOCUMENTS, Postings, SearchTree, document_blocks, document_marks, search_tree
from suffixindex.system.parallel import split_range
from suffixindex.system.patience import can_wait, few_enough, patient

FEW = 256  # searches until compiled code is called; ranks that are read one by one
SEARCH, LOOK = 50_000, 100  # nanoseconds of a search, or of a look at an occurrence, without
MANY = 4096  # n-grams that are worth a thread each
MOST = 2**32 - 1  # ranks that a search for what follows takes at a time

Interval = tuple[int, int]
"""Half-open ranks ``[low, high)`` of the suffixes that begin with an n-gram."""


class Shard:
    """Tokens, suffix array and documents of one shard, mapped when first used. Positions and documents count from 0 here.

    Shards that other engines made (:mod:`suffixindex.foreign`) differ by the methods that they override.
    """

    in_id_order = True
    """Whether suffixes stand in the order of their ids."""
    position_type: type[np.unsignedinteger[Any]] = np.uint32
    mirrored = False
    """Whether documents lie reversed, so that what follows a token stands before it."""

    def __init__(self, folder: Path, entry: ShardEntry, token_type: str, vocabulary_size: int, index_files: IndexFiles) -> None:
        self.folder = folder
        self._index_files = index_files
        self.length = entry.length
        self.num_documents = entry.num_documents
        self._token_type = token_type
        self.separator = separator_of(token_type)
        self._vocabulary_size = vocabulary_size
        self.files = entry.files
        self._searches = 0

    @cached_property
    def tokens(self) -> NDArray[np.unsignedinteger[Any]]:
        path = self.folder / f"tokens.{self._token_type}"
        tokens = self._index_files.map(path, TOKEN_TYPES[self._token_type])
        if tokens[-1] != self.separator:
            raise FormatError(f"{path}: the last document does not end with a separator; {REMEDY}")
        return tokens

    @cached_property
    def suffix_array(self) -> NDArray[np.uint32]:
        return self._index_files.map(self.folder / SUFFIX_ARRAY, "<u4")

    @cached_property
    def document_offsets(self) -> NDArray[np.uint64]:
        path = self.folder / DOCUMENT_OFFSETS
        offsets = self._index_files.map(path, "<u8")
        check_ascending(path, offsets, self.num_documents, self.length, "tokens into documents")
        return offsets

    @cached_property
    def search_tree(self) -> SearchTree:
        if SEARCH_TREE not in self.files:
            return search_tree(np.empty(0, np.uint64), self.length, self._vocabulary_size)
        path = self.folder / SEARCH_TREE
        tree = search_tree(self._index_files.map(path, "<u8"), self.length, self._vocabulary_size)
        check_tree(path, tree)
        return tree

    @cached_property
    def postings(self) -> Postings:
        """What kernels need to go from ranks to documents."""
        offsets = self.document_offsets
        if self.length < SHORT_DOCUMENTS * self.num_documents:
            return Postings(self.suffix_array, document_marks(offsets), offsets[-1:])
        return Postings(self.suffix_array, self.document_blocks, offsets)

    @cached_property
    def document_blocks(self) -> NDArray[np.uint32]:
        if DOCUMENT_BLOCKS not in self.files:
            return document_blocks(self.document_offsets)
        path = self.folder / DOCUMENT_BLOCKS
        blocks = self._index_files.map(path, "<u4")
        check_blocks(path, blocks, self.document_offsets)
        return blocks

    def over(self, suffix_array: NDArray[np.uint32]) -> "Shard":
        """The same tokens and documents with some of the suffixes alone, of which the caller knows the ranks."""
        other = copy(self)
        other.suffix_array = suffix_array
        other.postings = self.postings._replace(suffix_array=suffix_array)
        return other

    def close(self) -> None:
        """Give back the maps, each as soon as no question that is under way reads it; no other is made."""
        self._index_files.close()
        mapped = [name for name in vars(self) if isinstance(getattr(type(self), name, None), cached_property) or name == "_find"]
        for name in mapped:
            vars(self).pop(name, None)

    # ---- damage --------------------------------------------------------------------------------------------------

    def run(self, kernel: Callable[..., Any], *arguments: Any) -> Any:
        """What a kernel answers of this shard's arrays.

        Raises
        ------
        FormatError
            A number in them leads out of them; or something was written to them since the index was opened.
        """
        if monotonic() >= self._index_files.due:
            self._index_files.check_mapped()
        try:
            return kernel(*arguments)
        except DamageError:
            raise self.damage() from None

    def damage(self) -> FormatError:
        """Which entry of the suffix array is no position; else that the order is not that of the tokens. O(tokens)."""
        self._index_files.check_mapped()  # what was written to after it was opened is no damage
        what = damage_of(self.suffix_array, len(self.tokens), self._vocabulary_size)
        return FormatError(f"{self.suffix_array_path}: {what}; {self.remedy}")

    def check_ids(self, ids: NDArray[np.int64]) -> None:
        """Raise FormatError for what is neither an id of the vocabulary nor the separator."""
        if ((ids >= self._vocabulary_size) & (ids != self.separator)).any():
            raise self.damage()

    @property
    def suffix_array_path(self) -> Path:
        return self.folder / SUFFIX_ARRAY

    @property
    def remedy(self) -> str:
        """What to do about damage."""
        return REMEDY

    def positions_at(self, low: int, high: int) -> NDArray[np.integer[Any]]:
        """The positions of some ranks; raises FormatError where one is none."""
        positions: NDArray[np.integer[Any]] = self.suffix_array[low:high]
        if len(positions) and int(positions.max()) >= len(self.tokens):
            raise self.damage()
        return positions

    # ---- search --------------------------------------------------------------------------------------------------

    def interval(self, ngram: NDArray[np.int64]) -> Interval:
        """Ranks of one n-gram. O(length + log tokens): a few microseconds, a few pages of the disk."""
        if monotonic() >= self._index_files.due:
            self._index_files.check_mapped()
        if not len(ngram):
            return self._all_tokens
        try:  # as `run`, which would be a part of so short a question
            return self._find(ngram)
        except DamageError:
            raise self.damage() from None

    _stored_interval = interval
    """Of an n-gram that is given as it lies in ``tokens``."""

    def intervals(self, batch: NgramBatch, pool: Executor, threads: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ranks ``(low, high)`` of many n-grams."""
        return self.stored_intervals(batch, pool, threads)

    def stored_intervals(self, batch: NgramBatch, pool: Executor, threads: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ranks of n-grams that are given as they lie in ``tokens``."""
        low, high = np.empty(len(batch), np.int64), np.empty(len(batch), np.int64)
        if self._searches + len(batch) < FEW or can_wait(len(batch) * SEARCH):
            for query in range(len(batch)):
                low[query], high[query] = self._stored_interval(batch.ngram(query))
            return low, high
        asked = np.flatnonzero(batch.starts < batch.stops)
        if len(asked) < len(batch):  # the kernel takes no empty n-gram
            low[:], high[:] = self._all_tokens
            low[asked], high[asked] = self.stored_intervals(
                NgramBatch(batch.ids, batch.starts[asked], batch.stops[asked]), pool, threads
            )
            return low, high
        from suffixindex.kernels.search import find_intervals

        def search(first: int, last: int) -> None:
            self.run(find_intervals, *self._searched, *batch[:3], first, last, low, high)

        firsts, lasts = zip(*split_range(len(batch), max(1, min(threads, len(batch) // MANY))), strict=True)
        list((pool.map if len(firsts) > 1 else map)(search, firsts, lasts))
        return low, high

    def _find(self, ngram: NDArray[np.int64]) -> Interval:
        """The first searches of a process, and then the kernel in this method's place."""
        if self._searches < FEW or patient(SEARCH):
            self._searches += 1
            return self._interval_uncompiled(ngram.tolist())
        from suffixindex.kernels.search import find_interval

        self._find = partial(find_interval, *self._searched)  # type: ignore[method-assign]
        found: Interval = self._find(ngram)
        return found

    def _interval_uncompiled(self, ngram: list[int]) -> Interval:
        """As the kernel does it, so that a fresh process answers at once."""
        tokens, suffix_array = self._searched[:2]
        length = len(ngram)

        def prefix(rank: int) -> list[int]:
            position = int(suffix_array[rank])
            if position >= len(tokens):
                raise self.damage()
            return self._sort_keys(tokens[position : position + length].tolist())

        found = self.search_tree.search(self._sort_keys(ngram), len(suffix_array), prefix)
        if found is None:
            raise self.damage()
        return found

    def _sort_keys(self, ids: list[int]) -> list[int]:
        """What the order of the suffixes compares of some ids: the ids themselves."""
        return ids

    @cached_property
    def _searched(self) -> tuple[Any, ...]:
        return self.tokens, self.suffix_array, *self.search_tree

    @property
    def _all_tokens(self) -> Interval:
        """The empty n-gram: every token. The suffixes that begin with a separator, the largest id, are the last ones."""
        return 0, self.length - self.num_documents

    def next_tokens(self, interval: Interval, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(ids ascending, counts) of what follows the n-gram of ``length`` tokens at ``interval``."""
        low, high = interval
        if low == high:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if isinstance(self.tokens, np.ndarray) and patient((high - low) * LOOK):
            ids, counts = np.unique(self._tokens_at(self.positions_at(low, high).astype(np.int64) + length), return_counts=True)
            if ((ids >= self._vocabulary_size) & ((ids != self.separator) | (not length))).any():
                raise self.damage()
            return ids, counts
        from suffixindex.kernels.next_tokens import count_runs, halve_runs, scan_runs

        if high - low > MOST:
            parts = [self.next_tokens((first, min(first + MOST, high)), length) for first in range(low, high, MOST)]
            return merge_counts([part[0] for part in parts], [part[1] for part in parts])
        runs = np.empty(min(high - low, self._vocabulary_size + 1), np.uint64)
        try:  # as `run`, of what was looked for just now
            if high - low <= FEW:
                runs = runs[: scan_runs(self.tokens, self.suffix_array, low, high, length, runs)]
            else:
                runs = runs[: halve_runs(self.tokens, self.suffix_array, low, high, length, runs)]
                runs.sort()
            ids, counts = np.empty(len(runs), np.int64), np.empty(len(runs), np.int64)
            count_runs(runs, high - low, self._vocabulary_size, self.separator, ids, counts)
        except DamageError:
            raise self.damage() from None
        if not length and self.separator in ids:  # nothing stands before a separator that ends no document
            raise self.damage()
        return ids, counts

    def outer_followers(
        self, low: NDArray[np.int64], high: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Two of the tokens that follow each n-gram, which occurs: the same one only if nothing else follows it."""
        first, last = (self._tokens_at(self.suffix_array[ranks].astype(np.int64) + lengths) for ranks in (low, high - 1))
        return first, last

    def _tokens_at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(places) and int(places.max()) >= len(self.tokens):
            raise self.damage()
        return self.tokens[places].astype(np.int64)

    def matches(self, texts: Texts, pool: Executor, threads: int) -> ShardMatches:
        """The longest match here from every position of some texts."""
        return LongestMatches(self, texts, pool, threads)

    # ---- text, and what lies in ``tokens`` ---------------------------------------------------------------------------

    def as_stored(self, ngram: NDArray[np.int64]) -> NDArray[np.int64]:
        """An n-gram as it lies in ``tokens``."""
        return ngram

    def as_text(self, rows: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.unsignedinteger[Any]]:
        """Rows of tokens as they lie in ``tokens``, in the order of the text."""
        return rows

    def copy_stretches(
        self, starts: NDArray[np.int64], stops: NDArray[np.int64], separator: int, targets: NDArray[np.int64], out: NDArray[Any]
    ) -> None:
        """Copy stretches of the text to ``out[targets[i]:]``, each followed by a separator."""
        from suffixindex.kernels.duplicates import copy_stretches

        copy_stretches(self.tokens, starts, stops, separator, targets, out)

    def check_reads_forward(self, purpose: str) -> None:
        """Refuse a purpose that needs suffixes to the right, if they are to the left here (QueryError)."""

    def read(self, start: int, stop: int) -> NDArray[np.unsignedinteger[Any]]:
        """The ids at some positions, in the order of the text."""
        if monotonic() >= self._index_files.due:
            self._index_files.check_mapped()
        return self.tokens[start:stop]

    # ---- documents -----------------------------------------------------------------------------------------------

    def positions(self, intervals: Sequence[Interval], lengths: Sequence[int]) -> NDArray[np.int64]:
        """Ascending distinct positions at which any of several n-grams of these lengths starts. O(occurrences log occurrences)."""
        found = [self.text_starts(self.positions_at(*some), length) for some, length in zip(intervals, lengths, strict=True)]
        ascending = np.unique(np.concatenate(found)) if len(found) > 1 else np.sort(found[0])
        return ascending.astype(np.int64)  # sorted as they lie: half the width is half the time

    def text_starts(self, positions: NDArray[np.integer[Any]], length: int) -> NDArray[np.integer[Any]]:
        """Where n-grams of some tokens start in the text, given where they start in ``tokens``."""
        return positions

    def documents_at(self, positions: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """The document of each position."""
        documents = np.empty(len(positions), np.int64)
        if few_enough(len(positions), FEW, LOOK):
            order: Any = np.argsort(positions) if len(positions) > FEW else slice(None)  # ascending, five times as fast
            documents[order] = np.searchsorted(self.document_offsets, positions[order].astype(np.uint64), side="right") - 1
            return documents
        from suffixindex.kernels.occurrences import documents_at

        documents_at(np.ascontiguousarray(positions), self.postings.blocks, self.postings.offsets, documents)
        return documents

    def documents(self, intervals: Sequence[Interval]) -> NDArray[np.int64]:
        """Ascending distinct documents that hold any of several n-grams. O(occurrences + documents / 64) time."""
        if few_enough(sum(high - low for low, high in intervals), FEW, LOOK):
            found = [self.documents_at(self.positions_at(low, high)) for low, high in intervals]
            return np.unique(np.concatenate(found))
        from suffixindex.kernels.occurrences import mark_documents

        marks = np.zeros(self.num_documents, bool)
        for low, high in intervals:
            self.run(mark_documents, self.postings, low, high, marks)
        return np.flatnonzero(marks)

    def bounds(self, document: int) -> tuple[int, int]:
        """First position of a document, and that of its separator."""
        return int(self.document_offsets[document]), int(self.document_offsets[document + 1]) - 1

    @property
    def metadata_path(self) -> Path | None:
        """A line of metadata for each document; None if none is kept."""
        return self.folder / METADATA if METADATA in self.files else None

    @cached_property
    def metadata_lines(self) -> MetadataLines:
        """The lines of :attr:`metadata_path`, which is there."""
        num_bytes, path = self.files[METADATA].bytes, self.folder / METADATA_OFFSETS
        offsets = self._index_files.map(path, "<u8")
        check_ascending(path, offsets, self.num_documents, num_bytes, "bytes into lines")
        return MetadataLines(self.folder / METADATA, offsets[:-1], num_bytes, self._index_files, our_record, self.remedy)

    @cached_property
    def fields(self) -> FieldColumns:
        """The metadata's fields, as far as they are kept by column."""
        return FieldColumns(self.folder, self.files, self.num_documents, self._index_files)

    def metadata(self, document: int) -> dict[str, Any]:
        """The document's line of metadata; empty if none is kept."""
        return {} if self.metadata_path is None else self.metadata_lines.record(document)
