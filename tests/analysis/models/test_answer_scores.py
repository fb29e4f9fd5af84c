"""The tasks' scores, on answers whose score is known."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import ConfigError, TableError
from analysis.models.answer_scores import bleu, choice_accuracy, choose, exact_match, final_answer, final_number, score_generations
from analysis.models.open import CausalModel, open_model
from analysis.models.scoring import score_targets
from analysis.schemas import GENERATIONS
from tests.helpers.analysis_building import examples_table, write_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    pytest.importorskip("torch")
    return open_model(str(write_model(tmp_path_factory.mktemp("model"))), device="cpu")


@pytest.mark.parametrize(
    ("output", "target", "aliases", "score"),
    [
        ("The Beatles!", "beatles", [], 1),
        ("  mark   TWAIN ", "Samuel Clemens", ["Mark Twain"], 1),
        ("Mark Twain, the writer", "Mark Twain", [], 0),
        ("new-york", "New York", [], 1),
        ("new_york", "New York", [], 1),
        ("a b an c the d", "B C D", [], 1),
        ("theatre", "atre", [], 0),
        ("", "Paris", [], 0),
        ("", "The The", [], 0),  # normalising leaves nothing of the band
        ("the the", "The The", [], 1),
        ("!", "?", [], 0),
        ("‘Paris’", "Paris", [], 1),
    ],
)
def test_exact_match(output: str, target: str, aliases: list[str], score: float) -> None:
    assert exact_match(output, target, aliases) == score


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Janet sells 16 - 3 - 4 = <<16-3-4=9>>9 eggs.\n#### 18", "18"),
        ("#### $70,000", "70000"),
        ("#### -5\nQuestion: 7", "-5"),
        ("so #### none, but 4", "4"),
        ("16-3", "3"),  # a subtraction
        ("it is -3", "-3"),
        ("= -$4.50.", "-4.50"),
        ("1,234,567.", "1234567"),
        ("12,34", "34"),  # two numbers
        (".5", "0.5"),
        ("1.", "1"),
        ("(2)-1", "1"),
        ("50%", "50"),
        ("no number", None),
        ("####", None),
    ],
)
def test_final_number(text: str, number: str | None) -> None:
    assert final_number(text) == (None if number is None else Decimal(number))


def test_final_answer() -> None:
    assert final_answer("That makes 18.00 dollars", "… #### 18") == 1
    assert final_answer("That makes 18 dollars for 3 days", "… #### 18") == 0
    assert final_answer("", "#### 18") == 0
    with pytest.raises(TableError, match="the target 'eighteen' has no number"):
        final_answer("18", "eighteen")


def test_bleu_is_sacrebleus() -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    outputs = ["the cat sat on the mat", "a dog", "", "quite another sentence here"]
    references = ["the cat sat on the mat", "a dog barks", "it rains", "no word in common with it"]
    found = bleu(outputs, references)
    assert found.corpus == pytest.approx(sacrebleu.corpus_bleu(outputs, [references]).score)
    each = [sacrebleu.sentence_bleu(output, [reference]).score for output, reference in zip(outputs, references, strict=True)]
    assert found.sentences.tolist() == pytest.approx(each)
    assert found.sentences[[0, 2]].tolist() == pytest.approx([100, 0])
    assert found.sentences[1] > 30  # two of three words right: with 4-grams asked for it would be next to 0
    assert bleu(["我们 在这里"], ["我们在这里"], "zh").corpus > bleu(["我们 在这里"], ["我们在这里"], "fr").corpus
    for wrong in ([], ["one"]):
        with pytest.raises(TableError, match="BLEU needs as many of each"):
            bleu(wrong, [])


EXAMPLES = examples_table(
    {"prompt": "the cat sat on the ", "target": "mat", "choices": ["cat", "mat", "other mat", "France"]},
    {"prompt": "capital of France? ", "target": "Paris", "choices": ["Paris", "the cat"]},
    {"prompt": "", "target": "42", "choices": ["42", "42", "isn't it"]},
)


@pytest.mark.parametrize("normalise", ["mean", "sum"])
def test_the_likeliest_choice(model: CausalModel, normalise: str) -> None:
    expected = []
    for row in EXAMPLES.to_pylist():
        scores = [score_targets(model, [(row["prompt"], choice)]) for choice in row["choices"]]
        values = [float(score.log_probs[0]) / (int(score.num_tokens[0]) if normalise == "mean" else 1) for score in scores]
        expected.append(row["choices"][int(np.argmax(np.round(values, 4)))])
    assert choose(model, EXAMPLES, normalise=normalise) == expected  # type: ignore[arg-type]
    table = choice_accuracy(model, EXAMPLES, normalise=normalise)  # type: ignore[arg-type]
    assert table.schema == GENERATIONS
    assert table["output"].to_pylist() == expected
    right = [float(choice == target) for choice, target in zip(expected, EXAMPLES["target"].to_pylist(), strict=True)]
    assert table["score"].to_pylist() == right and set(table["metric"].to_pylist()) == {"accuracy"}


def test_length_normalisation_decides(model: CausalModel) -> None:
    """A choice that is another one and more is never the likelier one by its sum."""
    longer = examples_table({"prompt": "the ", "target": "cat", "choices": ["cat sat on the mat", "cat"]})
    assert choose(model, longer, normalise="sum") == ["cat"]


def test_generations(model: CausalModel) -> None:
    examples = examples_table(
        {"prompt": "q", "target": "Mark Twain", "aliases": ["Twain"], "example_id": "a"},
        {"prompt": "q", "target": "12 apples", "example_id": "b", "subset": "en-fr"},
        {"prompt": "q", "target": "12 apples", "example_id": "c", "subset": "en-zh"},
    )
    table = score_generations(model, examples, ["twain!", "12", "12 apples"], "exact_match")
    assert table.schema == GENERATIONS
    assert table.select(["example_id", "output", "metric", "score"]).to_pylist() == [
        {"example_id": "a", "output": "twain!", "metric": "exact_match", "score": 1.0},
        {"example_id": "b", "output": "12", "metric": "exact_match", "score": 0.0},
        {"example_id": "c", "output": "12 apples", "metric": "exact_match", "score": 1.0},
    ]
    assert set(table["model"].to_pylist()) == {model.name}
    assert score_generations(model, examples.slice(1), ["12", "7"], "final_answer")["score"].to_pylist() == [1, 0]
    found = score_generations(model, examples, ["Mark Twain", "12 pears", "12 apples"], "bleu")["score"].to_pylist()
    assert found == pytest.approx([100, bleu(["12 pears"], ["12 apples"], "fr").sentences[0], 100])
    with pytest.raises(TableError, match="2 outputs for 3 examples"):
        score_generations(model, examples, ["a", "b"], "bleu")
    with pytest.raises(ConfigError, match="metric is 'rouge': expected exact_match, final_answer, bleu, accuracy"):
        score_generations(model, examples, ["a", "b", "c"], "rouge")  # type: ignore[arg-type]
    with pytest.raises(TableError, match="example 'a' has no choices"):
        choice_accuracy(model, examples)
    with pytest.raises(TableError, match="example '0': its target 'dog' is none of its choices"):
        choice_accuracy(model, examples_table({"prompt": "the ", "target": "dog", "choices": ["cat"]}))
    with pytest.raises(ConfigError, match="normalise is 'none'"):
        choose(model, EXAMPLES, normalise="none")  # type: ignore[arg-type]


def test_choices_are_cached(model: CausalModel, tmp_path: Path) -> None:
    found = choose(model, EXAMPLES, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    assert len(file.read_text().splitlines()) == 8  # one of them twice
    assert choose(model, EXAMPLES, cache=tmp_path) == found
