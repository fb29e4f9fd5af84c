"""Modes: what exactly is computed where the paper, its released code and sound practice differ. One switch for each difference.

``strict``
    One unit, only probabilities that the counts support; a pair is a row for each example that holds it. The default.
``paper``
    As arXiv 2407.14985 defines its measures, of pairs as they were mined: the paper drops neither n-grams of stop words
    (``stop_words = false`` in ``[mining]``) nor pairs of which one n-gram holds the other (``keep_nested = true``).
``reference-code``
    As the code that its authors released computes them, faults included, to compare with figures made by it.

A mode is named in every table of results. A switch can be turned by itself, and then is part of the name:
``strict+minimum_count``, ``reference-code-mixed_units``.
"""

import re
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from analysis.errors import ConfigError


@dataclass(frozen=True)
class Mode:
    """Switches; which stage reads each stands in brackets."""

    name: str

    skip_zero_tokens: bool = False
    """[correlate] Keep n-grams that the ∞-gram model gives a probability only because tokens of probability zero were skipped.

    The paper skips them. What is left is the probability of another, shorter n-gram: ``strict`` keeps such rows out.
    """
    nonzero_pairs: bool = False
    """[correlate] Keep pairs alone that one document or more holds, for every model of the corpus: the paper's H_n.

    ``strict`` leaves out what the model at hand gives no probability, so that others are not chosen by the task-gram's count.
    """
    minimum_count: bool = False
    """[correlate] The pair's count is the lesser of its two n-grams' counts: no co-occurrence at all.

    What the released code asks infini-gram for.
    """
    mixed_units: bool = False
    """[correlate] Divide documents by occurrences: ``C(pair)`` in documents, ``C(x)`` in occurrences.

    The released code takes the first from WIMBD's index of documents, the second from another copy's occurrences. The result
    is no probability: it falls with repetition inside documents, and with single documents in another copy it can exceed 1.
    """
    average_by_target: bool = False
    """[correlate] One row for each s^y of an example: the mean of the log-probabilities of the pairs that share it."""
    scaled_similarity: bool = False
    """[correlate] Compare 100 · cosine with 0.2 in place of γ, as the released code does for E5: keeps almost all pairs.

    Asks for pairs that were mined with γ = 0.002 or less; where they were not, the pipeline turns this switch off, by name.
    """
    distinct_pairs: bool = False
    """[correlate] H_n is a set: a pair that several examples hold counts once, with the mean of the log-probabilities there."""
    mask_to_end: bool = False
    """[score] s^y is everything from its first match in the target to the end of the text, not the n-gram alone."""

    def threshold(self, gamma: float) -> float:
        """What a pair's cosine must exceed, where the study says γ."""
        return 0.2 / 100 if self.scaled_similarity else gamma

    def pair_counts(self, counts: dict[str, NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numerator and denominator of the task-gram probability, from the columns of ``COUNTS``."""
        single = np.minimum(counts["x_documents"], counts["y_documents"])
        pair = single if self.minimum_count else counts["pair_documents"]
        return pair, counts["x_occurrences"] if self.mixed_units else counts["x_documents"]


MODES = {
    mode.name: mode
    for mode in (
        Mode("strict"),
        Mode("paper", skip_zero_tokens=True, nonzero_pairs=True, distinct_pairs=True),
        Mode(
            "reference-code",
            skip_zero_tokens=True,
            nonzero_pairs=True,
            minimum_count=True,
            mixed_units=True,
            average_by_target=True,
            scaled_similarity=True,
            mask_to_end=True,
        ),
    )
}
TOLD = {
    "strict": "a pair is a row for each example that holds it, and only probabilities that the counts support are kept",
    "paper": "as the paper words it: a pair counts once, tokens of probability zero are skipped, and pairs in no document dropped",
    "reference-code": "as the released code computes it, faults included",
}
"""What a reader of the report is told of each mode."""
SWITCHES = tuple(field.name for field in fields(Mode) if field.name != "name")


def told(mode: str) -> str:
    """A mode by its name, with what it does."""
    base = max((name for name in MODES if mode.startswith(name)), key=len)
    return f"{mode} ({TOLD[base]}{', with the switches that its name says' if mode != base else ''})"


def find_mode(mode: str | Mode) -> Mode:
    """A mode by its name, with ``+switch`` and ``-switch`` after it.

    Raises
    ------
    ConfigError
        An unknown mode or switch, or one that stands as it is asked to.

    Examples
    --------
    >>> find_mode("strict+minimum_count").minimum_count
    True
    """
    if isinstance(mode, Mode):
        return mode
    base = max((name for name in MODES if re.match(rf"{name}($|[+-])", mode)), key=len, default=None)
    if base is None:
        raise ConfigError(f"unknown mode {mode!r}: expected {', '.join(MODES)}, with +switch or -switch of {', '.join(SWITCHES)}")
    found = MODES[base]
    for sign, switch in re.findall(r"([+-])([^+-]*)", mode[len(base) :]):
        if switch not in SWITCHES:
            raise ConfigError(f"unknown switch {switch!r} of mode {mode!r}: expected one of {', '.join(SWITCHES)}")
        if getattr(found, switch) == (sign == "+"):
            raise ConfigError(f"mode {mode!r}: {switch} is {'on' if sign == '+' else 'off'} already")
        found = replace(found, **{switch: sign == "+"}, name=f"{found.name}{sign}{switch}")
    return found
