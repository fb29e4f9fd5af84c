"""A few actual pairs with their counts and probabilities, so that a reader sees what an estimate is made of."""

from typing import Any

import numpy as np
import pyarrow as pa

from analysis.errors import ConfigError
from analysis.measures.chosen_pairs import TASKGRAM, read_by_all, select
from analysis.measures.modes import Mode, find_mode
from analysis.measures.pair_arrays import arrays_of_corpus_scores, arrays_of_model_scores, arrays_of_pairs
from analysis.schemas import SHOWN_PAIRS
from analysis.tables import table_of

COUNTED = ("pair_documents", "x_documents", "y_documents")


def shown_pairs(
    pairs: pa.Table,
    counts: pa.Table,
    corpus_scores: pa.Table,
    model_scores: pa.Table,
    *,
    number: int,
    mode: str | Mode = "strict",
    gammas: dict[int, list[float]] | None = None,
    seed: int = 0,
) -> pa.Table:
    """Pairs of each n at equal steps of rank, from the likeliest by the task-gram model to the least likely.

    They stand for all: no pair is chosen for what a model says of it. Among equally likely ones the seed decides, and a pair that
    several examples hold is shown once.

    Parameters
    ----------
    pairs, …, gammas
        As for :func:`analysis.measures.correlate.correlate`: pairs are drawn of those that the task-gram model scores.
    number
        How many of each task and n; all where there are fewer.

    Returns
    -------
    pa.Table
        SHOWN_PAIRS, of each language model of ``model_scores`` the same pairs.

    Raises
    ------
    ConfigError
        ``number`` is below 1.
    """
    if number < 1:
        raise ConfigError(f"{number} pairs to show: expected 1 or more")
    of_pairs = arrays_of_pairs(pairs, counts)
    models = arrays_of_model_scores(pairs, model_scores)
    texts = pairs.select(["task", "subset", "example_id", "n", "x", "y", "similarity"])
    rows: list[dict[str, Any]] = []
    for selections in select(of_pairs, arrays_of_corpus_scores(pairs, corpus_scores), find_mode(mode), gammas, False):
        (taskgram,) = [selection for selection in selections if selection.corpus_model == TASKGRAM]
        own = read_by_all(taskgram.of("own"), models)
        _, first = np.unique(of_pairs.pair[own.places], return_index=True)
        drawn = np.random.default_rng(seed).permutation(first)
        ordered = drawn[np.argsort(-own.log_prob[drawn], kind="stable")]
        steps = np.linspace(0, len(ordered) - 1, min(number, len(ordered))).round().astype(np.int64)
        for place in ordered[steps].tolist():
            row = int(own.places[place])
            about = texts.slice(row, 1).to_pylist()[0] | {name: int(of_pairs.counts[name][row]) for name in COUNTED}
            about["corpus_log_prob"] = float(own.log_prob[place])
            rows += [about | model.columns | {"log_prob": float(model.log_prob[row])} for model in models]
    return table_of(rows, SHOWN_PAIRS)
