"""A model behind an OpenAI-compatible completions endpoint that returns the log-probabilities of a prompt.

The tokens are made here, by the model's tokenizer, and sent as ids: spans, chats, the token that begins a text and what is too
long are then decided as for a model on this machine. Three ways to ask for a prompt's log-probabilities are tried in order,
once, on a short text; the first that gives one for every token is used:

=====================  ====================================================================================================
``prompt_logprobs``    ids, and ``prompt_logprobs = 0``: vLLM
``echo``               ids, with ``echo = true, logprobs = 1``: vLLM, SGLang and others, as OpenAI's completions had it
``echo of text``       the same with the text, for servers that take no ids (llama-cpp-python with ``logits_all``); each answer
                       must be of as many tokens as the tokenizer here makes
=====================  ====================================================================================================

An endpoint that repeats the prompt and gives the log-probabilities of what it writes alone (llama.cpp's own server) is refused:
taken for the prompt's they would be wrong, and nobody told.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ConfigError, ModelError
from analysis.models.asking import Bos
from analysis.models.language_model import LanguageModel, Output, Sampling
from analysis.models.open import open_tokenizer
from analysis.models.served.client import Client, RefusedError
from analysis.models.token_spans import Reading

log = logging.getLogger(__name__)

PROBE = "The capital of France is Paris, and that of Italy is Rome."
VOLATILE = ("created", "permission")  # of what an endpoint says of a model: another at each start
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class _Way(NamedTuple):
    """A way to ask for the log-probabilities of a prompt."""

    name: str
    ids: bool
    options: dict[str, Any]


WAYS = (
    _Way("prompt_logprobs", True, {"prompt_logprobs": 0}),
    _Way("echo", True, {"echo": True, "logprobs": 1}),
    _Way("echo of text", False, {"echo": True, "logprobs": 1}),
)


@dataclass(frozen=True, eq=False)
class ServedModel(LanguageModel):
    """A causal language model that runs behind an endpoint."""

    client: Client
    served: str
    """What the endpoint calls it."""
    connections: int = 8
    """Questions that are asked at a time."""
    told: dict[str, Any] = field(default_factory=dict)
    """What the endpoint says of it."""

    @property
    def context_length(self) -> int | None:
        """Tokens that it reads and writes."""
        found = self.limit or self.told.get("max_model_len") or _meta(self.told).get("n_ctx")
        return None if found is None else int(found)

    @property
    def scored_length(self) -> int | None:
        """One less than it reads and writes, for it always writes a token."""
        return None if self.context_length is None else self.context_length - 1

    @cached_property
    def num_outputs(self) -> int:
        return 1 + int(max(self.tokenizer.get_vocab().values()))

    @property
    def end_tokens(self) -> list[int]:
        ends = (self.tokenizer.eos_token_id, self.asking.end_of_turn)
        return list(dict.fromkeys(token for token in ends if token is not None))

    @property
    def where(self) -> str:
        return self.client.base_url

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of what can be known of it: its address, its name there, what the endpoint says of it, its tokenizer."""
        told = {name: value for name, value in self.told.items() if name not in VOLATILE}
        known = [self.client.base_url, self.served, told, self.tokenizer.backend_tokenizer.to_str()]
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()

    def log_probs(self, batch: Sequence[Reading]) -> list[NDArray[np.float64]]:
        """log P of each target token after all before it, of several texts at a time.

        Raises
        ------
        ModelError
            The endpoint gives no log-probabilities of a prompt, or refuses a text; the message names it.
        """
        way = self._way

        def one(reading: Reading) -> NDArray[np.float64]:
            try:
                found = self._prompt_log_probs(way, reading.ids.tolist())
            except ModelError as error:
                raise type(error)(f"{reading.name}: {error}") from error
            return np.array([found[place] for place in reading.positions.tolist()], np.float64)

        return self._at_a_time(one, batch)

    def continued(
        self, prompts: Sequence[list[int]], max_tokens: int, stop: Sequence[str], sampling: Sampling | None
    ) -> list[Output]:
        """What the model writes after each prompt, up to a stop, an end of text, or ``max_tokens``."""
        turn = self.asking.end_of_turn
        settings: dict[str, Any] = {"temperature": 0.0} if sampling is None else {**sampling._asdict()}
        settings |= {"stop": list(stop)} if stop else {}
        settings |= {} if turn is None else {"stop_token_ids": [turn]}  # such a token has no text that a stop could be

        def one(ids: list[int]) -> Output:
            choice = self._complete(ids, self._takes_ids, max_tokens=max_tokens, **settings)
            if not isinstance(text := choice.get("text"), str):
                raise self._strange(choice, "a choice with a text")
            return Output(text, "length" if choice.get("finish_reason") == "length" else "stop")

        return self._at_a_time(one, prompts)

    def _at_a_time(self, ask: Callable[[Asked], Answer], questions: Sequence[Asked]) -> list[Answer]:
        with ThreadPoolExecutor(self.connections) as pool:
            waiting = [pool.submit(ask, question) for question in questions]
            try:
                return [each.result() for each in waiting]
            finally:
                for each in waiting:
                    each.cancel()

    @cached_property
    def _way(self) -> _Way:
        """The first way that gives a log-probability for every token of a prompt.

        Raises
        ------
        ModelError
            None does.
        """
        (encoded,) = self.asking.encode([self.asking.prompt(PROBE).text])
        tried = []
        for way in WAYS:
            try:
                self._prompt_log_probs(way, encoded.ids)
            except (RefusedError, _NoneGivenError) as error:
                tried.append(f"{way.name}: {error}")
                continue
            log.info("%s: log-probabilities of prompts by %s", self.label, way.name)
            return way
        raise ModelError(
            f"{self.client.base_url} gives no log-probabilities of a prompt ({'; '.join(tried)}): serve the model with vLLM or "
            "another server that does, or set score = false, which takes its answers alone"
        )

    @cached_property
    def _takes_ids(self) -> bool:
        (encoded,) = self.asking.encode([self.asking.prompt(PROBE).text])
        try:
            self._complete(encoded.ids, True, max_tokens=1, temperature=0.0)
        except RefusedError as error:
            log.info("%s takes no ids (%s), so it is sent texts", self.label, error)
            return False
        return True

    def _prompt_log_probs(self, way: _Way, ids: list[int]) -> list[float]:
        """Of every token but the first, for which there is nan."""
        choice = self._complete(ids, way.ids, max_tokens=1, temperature=0.0, **way.options)
        listed = choice.get("prompt_logprobs") if "prompt_logprobs" in way.options else _echoed(choice, way, ids)
        if not isinstance(listed, list) or len(listed) < len(ids):
            given = len(listed) if isinstance(listed, list) else "no"
            raise _NoneGivenError(f"{given} log-probabilities for {len(ids)} tokens")
        try:
            values = [_value(entry, token) for entry, token in zip(listed[1 : len(ids)], ids[1:], strict=True)]
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange(choice, "a log-probability for every token of the prompt") from error
        return [float("nan"), *values]

    def _complete(self, ids: list[int], as_ids: bool, **settings: Any) -> dict[str, Any]:
        """The endpoint's choice."""
        body = {"model": self.served, "prompt": ids if as_ids else self._text(ids), **settings}
        answer = self.client.post("/completions", body)
        try:
            choice = answer["choices"][0]
            return {**choice, "usage": answer.get("usage") or {}}
        except (KeyError, IndexError, TypeError) as error:
            raise self._strange(answer, "a completion") from error

    def _text(self, ids: list[int]) -> str:
        """The text of ids without the token that begins a text, which a server that is sent text adds itself."""
        begun = ids[:1] == [self.tokenizer.bos_token_id]
        return str(self.tokenizer.decode(ids[begun:], clean_up_tokenization_spaces=False))

    def _strange(self, answer: Any, expected: str) -> ModelError:
        return ModelError(f"{self.client.url('/completions')} answered {str(answer)[:300]}: expected {expected}")


