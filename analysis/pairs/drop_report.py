"""What was dropped of each whole task: the stages' tables added up over subjects and language pairs."""

import pyarrow as pa
import pyarrow.compute as pc

from analysis.schemas import DROPS


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
