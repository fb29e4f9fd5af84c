"""The token that begins a text and chats: every kind of model scores and writes as one text read token by token would."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import ConfigError, MissingDependencyError, ModelError
from analysis.models import open as opening
from analysis.models.asking import Asking
from analysis.models.generation import outputs
from analysis.models.language_model import LanguageModel
from analysis.models.open import CausalModel, causal_model, open_model
from analysis.models.scoring import score_spans, score_targets
from analysis.models.served import open_served
from analysis.models.token_spans import Text, read_texts
from analysis.models.too_long import fit
from tests.helpers.analysis_building import TRAINED_ON, examples_table, pairs_table, tiny_tokenizer
from tests.helpers.completions_server import serving
from tests.helpers.gguf_writing import tiny_llama, write_gguf
from tests.helpers.plain_scores import log_probs

torch = pytest.importorskip("torch")

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] | trim }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
EXAMPLES = examples_table(
    {"input": "What is the capital of France?", "prompt": "Question: What is the capital of France?\nAnswer: ", "target": "Paris"},
    {"input": "the cat", "prompt": "the cat ", "target": "sat on the mat, and the other cat sat"},
    {"input": "é 中", "prompt": "é 中\n", "target": "isn't  the answer"},
)
PAIRS = pairs_table(
    EXAMPLES, ("0", "capital", "paris"), ("1", "cat", "sat on"), ("1", "cat", "the other cat"), ("2", "é", "answer")
)


def tokenizer(*, adds_bos: bool = False, template: str = TEMPLATE) -> Any:
    """A byte-level tokenizer with <bos>, the marks of a chat, and its template."""
    tokenizers = pytest.importorskip("tokenizers")
    found = tiny_tokenizer(TRAINED_ON, size=350)
    found.add_special_tokens({"bos_token": "<bos>", "additional_special_tokens": ["<|user|>", "<|assistant|>", "<|end|>"]})
    if adds_bos:
        found.backend_tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", found.bos_token_id)]
        )
    found.chat_template = template or None
    return found


@pytest.fixture(scope="module")
def weights() -> Any:
    return tiny_llama(tokenizer(), context=160)


def local(weights: Any, *, adds_bos: bool = False, **how: Any) -> CausalModel:
    return causal_model(weights, tokenizer(adds_bos=adds_bos), name="tiny", **how)


KINDS = {
    "plain": ({}, lambda prompt: prompt, False),
    "with bos of its own": ({"adds_bos": True}, lambda prompt: prompt, True),
    "bos always": ({"bos": "always"}, lambda prompt: prompt, True),
    "bos always of its own": ({"bos": "always", "adds_bos": True}, lambda prompt: prompt, True),
    "bos never": ({"bos": "never", "adds_bos": True}, lambda prompt: prompt, False),
    "chat": ({"chat": True}, lambda prompt: f"<|user|>\n{prompt.strip()}<|end|>\n<|assistant|>\n", True),
    "chat with bos of its own": (
        {"chat": True, "adds_bos": True},
        lambda prompt: f"<|user|>\n{prompt.strip()}<|end|>\n<|assistant|>\n",
        True,
    ),
    "chat without bos": (
        {"chat": True, "bos": "never"},
        lambda prompt: f"<|user|>\n{prompt.strip()}<|end|>\n<|assistant|>\n",
        False,
    ),
}
"""Kind -> how it is opened, what it reads for a prompt, whether <bos> stands before that."""


@pytest.fixture(params=["here", "gguf", "prompt_logprobs", "echo", "text"])
def opened(
    request: pytest.FixtureRequest, weights: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., LanguageModel]]:
    """Opens the model in each of the places where it may be."""
    with ExitStack() as exits:

        def find(*, adds_bos: bool = False, **how: Any) -> LanguageModel:
            own = tokenizer(adds_bos=adds_bos)
            own.save_pretrained(tmp_path / "tokenizer")
            if request.param == "here":
                return local(weights, adds_bos=adds_bos, **how)
            if request.param == "gguf":
                file = write_gguf(tmp_path / "tiny.gguf", weights, own, chat_template=TEMPLATE)
                return open_model(str(file), device="cpu", tokenizer=str(tmp_path / "tokenizer"), **how)
            asked = local(weights, adds_bos=adds_bos, **how).asking
            settings = {
                "ways": (request.param,) if request.param != "text" else ("echo",),
                "takes_ids": request.param != "text",
                "adds_bos": bool(asked.begins),  # a server that is sent text begins it as its model was trained
                "length": 160,
            }
            server = exits.enter_context(serving(local(weights), monkeypatch, **settings))
            return open_served(server.url, tokenizer=str(tmp_path / "tokenizer"), num_parameters=9, connections=2, **how)

        yield find


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_scores_and_writes_alike(
    opened: Callable[..., LanguageModel], weights: Any, kind: str, request: pytest.FixtureRequest
) -> None:
    how, asked, begun = KINDS[kind]
    model = opened(**how)
    own = tokenizer()
    scores = score_spans(model, EXAMPLES, PAIRS).to_pylist()
    written = outputs(model, EXAMPLES, max_tokens=5, stop=("\n",))
    for place, row in enumerate(EXAMPLES.to_pylist()):
        prompt, target = asked(row["prompt"]), row["target"]
        encoded = own(prompt + target, return_offsets_mapping=True)
        first = next(i for i, (_, stop) in enumerate(encoded["offset_mapping"]) if stop > len(prompt))
        bos = [own.bos_token_id] if begun else []
        ids = encoded["input_ids"]
        found = log_probs(weights, [*bos, *ids[:first]], ids[first:])
        spans = encoded["offset_mapping"][first:]
        for pair, score in zip(PAIRS.to_pylist(), scores, strict=True):
            if pair["example_id"] == row["example_id"]:
                start, stop = (len(prompt) + pair[side] for side in ("y_start", "y_stop"))
                inside = [value for value, (low, high) in zip(found, spans, strict=True) if low < stop and high > start]
                assert score["log_prob"] == pytest.approx(sum(inside), abs=1e-4)
                assert score["num_tokens"] == len(inside)
        assert written[place] == greedy(weights, own, [*bos, *own(prompt.rstrip(" "))["input_ids"]], "chat" in kind)


def greedy(weights: Any, own: Any, ids: list[int], chat: bool) -> tuple[str, str]:
    """Five likeliest tokens as text, without the spaces that a prompt ended with; and why it ended."""
    ends = {own.eos_token_id, own.convert_tokens_to_ids("<|end|>")} if chat else {own.eos_token_id}
    written: list[int] = []
    ended = "length"
    for _ in range(5):
        with torch.no_grad():
            token = int(weights(input_ids=torch.tensor([ids + written])).logits[0, -1].argmax())
        if token in ends:
            ended = "stop"
            break
        written.append(token)
    text = own.decode([*ids[-1:], *written], skip_special_tokens=True)
    text = text[len(own.decode(ids[-1:], skip_special_tokens=True)) :]
    if "\n" in text:
        text, ended = text.partition("\n")[0], "stop"
    return text.lstrip(" ") if not chat else text, ended


# ---- the rules by themselves -----------------------------------------------------------------------------------------


def test_what_a_text_begins_with() -> None:
    plain, own = tokenizer(), tokenizer(adds_bos=True)
    for found, bos, chat, begins in (
        (plain, "auto", False, ""),
        (plain, "always", False, "<bos>"),
        (own, "auto", False, "<bos>"),
        (own, "never", False, ""),
        (own, "always", False, "<bos>"),
        (plain, "auto", True, "<bos>"),
        (own, "auto", True, "<bos>"),
        (plain, "never", True, ""),
    ):
        asking = Asking(found, "tiny", bos, chat)  # type: ignore[arg-type]
        assert asking.begins == begins, (bos, chat)
        (encoded,) = asking.encode([asking.prompt("the cat").text])
        assert encoded.ids.count(found.bos_token_id) == bool(begins)
        assert len(encoded.ids) == len(encoded.offsets) == len(encoded.special)


def test_a_token_that_opens_every_turn_is_no_beginning_of_the_text() -> None:
    found = tokenizer(template=TEMPLATE.replace("{{ bos_token }}", "").replace("<|", "<bos><|"))
    asking = Asking(found, "tiny", "never", True)
    text = asking.prompt("the cat").text
    assert [encoded.ids for encoded in asking.encode([text])] == [found(text)["input_ids"]]
    assert asking.encode([]) == []


@given(st.text(st.sampled_from("a <|>Zebra\n{}é中"), max_size=20))
def test_a_message_stands_whole_between_head_and_tail(message: str) -> None:
    found = CHAT.prompt(message)
    assert found.text[found.head : len(found.text) - found.tail] == message.strip()
    assert found.text.startswith("<bos><|user|>\n") and found.text.endswith("<|end|>\n<|assistant|>\n")


def test_white_space_before_the_answer_belongs_to_the_prompt() -> None:
    """Of "[/INST] Paris" the space is the template's, where it writes the answer and not where it asks for one."""
    template = (
        "{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]{% else %} {{ m['content'] }}</s>"
    )
    asking = Asking(tokenizer(template=template + "{% endif %}{% endfor %}"), "tiny", chat=True)
    assert asking.prompt("the cat").text == "[INST] the cat [/INST] "
    assert asking.end_of_turn is None  # </s> is no token here
    assert CHAT.tokenizer.decode([CHAT.end_of_turn]) == "<|end|>"
    assert Asking(CHAT.tokenizer, "tiny").end_of_turn is None


