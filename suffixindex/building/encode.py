"""The first half of a build: sources -> token shards. A team reads, parses, encodes and writes, where it is told in order."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.state import Counts
from suffixindex.building.team import Team, Work
from suffixindex.building.writer import TokenWriter
from suffixindex.corpus.readers import RecordOptions
from suffixindex.corpus.sources import Source
from suffixindex.storage.files import fsync_files
from suffixindex.system.progress import Bar
from suffixindex.tokenizers.encoders import Encoder

FLUSH_BYTES = 1 << 26  # of text, of which the disk is told at once, so that it has little left to do in the end


def encode_corpus(
    sources: Sequence[Source],
    encoder: Encoder,
    writer: TokenWriter,
    options: RecordOptions,
    counts: Counts,
    team: Team,
    *,
    checkpoint: Callable[[Counts], None] = lambda counts: None,
    checkpoint_seconds: float = float("inf"),
    progress: Callable[[int, Counts], None] = lambda done, counts: None,
    places: Sequence[Source] | None = None,
) -> Counts:
    """Encode everything from ``counts.cursor`` on and have it written; returns what there is in all.

    ``checkpoint`` is called every so many seconds with the counts of what was written, ``progress`` after each batch with
    the bytes of the sources' files that are read, and these counts.
    ``places`` are the sources as this process finds them, where that is not by the paths that the documents' metadata keep.
    """
    before = bytes_before(sources)
    saved = time.monotonic()
    work = Work(sources, options, writer.index, writer.token_type, writer.capacity)
    with ThreadPoolExecutor(1, "flush") as disk, closing(team.encode(work, encoder, counts.cursor, places)) as batches:
        flushed, flushing = counts.text_bytes, disk.submit(fsync_files, [])
        for batch in batches:
            team.write(encoder.number(batch.unnumbered), writer.place(batch.lengths, batch.line_bytes))
            last = batch.last
            counts = replace(counts, cursor=(last.source, last.first + last.num_records))
            counts = counts.plus(len(batch.lengths), int(batch.lengths.sum()), batch.text_bytes, batch.skipped)
            progress(int(before[last.source]) + last.consumed, counts)
            if counts.text_bytes - flushed >= FLUSH_BYTES and flushing.done():
                flushing.result()
                flushed, flushing = counts.text_bytes, disk.submit(fsync_files, writer.unfinished())
            if time.monotonic() - saved >= checkpoint_seconds:
                team.settle()
                checkpoint(counts)
                saved = time.monotonic()
        flushing.result()
    return counts


def encoding_bar(sources: Sequence[Source], counts: Counts, progress: bool | None) -> Bar:
    """The progress of encoding in bytes of the sources' files, from ``counts.cursor`` on."""
    before = bytes_before(sources)
    known = all(source.bytes is not None for source in sources)
    return Bar("encode", int(before[-1]) if known else None, "B", progress, int(before[counts.cursor[0]]))


def bytes_before(sources: Sequence[Source]) -> NDArray[np.int64]:
    """Bytes of the files before each source, and of all."""
    return np.cumsum([0] + [source.bytes or 0 for source in sources])
