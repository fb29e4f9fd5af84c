"""What proposes a task's next prompt: an endpoint, a local model, or random edits of words."""

import json
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from analysis.errors import ConfigError, ModelError
from analysis.models.generation import Sampling, continue_texts
from analysis.models.open import CausalModel

log = logging.getLogger(__name__)

Goal = Literal["memorize", "generalize"]
SHOWN = 8  # trials that a model is shown, the best last
RETRIED = (408, 409, 429, 500, 502, 503, 504)
EDITS = ("replace", "insert", "delete", "swap")
WORDS = tuple(
    "a about all also an and answer any are as at be best brief by can clear complete correct each exact explain fact few "
    "find first following for from give given good has have how if in input into is it its just know known last main may "
    "more most must name new no not now of on one only or other output part please point question read right same say see "
    "short should simple so some state step such tell text than that the then these this to true two use very way we what "
    "when where which who with word write you your".split()
)
"""Words that instructions are made of."""


class Trial(NamedTuple):
    """A prompt and its score."""

    prompt: str
    score: float


class Proposer(Protocol):
    """Anything that proposes a prompt."""

    def propose(self, trials: Sequence[Trial], examples: Sequence[tuple[str, str]], goal: Goal, iteration: int) -> str:
        """A new prompt.

        Parameters
        ----------
        trials
            The accepted ones, each better than the one before.
        examples
            A few (input, target) of the task.
        goal
            "memorize": the score shall rise; "generalize": fall.
        iteration
            Counts from 1.
        """


@dataclass(frozen=True)
class WordProposer:
    """Edits a word of the best prompt: replaced, put in, left out or swapped with the next. The same for one seed."""

    seed: int
    words: Sequence[str] = WORDS

    def propose(self, trials: Sequence[Trial], examples: Sequence[tuple[str, str]], goal: Goal, iteration: int) -> str:
        rng = np.random.default_rng([self.seed, iteration])
        words = trials[-1].prompt.split()
        edit = EDITS[int(rng.integers(len(EDITS)))] if len(words) > 1 else "insert"
        place = int(rng.integers(len(words))) if words else 0
        drawn = self.words[int(rng.integers(len(self.words)))]
        match edit:
            case "replace":
                words[place] = drawn
            case "insert":
                words.insert(place, drawn)
            case "delete":
                del words[place]
            case "swap":
                other = (place + 1) % len(words)
                words[place], words[other] = words[other], words[place]
        return " ".join(words)


@dataclass(frozen=True)
class LocalProposer:
    """A causal language model on this machine, best one tuned to follow instructions. Drawn, the same for one seed."""

    model: CausalModel
    seed: int = 0
    temperature: float = 1.0
    max_tokens: int = 128

    def propose(self, trials: Sequence[Trial], examples: Sequence[tuple[str, str]], goal: Goal, iteration: int) -> str:
        """
        Raises
        ------
        ModelError
            Its context takes no instruction, not even one that shows the last trial alone.
        """
        drawn = Sampling(self.temperature, self.seed * 1_000_003 + iteration)
        settings: dict[str, Any] = {"max_tokens": self.max_tokens, "stop": ("\n\n",), "sampling": drawn, "too_long": "drop"}
        for shown in _ever_less(trials[-SHOWN:], examples):
            text = self._text(instruction(*shown, goal))
            (answer,) = continue_texts(self.model, [text], names=["the proposer's prompt"], **settings)
            if answer is not None:
                return cleaned(answer)
        raise ModelError(
            f"the proposer {self.model.columns['model']} has too short a context for its instruction and {self.max_tokens} tokens "
            "more: choose a model with a longer one, or proposer = 'edits'"
        )

    def _text(self, asked: str) -> str:
        if not self.model.tokenizer.chat_template:
            return f"{asked}\n\nNew instruction:"
        message = [{"role": "user", "content": asked}]
        text = self.model.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        return _begun_once(self.model.tokenizer, text)


