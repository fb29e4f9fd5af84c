"""A configuration as the stages of its study, in the order in which they run.

``FOLDER/examples/TASK.parquet`` → ``pairs`` → ``counts`` → ``corpus_scores``; ``scores/TASK/MODEL@REVISION.parquet`` and
``generations/…`` of each model; then a table for each task of each measure: ``correlations``, ``performance``, …
"""

from collections.abc import Callable, Iterator
from functools import cache
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
from analysis.pipeline import Stage, concatenated
from analysis.scoring import score_spans
from analysis.task_scores import choice_accuracy, score_generations
from analysis.tasks import load_task

SUFFIX = ".parquet"


def plan(config: Config, opened: Opened) -> list[Stage]:
    """All stages of a study; nothing is read or opened until one runs."""
    return list(Plan(config, opened).stages())


class Plan:
    """Makes the stages of one configuration, each once, so that those after it can name it as their input."""

    def __init__(self, config: Config, opened: Opened) -> None:
        self.config = config
        self.opened = opened
        self.index = config.path(config.index.path)
        self.loaded: dict[str, Stage] = {}
        self.mined: dict[str, Stage] = {}
        self.dropped: dict[str, list[Stage]] = {}
        self.counted: dict[str, Stage] = {}
        self.corpus: dict[str, Stage] = {}
        self.scored: dict[str, list[Stage]] = {task.name: [] for task in config.tasks}
        self.written: dict[str, list[Stage]] = {task.name: [] for task in config.tasks}

    def stages(self) -> Iterator[Stage]:
        """In order: what a stage reads stands before it."""
        for make in (self._tasks, self._mine, self._count, self._corpus_models, self._contamination):
            for task in self.config.tasks:
                yield from make(task)
        for model in self.config.models:
            for revision in (*model.checkpoints, model.revision):
                for task in self.config.tasks:
                    yield self._score(task, model, revision)
                    if revision == model.revision and model.generate and task.metric:
                        yield self._generate(task, model)
        for make in (self._correlate, self._performance, self._novelty):
            for task in self.config.tasks:
                yield from make(task)

    def _stage(self, command: str, task: Task, make: Callable[[], pa.Table], schema: pa.Schema, **about: Any) -> Stage:
        """A stage of a task; ``part`` tells its file from the task's others, ``folder`` where it goes."""
        part, folder = about.pop("part", ""), about.pop("folder", command)
        output = (
            self.config.folder / folder / task.name / f"{part}{SUFFIX}"
            if part
            else self.config.folder / folder / (task.name + SUFFIX)
        )
        return Stage(command, f"{folder} {task.name} {part}".strip(), output, make, schema, **about)

    def _tasks(self, task: Task) -> Iterator[Stage]:
        yield self._load(task, "examples", task.source, task.split, task.limit)
        if task.mine_from:
            yield self._load(task, "mine_from", task.mine_from, task.mine_split, task.mine_limit)

    def _load(self, task: Task, role: str, source: tuple[str, ...], split: str, limit: int) -> Stage:
        places = [self.config.place(name) for name in source]
        settings = {
            "kind": task.kind, "source": source, "split": split, "subsets": task.subsets, "template": task.template, "limit": limit,
            "shots": task.shots, "shots_from": task.shots_from, "shots_split": task.shots_split, "seed": self.config.study.seed,
        }  # fmt: skip

        def make() -> pa.Table:
            table = load_task(
                f"jsonl:{task.name}" if task.kind == "jsonl" else task.kind or task.name,
                places,
                split=split or None,
                subsets=task.subsets,
                template=task.template or None,
                shots=task.shots if role == "examples" else 0,
                shots_from=[self.config.place(name) for name in task.shots_from],
                shots_split=task.shots_split or None,
                limit=limit or None,
                seed=self.config.study.seed,
            )
            return table.set_column(table.schema.get_field_index("task"), "task", pa.array([task.name] * table.num_rows))

        local = {f"source {i}": Path(place) for i, place in enumerate(places) if Path(place).exists()}
        stage = self._stage("tasks", task, make, schemas.EXAMPLES, folder=role, inputs=local, settings=settings)
        self.loaded[f"{role} {task.name}"] = stage
        return stage

    def _examples(self, task: Task) -> Stage:
        return self.loaded[f"examples {task.name}"]

    def _mine(self, task: Task) -> Iterator[Stage]:
        examples, others = self._examples(task), self.loaded.get(f"mine_from {task.name}")
        mining = self.config.mining
        settings = {
            "gammas": lowest_gammas(task), "encoder": task.encoder or mining.encoder, "prefix": mining.prefix, "target": task.target,
            "stop_words": mining.stop_words, "overlapping": mining.overlapping,
        }  # fmt: skip

        @cache
        def mined() -> Mined:
            return mine(
                examples.read(),
                ns=tuple(task.gamma),
                gammas=lowest_gammas(task),
                encoder=self.opened.encoder(task),
                target=task.target,
                stop_words=mining.stop_words,
                overlapping=mining.overlapping,
                mine_from=others.read() if others else None,
            )

        inputs = {"examples": examples.output} | ({"mine_from": others.output} if others else {})
        about = {"inputs": inputs, "settings": settings}
        self.mined[task.name] = self._stage("mine", task, lambda: mined().pairs, schemas.PAIRS, folder="pairs", **about)
        yield self.mined[task.name]
        self.dropped[task.name] = [
            self._stage("mine", task, lambda: mined().drops, schemas.DROPS, folder="drops", part="mine", **about)
        ]
        yield from self.dropped[task.name]

    def _count(self, task: Task) -> Iterator[Stage]:
        examples, pairs, window = self._examples(task), self.mined[task.name], self.config.counting.window
        inputs = {"pairs": pairs.output, "index": self.index}

        def count() -> pa.Table:
            aliases = examples.read() if task.aliases else None
            return count_pairs(pairs.read(), self.opened.index(), aliases=aliases, window=window or None)

        settings = {"window": window, "aliases": task.aliases}
        more = {"examples": examples.output} if task.aliases else {}
        counts = self._stage("count", task, count, schemas.COUNTS, folder="counts", inputs=inputs | more, settings=settings)
        self.counted[task.name] = counts
        yield counts
        dropped = [
            *self.dropped[task.name],
            self._stage(
                "count", task, lambda: count_drops(pairs.read(), counts.read()), schemas.DROPS, folder="drops", part="count",
                inputs={"pairs": pairs.output, "counts": counts.output},
            ),
        ]  # fmt: skip
        yield dropped[-1]
        yield self._stage(
            "count", task, lambda: whole_task(concatenated(dropped)), schemas.DROPS, folder="drops", part="all", kind="drops",
            inputs={stage.output.stem: stage.output for stage in dropped},
        )  # fmt: skip

    def _corpus_models(self, task: Task) -> Iterator[Stage]:
        examples, pairs, counts, models = (
            self._examples(task),
            self.mined[task.name],
            self.counted[task.name],
            self.config.corpus_models,
        )

        def score() -> pa.Table:
            return score_pairs(
                pairs.read(), counts.read(), examples.read(), self.opened.index(),
                models=models.names, smoothing=models.smoothing, order=models.order,
            )  # fmt: skip

        inputs = {"pairs": pairs.output, "counts": counts.output, "examples": examples.output, "index": self.index}
        settings = {"models": models.names, "smoothing": models.smoothing, "order": models.order}
        about: dict[str, Any] = {"folder": "corpus_scores", "inputs": inputs, "settings": settings}
        self.corpus[task.name] = self._stage("models", task, score, schemas.CORPUS_SCORES, **about)
        yield self.corpus[task.name]

    def _contamination(self, task: Task) -> Iterator[Stage]:
        examples, ns, confidence = self._examples(task), self.config.contamination.ns, self.config.study.confidence
        yield self._stage(
            "contamination", task, lambda: contamination(examples.read(), self.opened.index(), ns=ns, confidence=confidence),
            schemas.CONTAMINATION, kind="contamination", inputs={"examples": examples.output, "index": self.index},
            settings={"ns": ns, "confidence": confidence},
        )  # fmt: skip

    def _score(self, task: Task, model: Model, revision: str) -> Stage:
        examples, pairs = self._examples(task), self.mined[task.name]

        def score() -> pa.Table:
            opened = self.opened.model(model, revision)
            cached = self.opened.cache / "scores"
            return score_spans(
                opened, examples.read(), pairs.read(), batch_tokens=model.batch_tokens, cache=cached, too_long=model.too_long
            )

        stage = self._stage(
            "score", task, score, schemas.MODEL_SCORES, folder="scores", part=state_name(model, revision),
            inputs={"examples": examples.output, "pairs": pairs.output}, settings=self._state(model, revision) | {"too_long": model.too_long},
        )  # fmt: skip
        self.scored[task.name].append(stage)
        return stage

    def _generate(self, task: Task, model: Model) -> Stage:
        examples = self._examples(task)

        def write() -> pa.Table:
            opened, cached = self.opened.model(model, model.revision), self.opened.cache / "generations"
            if task.metric == "accuracy":
                return choice_accuracy(opened, examples.read(), batch_tokens=model.batch_tokens, cache=cached)
            outputs = generate(
                opened, examples.read(), max_tokens=task.max_tokens, stop=task.stop, batch_size=model.batch_size, cache=cached
            )
            return score_generations(opened, examples.read(), outputs, task.metric)  # type: ignore[arg-type]

        stage = self._stage(
            "generate", task, write, schemas.GENERATIONS, folder="generations", part=state_name(model, model.revision),
            inputs={"examples": examples.output},
            settings=self._state(model, model.revision) | {"metric": task.metric, "max_tokens": task.max_tokens, "stop": task.stop},
        )  # fmt: skip
        self.written[task.name].append(stage)
        return stage

    def _state(self, model: Model, revision: str) -> dict[str, Any]:
        return {
            "model": model.name,
            "revision": revision,
            "dtype": model.dtype,
            "weights": weights_of(self.config, model, revision),
        }

    def _correlate(self, task: Task) -> Iterator[Stage]:
        examples, pairs, counts, corpus = (each[task.name] for each in (self.examples(), self.mined, self.counted, self.corpus))
        scored, settings = self.scored[task.name], self.config.correlate
        inputs = {"examples": examples.output, "pairs": pairs.output, "counts": counts.output, "corpus_scores": corpus.output}
        inputs |= {f"scores {stage.output.stem}": stage.output for stage in scored}
        common: dict[str, Any] = {
            "gammas": sorted({*task.gamma.values(), *task.sensitivity}), "statistics": settings.statistics, "by_subset": settings.by_subset,
            "confidence": self.config.study.confidence, "resamples": self.config.study.resamples, "seed": self.config.study.seed,
        }  # fmt: skip
        for mode in settings.modes:

            def measure(mode: str = mode) -> pa.Table:
                return correlate(
                    pairs.read(), counts.read(), corpus.read(), concatenated(scored), examples.read(), mode=mode, **common
                )  # fmt: skip

            yield self._stage(
                "correlate", task, measure, schemas.CORRELATIONS, folder="correlations", part=mode, kind="correlations", inputs=inputs,
                settings=common | {"mode": mode},
            )  # fmt: skip

    def examples(self) -> dict[str, Stage]:
        """The stage of each task's examples."""
        return {task.name: self._examples(task) for task in self.config.tasks}

    def _performance(self, task: Task) -> Iterator[Stage]:
        examples, pairs, counts, written = (
            self._examples(task),
            self.mined[task.name],
            self.counted[task.name],
            self.written[task.name],
        )
        if not written:
            return
        inputs = {"examples": examples.output, "pairs": pairs.output, "counts": counts.output}
        inputs |= {f"generations {stage.output.stem}": stage.output for stage in written}
        bins = self.config.performance.bins
        yield self._stage(
            "performance", task, lambda: performance(examples.read(), pairs.read(), counts.read(), concatenated(written), bins=bins),
            schemas.PERFORMANCE, kind="performance", inputs=inputs, settings={"bins": bins},
        )  # fmt: skip

    def _novelty(self, task: Task) -> Iterator[Stage]:
        examples, written, ns = self._examples(task), self.written[task.name], self.config.novelty.ns
        if not written or task.metric == "accuracy":  # a chosen answer is not written by the model
            return
        inputs = {"examples": examples.output, "index": self.index}
        inputs |= {f"generations {stage.output.stem}": stage.output for stage in written}
        yield self._stage(
            "novelty", task,
            lambda: novelty(examples.read(), concatenated(written), self.opened.index(), ns=ns, encoder=self.opened.encoder(task)),
            schemas.NOVELTY, kind="novelty", inputs=inputs, settings={"ns": ns},
        )  # fmt: skip


def state_name(model: Model, revision: str) -> str:
    """What a state of a model is called in file names."""
    return f"{Path(model.name).name}@{revision.replace('/', '--') or 'last'}"
