"""Greedy text against a loop that takes the likeliest token of one text at a time."""

from pathlib import Path
from typing import Any

import pytest

from analysis.errors import ConfigError, ModelError
from analysis.models import generation
from analysis.models.generation import continue_texts, generate
from analysis.models.language_model import Sampling
from analysis.models.open import CausalModel, open_model
from tests.helpers.analysis_building import examples_table, write_model

torch = pytest.importorskip("torch")

PROMPTS = [
    "the cat sat on ",
    "the",
    "Question: What is the capital of France?\nAnswer: ",
    "12 + 30 = 42, isn't it?",
    "",
    "é 中",
    "a  ",
]
EXAMPLES = examples_table(*({"input": prompt, "target": "x"} for prompt in PROMPTS))


@pytest.fixture(scope="module", params=[0, 3])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    return open_model(str(write_model(tmp_path_factory.mktemp("model"), seed=request.param)), device="cpu")


def greedy(model: CausalModel, prompt: str, max_tokens: int, stop: tuple[str, ...]) -> str:
    """One token after the other, each the likeliest after all before it, read anew."""
    read = prompt.rstrip(" ")
    ids = model.tokenizer(read)["input_ids"] or [model.tokenizer.eos_token_id]
    written: list[int] = []
    text = ""
    for _ in range(max_tokens):
        with torch.no_grad():
            token = int(model.model(input_ids=torch.tensor([ids + written])).logits[0, -1].argmax())
        if token == model.tokenizer.eos_token_id:
            break
        written.append(token)
        text = model.tokenizer.decode(written)
        text = text.removeprefix(prompt[len(read) :]) if text.startswith(prompt[len(read) :]) else text.lstrip(" ")
        if any(end in text for end in stop):
            return min((text.partition(end)[0] for end in stop), key=len)
    return text


@pytest.mark.parametrize("batch_size", [1, 3, 16])
@pytest.mark.parametrize("stop", [("\n",), (), ("a", "t"), (" ",)])
def test_batches_write_what_one_at_a_time_writes(model: CausalModel, batch_size: int, stop: tuple[str, ...]) -> None:
    outputs = generate(model, EXAMPLES, max_tokens=12, stop=stop, batch_size=batch_size)
    assert outputs == [greedy(model, prompt, 12, stop) for prompt in PROMPTS]
    assert len(set(outputs)) > 3


def writing(model: CausalModel, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Make a model write a text's tokens and then its end of text, whatever it reads."""
    ids = [*model.tokenizer(text)["input_ids"], model.tokenizer.eos_token_id]

    def generate(input_ids: Any, max_new_tokens: int, stopping_criteria: Any, pad_token_id: int, **_: object) -> Any:
        tokens = input_ids
        for step in range(max_new_tokens):
            token = ids[step] if step < len(ids) else pad_token_id
            tokens = torch.cat([tokens, torch.full((len(tokens), 1), token)], 1)
            if stopping_criteria and bool(stopping_criteria(tokens, None).all()):
                break
        return tokens

    monkeypatch.setattr(model.model, "generate", generate)


@pytest.mark.parametrize(
    ("written", "stop", "output"),
    [
        (" Paris\nQuestion: What", ("\n",), "Paris"),
        (" Paris\nQuestion: What", ("Quest", "\n"), "Paris"),
        (" Paris", ("\n",), "Paris"),
        (" the  cat ", (), "the  cat "),
        ("中文 é", ("é",), "中文 "),  # the stop is one of two characters of which a token ends the first
        ("\n", ("\n",), ""),
        ("", ("\n",), ""),
    ],
)
def test_where_the_output_begins_and_ends(
    model: CausalModel, monkeypatch: pytest.MonkeyPatch, written: str, stop: tuple[str, ...], output: str
) -> None:
    writing(model, monkeypatch, written)
    assert generate(model, examples_table({"input": "Answer: ", "target": "x"}), max_tokens=30, stop=stop) == [output]


def test_known_outputs_are_not_written_again(tmp_path: Path, model: CausalModel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = generate(model, EXAMPLES, max_tokens=6)
    write, batches = generation._continue, []

    def counting(model: CausalModel, prompts: Any, *rest: Any) -> list[str]:
        if len(batches) == 2:
            raise KeyboardInterrupt
        batches.append(len(prompts))
        return write(model, prompts, *rest)

    monkeypatch.setattr(generation, "_continue", counting)
    with pytest.raises(KeyboardInterrupt):
        generate(model, EXAMPLES, max_tokens=6, batch_size=2, cache=tmp_path)
    batches.clear()
    assert generate(model, EXAMPLES, max_tokens=6, batch_size=2, cache=tmp_path) == expected
    assert batches == [2, 1]
    batches.clear()
    assert generate(model, EXAMPLES, max_tokens=6, cache=tmp_path) == expected and not batches
    generate(model, EXAMPLES, max_tokens=7, cache=tmp_path)
    assert batches == [len(PROMPTS)]


def test_sampling_follows_its_seed(model: CausalModel) -> None:
    def draw(seed: int) -> list[str]:
        return continue_texts(model, ["the cat"], names=["it"], max_tokens=8, stop=(), sampling=Sampling(2.0, seed))

    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert draw(1) == draw(1) != draw(2)
    assert torch.equal(torch.get_rng_state(), state)  # of the caller


def test_bad_input(model: CausalModel) -> None:
    with pytest.raises(ModelError, match=r"example '2' has a prompt of .* with 120 more it exceeds the 128 that .* reads"):
        generate(model, EXAMPLES, max_tokens=120, too_long="error")
    for settings in ({"max_tokens": 0}, {"max_tokens": 1, "batch_size": 0}, {"max_tokens": 1, "stop": ["\n", ""]}):
        with pytest.raises(ConfigError):
            generate(model, EXAMPLES, **settings)  # type: ignore[arg-type]
    assert generate(model, EXAMPLES.slice(0, 0), max_tokens=5) == []
