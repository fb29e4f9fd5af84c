"""Examples that language models did not read, being too long for them: counted, as everything that is dropped."""

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa

from analysis.measures.pair_arrays import models_of, of_model
from analysis.pairs.drops import DropCounter
from analysis.schemas import DROPS

TOO_LONG = "too_long"
REASONS = (TOO_LONG, "kept")
NOT_IN_FILES = "not_in_files"
"""Of models whose answers or scores come from files."""


def unread(
    examples: pa.Table,
    pairs: pa.Table,
    model_scores: pa.Table | None = None,
    generations: pa.Table | None = None,
    *,
    scores_of_files: Collection[str] = (),
    answers_of_files: Collection[str] = (),
) -> pa.Table:
    """A table of DROPS: of each model's scores the pairs, and of its answers the examples, that it read and that it did not.

    ``stage`` is ``score MODEL`` or ``generate MODEL``; answers are not of an n, so theirs is 0.

    Parameters
    ----------
    examples, pairs, model_scores, generations
        Tables EXAMPLES, PAIRS, MODEL_SCORES, GENERATIONS.
    scores_of_files, answers_of_files
        Models whose scores or answers are those of files: what is not there was not left out as too long.
    """
    tables = []
    for columns in models_of(model_scores) if model_scores is not None else ():
        reason = NOT_IN_FILES if columns["model"] in scores_of_files else TOO_LONG
        tables.append(_count(f"score {name_of(columns)}", _of_scores(pairs, of_model(model_scores, columns)), reason))
    if generations is not None:
        known = examples.select(["example_id", "task", "subset"]).to_pylist()
        for columns in models_of(generations):
            answered = set(of_model(generations, columns)["example_id"].to_pylist())
            rows = [{**row, "n": 0, "read": row["example_id"] in answered, "pairs": 0} for row in known]
            reason = NOT_IN_FILES if columns["model"] in answers_of_files else TOO_LONG
            tables.append(_count(f"generate {name_of(columns)}", rows, reason))
    return pa.concat_tables(tables) if tables else DROPS.empty_table()


def name_of(columns: Mapping[str, Any]) -> str:
    """A model in the name of a stage."""
    return f"{columns['model']}@{columns['revision']}" if columns["revision"] else str(columns["model"])


def _of_scores(pairs: pa.Table, scores: pa.Table) -> list[dict[str, Any]]:
    """A row for each n of each example: whether it was read, and how many pairs it has."""
    read = dict(zip(scores["row"].to_pylist(), scores["log_prob"].is_valid().to_pylist(), strict=True))
    keys = ["task", "subset", "n", "example_id"]
    marked = pairs.select(keys).append_column("read", pa.array([read[row] for row in pairs["row"].to_pylist()], pa.bool_()))
    counted = marked.group_by([*keys, "read"], use_threads=False).aggregate([([], "count_all")])
    rows: list[dict[str, Any]] = counted.rename_columns([*keys, "read", "pairs"]).to_pylist()
    return rows


def _count(stage: str, rows: list[dict[str, Any]], reason: str) -> pa.Table:
    drops = DropCounter(stage, (reason, "kept"))
    for row in rows:
        group = row["task"], row["subset"], row["n"]
        drops.add(group, "kept", 0, 0)
        drops.add(group, "kept" if row["read"] else reason, row["pairs"], 1)
    return drops.table()
