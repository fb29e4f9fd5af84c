"""Do documents that hold an n-gram pair shape what a model says of it more than documents that hold its output alone?

In(d, (x, y)) = ∇ℓ(θ, d, s^y) · ∇ℓ(θ, (x, y), s^y) (TracIn, Pruthi et al., 2020): how much a step on the document lowers the
loss of the example, both on s^y alone: ℓ = -Σ_{t ∈ s^y} log P(t | all before), in a document at the first occurrence of s^y.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from tqdm import tqdm

import suffixindex as si
from analysis.causes.passages import Passage, passage, sample_groups
from analysis.errors import ConfigError, MeasureError, TableError
from analysis.measures.unread import REASONS, TOO_LONG, name_of
from analysis.models.cache import Cache, key_of
from analysis.models.gradients import chosen_parameters, loss_gradient, mean_inner_product
from analysis.models.open import CausalModel
from analysis.models.token_spans import Reading, Text, narrow, read_texts
from analysis.models.too_long import TooLong, fit
from analysis.pairs.drops import DropCounter
from analysis.schemas import INFLUENCE
from analysis.stats.correlations import MEAN
from analysis.stats.resampling import clustered_bootstrap
from analysis.tables import table_of

log = logging.getLogger(__name__)

Checkpoint = CausalModel | Callable[[], CausalModel]
GROUPS = ("pair", "output_only", "difference")
ALL_CHECKPOINTS = "all"
"""The ``revision`` of rows that sum over checkpoints; their ``step`` is -1."""


class Influences(NamedTuple):
    """The table of ``INFLUENCE``, and that of ``DROPS``: pairs with documents of both groups that the models did not read."""

    influence: pa.Table
    drops: pa.Table


class Compared(NamedTuple):
    """A pair with documents of both groups."""

    task: str
    subset: str
    n: int
    example: Text
    start: int
    stop: int
    groups: tuple[list[Passage], list[Passage]]


def influence(
    checkpoints: Sequence[Checkpoint],
    examples: pa.Table,
    pairs: pa.Table,
    index: "si.SuffixIndex",
    *,
    num_documents: int = 50,
    max_length: int = 512,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    parameters: str = "all",
    num_pairs: int | None = None,
    texts: "si.SuffixIndex | None" = None,
    total: bool = False,
    batch_tokens: int = 8192,
    cache: Path | None = None,
    too_long: TooLong = "drop",
) -> Influences:
    """Mean influence of the documents of each pair, by group, at each checkpoint.

    Parameters
    ----------
    checkpoints
        Models, or functions that open one, so that one at a time is in memory.
    examples, pairs
        Tables EXAMPLES and PAIRS.
    index
        Of ``words``, as for counting: says which documents hold x, and where y is.
    num_documents
        Of each group, drawn anew for each pair.
    max_length
        Tokens of a document up to the end of the n-gram.
    confidence, resamples
        Of the intervals, see :func:`analysis.stats.resampling.clustered_bootstrap`.
    seed
        Draws documents and resamples.
    parameters
        Which gradients: "all", or a regular expression of parameters' names ("layers\\.(10|11)\\.").
    num_pairs
        Pairs of each task and subset, drawn; None: all.
    texts
        Another index of the same corpus, to read documents as they are; without it they are read as the index's words. See
        :func:`analysis.causes.passages.passage`.
    total
        Add rows of the sum over checkpoints, ``revision`` "all".
    batch_tokens
        Tokens of documents in a forward and backward pass, padding included.
    cache
        A folder, where each finished pair's values are kept.
    too_long
        What to do with an example that is longer than the model's context: ``analysis.models.too_long``. Documents are cut to
        ``max_length``; a pair whose n-gram alone is longer is left out and counted too.

    Returns
    -------
    Influences
        Groups of INFLUENCE: "pair", "output_only", and "difference", the first less the second of each pair. Intervals are of
        resamples of examples.

    Raises
    ------
    ConfigError
        A number is below 1, or ``parameters`` match none.
    MeasureError
        No pair has documents of both groups, or none of these is short enough.
    TableError, ModelError
        As for :func:`analysis.models.scoring.score_spans`, or ``texts`` is of another corpus.

    Notes
    -----
    For each pair and checkpoint one backward pass for the example, one for each batch of documents; memory of two gradients.
    """
    _check(checkpoints, num_documents, max_length, num_pairs, index, texts)
    rng = np.random.default_rng(seed)
    compared = _compare(examples, pairs, index, texts, num_documents, max_length, num_pairs, rng)
    columns: list[dict[str, Any]] = []
    values: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    for checkpoint in checkpoints:
        model = checkpoint if isinstance(checkpoint, CausalModel) else checkpoint()
        columns.append(model.columns)
        values.append(_at_checkpoint(model, compared, max_length, parameters, batch_tokens, cache, too_long))
        del model  # before the next is opened
    read = np.isfinite(np.array(values)).all(axis=(0, 2)).reshape(-1)
    drops = _drops(name_of(columns[-1]), compared, read)
    compared, values = [pair for pair, kept in zip(compared, read, strict=True) if kept], [value[read] for value in values]
    if not compared:
        raise MeasureError(f"all {len(read):,} pairs are of examples too long for {columns[-1]['model']}: try truncate_left")
    if total:
        columns.append({**columns[-1], "revision": ALL_CHECKPOINTS, "step": -1})
        values.append(np.sum(values, axis=0))
    how: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    rows = [row for about, value in zip(columns, values, strict=True) for row in _rows(about, compared, value, how)]
    return Influences(table_of(rows, INFLUENCE), drops)


def _check(
    checkpoints: Sequence[Checkpoint],
    num_documents: int,
    max_length: int,
    num_pairs: int | None,
    index: "si.SuffixIndex",
    texts: "si.SuffixIndex | None",
) -> None:
    if not checkpoints or min(num_documents, max_length, 1 if num_pairs is None else num_pairs) < 1:
        raise ConfigError(
            f"{len(checkpoints)} checkpoints, num_documents {num_documents}, max_length {max_length}, num_pairs {num_pairs}: "
            "expected 1 or more of each"
        )
    if (kind := index.info()["tokenizer"]["kind"]) != "words":
        raise ConfigError(
            f"the index {index.path} is of {kind}: influence finds documents by words; build one with --tokenizer words"
        )
    if texts is not None and texts.num_documents != index.num_documents:
        raise TableError(
            f"{texts.path} has {texts.num_documents:,} documents and {index.path} {index.num_documents:,}: give an index of the "
            "same corpus, built in the same order"
        )


def _compare(
    examples: pa.Table,
    pairs: pa.Table,
    index: "si.SuffixIndex",
    texts: "si.SuffixIndex | None",
    num_documents: int,
    max_length: int,
    num_pairs: int | None,
    rng: np.random.Generator,
) -> list[Compared]:
    """The pairs that have documents of both groups, with the passages of theirs; ``num_pairs`` of each task and subset."""
    rows = pairs.select(["task", "subset", "n", "example_id", "x", "y", "y_start", "y_stop"]).to_pylist()
    wanted = {row["example_id"] for row in rows}
    read = examples.select(["example_id", "prompt", "target"]).to_pylist()
    known = {row["example_id"]: Text(f"example {row['example_id']!r}", row["prompt"], row["target"]) for row in read}
    if missing := sorted(wanted - known.keys()):
        raise TableError(
            f"a pair is of the example {missing[0]!r}, which the table of examples does not have: mine the pairs again"
        )
    compared: list[Compared] = []
    for task, subset in dict.fromkeys((row["task"], row["subset"]) for row in rows):
        of_it = [row for row in rows if (row["task"], row["subset"]) == (task, subset)]
        found = 0
        for number in rng.permutation(len(of_it)).tolist():
            row = of_it[number]
            groups = sample_groups(index, row["x"], row["y"], num_documents, rng)
            if all(map(len, groups)):
                both, alone = ([passage(index, int(i), row["y"], max_length, texts) for i in each] for each in groups)
                example, span = known[row["example_id"]], (row["y_start"], row["y_stop"])
                compared.append(Compared(task, subset, row["n"], example, *span, (both, alone)))
                found += 1
            if found == num_pairs:
                break
        log.info("influence: %s of %s pairs of %s %s are compared", f"{found:,}", f"{len(of_it):,}", task, subset)
    if not compared:
        raise MeasureError(f"none of {len(rows):,} pairs has documents that hold it and others that hold its output alone")
    return compared


def _at_checkpoint(
    model: CausalModel,
    compared: Sequence[Compared],
    max_length: int,
    parameters: str,
    batch_tokens: int,
    folder: Path | None,
    too_long: TooLong,
) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Mean influence of the two groups of each pair: ``float64[pairs, 2]``; nan for a pair that is left out as too long."""
    chosen = chosen_parameters(model, parameters)
    cache = Cache(folder, "influence", model)
    found: list[list[float]] = []
    for pair in tqdm(compared, desc=model.label, unit=" pairs", disable=None):
        (reading,) = read_texts(model, [pair.example])
        fitted = fit([narrow(reading, pair.start, pair.stop)], model, too_long)
        groups = [_read_passages(model, each, max_length) for each in pair.groups]
        if fitted is None or not all(groups):
            found.append([np.nan, np.nan])
            continue
        (example,) = fitted
        content = [part for each in [example, *groups[0], *groups[1]] for part in (each.ids.tobytes(), each.positions.tobytes())]
        key = key_of(*chosen, *(str(len(each)) for each in groups), *content)
        if key not in cache:
            gradient = loss_gradient(model, [example], chosen)
            cache.add({key: [mean_inner_product(model, gradient, each, chosen, batch_tokens) for each in groups]})
        found.append(cache[key])
    return np.array(found, np.float64)


