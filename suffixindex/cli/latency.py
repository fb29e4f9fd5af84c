"""``suffixindex bench``: how fast an index answers on this machine, asked with n-grams of its own corpus."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from suffixindex.cli.options import SEED, output_options, with_index
from suffixindex.cli.streams import emit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from suffixindex.index import SuffixIndex

ROUNDS = 3
SINGLE, BULK, TEXT = 1000, 100_000, 10_000


@click.command(short_help="How long questions to an index take here.")
@with_index
@output_options
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the questions, which are drawn from the corpus.")
def bench(index: "SuffixIndex", seed: int, style: str | None) -> None:
    """How long questions to this index take here, in microseconds each, after a first round that warms it.

    \b
    Example:
      suffixindex bench my-index --table
    """
    emit([timing._asdict() for timing in measure(index, seed)], style)


class Timing(NamedTuple):
    """One kind of question: the median of three rounds after a first one, in microseconds a question."""

    question: str
    questions: int
    microseconds: float


def draw_ngrams(index: "SuffixIndex", size: int, longest: int, seed: int) -> "list[NDArray[np.int64]]":
    """N-grams of 1 to ``longest`` tokens from random places of the corpus, cut at a document's end; frequent ones often."""
    import numpy as np

    rng = np.random.default_rng(seed)
    lengths = np.array([shard.length for shard in index.shards])
    drawn = []
    for shard, number in zip(index.shards, rng.multinomial(size, lengths / lengths.sum()), strict=True):
        starts = np.sort(rng.integers(0, shard.length, number))
        for start, length in zip(starts.tolist(), rng.integers(1, longest + 1, number).tolist(), strict=True):
            ids = shard.read(start, start + length).astype(np.int64)
            ends = np.flatnonzero(ids == index.separator)
            drawn.append(ids[: ends[0] + 1] if len(ends) else ids)
    return [drawn[i] for i in rng.permutation(len(drawn))]


def measure(index: "SuffixIndex", seed: int = 0) -> Iterator[Timing]:
    """Time every kind of question. Takes some seconds."""
    import numpy as np

    bulk = draw_ngrams(index, BULK, 8, seed)
    lists = [ngram.tolist() for ngram in bulk]
    contexts = [ngram for ngram in draw_ngrams(index, SINGLE, 3, seed + 1) if ngram[-1] != index.separator]
    pairs = list(zip(bulk[:SINGLE], bulk[SINGLE : 2 * SINGLE], strict=False))
    text = np.concatenate([ngram[ngram != index.separator] for ngram in bulk])[:TEXT]
    yield _timed("count", lists[:SINGLE], lambda asked: [index.count(ngram) for ngram in asked])
    yield _timed("counts, in bulk", lists, index.counts)
    yield _timed("next_tokens", contexts, lambda asked: [index.next_distribution(context) for context in asked])
    yield _timed("document_counts, in bulk", bulk[: SINGLE * 10], index.document_counts)
    yield _timed("cooccurrence", pairs, lambda asked: [index.cooccurrence(*pair) for pair in asked])
    yield _timed("cooccurrences, in bulk", pairs, index.cooccurrences)
    yield _timed("score, a token", text, index.score)
    yield _timed("matches, a token", text, index.match)


def _timed(question: str, asked: Any, answer: Callable[[Any], object]) -> Timing:
    answer(asked)
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer(asked)
        seconds.append(time.perf_counter() - started)
    return Timing(question, len(asked), round(1e6 * sorted(seconds)[ROUNDS // 2] / max(len(asked), 1), 3))
