"""What should be known of how a model is asked before its numbers are trusted; measured where that is cheap."""

from dataclasses import replace

import numpy as np

from analysis.models.language_model import LanguageModel
from analysis.models.open import CausalModel
from analysis.models.scoring import score_targets

SENTENCES = (
    "The capital of France is Paris, and the river that runs through it is the Seine.",
    "She opened the window, looked at the rain for a while, and went back to her book.",
    "Water boils at one hundred degrees Celsius at sea level, and at less on a mountain.",
)


def doubts_of(model: LanguageModel) -> list[str]:
    """The sentences of :attr:`analysis.models.asking.Asking.doubts`; that of a token that begins a text with what it changes.

    Measured of weights that are here, by two passes over three sentences.
    """
    if not model.asking.doubts_begin or not isinstance(model, CausalModel):
        return model.asking.doubts
    begun, bare = (mean_log_prob(replace(model, bos=bos)) for bos in ("always", "never"))
    measured = f" (plain sentences have {begun:.2f} a token with it, {bare:.2f} without)".replace("-", "−")
    first, *others = model.asking.doubts
    return [first.replace(" and never adds it", f" and never adds it{measured}"), *others]


def mean_log_prob(model: LanguageModel) -> float:
    """log P a token of plain sentences, each after its first word."""
    parts = [sentence.partition(" ") for sentence in SENTENCES]
    found = score_targets(model, [(first + space, rest) for first, space, rest in parts])
    return float(found.log_probs.sum() / np.maximum(found.num_tokens.sum(), 1))
