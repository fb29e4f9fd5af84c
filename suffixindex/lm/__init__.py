"""Language models that an index is: nothing is trained, every count is looked up.

========================  ======================================================================================
:class:`KneserNey`        interpolated modified Kneser-Ney: a smoothed n-gram model, every probability above zero
:class:`Infgram`          ∞-gram: what follows the longest suffix of the context that the corpus holds
:class:`StupidBackoff`    scores that are no probabilities, by n-gram counts alone
:func:`interpolate`       the ∞-gram and a neural model together
========================  ======================================================================================
"""

from typing import Any

from suffixindex.deprecated import warn_renamed
from suffixindex.lm.backoff import StupidBackoff
from suffixindex.lm.base import LanguageModel, Perplexity
from suffixindex.lm.infgram import Infgram
from suffixindex.lm.interpolation import buckets_by_length, buckets_by_sparsity, fit_weights, interpolate
from suffixindex.lm.kneser_ney import KneserNey

__all__ = [
    "Infgram",
    "KneserNey",
    "LanguageModel",
    "Perplexity",
    "StupidBackoff",
    "buckets_by_length",
    "buckets_by_sparsity",
    "fit_weights",
    "interpolate",
]


def __getattr__(name: str) -> Any:
    if name == "InfgramModel":
        warn_renamed("InfgramModel", "Infgram")
        return Infgram
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
