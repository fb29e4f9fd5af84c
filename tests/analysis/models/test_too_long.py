"""Examples longer than a model's context: one rule, obeyed by scores, choices and answers alike."""

import numpy as np
import pyarrow.compute as pc
import pytest

from analysis.errors import ConfigError, ModelError
from analysis.measures.unread import unread
from analysis.models.answer_scores import score_generations
from analysis.models.answers.choices import choice_accuracy, choose
from analysis.models.generation import generate
from analysis.models.open import CausalModel, open_model
from analysis.models.scoring import score_spans, score_targets
from analysis.models.too_long import RULES, num_dropped
from tests.helpers.analysis_building import examples_table, pairs_table, write_model

torch = pytest.importorskip("torch")

LONG = "the cat sat on the other mat " * 20
EXAMPLES = examples_table(
    {"input": "the cat", "prompt": "the cat ", "target": "sat", "choices": ["sat", "mat"]},
    {"input": "the mat", "prompt": LONG + "the mat ", "target": "is", "choices": ["is", "isn't it the answer"], "subset": "s"},
)
PAIRS = pairs_table(EXAMPLES, ("0", "cat", "sat"), ("1", "mat", "is"), ("1", "the", "is"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    return open_model(str(write_model(tmp_path_factory.mktemp("model"))), device="cpu")


def log_prob(model: CausalModel, ids: list[int], num_targets: int) -> float:
    """log P of the last tokens, each after all before it."""
    with torch.no_grad():
        logits = model.model(input_ids=torch.tensor([ids[:-1]])).logits[0].log_softmax(-1)
    return sum(float(logits[place - 1, ids[place]]) for place in range(len(ids) - num_targets, len(ids)))


def test_a_rule_is_one_of_three() -> None:
    assert [num_dropped(0, 0, rule, "it") for rule in RULES] == [0, 0, 0]
    assert num_dropped(5, 5, "truncate_left", "it") == 5
    assert num_dropped(6, 5, "truncate_left", "it") is None is num_dropped(1, 5, "drop", "it")
    with pytest.raises(ModelError, match="it: shorten the prompt, or choose too_long = 'truncate_left'"):
        num_dropped(1, 5, "error", "it")
    with pytest.raises(ConfigError, match="too_long is 'cut': expected drop, truncate_left, error"):
        num_dropped(0, 5, "cut", "it")  # type: ignore[arg-type]


def test_one_long_example_is_left_out_by_default(model: CausalModel) -> None:
    scores = score_spans(model, EXAMPLES, PAIRS)
    assert scores["log_prob"].is_valid().to_pylist() == [True, False, False]
    assert scores["num_tokens"].to_pylist()[1:] == [0, 0]
    assert scores.slice(0, 1) == score_spans(model, EXAMPLES, PAIRS.slice(0, 1))
    assert choose(model, EXAMPLES)[1] is None is generate(model, EXAMPLES, max_tokens=3)[1]
    assert choice_accuracy(model, EXAMPLES)["example_id"].to_pylist() == ["0"]
    found = score_targets(model, [("the ", LONG * 2), ("the ", "cat")], too_long="truncate_left")  # no prompt to cut it to
    assert np.isnan(found.log_probs).tolist() == [True, False] and found.num_tokens[0] == 0


def test_all_choices_of_an_example_are_read_after_the_same_prompt(model: CausalModel) -> None:
    row = EXAMPLES.to_pylist()[1]
    texts = [(row["prompt"], choice) for choice in row["choices"]]
    read = [model.tokenizer(prompt + choice)["input_ids"] for prompt, choice in texts]
    dropped = max(map(len, read)) - 129  # by what the longest choice needs; the last token is predicted and not read
    found = score_targets(model, texts, examples=[0, 0], too_long="truncate_left")
    sizes = found.num_tokens.tolist()
    expected = [log_prob(model, ids[dropped:], size) for ids, size in zip(read, sizes, strict=True)]
    assert found.log_probs == pytest.approx(expected, abs=1e-4)
    by_itself = score_targets(model, texts, too_long="truncate_left").log_probs
    assert by_itself[0] != pytest.approx(expected[0], abs=1e-6)  # a shorter choice would keep more of the prompt
    best = row["choices"][int(np.argmax(np.array(expected) / sizes))]
    assert choose(model, EXAMPLES, too_long="truncate_left")[1] == best


def test_answers_are_of_the_prompt_s_end(model: CausalModel) -> None:
    ids = model.tokenizer((LONG + "the mat ").rstrip(" "))["input_ids"][-(128 - 6) :]
    written: list[int] = []
    for _ in range(6):
        with torch.no_grad():
            written.append(int(model.model(input_ids=torch.tensor([ids + written])).logits[0, -1].argmax()))
        if written[-1] == model.tokenizer.eos_token_id:
            written.pop()
            break
    text = model.tokenizer.decode([ids[-1], *written])[len(model.tokenizer.decode(ids[-1:])) :]
    found = generate(model, EXAMPLES, max_tokens=6, stop=(), too_long="truncate_left")[1]
    assert found == (text[1:] if text.startswith(" ") else text)


@pytest.mark.parametrize("stage", ["score", "choose", "generate"])
def test_error_is_obeyed_by_every_stage(model: CausalModel, stage: str) -> None:
    with pytest.raises(ModelError, match=r"example '1'.* reads.*: shorten the prompt, or choose too_long = 'truncate_left'"):
        if stage == "score":
            score_spans(model, EXAMPLES, PAIRS, too_long="error")
        elif stage == "choose":
            choose(model, EXAMPLES, too_long="error")
        else:
            generate(model, EXAMPLES, max_tokens=3, too_long="error")


def test_what_is_left_out_is_counted(model: CausalModel) -> None:
    scores = score_spans(model, EXAMPLES, PAIRS)
    answers = score_generations(model, EXAMPLES, generate(model, EXAMPLES, max_tokens=3), "exact_match")
    rows = unread(EXAMPLES, PAIRS, scores, answers).to_pylist()
    assert {(row["stage"], row["subset"], row["n"], row["reason"]): (row["num_pairs"], row["num_examples"]) for row in rows} == {
        (f"score {model.name}", "", 1, "kept"): (1, 1),
        (f"score {model.name}", "s", 1, "kept"): (0, 0),
        (f"score {model.name}", "s", 1, "too_long"): (2, 1),
        (f"generate {model.name}", "", 0, "kept"): (0, 1),
        (f"generate {model.name}", "s", 0, "kept"): (0, 0),
        (f"generate {model.name}", "s", 0, "too_long"): (0, 1),
    }
    everything = score_spans(model, EXAMPLES, PAIRS, too_long="truncate_left")
    assert pc.sum(everything["log_prob"].is_null()).as_py() == 0
    assert {row["reason"] for row in unread(EXAMPLES, PAIRS, everything).to_pylist()} == {"kept"}
