"""Teacher-forced log-probabilities: of target n-grams, all of an example in one forward pass, and of whole targets."""

import logging
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from analysis.errors import ModelError, TableError
from analysis.models.cache import Cache, key_of
from analysis.models.forward import batches, token_log_probs
from analysis.models.language_model import LanguageModel
from analysis.models.open import CausalModel
from analysis.models.served import ServedModel
from analysis.models.token_spans import Reading, Text, narrow, read_texts
from analysis.models.too_long import TooLong, fit_all
from analysis.ngrams import word_spans
from analysis.schemas import MODEL_SCORES

log = logging.getLogger(__name__)


class TargetScores(NamedTuple):
    """Whole targets: log P of each, ``float64[texts]``, and how many tokens that is the sum over, ``int64[texts]``.

    A text that was left out because it is too long has log P nan, of 0 tokens.
    """

    log_probs: NDArray[np.float64]
    num_tokens: NDArray[np.int64]


def score_spans(
    model: LanguageModel,
    examples: pa.Table,
    pairs: pa.Table,
    *,
    batch_tokens: int = 8192,
    cache: Path | None = None,
    too_long: TooLong = "drop",
    to_end: bool = False,
    aliases: Mapping[str, Sequence[str]] | None = None,
) -> pa.Table:
    """log P_LLM(s^y | s^x) = Σ_{t ∈ s^y} log P(t | u ⊕ x ⊕ y before it), of each pair's n-gram at its place in the target.

    Each example is read once, whatever its number of pairs, up to the end of its target. Which tokens are s^y:
    ``analysis.models.token_spans``.

    Parameters
    ----------
    examples, pairs
        Tables EXAMPLES and PAIRS.
    batch_tokens
        Tokens of a forward pass, padding included.
    cache
        A folder. The log-probabilities of each target's tokens are kept there as soon as their batch is done, and used again
        in any study that has the model read the same: with other pairs, or after a run that was stopped.
    too_long
        What to do with an example that is longer than the model's context: ``analysis.models.too_long``.
    to_end
        Count every token from s^y on to the end of the target: the loss mask of the paper's released code.
    aliases
        Other answers of examples, by id. Where s^y is the whole target, log P is then that of any answer: the log of the summed
        probabilities of the target and its aliases, each up to its last word, of which none begins with the tokens of another.
        ``num_tokens`` stays that of s^y.

    Returns
    -------
    pa.Table
        MODEL_SCORES, a row for each of ``pairs``, in their order; log P is null where the example was left out as too long.

    Raises
    ------
    TableError
        A pair of an example that is not there, or a span outside of its target.
    ModelError
        An example is too long and to be refused, nan comes out, or no token belongs to a span. Finished batches stay in the cache.
    """
    used = dict.fromkeys(pairs["example_id"].to_pylist())
    columns = [examples[column].to_pylist() for column in ("example_id", "prompt", "target")]
    read = [row for row in zip(*columns, strict=True) if row[0] in used]
    texts = {name: Text(f"example {name!r}", prompt, target) for name, prompt, target in read}
    if missing := next((name for name in used if name not in texts), None):
        raise TableError(f"a pair is of the example {missing!r}, which the table of examples does not have: mine the pairs again")
    readings = dict(zip(texts, read_texts(model, list(texts.values())), strict=True))
    others = _other_answers(model, texts, pairs, aliases or {})
    spans = list(zip(*(pairs[column].to_pylist() for column in ("example_id", "y_start", "y_stop")), strict=True))
    if to_end:
        spans = [(name, start, len(texts[name].target)) for name, start, _ in spans]
    inside = {span: _inside(readings[span[0]], texts[span[0]].target, *span[1:]) for span in dict.fromkeys(spans)}
    answers = [[readings[name], *others.get(name, ())] for name in texts]  # of one example cut alike
    numbers = [number for number, some in enumerate(answers) for _ in some]
    known = iter(_score(model, fit_all(list(chain.from_iterable(answers)), numbers, model, too_long), batch_tokens, cache))
    scored = {name: [next(known) for _ in some] for name, some in zip(texts, answers, strict=True)}
    found: dict[tuple[str, int, int], tuple[float | None, int]] = {}
    for span, chosen in inside.items():
        log_probs, *_ = scored[span[0]]
        found[span] = (None, 0) if log_probs is None else (math.fsum(log_probs[chosen]), int(chosen.sum()))
    rows = [found[span] for span in spans]
    unions = {
        name: _log_prob_of_any(some, scored[name], word_spans(texts[name].target).stops[-1])
        for name, some in zip(texts, answers, strict=True)
        if name in others
    }
    wholes = zip(pairs["example_id"].to_pylist(), pairs["y"].to_pylist(), strict=True)
    rows = [
        (unions[name], size) if name in unions and y == _words(texts[name].target) else (log_prob, size)
        for (name, y), (log_prob, size) in zip(wholes, rows, strict=True)
    ]
    table = {column: [value] * len(rows) for column, value in model.columns.items()}
    table |= {"row": pairs["row"].to_pylist(), "log_prob": [row[0] for row in rows], "num_tokens": [row[1] for row in rows]}
    return pa.table({name: table[name] for name in MODEL_SCORES.names}, MODEL_SCORES)


