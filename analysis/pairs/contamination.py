"""Contamination: the share of a task's examples that share an n-gram of n words with the corpus (GPT-3, section C, uses 13;
arXiv 2407.14985 uses 8 and 14)."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

import suffixindex as si
from analysis.errors import ConfigError
from analysis.ngrams import word_spans
from analysis.pairs.word_index import WordIds
from analysis.progress import in_blocks
from analysis.schemas import CONTAMINATION
from analysis.tables import table_of

PARTS = ("input", "target", "both")


def contamination(examples: pa.Table, index: si.SuffixIndex, *, ns: Sequence[int] = (8, 14), confidence: float = 0.95) -> pa.Table:
    """Share of examples that share an n-gram with the corpus, with Wilson's interval: a table of ``CONTAMINATION``.

    Parameters
    ----------
    examples
        A table of ``EXAMPLES``.
    index
        Built with ``--tokenizer words``.
    ns
        Words in a row that the corpus must hold, in one document.
    confidence
        Of the interval (Wilson 1927), in (0, 1).

    Returns
    -------
    pyarrow.Table
        ``part``: ``input`` and ``target`` hold such an n-gram each by itself; ``both``: each of the two does. ``num_examples``
        are those whose part has n words at all, of which the share is; where there are none, it is nan. A task of several
        subsets has a row for each, and one of subset "" for all.

    Raises
    ------
    ConfigError
        No n, an n below 1, a confidence outside (0, 1), an index of other tokens.

    Notes
    -----
    One pass of matching statistics over all texts, about 2 µs a word, for all n together.
    """
    if not ns or min(ns) < 1:
        raise ConfigError(f"n is {list(ns)}: expected numbers of words, each 1 or more")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}: expected a share between 0 and 1")
    words = WordIds(index)
    rows = examples.select(["task", "subset", "input", "target"]).to_pylist()
    texts = [words.ids(word_spans(row[part]).words) for part in ("input", "target") for row in rows]
    lengths = np.array(list(map(len, texts))).reshape(2, -1)
    matches = in_blocks(texts, index.matches, desc="contamination", unit="texts")
    longest = np.array([found.lengths.max(initial=0) for found in matches]).reshape(2, -1)
    lengths, longest = (np.vstack([found, found.min(axis=0)]) for found in (lengths, longest))
    groups = _groups([(row["task"], row["subset"]) for row in rows])
    found = []
    for (task, subset), places in groups.items():
        for n in ns:
            for part, of_text, of_match in zip(PARTS, lengths[:, places], longest[:, places], strict=True):
                size = int((of_text >= n).sum())
                share = _share(int((of_match >= n).sum()), size, confidence)
                found.append({"task": task, "subset": subset, "n": n, "part": part, **share, "num_examples": size})
    return table_of(found, CONTAMINATION)


def _groups(names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], list[int]]:
    """Places of the examples of each task and subset, and of each task that has several."""
    subsets, tasks = defaultdict(list), defaultdict(list)
    for place, (task, subset) in enumerate(names):
        subsets[task, subset].append(place)
        tasks[task, ""].append(place)
    return {**subsets, **tasks}


def _share(number: int, size: int, confidence: float) -> dict[str, float]:
    from scipy.stats import binomtest

    if not size:
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "confidence": confidence}
    interval = binomtest(number, size).proportion_ci(confidence, method="wilson")
    return {"estimate": number / size, "low": float(interval.low), "high": float(interval.high), "confidence": confidence}
