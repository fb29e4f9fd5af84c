"""Stages of the corpus's side: examples, pairs, counts, what models of the corpus say, contamination."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.config import lowest_gammas
from analysis.pairs import stop_words
from analysis.pairs.aliases import aliases_of
from analysis.pairs.contamination import contamination
from analysis.pairs.corpus_models import score_pairs
from analysis.pairs.counting import count_drops, count_pairs
from analysis.pairs.drops import whole_task
from analysis.pairs.given_pairs import find_pairs, read_given
from analysis.pairs.mining import Mined, mine
from analysis.study.pipeline import Stage, once
from analysis.study.plan.task_stages import TaskStages
from analysis.tasks import Loaded, find_kind, read_task


def load(task: TaskStages) -> Iterator[Stage]:
    """The task's examples, and those that its pairs must be in."""
    config = task.config
    yield from _load(task, "examples", config.source, config.split, config.limit, config.shots)
    if config.mine_from:
        yield from _load(task, "mine_from", config.mine_from, config.mine_split, config.mine_limit, 0)


def _load(task: TaskStages, role: str, source: Sequence[str], split: str, limit: int, shots: int) -> Iterator[Stage]:
    config = task.config
    places = [task.study.place(name) for name in source]
    shots_from = [task.study.place(name) for name in config.shots_from] if shots else []
    settings: dict[str, Any] = {"split": split or None, "limit": limit or None, "shots": shots, "seed": task.study.study.seed}
    settings |= {"subsets": config.subsets, "template": config.template or None, "shots_split": config.shots_split or None}

    if config.on_error != "raise":  # else the provenance is what it was before there was this setting
        settings |= {"on_error": config.on_error}
    if config.fields:
        settings |= {"fields": config.fields}

    def make(**settings: Any) -> Loaded:
        loaded = read_task(task.kind, places, shots_from=shots_from, **settings)
        return Loaded(*(_of_task(table, config.name) for table in loaded))

    both = once(make)

    files = {f"source {i}": Path(place) for i, place in enumerate([*places, *shots_from]) if Path(place).exists()}
    named: dict[str, Any] = {"kind": task.kind, "source": source, "shots_from": config.shots_from}
    if (reading := find_kind(task.kind)[1].reading) > 1:
        named |= {"reading": reading}
    about: Mapping[str, Any] = {"files": files, "settings": settings, "depends_on": named}
    yield task.stage("tasks", schemas.EXAMPLES, lambda **given: both(**given).examples, folder=role, role=role, **about)
    if config.on_error == "skip":
        about = {"folder": "drops", "part": f"skipped-{role}", "role": f"skipped {role}", **about}
        yield task.stage("tasks", schemas.DROPS, lambda **given: both(**given).drops, **about)


def _of_task(table: pa.Table, name: str) -> pa.Table:
    """A table whose task is called what the study calls it."""
    names = pa.array([name] * table.num_rows, pa.string())
    return table.set_column(table.schema.get_field_index("task"), "task", names)


def mine_pairs(task: TaskStages) -> Iterator[Stage]:
    """The task's pairs, and beside them what was dropped."""
    make, about = _given(task) if task.config.pairs else _mined(task)
    both = once(make)
    yield task.stage("mine", schemas.PAIRS, lambda **given: both(**given).pairs, folder="pairs", role="pairs", **about)
    drops: Mapping[str, Any] = {"folder": "drops", "part": "mine", "role": "not mined", **about}
    yield task.stage("mine", schemas.DROPS, lambda **given: both(**given).drops, **drops)
    if not task.config.pairs:
        found: Mapping[str, Any] = {"folder": "similarities", "kind": "similarities", **about}
        yield task.stage("mine", schemas.SIMILARITIES, lambda **given: both(**given).similarities, **found)


