"""Build an index: sources -> token shards -> suffix arrays -> manifest. Killed at any point, the same call goes on.

``build.json`` says how far a build is: its settings, a checkpoint of the encoding, and whether that is finished. A sorted
shard has its ``shard.json``. The manifest comes last and is the index.
"""

import json
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from suffixindex.building.budget import BuildEstimate, encoding_processes, estimate, record_bytes, shard_capacity
from suffixindex.building.folder import clear, kept, locked, plain_errors, take_up
from suffixindex.building.job import Job, build_here
from suffixindex.building.publish import BuildReport, publish, report_of
from suffixindex.building.state import Settings
from suffixindex.corpus.readers import RecordOptions
from suffixindex.corpus.sources import TOKEN_FORMATS, Source, resolve, token_type_of
from suffixindex.errors import BuildError, TokenizerError
from suffixindex.storage.files import write_bytes
from suffixindex.storage.format import SOURCES, TOKEN_TYPES, Manifest, ShardEntry
from suffixindex.system.memory import MAX_TOKENS, cpu_count
from suffixindex.tokenizers.encoders import Encoder, IdsEncoder, choose_encoder, choose_ids_encoder

if TYPE_CHECKING:
    from suffixindex.distributed.cluster import Cluster

CHECKPOINT_SECONDS = 20.0


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
    separator: int | None = None,
    sequences_per_step: int | None = None,
    metadata: bool = True,
    on_error: str = "raise",
    threads: int | None = None,
    restart: bool = False,
    progress: bool | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    scheduler: str | None = None,
    workers: int | None = None,
    device: str = "auto",
) -> BuildReport:
    """Build an index of a corpus, or go on with the one that an earlier call of the same settings left unfinished.

    Parameters
    ----------
    corpus
        Files, folders, globs, URLs of them, ``-`` or ``hf:NAME``; see :func:`suffixindex.corpus.sources.resolve`.
    index
        Folder to make. An index of the same settings there is left as it is.
    tokenizer
        ``bytes``, ``words``, or a Hugging Face name, folder or ``tokenizer.json``. Of a corpus of ids, the one that made
        them, or ``none``.
    revision
        Of a tokenizer on the Hugging Face hub.
    engine
        ``tokenizers`` encodes with the reference implementation even where the fast one would do.
    memory
        Budget of the whole build, as ``"16GiB"`` or bytes; it sets the size of the shards. Half of what there is by default.
        On a cluster, of each worker; by default what Dask allows the smallest.
    shard_tokens
        Size of the shards instead, in tokens and separators, as ``"500M"`` or a number.
    text_field
        Field of a record that holds its text; the others are kept as metadata unless ``metadata`` is false.
    input_format
        What kind of files they are, where neither content nor ending says: see :func:`suffixindex.corpus.sources.resolve`.
    separator
        The id that ends documents in files of ids.
    sequences_per_step
        Of a Megatron dataset in training order: each sequence is a document that keeps its ``step``.
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
    scheduler
        Address of a Dask scheduler, ``tcp://host:port``, or the path of its scheduler file: its workers build, and an
        interruption costs the files and shards under way. Needs the extra ``distributed``; see :mod:`suffixindex.distributed`.
    workers
        A cluster of so many processes on this machine instead.
    device
        What sorts the shards: ``cpu``, ``cuda`` (``cuda:1``: that GPU alone), or ``auto``, a GPU if torch sees one and the shard is
        worth its start. The bytes are the same. On a cluster, each worker's own.

    Raises
    ------
    CorpusError, TokenizerError, BuildError, ClusterError, MissingDependencyError
        With what is finished kept, so that the same call can go on.
    """
    threads = _checked_threads(threads, scheduler)
    sources = resolve(corpus, input_format, separator=separator, sequences_per_step=sequences_per_step)
    return build_from(
        sources,
        _choose_encoder(sources, tokenizer, revision, engine),
        Path(index),
        engine=engine,
        memory=memory,
        shard_tokens=shard_tokens,
        text_field=text_field,
        metadata=metadata,
        on_error=on_error,
        threads=threads,
        restart=restart,
        progress=progress,
        checkpoint_seconds=checkpoint_seconds,
        scheduler=scheduler,
        workers=workers,
        device=device,
    )


