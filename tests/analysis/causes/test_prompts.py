"""Prompts' scores against a count over all documents, the climb, and what proposes."""

import json
import math
import string
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import product
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffixindex as si
from analysis.causes.prompts import optimize, prompt_fluency, prompt_score
from analysis.causes.proposers import EndpointProposer, LocalProposer, Trial, WordProposer, cleaned, instruction
from analysis.errors import ConfigError, MeasureError, ModelError
from analysis.schemas import PROMPTS
from tests.helpers import building
from tests.helpers.analysis_building import examples_table, write_model

DOCUMENTS = [
    "Answer the question: Paris!",
    "the question of Paris",
    "answer Paris or Rome",
    "answer the other",
    "a Rome, the question",
]
EXAMPLES = examples_table(
    {"input": "capital of France?", "target": "Paris"}, {"input": "of Italy?", "target": "Rome, the question"}
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    folder = tmp_path_factory.mktemp("corpus")
    si.build(building.write_jsonl(folder / "corpus.jsonl", DOCUMENTS), folder / "index", tokenizer="words", progress=False)
    return si.open(folder / "index")


def words_of(text: str) -> list[str]:
    return "".join(" " if character in string.punctuation else character for character in text).lower().split()


def ngrams_of(text: str, n: int) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def mean_count(prompt: str, targets: Sequence[str], n: int) -> float:
    """The definition: documents that hold both, over all pairs of an example, over all examples."""
    means = []
    for target in targets:
        of_target = ngrams_of(target, n) or {tuple(words_of(target))}
        pairs = list(product(ngrams_of(prompt, n), of_target))
        held = [sum(x in ngrams_of(document, n) and y in ngrams_of(document, len(y)) for document in DOCUMENTS) for x, y in pairs]
        means.append(sum(held) / len(held))
    return sum(means) / len(means)


@settings(max_examples=60)
@given(data=st.data(), n=st.integers(1, 3))
def test_the_score_is_the_mean_count(index: si.SuffixIndex, data: st.DataObject, n: int) -> None:
    texts = st.lists(st.sampled_from("answer the question paris rome or, other Zebra".split()), min_size=n, max_size=6).map(
        " ".join
    )
    targets = data.draw(st.lists(st.one_of(texts, st.sampled_from(["Paris", "Rome!"])), min_size=1, max_size=3))
    prompt = data.draw(texts)
    assert prompt_score([*targets, "…"], index, n)(prompt) == pytest.approx(mean_count(prompt, targets, n))
    assert math.isnan(prompt_score(targets, index, n)("?"))


class Listed:
    """Proposes what it is given, and keeps what it is shown."""

    def __init__(self, *prompts: str) -> None:
        self.prompts = list(prompts)
        self.seen: list[list[str]] = []

    def propose(self, trials: Sequence[Trial], examples: Sequence[tuple[str, str]], goal: str, iteration: int) -> str:
        assert [trial.score for trial in trials] == sorted({trial.score for trial in trials}, reverse=goal == "generalize")
        assert set(examples) == {("capital of France?", "Paris"), ("of Italy?", "Rome, the question")}
        self.seen.append([trial.prompt for trial in trials])
        return self.prompts[iteration - 1]


def test_only_what_is_better_is_kept(index: si.SuffixIndex) -> None:
    proposer = Listed("answer the", "?", "answer the", "the question")
    table = optimize(EXAMPLES, index, goal="memorize", proposer=proposer, iterations=4, n=2, start="zebra answer the", fluency=-1)
    assert table.schema == PROMPTS
    rows = table.to_pylist()
    assert [row["prompt"] for row in rows] == ["zebra answer the", "answer the", "?", "answer the", "the question"]
    targets = EXAMPLES["target"].to_pylist()
    expected = [math.nan if prompt == "?" else mean_count(prompt, targets, 2) for prompt in table["prompt"].to_pylist()]
    assert table["score"].to_pylist() == pytest.approx(expected, nan_ok=True)
    assert table["accepted"].to_pylist() == [True, True, False, False, True]
    assert table["iteration"].to_pylist() == [0, 1, 2, 3, 4] and set(table["goal"].to_pylist()) == {"memorize"}
    assert proposer.seen[-1] == ["zebra answer the", "answer the"]
    how: dict[str, Any] = {"iterations": 2, "n": 2, "start": "the question", "fluency": -1}
    down = optimize(EXAMPLES, index, goal="generalize", proposer=Listed("answer the", "zebra zebra"), **how)
    assert down["accepted"].to_pylist() == [True, True, True] and down["score"][2].as_py() == 0


def test_word_edits(index: si.SuffixIndex) -> None:
    proposer = WordProposer(7, ("answer", "the", "question"))
    settings: dict[str, Any] = {"iterations": 60, "n": 1, "start": "zebra other", "fluency": -1}
    up = optimize(EXAMPLES, index, goal="memorize", proposer=proposer, **settings)
    assert up == optimize(EXAMPLES, index, goal="memorize", proposer=WordProposer(7, ("answer", "the", "question")), **settings)
    assert up != optimize(EXAMPLES, index, goal="memorize", proposer=WordProposer(8, ("answer", "the", "question")), **settings)
    kept = [row["score"] for row in up.to_pylist() if row["accepted"]]
    assert len(kept) > 2 and kept == sorted(kept)
    for iteration in range(1, 60):
        words = proposer.propose([Trial("one two three", 0)], [], "memorize", iteration).split()
        assert 2 <= len(words) <= 4 and words != ["one", "two", "three"]
        assert set(words) <= {"one", "two", "three", "answer", "the", "question"}
        assert len(proposer.propose([Trial("one", 0)], [], "memorize", iteration).split()) == 2


def test_bad_settings(index: si.SuffixIndex, tmp_path: Path) -> None:
    proposer = WordProposer(0)
    for wrong in ({"goal": "both"}, {"goal": "memorize", "iterations": 0}, {"goal": "memorize", "n": 0}):
        with pytest.raises(ConfigError, match="expected 'memorize' or 'generalize'"):
            optimize(EXAMPLES, index, proposer=proposer, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the prompt to start with, 'Answer', has fewer than 3 words"):
        optimize(EXAMPLES, index, goal="memorize", proposer=proposer, start="Answer")
    with pytest.raises(MeasureError, match="no target has a word"):
        optimize(examples_table({"target": "?"}), index, goal="memorize", proposer=proposer)
    with pytest.raises(MeasureError, match="the examples are of 2 tasks"):
        optimize(examples_table({"target": "a"}, {"target": "b", "task": "other"}), index, goal="memorize", proposer=proposer)
    si.build(building.write_jsonl(tmp_path / "corpus.jsonl", DOCUMENTS), tmp_path / "index", tokenizer="bytes", progress=False)
    with pytest.raises(ConfigError, match="is of bytes: prompts are scored by words"):
        optimize(EXAMPLES, si.open(tmp_path / "index"), goal="memorize", proposer=proposer)


def test_what_a_model_is_asked_and_what_is_taken_from_its_answer() -> None:
    asked = instruction([Trial("first", 1.5), Trial("second", 20000.0)], [("capital?", "Paris")], "generalize")
    assert "score 1.5: first\nscore 20000: second" in asked and "input: capital?\noutput: Paris" in asked and "lower score" in asked
    assert "higher score" in instruction([], [], "memorize")
    assert cleaned('\n "Answer the\n question." \n\nI chose this because …') == "Answer the question."
    assert cleaned(" \n\n ") == ""


def test_a_local_model_proposes(index: si.SuffixIndex, tmp_path: Path) -> None:
    from analysis.models.open import open_model

    pytest.importorskip("torch")
    model = open_model(str(write_model(tmp_path, context=2048)), device="cpu")
    asked: tuple[Any, ...] = ([Trial("answer the question", 1.0)], [("capital?", "Paris")], "memorize")
    drawn = [
        LocalProposer(model, seed=seed, max_tokens=12).propose(*asked, iteration)
        for seed, iteration in [(0, 1), (0, 1), (0, 2), (1, 1)]
    ]
    assert drawn[0] == drawn[1] and len(set(drawn)) == 3
    table = optimize(EXAMPLES, index, goal="memorize", proposer=LocalProposer(model, max_tokens=12), iterations=2, n=1)
    assert table.num_rows == 3


def test_an_instruction_that_is_too_long_shows_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials grow in number and examples in length: the stage ended when a proposer's context was full."""
    from analysis.models.open import open_model

    pytest.importorskip("tokenizers")
    model = open_model(str(write_model(tmp_path, context=2048)), device="cpu")
    trials = [Trial(f"prompt {number}", number) for number in range(5)]
    asked: list[str] = []

    def continued(fits: int) -> Any:
        def written(model: Any, texts: list[str], **settings: Any) -> list[str | None]:
            assert settings["too_long"] == "drop"
            asked.extend(texts)
            return ["a prompt" if len(asked) >= fits else None]

        return written

    for fits, numbers, examples in ((1, range(5), 2), (2, (3, 4), 2), (3, (4,), 2), (4, (4,), 1), (5, (4,), 0)):
        asked.clear()
        monkeypatch.setattr("analysis.causes.proposers.continue_texts", continued(fits))
        assert LocalProposer(model).propose(trials, [("a", "b"), ("c", "d")], "memorize", 1) == "a prompt"
        assert [number for number in range(5) if f"prompt {number}" in asked[-1]] == list(numbers)
        assert asked[-1].count("input: ") == examples
    monkeypatch.undo()
    short = open_model(str(write_model(tmp_path / "short", context=16)), device="cpu")
    with pytest.raises(ModelError, match=r"has too short a context for its instruction and 4 tokens more: choose"):
        LocalProposer(short, max_tokens=4).propose(trials, [("a", "b")], "memorize", 1)


@pytest.mark.parametrize("written_by_tokenizer", [True, False])
@pytest.mark.parametrize("written_by_template", [True, False])
def test_a_chat_begins_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written_by_tokenizer: bool, written_by_template: bool
) -> None:
    """A template that writes <bos> and a tokenizer that writes it too gave two."""
    from analysis.models.language_model import Output
    from analysis.models.open import open_model

    tokenizers = pytest.importorskip("tokenizers")
    model = open_model(str(write_model(tmp_path, context=2048)), device="cpu")
    model.tokenizer.bos_token = "<|endoftext|>"
    bos = model.tokenizer.bos_token_id
    if written_by_tokenizer:
        model.tokenizer.backend_tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", bos)]
        )
    model.tokenizer.chat_template = ("{{ bos_token }}" if written_by_template else "") + "user: {{ messages[0]['content'] }}"
    read: list[list[int]] = []

    def written(model: Any, prompts: Any, *_: object) -> list[Output]:
        read.extend(prompt.ids for prompt in prompts)
        return [Output("a prompt", "stop")]

    monkeypatch.setattr("analysis.models.generation._continue", written)
    assert LocalProposer(model).propose([Trial("answer", 1.0)], [], "memorize", 1) == "a prompt"
    assert read[0].count(bos) == (written_by_tokenizer or written_by_template)


