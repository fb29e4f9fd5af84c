"""The on-disk format, version 2; 3 where `words` grew, 4 where documents were removed. This docstring is its specification.

::

    my-index/
      manifest.json                     all that is needed to read the rest; written last
      provenance.json                   how it was made: command, versions, seconds, peak memory; nothing depends on it
      sources.jsonl                     a line for each input: path, bytes, mtime_ns
      sources.N.jsonl                   the same for what was appended, the N-th time
      tokenizer.json                    a copy, for Hugging Face tokenizers
      vocabulary.txt, vocabulary_offsets.u64, vocabulary_order.u32      for `words`
      shards/00000/tokens.u8|u16|u32    the ids; each document is followed by one separator
      shards/00000/suffix_array.u32     rank -> position
      shards/00000/document_offsets.u64 first token of each document, then the length: documents + 1 entries
      shards/00000/search_tree.u64      keys that lead a search to the last few ranks, see `tables`
      shards/00000/document_blocks.u32  the document of every 128th position
      shards/00000/metadata.jsonl       a line for each document: path, line, and the record's other fields
      shards/00000/metadata_offsets.u64 first byte of each line, then the size: documents + 1 entries
      shards/00000/fields.json, field_values.jsonl, field_codes.u8, field_codes.u16     its fields by column, see `fields`
      shards/00000/shard.json           the shard's entry in the manifest; its presence says that the shard is finished

Arrays are raw and little-endian, ``uN`` in a name is their type; text is UTF-8. The separator is the largest id of the
token type and outside every vocabulary. Suffixes are ordered by numeric id; comparison stops at the separator, and
suffixes that are equal up to and with it are ordered by position, so the order says nothing about which document
follows which. A shard holds whole documents, at least one token and fewer than 2**32; document ids count through the
shards in order. ``vocabulary.txt`` has one word a line, the line number is the id; ``vocabulary_offsets`` is the first
byte of each line and the size, ``vocabulary_order`` the ids in the order of their words' bytes.

An index grows by shards: those that are there, and what else is listed, stay as they are, and a manifest that lists more takes the
place of the other. If that appended new words, the vocabulary has its ``generation`` N in the tokenizer's entry and lies, whole, in
``vocabulary.N.txt`` and so on; a word's id never changes. A shard from before says its own ``vocabulary_size``, of which its
search tree was made; it holds no larger id but the separator. That is version 3. A vocabulary that outgrows the token type is
refused, since the separator would become a word. An append under way keeps a folder ``append``, an index itself.

An index loses documents by shards too: a shard without some of its documents is a new folder, ``shards/00003.1`` for ``00003``,
and one of which nothing is left is listed no more. An entry whose folder is not that of its place says its ``folder``. That is
version 4. A word of `words` that only removed documents held keeps its id, and ``#`` with the id stands in its line, which is no
word. The settings list what was ``removed``. The state before the N-th removal lies, until it is purged, in
``removed/N/manifest.json`` and in the folders that this lists.

Everything but ``provenance.json``, and when and why documents were removed, is a function of the corpus and the settings: two
builds are equal byte for byte.
A build in progress keeps ``build.json``, on a cluster a folder ``work`` too, and has no manifest. A version is raised when
an older reader would misread; readers refuse what is newer and read every older one. Version 1 had no ``search_tree`` and
no ``document_blocks``; both follow from the other arrays, and an index without them answers the same, slower. So it is with the
columns of fields, which earlier builds of version 2 did not write, and which a shard of few documents has none of.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from suffixindex.errors import FormatError, NoIndexError, UnfinishedIndexError
from suffixindex.storage.files import write_bytes
from suffixindex.storage.schema import MOST, SchemaError, number, record, records, strict_json, text

FORMAT_VERSION = 2
"""Of what is built."""
GROWN_VERSION = 3
"""Of an index whose vocabulary grew."""
REMOVED_VERSION = 4
"""Of an index of which documents were removed."""
NEWEST_VERSION = REMOVED_VERSION
"""Of what is read."""
MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
SOURCES = "sources.jsonl"
BUILD_STATE = "build.json"
APPEND = "append"
REMOVED = "removed"
WORK = "work"
SHARDS = "shards"
SHARD_MARKER = "shard.json"
SUFFIX_ARRAY = "suffix_array.u32"
DOCUMENT_OFFSETS = "document_offsets.u64"
SEARCH_TREE = "search_tree.u64"
DOCUMENT_BLOCKS = "document_blocks.u32"
METADATA = "metadata.jsonl"
METADATA_OFFSETS = "metadata_offsets.u64"
FIELDS = "fields.json"
FIELD_VALUES = "field_values.jsonl"
FIELD_CODES: Mapping[str, str] = {"u8": "field_codes.u8", "u16": "field_codes.u16"}
"""By the type of their entries."""

TOKEN_TYPES: Mapping[str, np.dtype[Any]] = {name: np.dtype(f"<{name[0]}{int(name[1:]) // 8}") for name in ("u8", "u16", "u32")}


def token_type(vocabulary_size: int) -> str:
    """The narrowest type whose largest id, the separator, lies outside the vocabulary."""
    for name, dtype in TOKEN_TYPES.items():
        if vocabulary_size <= np.iinfo(dtype).max:
            return name
    raise FormatError(f"a vocabulary of {vocabulary_size:,} ids does not fit: at most {2**32 - 1:,}")


def separator_of(token_type_name: str) -> int:
    """The separator of a token type: its largest id."""
    return int(np.iinfo(TOKEN_TYPES[token_type_name]).max)


def of_generation(name: str, generation: int) -> str:
    """The name of a file that an append made anew beside the one that was there: ``sources.1.jsonl``."""
    stem, dot, ending = name.partition(".")
    return f"{stem}.{generation}{dot}{ending}" if generation else name


def is_sources(name: str) -> bool:
    """Whether a file lists inputs: ``sources.jsonl``, ``sources.1.jsonl``."""
    return name.split(".", maxsplit=1)[0] == SOURCES.split(".", maxsplit=1)[0]


def shard_folder(index: Path, number: int) -> Path:
    return index / SHARDS / f"{number:05d}"


def read_provenance(index: Path) -> dict[str, Any]:
    """How an index was made; empty if nothing says so.

    Raises
    ------
    FormatError
    """
    path = index / PROVENANCE
    try:
        found = strict_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as error:
        raise FormatError(f"{path} is damaged ({error}): remove it, nothing depends on it") from error
    if not isinstance(found, dict):
        raise FormatError(f"{path} is damaged, expected a record: remove it, nothing depends on it")
    return found


@dataclass(frozen=True)
class FileEntry:
    """What a finished file must be."""

    bytes: int
    sha256: str

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "FileEntry":
        return cls(number(entry, "bytes"), text(entry, "sha256"))

    @classmethod
    def several(cls, entry: Mapping[str, Any], name: str) -> "dict[str, FileEntry]":
        """Files by their names."""
        files = record(entry, name)
        return {file: cls.from_json(record(files, file)) for file in files}


@dataclass(frozen=True)
class ShardEntry:
    """One shard: ``length`` counts tokens and separators."""

    num_documents: int
    length: int
    files: Mapping[str, FileEntry]
    vocabulary_size: int | None = None
    """Of a shard from before the vocabulary grew."""
    folder: str | None = None
    """If it is not named by its place."""

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "ShardEntry":
        read = cls(number(entry, "num_documents"), number(entry, "length"), FileEntry.several(entry, "files"))
        if entry.get("vocabulary_size") is not None:
            read = replace(read, vocabulary_size=number(entry, "vocabulary_size"))
        return read if entry.get("folder") is None else replace(read, folder=text(entry, "folder"))

    def lying_in(self, folder: Path, place: int) -> "ShardEntry":
        """The same shard in that folder, at that place among all."""
        return replace(self, folder=None if folder.name == shard_folder(folder, place).name else folder.name)

    def to_json(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def read(cls, folder: Path) -> "ShardEntry":
        """What the marker of a finished shard says.

        Raises
        ------
        FormatError
        """
        path = folder / SHARD_MARKER
        try:
            return cls.from_json(strict_json(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise FormatError(f"{path} cannot be read ({error}): restore the file or build again") from error


def _content_hash(content: Mapping[str, Any]) -> str:
    """sha256 of a manifest without its own: of its compact JSON with sorted keys, in ASCII."""
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class Manifest:
    """All that is needed to read an index."""

    token_type: str
    vocabulary_size: int
    tokenizer: Mapping[str, Any]
    settings: Mapping[str, Any]
    shards: tuple[ShardEntry, ...]
    files: Mapping[str, FileEntry]
    skipped: Mapping[str, int] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    @property
    def separator(self) -> int:
        return separator_of(self.token_type)

    @property
    def generation(self) -> int:
        """How many times the vocabulary changed."""
        return int(self.tokenizer.get("generation", 0))

    @property
    def removed(self) -> list[dict[str, Any]]:
        """What is said of each removal of documents."""
        found = self.settings.get("removed", [])
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []

    @property
    def num_documents(self) -> int:
        return sum(shard.num_documents for shard in self.shards)

    @property
    def num_tokens(self) -> int:
        """Tokens of the corpus, separators not counted."""
        return sum(shard.length - shard.num_documents for shard in self.shards)

    @property
    def num_bytes(self) -> int:
        """Bytes of all files that the manifest lists."""
        entries = [*self.files.values(), *(entry for shard in self.shards for entry in shard.files.values())]
        return sum(entry.bytes for entry in entries)

    def write(self, index: Path) -> None:
        """Publish: from now on the folder is an index."""
        content = {
            "format": "suffixindex",
            "format_version": self.format_version,
            "num_documents": self.num_documents,
            "num_tokens": self.num_tokens,
            "separator": self.separator,
            **{key: value for key, value in asdict(self).items() if key != "format_version"},
            "shards": [shard.to_json() for shard in self.shards],
        }
        content["sha256"] = _content_hash(content)
        write_bytes(index / MANIFEST, (json.dumps(content, indent=1) + "\n").encode())

    @classmethod
    def read(cls, index: Path) -> "Manifest":
        """Read; check the version and that nothing was changed.

        Raises
        ------
        NoIndexError, UnfinishedIndexError, FormatError
        """
        path = index / MANIFEST
        if not index.exists():
            raise NoIndexError(f"{index} does not exist: build an index there with suffixindex build CORPUS -o {index}")
        if not path.exists():
            if (index / BUILD_STATE).exists():
                raise UnfinishedIndexError(
                    f"{index} holds a build that did not finish: run the same suffixindex build command again, it goes on"
                )
            raise NoIndexError(f"{index} is no index: it has no {MANIFEST}")
        try:
            content = strict_json(path.read_bytes())
            version = number(content, "format_version", 1)
            if content.get("format") != "suffixindex":
                raise SchemaError("it is of another format")
        except ValueError as error:
            raise FormatError(f"{path} is no manifest of an index, or is damaged: restore it or build again") from error
        if version > NEWEST_VERSION:
            raise FormatError(
                f"{index} has format version {version}, this suffixindex reads up to {NEWEST_VERSION}: "
                "update it with pip install -U suffixindex"
            )
        try:
            unchanged = content.pop("sha256", None) == _content_hash(content)
        except RecursionError:  # the encoder gives up a little sooner than the decoder
            unchanged = False
        if not unchanged:
            raise FormatError(f"{path} was changed since it was written, or is damaged: restore it or build again")
        try:
            if text(content, "token_type") not in TOKEN_TYPES:
                raise SchemaError(f"token_type is none of {', '.join(TOKEN_TYPES)}")
            skipped = record(content, "skipped")
            manifest = cls(
                token_type=content["token_type"],
                vocabulary_size=number(content, "vocabulary_size"),
                tokenizer=record(content, "tokenizer"),
                settings=record(content, "settings"),
                shards=tuple(ShardEntry.from_json(entry) for entry in records(content, "shards")),
                files=FileEntry.several(content, "files"),
                skipped={reason: number(skipped, reason) for reason in skipped},
                format_version=version,
            )
            for name in ("num_documents", "num_tokens", "separator"):
                if number(content, name, -MOST) != (expected := getattr(manifest, name)):
                    raise SchemaError(f"{name} is {content[name]:,}, expected {expected:,}")
        except SchemaError as error:
            raise FormatError(f"{path} makes no sense: {error}; restore it or build again") from error
        return manifest

    def shard_folders(self, index: Path) -> list[Path]:
        """Where each shard lies."""
        return [
            shard_folder(index, place) if shard.folder is None else index / SHARDS / shard.folder
            for place, shard in enumerate(self.shards)
        ]

    def listed_files(self, index: Path) -> list[tuple[Path, FileEntry]]:
        """Every file of the index with what it must be."""
        files = [(index / name, entry) for name, entry in self.files.items()]
        for folder, shard in zip(self.shard_folders(index), self.shards, strict=True):
            files += [(folder / name, entry) for name, entry in shard.files.items()]
        return files
