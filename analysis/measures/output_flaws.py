"""What is wrong with outputs whatever their task: they say nothing, were cut, or repeat themselves."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from analysis.measures.pair_arrays import models_of, of_model
from analysis.measures.performance import share_interval
from analysis.measures.subsets import groups_of
from analysis.measures.unread import name_of
from analysis.ngrams import word_spans
from analysis.schemas import OUTPUT_FLAWS
from analysis.tables import table_of

log = logging.getLogger(__name__)

Row = dict[str, Any]
WORRYING = 0.1
"""A share above which numbers say more of how a model was asked than of what it knows."""
LOOPS = 3
"""So often in succession the same words make a loop."""
LEAST = 6
"""Words of a loop, so that "no no no" is none."""


def output_flaws(examples: pa.Table, generations: pa.Table, *, confidence: float = 0.95, by_subset: bool = False) -> pa.Table:
    """The shares of each model's outputs that are empty, cut, and repeated, with Wilson's intervals.

    Parameters
    ----------
    examples, generations
        Tables EXAMPLES, GENERATIONS; an output with several metrics counts once. Where it is not known how outputs ended,
        since they come from files, there is no row of those that were cut.

    Returns
    -------
    pa.Table
        OUTPUT_FLAWS. Shares above ``WORRYING`` are warned of.
    """
    known = {
        row["example_id"]: (row["task"], row["subset"]) for row in examples.select(["example_id", "task", "subset"]).to_pylist()
    }
    rows: list[Row] = []
    for columns in models_of(generations):
        written = {row["example_id"]: row for row in of_model(generations, columns).to_pylist() if row["example_id"] in known}
        outputs = list(written.values())
        for flaw, has in FLAWS.items():
            if flaw == "cut" and not any(row["ended"] for row in outputs):
                continue
            marked = np.array([has(row) for row in outputs], np.float64)
            for task, subset, chosen in groups_of([known[name] for name in written], by_subset):
                interval = share_interval(marked[chosen], confidence)
                about = {"task": task, "subset": subset, **columns, "flaw": flaw, "num_examples": len(chosen)}
                rows.append(about | interval._asdict())
                if interval.estimate > WORRYING and not subset:
                    log.warning("%s", worry(rows[-1]))
    return table_of(rows, OUTPUT_FLAWS)


def worry(row: Row) -> str:
    """A share in a sentence, with what to do."""
    return (
        f"{row['task']}: {row['estimate']:.0%} of {row['num_examples']:,} answers of {name_of(row)} {SAID[row['flaw']]}: "
        f"{ADVICE[row['flaw']]}"
    )


def worries(rows: Sequence[Row]) -> list[str]:
    """A sentence for each flaw that more than ``WORRYING`` of some answers have: whose, and what to do."""
    told = []
    for flaw, advice in ADVICE.items():
        some = [row for row in rows if row["flaw"] == flaw and row["estimate"] > WORRYING]
        by_task: dict[str, list[str]] = {}
        for row in some:
            by_task.setdefault(row["task"], []).append(f"{row['estimate']:.0%} of {name_of(row)}")
        if by_task:
            whose = "; ".join(f"{task} {', '.join(shares)}" for task, shares in by_task.items())
            told.append(f"Many answers {SAID[flaw]} ({whose}): {advice}")
    return told


def is_repeated(text: str) -> bool:
    """Whether a text ends with the same words three or more times in succession, six words at least in all.

    A last turn that was cut in its middle counts as far as it goes.
    """
    words = word_spans(text).words
    for period in range(1, len(words) // LOOPS + 1):
        same = 0
        while same + period < len(words) and words[-1 - same] == words[-1 - same - period]:
            same += 1
        if same + period >= max(LOOPS * period, LEAST):
            return True
    return False


FLAWS: dict[str, Callable[[Row], bool]] = {
    "empty": lambda row: not row["output"].strip(),
    "cut": lambda row: row["ended"] == "length",
    "repeated": lambda row: is_repeated(row["output"]),
}
SAID = {"empty": "are empty", "cut": "were cut at max_tokens", "repeated": "end in a loop"}
ADVICE = {
    "empty": "a chat model may be asked raw (chat = true), a stop may stand at the answer's start",
    "cut": "raise max_tokens, or set a stop that ends an answer",
    "repeated": "the model may be small, or asked in a way that it does not know (bos, chat)",
}