class _NoneGivenError(ModelError):
    """An endpoint answers and leaves out what was asked."""


def _echoed(choice: dict[str, Any], way: _Way, ids: list[int]) -> Any:
    """The log-probabilities of an echoed prompt and of what follows it."""
    told = choice.get("logprobs")
    listed = told.get("token_logprobs") if isinstance(told, dict) else None
    if way.ids or not isinstance(listed, list):
        return listed
    read = choice["usage"].get("prompt_tokens", len(listed) - 1)
    if read != len(ids) and len(listed) > 1:
        more = "; it adds a token that begins a text: choose bos = 'always'" if read == len(ids) + 1 else ""
        raise ModelError(
            f"the server reads {read} tokens where the tokenizer here makes {len(ids)}{more}; set tokenizer to that of the served "
            "model"
        )
    return listed


def _value(entry: Any, token: int) -> float:
    """A log-probability: by itself, or below the token's id."""
    if isinstance(entry, dict):
        entry = entry[str(token)]
        entry = entry["logprob"] if isinstance(entry, dict) else entry
    return float(entry)


def open_served(
    url: str,
    *,
    served: str = "",
    tokenizer: str = "",
    num_parameters: int = 0,
    limit: int | None = None,
    bos: Bos = "auto",
    chat: bool = False,
    connections: int = 8,
    client: Client | None = None,
) -> ServedModel:
    """A model behind an endpoint.

    Parameters
    ----------
    url
        What ``/completions`` is put after: ``http://localhost:8000/v1``.
    served
        What the endpoint calls the model. "": the one that it has.
    tokenizer
        The model's tokenizer: a Hugging Face name, a folder or a GGUF file. "": what the endpoint calls the model.
    num_parameters, limit
        Parameters, and tokens that it reads and writes, where the endpoint does not say.
    bos, chat
        ``analysis.models.asking``.
    connections
        Questions that are asked at a time.
    client
        Another than one with the default patience and no key.

    Raises
    ------
    ConfigError
        It has several models, or not this one.
    ModelError
        It cannot be reached, or the tokenizer cannot be opened.
    """
    asked = client or Client(url)
    told = _told(asked, served)
    name = str(told["id"])
    try:
        read = open_tokenizer(tokenizer or str(told.get("root") or name))
    except ModelError as error:
        raise ModelError(
            f"{error}; it is the tokenizer of {url}: set tokenizer to a name, folder or GGUF file that has it"
        ) from error
    parameters = num_parameters or int(_meta(told).get("n_params") or 0)
    if not parameters:
        raise ConfigError(f"{url} does not say how many parameters {name} has: set parameters, as parameters = 12_000_000_000")
    how: dict[str, Any] = {"bos": bos, "chat": chat, "limit": limit}
    found = ServedModel(read, url, "", parameters, -1, asked, name, connections, told, **how)
    if found.context_length is None:
        log.warning("%s does not say how many tokens %s reads: set context_length, so that longer texts are left out", url, name)
    _ = found.asking  # which refuses what the tokenizer cannot follow
    log.info("%s: %s, %s at a time", url, name, connections)
    return found


def _meta(told: dict[str, Any]) -> dict[str, Any]:
    """What llama.cpp says of a model."""
    return told["meta"] if isinstance(told.get("meta"), dict) else {}


def _told(client: Client, served: str) -> dict[str, Any]:
    """What the endpoint says of the model."""
    try:
        listed = client.get("/models")
    except RefusedError:
        if served:
            return {"id": served}  # an endpoint that lists no models
        raise
    entries = listed.get("data") if isinstance(listed, dict) else None
    known = {str(entry["id"]): dict(entry) for entry in entries or () if isinstance(entry, dict) and "id" in entry}
    if served and served not in known:
        raise ConfigError(
            f"{client.base_url} has no model {served!r}; it has {', '.join(known) or 'none'}: set served to one of them"
        )
    if not served and len(known) != 1:
        raise ConfigError(f"{client.base_url} has {', '.join(known) or 'no model'}: set served to the one that is meant")
    return known[served or next(iter(known))]
