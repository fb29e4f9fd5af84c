"""What a stage left out, counted by task, subset, n and reason."""

from collections import defaultdict
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from analysis.schemas import DROPS
from analysis.tables import table_of

Group = tuple[str, str, int]
"""task, subset, n."""


class DropCounter:
    """Adds up pairs, and the examples that they are of, by group and reason."""

    def __init__(self, stage: str, reasons: Sequence[str]) -> None:
        """``reasons`` in the order in which they are reported."""
        self._stage = stage
        self.reasons = reasons
        self._found: dict[Group, dict[str, list[int]]] = defaultdict(dict)

    def add(self, group: Group, reason: str, pairs: int, examples: int | None = None) -> None:
        """Count the pairs of one example, or of ``examples``; reason "kept" is reported even if it is 0."""
        if pairs or examples or reason == "kept":
            totals = self._found[group].setdefault(reason, [0, 0])
            totals[0] += pairs
            totals[1] += bool(pairs) if examples is None else examples

    def total(self, reason: str) -> int:
        """Pairs of all groups."""
        return sum(reasons[reason][0] for reasons in self._found.values() if reason in reasons)

    def table(self) -> pa.Table:
        """A table of ``DROPS``, groups in the order of their first mention."""
        rows = [
            {
                "task": task,
                "subset": subset,
                "n": n,
                "reason": reason,
                "stage": self._stage,
                "num_pairs": pairs,
                "num_examples": number,
            }
            for (task, subset, n), reasons in self._found.items()
            for reason in self.reasons
            if reason in reasons
            for pairs, number in [reasons[reason]]
        ]
        return table_of(rows, DROPS)


def whole_task(drops: pa.Table, *, keep_all: bool = False) -> pa.Table:
    """``DROPS`` summed over subsets, in the order of first mention; subset is "".

    What one stage kept is what the next one looks at, so "kept" stays only for the last stage, unless ``keep_all``: where
    the stages stand beside each other.
    """
    keys = ["task", "n", "stage", "reason"]
    summed = drops.group_by(keys, use_threads=False).aggregate([("num_pairs", "sum"), ("num_examples", "sum")])
    summed = summed.rename_columns([*keys, "num_pairs", "num_examples"]).append_column("subset", pa.array([""] * summed.num_rows))
    if summed.num_rows and not keep_all:
        kept_before = pc.and_(pc.equal(summed["reason"], "kept"), pc.not_equal(summed["stage"], summed["stage"][-1]))
        summed = summed.filter(pc.invert(kept_before))
    return summed.select(DROPS.names).cast(DROPS)
