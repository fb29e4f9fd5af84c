"""Models of the corpus: log P(s^y | s^x) of each pair by counts alone.

=====================  =========================================================================================
``taskgram``           C(s^x, s^y) / C(s^x), documents by documents (arXiv 2407.14985, section 3)
``taskgram_smoothed``  the same with every pair above zero; see below
``infgram``            ∞-gram: the words of s^y after all that stands before them in prompt and target, each after the
                       longest context that the corpus holds; words of probability zero are left out (section 3)
``kneser_ney``         interpolated modified Kneser-Ney of ``order`` words, the same context
``stupid_backoff``     stupid backoff of ``order`` words, the same context; scores, which are no probabilities
``unigram``            the words of s^y, each by its share of the corpus's words, without context
=====================  =========================================================================================

Zero counts: ``zero`` is True and ``log_prob`` -inf where no document holds the pair, and measures leave these rows out. The
smoothed task-gram model, with a ``smoothing`` α > 0, leaves out none:

    P(s^y | s^x) = (C(s^x, s^y) + α p(s^y)) / (C(s^x) + α),    p(s^y) = (C(s^y) + 1/2) / (documents + 1)

which is the posterior mean under a Dirichlet prior of weight α at the base rate of s^y (MacKay and Peto 1995; Zhai and Lafferty
2004). It is above zero, and without context it is the base rate. Adding α to both outcomes, (c + α) / (d + 2α), would
put a pair that was never seen with a context of one document (α = 1/2: 1/4) above most that were, and turn their order round.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import suffixindex as si
from analysis.errors import ConfigError, TableError
from analysis.ngrams import word_spans
from analysis.pairs.counting import join_counts, number_values
from analysis.pairs.word_index import WordIds
from analysis.progress import in_blocks
from analysis.schemas import CORPUS_SCORES

log = logging.getLogger(__name__)

MODELS = ("taskgram", "taskgram_smoothed", "infgram", "kneser_ney", "stupid_backoff", "unigram")

Scored = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""log_prob and zero of each row."""