# ---- an endpoint -----------------------------------------------------------------------------------------------------


class Endpoint:
    """A server on this machine that gives prepared answers, (status, headers, body) each, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], str]] = []
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.asked.append((self.path, dict(self.headers), body))
                status, headers, answer = endpoint.answers.pop(0)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    found = Endpoint()
    thread = Thread(target=found.server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


GOOD = json.dumps({"choices": [{"message": {"role": "assistant", "content": "Answer the question briefly."}}]})
ASKED: tuple[Any, ...] = ([Trial("answer the question", 1.0)], [("capital?", "Paris")], "memorize", 1)


def test_an_endpoint_proposes(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_TEST", "abc")
    waits: list[float] = []
    monkeypatch.setattr("analysis.models.served.client.time.sleep", waits.append)
    endpoint.answers = [(429, {"Retry-After": "7"}, "slow down"), (503, {}, ""), (500, {}, ""), (200, {}, GOOD)]
    proposer = EndpointProposer(endpoint.url, "a-model", "KEY_OF_TEST")
    assert proposer.propose(*ASKED) == "Answer the question briefly."
    assert waits == [7, 2, 4]
    path, headers, body = endpoint.asked[-1]
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer abc"
    assert body["model"] == "a-model" and body["messages"] == [{"role": "user", "content": instruction(*ASKED[:3])}]


def test_an_endpoint_that_fails(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.models.served.client.time.sleep", lambda _: None)
    proposer = EndpointProposer(endpoint.url, "a-model", retries=2)
    endpoint.answers = [(401, {}, "no such key")]
    with pytest.raises(
        ModelError, match=r"/v1/chat/completions refuses: 401 no such key; check its address, the model's name and the key"
    ):
        proposer.propose(*ASKED)
    endpoint.answers = [(500, {}, "broken")] * 3
    with pytest.raises(ModelError, match="did not answer 3 times: 500 broken"):
        proposer.propose(*ASKED)
    for answer in ("no json", '{"choices": []}', '{"error": "none"}', "[]"):
        endpoint.answers = [(200, {}, answer)]
        with pytest.raises(ModelError, match=r"answered what is no (chat completion|JSON): "):
            proposer.propose(*ASKED)
    with pytest.raises(ConfigError, match="the environment variable NOT_SET_ANYWHERE is not set"):
        EndpointProposer(endpoint.url, "a-model", "NOT_SET_ANYWHERE").propose(*ASKED)
    with pytest.raises(ConfigError, match="base_url is 'file:///x': expected http"):
        EndpointProposer("file:///x", "a-model").propose(*ASKED)
    with pytest.raises(ModelError, match="did not answer 1 times"):
        EndpointProposer("http://127.0.0.1:9", "a-model", retries=0).propose(*ASKED)


def test_word_salad_does_not_win(index: si.SuffixIndex) -> None:
    """A prompt that scores lower, and that no text would say, was the one that generalizes best."""
    fluent = prompt_fluency(index)
    start, salad = "answer the question", "zebra zebra zebra the zebra"
    assert fluent(salad) < fluent(start) - 0.5
    how: dict[str, Any] = {"goal": "generalize", "iterations": 1, "n": 2, "start": start}
    free = optimize(EXAMPLES, index, proposer=Listed(salad), fluency=-1, **how)
    bound = optimize(EXAMPLES, index, proposer=Listed(salad), fluency=0.5, **how)
    assert (free["accepted"].to_pylist(), bound["accepted"].to_pylist()) == ([True, True], [True, False])
    assert bound["fluency"].to_pylist() == pytest.approx([fluent(start), fluent(salad)])


def test_fluency_is_kneser_neys_mean_and_an_unknown_word_half_an_occurrence(index: si.SuffixIndex) -> None:
    fluent, model = prompt_fluency(index), si.lm.KneserNey(index, 3)
    assert fluent("Answer the!") == pytest.approx(float(model.log_probs(index.encode("answer the")).mean()))
    known = model.log_probs(index.encode("the"))[0]
    assert fluent("the qwertz") == pytest.approx((known - np.log(2 * index.num_tokens)) / 2)
    assert math.isnan(fluent("?"))
