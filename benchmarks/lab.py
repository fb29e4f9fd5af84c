"""What came out in several runs of the lab, side by side; and that its counts are the planted truth.

python -m analysis lab lab-0 --seed 0; python -m analysis lab lab-1 --seed 1; …
python -m benchmarks.lab lab-0 lab-1 …
"""

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.tables import ROOT, insert, markdown, save

TASKS = ("facts", "translation", "arithmetic")
PLANTED = ("facts", "translation")


def rows_of(path: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(path).to_pylist())


def check_counts(lab: Path) -> int:
    """How many planted pairs were counted; each in exactly as many documents as were planted."""
    planted = {(row["n"], row["x"], row["y"]): row["documents"] for row in rows_of(lab / "world" / "planted.parquet")}
    counted = [row for task in PLANTED for row in rows_of(lab / "study" / "counts" / f"{task}.parquet")]
    for row in counted:
        assert planted[row["n"], row["x"], row["y"]] == row["pair_documents"], (lab, row)
    return len(counted)


def memorization(lab: Path) -> list[dict[str, Any]]:
    """Spearman's ρ of the task-gram model, of its own pairs, and each model of the ladder."""
    keys = ("task", "model", "num_parameters", "n", "estimate", "low", "high", "p_value", "num_pairs", "num_examples")
    found = [row for task in TASKS for row in rows_of(lab / "study" / "correlations" / task / "strict.parquet")]
    wanted = ("spearman", "taskgram", "own")
    chosen = [row for row in found if (row["statistic"], row["corpus_model"], row["pair_set"]) == wanted]
    return [{key: row[key] for key in keys} for row in chosen]


def doses(lab: Path) -> list[dict[str, Any]]:
    """What trained models say of facts, by the number of documents that were planted."""
    found = [row for path in sorted((lab / "study" / "dose").rglob("facts*.parquet")) for row in rows_of(path)]
    last = max(row["step"] for row in found)
    return [{key: row[key] for key in ("model", "documents", "response", "estimate")} for row in found if row["step"] == last]


def monotone(of_lab: list[dict[str, Any]], model: str) -> bool:
    """Whether log P of facts rises from each dose to the next."""
    curve = [row for row in of_lab if (row["model"], row["response"]) == (model, "log_prob")]
    means = [row["estimate"] for row in sorted(curve, key=lambda row: row["documents"])]
    return all(lower < higher for lower, higher in itertools.pairwise(means))


def trends(lab: Path) -> list[dict[str, Any]]:
    """How ρ of the task-gram model changes with ten times the parameters; nothing for a ladder of fewer than three models."""
    found = [row for path in sorted((lab / "study" / "trends").rglob("*.parquet")) for row in rows_of(path)]
    return [row for row in found if (row["corpus_model"], row["pair_set"]) == ("taskgram", "own")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labs", nargs="+", type=Path)
    labs = parser.parse_args().labs
    results = []
    table = []
    for lab in labs:
        seed = json.loads((lab / "world" / "planted.parquet.provenance.json").read_text())["made_from"]["seed"]
        found = {"seed": seed, "planted_pairs": check_counts(lab), "memorization": memorization(lab), "doses": doses(lab)}
        results.append(found | {"size_trends": trends(lab)})
        for model in dict.fromkeys(row["model"] for row in found["memorization"]):
            by_task = {row["task"]: row for row in found["memorization"] if row["model"] == model}
            cells = [f"{row['estimate']:.2f} [{row['low']:.2f}, {row['high']:.2f}]" for row in (by_task[task] for task in TASKS)]
            table.append([str(seed), Path(model).name, *cells, "yes" if monotone(found["doses"], model) else "no"])
    save("lab", {"runs": results})
    header = ["seed", "model", *(f"ρ, {task}" for task in TASKS), "log P rises with every dose"]
    note = (
        f"Spearman's ρ with 95 % intervals; all {sum(found['planted_pairs'] for found in results):,} planted pairs counted exactly."
    )
    insert(ROOT / "benchmarks" / "README.md", "lab", f"{markdown(header, table)}\n\n{note}")


if __name__ == "__main__":
    main()
