"""What lies at a path: an index of ours or another engine's, described alike, with its shards; or several of ours, as one.

Several are one where their ids mean the same: the same tokenizer, to the byte, and the same type of ids. Documents are numbered
in the order of the indexes.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from suffixindex.errors import FormatError, NoIndexError
from suffixindex.storage.earlier import open_shard
from suffixindex.storage.format import BUILD_STATE, MANIFEST, Manifest, is_sources, read_provenance
from suffixindex.storage.history import left_bytes
from suffixindex.storage.identity import IndexFiles
from suffixindex.storage.layout import check_layout
from suffixindex.storage.shard import Shard
from suffixindex.tokenizers.base import Tokenizer, open_tokenizer

SEVERAL = "+"
"""Stands between the paths of indexes that are asked as one."""

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Said:
    """What the user says of another engine's files, which do not say it themselves: see :func:`suffixindex.open`."""

    tokenizer: str | None = None
    token_type: str | None = None
    reversed: bool | None = None
    separator: int | None = None
    vocabulary_size: int | None = None


NOTHING = Said()


@dataclass(frozen=True)
class OpenedIndex:
    """The files of an index: described by a manifest, whoever made them."""

    paths: tuple[Path, ...]
    kind: str
    """``suffixindex``, or the engine that made it."""
    manifest: Manifest
    shards: Sequence[Shard]
    tokenizer_folder: Path
    files: IndexFiles
    """As they were when the index was opened; of several, those of the first."""
    parts: tuple["OpenedIndex", ...] = ()
    """The indexes that this one joins, if they are several."""
    names: tuple[str, ...] = ()
    """What each of them is called."""
    shard_names: tuple[str, ...] = ()
    """What the index of each shard is called: the value of its documents' field ``index``."""
    named: IndexFiles | None = None
    """The manifest of an index of ours."""

    @property
    def is_current(self) -> bool:
        """Whether the folder holds what was opened."""
        try:
            if self.named is not None:
                self.named.check([self.path / MANIFEST])
        except (FormatError, OSError):
            return False
        return all(part.is_current for part in self.parts)

    def open_tokenizer(self) -> Tokenizer:
        """The tokenizer that the manifest describes.

        Raises
        ------
        FormatError, QueryError
            Its files are damaged or were changed; the index is closed.
        """
        self.files.check_open()
        self.files.check(self.path / name for name in self.manifest.files)
        tokenizer = open_tokenizer(self.manifest.tokenizer, self.tokenizer_folder)
        self.files.watch(self.path / name for name in self.manifest.files)
        return tokenizer

    @property
    def path(self) -> Path:
        return self.paths[0]

    @property
    def label(self) -> str:
        """The index in messages: its path, or those of all that it joins."""
        return SEVERAL.join(map(str, self.paths)) if self.parts else str(self.path)

    def info(self) -> dict[str, Any]:
        """What the index holds and how it was made, as plain data."""
        manifest = self.manifest
        parts = {name: part.info() for name, part in zip(self.names, self.parts, strict=True)}
        provenance = {name: part["provenance"] for name, part in parts.items()} if parts else read_provenance(self.path)
        num_bytes = manifest.num_bytes or sum(Path(name).stat().st_size for name in manifest.settings.get("files", ()))
        if parts:
            num_bytes = sum(part["num_bytes"] for part in parts.values())
        shown = ("path", "num_documents", "num_tokens", "num_shards")
        return {
            "path": self.label,
            "kind": self.kind,
            "format_version": manifest.format_version,
            "tokenizer": dict(manifest.tokenizer),
            "vocabulary_size": manifest.vocabulary_size,
            "token_type": manifest.token_type,
            "num_documents": manifest.num_documents,
            "num_tokens": manifest.num_tokens,
            "num_shards": len(self.shards),
            "num_bytes": num_bytes,
            **({"left_bytes": left_bytes(self.path)} if manifest.removed and not parts else {}),
            "bytes_per_token": round(num_bytes / max(manifest.num_tokens, 1), 3),
            "skipped": dict(manifest.skipped),
            "settings": dict(manifest.settings),
            "provenance": provenance,
            **({"indexes": {name: {key: part[key] for key in shown} for name, part in parts.items()}} if parts else {}),
        }


def open_index(path: Paths, said: Said, chosen: tuple[int, int] | None = None) -> OpenedIndex:
    """Open the files of an index: reads the manifest and compares file sizes, no more. O(shards).

    With ``chosen``, only shards ``[first, last)`` of an index of ours. Several paths are one index: files of another engine, or
    indexes of ours of one tokenizer.

    Raises
    ------
    NoIndexError, UnfinishedIndexError, FormatError, TokenizerError
        With what to do about it.
    """
    named = [path] if isinstance(path, (str, os.PathLike)) else path
    paths = tuple(Path(one).absolute() for one in named)
    if not paths:
        raise NoIndexError("no path of an index was given")
    try:
        if len(paths) == 1 and not is_foreign(paths[0]):
            return _open_ours(paths[0], said, chosen)
        if any(is_ours(path) for path in paths):
            return join_indexes(open_each(paths, said), chosen)
        from suffixindex.foreign.opening import open_paths

        opened = open_paths(paths, **asdict(said))
    except PermissionError as error:
        raise NoIndexError(f"{error.filename} may not be read: {error.strerror}; ask its owner for access") from error
    return OpenedIndex(paths, opened.kind, opened.manifest, opened.shards, opened.tokenizer_folder, opened.files)


