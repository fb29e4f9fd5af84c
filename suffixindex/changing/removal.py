"""The steps of removing documents from the index in a folder, which is locked: new shards, publication, and deletion for good."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suffixindex.changing.filtered import blocks_of, filter_shard, kept_bytes
from suffixindex.errors import BuildError
from suffixindex.storage.files import fsync_folder, make_folder, remove, write_bytes
from suffixindex.storage.format import (
    MANIFEST,
    PROVENANCE,
    REMOVED,
    REMOVED_VERSION,
    SHARD_MARKER,
    Manifest,
    ShardEntry,
    read_provenance,
)
from suffixindex.storage.history import files_in, listed_shards, state_folder, sweep, unlisted
from suffixindex.storage.layout import check_layout
from suffixindex.storage.shard import Shard
from suffixindex.system.progress import Bar
from suffixindex.tokenizers.words import forget_words, vocabulary_files

COUNTED = 1 << 22  # tokens whose ids are counted at a time
PLAN = "plan.json"
"""Beside the manifest of a state: which documents of which index the removal after it takes."""


class Removal(NamedTuple):
    """Which documents of an index go."""

    kept: list[NDArray[np.bool_]]
    """Of each shard, the documents that stay."""
    num_documents: int
    """That go."""
    num_tokens: int
    num_shards: int
    """That hold some of them."""
    num_bytes: int
    """Of these shards."""


def plan_removal(shards: Sequence[Shard], mask: NDArray[np.bool_]) -> Removal:
    """What it means to remove the documents of a mask."""
    kept = np.split(~mask, np.cumsum([shard.num_documents for shard in shards])[:-1])
    concerned = [(shard, stays) for shard, stays in zip(shards, kept, strict=True) if not stays.all()]
    lengths = [int(np.diff(np.asarray(shard.document_offsets).astype(np.int64))[~stays].sum()) for shard, stays in concerned]
    num_bytes = sum(entry.bytes for shard, _ in concerned for entry in shard.files.values())
    documents = int(mask.sum())
    return Removal(kept, documents, sum(lengths) - documents, len(concerned), num_bytes)


def count_removed(shards: Sequence[Shard], removal: Removal, vocabulary_size: int) -> NDArray[np.int64]:
    """How often each id occurs in the documents that go. Some nanoseconds for each of their tokens."""
    counts = np.zeros(vocabulary_size, np.int64)
    for shard, stays in zip(shards, removal.kept, strict=True):
        for block in kept_bytes(blocks_of(shard.tokens, COUNTED), shard.document_offsets, ~stays):
            ids = np.frombuffer(block, shard.tokens.dtype)
            np.add.at(counts, ids[ids < vocabulary_size], 1)
    return counts


def write_without(
    folder: Path,
    shards: Sequence[Shard],
    removal: Removal,
    record: Mapping[str, Any],
    threads: int,
    show_progress: bool | None,
    forgotten: Sequence[int] = (),
) -> None:
    """Write the shards that change, and publish an index of what stays.

    Killed and called again for the same documents, it goes on after the last shard that is whole. ``record`` is what is kept of
    the removal; ``forgotten`` are ids of `words` that no document holds any more.

    Raises
    ------
    FormatError
        A shard is damaged.
    """
    manifest = Manifest.read(folder)
    state = state_folder(folder, len(manifest.removed) + 1)
    named = [(folder / MANIFEST).read_bytes(), *(np.packbits(stays).tobytes() for stays in removal.kept)]
    plan = json.dumps([sha256(one).hexdigest() for one in named]).encode()
    if not (state / PLAN).exists() or (state / PLAN).read_bytes() != plan:
        remove(state)
        sweep(folder, manifest)
        make_folder(state)
        write_bytes(state / PLAN, plan)
    entries = _write_shards(folder, manifest, shards, removal, threads, show_progress)
    files, tokenizer = manifest.files, manifest.tokenizer
    if forgotten:
        generation = manifest.generation + 1
        others = {name: entry for name, entry in files.items() if name not in vocabulary_files(manifest.generation)}
        files = {**others, **forget_words(folder, manifest.generation, generation, forgotten)}
        tokenizer = {**tokenizer, "generation": generation}
    without = replace(
        manifest,
        tokenizer=tokenizer,
        files=files,
        settings={**manifest.settings, "removed": [*manifest.removed, dict(record)]},
        shards=tuple(entries),
        format_version=REMOVED_VERSION,
    )
    check_layout(folder, without)
    manifest.write(state)
    without.write(folder)


def _write_shards(
    folder: Path,
    manifest: Manifest,
    shards: Sequence[Shard],
    removal: Removal,
    threads: int,
    show_progress: bool | None,
) -> Iterator[ShardEntry]:
    """The entries of the shards in which something stays, those that change written anew."""
    listed = listed_shards(folder, manifest)
    all_shards = zip(manifest.shards, manifest.shard_folders(folder), shards, removal.kept, strict=True)
    staying = [(entry, place, shard, stays) for entry, place, shard, stays in all_shards if stays.any()]
    done, total = 0, sum(shard.length for _, _, shard, stays in staying if not stays.all())
    with Bar("remove", total, "token", show_progress) as bar:
        for number, (entry, place, shard, stays) in enumerate(staying):
            if stays.all():
                yield entry.lying_in(place, number)
                continue
            target = _next_folder(place, listed)
            if not (target / SHARD_MARKER).exists():
                size = entry.vocabulary_size or manifest.vocabulary_size
                filter_shard(shard, stays, target, manifest.token_type, size, threads, partial(_show, bar, done))
            done += shard.length
            bar.show(done)
            yield replace(ShardEntry.read(target), vocabulary_size=entry.vocabulary_size).lying_in(target, number)


def _show(bar: Bar, before: int, done: int) -> None:
    bar.show(before + done)


def _next_folder(place: Path, listed: set[str]) -> Path:
    """``00003.1`` for ``00003``: the first name that no manifest lists."""
    number = place.name.partition(".")[0]
    generation = 1
    while f"{number}.{generation}" in listed:
        generation += 1
    return place.with_name(f"{number}.{generation}")


def restore_state(folder: Path) -> Manifest:
    """Publish the state from before the last removal; its manifest.

    Raises
    ------
    BuildError
        There is no such state, or the index was changed since.
    FormatError
        It is damaged.
    """
    manifest = Manifest.read(folder)
    if not manifest.removed:
        raise BuildError(f"nothing was removed from {folder}: there is nothing to restore")
    *earlier, last = manifest.removed
    state = state_folder(folder, len(manifest.removed))
    if not (state / MANIFEST).exists():
        raise BuildError(f"what was removed from {folder} is purged: append these documents anew, under other inputs")
    before = Manifest.read(state)
    if before.settings != {
        key: value for key, value in ({**manifest.settings, "removed": earlier}).items() if earlier or key != "removed"
    }:
        raise BuildError(
            f"{folder} was appended to since documents were removed on {last.get('time')}, and only the last change can be undone: "
            "append these documents anew"
        )
    check_layout(folder, before)
    before.write(folder)
    remove(state)
    return before


def purge(folder: Path) -> int:
    """Delete everything in the folder that may hold text which is none of the index; how many of the files have another name.

    Killed, it can be called again.
    """
    manifest = Manifest.read(folder)
    paths = unlisted(folder, manifest)
    linked = sum(file.stat().st_nlink > 1 for file in files_in(paths))
    for path in sorted(paths, key=lambda path: path.name != REMOVED):  # first what says that it could be restored
        remove(path)
        fsync_folder(path.parent)
    if any("purged" not in entry for entry in manifest.removed):
        purged = [{**entry, "purged": entry.get("purged", now())} for entry in manifest.removed]
        replace(manifest, settings={**manifest.settings, "removed": purged}).write(folder)
    return linked


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def tell(folder: Path, what: str, told: Mapping[str, Any]) -> None:
    """Add to what the provenance says of the index."""
    provenance = read_provenance(folder)
    before = provenance.get(what)
    provenance[what] = [*(before if isinstance(before, list) else ()), dict(told)]
    write_bytes(folder / PROVENANCE, (json.dumps(provenance, indent=1) + "\n").encode())
