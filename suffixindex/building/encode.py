"""The first half of a build: sources -> token shards. A team reads, parses and encodes; what it has done is appended in order."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from suffixindex.building.state import Counts
from suffixindex.building.team import Team
from suffixindex.building.writer import TokenWriter, without_longer
from suffixindex.corpus.readers import RecordOptions
from suffixindex.corpus.sources import Source
from suffixindex.system.progress import Bar
from suffixindex.tokenizers.encoders import Encoder


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
    """Encode everything from ``counts.cursor`` on and append it; returns what there is in all.

    ``checkpoint`` is called every so many seconds with the counts of what was appended, ``progress`` after each batch with
    the bytes of the sources' files that are read, and these counts.
    ``places`` are the sources as this process finds them, where that is not by the paths that the documents' metadata keep.
    """
    before = bytes_before(sources)
    saved = time.monotonic()
    with closing(team.encode(sources, encoder, options, counts.cursor, places)) as batches:
        for batch in batches:
            tokens, lengths = encoder.number(batch.encoded)
            metadata, skipped = batch.metadata, batch.skipped
            if options.on_error == "skip" and len(lengths) and lengths.max() >= writer.capacity:
                skipped = skipped + Counter({"longer than a shard": int(np.count_nonzero(lengths >= writer.capacity))})
                tokens, lengths, metadata = without_longer(tokens, lengths, metadata, writer.capacity)
            writer.append(tokens, lengths, metadata)
            last = batch.last
            counts = replace(counts, cursor=(last.source, last.first + last.num_records))
            counts = counts.plus(len(lengths), len(tokens) - len(lengths), batch.text_bytes, skipped)
            progress(int(before[last.source]) + last.consumed, counts)
            if time.monotonic() - saved >= checkpoint_seconds:
                checkpoint(counts)
                saved = time.monotonic()
    return counts


def encoding_bar(sources: Sequence[Source], counts: Counts, progress: bool | None) -> Bar:
    """The progress of encoding in bytes of the sources' files, from ``counts.cursor`` on."""
    before = bytes_before(sources)
    known = all(source.bytes is not None for source in sources)
    return Bar("encode", int(before[-1]) if known else None, "B", progress, int(before[counts.cursor[0]]))


def bytes_before(sources: Sequence[Source]) -> NDArray[np.int64]:
    """Bytes of the files before each source, and of all."""
    return np.cumsum([0] + [source.bytes or 0 for source in sources])
