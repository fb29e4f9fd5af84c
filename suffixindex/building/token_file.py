"""A file of raw ids that is laid out as ours are: it becomes an index's tokens as it is, by a link where the disk has links."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from suffixindex.building.state import ShardSize
from suffixindex.corpus.records import Source, metadata_line
from suffixindex.corpus.streams import check_unchanged
from suffixindex.corpus.token_files import RAW, document_starts
from suffixindex.errors import CorpusError
from suffixindex.storage.files import link_file, make_folder, map_array, remove, write_array, write_blocks
from suffixindex.storage.format import DOCUMENT_OFFSETS, METADATA, METADATA_OFFSETS, TOKEN_TYPES, separator_of, shard_folder

CHECKED_TOKENS = 1 << 24  # whose ids are compared at a time


def is_laid_out(sources: Sequence[Source], token_type: str, capacity: int) -> bool:
    """Whether the corpus is one file of a shard's tokens: each document followed by the largest id of the type."""
    if (
        len(sources) != 1
        or sources[0].url is not None
        or sources[0].kind != token_type
        or sources[0].kind not in RAW
        or not sources[0].bytes
    ):
        return False
    if sources[0].number != separator_of(token_type):
        return False
    tokens = map_array(Path(sources[0].path), TOKEN_TYPES[token_type])
    return len(tokens) <= capacity and int(tokens[-1]) == separator_of(token_type)


def link_tokens(index: Path, source: Source, token_type: str, vocabulary_size: int, *, metadata: bool) -> ShardSize:
    """Make the file the tokens of the only shard, by a link, or a copy on another disk; returns the shard's size.

    Raises
    ------
    CorpusError
        An id is outside the vocabulary.
    """
    tokens = map_array(Path(source.path), TOKEN_TYPES[token_type])
    offsets = document_starts(tokens, separator_of(token_type))
    starts = range(0, len(tokens), CHECKED_TOKENS)
    outside = sum(int(np.count_nonzero(tokens[start : start + CHECKED_TOKENS] >= vocabulary_size)) for start in starts)
    if outside != len(offsets) - 1:
        raise CorpusError(
            f"{source.path} holds ids outside the vocabulary of {vocabulary_size:,}, {outside - len(offsets) + 1:,} times: "
            "it was made by another tokenizer"
        )
    folder = shard_folder(index, 0)
    remove(folder)
    make_folder(folder)
    link_file(Path(source.path), folder / f"tokens.{token_type}")
    check_unchanged(source)
    write_array(folder / DOCUMENT_OFFSETS, offsets)
    if metadata:
        lengths = np.zeros(len(offsets), np.uint64)

        def lines() -> Iterator[bytes | memoryview]:
            for document in range(len(offsets) - 1):
                line = metadata_line(source.path, document + 1, {})
                lengths[document + 1] = len(line)
                yield line

        write_blocks(folder / METADATA, lines())
        write_array(folder / METADATA_OFFSETS, np.cumsum(lengths))
    return ShardSize(len(offsets) - 1, len(tokens))
