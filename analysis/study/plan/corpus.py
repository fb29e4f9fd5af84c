"""Stages of the corpus's side: examples, pairs, counts, what models of the corpus say, contamination."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.config import lowest_gammas
from analysis.pairs.contamination import contamination
from analysis.pairs.corpus_models import score_pairs
from analysis.pairs.counting import aliases_of, count_drops, count_pairs
from analysis.pairs.drop_report import whole_task
from analysis.pairs.given_pairs import find_pairs, read_given
from analysis.pairs.mining import Mined, mine
from analysis.study.pipeline import Stage
from analysis.study.plan.task_stages import TaskStages
from analysis.tasks import load_task


def load(of: TaskStages) -> Iterator[Stage]:
    """The task's examples, and those that its pairs must be in."""
    task = of.task
    yield _load(of, "examples", task.source, task.split, task.limit, task.shots)
    if task.mine_from:
        yield _load(of, "mine_from", task.mine_from, task.mine_split, task.mine_limit, 0)


def _load(of: TaskStages, role: str, source: Sequence[str], split: str, limit: int, shots: int) -> Stage:
    task = of.task
    places = [of.config.place(name) for name in source]
    shots_from = [of.config.place(name) for name in task.shots_from] if shots else []
    settings: dict[str, Any] = {"split": split or None, "limit": limit or None, "shots": shots, "seed": of.config.study.seed}
    settings |= {"subsets": task.subsets, "template": task.template or None, "shots_split": task.shots_split or None}
    kind = f"jsonl:{task.name}" if task.kind == "jsonl" else task.kind or task.name

    def make() -> pa.Table:
        table = load_task(kind, places, shots_from=shots_from, **settings)
        names = pa.array([task.name] * table.num_rows, pa.string())
        return table.set_column(table.schema.get_field_index("task"), "task", names)

    files = {f"source {i}": Path(place) for i, place in enumerate([*places, *shots_from]) if Path(place).exists()}
    named = {"kind": kind, "source": source, "shots_from": task.shots_from, **settings}
    return of.stage("tasks", schemas.EXAMPLES, make, folder=role, role=role, files=files, settings=named)


def mine_pairs(of: TaskStages) -> Iterator[Stage]:
    """The task's pairs, and beside them what was dropped."""
    make, about = _given(of) if of.task.pairs else _mined(of)
    both = _once(make)
    yield of.stage("mine", schemas.PAIRS, lambda **tables: both(**tables).pairs, folder="pairs", role="pairs", **about)
    drops: Mapping[str, Any] = {"folder": "drops", "part": "mine", "role": "not mined", **about}
    yield of.stage("mine", schemas.DROPS, lambda **tables: both(**tables).drops, **drops)


def _mined(of: TaskStages) -> tuple[Callable[..., Mined], Mapping[str, Any]]:
    task, mining = of.task, of.config.mining
    settings: dict[str, Any] = {"gammas": lowest_gammas(task), "target": task.target, "stop_words": mining.stop_words}
    settings |= {"keep_nested": mining.keep_nested, "disjoint": mining.disjoint}

    def make(**tables: pa.Table) -> Mined:
        return mine(ns=tuple(task.gamma), encoder=of.opened.encoder(task), **settings, **tables)

    reads = of.reads(*(role for role in ("examples", "mine_from") if role in of.by_role))
    named = settings | {"encoder": task.encoder or mining.encoder, "prefix": mining.prefix}
    return make, {"reads": reads, "settings": named}


def _given(of: TaskStages) -> tuple[Callable[..., Mined], Mapping[str, Any]]:
    path = of.config.path(of.task.pairs)

    def make(examples: pa.Table) -> Mined:
        return find_pairs(examples, read_given(path))

    return make, {"reads": of.reads("examples"), "files": {"pairs": path}}


def count(of: TaskStages) -> Iterator[Stage]:
    """How often the corpus holds each pair; which it does not; and what was dropped up to here."""
    window, aliases = of.config.counting.window, of.task.aliases

    def make(pairs: pa.Table, examples: pa.Table | None = None) -> pa.Table:
        names = aliases_of(examples) if examples is not None else None
        return count_pairs(pairs, of.opened.index(), aliases=names, window=window or None)

    about: Mapping[str, Any] = {
        "reads": of.reads("pairs", "examples") if aliases else of.reads("pairs"),
        "files": of.index,
        "settings": {"window": window, "aliases": aliases},
    }
    yield of.stage("count", schemas.COUNTS, make, folder="counts", role="counts", **about)
    drops: Mapping[str, Any] = {"folder": "drops", "part": "count", "role": "not counted"}
    yield of.stage("count", schemas.DROPS, count_drops, reads=of.reads("pairs", "counts"), **drops)
    both = {"drops": list(of.reads("not mined", "not counted").values())}
    yield of.stage("count", schemas.DROPS, whole_task, folder="drops", part="all", reads=both, kind="drops")


def score(of: TaskStages) -> Iterator[Stage]:
    """What models of the corpus say of each pair."""
    chosen = of.config.corpus_models
    settings: dict[str, Any] = {"models": chosen.names, "smoothing": chosen.smoothing, "order": chosen.order}

    def make(pairs: pa.Table, counts: pa.Table, examples: pa.Table) -> pa.Table:
        return score_pairs(pairs, counts, examples, of.opened.index(), **settings)

    about: Mapping[str, Any] = {"reads": of.reads("pairs", "counts", "examples"), "files": of.index, "settings": settings}
    yield of.stage("models", schemas.CORPUS_SCORES, make, folder="corpus_scores", role="corpus_scores", **about)


def contaminated(of: TaskStages) -> Iterator[Stage]:
    """Which examples the corpus holds."""
    settings: dict[str, Any] = {"ns": of.config.contamination.ns, "confidence": of.config.study.confidence}

    def make(examples: pa.Table) -> pa.Table:
        return contamination(examples, of.opened.index(), **settings)

    about: Mapping[str, Any] = {"reads": of.reads("examples"), "files": of.index, "settings": settings}
    yield of.stage("contamination", schemas.CONTAMINATION, make, kind="contamination", **about)


def _once(make: Callable[..., Mined]) -> Callable[..., Mined]:
    """Call it the first time only: two tables come of one computation."""
    made: list[Mined] = []

    def first(**tables: pa.Table) -> Mined:
        if not made:
            made.append(make(**tables))
        return made[0]

    return first
