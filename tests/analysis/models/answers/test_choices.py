"""The likeliest choice by each reading of "likeliest", against scores of one text at a time."""

from pathlib import Path

import numpy as np
import pytest

from analysis.errors import ConfigError, TableError
from analysis.models.answer_scores import OF_CHOICES, Metric
from analysis.models.answers.choices import choice_accuracy, choose, metrics_of_choices
from analysis.models.open import CausalModel, open_model
from analysis.models.scoring import score_targets
from analysis.schemas import GENERATIONS
from tests.helpers.analysis_building import examples_table, write_model

pytest.importorskip("torch")

LISTED = "Question: which?\nA. cat\nB. mat\nC. other mat\nD. France\nAnswer: "
EXAMPLES = examples_table(
    {"prompt": "the cat sat on the ", "target": "mat", "choices": ["cat", "mat", "other mat", "France"]},
    {"prompt": "capital of France? ", "target": "Paris", "choices": ["Paris", "the cat"]},
    {"prompt": "", "target": "42", "choices": ["42", "42", "isn't it"]},
)
WITH_LETTERS = examples_table({"prompt": LISTED, "target": "mat", "choices": ["cat", "mat", "other mat", "France"]})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    return open_model(str(write_model(tmp_path_factory.mktemp("model"))), device="cpu")


@pytest.mark.parametrize("metric", OF_CHOICES)
def test_the_likeliest_choice(model: CausalModel, metric: Metric) -> None:
    examples = WITH_LETTERS if metric == "accuracy_letter" else EXAMPLES
    expected = []
    for row in examples.to_pylist():
        texts = list("ABCD") if metric == "accuracy_letter" else row["choices"]
        scores = [score_targets(model, [(row["prompt"], text)]) for text in texts]
        sizes = {"accuracy": [int(score.num_tokens[0]) for score in scores], "accuracy_characters": list(map(len, texts))}
        values = [float(score.log_probs[0]) / size for score, size in zip(scores, sizes.get(metric, [1] * 4), strict=False)]
        expected.append(row["choices"][int(np.argmax(np.round(values, 4)))])
    assert choose(model, examples, metric=metric) == expected
    table = choice_accuracy(model, examples, metrics=[metric])
    assert table.schema == GENERATIONS and set(table["ended"].to_pylist()) == {""}
    assert table["output"].to_pylist() == expected
    right = [float(choice == target) for choice, target in zip(expected, examples["target"].to_pylist(), strict=True)]
    assert table["score"].to_pylist() == right and set(table["metric"].to_pylist()) == {metric}


def test_length_decides(model: CausalModel) -> None:
    """A choice that is another one and more is never the likelier one by its sum."""
    longer = examples_table({"prompt": "the ", "target": "cat", "choices": ["cat sat on the mat", "cat"]})
    assert choose(model, longer, metric="accuracy_sum") == ["cat"]


def test_letters_need_a_prompt_that_lists_the_choices(model: CausalModel) -> None:
    assert metrics_of_choices(EXAMPLES, "accuracy") == ("accuracy", "accuracy_characters", "accuracy_sum")
    assert metrics_of_choices(WITH_LETTERS, "accuracy_letter") == (
        "accuracy_letter",
        "accuracy",
        "accuracy_characters",
        "accuracy_sum",
    )
    assert set(choice_accuracy(model, WITH_LETTERS, metrics=OF_CHOICES)["metric"].to_pylist()) == set(OF_CHOICES)
    with pytest.raises(TableError, match=r"prompt of example '0' does not list its choices.* template = \"multiple-choice\""):
        choose(model, EXAMPLES, metric="accuracy_letter")


def test_what_has_no_choices(model: CausalModel) -> None:
    with pytest.raises(TableError, match="example '0' has no choices"):
        choose(model, examples_table({"prompt": "the ", "target": "cat"}))
    with pytest.raises(ConfigError, match="metric is 'bleu': expected accuracy, accuracy_characters"):
        choose(model, EXAMPLES, metric="bleu")
    assert choose(model, EXAMPLES.slice(0, 0)) == []


def test_choices_are_cached(model: CausalModel, tmp_path: Path) -> None:
    found = choose(model, EXAMPLES, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    assert len(file.read_text().splitlines()) == 8  # one of them twice
    assert choose(model, EXAMPLES, cache=tmp_path) == found
    assert choose(model, EXAMPLES, cache=tmp_path, metric="accuracy_sum") is not None
    assert len(file.read_text().splitlines()) == 8  # the same scores, read otherwise
