"""What lies at a path: an index of ours or another engine's, described alike, with its shards."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from suffixindex.errors import FormatError, NoIndexError
from suffixindex.storage.format import BUILD_STATE, MANIFEST, Manifest, read_provenance, shard_folder
from suffixindex.storage.identity import IndexFiles
from suffixindex.storage.layout import check_layout
from suffixindex.storage.shard import Shard
from suffixindex.tokenizers.base import Tokenizer, open_tokenizer

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Said:
    """What the user says of another engine's files, which do not say it themselves: see :func:`suffixindex.open`."""

    tokenizer: str | None = None
    token_type: str | None = None
    reversed: bool | None = None
    separator: int | None = None
    vocabulary_size: int | None = None


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
    """As they were when the index was opened."""

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

    def info(self) -> dict[str, Any]:
        """What the index holds and how it was made, as plain data."""
        manifest = self.manifest
        provenance = read_provenance(self.path)
        num_bytes = manifest.num_bytes or sum(Path(name).stat().st_size for name in manifest.settings.get("files", ()))
        return {
            "path": str(self.path),
            "kind": self.kind,
            "format_version": manifest.format_version,
            "tokenizer": dict(manifest.tokenizer),
            "vocabulary_size": manifest.vocabulary_size,
            "token_type": manifest.token_type,
            "num_documents": manifest.num_documents,
            "num_tokens": manifest.num_tokens,
            "num_shards": len(self.shards),
            "num_bytes": num_bytes,
            "bytes_per_token": round(num_bytes / max(manifest.num_tokens, 1), 3),
            "skipped": dict(manifest.skipped),
            "settings": dict(manifest.settings),
            "provenance": provenance,
        }


def open_index(path: Paths, said: Said, chosen: tuple[int, int] | None = None) -> OpenedIndex:
    """Open the files of an index: reads the manifest and compares file sizes, no more. O(shards).

    With ``chosen``, only shards ``[first, last)`` of an index of ours.

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
    manifest = replace(manifest, shards=manifest.shards[first:last])
    if given := [name for name, value in asdict(said).items() if value is not None]:
        raise FormatError(f"{path} is an index of ours, whose manifest says its {given[0]}: leave that out")
    types = manifest.token_type, manifest.vocabulary_size
    shards = [Shard(shard_folder(path, number), shard, *types, files) for number, shard in enumerate(manifest.shards, first)]
    return OpenedIndex((path,), "suffixindex", manifest, shards, path, files)


def is_foreign(path: Path) -> bool:
    """Whether a path holds something, and neither an index of ours nor a build of one."""
    return path.exists() and not any((path / name).exists() for name in (MANIFEST, BUILD_STATE))
