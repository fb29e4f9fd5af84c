"""Append documents to an index: they become shards of their own, and what is there stays as it is.

The new documents are built as an index in the folder ``append``, by the tokenizer and the settings of the whole, `words` in the
numbers of the vocabulary that there is. Its shards are then linked beside the others, and a manifest that lists all takes the place
of the old one: until then the index is the old one, from then on the new one. Whoever has the old one open goes on with it, since
no file that it lists is touched. Killed at any point, the same call goes on.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from suffixindex.building.folder import locked, plain_errors
from suffixindex.construct import CHECKPOINT_SECONDS, build_from, inputs_of
from suffixindex.corpus.sources import TOKEN_FORMATS, Source, resolve
from suffixindex.errors import BuildError
from suffixindex.opening import is_foreign
from suffixindex.storage.files import link_files, make_folder, remove, write_bytes
from suffixindex.storage.format import (
    APPEND,
    GROWN_VERSION,
    MANIFEST,
    PROVENANCE,
    SHARD_MARKER,
    SOURCES,
    FileEntry,
    Manifest,
    of_generation,
    read_provenance,
)
from suffixindex.storage.history import fresh_shards, sweep
from suffixindex.storage.layout import check_layout
from suffixindex.system.memory import cpu_count
from suffixindex.tokenizers.encoders import Encoder, IdsEncoder, WordEncoder, stored_encoder
from suffixindex.tokenizers.words import VOCABULARY, VOCABULARY_FILES, VOCABULARY_ORDER

log = logging.getLogger(__name__)

BASE = "base.json"
"""In the folder of an append: which manifest it goes on from."""


class Appended(NamedTuple):
    """What an append added, and what the index holds then."""

    path: Path
    num_documents: int
    num_tokens: int
    num_shards: int
    new_words: int
    """Of the vocabulary of ``words``."""
    total_documents: int
    total_tokens: int


def append(
    index: str | os.PathLike[str],
    corpus: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    text_field: str | None = None,
    on_error: str | None = None,
    shard_tokens: str | int | None = None,
    input_format: str = "auto",
    separator: int | None = None,
    sequences_per_step: int | None = None,
    engine: str | None = None,
    threads: int | None = None,
    restart: bool = False,
    progress: bool | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    scheduler: str | None = None,
    workers: int | None = None,
    device: str = "auto",
) -> Appended:
    """Add the documents of a corpus to an index, after those that it holds, or go on with an append that was interrupted.

    The tokenizer and the settings are those of the index. Costs what a build of the new documents costs and 30 ms, for `words` a
    tenth of a second more for a million words of the vocabulary, a second where many are new. Inputs that the index was made of
    already, by path, size and time, are not added again.

    Parameters
    ----------
    index
        An index of ours. Readers who have it open go on with what they opened.
    text_field, on_error, shard_tokens
        As of :func:`suffixindex.build`, if they are others than those of the index.
    restart
        Throw away what an interrupted append left.
    corpus, input_format, separator, sequences_per_step, engine, threads, progress, checkpoint_seconds, scheduler, workers, device
        As of :func:`suffixindex.build`.

    Raises
    ------
    NoIndexError, UnfinishedIndexError, FormatError
        There is no whole index.
    CorpusError, TokenizerError, BuildError, ClusterError
        With what is finished kept, so that the same call can go on; the index is the old one. A vocabulary of `words` that
        outgrows the type of the ids is a BuildError: an id would be the separator.
    """
    folder = Path(index)
    if is_foreign(folder):
        raise BuildError(f"{folder} is no index of ours: only indexes that suffixindex built grow")
    Manifest.read(folder)
    if scheduler is not None and threads is not None:
        raise BuildError("threads are set where the workers of a cluster are started: dask worker --nthreads")
    sources = resolve(corpus, input_format, separator=separator, sequences_per_step=sequences_per_step)
    inputs = sha256(inputs_of(sources)).hexdigest()
    room = folder / APPEND
    with locked(folder), plain_errors(folder):
        manifest = Manifest.read(folder)
        check_layout(folder, manifest)
        base = sha256((folder / MANIFEST).read_bytes()).hexdigest()
        if restart:
            remove(room)
        left = _base_of(room)
        if _appended_before(manifest, inputs, sources, left):
            remove(room)
            log.warning("%s holds these inputs already: nothing was appended", folder)
            return Appended(folder, 0, 0, 0, 0, manifest.num_documents, manifest.num_tokens)
        if left != base:
            remove(room)  # of an append that was published, or of another index
            make_folder(room)
            write_bytes(room / BASE, json.dumps(base).encode())
        settings = manifest.settings
        field = text_field or settings.get("text_field")
        if field is None:
            raise BuildError(f"{folder} was merged of indexes with other text fields: name that of the new records, --text-field")
        build_from(
            sources,
            _encoder(folder, manifest, sources, engine),
            room / "index",
            engine=engine,
            memory=None,
            shard_tokens=shard_tokens or settings.get("shard_capacity"),
            text_field=field,
            metadata=settings.get("metadata", True),
            on_error=on_error or settings.get("on_error", "raise"),
            threads=cpu_count() if threads is None else threads,
            restart=False,
            progress=progress,
            checkpoint_seconds=checkpoint_seconds,
            scheduler=scheduler,
            workers=workers,
            device=device,
        )
        return _adopt(folder, manifest, room, {"inputs": inputs, "base": base})


def _base_of(room: Path) -> str | None:
    """The manifest that an append under way goes on from; None if there is none."""
    try:
        return str(json.loads((room / BASE).read_bytes()))
    except (OSError, ValueError):
        return None


def _appended_before(manifest: Manifest, inputs: str, sources: Sequence[Source], left: str | None) -> bool:
    """Whether the index holds the documents of these inputs already.

    Inputs of which no size is known, as standard input, are so only where the append of them was killed at its very end.
    """
    appended = [entry for entry in _appended(manifest) if entry.get("inputs") == inputs]
    if all(source.bytes is not None for source in sources):
        return bool(appended) or manifest.settings.get("inputs") == inputs
    return any(entry.get("base") == left for entry in appended)


def _appended(manifest: Manifest) -> list[Mapping[str, Any]]:
    """What the manifest says of each append."""
    found = manifest.settings.get("appended", [])
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _encoder(folder: Path, manifest: Manifest, sources: Sequence[Source], engine: str | None) -> Encoder:
    """The encoder of the index; of a corpus of ids, one that takes them."""
    entry = {key: value for key, value in manifest.tokenizer.items() if key != "generation"}
    of_ids = [source.kind in TOKEN_FORMATS for source in sources]
    if entry["kind"] == "none" or any(of_ids):
        if not all(of_ids) or entry["kind"] == "words":
            what = "ids, and the corpus is text" if entry["kind"] == "none" else "text, and the corpus is ids"
            raise BuildError(f"{folder} was made of {what}: append what the index was made of")
        return IdsEncoder(None if entry["kind"] == "none" else stored_encoder(entry, folder, "tokenizers"), manifest.token_type)
    if entry["kind"] == "words":
        stored_encoder(entry, folder)  # which refuses another Python's tables of characters
        text, order = (folder / of_generation(name, manifest.generation) for name in (VOCABULARY, VOCABULARY_ORDER))
        return WordEncoder((text, order))
    return stored_encoder(entry, folder, engine)


def _adopt(folder: Path, manifest: Manifest, room: Path, appended: Mapping[str, Any]) -> Appended:
    """Link the finished index in ``room`` into that in ``folder``, and publish both as one."""
    built = room / "index"
    new = Manifest.read(built)
    check_layout(built, new)
    grown = new.vocabulary_size - manifest.vocabulary_size
    if new.token_type != manifest.token_type:
        remove(room)
        raise BuildError(
            f"with these documents {folder} would have {new.vocabulary_size:,} words, more than its {manifest.token_type} ids can "
            "number: build an index of all documents anew, which takes wider ids"
        )
    sweep(folder, manifest)  # what an append left that was killed here
    targets = fresh_shards(folder, manifest, len(new.shards))
    links: dict[Path, Path] = {}
    for source, target, shard in zip(new.shard_folders(built), targets, new.shards, strict=True):
        make_folder(target)
        links |= {source / name: target / name for name in (*shard.files, SHARD_MARKER)}
    count = len(_appended(manifest)) + 1
    files = {**manifest.files, of_generation(SOURCES, count): new.files[SOURCES]}
    links[built / SOURCES] = folder / of_generation(SOURCES, count)
    if grown:
        generation = manifest.generation + 1
        for name in VOCABULARY_FILES:
            links[built / name] = folder / of_generation(name, generation)
            del files[of_generation(name, manifest.generation)]
            files[of_generation(name, generation)] = new.files[name]
    for target in links.values():
        remove(target)
    link_files(links)
    shards = [
        shard.lying_in(target, len(manifest.shards) + i) for i, (shard, target) in enumerate(zip(new.shards, targets, strict=True))
    ]
    whole = _as_one(manifest, replace(new, shards=tuple(shards)), files, {**appended, "num_documents": new.num_documents})
    check_layout(folder, whole)
    whole.write(folder)
    told = read_provenance(folder)
    told["appended"] = [*told.get("appended", ()), read_provenance(built)]
    write_bytes(folder / PROVENANCE, (json.dumps(told, indent=1) + "\n").encode())
    remove(room)
    for generation in range(manifest.generation if grown else 0):  # the last one stays for those who have the index open
        for name in VOCABULARY_FILES:
            remove(folder / of_generation(name, generation))
    added = new.num_documents, new.num_tokens, len(new.shards), grown
    return Appended(folder, *added, whole.num_documents, whole.num_tokens)


def _as_one(manifest: Manifest, new: Manifest, files: Mapping[str, FileEntry], appended: Mapping[str, Any]) -> Manifest:
    """The manifest of the index with the new shards."""
    settings = {**manifest.settings, "appended": [*_appended(manifest), dict(appended)]}
    skipped = dict(sorted((Counter(manifest.skipped) + Counter(new.skipped)).items()))
    whole = replace(manifest, settings=settings, files=files, skipped=skipped, shards=(*manifest.shards, *new.shards))
    if new.vocabulary_size == manifest.vocabulary_size:
        return whole
    earlier = [replace(shard, vocabulary_size=shard.vocabulary_size or manifest.vocabulary_size) for shard in manifest.shards]
    return replace(
        whole,
        vocabulary_size=new.vocabulary_size,
        tokenizer={**manifest.tokenizer, "generation": manifest.generation + 1},
        shards=(*earlier, *new.shards),
        format_version=max(manifest.format_version, GROWN_VERSION),
    )
