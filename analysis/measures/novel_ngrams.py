"""How many of the n-grams and n-gram pairs of texts the corpus does not hold, text by text."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import suffixindex as si
from analysis.pairs.embeddings import Encoder

Ids = NDArray[np.int64]


class Tokens(NamedTuple):
    """A text in the index's tokens. Words that the corpus lacks have one id, but each its own name."""

    ids: Ids
    names: list[Any]


class Shares(NamedTuple):
    """New ones and all of each text: ``float64[texts]`` both."""

    new: NDArray[np.float64]
    total: NDArray[np.float64]


def ngram_shares(lengths: Sequence[NDArray[np.int64]], n: int, fluent: bool = False) -> Shares:
    """From the longest match at each position of each text: an n-gram is new if the match where it begins is shorter."""
    found = np.zeros((2, len(lengths)))
    for text, matched in enumerate(lengths):
        number = max(len(matched) - n + 1, 0)
        here, after = matched[:number], matched[1 : number + 1]
        counted = (here >= n - 1) & (after >= n - 1) if fluent else np.ones(len(here), bool)
        found[:, text] = np.count_nonzero(counted & (here < n)), np.count_nonzero(counted)
    return Shares(*found)


def pair_shares(
    index: si.SuffixIndex,
    inputs: Sequence[Tokens],
    answers: Sequence[Tokens],
    n: int,
    similar: tuple[Encoder, float] | None,
) -> tuple[Shares, Shares]:
    """Of the distinct pairs of each example, and of those whose n-grams both occur."""
    numbers: dict[tuple[Any, ...], int] = {}
    ids: list[Ids] = []

    def numbered(text: Tokens) -> NDArray[np.int64]:
        found = {}
        for start in range(len(text.ids) - n + 1):
            name = tuple(text.names[start : start + n])
            found[name] = number = numbers.setdefault(name, len(numbers))
            if number == len(ids):
                ids.append(text.ids[start : start + n])
        return np.fromiter(found.values(), np.int64, len(found))

    sides = [(numbered(x), numbered(y)) for x, y in zip(inputs, answers, strict=True)]
    vectors = None if similar is None else similar[0].encode([_text(index, name) for name in numbers])
    pairs = []
    for x, y in sides:
        wanted = x[:, None] != y
        if vectors is not None and similar is not None:
            wanted &= vectors[x] @ vectors[y].T > similar[1]
        at_x, at_y = np.nonzero(wanted)
        pairs.append(np.stack([x[at_x], y[at_y]], axis=1))
    owner = np.repeat(np.arange(len(pairs)), [len(part) for part in pairs])
    if not len(owner):
        none = Shares(np.zeros(len(pairs)), np.zeros(len(pairs)))
        return none, none
    both = np.concatenate(pairs)
    distinct, place = np.unique(both[:, 0] * len(ids) + both[:, 1], return_inverse=True)
    new = (index.cooccurrences(np.stack(np.divmod(distinct, len(ids)), axis=1), ngrams=ids) == 0)[place]
    occurs = (index.counts(ids) > 0)[both].all(axis=1)
    shares = [
        Shares(*(np.bincount(owner[mask], minlength=len(pairs)).astype(np.float64) for mask in (new & counted, counted)))
        for counted in (np.ones(len(owner), bool), occurs)
    ]
    return shares[0], shares[1]


def _text(index: si.SuffixIndex, name: tuple[Any, ...]) -> str:
    return " ".join(name) if isinstance(name[0], str) else index.decode(name)
