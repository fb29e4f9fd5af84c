"""Scores under the prompts that were found: who is asked what, and what is compared."""

import numpy as np
import pyarrow as pa
import pytest

from analysis.causes.prompt_scores import DIFFERENCE, found_prompts, scores_by_prompt
from analysis.errors import MeasureError
from analysis.schemas import PROMPT_SCORES, PROMPTS
from analysis.tables import table_of
from tests.helpers.analysis_study import examples_table, generations_table

TRIALS = [
    ("memorize", 0, "start", True), ("memorize", 1, "worse", False), ("memorize", 2, "common", True),
    ("generalize", 0, "start", True), ("generalize", 1, "rare", True), ("generalize", 2, "no", False),
]  # fmt: skip
PROPOSALS = table_of(
    [{"task": "qa", "goal": goal, "iteration": i, "prompt": prompt, "score": 0.0, "fluency": 0.0, "accepted": accepted}
     for goal, i, prompt, accepted in TRIALS],
    PROMPTS,
)  # fmt: skip
EXAMPLES = examples_table([{"example_id": str(i), "prompt": f"Q{i}: "} for i in range(30)])
RIGHT = {"start": 10, "common": 20, "rare": 5}


def answer(asked: list[list[str]], missing: tuple[str, ...] = ()):
    def generations(examples: pa.Table) -> pa.Table:
        prompts = examples["prompt"].to_pylist()
        asked.append(prompts)
        found = prompts[0].partition("\n")[0]
        rows = [
            {"example_id": name, "metric": metric, "score": float(int(name) < RIGHT[found]) if metric == "exact_match" else 9.0}
            for name in examples["example_id"].to_pylist() for metric in ("exact_match", "f1") if name not in missing
        ]  # fmt: skip
        return generations_table(rows)

    return generations


def test_every_prompt_is_put_before_the_same_examples() -> None:
    asked: list[list[str]] = []
    table = scores_by_prompt(EXAMPLES, PROPOSALS, answer(asked), metric="exact_match", resamples=200)
    assert table.schema == PROMPT_SCORES
    assert asked == [[f"{prompt}\nQ{i}: " for i in range(30)] for prompt in ("start", "common", "rare")]
    rows = {row["goal"]: row for row in table.to_pylist()}
    assert {goal: row["estimate"] for goal, row in rows.items()} == pytest.approx(
        {"start": 10 / 30, "memorize": 20 / 30, "generalize": 5 / 30, DIFFERENCE: 15 / 30}
    )
    assert rows[DIFFERENCE]["low"] > 0.2 and rows["memorize"]["prompt"] == "common"
    assert {row["num_examples"] for row in rows.values()} == {30}


def test_drawn_examples_and_those_that_were_not_answered() -> None:
    asked: list[list[str]] = []
    table = scores_by_prompt(EXAMPLES, PROPOSALS, answer(asked, ("3",)), metric="exact_match", number=8, resamples=20, seed=1)
    drawn = sorted(np.random.default_rng(1).permutation(30)[:8].tolist())
    assert asked[0] == [f"start\nQ{i}: " for i in drawn]
    assert table["num_examples"][0].as_py() == len(set(drawn) - {3})
    with pytest.raises(MeasureError, match="no example was answered under every prompt"):
        scores_by_prompt(EXAMPLES, PROPOSALS, answer([], tuple(map(str, range(30)))), metric="exact_match")


def test_the_last_accepted_prompt_of_each_goal() -> None:
    assert found_prompts(PROPOSALS) == {"start": "start", "memorize": "common", "generalize": "rare"}