def score_targets(
    model: LanguageModel,
    texts: Sequence[tuple[str, str]],
    *,
    names: Sequence[str] | None = None,
    examples: Sequence[int] | None = None,
    batch_tokens: int = 8192,
    cache: Path | None = None,
    too_long: TooLong = "drop",
) -> TargetScores:
    """log P(target | prompt) of many (prompt, target).

    Parameters
    ----------
    names
        What messages call the texts; else by their number.
    examples
        The number of each text's example, ascending: texts of one are cut alike, or left out together. None: each its own.

    Others, and errors: as for :func:`score_spans`.
    """
    called = names or [f"text {number}" for number in range(len(texts))]
    readings = read_texts(model, [Text(name, *text) for name, text in zip(called, texts, strict=True)])
    fitted = fit_all(readings, range(len(texts)) if examples is None else examples, model, too_long)
    scored = _score(model, fitted, batch_tokens, cache)
    totals = [math.nan if log_probs is None else math.fsum(log_probs) for log_probs in scored]
    sizes = [0 if log_probs is None else len(log_probs) for log_probs in scored]
    return TargetScores(np.array(totals, np.float64), np.array(sizes, np.int64))


def _other_answers(
    model: LanguageModel, texts: Mapping[str, Text], pairs: pa.Table, aliases: Mapping[str, Sequence[str]]
) -> dict[str, list[Reading]]:
    """Readings of the aliases of those examples that have a pair whose s^y is the whole target."""
    whole = dict.fromkeys(
        name
        for name, y in zip(pairs["example_id"].to_pylist(), pairs["y"].to_pylist(), strict=True)
        if aliases.get(name) and y == _words(texts[name].target)
    )
    written = [(name, text) for name in whole for text in aliases[name] if _words(text) and text != texts[name].target]
    read = read_texts(model, [Text(f"an alias of {texts[name].name}", texts[name].prompt, text) for name, text in written])
    found: dict[str, list[Reading]] = {name: [] for name in whole}
    for (name, text), reading in zip(written, read, strict=True):
        found[name].append(narrow(reading, 0, word_spans(text).stops[-1]))
    return {name: readings for name, readings in found.items() if readings}


def _log_prob_of_any(readings: Sequence[Reading], scored: Sequence[NDArray[np.float64] | None], stop: int) -> float | None:
    """The log of the summed probabilities of answers of which none begins with the tokens of another; None if they are left out.

    ``stop`` is where the last word of the first of them, the target, ends; the others end with their last word.
    """
    found: dict[tuple[int, ...], float] = {}
    for place, (reading, log_probs) in enumerate(zip(readings, scored, strict=True)):
        if log_probs is None:
            return None
        upto = int((reading.starts < stop).sum()) if place == 0 else len(log_probs)
        found[tuple(reading.ids[reading.positions[:upto]].tolist())] = math.fsum(log_probs[:upto])
    apart = [value for ids, value in found.items() if not any(ids[: len(other)] == other for other in found if other != ids)]
    return float(np.logaddexp.reduce(apart))


def _words(text: str) -> str:
    return " ".join(word_spans(text).words)


def _inside(reading: Reading, target: str, start: int, stop: int) -> NDArray[np.bool_]:
    """Which of the target's tokens belong to its characters [start, stop)."""
    if not 0 <= start < stop <= len(target):
        raise TableError(f"{reading.name}: a pair's y is at [{start}, {stop}) of a target of {len(target)} characters")
    inside = reading.overlapping(start, stop)
    if not inside.any():
        raise ModelError(f"{reading.name}: no token belongs to {target[start:stop]!r}, the target's characters [{start}, {stop})")
    return inside


def _score(
    model: LanguageModel, readings: Sequence[Reading | None], batch_tokens: int, folder: Path | None
) -> list[NDArray[np.float64] | None]:
    """log P of the target tokens of each reading, those of equal content once; None stays None."""
    fitted = [reading for reading in readings if reading is not None]
    keys = [key_of(reading.ids.tobytes(), reading.positions.tobytes()) for reading in fitted]
    cache = Cache(folder, "scores", model)
    waiting = {key: reading for key, reading in zip(keys, fitted, strict=True) if key not in cache}
    todo = list(waiting.values())
    log.info("%s: %s texts to read, %s known", model.label, f"{len(todo):,}", f"{len(set(keys)) - len(todo):,}")
    if left_out := len(readings) - len(fitted):
        log.warning("%s: %s of %s texts are too long and left out", model.label, f"{left_out:,}", f"{len(readings):,}")
    names = list(waiting)
    with tqdm(total=len(todo), desc=model.label, unit=" texts", disable=None) as bar:
        for numbers in batches(todo, batch_tokens, model.num_outputs):
            answers = dict(zip(numbers, _log_probs(model, [todo[number] for number in numbers]), strict=True))
            bad = [number for number, log_probs in answers.items() if np.isnan(log_probs).any()]
            cache.add({names[number]: log_probs.tolist() for number, log_probs in answers.items() if number not in bad})
            if bad:
                place = int(np.flatnonzero(np.isnan(answers[bad[0]]))[0])
                raise ModelError(
                    f"{todo[bad[0]].name}: {model.label} gives nan for token {place} of its target ({model.where}): its "
                    "weights are damaged, or overflow this dtype; try fp32"
                )
            bar.update(len(numbers))
    known = iter(keys)
    return [None if reading is None else np.array(cache[next(known)], np.float64) for reading in readings]


def _log_probs(model: LanguageModel, batch: Sequence[Reading]) -> list[NDArray[np.float64]]:
    """log P of each target token of a batch."""
    if isinstance(model, ServedModel):
        return model.log_probs(batch)
    import torch

    assert isinstance(model, CausalModel)
    with torch.inference_mode():
        return [log_probs.cpu().numpy().astype(np.float64) for log_probs in token_log_probs(model, batch)]
