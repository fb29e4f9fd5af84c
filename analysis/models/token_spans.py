"""Which tokens of a model belong to which characters of a text.

The rule. Prompt and target are joined and encoded as **one** text, as the training corpus was: "Answer: " and "Paris" give the
tokens "Answer", ":", " Paris", where encoding them apart would end the prompt with a lone space that no corpus has before a
word. Of what a tokenizer's offsets leave out, white space belongs to the token after it, the rest (an accent that
normalising joined to its letter) to the token before. A token then belongs to a span if they have a character in common: so
the token of a word has its leading space with it, a token across the border of prompt and target belongs to the target, one
across the border of two n-grams to both, and the tokens of which each holds a part of one character all hold that character.
Nothing is found by searching for text.

What a prompt is in a chat, and whether a token begins the text: ``analysis.models.asking``. A token is predicted from what
stands before it. Where the target's first token is the text's first, the model's beginning-of-text token is read before it
(``<|endoftext|>`` for GPT-NeoX, which stood between the documents of its corpus).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ModelError
from analysis.models.asking import Encoded, Prompt
from analysis.models.language_model import LanguageModel

ENCODED_TEXTS = 1024  # at a time: an Encoding holds about 100 bytes a token


class Text(NamedTuple):
    """What a model reads, and what messages call it."""

    name: str
    prompt: str
    target: str


class Reading(NamedTuple):
    """The ids of a text, and those of its target."""

    name: str
    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    """Places in ``ids`` of the tokens that belong to the target, ascending, the first above 0."""
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    """Characters ``[start, stop)`` of the target that each of them holds; a start below 0 lies in the prompt."""
    num_head: int
    """Tokens that ``ids`` begins with and that are never cut: one that begins a text, and what a chat's template writes first."""
    message_stop: int
    """Where in ``ids`` that ends of which tokens may be cut: a prompt, in a chat the user's message."""

    def overlapping(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Which of ``positions`` belong to the characters [start, stop) of the target."""
        return (self.starts < stop) & (self.stops > start)


def read_texts(model: LanguageModel, texts: Sequence[Text], *, documents: bool = False) -> list[Reading]:
    """Encode texts and find the tokens of their targets. O(characters).

    Parameters
    ----------
    documents
        They are parts of the corpus, which no chat's template is put around.

    Raises
    ------
    ModelError
        A target without tokens, no token to read before the first, or an id that the model does not know.
    """
    readings: list[Reading] = []
    asking = replace(model.asking, chat=False) if documents else model.asking
    for first in range(0, len(texts), ENCODED_TEXTS):
        some = texts[first : first + ENCODED_TEXTS]
        prompts = [asking.prompt(text.prompt) for text in some]
        encoded = asking.encode([prompt.text + text.target for prompt, text in zip(prompts, some, strict=True)])
        readings += [_reading(model, *columns_of_one) for columns_of_one in zip(some, prompts, encoded, strict=True)]
    return readings


def narrow(reading: Reading, start: int, stop: int) -> Reading:
    """A reading that ends with the tokens of the characters [start, stop) of its target, which become its target.

    Raises
    ------
    ModelError
        No token belongs to these characters.
    """
    inside = reading.overlapping(start, stop)
    if not inside.any():
        raise ModelError(f"{reading.name}: no token belongs to the characters [{start}, {stop}) of the target")
    positions = reading.positions[inside]
    starts, stops = reading.starts[inside] - start, reading.stops[inside] - start
    chat = reading.message_stop < reading.positions[0]
    return reading._replace(
        ids=reading.ids[: positions[-1] + 1],
        positions=positions,
        starts=starts,
        stops=stops,
        message_stop=reading.message_stop if chat else int(positions[0]),
    )


def first_tokens(model: LanguageModel, name: str) -> list[int]:
    """What a model reads where nothing else stands before: its beginning-of-text token.

    Raises
    ------
    ModelError
        It has none.
    """
    for token in (model.tokenizer.bos_token_id, model.tokenizer.eos_token_id):
        if token is not None:
            return [int(token)]
    raise ModelError(f"{name} begins with its target, and {model.label} has no token that begins a text: give it a prompt")


def _reading(model: LanguageModel, text: Text, prompt: Prompt, encoded: Encoded) -> Reading:
    content = np.flatnonzero(np.array(encoded.special, np.int64) == 0)
    last = int(content[-1]) + 1 if len(content) else 0
    array = np.array(encoded.ids[:last], np.int64)  # without special tokens after the text
    if len(array) and array.max() >= model.num_outputs:
        raise ModelError(
            f"{text.name} has the token {array.max()}, and {model.label} knows {model.num_outputs:,}: its tokenizer is another's"
        )
    held = np.array([encoded.offsets[place] for place in content], np.int64).reshape(-1, 2)
    starts, stops = _with_what_offsets_leave_out(prompt.text + text.target, held)
    border = len(prompt.text)
    inside = (stops > border) & (stops > starts)
    if not inside.any():
        raise ModelError(f"{text.name}: its target {text.target[:60]!r} has no tokens")
    num_head = int(content[int((stops <= prompt.head).sum())]) if prompt.head else int(content[0])
    message_stop = int(content[int((starts < border - prompt.tail).sum())]) if prompt.tail else int(content[inside][0])
    positions, starts, stops = content[inside], starts[inside] - border, stops[inside] - border
    if positions[0] == 0:
        array, positions = np.concatenate([first_tokens(model, text.name), array]), positions + 1
        num_head = message_stop = 1
    return Reading(text.name, array, positions, starts, stops, num_head, message_stop)


def _with_what_offsets_leave_out(text: str, held: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts moved back over white space, and stops moved on over the rest, of which the tokenizer says that no token holds it."""
    starts, stops = held[:, 0].copy(), held[:, 1].copy()
    reached = 0
    for place, (start, stop) in enumerate([*held.tolist(), (len(text), len(text))]):
        if reached < start:
            border = reached + len(text[reached:start].rstrip())
            if place < len(held):
                starts[place] = border
            if border > reached:
                stops[:place][held[:place, 1] == reached] = border
        reached = max(reached, stop)
    return starts, stops
