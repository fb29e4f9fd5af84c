"""Pairs and answers that are shown: of all, at equal steps of rank or drawn, never chosen by what a model says."""

import numpy as np
import pytest

from analysis.errors import ConfigError
from analysis.measures.shown.answers import shown_answers
from analysis.measures.shown.pairs import shown_pairs
from analysis.schemas import SHOWN_ANSWERS, SHOWN_PAIRS
from tests.helpers.analysis_study import Study, examples_table, generations_table


def test_pairs_stand_at_equal_steps_of_rank() -> None:
    study = Study(num_examples=40, ns=(2, 3))
    given = study.pairs(), study.counts(), study.corpus_scores(), study.model_scores([("m", 10)])
    found = shown_pairs(*given, number=5, gammas={2: [0.2], 3: [0.5]})
    assert found.schema.names == SHOWN_PAIRS.names
    for n, gamma in ((2, 0.2), (3, 0.5)):
        kept = [row for row in study.rows if row["n"] == n and row["similarity"] > gamma]
        kept = [row for row in kept if row["pair_documents"]]  # of the task-gram model, whatever others score
        ranked = sorted((np.log(row["pair_documents"] / row["x_documents"]) for row in kept), reverse=True)
        rows = [row for row in found.to_pylist() if row["n"] == n]
        steps = np.linspace(0, len(ranked) - 1, 5).round().astype(int)
        assert [row["corpus_log_prob"] for row in rows] == pytest.approx([ranked[step] for step in steps])
        for row in rows:
            (of_table,) = [each for each in kept if (each["x"], each["y"]) == (row["x"], row["y"])]
            assert row["log_prob"] == pytest.approx(study.log_prob(of_table, 0))
            assert (row["pair_documents"], row["example_id"]) == (of_table["pair_documents"], of_table["example_id"])


def test_a_pair_of_several_examples_is_shown_once() -> None:
    study = Study(num_examples=12)
    for row in study.rows:
        row |= {"x": "one", "y": "same", "pair_documents": 3, "x_documents": 9, "skipped": False}
    given = study.pairs(), study.counts(), study.corpus_scores(), study.model_scores([("m", 10)])
    assert shown_pairs(*given, number=5).num_rows == 1


def test_answers_are_of_examples_that_every_model_answered() -> None:
    examples = examples_table([{"example_id": str(i), "prompt": f"p{i}", "target": f"t{i}"} for i in range(9)])
    answered = [(i, model) for i in range(9) for model in "ab" if (i, model) != (4, "b")]
    rows = [{"example_id": str(i), "model": model, "output": f"{model}{i}"} for i, model in answered]
    found = shown_answers(examples, generations_table(rows), number=8, seed=3)
    assert found.schema.names == SHOWN_ANSWERS.names
    assert [(row["example_id"], row["model"], row["target"]) for row in found.to_pylist()] == [
        (str(i), model, f"t{i}") for i in range(9) if i != 4 for model in "ab"
    ]
    few = shown_answers(examples, generations_table(rows), number=3, seed=3)
    assert few.num_rows == 6 and few.equals(shown_answers(examples, generations_table(rows), number=3, seed=3))


def test_nothing_to_show_is_no_number() -> None:
    with pytest.raises(ConfigError, match="0 answers to show"):
        shown_answers(examples_table([]), generations_table([]), number=0)
