"""A few actual answers beside their prompts and the right ones."""

import numpy as np
import pyarrow as pa

from analysis.errors import ConfigError
from analysis.schemas import SHOWN_ANSWERS
from analysis.tables import table_of


def shown_answers(examples: pa.Table, generations: pa.Table, *, number: int, seed: int = 0) -> pa.Table:
    """Examples that the seed draws among those that every model answered, in the order of the task.

    Parameters
    ----------
    examples, generations
        Tables EXAMPLES and GENERATIONS.
    number
        How many; all where there are fewer.

    Returns
    -------
    pa.Table
        SHOWN_ANSWERS, a row for each model and metric of each drawn example.

    Raises
    ------
    ConfigError
        ``number`` is below 1.
    """
    if number < 1:
        raise ConfigError(f"{number} answers to show: expected 1 or more")
    known = {row["example_id"]: row for row in examples.select(["example_id", "task", "subset", "prompt", "target"]).to_pylist()}
    answers = generations.to_pylist()
    answered = dict.fromkeys(row["model"] + row["revision"] for row in answers)
    by_all = set(known)
    for name in answered:
        by_all &= {row["example_id"] for row in answers if row["model"] + row["revision"] == name}
    order = [name for name in known if name in by_all]
    drawn = np.sort(np.random.default_rng(seed).permutation(len(order))[:number]).tolist()
    rows = []
    for name in (order[place] for place in drawn):
        rows += [{**known[name], **row} for row in answers if row["example_id"] == name]
    return table_of([{column: row[column] for column in SHOWN_ANSWERS.names} for row in rows], SHOWN_ANSWERS)
