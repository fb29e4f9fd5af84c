"""Small tables of a study, as its stages would hand them on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from analysis.schemas import CORPUS_SCORES, COUNTS, EXAMPLES, GENERATIONS, MODEL_SCORES, PAIRS
from analysis.tables import table_of


def examples_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Of each example at least ``example_id``."""
    blank = {"task": "qa", "subset": "", "input": "", "target": "", "aliases": [], "choices": [], "prompt": ""}
    return table_of([{**blank, **row} for row in rows], EXAMPLES)


def model_columns(model: str, parameters: int = 1000) -> dict[str, Any]:
    return {"model": model, "revision": "", "num_parameters": parameters, "step": -1}


class Study:
    """Pairs of random examples with counts, and scores of both sides; change ``rows`` before asking for tables."""

    def __init__(self, num_examples: int = 30, seed: int = 0, tasks: Sequence[str] = ("qa",), ns: Sequence[int] = (2,)) -> None:
        rng = np.random.default_rng(seed)
        self.rows: list[dict[str, Any]] = []
        for task in tasks:
            for number in range(num_examples):
                for n in ns:
                    for pair in range(int(rng.integers(1, 6))):
                        x_documents = int(rng.integers(1, 200))
                        self.rows.append(
                            {
                                "row": len(self.rows), "example_id": f"{task}-{number}", "task": task, "subset": "ab"[number % 2],
                                "n": n, "x": f"x{n} {task} {number} {pair}", "y": f"y{n} {task} {number} {pair // 2}",
                                "x_start": 0, "x_stop": 1, "y_start": 0, "y_stop": 1, "similarity": float(rng.random()),
                                "pair_documents": int(rng.integers(0, x_documents + 1) * (rng.random() < 0.8)),
                                "x_documents": x_documents, "x_occurrences": x_documents + int(rng.integers(0, 50)),
                                "y_documents": int(rng.integers(1, 300)), "y_occurrences": 400,
                                "infgram": float(-rng.random() * 9), "skipped": bool(rng.random() < 0.3),
                                "num_tokens": int(rng.integers(1, 6)), "noise": float(rng.standard_normal()),
                            }
                        )  # fmt: skip

    def pairs(self) -> pa.Table:
        return table_of([{name: row[name] for name in PAIRS.names} for row in self.rows], PAIRS)

    def counts(self) -> pa.Table:
        """Of each distinct pair; shuffled, as no order is promised."""
        distinct = {(row["n"], row["x"], row["y"]): {name: row[name] for name in COUNTS.names} for row in self.rows[::-1]}
        return table_of(list(distinct.values()), COUNTS)

    def corpus_scores(self) -> pa.Table:
        rows = []
        for row in self.rows:
            zero = row["pair_documents"] == 0
            log_prob = -np.inf if zero else float(np.log(row["pair_documents"] / row["x_documents"]))
            rows.append({"row": row["row"], "corpus_model": "taskgram", "log_prob": log_prob, "zero": zero})
            rows.append({"row": row["row"], "corpus_model": "infgram", "log_prob": row["infgram"], "zero": row["skipped"]})
        return table_of(rows[::-1], CORPUS_SCORES)

    def model_scores(self, models: Sequence[tuple[str, int]] = (("small", 10**6), ("large", 10**8))) -> pa.Table:
        rows = [
            {"row": row["row"], **model_columns(*model), "log_prob": self.log_prob(row, place), "num_tokens": row["num_tokens"]}
            for place, model in enumerate(models)
            for row in self.rows
        ]
        return table_of(rows, MODEL_SCORES)

    @staticmethod
    def log_prob(row: dict[str, Any], place: int) -> float:
        """What the model of a place says: more of what the corpus says, the larger the place."""
        return float(place * np.log((row["pair_documents"] + 1) / row["x_documents"]) + 2 * row["noise"])

    def examples(self) -> pa.Table:
        ids = dict.fromkeys((row["example_id"], row["task"], row["subset"]) for row in self.rows)
        return examples_table([dict(zip(("example_id", "task", "subset"), key, strict=True)) for key in ids])


def generations_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Of each row at least ``example_id``."""
    blank = {**model_columns("m"), "output": "", "ended": "", "metric": "exact_match", "score": 0.0}
    return table_of([{**blank, **row} for row in rows], GENERATIONS)
