"""Make one index of several: their files linked or copied, nothing sorted again, every checksum as it was.

Everything is put together in a folder ``OUT.merging`` beside the new index, which is renamed when all of it is on the disk. So a
merge that is killed leaves no index and nothing in its place, and the next one throws away what is left.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from suffixindex.building.folder import appearing
from suffixindex.errors import BuildError
from suffixindex.opening import OpenedIndex, join_indexes, join_manifests, open_each
from suffixindex.storage.files import copy_file, link_file, make_folder, write_bytes
from suffixindex.storage.format import PROVENANCE, SHARD_MARKER, SOURCES, FileEntry, Manifest, is_sources, shard_folder
from suffixindex.storage.layout import check_layout


class Merged(NamedTuple):
    """What a merge made."""

    path: Path
    num_documents: int
    num_tokens: int
    num_shards: int
    num_bytes: int
    """Of all its files."""
    copied_bytes: int
    """Of those that are no links."""


def merge(indexes: Sequence[str | os.PathLike[str]], index: str | os.PathLike[str], *, copy: bool = False) -> Merged:
    """Make one index of several of one tokenizer, whose documents are numbered in their order. Sorts and hashes nothing: O(files).

    Parameters
    ----------
    indexes
        Indexes of ours, two at least. They stay as they are.
    index
        Folder to make; it must be absent or empty.
    copy
        Copy every file. Otherwise files are hard links, which take no room: an index may be removed then and the other stays, but
        what is written into a file of one is in both. On another disk files are copied all the same.

    Raises
    ------
    NoIndexError, UnfinishedIndexError, FormatError
        One of the indexes is damaged, changed meanwhile, or of another tokenizer.
    BuildError
        There is something at ``index``, or it cannot be written; nothing is left of it then.
    """
    target = Path(index).absolute()
    if isinstance(indexes, (str, os.PathLike)) or len(indexes) < 2:
        raise BuildError("a merge takes two indexes or more: give them as a list")
    parts = open_each([Path(path).absolute() for path in indexes])
    join_indexes(parts)
    with appearing(target, "merging") as inside:
        return _put_together(parts, inside, target, copy)


def _put_together(parts: Sequence[OpenedIndex], folder: Path, target: Path, copy: bool) -> Merged:
    """Make the index in ``folder``, to be moved to ``target``."""
    make_folder(folder)
    copied = 0

    def take(source: Path, into: Path) -> None:
        nonlocal copied
        if copy:
            copy_file(source, into)
        elif link_file(source, into):
            return
        copied += into.stat().st_size

    lists = [part.path / name for part in parts for name in part.manifest.files if is_sources(name)]
    inputs = b"".join(path.read_bytes() for path in lists)
    files = {SOURCES: FileEntry(*write_bytes(folder / SOURCES, inputs))}
    for name, entry in parts[0].manifest.files.items():
        if not is_sources(name):
            take(parts[0].path / name, folder / name)
            files[name] = entry
    number = 0
    for part in parts:
        for source, shard in zip(part.manifest.shard_folders(part.path), part.manifest.shards, strict=True):
            into = shard_folder(folder, number)
            make_folder(into)
            for name in (*shard.files, SHARD_MARKER):
                take(source / name, into / name)
            number += 1
        part.files.check(path for path, _ in part.manifest.listed_files(part.path))  # what was taken is what was opened
    manifest = _merged_manifest(parts, inputs, files)
    check_layout(folder, manifest)
    shown = [{"path": str(part.path), "num_documents": part.manifest.num_documents} for part in parts]
    provenance = {"command": sys.argv, "finished": datetime.now(UTC).isoformat(timespec="seconds"), "merged": shown}
    write_bytes(folder / PROVENANCE, (json.dumps(provenance, indent=1) + "\n").encode())
    manifest.write(folder)
    return Merged(target, manifest.num_documents, manifest.num_tokens, len(manifest.shards), manifest.num_bytes, copied)


def _merged_manifest(parts: Sequence[OpenedIndex], inputs: bytes, files: dict[str, FileEntry]) -> Manifest:
    """Settings that do not agree are left out; a shard is as large as the largest."""
    joined = join_manifests([part.manifest for part in parts])
    settings = {**joined.settings, "inputs": sha256(inputs).hexdigest()}
    capacities = [part.manifest.settings.get("shard_capacity") for part in parts]
    known = [capacity for capacity in capacities if isinstance(capacity, int)]
    if len(known) == len(parts):
        settings["shard_capacity"] = max(known)
    if removed := [entry for part in parts for entry in part.manifest.removed]:
        settings["removed"] = removed
    shards = tuple(replace(shard, folder=None) for shard in joined.shards)
    return replace(joined, settings=settings, files=files, shards=shards)
