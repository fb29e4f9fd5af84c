"""Tables of several stages -> arrays whose places are the rows of ``PAIRS``."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from analysis.errors import MeasureError, TableError
from analysis.pairs.counting import join_counts

MODEL_COLUMNS = ("model", "revision", "num_parameters", "step")


class CorpusScore(NamedTuple):
    """A corpus model's log P(y | x); ``zero`` where the counts give no probability or only one with tokens skipped."""

    log_prob: NDArray[np.float64]
    zero: NDArray[np.bool_]


class ModelScore(NamedTuple):
    """A language model's log P(y | x), the tokens that it is a sum over, and which pairs the model has read at all."""

    columns: dict[str, Any]  # model, revision, num_parameters, step
    log_prob: NDArray[np.float64]
    num_tokens: NDArray[np.int64]
    read: NDArray[np.bool_]


class PairArrays(NamedTuple):
    """The pairs, a place each."""

    task: NDArray[np.str_]
    subset: NDArray[np.str_]
    n: NDArray[np.int64]
    similarity: NDArray[np.float64]
    example: NDArray[np.int64]
    """Numbers of the examples."""
    target: NDArray[np.int64]
    """Numbers of the distinct (example, n, y)."""
    pair: NDArray[np.int64]
    """Numbers of the distinct (n, x, y), which several examples may hold."""
    answer: NDArray[np.int64]
    """Numbers of the distinct (n, y)."""
    counts: dict[str, NDArray[np.int64]]
    """The columns of ``COUNTS``."""

    def groups(self, by_subset: bool) -> Iterator[tuple[str, str, int, NDArray[np.bool_]]]:
        """task, subset, n and which places; subset "" is the whole task, the others come after it if ``by_subset``."""
        for task in np.unique(self.task):
            of_task = self.task == task
            subsets = [name for name in np.unique(self.subset[of_task]) if name] if by_subset else []
            for subset in ["", *subsets]:
                chosen = of_task & (self.subset == subset) if subset else of_task
                for n in np.unique(self.n[chosen]):
                    yield str(task), str(subset), int(n), chosen & (self.n == n)


def arrays_of_pairs(pairs: pa.Table, counts: pa.Table, examples: pa.Table | None = None) -> PairArrays:
    """Pairs with their counts.

    Raises
    ------
    TableError
        A pair without counts, or two counts of one pair; a pair of an example that ``examples`` does not have.
    MeasureError
        There is no pair.
    """
    if not pairs.num_rows:
        raise MeasureError("the table of pairs is empty: no pair was left by mining; lower γ, or see its table of drops")
    if examples is not None:
        unknown = pc.invert(pc.is_in(pairs["example_id"], examples["example_id"].combine_chunks()))
        if missing := int(pc.sum(unknown).as_py() or 0):
            raise TableError(f"{missing:,} of {pairs.num_rows:,} pairs are of unknown examples: mine the pairs of these examples")
    counted = join_counts(pairs, counts)
    example = _numbers(pairs["example_id"])
    n = pairs["n"].to_numpy()
    x, y = _numbers(pairs["x"]), _numbers(pairs["y"])
    return PairArrays(
        np.asarray(pairs["task"].to_pylist(), np.str_),
        np.asarray(pairs["subset"].to_pylist(), np.str_),
        n,
        pairs["similarity"].to_numpy().astype(np.float64),
        example,
        _distinct(example, n, y),
        _distinct(n, x, y),
        _distinct(n, y),
        counted,
    )


def arrays_of_corpus_scores(pairs: pa.Table, scores: pa.Table) -> dict[str, CorpusScore]:
    """The scores of each model of the corpus, by its name.

    Raises
    ------
    TableError
        A pair without a score, or with two.
    MeasureError
        A log-probability is nan.
    """
    found = {}
    for name in sorted(scores["corpus_model"].unique().to_pylist()):
        place, part = _places(pairs, scores.filter(pc.equal(scores["corpus_model"], name)), f"the corpus model {name}")
        log_prob = part["log_prob"].to_numpy()[place]
        _refuse(np.isnan(log_prob), f"the corpus model {name}", "nan")
        found[name] = CorpusScore(log_prob, part["zero"].to_numpy()[place].astype(bool))
    return found


def arrays_of_model_scores(pairs: pa.Table, scores: pa.Table) -> list[ModelScore]:
    """The scores of each language model, by parameters, name and revision.

    Raises
    ------
    TableError
        A pair without a score, or with two.
    MeasureError
        A log-probability is nan or infinite.
    """
    found = []
    for columns in models_of(scores):
        label = f"the model {columns['model']}" + (f" ({columns['revision']})" if columns["revision"] else "")
        place, part = _places(pairs, of_model(scores, columns), label)
        log_prob, read = part["log_prob"].to_numpy()[place], part["log_prob"].is_valid().to_numpy()[place]
        _refuse(read & ~np.isfinite(log_prob), label, "nan or infinite")
        found.append(ModelScore(columns, log_prob, part["num_tokens"].to_numpy()[place], read))
    return found


def models_of(table: pa.Table) -> list[dict[str, Any]]:
    """The models of a table, each once: by parameters, name, step and revision."""
    rows = table.group_by(list(MODEL_COLUMNS)).aggregate([]).to_pylist()
    return sorted(rows, key=lambda row: (row["num_parameters"], row["model"], row["step"], row["revision"]))


def of_model(table: pa.Table, columns: dict[str, Any]) -> pa.Table:
    """The rows of one model."""
    chosen = pc.equal(table["model"], columns["model"])
    for name in MODEL_COLUMNS[1:]:
        chosen = pc.and_(chosen, pc.equal(table[name], columns[name]))
    return table.filter(chosen)


def _places(pairs: pa.Table, scores: pa.Table, label: str) -> tuple[NDArray[np.int64], pa.Table]:
    """The place in ``scores`` of each pair's row."""
    rows = scores["row"].to_numpy()
    order = np.argsort(rows, kind="stable")
    if (np.diff(rows[order]) == 0).any():
        raise TableError(f"{label} has several scores of one pair: score again")
    wanted = pairs["row"].to_numpy()
    place = np.searchsorted(rows[order], wanted).clip(max=max(len(rows) - 1, 0))
    missing = int(np.count_nonzero(rows[order][place] != wanted)) if len(rows) else len(wanted)
    if missing:
        raise TableError(f"{label} has no score of {missing:,} of {len(wanted):,} pairs: score the pairs of this table")
    return order[place], scores


def _refuse(bad: NDArray[np.bool_], label: str, what: str) -> None:
    if bad.any():
        raise MeasureError(
            f"{np.count_nonzero(bad):,} of {len(bad):,} log-probabilities of {label} are {what}, the first of them in row "
            f"{int(bad.argmax()):,}: score again, or leave out those pairs"
        )


def _distinct(*columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of each row among the distinct rows."""
    return np.asarray(np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1), np.int64)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Each value's number among the distinct ones."""
    return np.asarray(column.combine_chunks().dictionary_encode().indices.to_numpy(), np.int64)
