"""A model behind an endpoint: what it is asked, how long it is waited for, and what is said where it fails."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.errors import ConfigError, ModelError
from analysis.models.answers.choices import choose
from analysis.models.generation import generate, outputs
from analysis.models.language_model import Sampling
from analysis.models.open import CausalModel, open_model
from analysis.models.scoring import score_targets
from analysis.models.served import Client, ServedModel, open_served
from tests.helpers.analysis_building import examples_table, write_model
from tests.helpers.completions_server import CompletionsServer, Fault, serving

torch = pytest.importorskip("torch")

TEXTS = [("the cat sat on ", "the mat"), ("Question: What is the capital of France?\nAnswer: ", "Paris"), ("", "12 + 30")]
EXAMPLES = examples_table(*({"prompt": prompt, "target": target} for prompt, target in TEXTS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def here(folder: Path) -> CausalModel:
    return open_model(str(folder), device="cpu")


@pytest.fixture
def server(here: CausalModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[CompletionsServer]:
    with serving(here, monkeypatch) as found:
        yield found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited before retries, which no test waits."""
    found: list[float] = []
    monkeypatch.setattr("analysis.models.served.client.time.sleep", found.append)
    return found


def opened(server: CompletionsServer, folder: Path, *, patience: dict[str, Any] | None = None, **how: Any) -> ServedModel:
    client = Client(server.url, **(patience or {}))
    return open_served(server.url, tokenizer=str(folder), num_parameters=12_000_000_000, client=client, **how)


def test_scores_choices_and_answers_are_those_of_the_weights(
    server: CompletionsServer, folder: Path, here: CausalModel, tmp_path: Path
) -> None:
    model = opened(server, folder, connections=2)
    found, expected = score_targets(model, TEXTS, cache=tmp_path), score_targets(here, TEXTS)
    assert found.log_probs == pytest.approx(expected.log_probs, abs=1e-4)
    assert found.num_tokens.tolist() == expected.num_tokens.tolist()
    asked = len(server.asked)
    assert score_targets(opened(server, folder), TEXTS, cache=tmp_path).log_probs.tolist() == found.log_probs.tolist()
    assert len(server.asked) == asked  # all of it was kept, and opening asks no completion
    chosen = examples_table({"prompt": "the cat sat on the ", "target": "mat", "choices": ["cat", "mat", "other mat"]})
    assert choose(model, chosen) == choose(here, chosen)
    for stop in ((), ("\n",), ("a", "t")):
        assert outputs(model, EXAMPLES, max_tokens=6, stop=stop) == outputs(here, EXAMPLES, max_tokens=6, stop=stop)
    assert model.columns == {"model": server.url, "revision": "", "num_parameters": 12_000_000_000, "step": -1}
    model.continued([[1, 2]], 3, (), Sampling(0.5, 7))
    assert {"temperature": 0.5, "seed": 7}.items() <= server.asked[-1].items()


def test_too_long_is_decided_here(server: CompletionsServer, folder: Path, here: CausalModel) -> None:
    model = opened(server, folder)
    assert (model.context_length, model.scored_length) == (128, 127)
    ids = [here.tokenizer(text)["input_ids"] for text in ("the cat " * 63 + "mat", "the cat " * 64 + "mat")]
    assert [len(each) for each in ids] == [127, 129]
    found = score_targets(model, [("the cat " * 63, "mat"), ("the cat " * 64, "mat")])
    assert np.isnan(found.log_probs).tolist() == [False, True]
    assert generate(model, examples_table({"prompt": "the cat " * 64, "target": "x"}), max_tokens=4) == [None]
    unsaid = opened(server, folder, limit=1000)  # it is refused, and the message says whose text and why
    with pytest.raises(ModelError, match=r"text 0: .*/completions refuses: 400 .*maximum context length is 128 tokens"):
        score_targets(unsaid, [("the cat " * 64, "mat")])


def test_what_is_busy_is_asked_again(server: CompletionsServer, folder: Path, here: CausalModel, waits: list[float]) -> None:
    model = opened(server, folder, connections=1)
    server.faults = [Fault(429, "busy", {"Retry-After": "7"}), Fault(503), Fault(500), Fault(200, '{"choi', cut=True)]
    assert score_targets(model, TEXTS[:1]).log_probs == pytest.approx(score_targets(here, TEXTS[:1]).log_probs, abs=1e-4)
    assert waits == [7, 2, 4, 8]