def _read_passages(model: CausalModel, passages: Sequence[Passage], max_length: int) -> list[Reading]:
    """The readings of documents, each cut to ``max_length``; none if the n-gram alone is longer than that in one of them."""
    texts = [Text(f"document {each.document_id}", each.text[: each.start], each.text[each.start :]) for each in passages]
    readings = zip(passages, read_texts(model, texts, documents=True), strict=True)
    fitted = [fit([narrow(reading, 0, each.stop - each.start)], model, "truncate_left", max_length) for each, reading in readings]
    return [] if None in fitted else [reading for each in fitted if each is not None for reading in each]


def _drops(model: str, compared: Sequence[Compared], read: "np.ndarray[Any, np.dtype[np.bool_]]") -> pa.Table:
    """DROPS of one model: the pairs that were left out as too long, and those that were kept."""
    drops = DropCounter(f"influence {model}", REASONS)
    for group in dict.fromkeys((pair.task, pair.subset, pair.n) for pair in compared):
        of_it = [number for number, pair in enumerate(compared) if (pair.task, pair.subset, pair.n) == group]
        for reason, marked in ((TOO_LONG, ~read), ("kept", read)):
            names = [compared[number].example.name for number in of_it if marked[number]]
            drops.add(group, reason, len(names), len(set(names)))
    return drops.table()


def _rows(
    columns: dict[str, Any], compared: Sequence[Compared], values: "np.ndarray[Any, np.dtype[np.float64]]", how: dict[str, Any]
) -> list[dict[str, Any]]:
    """INFLUENCE of one checkpoint."""
    rows: list[dict[str, Any]] = []
    for task, subset in dict.fromkeys((pair.task, pair.subset) for pair in compared):
        of_it = [number for number, pair in enumerate(compared) if (pair.task, pair.subset) == (task, subset)]
        clusters = [compared[number].example.name for number in of_it]
        documents = np.array([[len(each) for each in compared[number].groups] for number in of_it]).sum(0).tolist()
        both, alone = values[of_it].T
        for group, each, number in zip(GROUPS, (both, alone, both - alone), (*documents, sum(documents)), strict=True):
            interval = clustered_bootstrap(MEAN, [each], clusters, **how)._asdict()
            sizes = {"num_pairs": len(of_it), "num_documents": number}
            rows.append({"task": task, "subset": subset, **columns, "group": group, **interval, **sizes})
    return rows