@dataclass(frozen=True)
class EndpointProposer:
    """A chat model behind an OpenAI-compatible endpoint."""

    base_url: str
    """What ``/chat/completions`` is put after: ``http://localhost:8000/v1``."""
    model: str
    api_key_env: str = ""
    """The environment variable that holds the key; "": none is needed."""
    temperature: float = 1.0
    max_tokens: int = 256
    timeout: float = 120.0
    retries: int = 5
    pause: float = 1.0
    """Seconds before the first retry, doubled for each further one, unless the endpoint says how long to wait."""

    def propose(self, trials: Sequence[Trial], examples: Sequence[tuple[str, str]], goal: Goal, iteration: int) -> str:
        """
        Raises
        ------
        ConfigError
            The variable of the key is not set.
        ModelError
            The endpoint refuses, cannot be reached after all retries, or answers what is no chat completion.
        """
        messages = [{"role": "user", "content": instruction(trials, examples, goal)}]
        asked = {"model": self.model, "messages": messages, "temperature": self.temperature, "max_tokens": self.max_tokens}
        answer = self._ask(json.dumps(asked).encode())
        try:
            return cleaned(str(json.loads(answer)["choices"][0]["message"]["content"] or ""))
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            shown = answer[:200].decode(errors="replace")
            raise ModelError(f"{self._url} answered what is no chat completion: {shown!r}; check base_url and model") from error

    @property
    def _url(self) -> str:
        return self.base_url.rstrip("/") + "/chat/completions"

    def _ask(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        if self.api_key_env:
            key = os.environ.get(self.api_key_env)
            if not key:
                raise ConfigError(f"the environment variable {self.api_key_env} is not set: it holds the key of {self.base_url}")
            headers["Authorization"] = f"Bearer {key}"
        if not self._url.startswith(("http://", "https://")):
            raise ConfigError(f"base_url is {self.base_url!r}: expected http://… or https://…")
        request = urllib.request.Request(self._url, body, headers)
        pause = self.pause
        for attempt in range(self.retries + 1):
            wait = pause
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                    return bytes(answer.read())
            except urllib.error.HTTPError as error:
                reason = f"{error.code} {error.read()[:200].decode(errors='replace')}".strip()
                if error.code not in RETRIED:
                    raise ModelError(f"{self._url} refuses: {reason}; check base_url, model and key") from error
                told = error.headers.get("Retry-After", "")
                wait = float(told) if told.isdecimal() else pause
            except (OSError, TimeoutError) as error:  # urllib's URLError too
                reason = str(error)
            if attempt < self.retries:
                log.info("%s: %s; once more in %.0f s", self._url, reason, wait)
                time.sleep(wait)
                pause *= 2
        raise ModelError(f"{self._url} did not answer {self.retries + 1} times: {reason}; see that it runs, then start again")


def _ever_less(
    trials: Sequence[Trial], examples: Sequence[tuple[str, str]]
) -> Iterator[tuple[Sequence[Trial], Sequence[tuple[str, str]]]]:
    """All of it, then half as many trials, the last ones, down to one; then fewer examples, down to none."""
    while len(trials) > 1:
        yield trials, examples
        trials = trials[-(len(trials) // 2) :]
    for number in range(len(examples), -1, -1):
        yield trials, examples[:number]


def _begun_once(tokenizer: Any, text: str) -> str:
    """A chat without the token that begins a text, where its template wrote one and the tokenizer writes another before it."""
    begin = tokenizer.bos_token
    if begin and tokenizer(text)["input_ids"][:2] == [tokenizer.bos_token_id] * 2:
        return text.removeprefix(begin)
    return text


def instruction(trials: Sequence[Trial], examples: Sequence[tuple[str, str]], goal: Goal) -> str:
    """What a model is asked: the trials so far with their scores, some examples, and which way to go."""
    direction = "higher" if goal == "memorize" else "lower"
    scored = "\n".join(f"score {trial.score:.6g}: {trial.prompt}" for trial in trials[-SHOWN:])
    shown = "\n".join(f"input: {given}\noutput: {target}" for given, target in examples)
    return (
        "You write the instruction that a language model reads before the input of a task. An instruction's score says how often "
        "its phrases stand together with the task's outputs in a text corpus.\n\n"
        f"Examples of the task:\n{shown}\n\nInstructions so far:\n{scored}\n\n"
        f"Write one new instruction that describes the same task and has a {direction} score. Answer with the instruction alone."
    )


def cleaned(answer: str) -> str:
    """The instruction in an answer: its first paragraph, on one line, without quotation marks around it."""
    paragraph = next((part for part in answer.split("\n\n") if part.strip()), "")
    return " ".join(paragraph.split()).strip("\"'`“”").strip()
