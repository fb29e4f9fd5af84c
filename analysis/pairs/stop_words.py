"""Which n-grams say something: those with a word of letters or digits that is no function word of its language."""

import hashlib
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray


@cache
def stop_words() -> dict[str, frozenset[str]]:
    """Function words by language code."""
    return {language: frozenset(words.split()) for language, words in tomllib.loads(_listed()).items()}


def digest() -> str:
    """What the lists are, for the provenance of what is dropped by them."""
    return hashlib.sha256(_listed().encode()).hexdigest()[:16]


def _listed() -> str:
    return (files("analysis.pairs") / "stop_words.toml").read_text(encoding="utf-8")


def languages(subset: str) -> tuple[str, str]:
    """The languages of inputs and targets: those of a subset like ``en-fr``, else English."""
    first, _, second = subset.partition("-")
    return (first, second) if {first, second} <= stop_words().keys() else ("en", "en")


def content(ngrams: Sequence[str], language: str) -> NDArray[np.bool_]:
    """Which n-grams (words joined by spaces) have a content word: ``bool[len(ngrams)]``."""
    stops = stop_words()[language]
    said = (any(word not in stops and any(map(str.isalnum, word)) for word in ngram.split()) for ngram in ngrams)
    return np.fromiter(said, bool, len(ngrams))