def test_doubts() -> None:
    def doubts(found: Any, **how: Any) -> list[str]:
        return Asking(found, "tiny", **how).doubts

    both = doubts(tokenizer())
    assert len(both) == 2
    assert "knows the token <bos> that begins a text and never adds it" in both[0] and "choose bos = 'always'" in both[0]
    assert "has a chat template, and it is asked without" in both[1] and "choose chat = true" in both[1]
    assert doubts(tokenizer(template="")) == both[:1]
    assert doubts(tokenizer(adds_bos=True)) == both[1:]
    for how in ({"bos": "always"}, {"bos": "never"}):
        assert doubts(tokenizer(), **how) == both[1:]
    assert doubts(tokenizer(), chat=True) == []
    neox = tokenizer(template="")
    neox.bos_token = neox.eos_token  # the token between documents: models that have it were trained without one before a text
    assert doubts(neox) == []


def test_what_a_tokenizer_cannot_follow(weights: Any) -> None:
    with pytest.raises(ConfigError, match="bos is 'often': expected auto, always, never"):
        Asking(tokenizer(), "tiny", "often")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="chat is true, and the tokenizer of tiny has no chat template"):
        causal_model(weights, tokenizer(template=""), name="tiny", chat=True)
    without = tiny_tokenizer()
    with pytest.raises(ConfigError, match="bos is 'always', and the tokenizer of tiny knows no token that begins a text"):
        causal_model(weights, without, name="tiny", bos="always")
    refusing = Asking(tokenizer(template="{{ raise_exception('no user here') }}"), "tiny", chat=True)
    with pytest.raises(ModelError, match="the chat template of tiny refuses a message: no user here; choose chat = false"):
        refusing.prompt("the cat")
    changing = Asking(tokenizer(template="{% for m in messages %}{{ m['content'] | upper }}{% endfor %}"), "tiny", chat=True)
    with pytest.raises(ModelError, match="the chat template of tiny does not hold the message 'the cat'"):
        changing.prompt("the cat")


