"""Prior-aware memorization: what x adds to y, in the corpus and in the model.

A model finds a frequent y likely after any prompt, and P(y | x) of the corpus is high for it too: their correlation may say that
both know which words are common. So each side is held against its own prior. Of the corpus that is the pointwise mutual
information of documents (Church and Hanks 1990),

    PMI_D(x, y) = log C(x, y) - log C(x) - log C(y) + log N,

of the model what the prompt adds to log P(y) after the prompt without x (Holtzman et al. 2021, "Surface form competition", PMI_DC):

    PMI_LLM(x, y) = log P(y | u ⊕ x ⊕ y before it) - log P(y | u ⊕ y before it).

The number of documents N moves all pairs alike and no correlation.
"""

from math import nan
from typing import Any

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from analysis.errors import ConfigError, MeasureError, TableError
from analysis.measures.chosen_pairs import LEAST_PAIRS, TASKGRAM, Gammas, comparison, select
from analysis.measures.modes import Mode, find_mode
from analysis.measures.pair_arrays import arrays_of_corpus_scores, arrays_of_model_scores, arrays_of_pairs
from analysis.schemas import PRIOR_AWARE
from analysis.stats.correlations import PARTIAL_SPEARMAN, STATISTICS
from analysis.stats.resampling import Interval, clustered_bootstrap, permutation_p
from analysis.tables import table_of

COMPARED = ("conditional", "pmi", "prior")
"""log P(y | x) on both sides, as everywhere else; PMI on both sides; log P(y) on both sides."""


def neutral_examples(examples: pa.Table, prompt: str = "") -> pa.Table:
    """The examples with a prompt that does not say x: ``prompt``, or each one's own without its input.

    Few-shot examples and the answers to choose from stay, for they are no part of x.

    Raises
    ------
    MeasureError
        A prompt does not hold its input, so that nobody knows what to leave out.
    """
    prompts = [prompt] * examples.num_rows
    if not prompt:
        rows = examples.select(["example_id", "input", "prompt"]).to_pylist()
        prompts = [_without_input(**row) for row in rows]
    return examples.set_column(examples.schema.get_field_index("prompt"), "prompt", pa.array(prompts, pa.string()))


def _without_input(example_id: str, input: str, prompt: str) -> str:
    start = prompt.rfind(input)
    if start < 0:
        raise MeasureError(
            f"the prompt of example {example_id!r} does not hold its input as it is written, so it cannot be left out: give the "
            'neutral prompt, [prior] prompt = "Answer: "'
        )
    return prompt[:start] + prompt[start + len(input) :]


def prior_aware(
    pairs: pa.Table,
    counts: pa.Table,
    corpus_scores: pa.Table,
    model_scores: pa.Table,
    neutral_scores: pa.Table,
    examples: pa.Table,
    *,
    mode: str | Mode = "strict",
    gammas: Gammas = None,
    statistic: str = "spearman",
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    by_subset: bool = False,
) -> pa.Table:
    """The correlation of corpus and model before and after both are held against their priors, and that of the priors.

    Parameters
    ----------
    pairs, …, examples
        As for :func:`analysis.measures.correlate.correlate`. Of the pairs those that some document holds.
    neutral_scores
        MODEL_SCORES of the same pairs, of :func:`neutral_examples`.
    statistic
        One of ``correlate``'s but the partial one, whose controls the priors stand in for.
    mode, gammas, confidence, resamples, seed, by_subset
        As for ``correlate``.

    Returns
    -------
    pa.Table
        PRIOR_AWARE: for each task, n, γ and model the rows ``conditional``, ``pmi`` and ``prior``, all of the same pairs.

    Raises
    ------
    ConfigError
        An unknown mode or statistic.
    TableError
        Tables that do not belong together, or a model without neutral scores.
    """
    if statistic not in STATISTICS or statistic == PARTIAL_SPEARMAN.name:
        known = ", ".join(name for name in STATISTICS if name != PARTIAL_SPEARMAN.name)
        raise ConfigError(f"statistic {statistic!r} of prior-aware memorization: expected one of {known}")
    chosen_mode = find_mode(mode)
    of_pairs = arrays_of_pairs(pairs, counts, examples)
    neutral = {str(model.columns): model for model in arrays_of_model_scores(pairs, neutral_scores)}
    how: dict[str, Any] = {"resamples": resamples, "seed": seed}
    rows = []
    chosen = list(select(of_pairs, arrays_of_corpus_scores(pairs, corpus_scores), chosen_mode, gammas, by_subset))
    for selections in tqdm(chosen, desc="priors", disable=None):
        (selection,) = [each for each in selections if each.corpus_model == TASKGRAM]
        for model in arrays_of_model_scores(pairs, model_scores):
            if (prior := neutral.get(str(model.columns))) is None:
                raise TableError(f"{model.columns['model']} has no scores after the neutral prompt: score it again")
            kept = selection.only(model.read[selection.places] & prior.read[selection.places])
            pair, context = (each[kept.places].astype(np.float64) for each in chosen_mode.pair_counts(of_pairs.counts))
            y_documents = of_pairs.counts["y_documents"][kept.places].astype(np.float64)
            sides = {
                "conditional": (model.log_prob, kept.log_prob),
                "pmi": (model.log_prob - prior.log_prob, np.log(pair / (context * y_documents))),
                "prior": (prior.log_prob, np.log(y_documents)),
            }
            for name, (by_model, by_corpus) in sides.items():
                compared = comparison(of_pairs, kept._replace(log_prob=by_corpus), model._replace(log_prob=by_model), chosen_mode)
                interval, p_value = Interval(nan, nan, nan, confidence), nan
                if compared.size["num_pairs"] >= LEAST_PAIRS:
                    used = compared.arrays[:2]
                    interval = clustered_bootstrap(STATISTICS[statistic], used, **compared.clusters, confidence=confidence, **how)
                    exchanged: dict[str, Any] = {"weights": compared.weights, "permutations": resamples, "seed": seed}
                    p_value = permutation_p(STATISTICS[statistic], used, compared.example, **exchanged)
                about = {column: getattr(selection, column) for column in ("task", "subset", "n", "gamma")}
                about |= {"mode": chosen_mode.name, "compared": name, "statistic": statistic, **model.columns}
                rows.append(about | interval._asdict() | {"p_value": p_value} | compared.size)
    return table_of(rows, PRIOR_AWARE)
