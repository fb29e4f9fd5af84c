"""A language model, wherever it runs: what tables call it, its tokenizer, how it is asked, how much it reads."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from analysis.models.asking import Asking, Bos


class Sampling(NamedTuple):
    """Draw tokens instead of taking the likeliest."""

    temperature: float
    seed: int


class Output(NamedTuple):
    """What a model wrote, and whether it ended there ("stop") or was cut after as many tokens as it may write ("length")."""

    text: str
    ended: Literal["stop", "length"]


@dataclass(frozen=True, eq=False)
class LanguageModel(ABC):
    """What all that scores and writes knows of a model. See ``analysis.models.open`` and ``analysis.models.served``."""

    tokenizer: Any
    name: str
    revision: str
    num_parameters: int
    """-1: unknown."""
    step: int
    """The training step of the checkpoint; -1: unknown."""
    bos: Bos = field(default="auto", kw_only=True)
    chat: bool = field(default=False, kw_only=True)
    limit: int | None = field(default=None, kw_only=True)
    """The most tokens that it may read, whatever its configuration says."""

    @property
    def columns(self) -> dict[str, Any]:
        """model, revision, num_parameters and step, as tables have them."""
        return {"model": self.name, "revision": self.revision, "num_parameters": self.num_parameters, "step": self.step}

    @property
    def label(self) -> str:
        """The model in a sentence."""
        return f"{self.name} at {self.revision}" if self.revision else self.name

    @cached_property
    def asking(self) -> Asking:
        """How it is asked."""
        return Asking(self.tokenizer, self.name, self.bos, self.chat)

    @property
    @abstractmethod
    def context_length(self) -> int | None:
        """The most tokens that it reads and writes; None where nothing says a limit."""

    @property
    def scored_length(self) -> int | None:
        """The most tokens of a text whose last token is predicted and not read."""
        return None if self.context_length is None else self.context_length + 1

    @property
    @abstractmethod
    def num_outputs(self) -> int:
        """Ids that it gives a probability to."""

    @property
    @abstractmethod
    def end_tokens(self) -> list[int]:
        """Tokens that end what it writes."""

    @property
    @abstractmethod
    def where(self) -> str:
        """Where it runs and in what, for a message."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """What its answers depend on: the name of its caches."""
