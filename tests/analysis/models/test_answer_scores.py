"""The tasks' scores, on answers whose score is known."""

from decimal import Decimal

import pytest

from analysis.errors import ConfigError, TableError
from analysis.models.answer_scores import bleu, contains, exact_match, final_answer, final_number, score_generations, token_f1
from analysis.models.language_model import Output
from analysis.models.open import CausalModel, open_model
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
    with pytest.raises(
        ConfigError, match="metric is 'rouge': expected exact_match, contains, token_f1, final_answer, bleu, accuracy"
    ):
        score_generations(model, examples, ["a", "b", "c"], "rouge")  # type: ignore[arg-type]
    with pytest.raises(TableError, match="example '0': its target 'dog' is none of its choices"):
        score_generations(model, examples_table({"prompt": "the ", "target": "dog", "choices": ["cat"]}), ["cat"], "accuracy")


def test_contains_and_f1_beside_exact_match() -> None:
    for output, target, aliases, held, f1 in (
        ("Paris", "Paris", (), 1, 1),
        ("It is Paris, of course.", "Paris", (), 1, 2 / 6),  # it is paris of course: 5 words, of which 1 is right, and 1 to find
        ("It is the City of Light.", "Paris", ("City of light",), 1, 2 * 3 / (5 + 3)),
        ("Parisian food", "Paris", (), 0, 0),
        ("new new York", "New York", (), 1, 2 * 2 / 5),
        ("York New", "New York", (), 0, 1.0 * 2 * 2 / 4),
        ("", "Paris", (), 0, 0),
        ("The", "!", (), 0, 0),
        ("The The", "The The", (), 1, 1),  # nothing is left of it, so it is compared as it is
        ("Mark Twain", "Samuel Clemens", ("Twain",), 1, 2 / 3),
    ):
        assert contains(output, target, aliases) == held, output
        assert token_f1(output, target, aliases) == pytest.approx(f1), output
        assert contains(output, target, aliases) >= exact_match(output, target, aliases) <= token_f1(output, target, aliases)


def test_how_an_output_ended_is_kept(model: CausalModel) -> None:
    examples = examples_table({"target": "a"}, {"target": "b"}, {"target": "c"})
    table = score_generations(model, examples, [Output("a", "stop"), Output("x", "length"), "c"], "exact_match")
    assert table["ended"].to_pylist() == ["stop", "length", ""] and table["score"].to_pylist() == [1, 0, 1]
