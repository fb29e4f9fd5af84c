"""A configuration as the stages of its study, in the order in which they run.

``FOLDER/examples/TASK.parquet`` → ``pairs`` → ``counts`` → ``corpus_scores``; ``scores/TASK/MODEL@REVISION.parquet`` and
``generations/…`` of each model; then a table for each task of each measure: ``correlations``, ``performance``, …
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.config import Config, Model, Task, lowest_gammas
from analysis.contamination import contamination
from analysis.corpus_models import score_pairs
from analysis.correlate import correlate
from analysis.counting import count_drops, count_pairs
from analysis.drop_report import whole_task
from analysis.generation import generate
from analysis.mining import Mined, mine
from analysis.novelty import novelty
from analysis.opened import Opened, weights_of
from analysis.performance import performance
from analysis.pipeline import Stage
from analysis.scoring import score_spans
from analysis.task_scores import choice_accuracy, score_generations
from analysis.tasks import load_task


class TaskStages:
    """What stages of one task read: those of its stages that are planned already."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.by_role: dict[str, Stage] = {}
        self.scores: list[Stage] = []
        self.generations: list[Stage] = []

    def reads(self, *roles: str) -> dict[str, Stage]:
        """The stages of these roles."""
        return {role: self.by_role[role] for role in roles}


def plan(config: Config, opened: Opened) -> list[Stage]:
    """All stages of a study, what a stage reads before it; nothing is read or opened until one runs."""
    return list(_Plan(config, opened).stages())