def _open_ours(path: Path, said: Said, chosen: tuple[int, int] | None) -> OpenedIndex:
    named = IndexFiles([path / MANIFEST] if (path / MANIFEST).exists() else [])
    manifest = Manifest.read(path)
    first, last = chosen or (0, len(manifest.shards))
    files = check_layout(path, manifest, first, last)
    named.check([path / MANIFEST])  # what was looked at in the meantime is of this manifest
    folders = manifest.shard_folders(path)[first:last]
    manifest = replace(manifest, shards=manifest.shards[first:last])
    if given := [name for name, value in asdict(said).items() if value is not None]:
        raise FormatError(f"{path} is an index of ours, whose manifest says its {given[0]}: leave that out")
    types = manifest.token_type, manifest.vocabulary_size
    shards = [open_shard(folder, shard, *types, files) for folder, shard in zip(folders, manifest.shards, strict=True)]
    return OpenedIndex((path,), "suffixindex", manifest, shards, path, files, named=named)


def open_each(paths: Sequence[Path], said: Said = NOTHING) -> list[OpenedIndex]:
    """Open several indexes of ours, each for itself.

    Raises
    ------
    FormatError, NoIndexError, UnfinishedIndexError
        One of them cannot be opened, is another engine's, or comes twice.
    """
    for path in paths:
        if is_foreign(path):
            raise FormatError(f"{path} is no index of ours: only indexes that suffixindex built are asked as one; ask it alone")
    for path, times in Counter(path.resolve() for path in paths).items():
        if times > 1:
            raise FormatError(f"{path} is given {times} times: its documents would count as often; give it once")
    return [_open_ours(path, said, None) for path in paths]


def join_indexes(parts: Sequence[OpenedIndex], chosen: tuple[int, int] | None = None) -> OpenedIndex:
    """Several indexes of ours as one, or shards ``[first, last)`` of all theirs.

    Raises
    ------
    FormatError
        They are not of one tokenizer.
    """
    for part in parts[1:]:
        _check_same_ids(parts[0], part)
    manifest = join_manifests([part.manifest for part in parts])
    names = _names([part.path for part in parts])
    first, last = chosen or (0, len(manifest.shards))
    return OpenedIndex(
        paths=tuple(part.path for part in parts),
        kind=parts[0].kind,
        manifest=replace(manifest, files=parts[0].manifest.files, shards=manifest.shards[first:last]),
        shards=[shard for part in parts for shard in part.shards][first:last],
        tokenizer_folder=parts[0].path,
        files=parts[0].files,
        parts=tuple(parts),
        names=names,
        shard_names=tuple(name for name, part in zip(names, parts, strict=True) for _ in part.shards)[first:last],
    )


def join_manifests(manifests: Sequence[Manifest]) -> Manifest:
    """What describes several indexes of one tokenizer as one, but for the files beside the shards: settings that agree."""
    first, *others = manifests
    shared = {key: value for key, value in first.settings.items() if all(other.settings.get(key) == value for other in others)}
    skipped = sum((Counter(manifest.skipped) for manifest in manifests), Counter())
    return replace(
        first,
        settings=shared,
        shards=tuple(shard for manifest in manifests for shard in manifest.shards),
        files={},
        skipped=dict(sorted(skipped.items())),
        format_version=max(manifest.format_version for manifest in manifests),
    )


def _check_same_ids(first: OpenedIndex, other: OpenedIndex) -> None:
    """Refuse indexes in which one id may stand for two things."""
    ours, theirs = (_ids_of(one.manifest) for one in (first, other))
    if ours == theirs:
        return
    kinds = [str(one.manifest.tokenizer["kind"]) for one in (first, other)]
    if kinds == ["words", "words"]:
        why = "each numbers its own words: add the documents of one to the other, or build both again as one"
    elif kinds[0] != kinds[1]:
        why = f"one is by {kinds[0]}, the other by {kinds[1]}: ask them one by one, or build one again with the other's tokenizer"
    else:
        why = f"they are by two versions of {kinds[0]}, or have other types of ids: build one again with the other's tokenizer"
    raise FormatError(f"{first.path} and {other.path} are not of one tokenizer: {why}")


def _ids_of(manifest: Manifest) -> tuple[Any, ...]:
    """What says what the ids mean; not where the tokenizer came from."""
    entry = {key: value for key, value in manifest.tokenizer.items() if key not in ("name", "revision")}
    files = {name: entry for name, entry in manifest.files.items() if not is_sources(name)}
    return entry, files, manifest.token_type, manifest.vocabulary_size


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """A name for each of several paths: its last part, or all of it where those are not distinct."""
    last = tuple(path.name for path in paths)
    return last if len(set(last)) == len(last) else tuple(map(str, paths))


def is_ours(path: Path) -> bool:
    """Whether a path holds an index of ours, or a build of one."""
    return any((path / name).exists() for name in (MANIFEST, BUILD_STATE))


def is_foreign(path: Path) -> bool:
    """Whether a path holds something, and neither an index of ours nor a build of one."""
    return path.exists() and not is_ours(path)
