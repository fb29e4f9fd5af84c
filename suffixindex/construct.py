"""Build an index: sources -> token shards -> suffix arrays -> manifest. Killed at any point, the same call goes on.

``build.json`` says how far a build is: its settings, a checkpoint of the encoding, and whether that is finished. A sorted
shard has its ``shard.json``. The manifest comes last and is the index.
"""

import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from suffixindex.build_state import BuildState, Clock, clear, locked, plain_errors, take_up
from suffixindex.corpus import STDIN, Source, resolve
from suffixindex.encode import Counts, encode_corpus
from suffixindex.encoders import Encoder, choose_encoder
from suffixindex.errors import BuildError, CorpusError, FormatError
from suffixindex.files import BLOCK_BYTES, hash_file, map_array, remove, write_array, write_blocks, write_bytes
from suffixindex.format import (
    BUILD_STATE,
    DOCUMENT_BLOCKS,
    DOCUMENT_OFFSETS,
    METADATA,
    METADATA_OFFSETS,
    PROVENANCE,
    SEARCH_TREE,
    SHARD_MARKER,
    SOURCES,
    SUFFIX_ARRAY,
    TOKEN_TYPES,
    FileEntry,
    Manifest,
    ShardEntry,
    separator_of,
    shard_folder,
    token_type,
)
from suffixindex.memory import MAX_TOKENS, cpu_count, peak_memory
from suffixindex.plan import BuildEstimate, estimate, shard_capacity
from suffixindex.progress import Bar
from suffixindex.readers import RecordOptions
from suffixindex.tables import document_blocks, grow_search_tree
from suffixindex.tokens import TokenWriter, WriterState

CHECKPOINT_SECONDS = 20.0


class BuildReport(NamedTuple):
    """What a build made, and at what cost."""

    path: Path
    num_documents: int
    num_tokens: int
    num_shards: int
    token_type: str
    num_bytes: int
    skipped: Mapping[str, int]
    seconds: Mapping[str, float]
    peak_memory_bytes: int


