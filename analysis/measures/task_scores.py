"""What a model scores on a whole task: the other axis of every comparison by model size."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from analysis.errors import MeasureError
from analysis.measures.pair_arrays import of_model
from analysis.measures.performance import score_interval, scores_of_models
from analysis.measures.subsets import groups_of
from analysis.models.answer_scores import Bleu, Row, bleu_of_rows, corpus_bleu
from analysis.schemas import TASK_SCORES
from analysis.stats.resampling import Columns, Interval, Reals, Statistic, clustered_bootstrap
from analysis.tables import table_of


def task_scores(
    examples: pa.Table,
    generations: pa.Table,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    by_subset: bool = False,
) -> pa.Table:
    """Each model's mean score over the examples that it answered; of BLEU also that of the corpus.

    Parameters
    ----------
    examples, generations
        Tables EXAMPLES, GENERATIONS. Each metric has rows of its own.
    confidence, resamples, seed
        Of the interval, see :func:`analysis.measures.performance.score_interval`; that of the corpus's BLEU is a bootstrap of its
        sentences (Koehn 2004).
    by_subset
        Rows for each subset too.

    Returns
    -------
    pa.Table
        TASK_SCORES; after each metric "bleu" a row "corpus_bleu", of all sentences together. ``chance`` is known of accuracies.

    Raises
    ------
    MeasureError
        No example has a score, or a score is nan.
    TableError
        A model has several scores of one example.
    """
    how: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    known = {row["example_id"]: row for row in examples.to_pylist()}
    rows: list[Row] = []
    for columns, metric, scores in scores_of_models(generations):
        answered = [example for name, example in known.items() if name in scores]
        sentences = _bleu(generations, columns, answered) if metric == "bleu" else None
        values = np.array([scores[example["example_id"]] for example in answered])
        for task, subset, chosen in groups_of([(example["task"], example["subset"]) for example in answered], by_subset):
            found = {metric: score_interval(values[chosen], metric, **how)}
            if sentences is not None:
                found["corpus_bleu"] = _corpus_interval(Bleu(*(part[chosen] for part in sentences)), **how)
            about = {"task": task, "subset": subset, **columns, "num_examples": len(chosen)}
            chance = _chance([answered[place] for place in chosen]) if metric.startswith("accuracy") else None
            rows += [{**about, "metric": name, "chance": chance, **interval._asdict()} for name, interval in found.items()]
    if not rows:
        raise MeasureError("no example of this table has a score: are the outputs of the same task?")
    return table_of(rows, TASK_SCORES)


def _chance(examples: Sequence[Row]) -> float | None:
    """The accuracy of guessing: the mean of one over the number of choices; None where an example has none."""
    numbers = np.array([len(example["choices"]) for example in examples])
    return float(np.mean(1 / numbers)) if numbers.all() else None


def _bleu(generations: pa.Table, columns: dict[str, Any], examples: Sequence[Row]) -> Bleu:
    """BLEU of what one model wrote for each of the examples."""
    of_one = of_model(generations, columns)
    of_one = of_one.filter(pc.equal(of_one["metric"], "bleu"))
    outputs = dict(zip(of_one["example_id"].to_pylist(), of_one["output"].to_pylist(), strict=True))
    return bleu_of_rows([outputs[example["example_id"]] for example in examples], examples)


def _corpus_interval(sentences: Bleu, **how: Any) -> Interval:
    statistics = sentences.statistics
    return clustered_bootstrap(CORPUS_BLEU, list(statistics.T), np.arange(len(statistics)), **how)


def _corpus_bleu(columns: Columns, weights: Reals) -> Reals:
    return np.array([corpus_bleu(total) for total in weights @ np.stack(columns, axis=1)])


CORPUS_BLEU = Statistic("corpus BLEU", lambda *statistics: statistics, _corpus_bleu)
"""Of the ten columns of :attr:`analysis.models.answer_scores.Bleu.statistics`, a row a sentence."""
