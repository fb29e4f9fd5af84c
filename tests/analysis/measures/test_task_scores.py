"""Scores of whole tasks against plain loops, scipy and sacrebleu."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from analysis.errors import MeasureError, TableError
from analysis.measures.task_scores import task_scores
from analysis.models.answer_scores import bleu, bleu_of_rows
from analysis.schemas import TASK_SCORES
from tests.helpers.analysis_study import examples_table, generations_table, model_columns

WORDS = "the a cat dog sat ran on under mat tree and then".split()
MODELS = {"small": 0.3, "large": 0.8}  # share of words that each gets right


def translations(num: int = 40) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Examples of two tasks, one in two language pairs, and answers of two models to all but the last of each."""
    rng = np.random.default_rng(0)
    examples, answers = [], []
    for task, subsets, metric in (("wmt", ("de-en", "de-fr"), "bleu"), ("qa", ("",), "exact_match")):
        for number in range(num):
            words = rng.choice(WORDS, rng.integers(4, 12))
            subset = subsets[number % len(subsets)]
            example = {"example_id": f"{task}-{number}", "task": task, "subset": subset, "target": " ".join(words)}
            examples.append(example)
            for model, right in MODELS.items():
                output = " ".join(np.where(rng.random(len(words)) < right, words, rng.choice(WORDS, len(words))))
                score = bleu([output], [example["target"]]).sentences[0] if metric == "bleu" else float(rng.random() < right)
                about = {"example_id": example["example_id"], "metric": metric, **model_columns(model)}
                if number < num - 1:
                    answers.append({**about, "output": output, "score": score})
    return examples, answers


def test_scores_of_whole_tasks() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    examples, answers = translations()
    table = task_scores(examples_table(examples), generations_table(answers[::-1]), resamples=400, by_subset=True)
    assert table.schema.names == TASK_SCORES.names
    found = {(row["task"], row["subset"], row["model"], row["metric"]): row for row in table.to_pylist()}
    groups = {("wmt", subset): ("bleu", "corpus_bleu") for subset in ("", "de-en", "de-fr")} | {("qa", ""): ("exact_match",)}
    assert set(found) == {(*group, model, metric) for group, metrics in groups.items() for model in MODELS for metric in metrics}
    known = {example["example_id"]: example for example in examples}
    for (task, subset, model, metric), row in found.items():
        mine = [
            (known[answer["example_id"]]["target"], answer)
            for answer in answers
            if answer["model"] == model
            and known[answer["example_id"]]["task"] == task
            and known[answer["example_id"]]["subset"].startswith(subset)
        ]
        assert row["num_examples"] == len(mine)
        scores = [answer["score"] for _, answer in mine]
        if metric == "corpus_bleu":
            expected = sacrebleu.corpus_bleu([answer["output"] for _, answer in mine], [[target for target, _ in mine]]).score
            assert row["estimate"] == pytest.approx(expected)
        else:
            assert row["estimate"] == pytest.approx(np.mean(scores))
        assert row["low"] < row["estimate"] < row["high"]
        if metric == "exact_match":
            bounds = binomtest(int(sum(scores)), len(scores)).proportion_ci(0.95, "wilson")
            assert (row["low"], row["high"]) == pytest.approx((bounds.low, bounds.high))
    whole = {row["metric"]: row for row in found.values() if (row["task"], row["subset"], row["model"]) == ("wmt", "", "large")}
    assert whole["corpus_bleu"]["high"] - whole["corpus_bleu"]["low"] < 30
    without = task_scores(examples_table(examples), generations_table(answers), resamples=400)
    assert without.to_pylist() == [row for row in table.to_pylist() if row["subset"] == ""]


def test_the_bootstrap_of_the_corpus_is_that_of_its_sentences() -> None:
    """Its spread against BLEU of sentences that are drawn and scored anew."""
    pytest.importorskip("sacrebleu")
    examples, answers = translations(30)
    mine = [answer for answer in answers if answer["metric"] == "bleu" and answer["model"] == "large"]
    targets = {example["example_id"]: example["target"] for example in examples}
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, len(mine), len(mine)) for _ in range(300)]
    scores = [
        bleu([mine[i]["output"] for i in some], [targets[mine[i]["example_id"]] for i in some]).corpus for some in map(list, drawn)
    ]
    [row] = [
        row
        for row in task_scores(examples_table(examples), generations_table(mine), resamples=2000, confidence=0.8).to_pylist()
        if row["metric"] == "corpus_bleu"
    ]
    low, high = np.quantile(scores, [0.1, 0.9])
    assert (row["high"] - row["low"]) / (high - low) == pytest.approx(1.05, abs=0.15)
    assert row["low"] == pytest.approx(low, abs=3) and row["high"] == pytest.approx(high, abs=3)


def test_a_bleu_of_nothing_is_no_proportion() -> None:
    pytest.importorskip("sacrebleu")
    examples = [{"example_id": str(number), "target": "one two three four five"} for number in range(9)]
    answers = [{"example_id": str(number), "metric": "bleu", "output": "zero", "score": 0.0} for number in range(9)]
    for row in task_scores(examples_table(examples), generations_table(answers)).to_pylist():
        assert (row["estimate"], row["low"], row["high"]) == (0, 0, 0)


def test_bleu_of_examples_takes_the_language_of_each() -> None:
    pytest.importorskip("sacrebleu")
    rows = [{"subset": "en-zh", "target": "我们在这里"}, {"subset": "zh-en", "target": "we are here now"}]
    outputs = ["我们 在这里", "we are here"]
    found = bleu_of_rows(outputs, rows)
    each = [bleu([output], [row["target"]], row["subset"][-2:]) for output, row in zip(outputs, rows, strict=True)]
    assert found.sentences.tolist() == [one.sentences[0] for one in each]
    assert found.statistics.tolist() == [one.statistics[0].tolist() for one in each]


def test_what_overall_refuses() -> None:
    examples, answers = translations(4)
    answers = [answer for answer in answers if answer["metric"] == "exact_match"]
    with pytest.raises(MeasureError, match="no example of this table has a score"):
        task_scores(examples_table(examples), generations_table([{"example_id": "elsewhere"}]))
    with pytest.raises(TableError, match="several scores of one example by exact_match"):
        task_scores(examples_table(examples), generations_table([*answers, answers[0]]))
    answers[0]["score"] = float("nan")
    with pytest.raises(MeasureError, match=r"1 of \d+ scores are nan"):
        task_scores(examples_table(examples), generations_table(answers))


def test_chance_is_what_guessing_among_the_choices_scores() -> None:
    examples = [{"example_id": str(number), "choices": ["a"] * choices} for number, choices in enumerate((2, 4, 4))]
    rows = [{"example_id": str(number), "metric": "accuracy", "score": 1.0} for number in range(3)]
    (found,) = task_scores(examples_table(examples), generations_table(rows)).to_pylist()
    assert found["chance"] == pytest.approx((1 / 2 + 1 / 4 + 1 / 4) / 3)
    rows = [row | {"metric": "exact_match"} for row in rows]
    (found,) = task_scores(examples_table(examples), generations_table(rows)).to_pylist()
    assert found["chance"] is None