def score_pairs(
    pairs: pa.Table,
    counts: pa.Table,
    examples: pa.Table,
    index: si.SuffixIndex,
    *,
    models: Sequence[str] = ("taskgram", "infgram", "unigram"),
    smoothing: float = 1.0,
    order: int = 5,
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> pa.Table:
    """The log-probability of each pair under each model: a table of ``CORPUS_SCORES``, model after model.

    Parameters
    ----------
    pairs, counts, examples
        Of the mining, the counting and the task; every pair must be counted, every example there.
    index
        The one that was counted in.
    models
        See the table above.
    smoothing
        α of ``taskgram_smoothed``, in documents.
    order
        Words of an n-gram of ``kneser_ney`` and ``stupid_backoff``.
    aliases
        As for :func:`analysis.pairs.counting.count_pairs`. Where y is a whole target, models of words then give the probability
        that any of its names follows the prompt: the sum over names of which none begins with another. Names that hold a word of
        probability zero are left out of the sum if there are others.

    Returns
    -------
    pyarrow.Table
        ``zero``: of ``taskgram``, no document holds the pair; of ``taskgram_smoothed``, never; of the others, a word of s^y
        has probability zero. The ∞-gram leaves such words out, and its ``log_prob`` is -inf only if all have.

    Raises
    ------
    ConfigError
        An unknown model, a smoothing that is not above 0, an order below 1, an index of other tokens.
    TableError
        A pair without counts or without its example.

    Notes
    -----
    Each prompt with its target is read once by ``infgram``; ``kneser_ney`` looks up every occurrence of the contexts of
    each text anew.
    """
    if unknown := [model for model in models if model not in MODELS]:
        raise ConfigError(f"{unknown[0]!r} is no model of the corpus: expected {', '.join(MODELS)}")
    if smoothing <= 0 or order < 1:
        raise ConfigError(f"smoothing is {smoothing} and order {order}: expected above 0, and 1 or more")
    words = WordIds(index)
    parts = []
    for model in models:
        if model in ("taskgram", "taskgram_smoothed"):
            scored = taskgram(pairs, counts, index.num_documents, smoothing if model == "taskgram_smoothed" else 0.0)
        else:
            skip, of_texts = model == "infgram", _with_bar(model, _word_model(model, index, order))
            scored = _of_words(pairs, examples, words, of_texts, skip)
            if aliases:
                scored = _of_any_name(pairs, examples, words, of_texts, skip, aliases, scored)
        zeros = int(scored[1].sum())
        log.info("%s: %s of %s pairs have a zero", model, f"{zeros:,}", f"{pairs.num_rows:,}")
        name = pa.array([model]).take(pa.array(np.zeros(pairs.num_rows, np.int64)))
        parts.append(pa.table([pairs["row"], name, *map(pa.array, scored)], schema=CORPUS_SCORES))
    return pa.concat_tables(parts)


def taskgram(pairs: pa.Table, counts: pa.Table, num_documents: int, smoothing: float = 0.0) -> Scored:
    """log C(s^x, s^y) / C(s^x) of each row, or with ``smoothing`` the smoothed one of the module's text.

    Without smoothing and without a document that holds s^x the probability is not defined: the row is a zero like the others.
    """
    of_rows = join_counts(pairs, counts)
    both, x, y = (of_rows[name].astype(np.float64) for name in ("pair_documents", "x_documents", "y_documents"))
    base = (y + 0.5) / (num_documents + 1)
    with np.errstate(divide="ignore"):
        scores = np.log(both + smoothing * base) - np.log(x + smoothing) if smoothing else np.log(both / np.maximum(x, 1))
    return scores, (both == 0) & (smoothing == 0)


class WordText(NamedTuple):
    """The ids of a prompt's words and its target's, and where the target starts."""

    ids: NDArray[np.int64]
    start: int


WordModel = Callable[[Sequence[WordText]], list[NDArray[np.float64]]]
"""Texts -> log-probability of each word of each target."""


def _with_bar(name: str, model: WordModel) -> WordModel:
    return lambda texts: list(in_blocks(texts, model, desc=name, unit="texts"))


def _word_model(model: str, index: si.SuffixIndex, order: int) -> WordModel:
    if model == "infgram":
        return lambda texts: [
            found.log_probs[text.start :] for text, found in zip(texts, index.scores([text.ids for text in texts]), strict=True)
        ]
    if model == "unigram":
        shares = _log(index.next_distribution([]).dense(index.vocabulary_size))
        return lambda texts: [shares[text.ids[text.start :]] for text in texts]
    if model == "kneser_ney":
        smoothed = si.lm.KneserNey(index, order)
        return lambda texts: [smoothed.log_probs(ids)[start:] for ids, start in _cut(texts, order)]
    backoff = si.lm.StupidBackoff(index, order)
    return lambda texts: [_log(backoff.score(ids))[start:] for ids, start in _cut(texts, order)]


def _cut(texts: Sequence[WordText], order: int) -> list[WordText]:
    """Of each prompt, what a model of ``order`` words can see."""
    return [WordText(ids[max(start - order + 1, 0) :], min(start, order - 1)) for ids, start in texts]


def _log(probs: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(probs))


def _of_words(pairs: pa.Table, examples: pa.Table, words: WordIds, model: WordModel, skip: bool) -> Scored:
    """The sum over the words of s^y at its place in the target; with ``skip``, over those of a probability above zero."""
    numbers, names = number_values(pairs["example_id"])
    rows = {row["example_id"]: row for row in examples.select(["example_id", "prompt", "target"]).to_pylist()}
    if missing := [name for name in names if name not in rows]:
        raise TableError(f"the pairs are of the example {missing[0]!r}, which the examples lack: give those that were mined")
    prompts, targets = ([word_spans(rows[name][part]) for name in names] for part in ("prompt", "target"))
    texts = [
        WordText(np.array(words.ids([*prompt.words, *target.words]), np.int64), len(prompt.words))
        for prompt, target in zip(prompts, targets, strict=True)
    ]
    order = np.argsort(numbers, kind="stable")
    bounds = np.searchsorted(numbers[order], np.arange(len(names) + 1))
    starts, stops = pairs["y_start"].to_numpy(), pairs["y_stop"].to_numpy()
    sums, zero = np.empty(pairs.num_rows), np.empty(pairs.num_rows, bool)
    for number, (target, scores) in enumerate(zip(targets, model(texts), strict=True)):
        impossible = np.isneginf(scores)
        total, zeros = np.append(0, np.cumsum(np.where(impossible, 0, scores))), np.append(0, np.cumsum(impossible))
        here = order[bounds[number] : bounds[number + 1]]
        first, last = np.searchsorted(target.starts, starts[here]), np.searchsorted(target.stops, stops[here]) + 1
        lost = zeros[last] - zeros[first]
        sums[here] = np.where(lost < (last - first if skip else 1), total[last] - total[first], -np.inf)
        zero[here] = lost > 0
    return sums, zero


def _of_any_name(
    pairs: pa.Table,
    examples: pa.Table,
    words: WordIds,
    model: WordModel,
    skip: bool,
    aliases: Mapping[str, Sequence[str]],
    scored: Scored,
) -> Scored:
    """What ``scored`` says, and of pairs whose y is a target with other names the probability of any of these."""
    prompts = {row["example_id"]: word_spans(row["prompt"]).words for row in examples.select(["example_id", "prompt"]).to_pylist()}
    targets = {row["example_id"]: " ".join(word_spans(row["target"]).words) for row in examples.to_pylist()}
    asked = [(name, y) for name, y in zip(pairs["example_id"].to_pylist(), pairs["y"].to_pylist(), strict=True)]
    whole = {name: names_apart([y, *aliases[y]]) for name, y in dict.fromkeys(asked) if aliases.get(y) and targets[name] == y}
    texts = [
        WordText(np.array(words.ids([*prompts[name], *other.split()]), np.int64), len(prompts[name]))
        for name, others in whole.items()
        for other in others
    ]
    found = iter(model(texts))
    unions = {name: _sum([next(found) for _ in others], skip) for name, others in whole.items()}
    sums, zero = scored[0].copy(), scored[1].copy()
    for row, (name, y) in enumerate(asked):
        if name in unions and targets[name] == y:
            sums[row], zero[row] = unions[name]
    return sums, zero


def names_apart(names: Sequence[str]) -> list[str]:
    """Names, words joined by spaces, of which none begins with another: no text begins with two of those that are left."""
    distinct = dict.fromkeys(names)
    return [name for name in distinct if not any(f"{name} ".startswith(f"{other} ") for other in distinct if other != name)]


def _sum(names: Sequence[NDArray[np.float64]], skip: bool) -> tuple[float, bool]:
    """log of the summed probabilities of names, each given by its words', and whether every name has a word of probability zero."""
    possible = [scores.sum() for scores in names if np.isfinite(scores).all()]
    if possible:
        return float(np.logaddexp.reduce(possible)), False
    left = [scores[np.isfinite(scores)].sum() for scores in names if skip and np.isfinite(scores).any()]
    return (float(np.logaddexp.reduce(left)) if left else -np.inf), True
