"""What lies at a path that is no index of ours, and how it is opened."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from suffixindex.errors import FormatError, NoIndexError, TokenizerError
from suffixindex.foreign import infinigram, tokengrams
from suffixindex.foreign.mirrored import MirroredShard
from suffixindex.foreign.shard import Layout, StoredShard
from suffixindex.foreign.sidecar import ANSWERS, Sidecar
from suffixindex.storage.format import MANIFEST, TOKEN_TYPES, Manifest, ShardEntry, separator_of
from suffixindex.storage.identity import IndexFiles
from suffixindex.tokenizers.encoders import HuggingFaceEncoder, choose_encoder
from suffixindex.tokenizers.hub import TOKENIZER_FILE

METADATA = ("metadata", "metaoff")
MEGATRON = b"MMIDIDX\x00\x00"
NO_TOKENIZER: Mapping[str, Any] = {"kind": "none"}


@dataclass(frozen=True)
class Answers:
    """What the files of another engine do not say; None where nobody said it."""

    token_dtype: str | None = None
    mirrored: bool | None = None
    separator: int | None = None
    vocabulary_size: int | None = None
    tokenizer: Mapping[str, Any] | None = None

    def filled(self, remembered: Mapping[str, Any]) -> "Answers":
        """With what was remembered where nothing is said now."""
        return Answers(**{key: remembered.get(key) if value is None else value for key, value in asdict(self).items()})


class Opened(NamedTuple):
    """An index of another engine: described as one of ours, its shards, what it is, and where its tokenizer lies."""

    manifest: Manifest
    shards: list[StoredShard]
    kind: str
    tokenizer_folder: Path
    files: IndexFiles
    """As they were when the index was opened."""


class Found(NamedTuple):
    """Files of another engine: an ``engine``, and either folders or pairs of files."""

    engine: str
    folders: list[Path]
    pairs: list[tuple[Path, Path]]

    @property
    def files(self) -> list[Path]:
        if self.pairs:
            return [path for pair in self.pairs for path in pair]
        return [
            path
            for folder in self.folders
            for shard in infinigram.shard_names(folder)
            for path in infinigram.files_of(folder, shard)
        ]

    @property
    def metadata(self) -> list[Path]:
        """Files that need not be there."""
        names = [
            folder / f"{name}{shard}" for folder in self.folders for shard in infinigram.shard_names(folder) for name in METADATA
        ]
        return [path for path in names if path.exists()]


def recognise(paths: Sequence[Path]) -> Found | None:
    """What engine's files lie at some paths; None if none's.

    Raises
    ------
    FormatError
        Parts are missing, or it is something else that is known.
    """
    found = [_recognise_one(path) for path in paths]
    if not found or None in found:
        return None
    parts = [part for part in found if part is not None]
    engines = {part.engine for part in parts}
    if len(engines) > 1:
        raise FormatError(f"{paths[0]} and others are of several engines: {', '.join(sorted(engines))}; open them one by one")
    return Found(parts[0].engine, [f for part in parts for f in part.folders], [p for part in parts for p in part.pairs])


def _recognise_one(path: Path) -> Found | None:
    if path.is_dir():
        if infinigram.shard_names(path):
            return Found("infini-gram", [path], [])
        if any(path.glob("table*")) and any(path.glob("offset*")):
            raise FormatError(f"{path} lacks tokenized, the tokens of an infini-gram index: copy the rest of the index")
        inside = [folder for folder in sorted(path.iterdir()) if folder.is_dir() and (folder / "tokenized").exists()]
        if inside:
            return Found("infini-gram", inside, [])
        tables = sorted(path.glob("*.idx"))
        if not tables:
            return None
        _refuse_megatron(tables[0])
        return Found("tokengrams", [], tokengrams.pairs_of(path))
    if path.suffix in (".idx", ".bin") and path.exists():
        if (table := path.with_suffix(".idx")).exists():
            _refuse_megatron(table)
        return Found("tokengrams", [], tokengrams.pairs_of(path))
    return None


def _refuse_megatron(path: Path) -> None:
    with open(path, "rb") as file:
        if file.read(len(MEGATRON)) == MEGATRON:
            raise FormatError(
                f"{path} is a Megatron dataset, a corpus without an index: "
                f"build one with suffixindex build {path} -o INDEX -t TOKENIZER"
            )


def open_paths(
    paths: Sequence[Path],
    *,
    tokenizer: str | None,
    token_type: str | None,
    reversed: bool | None,
    separator: int | None,
    vocabulary_size: int | None,
) -> Opened:
    """Open an index of another engine; what is said of it is remembered.

    Raises
    ------
    NoIndexError, FormatError, TokenizerError
        There is none, it is damaged, or its files do not say what must be known.
    """
    found = recognise(paths)
    if found is None:
        raise NoIndexError(f"{paths[0]} is no index: it has no {MANIFEST}, and no files of infini-gram or tokengrams")
    index_files = IndexFiles([*found.files, *found.metadata])
    sidecar = Sidecar(found.files)
    files: dict[str, bytes] = {}
    entry: Mapping[str, Any] | None = None
    if tokenizer is not None:
        entry, size, files = tokenizer_entry(tokenizer)
        vocabulary_size = vocabulary_size or size
    answers = Answers(token_type, reversed, separator, vocabulary_size, entry)
    filled = answers.filled(sidecar.answers())
    opened = _open(found, filled, sidecar, index_files)
    if answers != Answers() and asdict(filled) != sidecar.answers():
        sidecar.remember(asdict(filled), files)
    folder = sidecar.find(ANSWERS) if opened.manifest.tokenizer.get("kind") == "huggingface" else None
    return opened if folder is None else opened._replace(tokenizer_folder=folder)


def tokenizer_entry(tokenizer: str) -> tuple[Mapping[str, Any], int, dict[str, bytes]]:
    """What a manifest says of a tokenizer, its vocabulary's size, and the files that it needs.

    Raises
    ------
    TokenizerError, MissingDependencyError
    """
    if tokenizer == "words":
        raise TokenizerError(
            "words numbers the words of our own builds, in no other engine's index: name the tokenizer of this one"
        )
    encoder = choose_encoder(tokenizer)
    files = {TOKENIZER_FILE: encoder.content()} if isinstance(encoder, HuggingFaceEncoder) else {}
    return encoder.entry, encoder.vocabulary_size, files


def _open(found: Found, answers: Answers, sidecar: Sidecar, index_files: IndexFiles) -> Opened:
    if answers.token_dtype not in (None, *TOKEN_TYPES):
        raise FormatError(f"token_dtype is {answers.token_dtype!r}: expected one of {', '.join(TOKEN_TYPES)}")
    if found.engine == "tokengrams":
        layouts = tokengrams.layouts(found.pairs, answers.token_dtype, answers.separator, sidecar)
        kind = "tokengrams"
    else:
        layouts = infinigram.layouts(found.folders, answers.token_dtype, answers.mirrored)
        kind = f"infini-gram {_version(layouts[0])}"
    types = {layout.token_type for layout in layouts}
    if len(types) > 1:
        raise FormatError(f"{found.files[0].parent} holds shards of {' and '.join(sorted(types))} tokens: open them one by one")
    token_type = types.pop()
    size = answers.vocabulary_size or separator_of(token_type)
    if size > separator_of(token_type):
        raise FormatError(f"a vocabulary of {size:,} ids does not fit {token_type} tokens, of which the largest ends documents")
    manifest = Manifest(
        token_type=token_type,
        vocabulary_size=size,
        tokenizer=answers.tokenizer or NO_TOKENIZER,
        settings={
            "reversed": layouts[0].mirrored,
            "stored_separator": layouts[0].separator,
            "files": [str(path) for path in found.files],
        },
        shards=tuple(ShardEntry(layout.num_documents, layout.length, {}) for layout in layouts),
        files={},
    )
    shards = [_kind_of(layout)(layout, i, sidecar, size, index_files) for i, layout in enumerate(layouts)]
    return Opened(manifest, shards, kind, found.files[0].parent, index_files)


def _kind_of(layout: Layout) -> type[StoredShard]:
    if layout.offsets is None:
        return tokengrams.TokengramsShard
    return MirroredShard if layout.mirrored else StoredShard


def _version(layout: Layout) -> str:
    if re.fullmatch("tokenized", layout.tokens.name):
        return "6, reversed" if layout.mirrored else "6"
    return "5" if layout.mirrored else "4"
