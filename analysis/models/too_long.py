"""What becomes of an example that is longer than a model's context: one rule, which every stage that reads a prompt asks.

=================  ==================================================================================================
``drop``           the example is left out and counted (``analysis.measures.unread``); the default
``truncate_left``  tokens are dropped from the start of the prompt, after the special tokens that begin the text, and of a
                   chat after all that stands before the message; an example that is too long without any prompt is left
                   out and counted
``error``          it is refused, and the stage ends
=================  ==================================================================================================

All choices of an example are cut alike, by what the longest needs: they are compared after one and the same prompt.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

import numpy as np

from analysis.errors import ConfigError, ModelError
from analysis.models.language_model import LanguageModel
from analysis.models.token_spans import Reading

TooLong = Literal["drop", "truncate_left", "error"]
RULES: tuple[TooLong, ...] = ("drop", "truncate_left", "error")


def num_dropped(excess: int, room: int, too_long: TooLong, what: str) -> int | None:
    """How many tokens of a prompt's start are dropped; None: the example is left out.

    Parameters
    ----------
    excess
        Tokens of the example beyond what the model reads; 0 or less: it fits.
    room
        Tokens of the prompt that may be dropped.
    what
        Begins the message: what has how many tokens.

    Raises
    ------
    ModelError
        It does not fit, and ``too_long`` is "error".
    ConfigError
        ``too_long`` is none of the three.
    """
    if too_long not in RULES:
        raise ConfigError(f"too_long is {too_long!r}: expected {', '.join(RULES)}")
    if excess <= 0:
        return 0
    if too_long == "error":
        raise ModelError(f"{what}: shorten the prompt, or choose too_long = 'truncate_left', which drops its start, or 'drop'")
    return excess if too_long == "truncate_left" and excess <= room else None


def fit(readings: Sequence[Reading], model: LanguageModel, too_long: TooLong, length: int | None = None) -> list[Reading] | None:
    """The readings of one example, within the model's context and ``length`` tokens; None if the example is left out.

    The last token is predicted and need not be read. Errors as for :func:`num_dropped`.
    """
    limits = [limit for limit in (model.scored_length, None if length is None else length + 1) if limit is not None]
    limit = min(limits, default=None)
    longest = max(readings, key=lambda reading: len(reading.ids))
    excess = 0 if limit is None else len(longest.ids) - limit
    room = min(reading.message_stop - max(reading.num_head, 1) for reading in readings)
    target = len(longest.ids) - int(longest.positions[0])
    what = (
        f"{longest.name} has {len(longest.ids):,} tokens, {target:,} of them from its target on, and {model.label} reads "
        f"{limit - 1:,}"
        if limit is not None
        else ""
    )
    dropped = num_dropped(excess, room, too_long, what)
    return None if dropped is None else [_without_start(reading, dropped) for reading in readings]


def fit_all(readings: Sequence[Reading], examples: Sequence[int], model: LanguageModel, too_long: TooLong) -> list[Reading | None]:
    """:func:`fit` for many examples: ``examples`` has the number of each reading's, ascending."""
    fitted: list[Reading | None] = []
    for _, group in groupby(zip(examples, readings, strict=True), lambda entry: entry[0]):
        some = [reading for _, reading in group]
        fitted += fit(some, model, too_long) or [None] * len(some)
    return fitted


def _without_start(reading: Reading, dropped: int) -> Reading:
    if not dropped:
        return reading
    kept = np.concatenate([reading.ids[: reading.num_head], reading.ids[reading.num_head + dropped :]])
    return reading._replace(ids=kept, positions=reading.positions - dropped, message_stop=reading.message_stop - dropped)