def test_what_fails_is_named(server: CompletionsServer, folder: Path, waits: list[float]) -> None:
    model = opened(server, folder, patience={"retries": 1, "timeout": 5.0})
    score_targets(model, TEXTS[:1])
    for fault, message in (
        (Fault(401, "no such key"), r"text 1: .*/completions refuses: 401 no such key; check its address"),
        (Fault(200, "<html>"), r"text 1: .*/completions answered what is no JSON: '<html>'"),
        (Fault(200, "[]"), r"text 1: .*/completions answered \[\]: expected a completion"),
        (Fault(200, '{"choices": [{"text": "a"}]}'), r"text 1: no log-probabilities for 13 tokens"),
        (Fault(200, json.dumps({"choices": [{"prompt_logprobs": [None, *[{"0": 1}] * 30]}]})), r"text 1: .*expected a log-prob"),
    ):
        server.faults = [fault]
        with pytest.raises(ModelError, match=message):
            score_targets(model, [("the", "cat"), TEXTS[1]][1:], names=["text 1"])
    server.faults = [Fault(500, "broken")] * 2
    with pytest.raises(ModelError, match="did not answer 2 times: 500 broken; see that it runs"):
        score_targets(model, TEXTS[1:2])
    assert outputs(model, EXAMPLES.slice(1, 1), max_tokens=2) != [None]
    server.faults = [Fault(200, '{"choices": [{"finish_reason": "stop"}]}')]
    with pytest.raises(ModelError, match="expected a choice with a text"):
        outputs(model, EXAMPLES, max_tokens=3)


def test_an_answer_that_does_not_come_is_given_up(server: CompletionsServer, folder: Path) -> None:
    model = opened(server, folder, patience={"retries": 0, "timeout": 0.2})
    server.faults = [Fault(200, "late", seconds=1.0)]
    with pytest.raises(ModelError, match="did not answer 1 times: timed out"):
        score_targets(model, TEXTS[:1])


@pytest.mark.parametrize(
    ("settings", "tried"),
    [
        ({"ways": ()}, "prompt_logprobs: no log-probabilities for 24 tokens; echo: 1 log-probabilities for"),
        ({"ways": (), "takes_ids": False}, "refuses: 422 .*expected a string.*; echo of text: 1 log-probabilities for"),
    ],
)
def test_log_probabilities_of_what_is_written_are_not_taken_for_the_prompt_s(
    here: CausalModel, folder: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], tried: str
) -> None:
    """llama.cpp's own server answers ``echo`` with the prompt's text and the log-probability of the one token after it."""
    with serving(here, monkeypatch, **settings) as server:
        model = opened(server, folder)
        with pytest.raises(ModelError, match=rf"gives no log-probabilities of a prompt \(.*{tried}.*set score = false"):
            score_targets(model, TEXTS)
        assert outputs(model, EXAMPLES, max_tokens=4) == outputs(here, EXAMPLES, max_tokens=4)  # it writes all the same


def test_a_server_that_reads_other_tokens_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beginning = open_model(str(folder), device="cpu")
    beginning.tokenizer.bos_token = beginning.tokenizer.eos_token
    adds = r"reads 25 tokens where the tokenizer here makes 24; it adds a token .*bos = 'always'"
    settings: dict[str, Any] = {"ways": ("echo",), "takes_ids": False, "adds_bos": True}
    with serving(beginning, monkeypatch, **settings) as server, pytest.raises(ModelError, match=adds):
        score_targets(opened(server, folder), TEXTS)


def test_which_model_and_which_tokenizer(
    here: CausalModel, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(here, monkeypatch, names=(str(folder), "other"), length=None) as server:
        with pytest.raises(ConfigError, match=r"has .*, other: set served to the one that is meant"):
            open_served(server.url, num_parameters=9)
        with pytest.raises(ConfigError, match=r"has no model 'third'; it has .*, other: set served to one of them"):
            open_served(server.url, served="third", num_parameters=9)
        with pytest.raises(ConfigError, match=r"does not say how many parameters .* has: set parameters"):
            open_served(server.url, served=str(folder))
        with pytest.raises(ModelError, match=r"it is the tokenizer of http.*: set tokenizer to a name, folder or GGUF file"):
            open_served(server.url, served="other", tokenizer=str(tmp_path / "none"), num_parameters=9)
        with caplog.at_level(logging.WARNING):
            model = open_served(server.url, served=str(folder), num_parameters=9)  # its name is where its tokenizer is
        assert "does not say how many tokens" in caplog.text and model.context_length is None
        assert score_targets(model, TEXTS).log_probs == pytest.approx(score_targets(here, TEXTS).log_probs, abs=1e-4)
        again, others = open_served(server.url, served=str(folder), num_parameters=9), opened(server, folder, served="other")
        assert model.fingerprint == again.fingerprint != others.fingerprint  # though "created" is another at each start


def test_a_key_is_sent(server: CompletionsServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_OF_TEST", "abc")
    score_targets(opened(server, folder, patience={"api_key_env": "KEY_OF_TEST"}), TEXTS[:1])
    assert set(server.keys) == {"Bearer abc"}
    with pytest.raises(ConfigError, match="the environment variable NOT_SET_ANYWHERE is not set"):
        opened(server, folder, patience={"api_key_env": "NOT_SET_ANYWHERE"})
