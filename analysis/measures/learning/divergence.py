"""How far a model's next-token distribution is from the corpus's n-gram distributions, along its training and by its size.

Models learn single-token frequencies first, then bigrams, then longer contexts, and leave the shorter ones behind again (Chang et
al. 2024, "Characterizing learning curves"; Belrose et al. 2024, "Neural networks learn statistics of increasing complexity"). At
drawn positions of the corpus, with P_n the exact distribution of what follows the n - 1 tokens before it,

    KL_n = mean of Σ_v P_n(v) log (P_n(v) / P_model(v | all of the document before it)).

P_n is not smoothed: the position itself is in the corpus, so its context has a continuation, and the model gives every token a
probability. Ends of documents are left out of P_n.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

import suffixindex as si
from analysis.errors import ConfigError, MeasureError, ModelError
from analysis.models.forward import batches, next_log_probs
from analysis.models.language_model import LanguageModel
from analysis.models.open import CausalModel
from analysis.models.same_tokenizer import check_tokenizer
from analysis.models.token_spans import Reading, first_tokens
from analysis.schemas import LEARNING_CURVES
from analysis.stats.correlations import MEAN
from analysis.stats.resampling import clustered_bootstrap
from analysis.tables import table_of

log = logging.getLogger(__name__)

THE_TEXT = 0
"""As n: the text itself, so that KL is the model's loss, in nats a token."""


class Positions(NamedTuple):
    """Drawn positions of one document."""

    ids: NDArray[np.int64]
    """Its first tokens."""
    places: NDArray[np.int64]
    """Of the tokens that are predicted, ascending, each with max(n) - 1 tokens before it."""


def divergences(
    checkpoints: Sequence[Callable[[], LanguageModel]],
    index: si.SuffixIndex,
    *,
    ns: Sequence[int] = (1, 2, 3, 4, 5),
    documents: int = 200,
    positions: int = 5,
    length: int = 128,
    batch_tokens: int = 8192,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> pa.Table:
    """KL of n-gram distributions and a model, at each of its checkpoints, at the same positions.

    Parameters
    ----------
    checkpoints
        Functions that open one, so that one at a time is in memory.
    index
        Of the models' own tokens, of the corpus that they were trained on, or of any other.
    ns
        P_n looks at n - 1 tokens.
    documents, positions
        Drawn documents, and drawn positions of each; fewer where a document is short.
    length
        Tokens of a document that are read.
    batch_tokens
        Of a forward pass.
    confidence, resamples, seed
        Intervals of resamples of documents.

    Returns
    -------
    pa.Table
        LEARNING_CURVES: a row for each n, and n = 0 of the text itself.

    Raises
    ------
    ConfigError
        A number is out of range.
    MeasureError
        No drawn document is long enough.
    ModelError
        The index is not of the model's tokens, or the model runs on a server.

    Notes
    -----
    One forward pass a document, and one question to the index for all contexts: 20 µs for one of 6,000 occurrences.
    """
    if not ns or min(*ns, documents, positions) < 1 or length < max(ns):
        raise ConfigError(
            f"ns {list(ns)}, {documents} documents, {positions} positions, length {length}: expected 1 or more of each"
        )
    drawn = draw_positions(index, max(ns), documents, positions, length, np.random.default_rng(seed))
    if not drawn:
        raise MeasureError(f"no document of {index.path} has {max(ns)} tokens: draw more documents, or lower ns")
    contexts = [one.ids[place - n + 1 : place] for n in ns for one in drawn for place in one.places]
    following = [_within_documents(index, context) for context in index.next_distributions(contexts)]
    number = np.repeat(np.arange(len(drawn)), [len(one.places) for one in drawn])
    by_n = [following[start : start + len(number)] for start in range(0, len(following), len(number))]
    rows: list[dict[str, Any]] = []
    for checkpoint in checkpoints:
        model = checkpoint()
        if not isinstance(model, CausalModel):
            raise ModelError(
                f"{model.label} runs elsewhere, and tells no distributions of next tokens: leave it out by learning.models"
            )
        check_tokenizer(model.tokenizer, index)
        found = _of_model(model, drawn, [*by_n, _text(drawn)], batch_tokens)
        for n, values in zip((*ns, THE_TEXT), found, strict=True):
            how: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
            interval = clustered_bootstrap(MEAN, (values,), number, **how)
            size = {"num_positions": len(values), "num_examples": len(drawn)}
            rows.append({**model.columns, "n": n, **interval._asdict(), **size})
        log.info("%s: KL at %s positions", model.label, f"{len(number):,}")
        del model  # before the next is opened
    return table_of(rows, LEARNING_CURVES)


def draw_positions(
    index: si.SuffixIndex, longest: int, documents: int, positions: int, length: int, rng: np.random.Generator
) -> list[Positions]:
    """Positions of drawn documents; a document of fewer than ``longest`` tokens has none."""
    chosen = rng.choice(index.num_documents, min(documents, index.num_documents), replace=False)
    drawn = []
    for document in np.sort(chosen).tolist():
        ids = index.document(document).token_ids[:length].astype(np.int64)
        if len(ids) >= longest:
            places = np.sort(rng.permutation(np.arange(longest - 1, len(ids)))[:positions])
            drawn.append(Positions(ids, places))
    return drawn


class Following(NamedTuple):
    """A distribution of next tokens: those that have a probability."""

    ids: NDArray[np.int64]
    probs: NDArray[np.float64]


def _within_documents(index: si.SuffixIndex, found: si.NextTokens) -> Following:
    inside = found.token_ids != found.separator
    counts = found.counts[inside]
    return Following(found.token_ids[inside], counts / counts.sum())


def _text(drawn: Sequence[Positions]) -> list[Following]:
    """The token that is there, with certainty."""
    return [Following(one.ids[place : place + 1], np.ones(1)) for one in drawn for place in one.places]


def _of_model(
    model: CausalModel, drawn: Sequence[Positions], by_n: Sequence[Sequence[Following]], batch_tokens: int
) -> list[NDArray[np.float64]]:
    """KL of each position, for each list of distributions."""
    import torch

    first = np.array(first_tokens(model, "a document"), np.int64)
    readings = []
    for number, one in enumerate(drawn):
        ids = np.concatenate([first, one.ids[: one.places[-1] + 1]])
        places, nowhere = one.places + len(first), np.zeros(len(one.places), np.int64)
        readings.append(Reading(f"drawn document {number}", ids, places, nowhere, nowhere, len(first), len(first)))
    starts = np.cumsum([0, *(len(one.places) for one in drawn)])
    found = [np.empty(starts[-1]) for _ in by_n]
    for numbers in tqdm(batches(readings, batch_tokens, model.num_outputs), desc=model.label, unit=" batches", disable=None):
        with torch.inference_mode():
            log_probs = next_log_probs(model, [readings[number] for number in numbers]).cpu().numpy().astype(np.float64)
        of_batch = np.concatenate([np.arange(starts[number], starts[number + 1]) for number in numbers])
        for values, distributions in zip(found, by_n, strict=True):
            for row, place in enumerate(of_batch.tolist()):
                ids, probs = distributions[place]
                values[place] = probs @ (np.log(probs) - log_probs[row, ids])
    return found
