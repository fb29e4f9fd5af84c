"""How many planted documents a model needs: the threshold of a known dose, free of what else goes with frequency."""

import pyarrow as pa

from analysis.causes.planted import PlantedFacts, responses
from analysis.errors import MeasureError
from analysis.measures.frequency.thresholds import NOT_RIGHT_OR_WRONG, Thresholds, of_rows, thresholds_of
from analysis.models.answer_scores import RIGHT_OR_WRONG


def dose_thresholds(
    facts: PlantedFacts, generations: pa.Table, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Thresholds:
    """:func:`analysis.measures.frequency.thresholds.thresholds` over the planted numbers of documents: ``frequency`` "planted".

    Raises
    ------
    MeasureError
        No metric is right or wrong, or no fact has an answer.
    """
    answered = []
    for found in responses(facts, generations=generations):
        if found.response in RIGHT_OR_WRONG:
            about = {"task": found.task, "subset": "", "metric": found.response, "n": 0, "frequency": "planted", **found.columns}
            rows = zip(found.example.tolist(), found.documents.tolist(), found.values.tolist(), strict=True)
            answered.append(of_rows(about, rows))
    if not answered:
        raise MeasureError(NOT_RIGHT_OR_WRONG)
    return thresholds_of(answered, confidence=confidence, resamples=resamples, seed=seed)
