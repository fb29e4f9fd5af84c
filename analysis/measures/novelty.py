"""What models write that the corpus does not hold: n-grams, and pairs of an n-gram of the input and one of the output.

A small model's broken output is "new" too: novelty falls as models begin to write words that exist, whatever they remember.
So each share stands beside its controls:

========================  =======================================================================================
``ngram``                 n-grams of the output, each occurrence, that the corpus does not hold
``pair``                  distinct pairs s^x, s^y of input and output that no document holds (Novelty of the paper)
``fluent_ngram``          of the n-grams whose first and last n - 1 tokens both occur: known parts joined in a new way
``fluent_pair``           of the pairs whose n-grams both occur: known n-grams that no document holds together
``reference_…``           the same four of the reference targets in place of outputs: what right and fluent answers have
========================  =======================================================================================

N-grams are of the index's own tokens: words with the tokenizer ``words``, as in the paper.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from tqdm import tqdm

import suffixindex as si
from analysis.errors import ConfigError, MeasureError, TableError
from analysis.measures.novel_ngrams import Shares, Tokens, ngram_shares, pair_shares
from analysis.measures.pair_arrays import models_of, of_model
from analysis.measures.subsets import groups_of
from analysis.ngrams import word_spans
from analysis.pairs.embeddings import Encoder
from analysis.schemas import NOVELTY
from analysis.stats.correlations import RATIO
from analysis.stats.resampling import clustered_bootstrap
from analysis.tables import table_of

UNITS = ("ngram", "pair", "fluent_ngram", "fluent_pair")
REFERENCE = "reference_"


class LongestMatch(NamedTuple):
    """The longest part ``[start, stop)`` of a text, in tokens, that the corpus holds, the first of equals; how often it does."""

    start: int
    stop: int
    count: int  # type: ignore[assignment] # hides tuple.count, which nobody wants here


def novelty(
    examples: pa.Table,
    generations: pa.Table,
    index: si.SuffixIndex,
    *,
    ns: Sequence[int] = (1, 2, 3, 4, 5),
    units: Sequence[str] = UNITS,
    encoder: Encoder | None = None,
    gammas: Mapping[int, float] | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    by_subset: bool = False,
) -> pa.Table:
    """Shares of new n-grams and pairs in what each model wrote, and in the references of the same examples.

    Parameters
    ----------
    examples, generations
        Tables EXAMPLES, GENERATIONS; an output with several metrics counts once.
    index
        Of the corpus.
    ns
        Tokens of the n-grams. With ``units=("ngram",)`` and many n this is the n-novelty curve (Merrill et al. 2024).
    units
        Of ``ngram``, ``pair``, ``fluent_ngram`` (n ≥ 2), ``fluent_pair``; each has rows of its reference too.
    encoder, gammas
        Look at pairs alone whose cosine is above γ of their n; without them at all pairs but s^x = s^y.
    confidence, resamples, seed
        Of the interval of Σ new / Σ all, by :func:`analysis.stats.resampling.clustered_bootstrap` over examples.
    by_subset
        Rows for each subset too.

    Returns
    -------
    pa.Table
        NOVELTY; ``num_ngrams`` is the number of n-grams or pairs. What no text has n tokens for has no row.

    Raises
    ------
    ConfigError
        An unknown unit, an n below 1, or an encoder without γ of an n, or γ without an encoder.
    TableError
        An output of an unknown example.
    MeasureError
        No output has an n-gram.

    Notes
    -----
    One bulk question for the longest matches of all outputs of a model, and one an n for its pairs: |input| · |output| of
    each example, 1 µs each if they are of few n-grams.
    """
    _check(ns, units, encoder, gammas)
    known = {row["example_id"]: row for row in examples.to_pylist()}
    reader = _Reader(index)
    rows: list[dict[str, Any]] = []
    references: dict[tuple[str, ...], list[tuple[str, int, Shares]]] = {}
    for columns in tqdm(models_of(generations), desc="novelty", unit=" models", disable=None):
        written = of_model(generations, columns)
        outputs = dict(zip(written["example_id"].to_pylist(), written["output"].to_pylist(), strict=True))
        if unknown := [name for name in outputs if name not in known]:
            raise TableError(
                f"{columns['model']} answers {len(unknown):,} unknown examples, such as {unknown[0]!r}: generate again"
            )
        names = tuple(outputs)
        inputs = [reader.read(known[name]["input"]) for name in names]

        def shares(texts: Sequence[str], inputs: Sequence[Tokens] = inputs) -> list[tuple[str, int, Shares]]:
            answers = [reader.read(text) for text in texts]
            return list(_shares(index, inputs, answers, ns, units, encoder, gammas))

        if names not in references:
            references[names] = shares([known[name]["target"] for name in names])
        found = shares([outputs[name] for name in names])
        named = [(unit, n, share) for unit, n, share in found] + [
            (REFERENCE + unit, n, share) for unit, n, share in references[names]
        ]
        groups = groups_of([(known[name]["task"], known[name]["subset"]) for name in names], by_subset)
        for task, subset, chosen in groups:
            for unit, n, share in named:
                chosen_share = Shares(share.new[chosen], share.total[chosen])
                if not chosen_share.total.sum():
                    continue
                interval = clustered_bootstrap(
                    RATIO, chosen_share, np.arange(len(chosen)), resamples=resamples, confidence=confidence, seed=seed
                )
                size = {"num_ngrams": int(chosen_share.total.sum()), "num_examples": int(np.count_nonzero(chosen_share.total))}
                rows.append({"task": task, "subset": subset, "unit": unit, "n": n, **columns, **interval._asdict(), **size})
    if not rows:
        raise MeasureError("no output has an n-gram to look for: are the outputs empty?")
    return table_of(rows, NOVELTY)


def longest_matches(texts: Sequence[str], index: si.SuffixIndex) -> list[LongestMatch]:
    """The longest part of each text that the corpus holds; (0, 0, 0) where it holds nothing. One bulk question."""
    found = []
    for match in index.matches([index.encode(text) for text in texts]):
        best = int(match.lengths.argmax()) if len(match.lengths) else 0
        length = int(match.lengths[best]) if len(match.lengths) else 0
        found.append(LongestMatch(best, best + length, int(match.counts[best])) if length else LongestMatch(0, 0, 0))
    return found


def novelty_curve(texts: Sequence[str], index: si.SuffixIndex, max_n: int) -> si.Novelty:
    """N-grams of all texts and the new ones among them, for n = 1 … max_n: the n-novelty curve (Merrill et al. 2024).

    Raises
    ------
    ConfigError
        max_n is below 1.
    """
    _check(range(1, max_n + 1), UNITS, None, None)
    lengths = [match.lengths for match in index.matches([index.encode(text) for text in texts])]
    shares = [ngram_shares(lengths, n) for n in range(1, max_n + 1)]
    totals, new = (np.array([getattr(share, name).sum() for share in shares], np.int64) for name in ("total", "new"))
    return si.Novelty(np.arange(1, max_n + 1), totals, new)


class _Reader:
    """Turns texts into tokens, each text once."""

    def __init__(self, index: si.SuffixIndex) -> None:
        self._index = index
        self._words = index.info()["tokenizer"]["kind"] == "words"
        self._read: dict[str, Tokens] = {}

    def read(self, text: str) -> Tokens:
        if text not in self._read:
            ids = self._index.encode(text).astype(np.int64)
            self._read[text] = Tokens(ids, word_spans(text).words if self._words else ids.tolist())
        return self._read[text]


def _shares(
    index: si.SuffixIndex,
    inputs: Sequence[Tokens],
    answers: Sequence[Tokens],
    ns: Sequence[int],
    units: Sequence[str],
    encoder: Encoder | None,
    gammas: Mapping[int, float] | None,
) -> Iterator[tuple[str, int, Shares]]:
    lengths = [match.lengths for match in index.matches([answer.ids for answer in answers])]
    for n in ns:
        if "ngram" in units:
            yield "ngram", n, ngram_shares(lengths, n)
        if "fluent_ngram" in units and n > 1:
            yield "fluent_ngram", n, ngram_shares(lengths, n, fluent=True)
        if "pair" in units or "fluent_pair" in units:
            similar = None if encoder is None or gammas is None else (encoder, gammas[n])
            for unit, share in zip(("pair", "fluent_pair"), pair_shares(index, inputs, answers, n, similar), strict=True):
                if unit in units:
                    yield unit, n, share


def _check(ns: Sequence[int], units: Sequence[str], encoder: Encoder | None, gammas: Mapping[int, float] | None) -> None:
    if not ns or min(ns) < 1:
        raise ConfigError(f"n-grams of {', '.join(map(str, ns)) or 'no'} tokens: expected at least one n, of 1 or more")
    if unknown := [unit for unit in units if unit not in UNITS]:
        raise ConfigError(f"unknown unit {unknown[0]!r} of novelty: expected {', '.join(UNITS)}")
    if (encoder is None) != (gammas is None):
        raise ConfigError("novelty of similar pairs needs both an encoder and γ of each n: give both, or neither for all pairs")
    if gammas is not None and (missing := [n for n in ns if n not in gammas]):
        raise ConfigError(f"novelty of pairs of {missing[0]}-grams needs γ for n = {missing[0]}")
