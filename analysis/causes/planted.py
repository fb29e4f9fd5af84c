"""Planted facts, and what models say of them: tables of several stages -> arrays of one length."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.errors import ConfigError, MeasureError, TableError
from analysis.measures.pair_arrays import MODEL_COLUMNS, models_of, of_model

LOG_PROB = "log_prob"
PMI = "pmi"
"""log P of a pair less that after a prompt that does not say x: prior-aware memorization of the pair."""

PlantedFacts: TypeAlias = pa.Table | Mapping[str, int]
"""Columns ``example_id`` and ``documents``, perhaps ``task``, perhaps the planted ``x`` and ``y``; or example -> documents."""


class Responses(NamedTuple):
    """What one model says of the facts of a task, a place for each fact."""

    task: str
    columns: dict[str, Any]
    response: str
    documents: NDArray[np.int64]
    values: NDArray[np.float64]
    example: NDArray[np.str_]


def responses(
    facts: PlantedFacts,
    *,
    scores: pa.Table | None = None,
    pairs: pa.Table | None = None,
    neutral_scores: pa.Table | None = None,
    generations: pa.Table | None = None,
) -> Iterator[Responses]:
    """The responses of each task, model and kind; parameters and errors as for :func:`analysis.causes.dose.dose_response`."""
    if scores is None and generations is None:
        raise ConfigError("a dose needs a response: give scores, generations or both")
    planted = _facts_table(facts)
    found = 0
    for responding in (
        [] if scores is None else _log_probs(planted, scores, pairs),
        [] if scores is None or neutral_scores is None else _log_probs(planted, _less(scores, neutral_scores), pairs, PMI),
        [] if generations is None else _by_example(_least_dose(planted), generations, "score"),
    ):
        for response in responding:
            if bad := int(np.count_nonzero(~np.isfinite(response.values))):
                label = f"{response.response} of {response.columns['model']}"
                raise MeasureError(f"{bad:,} of {len(response.values):,} responses ({label}) are nan or infinite: score again")
            found += len(response.values)
            yield response
    if not found:
        raise MeasureError("no planted fact has a response: are facts, pairs and scores of the same examples?")


def _facts_table(facts: PlantedFacts) -> pa.Table:
    if not isinstance(facts, pa.Table):
        facts = pa.table({"example_id": pa.array(facts.keys(), pa.string()), "documents": pa.array(facts.values(), pa.int64())})
    if missing := [name for name in ("example_id", "documents") if name not in facts.column_names]:
        raise TableError(f"the table of facts lacks the column {missing[0]}: it has {', '.join(facts.column_names)}")
    if "task" not in facts.column_names:
        facts = facts.append_column("task", pa.array([""] * facts.num_rows, pa.string()))
    return facts


def _least_dose(planted: pa.Table) -> pa.Table:
    return planted.group_by(["task", "example_id"]).aggregate([("documents", "min")]).rename_columns({"documents_min": "documents"})


def _less(scores: pa.Table, neutral_scores: pa.Table) -> pa.Table:
    """MODEL_SCORES of the models that have neutral ones, less these."""
    key = ["row", *MODEL_COLUMNS]
    neutral = neutral_scores.select([*key, LOG_PROB]).rename_columns([*key, "neutral"])
    both = scores.select([*key, LOG_PROB]).join(neutral, key, join_type="inner")
    return both.select(key).append_column(LOG_PROB, pc.subtract(both[LOG_PROB], both["neutral"]))


def _log_probs(planted: pa.Table, scores: pa.Table, pairs: pa.Table | None, response: str = LOG_PROB) -> Iterator[Responses]:
    if "row" not in scores.column_names:
        yield from _by_example(_least_dose(planted), scores, LOG_PROB)
        return
    if pairs is None or not {"x", "y"} <= set(planted.column_names):
        raise ConfigError("scores by row need the pairs that they number, and facts with their x and y: give both")
    key = ["example_id", "x", "y"]
    rows = planted.select(["task", "documents", *key]).join(pairs.select(["row", *key]), key, join_type="inner")
    for columns in models_of(scores):
        of_one = of_model(scores, columns).select(["row", LOG_PROB])
        joined = rows.join(of_one.filter(of_one[LOG_PROB].is_valid()), "row", join_type="inner")
        yield from _by_task(joined.sort_by("row"), columns, response, LOG_PROB)


def _by_example(doses: pa.Table, table: pa.Table, value: str) -> Iterator[Responses]:
    """Responses that a table has by example: ``log_prob``, or the ``score`` of each metric."""
    for columns in models_of(table):
        of_one = of_model(table, columns)
        for response in sorted(of_one["metric"].unique().to_pylist()) if "metric" in of_one.column_names else [LOG_PROB]:
            part = of_one if value == LOG_PROB else of_one.filter(pc.equal(of_one["metric"], response))
            joined = doses.join(part.select(["example_id", value]), "example_id", join_type="inner").sort_by("example_id")
            yield from _by_task(joined, columns, response, value)


def _by_task(joined: pa.Table, columns: dict[str, Any], response: str, value: str) -> Iterator[Responses]:
    for task in sorted(joined["task"].unique().to_pylist()):
        part = joined.filter(pc.equal(joined["task"], task))
        example = np.asarray(part["example_id"].to_pylist(), np.str_)
        yield Responses(task, columns, response, part["documents"].to_numpy(), part[value].to_numpy().astype(np.float64), example)
