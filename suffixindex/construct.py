"""Build an index: sources -> token shards -> suffix arrays -> manifest. Killed at any point, the same call goes on.

``build.json`` says how far a build is: its settings, a checkpoint of the encoding, and whether that is finished. A sorted
shard has its ``shard.json``. The manifest comes last and is the index.
"""

import errno
import json
import logging
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from suffixindex.corpus import Source, resolve
from suffixindex.encode import Counts, Encoder, StaticEncoder, WordEncoder, encode_corpus
from suffixindex.errors import BuildError, CorpusError, FormatError
from suffixindex.files import BLOCK_BYTES, hash_file, map_array, remove, write_array, write_blocks, write_bytes
from suffixindex.format import (
    BUILD_STATE,
    DOCUMENT_OFFSETS,
    FORMAT_VERSION,
    MANIFEST,
    MAX_SHARD_LENGTH,
    METADATA,
    METADATA_OFFSETS,
    PROVENANCE,
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
from suffixindex.memory import cpu_count, parse_count, parse_size, peak_memory, total_memory
from suffixindex.progress import Bar
from suffixindex.readers import RecordOptions
from suffixindex.suffix_sort import sort_bytes_per_token, suffix_array
from suffixindex.tokenizers import TOKENIZER_FILE, Bytes
from suffixindex.tokens import TokenWriter, WriterState
from suffixindex.words import VOCABULARY, VOCABULARY_FILES, VocabularyBuilder

log = logging.getLogger(__name__)

LOCK = "build.lock"
FIXED_BYTES = 400 << 20  # interpreter, compiled kernels, a tokenizer, batches under way
CHECKPOINT_SECONDS = 20.0


class BuildReport(NamedTuple):
    """What a build made, and at what cost."""

    index: Path
    num_documents: int
    num_tokens: int
    num_shards: int
    token_type: str
    num_bytes: int
    skipped: Mapping[str, int]
    seconds: Mapping[str, float]
    peak_memory_bytes: int


@dataclass
class _State:
    """What ``build.json`` holds."""

    settings: dict[str, Any]
    checkpoint: dict[str, Any] | None = None
    encoded: dict[str, Any] | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, index: Path) -> "_State | None":
        try:
            return cls(**json.loads((index / BUILD_STATE).read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise FormatError(f"{index / BUILD_STATE} is damaged: start anew with --restart") from error

    def write(self, index: Path) -> None:
        write_bytes(index / BUILD_STATE, json.dumps(asdict(self)).encode())


def build(
    corpus: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    index: str | os.PathLike[str],
    *,
    tokenizer: str,
    revision: str | None = None,
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
    memory
        Budget of the whole build, as ``"16GiB"`` or bytes; it sets the size of the shards. Half of what there is by default.
    shard_tokens
        Size of the shards instead, in tokens and separators, as ``"500M"`` or a number.
    text_field
        Field of a record that holds its text; the others are kept as metadata unless ``metadata`` is false.
    on_error
        ``raise`` stops at a bad record, ``skip`` passes over it and counts it.
    threads
        Cores to use; all by default. The index does not depend on it.
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
    if memory is not None and shard_tokens is not None:
        raise BuildError("memory and shard_tokens both set the size of the shards: give one")
    sources = resolve([corpus] if isinstance(corpus, (str, os.PathLike)) else corpus, input_format)
    inputs = "".join(json.dumps(asdict(source)) + "\n" for source in sources).encode()
    chosen = _choose_tokenizer(tokenizer, revision)
    settings = {
        "tokenizer": chosen.entry,
        "inputs": sha256(inputs).hexdigest(),
        "text_field": text_field,
        "metadata": metadata,
        "on_error": on_error,
        "shard_capacity": _capacity(memory, shard_tokens, chosen.token_type),
    }
    with _locked(folder), _plain_errors(folder):
        if restart:
            _clear(folder)
        state = _resume(folder, settings, anew=memory is None and shard_tokens is None)
        if state is None:
            return _report(folder, Manifest.read(folder))
        job = _Job(folder, state, chosen, sources, threads or cpu_count(), progress)
        if state.encoded is None:
            write_bytes(folder / SOURCES, inputs)
            for name, content in chosen.files.items():
                write_bytes(folder / name, content)
            job.encode(RecordOptions(text_field, metadata, on_error), checkpoint_seconds)
        return job.publish(job.sort())


class _Chosen(NamedTuple):
    """The tokenizer of a build: its manifest entry, its files, and its encoder (None for words, whose vocabulary grows)."""

    entry: dict[str, Any]
    token_type: str
    vocabulary_size: int
    files: Mapping[str, bytes]
    encoder: Encoder | None


def _choose_tokenizer(name: str, revision: str | None) -> _Chosen:
    if name == "bytes":
        return _Chosen({"kind": "bytes"}, "u8", Bytes.vocabulary_size, {}, StaticEncoder(Bytes().encode_batch, "u8"))
    if name == "words":
        import unicodedata

        return _Chosen({"kind": "words", "unicode": unicodedata.unidata_version}, WordEncoder.token_type, 0, {}, None)
    from suffixindex.huggingface import HuggingFaceTokenizer

    loaded = HuggingFaceTokenizer.load(name, revision=revision)
    content = loaded.to_json().encode()
    entry = {"kind": "huggingface", "name": name, "revision": revision, "sha256": sha256(content).hexdigest()}
    width = token_type(loaded.vocabulary_size)
    return _Chosen(entry, width, loaded.vocabulary_size, {TOKENIZER_FILE: content}, StaticEncoder(loaded.encode_batch, width))


def _capacity(memory: str | int | None, shard_tokens: str | int | None, width: str) -> int:
    """Tokens and separators of a shard."""
    if shard_tokens is not None:
        return min(parse_count(shard_tokens), MAX_SHARD_LENGTH)
    budget = parse_size(memory) if memory is not None else total_memory() // 2
    dtype = TOKEN_TYPES[width]
    capacity = int((budget - FIXED_BYTES) / (sort_bytes_per_token(dtype) + dtype.itemsize))
    if capacity < 1 << 20:
        raise BuildError(f"a build needs more memory than {budget:,} bytes: give it {FIXED_BYTES + (64 << 20):,} or more")
    return min(capacity, MAX_SHARD_LENGTH)


def _resume(folder: Path, settings: dict[str, Any], anew: bool) -> _State | None:
    """The state to go on from; None if the index is finished. ``anew``: take over the shard size that is there.

    Raises
    ------
    BuildError
        The folder holds a build of other settings, or something else.
    """
    state = _State.read(folder)
    finished = (folder / MANIFEST).exists()
    if finished:
        manifest = Manifest.read(folder)
        found: Mapping[str, Any] = {"tokenizer": manifest.tokenizer, **manifest.settings}
    elif state is not None:
        found = state.settings
    else:
        if any(entry.name != LOCK for entry in folder.iterdir()):
            raise BuildError(f"{folder} is not empty and holds no index: choose another folder")
        state = _State(settings)
        state.write(folder)
        return state
    if anew:
        settings["shard_capacity"] = found.get("shard_capacity")
    other = [key for key, value in settings.items() if found.get(key) != value]
    if other:
        what = f"{'an index' if finished else 'an unfinished build'} of other settings ({', '.join(other)} differ)"
        raise BuildError(f"{folder} holds {what}: choose another folder, or throw it away with --restart")
    if finished:
        log.info("%s is finished, nothing to do", folder)
        remove(folder / BUILD_STATE)
        return None
    return state


def _clear(folder: Path) -> None:
    """Remove an index or an unfinished build, and nothing else."""
    names = {MANIFEST, PROVENANCE, SOURCES, BUILD_STATE, TOKENIZER_FILE, *VOCABULARY_FILES, "shards", LOCK}
    for entry in folder.iterdir():
        if entry.name.removesuffix(".tmp") not in names:
            raise BuildError(f"{folder} holds {entry.name}, which is no part of an index: choose another folder")
    remove(folder / MANIFEST)  # first, so that what is left is no index
    for entry in folder.iterdir():
        if entry.name != LOCK:
            remove(entry)


class _Job:
    """One build under way."""

    def __init__(
        self, folder: Path, state: _State, chosen: _Chosen, sources: list[Source], threads: int, progress: bool | None
    ) -> None:
        self.folder = folder
        self.state = state
        self.chosen = chosen
        self.sources = sources
        self.threads = threads
        self.progress = progress

    def encode(self, options: RecordOptions, checkpoint_seconds: float) -> None:
        """Encode from the last checkpoint to the end of the corpus."""
        done = self.state.checkpoint or {}
        counts = Counts(**{**done.get("counts", {}), "skipped": Counter(done.get("counts", {}).get("skipped", {}))})
        counts.cursor = (counts.cursor[0], counts.cursor[1])
        vocabulary = _VocabularyFile(self.folder, done.get("vocabulary_bytes", 0)) if self.chosen.encoder is None else None
        encoder = self.chosen.encoder or WordEncoder(vocabulary.words)  # type: ignore[union-attr]
        written = WriterState.from_json(done["writer"]) if done else None
        if any(source.path == "-" for source in self.sources):
            counts, written = Counts(), None  # standard input cannot be taken up in the middle
        capacity = self.state.settings["shard_capacity"]
        writer = TokenWriter(self.folder, encoder.token_type, capacity, options.keep_metadata, written)
        clock = _Clock(self.state.seconds, "encode")

        def checkpoint() -> None:
            self.state.checkpoint = {
                "counts": asdict(counts),
                "writer": writer.checkpoint(),
                "vocabulary_bytes": vocabulary.checkpoint() if vocabulary else 0,
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
        if vocabulary:
            vocabulary.finish()
        size = vocabulary.words.num_words if vocabulary else self.chosen.vocabulary_size
        self.state.encoded = {"shards": shards, "vocabulary_size": size, "counts": asdict(counts)}
        self.state.checkpoint = None
        clock.lap()
        self.state.write(self.folder)

    def sort(self) -> list[ShardEntry]:
        """Sort every shard that has no marker yet."""
        assert self.state.encoded is not None
        shards = self.state.encoded["shards"]
        width = token_type(self.state.encoded["vocabulary_size"])
        total = sum(length for _, length in shards)
        clock = _Clock(self.state.seconds, "sort")
        entries: list[ShardEntry] = []
        done = 0
        with Bar("sort", total, "token", self.progress) as bar:
            for number, (documents, length) in enumerate(shards):
                marker = shard_folder(self.folder, number) / SHARD_MARKER
                if marker.exists():
                    entries.append(ShardEntry.from_json(json.loads(marker.read_bytes())))
                else:
                    entries.append(_sort_shard(marker.parent, documents, length, width, self.threads))
                    write_bytes(marker, json.dumps(asdict(entries[-1]), indent=1).encode())
                    clock.lap()
                    self.state.write(self.folder)
                done += length
                bar.reach(done)
        return entries

    def publish(self, shards: list[ShardEntry]) -> BuildReport:
        """Write the manifest: the folder becomes an index."""
        assert self.state.encoded is not None
        size = self.state.encoded["vocabulary_size"]
        names = [SOURCES, *self.chosen.files, *(VOCABULARY_FILES if self.chosen.encoder is None else ())]
        settings = {key: value for key, value in self.state.settings.items() if key != "tokenizer"}
        manifest = Manifest(
            token_type=token_type(size),
            vocabulary_size=size,
            tokenizer=self.chosen.entry,
            settings=settings,
            shards=tuple(shards),
            files={name: FileEntry(*hash_file(self.folder / name)) for name in names},
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


class _VocabularyFile:
    """The vocabulary of ``words`` on disk, which grows with the build's."""

    def __init__(self, folder: Path, done: int) -> None:
        self.folder = folder
        self.path = folder / VOCABULARY
        self.done = done
        self.words = VocabularyBuilder.restore(self.path.read_bytes()[:done]) if done else VocabularyBuilder()

    def checkpoint(self) -> int:
        """Append what is new, durably; the size."""
        with open(self.path, "r+b" if self.done else "wb") as file:
            file.truncate(self.done)
            file.seek(self.done)
            file.write(self.words.pool(self.done))
            file.flush()
            os.fsync(file.fileno())
        self.done = self.words.num_bytes
        return self.done

    def finish(self) -> None:
        self.checkpoint()
        self.words.write_lookup(self.folder)


def _sort_shard(folder: Path, documents: int, length: int, width: str, threads: int) -> ShardEntry:
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
    array = suffix_array(tokens, separator=separator_of(width), threads=threads)
    names = [tokens_path.name, DOCUMENT_OFFSETS]
    if (folder / METADATA).exists():
        names += [METADATA, METADATA_OFFSETS]
    with ThreadPoolExecutor(threads) as pool:
        hashes = {name: pool.submit(hash_file, folder / name) for name in names}
        written = write_array(folder / SUFFIX_ARRAY, array)
        files = {name: FileEntry(*future.result()) for name, future in hashes.items()}
    return ShardEntry(documents, length, {**files, SUFFIX_ARRAY: FileEntry(*written)})


class _Clock:
    """Adds the seconds of a phase to those of earlier, interrupted runs."""

    def __init__(self, seconds: dict[str, float], phase: str) -> None:
        self.seconds = seconds
        self.phase = phase
        self.since = time.perf_counter()

    def lap(self) -> None:
        now = time.perf_counter()
        self.seconds[self.phase] = self.seconds.get(self.phase, 0.0) + now - self.since
        self.since = now


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against a second build; the lock goes with the process, however that ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise BuildError(f"{folder} is a file: an index is a folder, choose another path") from None
    except OSError as error:
        raise BuildError(f"{folder} cannot be made: {error.strerror}") from error
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BuildError(f"another build is writing to {folder}: wait for it, or choose another folder") from None
    except OSError as error:
        raise BuildError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
        (folder / LOCK).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _plain_errors(folder: Path) -> Iterator[None]:
    """Turn what the system says of a full disk or a missing permission into a sentence."""
    try:
        yield
    except OSError as error:
        if isinstance(error, (BuildError, CorpusError)):
            raise
        if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
            raise BuildError(
                f"no space left for {folder}: free some, then run the same command, it goes on from the last finished step"
            ) from error
        raise BuildError(f"{folder} cannot be written: {error.strerror or error} ({error.filename})") from error


def _skips(skipped: Counter[str]) -> str:
    return f"; skipped {', '.join(f'{count:,} ({reason})' for reason, count in skipped.items())}" if skipped else ""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ModuleNotFoundError:
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
