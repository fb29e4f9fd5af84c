"""The report's tables of causes: planted doses, counterfactuals, influence, prompts."""

from collections.abc import Sequence
from math import nan

from analysis.report.causes import GROUPS
from analysis.report.listings import EXAMPLES, METRIC, MODEL, PAIRS, SIZE, TASK, Listing, P, Q, estimate, listing, text_column
from analysis.report.numbers import number
from analysis.report.selection import METRICS, Row, model_label, named

RESPONSE = text_column("response", lambda row: named(METRICS, row["response"]))
DOSE = "planted documents"
"""In place of a model, where counterfactual memorization is held against the dose."""


def doses(rows: Sequence[Row]) -> Listing:
    """Responses to planted doses."""
    return listing(
        "What the models say of planted facts.",
        [
            TASK,
            MODEL,
            SIZE,
            text_column("planted documents", lambda row: f"{row['documents']:,}", True),
            RESPONSE,
            estimate("mean [interval]"),
            EXAMPLES,
        ],
        rows,
    )


def dose_agreement(rows: Sequence[Row], counterfactual: Sequence[Row]) -> Listing:
    """How well each measure agrees with the dose: responses of each model, and what halves of the facts say."""
    of_halves: Row = {"model": "models of halves", "response": "counterfactual"}
    of_halves |= {"isotonic_share": nan, "largest_fall": nan, "num_doses": "–"}
    known = [{**row, **of_halves} for row in counterfactual if row["model"] == DOSE]
    order = list(METRICS)

    def place(row: Row) -> tuple[str, int, int]:
        return row["task"], order.index(row["response"]), row["num_parameters"]

    return listing(
        "How well each measure agrees with the planted dose: rank correlation, p of no rise (Jonckheere and Terpstra; of the "
        "counterfactual, of no correlation), how much of the variance between doses a rising curve explains, and the largest fall "
        "from a dose to a higher one.",
        [
            TASK,
            text_column("measure", lambda row: named(METRICS, row["response"])),
            MODEL,
            SIZE,
            estimate("Spearman ρ [interval]"),
            P,
            Q,
            text_column("rising", lambda row: number(row["isotonic_share"]), True),
            text_column("fall", lambda row: number(row["largest_fall"]), True),
            text_column("doses", lambda row: row["num_doses"], True),
            EXAMPLES,
        ],
        sorted([*rows, *known], key=place),
    )


def influence(rows: Sequence[Row]) -> Listing:
    """Influence by group of documents."""
    return listing(
        "Mean influence on the pairs.",
        [
            TASK,
            MODEL,
            text_column("documents", lambda row: named(GROUPS, row["group"])),
            estimate("influence [interval]"),
            PAIRS,
            text_column("documents drawn", lambda row: f"{row['num_documents']:,}", True),
        ],
        rows,
    )


def prompts(rows: Sequence[Row]) -> Listing:
    """Each goal's first prompt and those that were accepted."""
    shown = [row for row in rows if row["accepted"] or row["iteration"] == 0]
    return listing(
        "The first prompt and each that was better than those before it.",
        [
            TASK,
            text_column("goal", lambda row: row["goal"]),
            text_column("iteration", lambda row: row["iteration"], True),
            text_column("mean count", lambda row: number(row["score"]), True),
            text_column("fluency", lambda row: number(row["fluency"]), True),
            text_column("prompt", lambda row: row["prompt"]),
        ],
        shown,
    )


def prompt_scores(rows: Sequence[Row]) -> Listing:
    """Scores under the prompts that were found."""
    return listing(
        "Score under each prompt, of the same examples; difference: memorize less generalize.",
        [
            TASK,
            MODEL,
            SIZE,
            text_column("prompt for", lambda row: row["goal"]),
            METRIC,
            estimate("score [interval]"),
            EXAMPLES,
        ],
        rows,
    )


def agreement(rows: Sequence[Row]) -> Listing:
    """How well counterfactual memorization is known without halves."""
    return listing(
        "Rank correlation of counterfactual memorization with the dose, and with log P of single models.",
        [
            TASK,
            text_column(
                "with", lambda row: model_label(row) if row["model"].startswith("planted") else f"log P, {model_label(row)}"
            ),
            SIZE,
            estimate("Spearman ρ [interval]"),
            P,
            Q,
            PAIRS,
            EXAMPLES,
        ],
        rows,
    )