class _Plan:
    def __init__(self, config: Config, opened: Opened) -> None:
        self.config = config
        self.opened = opened
        self.index = {"index": config.path(config.index.path)}
        self.tasks = [TaskStages(task) for task in config.tasks]

    def stages(self) -> Iterator[Stage]:
        for make in (self._tasks, self._mine, self._count, self._corpus_models, self._contamination):
            for of in self.tasks:
                yield from make(of)
        for model in self.config.models:
            for revision in (*model.checkpoints, model.revision):
                for of in self.tasks:
                    yield self._score(of, model, revision)
                    if revision == model.revision and model.generate and of.task.metric:
                        yield self._generate(of, model)
        for make in (self._correlate, self._performance, self._novelty):
            for of in self.tasks:
                yield from make(of)

    def _stage(
        self,
        command: str,
        of: TaskStages,
        schema: pa.Schema,
        make: Callable[..., pa.Table],
        *,
        folder: str = "",
        part: str = "",
        **about: Any,
    ) -> Stage:
        """A stage of a task, in ``folder`` (the command's name by default); ``part`` tells its file from others of the task."""
        folder = folder or command
        name = f"{of.task.name}/{part}" if part else of.task.name
        return Stage(command, f"{folder} {name}", self.config.folder / folder / f"{name}.parquet", schema, make, **about)

    def _tasks(self, of: TaskStages) -> Iterator[Stage]:
        task = of.task
        of.by_role["examples"] = self._load(of, "examples", task.source, task.split, task.limit, task.shots)
        yield of.by_role["examples"]
        if task.mine_from:
            of.by_role["mine_from"] = self._load(of, "mine_from", task.mine_from, task.mine_split, task.mine_limit, 0)
            yield of.by_role["mine_from"]

    def _load(self, of: TaskStages, role: str, source: Sequence[str], split: str, limit: int, shots: int) -> Stage:
        task, seed = of.task, self.config.study.seed
        places = [self.config.place(name) for name in source]
        shots_from = [self.config.place(name) for name in task.shots_from] if shots else []
        kind = f"jsonl:{task.name}" if task.kind == "jsonl" else task.kind or task.name

        def load() -> pa.Table:
            table = load_task(
                kind,
                places,
                split=split or None,
                subsets=task.subsets,
                template=task.template or None,
                shots=shots,
                shots_from=shots_from,
                shots_split=task.shots_split or None,
                limit=limit or None,
                seed=seed,
            )
            names = pa.array([task.name] * table.num_rows, pa.string())
            return table.set_column(table.schema.get_field_index("task"), "task", names)

        settings = {"kind": kind, "source": source, "split": split, "limit": limit, "shots": shots, "seed": seed}
        settings |= {name: getattr(task, name) for name in ("subsets", "template", "shots_from", "shots_split")}
        files = {f"source {i}": Path(place) for i, place in enumerate([*places, *shots_from]) if Path(place).exists()}
        return self._stage("tasks", of, schemas.EXAMPLES, load, folder=role, files=files, settings=settings)

    def _mine(self, of: TaskStages) -> Iterator[Stage]:
        task, mining = of.task, self.config.mining
        settings = {
            "gammas": lowest_gammas(task),
            "target": task.target,
            "stop_words": mining.stop_words,
            "overlapping": mining.overlapping,
        }

        @_once
        def mined(examples: pa.Table, mine_from: pa.Table | None = None) -> Mined:
            return mine(examples, ns=tuple(task.gamma), encoder=self.opened.encoder(task), mine_from=mine_from, **settings)

        about: Mapping[str, Any] = {
            "reads": of.reads(*(role for role in ("examples", "mine_from") if role in of.by_role)),
            "settings": settings | {"encoder": task.encoder or mining.encoder, "prefix": mining.prefix},
        }
        of.by_role["pairs"] = self._stage(
            "mine", of, schemas.PAIRS, lambda **tables: mined(**tables).pairs, folder="pairs", **about
        )
        yield of.by_role["pairs"]
        of.by_role["mined"] = self._stage(
            "mine", of, schemas.DROPS, lambda **tables: mined(**tables).drops, folder="drops", part="mine", **about
        )
        yield of.by_role["mined"]

    def _count(self, of: TaskStages) -> Iterator[Stage]:
        window, aliases = self.config.counting.window, of.task.aliases

        def count(pairs: pa.Table, examples: pa.Table | None = None) -> pa.Table:
            return count_pairs(pairs, self.opened.index(), aliases=examples, window=window or None)

        reads = of.reads("pairs", "examples") if aliases else of.reads("pairs")
        settings = {"window": window, "aliases": aliases}
        of.by_role["counts"] = self._stage(
            "count", of, schemas.COUNTS, count, folder="counts", reads=reads, files=self.index, settings=settings
        )
        yield of.by_role["counts"]
        dropped = self._stage(
            "count", of, schemas.DROPS, count_drops, folder="drops", part="count", reads=of.reads("pairs", "counts")
        )
        yield dropped
        both = {"drops": [of.by_role["mined"], dropped]}
        yield self._stage("count", of, schemas.DROPS, whole_task, folder="drops", part="all", reads=both, kind="drops")

    def _corpus_models(self, of: TaskStages) -> Iterator[Stage]:
        models = self.config.corpus_models
        settings = {"models": models.names, "smoothing": models.smoothing, "order": models.order}

        def score(pairs: pa.Table, counts: pa.Table, examples: pa.Table) -> pa.Table:
            return score_pairs(pairs, counts, examples, self.opened.index(), **settings)

        reads = of.reads("pairs", "counts", "examples")
        of.by_role["corpus_scores"] = self._stage(
            "models", of, schemas.CORPUS_SCORES, score, folder="corpus_scores", reads=reads, files=self.index, settings=settings
        )
        yield of.by_role["corpus_scores"]

    def _contamination(self, of: TaskStages) -> Iterator[Stage]:
        settings = {"ns": self.config.contamination.ns, "confidence": self.config.study.confidence}

        def check(examples: pa.Table) -> pa.Table:
            return contamination(examples, self.opened.index(), **settings)

        about: Mapping[str, Any] = {"reads": of.reads("examples"), "files": self.index, "settings": settings}
        yield self._stage("contamination", of, schemas.CONTAMINATION, check, kind="contamination", **about)

    def _score(self, of: TaskStages, model: Model, revision: str) -> Stage:
        def score(examples: pa.Table, pairs: pa.Table) -> pa.Table:
            cached = self.opened.cache / "scores"
            opened = self.opened.model(model, revision)
            return score_spans(opened, examples, pairs, batch_tokens=model.batch_tokens, cache=cached, too_long=model.too_long)

        about: Mapping[str, Any] = {
            "part": state_name(model, revision),
            "reads": of.reads("examples", "pairs"),
            "settings": self._state(model, revision) | {"too_long": model.too_long},
        }
        of.scores.append(self._stage("score", of, schemas.MODEL_SCORES, score, folder="scores", **about))
        return of.scores[-1]

    def _generate(self, of: TaskStages, model: Model) -> Stage:
        task = of.task

        def write(examples: pa.Table) -> pa.Table:
            opened, cached = self.opened.model(model, model.revision), self.opened.cache / "generations"
            if task.metric == "accuracy":
                return choice_accuracy(opened, examples, batch_tokens=model.batch_tokens, cache=cached)
            how: Mapping[str, Any] = {"max_tokens": task.max_tokens, "stop": task.stop, "batch_size": model.batch_size}
            return score_generations(opened, examples, generate(opened, examples, cache=cached, **how), task.metric)

        about: Mapping[str, Any] = {
            "part": state_name(model, model.revision),
            "reads": of.reads("examples"),
            "settings": self._state(model, model.revision)
            | {name: getattr(task, name) for name in ("metric", "max_tokens", "stop")},
        }
        of.generations.append(self._stage("generate", of, schemas.GENERATIONS, write, folder="generations", **about))
        return of.generations[-1]

    def _state(self, model: Model, revision: str) -> dict[str, Any]:
        """What a model's numbers depend on."""
        weights = weights_of(self.config, model, revision)
        return {"model": model.name, "revision": revision, "step": model.step, "dtype": model.dtype, "weights": weights}

    def _correlate(self, of: TaskStages) -> Iterator[Stage]:
        study, chosen = self.config.study, self.config.correlate
        reads = {**of.reads("pairs", "counts", "corpus_scores", "examples"), "model_scores": of.scores}
        for mode in chosen.modes:
            settings = {
                "mode": mode,
                "gammas": sorted({*of.task.gamma.values(), *of.task.sensitivity}),
                "statistics": chosen.statistics,
                "by_subset": chosen.by_subset,
                "confidence": study.confidence,
                "resamples": study.resamples,
                "seed": study.seed,
            }
            about: Mapping[str, Any] = {"part": mode, "kind": "correlations", "reads": reads, "settings": settings}
            make = partial(correlate, **settings)
            yield self._stage("correlate", of, schemas.CORRELATIONS, make, folder="correlations", **about)

    def _performance(self, of: TaskStages) -> Iterator[Stage]:
        if of.generations:
            reads = {**of.reads("examples", "pairs", "counts"), "generations": of.generations}
            settings = {"bins": self.config.performance.bins}
            about: Mapping[str, Any] = {"kind": "performance", "reads": reads, "settings": settings}
            yield self._stage("performance", of, schemas.PERFORMANCE, partial(performance, **settings), **about)

    def _novelty(self, of: TaskStages) -> Iterator[Stage]:
        if not of.generations or of.task.metric == "accuracy":  # a choice is not the model's own words
            return
        settings = {"ns": self.config.novelty.ns}

        def measure(examples: pa.Table, generations: pa.Table) -> pa.Table:
            return novelty(examples, generations, self.opened.index(), encoder=self.opened.encoder(of.task), **settings)

        reads = {**of.reads("examples"), "generations": of.generations}
        about: Mapping[str, Any] = {"kind": "novelty", "reads": reads, "files": self.index, "settings": settings}
        yield self._stage("novelty", of, schemas.NOVELTY, measure, **about)


def _once(make: Callable[..., Mined]) -> Callable[..., Mined]:
    """Call it the first time only: two tables come of one computation."""
    made: list[Mined] = []

    def first(**tables: pa.Table) -> Mined:
        if not made:
            made.append(make(**tables))
        return made[0]

    return first


def state_name(model: Model, revision: str) -> str:
    """What a state of a model is called in file names."""
    return f"{Path(model.name).name}@{revision.replace('/', '--') or 'last'}"
