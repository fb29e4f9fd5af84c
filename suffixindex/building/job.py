"""A build under way, and how one machine does it: encode the corpus into shards, then sort them one after the other."""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from suffixindex.building.encode import Counts, encode_corpus, encoding_bar
from suffixindex.building.linked import is_laid_out, link_tokens
from suffixindex.building.shards import sort_shard
from suffixindex.building.state import BuildState, Clock
from suffixindex.building.writer import TokenWriter, WriterState
from suffixindex.corpus.readers import RecordOptions
from suffixindex.corpus.sources import STDIN, Source
from suffixindex.errors import BuildError, CorpusError
from suffixindex.storage.format import SHARD_MARKER, WORK, ShardEntry, shard_folder, token_type
from suffixindex.system.progress import Bar
from suffixindex.tokenizers.encoders import Encoder


@dataclass
class Job:
    """What a build is to do, and how far it is: ``state`` is kept on disk."""

    folder: Path
    state: BuildState
    encoder: Encoder
    sources: list[Source]
    options: RecordOptions
    threads: int
    progress: bool | None

    def encoded(self, shards: list[tuple[int, int]], counts: Counts, **more: object) -> None:
        """Note that every shard's tokens are there, (documents, length) of each.

        Raises
        ------
        CorpusError
            There is none.
        """
        if not shards:
            raise CorpusError(f"the corpus is empty: {len(self.sources)} inputs hold no document{_skips(counts.skipped)}")
        self.encoder.finish()
        size = self.encoder.vocabulary_size
        self.state.encoded = {"shards": shards, "vocabulary_size": size, "counts": counts.to_json(), **more}
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
        if is_laid_out(job.sources, job.encoder.token_type, job.state.settings["shard_capacity"]):
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
    documents, length = link_tokens(job.folder, source, encoder.token_type, encoder.vocabulary_size, metadata=kept)
    job.encoded([(documents, length)], Counts(documents=documents, tokens=length - documents, text_bytes=source.bytes or 0))
    clock.lap()
    job.state.write(job.folder)


def _encode(job: Job, checkpoint_seconds: float) -> None:
    """Encode from the last checkpoint to the end of the corpus."""
    state, encoder = job.state, job.encoder
    done = state.checkpoint
    if any(source.path == STDIN for source in job.sources):
        done = None  # standard input cannot be taken up in the middle
    counts = Counts.from_json(done["counts"]) if done else Counts()
    written = WriterState.from_json(done["writer"]) if done else None
    encoder.begin(job.folder, done["encoder"] if done else 0)
    capacity = state.settings["shard_capacity"]
    writer = TokenWriter(job.folder, encoder.token_type, capacity, job.options.keep_metadata, written)
    clock = Clock(state.seconds, "encode")

    def checkpoint() -> None:
        state.checkpoint = {
            "counts": counts.to_json(),
            "writer": writer.checkpoint(),
            "encoder": encoder.checkpoint(),
        }
        clock.lap()
        state.write(job.folder)

    try:
        with encoding_bar(job.sources, counts, job.progress) as bar:
            encode_corpus(
                job.sources,
                encoder,
                writer,
                job.options,
                counts,
                threads=job.threads,
                checkpoint=checkpoint,
                checkpoint_seconds=checkpoint_seconds,
                reach=bar.reach,
            )
        shards = writer.finish()
    finally:
        writer.close()
    job.encoded(shards, counts)
    clock.lap()
    state.write(job.folder)


def _sort(job: Job) -> list[ShardEntry]:
    """Sort every shard that has no marker yet."""
    encoded = job.state.encoded
    assert encoded is not None
    shards, size = encoded["shards"], encoded["vocabulary_size"]
    clock = Clock(job.state.seconds, "sort")
    entries: list[ShardEntry] = []
    done = 0
    with Bar("sort", sum(length for _, length in shards), "token", job.progress) as bar:
        for number, (documents, length) in enumerate(shards):
            folder = shard_folder(job.folder, number)
            if (folder / SHARD_MARKER).exists():
                entries.append(ShardEntry.read(folder))
            else:
                tell = partial(_tell, bar, done, length)
                entries.append(sort_shard(folder, documents, length, token_type(size), size, job.threads, tell))
                clock.lap()
                job.state.write(job.folder)
            done += length
            bar.reach(done)
    return entries


def _tell(bar: Bar, before: int, length: int, share: float) -> None:
    bar.reach(before + int(length * share))


def _skips(skipped: Counter[str]) -> str:
    return f"; skipped {', '.join(f'{count:,} ({reason})' for reason, count in skipped.items())}" if skipped else ""
