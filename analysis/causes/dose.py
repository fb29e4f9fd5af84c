"""Dose and response: what models say of facts, by the number of documents that were planted with each.

A correlation over found pairs cannot tell whether a model says a thing because the corpus does. Where facts are planted at
numbers of documents that were drawn, it can: a response that rises with the dose was caused by it.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tqdm import tqdm

from analysis.causes.planted import PlantedFacts, responses
from analysis.measures.performance import score_interval
from analysis.schemas import DOSE_RESPONSE, DOSE_TRENDS
from analysis.stats.correlations import KENDALL_DISTANCE, MEAN, SPEARMAN
from analysis.stats.resampling import Interval, checked_with_clusters, clustered_bootstrap, permutation_p
from analysis.tables import table_of


class MonotoneTrend(NamedTuple):
    """Whether a response rises with the dose."""

    spearman: Interval
    p_value: float
    """One-sided: how often a response without a trend would rise as clearly (Jonckheere and Terpstra, by permutation)."""
    doses: NDArray[np.float64]
    means: NDArray[np.float64]
    isotonic: NDArray[np.float64]
    """The rising means that are nearest to ``means`` in squares, each weighing as many responses as it has."""
    isotonic_share: float
    """Share of the variance between doses that the rising means explain; nan if all means are equal."""
    largest_fall: float
    """The most that the mean of a dose lies below that of a lower one; 0 if none does."""


def dose_response(
    facts: PlantedFacts,
    *,
    scores: pa.Table | None = None,
    pairs: pa.Table | None = None,
    neutral_scores: pa.Table | None = None,
    generations: pa.Table | None = None,
    octaves: bool = False,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> pa.Table:
    """The mean response at each dose, for each model.

    Parameters
    ----------
    facts
        See :data:`analysis.causes.planted.PlantedFacts`. A fact is a row, and an example may have several.
    scores
        log-probabilities, response ``log_prob``: MODEL_SCORES together with their ``pairs``, those of the planted pair (n, x,
        y); or any table with the columns of a model, ``example_id`` and ``log_prob``, such as of whole targets.
    pairs
        PAIRS that ``scores`` number by ``row``. A fact whose pair is not among them has no response and is left out.
    neutral_scores
        MODEL_SCORES of the same pairs after a prompt that does not say x, of some of the models: response ``pmi``, what x adds.
    generations
        GENERATIONS: their metric is the response. An example with several facts has the least of their doses, since what is
        said is as rare as its rarest part.
    octaves
        Put together the doses from a power of two up to the next; ``documents`` is then the power. For worlds where nearly
        every fact has a dose of its own.
    confidence, resamples, seed
        Of the means: a bootstrap over examples, or Wilson's interval if responses are right or wrong and no example has two.

    Returns
    -------
    pa.Table
        DOSE_RESPONSE, doses ascending.

    Raises
    ------
    ConfigError
        Neither ``scores`` nor ``generations``, or scores by row without ``pairs``.
    TableError
        PlantedFacts or scores lack a column.
    MeasureError
        No fact has a response, or a response is nan; the message says how many.
    """
    rows = []
    answered = list(responses(facts, scores=scores, pairs=pairs, neutral_scores=neutral_scores, generations=generations))
    for found in tqdm(answered, desc="doses", disable=None):
        doses = 2 ** np.floor(np.log2(np.maximum(found.documents, 1))).astype(np.int64) if octaves else found.documents
        doses = np.where(found.documents == 0, 0, doses)
        for dose in np.unique(doses).tolist():
            values, example = found.values[doses == dose], found.example[doses == dose]
            if len(np.unique(example)) == len(example):
                interval = score_interval(values, found.response, confidence, resamples, seed)
            else:
                interval = clustered_bootstrap(MEAN, (values,), example, resamples=resamples, confidence=confidence, seed=seed)
            about = {"task": found.task, "documents": dose, "response": found.response, **found.columns}
            rows.append(about | interval._asdict() | {"num_examples": len(np.unique(example))})
    return table_of(rows, DOSE_RESPONSE)


def dose_trends(
    facts: PlantedFacts,
    *,
    scores: pa.Table | None = None,
    pairs: pa.Table | None = None,
    neutral_scores: pa.Table | None = None,
    generations: pa.Table | None = None,
    confidence: float = 0.95,
    resamples: int = 2000,
    permutations: int = 2000,
    seed: int = 0,
) -> pa.Table:
    """Whether each model's responses rise with the dose: a row of DOSE_TRENDS for each model and response.

    Parameters and errors as for :func:`dose_response`, settings as for :func:`monotone_trend`.
    """
    rows = []
    answered = list(responses(facts, scores=scores, pairs=pairs, neutral_scores=neutral_scores, generations=generations))
    for found in tqdm(answered, desc="trends over doses", disable=None):
        trend = monotone_trend(
            found.documents,
            found.values,
            found.example,
            confidence=confidence,
            resamples=resamples,
            permutations=permutations,
            seed=seed,
        )
        rows.append(
            {
                "task": found.task,
                "response": found.response,
                **found.columns,
                **trend.spearman._asdict(),
                "p_value": trend.p_value,
                "isotonic_share": trend.isotonic_share,
                "largest_fall": trend.largest_fall,
                "num_doses": len(trend.doses),
                "num_pairs": len(found.values),
                "num_examples": len(np.unique(found.example)),
            }
        )
    return table_of(rows, DOSE_TRENDS)


def monotone_trend(
    doses: NDArray[Any],
    values: NDArray[np.float64],
    clusters: NDArray[Any],
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    permutations: int = 2000,
    seed: int = 0,
) -> MonotoneTrend:
    """Does a response rise with the dose? Its rank correlation, a test, and how far a rising curve fits the means.

    The test is that of Jonckheere (1954) and Terpstra (1952): their statistic is the number of pairs of responses in the
    order of their doses, ties one half, which for given doses and responses ranks permutations as Kendall's τ_b does. Whole
    clusters exchange their responses, see :func:`analysis.stats.resampling.permutation_p`.

    Parameters
    ----------
    doses, values, clusters
        Of each response; a cluster is an example.

    Raises
    ------
    MeasureError
        No response, or nan among them.
    """
    from scipy.optimize import isotonic_regression

    (dose, value), _ = checked_with_clusters((doses, values), clusters)
    correlation = clustered_bootstrap(SPEARMAN, (dose, value), clusters, resamples=resamples, confidence=confidence, seed=seed)
    p_value = permutation_p(KENDALL_DISTANCE, (dose, value), clusters, permutations=permutations, seed=seed, alternative="less")
    levels, of_level = np.unique(dose, return_inverse=True)
    sizes = np.bincount(of_level)
    means = np.bincount(of_level, value) / sizes
    rising = np.asarray(isotonic_regression(means, weights=sizes).x, np.float64)
    between = float((sizes * (means - value.mean()) ** 2).sum())
    left = float((sizes * (means - rising) ** 2).sum())
    share = 1 - left / between if between > 1e-24 * float((value**2).sum()) else float("nan")
    fall = float((np.maximum.accumulate(means) - means).max())
    return MonotoneTrend(correlation, p_value, levels, means, rising, share, fall)
