"""Whether the files of an index are those of its manifest, and whether the manifest makes sense: all before anything is mapped."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from suffixindex.errors import FormatError
from suffixindex.kernels import BLOCK_SHIFT
from suffixindex.storage.format import (
    DOCUMENT_BLOCKS,
    DOCUMENT_OFFSETS,
    FIELD_CODES,
    FIELD_VALUES,
    FIELDS,
    MANIFEST,
    METADATA,
    METADATA_OFFSETS,
    SEARCH_TREE,
    SUFFIX_ARRAY,
    TOKEN_TYPES,
    FileEntry,
    Manifest,
    ShardEntry,
    of_generation,
)
from suffixindex.storage.identity import IndexFiles
from suffixindex.storage.tables import level_offsets

NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9]+)+")
FOLDER = re.compile(r"[0-9]{5,10}(\.[0-9]{1,10})?")
HASH = re.compile(r"[0-9a-f]{64}")
VOCABULARY = {"vocabulary_offsets.u64": (8, 1), "vocabulary_order.u32": (4, 0)}
"""Bytes of a word's entry in the files of `words`, and entries more than words."""
NEEDED = {
    "words": ("vocabulary.txt", *VOCABULARY),
    "huggingface": ("tokenizer.json",),
}
"""Files of a tokenizer, by its kind."""
MOST_GENERATIONS = 10**9
OF_OTHERS = {"stored_separator", "reversed", "files"}
"""Settings that only another engine's index has."""


def check_layout(index: Path, manifest: Manifest, first: int = 0, last: int | None = None) -> IndexFiles:
    """Check a manifest against the files, those of shards ``[first, last)`` and of the whole index; costs one ``stat`` a file.

    Returns the files as they are now.

    Raises
    ------
    FormatError
        A name, a size or a count makes no sense; a file is missing, cut short or too long.
    """
    shards = manifest.shards[first:last]
    _check_sense(index / MANIFEST, manifest)
    listed = [(index / name, entry) for name, entry in manifest.files.items()]
    folders = manifest.shard_folders(index)[first:last]
    for number, (shard, folder) in enumerate(zip(shards, folders, strict=True), first):
        _check_shard(index / MANIFEST, number, shard, manifest)
        listed += [(folder / name, entry) for name, entry in shard.files.items()]
    files = IndexFiles()
    for path, entry in listed:
        name = path.relative_to(index)
        try:
            size = files.note(path)
        except (FileNotFoundError, NotADirectoryError):
            raise FormatError(f"{index} lacks {name}: restore the file or build again") from None
        if size != entry.bytes:
            raise FormatError(
                f"{name} in {index} has {size:,} bytes, expected {entry.bytes:,}: it was cut short or changed; "
                "restore the file or build again"
            )
    return files


def _check_sense(path: Path, manifest: Manifest) -> None:
    kind = manifest.tokenizer.get("kind")
    if not isinstance(kind, str):
        raise _nonsense(path, "the tokenizer has no kind")
    if manifest.vocabulary_size > manifest.separator:
        raise _nonsense(path, f"a vocabulary of {manifest.vocabulary_size:,} ids does not fit {manifest.token_type} tokens")
    if others := OF_OTHERS & manifest.settings.keys():
        raise _nonsense(path, f"the settings hold {min(others)}, which no build has")
    if not manifest.shards:
        raise _nonsense(path, "there are no shards")
    if wrong := [shard.folder for shard in manifest.shards if shard.folder is not None and not FOLDER.fullmatch(shard.folder)]:
        raise _nonsense(path, f"{wrong[0][:40]!a} is no name of a folder of a shard")
    if twice := [folder.name for folder, times in Counter(manifest.shard_folders(path.parent)).items() if times > 1]:
        raise _nonsense(path, f"two shards lie in the folder {twice[0]}")
    _check_entries(path, manifest.files)
    generation = manifest.tokenizer.get("generation", 0)
    if type(generation) is not int or not 0 <= generation <= MOST_GENERATIONS:
        raise _nonsense(path, f"the tokenizer is of generation {str(generation)[:40]}")
    for needed in NEEDED.get(kind, ()):
        name = of_generation(needed, generation)
        if name not in manifest.files:
            raise _nonsense(path, f"the tokenizer needs {name}, which is not listed")
        width, more = VOCABULARY.get(needed, (0, 0))
        if width and manifest.files[name].bytes != width * (manifest.vocabulary_size + more):
            raise _nonsense(path, f"{name} has {manifest.files[name].bytes:,} bytes for {manifest.vocabulary_size:,} words")


def _check_shard(path: Path, number: int, shard: ShardEntry, manifest: Manifest) -> None:
    tokens = f"tokens.{manifest.token_type}"
    documents, length = shard.num_documents, shard.length
    if not 1 <= documents <= length < 2**32:
        raise _nonsense(path, f"shard {number} has {documents:,} documents and {length:,} tokens")
    if not 0 <= (shard.vocabulary_size or 0) <= manifest.vocabulary_size:
        raise _nonsense(path, f"shard {number} is of a larger vocabulary than the index")
    _check_entries(path, shard.files)
    sizes = {
        tokens: length * TOKEN_TYPES[manifest.token_type].itemsize,
        SUFFIX_ARRAY: 4 * length,
        DOCUMENT_OFFSETS: 8 * (documents + 1),
        SEARCH_TREE: 8 * int(level_offsets(length)[-1]),
        DOCUMENT_BLOCKS: 4 * -(-length >> BLOCK_SHIFT),
        METADATA_OFFSETS: 8 * (documents + 1),
    }
    wanted = [tokens, SUFFIX_ARRAY, DOCUMENT_OFFSETS]
    if METADATA in shard.files or METADATA_OFFSETS in shard.files:
        wanted += [METADATA, METADATA_OFFSETS]
    if {FIELDS, FIELD_VALUES, *FIELD_CODES.values()} & shard.files.keys():
        wanted += [METADATA, FIELDS, FIELD_VALUES]
    for name in wanted:
        if name not in shard.files:
            raise _nonsense(path, f"{name} of shard {number} is not listed")
    for name, size in sizes.items():
        if name in shard.files and shard.files[name].bytes != size:
            raise _nonsense(
                path,
                f"{name} of shard {number} has {shard.files[name].bytes:,} bytes, expected {size:,} for {length:,} tokens of "
                f"{documents:,} documents",
            )


def _check_entries(path: Path, files: Mapping[str, FileEntry]) -> None:
    for name, entry in files.items():
        if not NAME.fullmatch(name):
            raise _nonsense(path, f"{name[:40]!a} is no name of a file of an index")
        if not HASH.fullmatch(entry.sha256):
            raise _nonsense(path, f"the sha256 of {name} is {entry.sha256[:70]!a}, expected 64 digits")


def _nonsense(path: Path, what: str) -> FormatError:
    return FormatError(f"{path} makes no sense: {what}; restore it or build again")