def _mined(task: TaskStages) -> tuple[Callable[..., Mined], Mapping[str, Any]]:
    config, mining = task.config, task.study.mining
    settings: dict[str, Any] = {"gammas": lowest_gammas(config), "target": config.target, "stop_words": mining.stop_words}
    settings |= {"keep_nested": mining.keep_nested, "disjoint": mining.disjoint}

    def make(*, gammas: Mapping[int, float], **given: Any) -> Mined:
        return mine(ns=tuple(gammas), gammas=gammas, encoder=task.resources.encoder(config), **given)

    reads = task.reads(*(role for role in ("examples", "mine_from") if role in task.by_role))
    known = {"encoder": config.encoder or mining.encoder, "prefix": mining.prefix}
    if mining.stop_words:
        known |= {"stop_word_lists": stop_words.digest()}
    return make, {"reads": reads, "settings": settings, "depends_on": known}


def _given(task: TaskStages) -> tuple[Callable[..., Mined], Mapping[str, Any]]:
    path = task.study.path(task.config.pairs)

    def make(examples: pa.Table) -> Mined:
        return find_pairs(examples, read_given(path))

    return make, {"reads": task.reads("examples"), "files": {"pairs": path}}


def count(task: TaskStages) -> Iterator[Stage]:
    """How often the corpus holds each pair; which it does not; and what was dropped up to here."""

    def make(pairs: pa.Table, examples: pa.Table | None = None, *, window: int, aliases: bool) -> pa.Table:
        names = aliases_of(examples).united if aliases and examples is not None else None
        return count_pairs(pairs, task.resources.index(), aliases=names, window=window or None)

    def dropped(pairs: pa.Table, counts: pa.Table, examples: pa.Table | None = None) -> pa.Table:
        found = count_drops(pairs, counts)
        return found if examples is None else pa.concat_tables([aliases_of(examples).drops, found])

    settings = {"window": task.study.counting.window, "aliases": task.config.aliases}
    also = ("examples",) if task.config.aliases else ()
    about: dict[str, Any] = {"reads": task.reads("pairs", *also), "files": task.index, "settings": settings}
    about |= task.aliases_known
    yield task.stage("count", schemas.COUNTS, make, folder="counts", role="counts", **about)
    about = {"reads": task.reads("pairs", "counts", *also), **task.aliases_known}
    yield task.stage("count", schemas.DROPS, dropped, folder="drops", part="count", role="not counted", **about)
    skipped = [role for role in ("skipped examples",) if role in task.by_role]
    both = {"drops": list(task.reads(*skipped, "not mined", "not counted").values())}
    yield task.stage("count", schemas.DROPS, whole_task, folder="drops", part="all", reads=both, kind="drops")


def score(task: TaskStages) -> Iterator[Stage]:
    """What models of the corpus say of each pair."""
    chosen = task.study.corpus_models
    settings: dict[str, Any] = {"models": chosen.names, "smoothing": chosen.smoothing, "order": chosen.order}

    def make(pairs: pa.Table, counts: pa.Table, examples: pa.Table, **settings: Any) -> pa.Table:
        names = aliases_of(examples).united if task.config.aliases else None
        return score_pairs(pairs, counts, examples, task.resources.index(), aliases=names, **settings)

    about: dict[str, Any] = {"reads": task.reads("pairs", "counts", "examples"), "files": task.index, "settings": settings}
    about |= task.aliases_known
    yield task.stage("corpus-models", schemas.CORPUS_SCORES, make, folder="corpus_scores", role="corpus_scores", **about)


def contaminated(task: TaskStages) -> Iterator[Stage]:
    """Which examples the corpus holds."""
    settings: dict[str, Any] = {"ns": task.study.contamination.ns, "confidence": task.study.study.confidence}

    def make(examples: pa.Table, **settings: Any) -> pa.Table:
        return contamination(examples, task.resources.index(), **settings)

    about: Mapping[str, Any] = {"reads": task.reads("examples"), "files": task.index, "settings": settings}
    yield task.stage("contamination", schemas.CONTAMINATION, make, kind="contamination", **about)
