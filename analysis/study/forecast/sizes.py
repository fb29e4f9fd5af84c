"""How large a task is: what its stages take their time by. N-grams are counted exactly, pairs only where mining is done."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis.config import Config, Task, lowest_gammas
from analysis.ngrams import Words, word_spans
from analysis.pairs.stop_words import content, languages
from analysis.study.pipeline import Stage

ABOVE = 0.2
"""Share of the pairs that are compared with γ which are above it: 0.03 to 0.6 in the study of ``configs/families.toml``. Nobody
knows before they are embedded."""


class NgramSizes(NamedTuple):
    """Of one n."""

    texts: int
    """Distinct n-grams that are embedded."""
    characters: int
    """Of these."""
    compared: int
    """Pairs whose similarity is compared with γ; those of one n-gram twice and those that hold each other are among them."""
    pairs: int
    """Those above the least γ that the study looks at."""


class TaskSizes(NamedTuple):
    """Of one task."""

    examples: int
    characters: int
    """Of prompts and targets."""
    inputs: int
    """Words of inputs."""
    targets: int
    """Words of targets."""
    prompts: int
    """Words of prompts."""
    ngrams: dict[int, NgramSizes]
    """By n."""

    @property
    def pairs(self) -> int:
        """Of all n."""
        return sum(each.pairs for each in self.ngrams.values())


def sizes_of(config: Config, task: Task, examples: pa.Table, mined: Stage) -> TaskSizes:
    """Of a task's examples, and of its pairs as far as they are known. O(words · n)."""
    columns = {name: examples[name].to_pylist() for name in ("input", "target", "prompt", "subset")}
    words = [(word_spans(x), word_spans(y)) for x, y in zip(columns["input"], columns["target"], strict=True)]
    spoken = [languages(subset) for subset in columns["subset"]]
    known = _known_pairs(config, task, mined)
    gammas = lowest_gammas(task)
    found = {}
    for n, gamma in gammas.items():
        texts, compared = _ngrams(words, spoken, n, task.target == "whole", config.mining.stop_words)
        expected = round(compared * (ABOVE if gamma > -1 else 1.0))
        pairs = expected if known is None else known.get(n, 0)
        found[n] = NgramSizes(len(texts), sum(map(len, texts)), compared, pairs)
    prompts = sum(len(word_spans(text).words) for text in columns["prompt"])
    characters = sum(map(len, columns["prompt"])) + sum(map(len, columns["target"]))
    inputs, targets = (sum(len(both[side].words) for both in words) for side in (0, 1))
    return TaskSizes(examples.num_rows, characters, inputs, targets, prompts, found)


def _known_pairs(config: Config, task: Task, mined: Stage) -> dict[int, int] | None:
    """Pairs by n, of a table that is there; None: it is not."""
    if mined.is_readable:
        column = mined.read()["n"]
    elif task.pairs:
        column = pq.read_table(config.path(task.pairs), columns=["n"])["n"]
    else:
        return None
    return {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}


def _ngrams(
    words: Sequence[tuple[Words, Words]], spoken: Sequence[tuple[str, str]], n: int, whole: bool, stop_words: bool
) -> tuple[set[str], int]:
    """The distinct n-grams that mining embeds, and how many pairs it compares, as :mod:`analysis.pairs.mining` does."""
    says: dict[tuple[str, str], bool] = {}

    def saying(ngrams: Sequence[str], language: str) -> list[str]:
        new = [text for text in ngrams if (text, language) not in says]
        says.update(zip([(text, language) for text in new], content(new, language).tolist(), strict=True))
        return [text for text in ngrams if says[text, language]]

    texts: set[str] = set()
    compared = 0
    for (x, y), (of_x, of_y) in zip(words, spoken, strict=True):
        sides = list(x.ngrams(n)), list(y.whole() if whole else y.ngrams(n))
        if stop_words:
            sides = saying(sides[0], of_x), saying(sides[1], of_y)
        if all(sides):
            texts.update(*sides)
            compared += len(sides[0]) * len(sides[1])
    return texts, compared