def test_a_long_message_is_cut_and_the_template_is_not(weights: Any) -> None:
    model = local(weights, chat=True)
    text = Text("it", "the cat sat on the mat " * 40, "Paris")
    (reading,) = read_texts(model, [text])
    (cut,) = fit([reading], model, "truncate_left") or []
    own = model.tokenizer
    decoded = own.decode(cut.ids)
    assert len(cut.ids) == 161 and decoded.startswith("<bos><|user|>\n") and decoded.endswith("<|end|>\n<|assistant|>\nParis")
    assert "".join(own.decode(cut.ids[cut.positions])) == "Paris"
    assert np.isnan(score_targets(model, [("the cat", "Paris is " * 90)], too_long="truncate_left").log_probs).all()
    prompts = examples_table({"prompt": text.prompt, "target": "x"})
    assert None not in outputs(model, prompts, max_tokens=4, too_long="truncate_left")
    assert outputs(replace(model, limit=8), prompts, max_tokens=4, too_long="truncate_left") == [None]


def test_documents_are_no_messages(weights: Any) -> None:
    (reading,) = read_texts(local(weights, chat=True), [Text("it", "the cat ", "sat")], documents=True)
    assert reading.ids.tolist() == tokenizer()("the cat sat")["input_ids"]


def test_gguf_files(weights: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tokenizer()
    file = write_gguf(tmp_path / "tiny.gguf", weights, own, chat_template=TEMPLATE)
    model = open_model(str(file), device="cpu", chat=True)
    text = "the cat sat on é 中 isn't"
    assert model.tokenizer(text)["input_ids"] == own(text)["input_ids"]
    assert (model.context_length, model.asking.begins) == (160, "<bos>")
    assert model.num_parameters == sum(part.numel() for part in weights.parameters())
    moved = write_gguf(tmp_path / "moved.gguf", weights, own, chat_template=TEMPLATE)
    assert open_model(str(moved), device="cpu").fingerprint == model.fingerprint  # of what it holds, not of its name
    with pytest.raises(ModelError, match=r"none.gguf does not exist: expected a GGUF file, or one of the hub as owner/name:file"):
        open_model(str(tmp_path / "none.gguf"))
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ModelError, match=r"the model .*tiny.gguf could not be opened"):
        open_model(str(file))
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"needs gguf and accelerate: pip install 'suffixindex\[gguf\]'"):
        open_model(str(moved))


CHAT = Asking(tokenizer(), "tiny", chat=True)
