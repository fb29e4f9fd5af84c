"""A build under way, and how one machine does it: encode the corpus into shards, then sort them one after the other."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from suffixindex.building.encode import encode_corpus, encoding_bar
from suffixindex.building.sort_shards import sort_shard
from suffixindex.building.state import BuildState, Checkpoint, Clock, Counts, DocumentRange, Encoded, EncodedParts, ShardSize
from suffixindex.building.team import Spread, Team
from suffixindex.building.token_file import is_laid_out, link_tokens
from suffixindex.building.writer import TokenWriter
from suffixindex.corpus.readers import RecordOptions
from suffixindex.corpus.sources import STDIN, Source
from suffixindex.errors import BuildError, CorpusError
from suffixindex.gpu_sort.device import shards_at_once
from suffixindex.storage.format import SHARD_MARKER, TOKEN_TYPES, WORK, ShardEntry, separator_of, shard_folder, token_type
from suffixindex.system.memory import peak_memory
from suffixindex.system.parallel import in_order
from suffixindex.system.progress import Bar
from suffixindex.tokenizers.encoders import Encoder

LITTLE_BYTES = 1 << 20


@dataclass
class Job:
    """What a build is to do, and how far it is: ``state`` is kept on disk."""

    folder: Path
    state: BuildState
    encoder: Encoder
    sources: list[Source]
    options: RecordOptions
    threads: int
    show_progress: bool | None
    device: str = "cpu"
    """Where suffixes are sorted: see :func:`suffixindex.suffix_sort.devices.suffix_array`."""
    processes: int = 1
    """In how many processes a large corpus is encoded."""
    engine: str | None = None
    """What encodes: see :func:`suffixindex.tokenizers.encoders.choose_encoder`."""

    def encoded(
        self, shards: tuple[ShardSize, ...], counts: Counts, ranges: tuple[tuple[DocumentRange, ...], ...] | None = None
    ) -> None:
        """Note that every shard's tokens are there, or in which ``ranges`` of parts.

        Raises
        ------
        CorpusError
            There is none.
        """
        if not shards:
            raise CorpusError(f"the corpus is empty: {len(self.sources)} inputs hold no document{_skips(counts.skipped)}")
        self.encoder.finish()
        size = self.encoder.vocabulary_size
        self.state.encoded = Encoded(shards, size, counts) if ranges is None else EncodedParts(shards, size, counts, ranges)
        self.state.checkpoint = None


def build_here(job: Job, checkpoint_seconds: float) -> list[ShardEntry]:
    """Encode and sort on this machine, from where an earlier run was stopped.

    Raises
    ------
    BuildError
        The earlier run was one of a cluster.
    """
    if (job.folder / WORK).exists():
        raise BuildError(
            f"{job.folder} holds a build that a cluster left unfinished: go on with --scheduler or, on this machine, with "
            "--workers 1; or throw it away with --restart"
        )
    if job.state.encoded is None:
        if is_laid_out(job.sources, job.encoder.token_type, job.state.settings.shard_capacity):
            _link(job)
        else:
            _encode(job, checkpoint_seconds)
    return _sort(job)


def _link(job: Job) -> None:
    """Take a file of ids as it is."""
    clock = Clock(job.state.seconds, "encode")
    encoder, source = job.encoder, job.sources[0]
    encoder.begin(job.folder, 0)
    kept = job.options.keep_metadata
    shard = link_tokens(job.folder, source, encoder.token_type, encoder.vocabulary_size, metadata=kept)
    documents, length = shard
    job.encoded((shard,), Counts(documents=documents, tokens=length - documents, text_bytes=source.bytes or 0))
    clock.lap()
    job.state.write(job.folder)


def _encode(job: Job, checkpoint_seconds: float) -> None:
    """Encode from the last checkpoint to the end of the corpus."""
    state, encoder = job.state, job.encoder
    done = state.checkpoint if isinstance(state.checkpoint, Checkpoint) else None
    if any(source.path == STDIN for source in job.sources):
        done = None  # standard input cannot be taken up in the middle
    counts = done.counts if done else Counts()
    encoder.begin(job.folder, done.encoder if done else 0)
    written = done.writer if done else None
    clock = Clock(state.seconds, "encode")

    def checkpoint(counts: Counts) -> None:
        state.checkpoint = Checkpoint(counts, writer.checkpoint(), encoder.checkpoint())
        clock.lap()
        state.write(job.folder)

    capacity, kept = state.settings.shard_capacity, job.options.keep_metadata
    writer = TokenWriter(job.folder, encoder.token_type, capacity, kept, written)
    team = Team(job.threads, Spread(job.processes, job.folder, job.engine))
    with _sort_loading(job), encoding_bar(job.sources, counts, job.show_progress) as bar:
        counts = encode_corpus(
            job.sources,
            encoder,
            writer,
            job.options,
            counts,
            team,
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
            progress=lambda done, counts: bar.show(done, documents=counts.documents, tokens=counts.tokens),
        )
    shards = writer.finish()
    if team.peak_memory_bytes:
        state.peak_memory_bytes = max(state.peak_memory_bytes, peak_memory() + team.peak_memory_bytes)
    job.encoded(shards, counts)
    clock.lap()
    state.write(job.folder)


@contextmanager
def _sort_loading(job: Job) -> Iterator[None]:
    """Load the sort meanwhile, unless there is little to sort, or its type is not known yet."""
    encoder = job.encoder
    if sum(source.bytes or LITTLE_BYTES for source in job.sources) < LITTLE_BYTES or encoder.entry["kind"] == "words":
        yield
        return
    from suffixindex.suffix_sort.devices import load

    dtype, separator = TOKEN_TYPES[encoder.token_type], separator_of(encoder.token_type)
    with ThreadPoolExecutor(1, "load") as pool:
        loading = pool.submit(load, dtype, encoder.vocabulary_size, separator)
        yield
        loading.result()


def _sort(job: Job) -> list[ShardEntry]:
    """Sort every shard that has no marker yet; while one is written, a GPU sorts the next."""
    encoded = job.state.encoded
    assert encoded is not None
    size = encoded.vocabulary_size
    clock = Clock(job.state.seconds, "sort")
    folders = [shard_folder(job.folder, number) for number in range(len(encoded.shards))]
    todo = [number for number, folder in enumerate(folders) if not (folder / SHARD_MARKER).exists()]
    shares = {number: 1.0 for number in range(len(folders)) if number not in todo}
    with Bar("sort", sum(shard.length for shard in encoded.shards), "token", job.show_progress) as bar:

        def show(number: int, share: float) -> None:
            shares[number] = share
            bar.show(int(sum(encoded.shards[one].length * done for one, done in list(shares.items()))))

        def make(number: int) -> int:
            whole = folders[number], encoded.shards[number], token_type(size), size
            sort_shard(*whole, job.threads, partial(show, number), device=job.device, number=number)
            return number

        at_once = shards_at_once(job.device, max(shard.length for shard in encoded.shards))
        with ThreadPoolExecutor(at_once, "sort") as pool:
            for number in map(make, todo) if at_once == 1 else in_order(pool, make, todo, at_once - 1):
                clock.lap()
                job.state.write(job.folder)
                show(number, 1.0)
    return [ShardEntry.read(folder) for folder in folders]


def _skips(skipped: Mapping[str, int]) -> str:
    return f"; skipped {', '.join(f'{count:,} ({reason})' for reason, count in skipped.items())}" if skipped else ""
