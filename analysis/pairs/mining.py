"""Mining: which n-grams of an input belong to which of its target (the task-gram table, arXiv 2407.14985, section 3).

The pairs of an example are all of ``G_n(x) × G_n(y)``; ``H_n`` are those whose embeddings have a cosine above γ. What is not
kept is counted by reason, each pair under the first that holds:

================  ==============================================================================================
``too_short``     no pair at all: the input or the target has fewer than n words (counts examples)
``stop_words``    an n-gram has nothing but stop words, or words without a letter or digit (``stop_words.py``)
``identical``     s^x = s^y
``nested``        one n-gram holds the other, so that C(pair) is a single count by construction; only whole answers can
``below_gamma``   cos(E(s^x), E(s^y)) ≤ γ
``not_mined``     no example of ``mine_from`` has the pair
``overlapping``   it shares a word of the input or of the target with a pair of higher similarity (if ``disjoint``)
================  ==============================================================================================
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from analysis.errors import ConfigError, MeasureError
from analysis.ngrams import Words, word_spans
from analysis.pairs.drops import DropCounter, Group
from analysis.pairs.embeddings import Encoder
from analysis.pairs.pair_table import Both, Chosen, Grams, pair_batches
from analysis.pairs.similarities import Similarities
from analysis.pairs.stop_words import content, languages
from analysis.schemas import PAIRS

log = logging.getLogger(__name__)

REASONS = ("too_short", "stop_words", "identical", "nested", "below_gamma", "not_mined", "overlapping", "kept")
Target = Literal["ngrams", "whole"]
BATCH_TEXTS = 1 << 16  # that are handed to the encoder at a time


class Mined(NamedTuple):
    """The table of ``PAIRS``; that of ``DROPS``, what became of all pairs of each (task, subset, n); and of ``SIMILARITIES``."""

    pairs: pa.Table
    drops: pa.Table
    similarities: pa.Table


class Vocabulary(NamedTuple):
    """All distinct n-grams of one n, by number."""

    texts: list[str]
    content: dict[str, NDArray[np.bool_]]
    """Of each language: which say something."""
    rows: NDArray[np.int64]
    """The row of each in ``vectors``; of those that are compared with another."""
    vectors: NDArray[np.float32]


def mine(
    examples: pa.Table,
    *,
    ns: Sequence[int],
    gammas: Mapping[int, float],
    encoder: Encoder,
    target: Target = "ngrams",
    stop_words: bool = True,
    keep_nested: bool = False,
    disjoint: bool = False,
    mine_from: pa.Table | None = None,
) -> Mined:
    """The n-gram pairs of examples whose embeddings are similar.

    Parameters
    ----------
    examples
        A table of ``EXAMPLES``.
    ns
        Words in s^x, and in s^y unless ``target`` is "whole". Each n has pairs of its own.
    gammas
        γ of each n. To look at several, mine with the least and filter ``pairs`` by ``similarity``: the rest stays as it is.
    encoder
        See :func:`analysis.pairs.embeddings.open_encoder`. Each distinct n-gram is encoded once.
    target
        "whole": s^y is the whole answer, as for TriviaQA.
    stop_words
        Drop pairs with an n-gram of stop words, in the languages of the subset (``en-fr``) or English.
    keep_nested
        Keep pairs of which one n-gram holds the other, as the paper does.
    disjoint
        Of each example take pairs by falling similarity, and drop those that share a word of the input or of the target, by
        the first place of each n-gram, with one that was taken: no word is counted twice.
    mine_from
        Other ``EXAMPLES``: keep the pairs that one of them has too (TriviaQA's train split, Europarl). A pair's similarity
        does not depend on the example, so these are the pairs of both tables' H_n.

    Raises
    ------
    ConfigError
        No n, an n below 1, an n without γ, a γ outside [-1, 1].
    MeasureError
        No pair is left for any n; the message says what became of them.

    Notes
    -----
    O(|input| · |target|) cosines an example, by a matrix product; 4 bytes a dimension and distinct n-gram, the pairs that are
    kept, and one example's cosines.
    """
    _check(ns, gammas)
    rows = examples.select(["task", "subset", "input", "target"]).to_pylist()
    groups: list[tuple[str, str]] = [(row["task"], row["subset"]) for row in rows]
    words = [(word_spans(row["input"]), word_spans(row["target"])) for row in rows]
    drops = DropCounter("mine", REASONS)
    similarities = Similarities()
    batches: list[pa.RecordBatch] = []
    for n in ns:
        numbers: dict[str, int] = {}
        grams = [Both(_grams(x, n, False, numbers), _grams(y, n, target == "whole", numbers)) for x, y in words]
        vocabulary = _vocabulary(list(numbers), grams, [languages(subset) for _, subset in groups], encoder, stop_words)
        chosen: list[Chosen] = []
        examples_of_n = tqdm(zip(groups, grams, strict=True), desc=f"n = {n}", total=len(grams), unit=" examples", disable=None)
        for (task, subset), both in examples_of_n:
            similarity, compared = _compared(both, languages(subset), vocabulary, keep_nested, drops, (task, subset, n))
            similarities.add(task, n, similarity[compared])
            chosen.append(_above(similarity, compared, gammas[n], drops, (task, subset, n)))
        if mine_from is not None:
            mined = _mined(grams, chosen, numbers, mine_from, n, target)
            chosen = _keep(chosen, mined, "not_mined", groups, n, drops)
        if disjoint:
            chosen = _keep(chosen, map(_disjoint, grams, chosen), "overlapping", groups, n, drops)
        for (task, subset), of_one in zip(groups, chosen, strict=True):
            drops.add((task, subset, n), "kept", len(of_one.x))
        batches += pair_batches(examples, n, vocabulary.texts, words, grams, chosen)
        log.info("n = %d: %s of %s n-grams compared", n, f"{len(vocabulary.vectors):,}", f"{len(numbers):,}")
    if not drops.total("kept"):
        raise MeasureError(_nothing_left(drops, ns, gammas, similarities))
    pairs = pa.Table.from_batches(batches)
    return Mined(pairs.set_column(0, "row", pa.array(np.arange(pairs.num_rows))).cast(PAIRS), drops.table(), similarities.table())


def _check(ns: Sequence[int], gammas: Mapping[int, float]) -> None:
    if not ns or len(set(ns)) < len(ns) or min(ns) < 1:
        raise ConfigError(f"n is {list(ns)}: expected different numbers of words, each 1 or more")
    for n in ns:
        if n not in gammas:
            raise ConfigError(f"there is no γ for n = {n}; there is one for {', '.join(map(str, gammas)) or 'none'}")
        if not -1 <= gammas[n] <= 1:
            raise ConfigError(f"γ is {gammas[n]} for n = {n}: expected a cosine, from -1 to 1")


def _grams(words: Words, n: int, whole: bool, numbers: dict[str, int]) -> Grams:
    """The n-grams of a text, numbered as they come."""
    found = words.whole() if whole else words.ngrams(n)
    ids = [numbers.setdefault(text, len(numbers)) for text in found]
    return Grams(np.array(ids, np.int64), np.array(list(found.values()), np.int64), len(words.words) if whole else n)


def _vocabulary(
    texts: list[str], grams: Sequence[Both], spoken: Sequence[tuple[str, str]], encoder: Encoder, stop_words: bool
) -> Vocabulary:
    """Encode the n-grams that are compared with another."""
    all_of_them = np.ones(len(texts), bool)
    says = {name: content(texts, name) if stop_words else all_of_them for name in sorted({*chain.from_iterable(spoken)})}
    needed = np.zeros(len(texts), bool)
    for both, (of_x, of_y) in zip(grams, spoken, strict=True):
        x, y = both.x.ids[says[of_x][both.x.ids]], both.y.ids[says[of_y][both.y.ids]]
        if len(x) and len(y):
            needed[x] = needed[y] = True
    compared = np.flatnonzero(needed)
    vectors = np.empty((len(compared), encoder.dimension), np.float32)
    for start in range(0, len(compared), BATCH_TEXTS):
        vectors[start : start + BATCH_TEXTS] = encoder.encode([texts[i] for i in compared[start : start + BATCH_TEXTS]])
    return Vocabulary(texts, says, np.cumsum(needed) - 1, vectors)


class Compared(NamedTuple):
    """The cosines of an example's n-grams, ``[x, y]``, and which of them are compared with γ."""

    similarity: NDArray[np.float32]
    compared: NDArray[np.bool_]


def _compared(
    both: Both, spoken: tuple[str, str], vocabulary: Vocabulary, keep_nested: bool, drops: DropCounter, group: Group
) -> Compared:
    """The similarity of every x and y of an example; what is not compared is counted."""
    shape = len(both.x.ids), len(both.y.ids)
    if not shape[0] * shape[1]:
        drops.add(group, "too_short", 0, examples=1)
    says_x, says_y = (vocabulary.content[language][side.ids] for language, side in zip(spoken, both, strict=True))
    x, y = np.flatnonzero(says_x), np.flatnonzero(says_y)
    drops.add(group, "stop_words", shape[0] * shape[1] - len(x) * len(y))
    similarity, compared = np.zeros(shape, np.float32), np.zeros(shape, bool)
    if not len(x) or not len(y):
        return Compared(similarity, compared)
    of_x, of_y = both.x.ids[x], both.y.ids[y]
    differ = of_x[:, None] != of_y
    drops.add(group, "identical", differ.size - int(differ.sum()))
    if both.x.length != both.y.length and not keep_nested:
        nested = _nested([vocabulary.texts[i] for i in of_x], [vocabulary.texts[i] for i in of_y])
        drops.add(group, "nested", int(nested.sum()))
        differ &= ~nested
    similarity[np.ix_(x, y)] = vocabulary.vectors[vocabulary.rows[of_x]] @ vocabulary.vectors[vocabulary.rows[of_y]].T
    compared[np.ix_(x, y)] = differ
    return Compared(similarity, compared)


def _above(similarity: NDArray[np.float32], compared: NDArray[np.bool_], gamma: float, drops: DropCounter, group: Group) -> Chosen:
    """The pairs above γ, by the places of x, then y."""
    above = compared & (similarity > gamma)
    drops.add(group, "below_gamma", int(compared.sum() - above.sum()))
    x, y = np.nonzero(above)
    return Chosen(x, y, similarity[x, y])


def _nested(xs: Sequence[str], ys: Sequence[str]) -> NDArray[np.bool_]:
    """Which pairs are of two n-grams of which one holds the other's words in a row."""
    padded = [[f" {text} " for text in texts] for texts in (xs, ys)]
    return np.array([[x != y and (x in y or y in x) for y in padded[1]] for x in padded[0]], bool)


def _mined(
    grams: Sequence[Both], chosen: Sequence[Chosen], numbers: Mapping[str, int], mine_from: pa.Table, n: int, target: Target
) -> list[NDArray[np.bool_]]:
    """Which of the chosen pairs some example of another table has."""
    codes = [both.x.ids[of_one.x] * len(numbers) + both.y.ids[of_one.y] for both, of_one in zip(grams, chosen, strict=True)]
    wanted = np.unique(np.concatenate([np.empty(0, np.int64), *codes]))
    found = np.zeros(len(wanted), bool)
    is_x, is_y = np.zeros(len(numbers), bool), np.zeros(len(numbers), bool)
    is_x[wanted // max(len(numbers), 1)] = is_y[wanted % max(len(numbers), 1)] = True
    for batch in mine_from.select(["input", "target"]).to_batches(max_chunksize=BATCH_TEXTS):
        for row in batch.to_pylist():
            answer = word_spans(row["target"])
            x = _known(word_spans(row["input"]).ngrams(n), numbers, is_x)
            y = _known(answer.whole() if target == "whole" else answer.ngrams(n), numbers, is_y)
            here = (x[:, None] * len(numbers) + y).ravel()
            places = np.minimum(np.searchsorted(wanted, here), len(wanted) - 1)
            found[places[wanted[places] == here]] = True
    return [found[np.searchsorted(wanted, of_one)] for of_one in codes]


def _known(ngrams: Iterable[str], numbers: Mapping[str, int], among: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The numbers of those n-grams that have one and are marked."""
    return np.array([i for text in ngrams if (i := numbers.get(text)) is not None and among[i]], np.int64)


def _disjoint(both: Both, chosen: Chosen) -> NDArray[np.bool_]:
    """Which pairs are taken, by falling similarity, if none may share a word of either text with one before it."""
    taken = np.zeros(len(chosen.x), bool)
    used: tuple[set[int], set[int]] = set(), set()
    for place in np.argsort(-chosen.similarity, kind="stable").tolist():
        spans = [
            range(side.firsts[at], side.firsts[at] + side.length)
            for side, at in zip(both, (chosen.x[place], chosen.y[place]), strict=True)
        ]
        if all(of_one.isdisjoint(span) for of_one, span in zip(used, spans, strict=True)):
            taken[place] = True
            for of_one, span in zip(used, spans, strict=True):
                of_one.update(span)
    return taken


def _keep(
    chosen: Sequence[Chosen],
    which: Iterable[NDArray[np.bool_]],
    reason: str,
    groups: Sequence[tuple[str, str]],
    n: int,
    drops: DropCounter,
) -> list[Chosen]:
    """Of each example those of the chosen pairs that are marked; the others are counted under a reason."""
    left = []
    for (task, subset), of_one, marked in zip(groups, chosen, which, strict=True):
        drops.add((task, subset, n), reason, int((~marked).sum()))
        left.append(of_one.only(marked))
    return left


def _nothing_left(drops: DropCounter, ns: Sequence[int], gammas: Mapping[int, float], similarities: Similarities) -> str:
    asked = ", ".join(f"{gammas[n]:g} for n = {n}" for n in ns)
    became = ", ".join(f"{drops.total(reason):,} {reason}" for reason in drops.reasons if drops.total(reason))
    if not became:
        return f"no example has {min(ns)} words in both its input and its target, so there is no pair to mine"
    advice = similarities.advice()
    return f"no pair is left with γ = {asked}: {became}{f'; of the similarities that were compared, {advice}' if advice else ''}"
