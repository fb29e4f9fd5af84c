"""What a model scores under the prompt that memorizes and under the one that generalizes (arXiv 2407.14985, table 2)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.errors import MeasureError
from analysis.measures.performance import score_interval, scores_of_models
from analysis.schemas import PROMPT_SCORES
from analysis.stats.correlations import MEAN
from analysis.stats.resampling import clustered_bootstrap
from analysis.tables import table_of

START, DIFFERENCE = "start", "difference"
"""Rows of the prompt that both goals began with, and of memorize less generalize, example by example."""


def scores_by_prompt(
    examples: pa.Table,
    proposals: pa.Table,
    answer: Callable[[pa.Table], pa.Table],
    *,
    metric: str,
    number: int = 0,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> pa.Table:
    """The mean score of the same examples under each found prompt.

    Parameters
    ----------
    examples
        A table EXAMPLES.
    proposals
        PROMPTS of both goals: each one's last accepted prompt is put before the examples' own, on a line of its own.
    answer
        Examples -> a model's GENERATIONS.
    metric
        Of the generations.
    number
        Examples to draw; 0: all.
    confidence, resamples, seed
        Of intervals: :func:`analysis.measures.performance.score_interval`, and of the difference a paired bootstrap.

    Returns
    -------
    pa.Table
        PROMPT_SCORES: start, memorize, generalize, and the difference of the last two.

    Raises
    ------
    MeasureError
        No example was answered under every prompt.
    """
    if number and number < examples.num_rows:
        drawn = np.sort(np.random.default_rng(seed).permutation(examples.num_rows)[:number])
        examples = examples.take(pa.array(drawn))
    found: dict[str, dict[str, float]] = {}
    columns: dict[str, Any] = {}
    prompts = found_prompts(proposals)
    for goal, prompt in prompts.items():
        texts = [f"{prompt}\n{text}" for text in examples["prompt"].to_pylist()]
        place = examples.schema.get_field_index("prompt")
        answers = answer(examples.set_column(place, "prompt", pa.array(texts, pa.string())))
        answers = answers.filter(pc.equal(answers["metric"], metric))
        for of_model, _, scores in scores_of_models(answers):
            columns, found[goal] = of_model, scores
    names = [name for name in examples["example_id"].to_pylist() if all(name in found.get(goal, {}) for goal in prompts)]
    if not names:
        raise MeasureError("no example was answered under every prompt: are they too long for the model?")
    values = {goal: np.array([found[goal][name] for name in names]) for goal in prompts}
    how: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    intervals = {goal: score_interval(of_goal, metric, **how) for goal, of_goal in values.items()}
    less = values["memorize"] - values["generalize"]
    intervals[DIFFERENCE] = clustered_bootstrap(MEAN, (less,), np.arange(len(names)), **how)
    about = {"task": examples["task"][0].as_py(), **columns, "metric": metric, "num_examples": len(names)}
    rows = [{**about, "goal": goal, "prompt": prompts.get(goal, ""), **each._asdict()} for goal, each in intervals.items()]
    return table_of(rows, PROMPT_SCORES)


def found_prompts(proposals: pa.Table) -> dict[str, str]:
    """start, and of each goal the last prompt that was accepted."""
    accepted = [row for row in proposals.to_pylist() if row["accepted"]]
    return {START: accepted[0]["prompt"]} | {row["goal"]: row["prompt"] for row in accepted}
