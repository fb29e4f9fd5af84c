"""A real index of raw ids, written by the package's own writer and suffix sort; and files that builds read."""

import json
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import suffixindex as si
from suffixindex.building.state import ShardSize, Written
from suffixindex.building.writer import ShardFiles, TokenWriter
from suffixindex.storage.fields.writing import write_columns
from suffixindex.storage.files import hash_file, map_array, write_array, write_bytes
from suffixindex.storage.format import (
    DOCUMENT_OFFSETS,
    METADATA,
    METADATA_OFFSETS,
    SHARD_MARKER,
    SOURCES,
    SUFFIX_ARRAY,
    TOKEN_TYPES,
    FileEntry,
    Manifest,
    ShardEntry,
    separator_of,
    shard_folder,
)
from suffixindex.storage.tables import lookup_tables

COMPILED = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")  # else kernels run as plain Python, a thousand times as slow


def write_tokenizer(folder: Path, text: str, *, size: int) -> Path:
    """``folder/tokenizer.json``: a byte-level tokenizer as GPT-2's, so small that only the commonest words are one token."""
    tokenizers = pytest.importorskip("tokenizers", reason="the extra hf is not installed")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([text] * 9, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def write_index(
    folder: Path,
    documents: Sequence[Sequence[int]],
    token_type: str = "u16",
    *,
    vocabulary_size: int | None = None,
    shards: int = 1,
    capacity: int | None = None,
    metadata: Sequence[dict[str, object]] | None = None,
    tables: bool = True,
) -> si.SuffixIndex:
    """Write and open an index of ids, cut into ``shards`` shards of about as many documents, or by ``capacity`` tokens.

    Without ``tables`` it has the files of format version 1. The vocabulary is the largest that the token type allows, unless
    given. Asking with text is the business of real builds.
    """
    separator = separator_of(token_type)
    size = separator if vocabulary_size is None else vocabulary_size
    lines = [json.dumps(record).encode() + b"\n" for record in metadata] if metadata is not None else []
    cuts = np.linspace(0, len(documents), 1 if capacity else min(shards, len(documents)) + 1).astype(int).tolist()
    if capacity:
        cuts.append(len(documents))
    written: tuple[ShardSize, ...] = ()
    entries = []
    with mock.patch("os.fsync"):  # nothing here needs to outlive a power cut
        for first, last in pairwise(cuts):
            part = documents[first:last]
            room = capacity or sum(len(document) + 1 for document in part)
            writer = TokenWriter(folder, token_type, room, metadata is not None, Written(written))
            ended = np.array([token for document in part for token in [*document, separator]], TOKEN_TYPES[token_type])
            lengths = np.array([len(document) for document in part], np.int64)
            line_bytes = np.array([len(line) for line in lines[first:last]], np.int64) if lines else None
            with closing(ShardFiles(folder, token_type)) as files:
                files.write(writer.place(lengths, line_bytes), ended, lengths, lines[first:last])
            written = writer.finish()
        names = [f"tokens.{token_type}", DOCUMENT_OFFSETS, *((METADATA, METADATA_OFFSETS) if metadata is not None else ())]
        for number, (num_documents, length) in enumerate(written):
            shard = shard_folder(folder, number)
            tokens = map_array(shard / names[0], TOKEN_TYPES[token_type])
            write_array(shard / SUFFIX_ARRAY, si.suffix_array(tokens, separator=separator, threads=1))
            files = {name: FileEntry(*hash_file(shard / name)) for name in [*names, SUFFIX_ARRAY]}
            if tables:
                arrays = map_array(shard / SUFFIX_ARRAY, "<u4"), map_array(shard / DOCUMENT_OFFSETS, "<u8")
                for name, table in lookup_tables(tokens, *arrays, size).items():
                    files[name] = FileEntry(*write_array(shard / name, table))
            if metadata is not None:
                files |= write_columns(shard)
            entries.append(ShardEntry(num_documents, length, files))
            write_bytes(shard / SHARD_MARKER, json.dumps(asdict(entries[-1])).encode())
        sources = FileEntry(*write_bytes(folder / SOURCES, b""))
        Manifest(token_type, size, {"kind": "none"}, {}, tuple(entries), {SOURCES: sources}).write(folder)
    return si.open(folder)


def write_jsonl(path: Path, texts: Sequence[str], **fields: Sequence[object]) -> Path:
    """One record a line: the text, and of each other field the value of its place."""
    rows = [{"text": text, **{name: values[i] for name, values in fields.items()}} for i, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
