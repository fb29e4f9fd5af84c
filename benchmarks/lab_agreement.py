"""How well measures of memorization agree with the planted dose, in several runs of the lab.

python -m analysis lab lab-0 --preset small --seed 0; python -m analysis lab lab-1 --preset small --seed 1; …
python -m benchmarks.lab_agreement lab-0 lab-1 …
"""

import argparse
import json
from math import inf, isfinite, isinf
from pathlib import Path
from typing import Any

from analysis.report.numbers import interval
from analysis.report.selection import METRICS
from benchmarks.lab import check_counts, rows_of
from benchmarks.tables import ROOT, insert, markdown, save

RESPONSES = ("log_prob", "pmi", "counterfactual")
HEADER = (
    "seed",
    *(f"ρ of the dose and {METRICS[response]}" for response in RESPONSES),
    "documents at half, by model",
    "change for ten times the parameters",
)
NOTE = (
    "Facts: Spearman's ρ of the planted dose with what the largest model says of each, with its prior-aware measure, and with "
    "counterfactual memorization, of models of halves; then the documents at which half of a model's answers are right, by a "
    "logistic curve, and the change of their log₁₀ over sizes, below 0 where larger models need fewer. 95 % intervals over "
    "examples; ∞: no bound."
)


def agreement(lab: Path) -> list[dict[str, Any]]:
    """Spearman's ρ of each measure and the planted dose: of each model's last state, and of models of halves."""
    keys = ("model", "response", "num_parameters", "estimate", "low", "high", "num_pairs", "num_examples")
    found = rows_of(lab / "study" / "dose_trends" / "facts.parquet")
    last = max(row["step"] for row in found)
    halves = lab / "study" / "counterfactual" / "facts" / "agreement.parquet"
    told = [row for row in (rows_of(halves) if halves.exists() else ()) if row["model"] == "planted documents"]
    of_halves = [row | {"model": "models of halves", "response": "counterfactual"} for row in told]
    chosen = [row for row in found if row["step"] == last] + of_halves
    return [{key: finite(row[key]) for key in keys} for row in chosen]


def thresholds(lab: Path) -> dict[str, Any]:
    """Documents at which half of the answers on facts are right, by model; and how that changes for ten times the parameters."""
    folder = lab / "study" / "thresholds" / "facts"
    keys = ("estimate", "low", "high", "p_value")
    half = [row for row in rows_of(folder / "planted.parquet") if (row["quantity"], row["metric"]) == ("half", "exact_match")]
    slopes = [row for row in rows_of(folder / "planted-trend.parquet") if row["metric"] == "exact_match"]
    return {
        "half": {Path(row["model"]).name: {key: finite(row[key]) for key in keys[:3]} for row in half},
        "slope": [{key: finite(row[key]) for key in keys} for row in slopes],
    }


def finite(value: Any) -> Any:
    """JSON has neither infinity nor nan: null."""
    return value if not isinstance(value, float) else round(value, 4) if isfinite(value) else None


def cells(seed: int, found: dict[str, Any]) -> list[str]:
    largest = max(row["num_parameters"] for row in found["agreement"] if row["response"] == "log_prob")
    row = [str(seed)]
    for response in RESPONSES:
        some = [each for each in found["agreement"] if each["response"] == response]
        of_one = [each for each in some if response == "counterfactual" or each["num_parameters"] == largest]
        row.append(shown(of_one[0]) if of_one else "–")
    halves = "; ".join(f"{model}: {shown(half)}" for model, half in found["thresholds"]["half"].items())
    return [*row, halves or "–", "; ".join(map(shown, found["thresholds"]["slope"])) or "–"]


def shown(row: dict[str, Any]) -> str:
    estimate, low, high = (inf if row[key] is None else row[key] for key in ("estimate", "low", "high"))
    return "–" if isinf(estimate) else interval(estimate, low, high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labs", nargs="+", type=Path)
    runs = []
    for lab in parser.parse_args().labs:
        seed = json.loads((lab / "world" / "planted.parquet.provenance.json").read_text())["made_from"]["seed"]
        found = {"seed": seed, "planted_pairs": check_counts(lab), "agreement": agreement(lab), "thresholds": thresholds(lab)}
        runs.append(found)
    save("lab-agreement", {"runs": runs})
    rows = [cells(found["seed"], found) for found in runs]
    insert(ROOT / "benchmarks" / "README.md", "lab agreement", f"{markdown(HEADER, rows)}\n\n{NOTE}")


if __name__ == "__main__":
    main()
