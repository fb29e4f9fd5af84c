"""How a model is asked: what it reads before a text, and whether a prompt is a message of a chat.

The token that begins a text (BOS). Some models were trained with one before every text and say nonsense without it; their
tokenizers add it, or know it and do not. ``bos``:

==========  =====================================================================================================
``auto``    what the tokenizer adds by itself; in a chat, what the chat's template writes
``always``  it stands first: added where it does not yet
``never``   it is taken away again. A token that opens every turn of a chat ("<|im_start|>") is none, whatever it is called
==========  =====================================================================================================

A chat. Models that were tuned on conversations answer a message. With ``chat`` a prompt is the user's one message in the
template of the tokenizer, and the target is the beginning of what the assistant says: the same text, tokens and definition of
a score as for a plain model, after another prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

from analysis.errors import ConfigError, ModelError

Bos = Literal["auto", "always", "never"]
PROBE = "Zebra"  # a message, and an answer, that no template holds
ANSWER = "Quagga"


class Prompt(NamedTuple):
    """What stands before the target."""

    text: str
    head: int
    """Characters that it begins with and that are never cut: of a chat, all before the user's message."""
    tail: int
    """Those that it ends with, likewise: of a chat, all after the message."""


class Encoded(NamedTuple):
    """The tokens of a text."""

    ids: list[int]
    offsets: list[tuple[int, int]]
    """Characters [start, stop) of each."""
    special: list[int]
    """1 for a token that the text does not hold."""


@dataclass(frozen=True)
class Asking:
    """How one model is asked.

    Raises
    ------
    ConfigError
        ``bos`` is none of the three, or "always" of a tokenizer that knows no such token; ``chat`` without a template.
    """

    tokenizer: Any
    name: str
    bos: Bos = "auto"
    chat: bool = False

    def __post_init__(self) -> None:
        if self.bos not in get_args(Bos):
            raise ConfigError(f"bos is {self.bos!r}: expected {', '.join(get_args(Bos))}")
        if self.bos == "always" and self.tokenizer.bos_token_id is None:
            raise ConfigError(f"bos is 'always', and the tokenizer of {self.name} knows no token that begins a text: choose auto")
        if self.chat and not self.tokenizer.chat_template:
            raise ConfigError(f"chat is true, and the tokenizer of {self.name} has no chat template: choose chat = false")

    def prompt(self, text: str) -> Prompt:
        """What the model is to read for a prompt.

        Raises
        ------
        ModelError
            The template refuses the message, or does not hold it.
        """
        if not self.chat:
            return Prompt(text, 0, 0)
        message = text.strip()
        found, head = self._conversation(message), self._head
        if head < 0 or not found.startswith(message, head):
            head = found.find(message)
        if head < 0:
            raise ModelError(f"the chat template of {self.name} does not hold the message {message[:60]!r}: choose chat = false")
        whole = found + self._before_answer
        return Prompt(whole, head, len(whole) - head - len(message))

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """The tokens of texts, with the token that begins a text as ``bos`` says. O(characters)."""
        if not texts:
            return []
        found = self.tokenizer(
            list(texts),
            padding=False,
            truncation=False,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            verbose=False,
        )
        columns = zip(found["input_ids"], found["offset_mapping"], found["special_tokens_mask"], strict=True)
        return [self._begun(Encoded(list(ids), list(offsets), list(special))) for ids, offsets, special in columns]

    @cached_property
    def begins(self) -> str:
        """The token that every text begins with; "" for none."""
        (encoded,) = self.encode([self.prompt(PROBE).text])
        bos = self.tokenizer.bos_token_id
        return str(self.tokenizer.bos_token) if bos is not None and encoded.ids[:1] == [bos] else ""

    @cached_property
    def end_of_turn(self) -> int | None:
        """The token after what the assistant says; None where the template writes none, and outside of a chat."""
        if not self.chat:
            return None
        after = self._answered.partition(ANSWER)[2]
        ids = self.tokenizer(after, add_special_tokens=False, verbose=False)["input_ids"]
        return next((token for token in ids[:2] if token in self.tokenizer.added_tokens_decoder), None)

    @property
    def doubts_begin(self) -> bool:
        """Whether the tokenizer knows a token that begins a text, and nobody has said whether it should.

        Where that is the token between documents (GPT-NeoX) it is no doubt: such models were trained without one before a text.
        """
        bos = self.tokenizer.bos_token
        return bool(bos) and self.bos == "auto" and not self.chat and not self.begins and bos != self.tokenizer.eos_token

    @property
    def doubts(self) -> list[str]:
        """What a researcher should know before trusting the numbers: sentences, each with the setting that answers it."""
        found = []
        bos = self.tokenizer.bos_token
        if self.doubts_begin:
            found.append(
                f"{self.name}: its tokenizer knows the token {bos} that begins a text and never adds it; if the model was trained "
                "with it, all its numbers are of texts such as it never saw: choose bos = 'always', or 'never' if that is meant"
            )
        if self.tokenizer.chat_template and not self.chat:
            found.append(
                f"{self.name}: its tokenizer has a chat template, and it is asked without; a model that was tuned on conversations "
                "then often answers nothing: choose chat = true, unless it is compared with plain models"
            )
        return found

    def _begun(self, encoded: Encoded) -> Encoded:
        bos = self.tokenizer.bos_token_id
        if bos is None:
            return encoded
        if self.chat and encoded.special[:1] == [1] and encoded.ids[:2] == [bos, bos]:  # by the tokenizer and by the template
            encoded = _without_first(encoded)
        ids = encoded.ids
        if self.bos == "always" and ids[:1] != [bos]:
            return Encoded([bos, *ids], [(0, 0), *encoded.offsets], [1, *encoded.special])
        if self.bos == "never" and ids[:1] == [bos] and (encoded.special[0] or (self.chat and ids.count(bos) == 1)):
            return _without_first(encoded)
        return encoded

    def _conversation(self, message: str, answer: str = "") -> str:
        messages = [{"role": "user", "content": message}]
        messages += [{"role": "assistant", "content": answer}] if answer else []
        try:
            return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=not answer))
        except Exception as error:  # a template is a program, and raises what it likes
            raise ModelError(f"the chat template of {self.name} refuses a message: {error}; choose chat = false") from error

    @cached_property
    def _head(self) -> int:
        """Characters that stand before a message, unless they depend on it."""
        return self._conversation(PROBE).find(PROBE)

    @cached_property
    def _answered(self) -> str:
        return self._conversation(PROBE, ANSWER)

    @cached_property
    def _before_answer(self) -> str:
        """White space that the template writes before what the assistant says, and not where it is asked to go on."""
        asked, answered = self._conversation(PROBE), self._answered
        between = answered[len(asked) :].partition(ANSWER)[0] if answered.startswith(asked) else ""
        return between if between.isspace() else ""


def _without_first(encoded: Encoded) -> Encoded:
    return Encoded(encoded.ids[1:], encoded.offsets[1:], encoded.special[1:])