def build(
    corpus: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    index: str | os.PathLike[str],
    *,
    tokenizer: str,
    revision: str | None = None,
    engine: str | None = None,
    memory: str | int | None = None,
    shard_tokens: str | int | None = None,
    text_field: str = "text",
    input_format: str = "auto",
    metadata: bool = True,
    on_error: str = "raise",
    threads: int | None = None,
    restart: bool = False,
    progress: bool | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> BuildReport:
    """Build an index of a corpus, or go on with the one that an earlier call of the same settings left unfinished.

    Parameters
    ----------
    corpus
        Files, folders, globs, ``-`` or ``hf:NAME``; see :func:`suffixindex.corpus.resolve`.
    index
        Folder to make. An index of the same settings there is left as it is.
    tokenizer
        ``bytes``, ``words``, or a Hugging Face name, folder or ``tokenizer.json``.
    revision
        Of a tokenizer on the Hugging Face hub.
    engine
        ``tokenizers`` encodes with the reference implementation even where the fast one would do.
    memory
        Budget of the whole build, as ``"16GiB"`` or bytes; it sets the size of the shards. Half of what there is by default.
    shard_tokens
        Size of the shards instead, in tokens and separators, as ``"500M"`` or a number.
    text_field
        Field of a record that holds its text; the others are kept as metadata unless ``metadata`` is false.
    on_error
        ``raise`` stops at a bad record, ``skip`` passes over it and counts it.
    threads
        Cores to use; all by default. Shards of the same size are equal on any number.
    restart
        Throw away what is at ``index``, finished or not.
    progress
        Show bars on standard error; if it is a terminal by default.
    checkpoint_seconds
        How much encoding an interruption may cost.

    Raises
    ------
    CorpusError, TokenizerError, BuildError, MissingDependencyError
        With what is finished kept, so that the same call can go on.
    """
    folder = Path(index)
    if on_error not in ("raise", "skip"):
        raise BuildError(f"on_error is {on_error!r}: expected raise or skip")
    threads = _checked_threads(threads)
    sources = resolve(corpus, input_format)
    inputs = "".join(json.dumps(asdict(source)) + "\n" for source in sources).encode()
    encoder = choose_encoder(tokenizer, revision, engine)
    capacity = shard_capacity(memory, shard_tokens, encoder.token_type, threads)
    settings: dict[str, Any] = {
        "tokenizer": encoder.entry,
        "inputs": sha256(inputs).hexdigest(),
        "text_field": text_field,
        "metadata": metadata,
        "on_error": on_error,
        "shard_capacity": capacity,
    }
    with locked(folder), plain_errors(folder):
        if restart:
            clear(folder)
        state = take_up(folder, settings, largest_shard=_largest_shard(memory, shard_tokens, capacity))
        if state is None:
            return _report(folder, Manifest.read(folder))
        job = _Job(folder, state, encoder, sources, threads, progress)
        if state.encoded is None:
            write_bytes(folder / SOURCES, inputs)
            job.encode(RecordOptions(text_field, metadata, on_error), checkpoint_seconds)
        return job.publish(job.sort())


def _checked_threads(threads: int | None) -> int:
    if threads is not None and threads < 1:
        raise BuildError(f"threads is {threads}: expected 1 or more")
    return threads or cpu_count()


def _largest_shard(memory: str | int | None, shard_tokens: str | int | None, capacity: int) -> int | None:
    """Up to which size shards that are there already will do: a budget is kept by smaller ones too."""
    if shard_tokens is not None:
        return None
    return MAX_TOKENS if memory is None else capacity


def estimate_build(
    corpus: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    tokenizer: str,
    revision: str | None = None,
    engine: str | None = None,
    memory: str | int | None = None,
    shard_tokens: str | int | None = None,
    text_field: str = "text",
    input_format: str = "auto",
    metadata: bool = True,
    on_error: str = "raise",
    threads: int | None = None,
) -> BuildEstimate:
    """What :func:`build` would make of the same arguments, and at what cost, from a sample of the corpus; writes nothing."""
    threads = _checked_threads(threads)
    sources = resolve(corpus, input_format)
    encoder = choose_encoder(tokenizer, revision, engine)
    capacity = shard_capacity(memory, shard_tokens, encoder.token_type, threads)
    return estimate(sources, encoder, RecordOptions(text_field, metadata, on_error), capacity, threads)


class _Job:
    """One build under way."""

    def __init__(
        self, folder: Path, state: BuildState, encoder: Encoder, sources: list[Source], threads: int, progress: bool | None
    ) -> None:
        self.folder = folder
        self.state = state
        self.encoder = encoder
        self.sources = sources
        self.threads = threads
        self.progress = progress

    def encode(self, options: RecordOptions, checkpoint_seconds: float) -> None:
        """Encode from the last checkpoint to the end of the corpus."""
        done = self.state.checkpoint
        if any(source.path == STDIN for source in self.sources):
            done = None  # standard input cannot be taken up in the middle
        counts = Counts.from_json(done["counts"]) if done else Counts()
        written = WriterState.from_json(done["writer"]) if done else None
        encoder = self.encoder
        encoder.begin(self.folder, done["encoder"] if done else 0)
        capacity = self.state.settings["shard_capacity"]
        writer = TokenWriter(self.folder, encoder.token_type, capacity, options.keep_metadata, written)
        clock = Clock(self.state.seconds, "encode")

        def checkpoint() -> None:
            self.state.checkpoint = {
                "counts": counts.to_json(),
                "writer": writer.checkpoint(),
                "encoder": encoder.checkpoint(),
            }
            clock.lap()
            self.state.write(self.folder)

        try:
            encode_corpus(
                self.sources,
                encoder,
                writer,
                options,
                counts,
                threads=self.threads,
                checkpoint=checkpoint,
                checkpoint_seconds=checkpoint_seconds,
                progress=self.progress,
            )
            shards = writer.finish()
        finally:
            writer.close()
        if not shards:
            raise CorpusError(f"the corpus is empty: {len(self.sources)} inputs hold no document{_skips(counts.skipped)}")
        encoder.finish()
        self.state.encoded = {"shards": shards, "vocabulary_size": encoder.vocabulary_size, "counts": counts.to_json()}
        self.state.checkpoint = None
        clock.lap()
        self.state.write(self.folder)

    def sort(self) -> list[ShardEntry]:
        """Sort every shard that has no marker yet."""
        assert self.state.encoded is not None
        shards = self.state.encoded["shards"]
        width = token_type(self.state.encoded["vocabulary_size"])
        total = sum(length for _, length in shards)
        clock = Clock(self.state.seconds, "sort")
        entries: list[ShardEntry] = []
        done = 0
        with Bar("sort", total, "token", self.progress) as bar:
            for number, (documents, length) in enumerate(shards):
                marker = shard_folder(self.folder, number) / SHARD_MARKER
                if marker.exists():
                    entries.append(ShardEntry.from_json(json.loads(marker.read_bytes())))
                else:
                    tell = partial(_tell, bar, done, length)
                    entries.append(self._sort_shard(marker.parent, documents, length, width, tell))
                    write_bytes(marker, json.dumps(asdict(entries[-1]), indent=1).encode())
                    clock.lap()
                    self.state.write(self.folder)
                done += length
                bar.reach(done)
        return entries

    def _sort_shard(self, folder: Path, documents: int, length: int, width: str, progress: Callable[[float], None]) -> ShardEntry:
        """Sort one shard; every file is whole when this returns."""
        dtype = TOKEN_TYPES[width]
        tokens_path = folder / f"tokens.{width}"
        for wider in [name for name in TOKEN_TYPES if TOKEN_TYPES[name].itemsize > dtype.itemsize]:
            if (path := folder / f"tokens.{wider}").exists():
                # the vocabulary of `words` turned out to fit a narrower type; the largest id, the separator, wraps to the largest
                wide = map_array(path, TOKEN_TYPES[wider])
                step = BLOCK_BYTES // wide.itemsize
                write_blocks(tokens_path, (wide[i : i + step].astype(dtype).tobytes() for i in range(0, len(wide), step)))
                del wide
                remove(path)
        tokens = map_array(tokens_path, dtype)
        if len(tokens) != length:
            raise FormatError(f"{tokens_path} has {len(tokens):,} tokens, expected {length:,}: start anew with --restart")
        from suffixindex.suffix_sort import suffix_array

        array = suffix_array(tokens, separator=separator_of(width), threads=self.threads, progress=progress)
        names = [tokens_path.name, DOCUMENT_OFFSETS]
        if (folder / METADATA).exists():
            names += [METADATA, METADATA_OFFSETS]
        with ThreadPoolExecutor(self.threads) as pool:
            hashes = {name: pool.submit(hash_file, folder / name) for name in names}
            assert self.state.encoded is not None
            arrays: dict[str, NDArray[Any]] = {
                SUFFIX_ARRAY: array,
                SEARCH_TREE: grow_search_tree(tokens, array, self.state.encoded["vocabulary_size"]).keys,
                DOCUMENT_BLOCKS: document_blocks(map_array(folder / DOCUMENT_OFFSETS, "<u8")),
            }
            written = {name: FileEntry(*write_array(folder / name, content)) for name, content in arrays.items()}
            files = {name: FileEntry(*future.result()) for name, future in hashes.items()}
        return ShardEntry(documents, length, {**files, **written})

    def publish(self, shards: list[ShardEntry]) -> BuildReport:
        """Write the manifest: the folder becomes an index."""
        assert self.state.encoded is not None
        size = self.state.encoded["vocabulary_size"]
        settings = {key: value for key, value in self.state.settings.items() if key != "tokenizer"}
        manifest = Manifest(
            token_type=token_type(size),
            vocabulary_size=size,
            tokenizer=self.encoder.entry,
            settings=settings,
            shards=tuple(shards),
            files={name: FileEntry(*hash_file(self.folder / name)) for name in (SOURCES, *self.encoder.files)},
            skipped=self.state.encoded["counts"]["skipped"],
        )
        packages = ("suffixindex", "numpy", "numba", "tokenizers", "fastokens")
        provenance = {
            "command": sys.argv,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": {phase: round(seconds, 3) for phase, seconds in self.state.seconds.items()},
            "peak_memory_bytes": peak_memory(),
            "text_bytes": self.state.encoded["counts"]["text_bytes"],
            "threads": self.threads,
            "platform": platform.platform(),
            "python": platform.python_version(),
            "versions": {name: found for name in packages if (found := _version(name))},
        }
        write_bytes(self.folder / PROVENANCE, (json.dumps(provenance, indent=1) + "\n").encode())
        manifest.write(self.folder)
        remove(self.folder / BUILD_STATE)
        return _report(self.folder, manifest)


def _tell(bar: Bar, before: int, length: int, share: float) -> None:
    bar.reach(before + int(length * share))


def _skips(skipped: Counter[str]) -> str:
    return f"; skipped {', '.join(f'{count:,} ({reason})' for reason, count in skipped.items())}" if skipped else ""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _report(folder: Path, manifest: Manifest) -> BuildReport:
    provenance = json.loads((folder / PROVENANCE).read_bytes())
    return BuildReport(
        folder,
        manifest.num_documents,
        manifest.num_tokens,
        len(manifest.shards),
        manifest.token_type,
        manifest.num_bytes,
        manifest.skipped,
        provenance["seconds"],
        provenance["peak_memory_bytes"],
    )
