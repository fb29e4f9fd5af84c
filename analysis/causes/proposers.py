"""What proposes a task's next prompt: an endpoint, a local model, or random edits of words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from analysis.errors import ModelError
from analysis.models.generation import continue_texts
from analysis.models.language_model import LanguageModel, Sampling
from analysis.models.served import Client

Goal = Literal["memorize", "generalize"]
SHOWN = 8  # trials that a model is shown, the best last
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

    model: LanguageModel
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
        chat = bool(self.model.tokenizer.chat_template)
        model = replace(self.model, chat=chat)
        for shown in _ever_less(trials[-SHOWN:], examples):
            asked = instruction(*shown, goal)
            text = asked if chat else f"{asked}\n\nNew instruction:"
            (answer,) = continue_texts(model, [text], names=["the proposer's prompt"], **settings)
            if answer is not None:
                return cleaned(answer)
        raise ModelError(
            f"the proposer {self.model.columns['model']} has too short a context for its instruction and {self.max_tokens} tokens "
            "more: choose a model with a longer one, or proposer = 'edits'"
        )


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
        client = Client(self.base_url, self.api_key_env, self.timeout, self.retries, self.pause)
        answer = client.post("/chat/completions", asked)
        try:
            return cleaned(str(answer["choices"][0]["message"]["content"] or ""))
        except (KeyError, IndexError, TypeError) as error:
            shown = str(answer)[:200]
            url = client.url("/chat/completions")
            raise ModelError(f"{url} answered what is no chat completion: {shown}; check base_url and model") from error


def _ever_less(
    trials: Sequence[Trial], examples: Sequence[tuple[str, str]]
) -> Iterator[tuple[Sequence[Trial], Sequence[tuple[str, str]]]]:
    """All of it, then half as many trials, the last ones, down to one; then fewer examples, down to none."""
    while len(trials) > 1:
        yield trials, examples
        trials = trials[-(len(trials) // 2) :]
    for number in range(len(examples), -1, -1):
        yield trials, examples[:number]


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
