"""Check an index of another engine: its documents, their metadata, and the order of neighbouring suffixes, some or all."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from suffixindex.errors import FormatError
from suffixindex.foreign.arrays import Table
from suffixindex.foreign.last_document import StoredOrder, compare
from suffixindex.foreign.shard import StoredShard
from suffixindex.storage.format import TOKEN_TYPES

BLOCK = 1 << 22  # entries that are looked at together
COMPARED = 4096
"""Tokens of a pair that are compared: infini-gram itself compares 100,000 bytes."""


def check_shard(shard: StoredShard, samples: int, seed: int, *, full: bool) -> int:
    """Check one shard; returns how many pairs of neighbours were compared. With ``full`` all, some 20 µs each.

    Raises
    ------
    FormatError
    """
    layout = shard.layout
    files = shard.index_files
    text = files.map(layout.tokens, TOKEN_TYPES[layout.stored_type])
    table = Table(files.map(layout.table, "u1"), layout.pointer_bytes, shift=layout.pointer_shift)
    _check_documents(shard, text)
    if shard.metadata_path is not None:
        for _ in shard.metadata_lines.records():
            pass
        shard.metadata_lines.check_starts()
    if full:
        shard.check_made()
        _check_permutation(shard, table, len(text))
    order = StoredOrder(text, table, layout.swapped)
    pairs = table.stored - 1
    everything = full or samples >= pairs
    ranks = np.arange(pairs) if everything else np.unique(np.random.default_rng(seed).integers(0, pairs, samples))
    for start in range(0, len(ranks), BLOCK):
        chosen = ranks[start : start + BLOCK]
        for rank, before, after in zip(chosen.tolist(), table[chosen].tolist(), table[chosen + 1].tolist(), strict=True):
            if not _ordered(order, before, after, len(text)):
                raise FormatError(f"{layout.table}: rank {rank + 1:,} is out of order or no position; copy or build it again")
    return len(ranks)


def _ordered(order: StoredOrder, before: int, after: int, size: int) -> bool:
    if before >= size or after >= size or before == after:
        return False
    left = lambda start, stop: order.places(before + start, before + stop)  # noqa: E731 - two views of one text
    right = lambda start, stop: order.places(after + start, after + stop)  # noqa: E731
    return compare(left, right, COMPARED) <= 0


def _check_documents(shard: StoredShard, text: NDArray[Any]) -> None:
    layout = shard.layout
    offsets = np.asarray(shard.document_offsets).astype(np.int64)
    if (np.diff(offsets) < 1).any() or offsets[0] != 0:
        raise FormatError(
            f"{layout.offsets or layout.tokens} does not divide {layout.length:,} tokens into documents; copy it again"
        )
    if layout.offsets is None:
        return
    separator = np.iinfo(text.dtype).max
    found = sum(int(np.count_nonzero(text[start : start + BLOCK] == separator)) for start in range(0, len(text), BLOCK))
    if found != layout.num_documents or (text[offsets[:-1]] != separator).any():
        raise FormatError(
            f"{layout.offsets} tells of {layout.num_documents:,} documents, {layout.tokens.name} has {found:,} separators: "
            "they are not of one index"
        )


def _check_permutation(shard: StoredShard, table: Table, size: int) -> None:
    met = np.zeros(size, bool)
    for start in range(0, table.stored, BLOCK):
        positions = table[start : start + BLOCK]
        if (positions >= size).any():
            raise FormatError(f"{shard.layout.table}: an entry from rank {start:,} on is no position; copy or build it again")
        met[positions] = True
    if not met.all():
        raise FormatError(f"{shard.layout.table}: position {int(np.argmin(met)):,} is missing; copy or build it again")