def build_from(
    sources: list[Source],
    encoder: Encoder,
    folder: Path,
    *,
    engine: str | None,
    memory: str | int | None,
    shard_tokens: str | int | None,
    text_field: str,
    metadata: bool,
    on_error: str,
    threads: int,
    restart: bool,
    progress: bool | None,
    checkpoint_seconds: float,
    scheduler: str | None,
    workers: int | None,
    device: str,
) -> BuildReport:
    """:func:`build` of sources that were found, by an encoder that was chosen."""
    if on_error not in ("raise", "skip"):
        raise BuildError(f"on_error is {on_error!r}: expected raise or skip")
    inputs = inputs_of(sources)
    budget = memory
    with _cluster(scheduler, workers, threads) as cluster:
        if cluster is not None:
            if isinstance(encoder, IdsEncoder):
                raise BuildError("a corpus of token ids is built on one machine: leave out scheduler and workers")
            threads = cluster.threads
            if memory is None and shard_tokens is None:
                budget = cluster.memory
        capacity = shard_capacity(budget, shard_tokens, encoder.token_type, threads, device if cluster is None else "cpu")
        settings = Settings(encoder.entry, sha256(inputs).hexdigest(), text_field, metadata, on_error, capacity)
        with locked(folder), plain_errors(folder):
            if restart:
                clear(folder)
            state = take_up(folder, settings, largest_shard=_largest_shard(memory, shard_tokens, capacity))
            if state is None:
                return report_of(folder, Manifest.read(folder))
            if state.encoded is None:
                write_bytes(folder / SOURCES, inputs)
            options = RecordOptions(text_field, metadata, on_error, record_bytes(memory))
            processes = encoding_processes(memory, threads)
            job = Job(folder, state, encoder, sources, options, threads, progress, device, processes, engine)
            with kept(folder, state):
                return publish(job, _make_shards(job, cluster, engine, checkpoint_seconds))


def inputs_of(sources: Sequence[Source]) -> bytes:
    """What ``sources.jsonl`` says of some sources."""
    return "".join(json.dumps(source.kept()) + "\n" for source in sources).encode()


def _make_shards(job: Job, cluster: "Cluster | None", engine: str | None, checkpoint_seconds: float) -> list[ShardEntry]:
    if cluster is None:
        return build_here(job, checkpoint_seconds)
    from suffixindex.distributed.build import build_on

    return build_on(cluster, job, engine)


def _cluster(scheduler: str | None, workers: int | None, threads: int) -> "AbstractContextManager[Cluster | None]":
    if scheduler is None and workers is None:
        return nullcontext()
    from suffixindex.distributed.cluster import connect

    return connect(scheduler, workers, threads)


def _choose_encoder(sources: Sequence[Source], tokenizer: str, revision: str | None, engine: str | None) -> Encoder:
    types = [token_type_of(source) for source in sources if source.kind in TOKEN_FORMATS]
    if types:
        return choose_ids_encoder(tokenizer, revision, max(types, key=list(TOKEN_TYPES).index))
    if tokenizer == "none":
        raise TokenizerError("a corpus of text needs a tokenizer: bytes, words or a Hugging Face name; none is for a corpus of ids")
    return choose_encoder(tokenizer, revision, engine)


def _checked_threads(threads: int | None, scheduler: str | None = None) -> int:
    if scheduler is not None and threads is not None:
        raise BuildError("threads are set where the workers of a cluster are started: dask worker --nthreads")
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
    separator: int | None = None,
    sequences_per_step: int | None = None,
    metadata: bool = True,
    on_error: str = "raise",
    threads: int | None = None,
) -> BuildEstimate:
    """What :func:`build` would make of the same arguments, and at what cost, from a sample of the corpus; writes nothing."""
    threads = _checked_threads(threads)
    sources = resolve(corpus, input_format, separator=separator, sequences_per_step=sequences_per_step)
    encoder = _choose_encoder(sources, tokenizer, revision, engine)
    capacity = shard_capacity(memory, shard_tokens, encoder.token_type, threads)
    options = RecordOptions(text_field, metadata, on_error, record_bytes(memory))
    return estimate(sources, encoder, options, capacity, threads, encoding_processes(memory, threads))
