"""A build on a cluster: the driver hands out parts of the corpus, then shards, and writes only what is small.

Parts of the corpus are encoded first; a part is a file, or some small ones, so one large file is one task. The driver
numbers their vocabularies as one and gives the documents to shards; then shards are put together and sorted. What is
finished lies on disk and is not done again: driver, scheduler and workers may be killed at any time.
"""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

from suffixindex.building.budget import PROCESS_BYTES, bytes_per_token
from suffixindex.building.encode import bytes_before
from suffixindex.building.job import Job
from suffixindex.building.parts import (
    PART_MARKER,
    EncodedPart,
    ShardPlan,
    clear_room,
    encode_part,
    group_sources,
    join_parts,
    make_room,
    make_shard,
    part_folder,
    plan_shards,
    read_part,
)
from suffixindex.building.state import BuildState, Clock, EncodedParts, Parts
from suffixindex.corpus.sources import HUGGING_FACE, Source
from suffixindex.distributed.cluster import Cluster
from suffixindex.distributed.tasks import Task
from suffixindex.errors import BuildError
from suffixindex.storage.files import remove
from suffixindex.storage.format import BUILD_STATE, SHARD_MARKER, ShardEntry, shard_folder, token_type
from suffixindex.system.progress import Bar


def build_on(cluster: Cluster, job: Job, engine: str | None) -> list[ShardEntry]:
    """Encode and sort on the workers of a cluster, from where an earlier run was stopped.

    Raises
    ------
    BuildError
        The earlier run was one of this machine alone, an input is no file, or a task failed three times.
    CorpusError, TokenizerError
        As in a build on one machine; of several bad records, the first that any worker finds.
    """
    job = replace(job, folder=job.folder.absolute())
    for source in job.sources:
        if source.bytes is None and source.url is None and not source.path.startswith(HUGGING_FACE):
            raise BuildError(f"{source.path} is no file: workers of a cluster cannot read it; write it to one first")
    if job.state.encoded is None:
        _begin(job)
    elif not isinstance(job.state.encoded, EncodedParts):
        raise _not_ours(job.folder)
    cluster.check_seen(job.folder / BUILD_STATE)
    if job.state.encoded is None:
        _encode(cluster, job, engine)
    entries = _sort(cluster, job)
    clear_room(job.folder)
    return entries


def _begin(job: Job) -> None:
    """Note the parts before any is begun."""
    state = job.state
    if state.checkpoint is None:
        remove(job.folder / "shards")  # of a build on one machine that was stopped before its first checkpoint
        state.checkpoint = Parts(tuple(group_sources(job.sources)))
    elif not isinstance(state.checkpoint, Parts):
        raise _not_ours(job.folder)
    make_room(job.folder)
    job.encoder.begin(job.folder, 0)
    state.write(job.folder)


def _not_ours(folder: Path) -> BuildError:
    return BuildError(
        f"{folder} holds an unfinished build of one machine: go on without --scheduler and --workers, or throw it away with "
        "--restart"
    )


def _encode(cluster: Cluster, job: Job, engine: str | None) -> None:
    """Encode every part that is not there, then number and divide them as one corpus."""
    state = job.state
    assert isinstance(state.checkpoint, Parts)
    ranges = state.checkpoint.parts
    parts: dict[int, EncodedPart] = {}
    for number in range(len(ranges)):
        if (part_folder(job.folder, number) / PART_MARKER).exists():
            parts[number] = read_part(job.folder, number)
    todo = [number for number in range(len(ranges)) if number not in parts]
    places = [_place(source) for source in job.sources]
    tasks = [
        Task(
            f"part {number}",
            encode_part,
            (
                job.folder,
                number,
                job.sources[slice(*ranges[number])],
                places[slice(*ranges[number])],
                job.encoder.entry,
                engine,
                job.options,
            ),
            thread_bytes=PROCESS_BYTES,
        )
        for number in todo
    ]
    before = bytes_before(job.sources)
    sizes = [int(before[last] - before[first]) for first, last in ranges]
    known = all(source.bytes is not None for source in job.sources)
    clock = Clock(state.seconds, "encode")
    with Bar("encode", sum(sizes) if known else None, "B", job.show_progress) as bar:

        def progress(under_way: dict[int, float]) -> None:
            counts = [part.counts for part in parts.values()]
            done = sum(sizes[number] for number in parts) + int(sum(under_way.values()))
            bar.show(done, documents=sum(one.documents for one in counts), tokens=sum(one.tokens for one in counts))

        for place, part in cluster.run(tasks, progress):
            parts[todo[place]] = part
            _lap(state, clock, part.peak_memory_bytes, job.folder)
    by_number = [parts[number] for number in range(len(ranges))]
    counts = replace(join_parts(job.folder, by_number, job.encoder), cursor=(len(job.sources), 0))
    planned = plan_shards(job.folder, by_number, state.settings.shard_capacity)
    job.encoded(tuple(shard.size for shard in planned), counts, tuple(shard.ranges for shard in planned))
    _lap(state, clock, 0, job.folder)


def _place(source: Source) -> Source:
    """A source as other machines find it."""
    return source if source.bytes is None or source.url is not None else replace(source, path=os.path.abspath(source.path))


def _lap(state: BuildState, clock: Clock, peak_memory: int, folder: Path) -> None:
    clock.lap()
    state.peak_memory_bytes = max(state.peak_memory_bytes, peak_memory)
    state.write(folder)


def _sort(cluster: Cluster, job: Job) -> list[ShardEntry]:
    """Make every shard that is not there. A part is removed as soon as no shard needs it any more."""
    state, encoded = job.state, job.state.encoded
    assert isinstance(encoded, EncodedParts)
    types = job.encoder.token_type, token_type(encoded.vocabulary_size)
    plans = [
        ShardPlan(number, size, ranges, *types, encoded.vocabulary_size)
        for number, (size, ranges) in enumerate(zip(encoded.shards, encoded.ranges, strict=True))
    ]
    entries: dict[int, ShardEntry] = {}
    for plan in plans:
        folder = shard_folder(job.folder, plan.number)
        if (folder / SHARD_MARKER).exists():
            entries[plan.number] = ShardEntry.read(folder)
    todo = [plan for plan in plans if plan.number not in entries]
    needed = Counter(one.part for plan in todo for one in plan.ranges)
    tasks = [
        Task(
            f"shard {plan.number}",
            make_shard,
            (job.folder, plan, job.device),
            int(plan.size.length * bytes_per_token(plan.token_type)),
        )
        for plan in todo
    ]
    clock = Clock(state.seconds, "sort")
    with Bar("sort", sum(plan.size.length for plan in plans), "token", job.show_progress) as bar:

        def progress(under_way: dict[int, float]) -> None:
            done = sum(plans[number].size.length for number in entries)
            bar.show(done + int(sum(todo[place].size.length * share for place, share in under_way.items())))

        for place, (entry, peak_memory) in cluster.run(tasks, progress):
            entries[todo[place].number] = entry
            for documents in todo[place].ranges:
                needed[documents.part] -= 1
                if not needed[documents.part]:
                    remove(part_folder(job.folder, documents.part))
            _lap(state, clock, peak_memory, job.folder)
        progress({})
    return [entries[plan.number] for plan in plans]
