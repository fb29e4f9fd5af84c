"""Stages of the language models' side: what they say of pairs, and what they write."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.config import Config, Model
from analysis.measures.modes import find_mode
from analysis.models.answer_scores import Metric, choice_accuracy, score_generations
from analysis.models.generation import generate
from analysis.models.scoring import score_spans
from analysis.models.too_long import TooLong
from analysis.pairs.aliases import aliases_of
from analysis.study.pipeline import Stage
from analysis.study.plan.task_stages import TaskStages
from analysis.study.resources import weights_of


def score(task: TaskStages, model: Model, revision: str) -> Iterator[Stage]:
    """log P of each pair by one state of a model; and of all from s^y on, where a mode asks for that: the model reads once."""

    def make(examples: pa.Table, pairs: pa.Table, **settings: Any) -> pa.Table:
        opened, cache = task.resources.model(model, revision), task.resources.cache / "scores"
        names = aliases_of(examples).written if task.config.aliases else {}
        return score_spans(opened, examples, pairs, aliases=names, batch_tokens=model.batch_tokens, cache=cache, **settings)

    name, state = state_name(model, revision), state_settings(task.study, model, revision)
    state |= task.aliases_known.get("depends_on", {})
    about: dict[str, Any] = {"folder": "scores", "reads": task.reads("examples", "pairs"), "depends_on": state}
    settings: dict[str, Any] = {"too_long": model.too_long}
    task.scores[model.name, revision] = task.stage("score", schemas.MODEL_SCORES, make, part=name, settings=settings, **about)
    yield task.scores[model.name, revision]
    if any(find_mode(mode).mask_to_end for mode in task.study.correlate.modes):
        about |= {"part": f"{name}-to-end", "settings": settings | {"to_end": True}}
        task.scores_to_end[model.name, revision] = task.stage("score", schemas.MODEL_SCORES, make, **about)
        yield task.scores_to_end[model.name, revision]


def write(task: TaskStages, model: Model) -> Iterator[Stage]:
    """What the model answers, and its score."""
    if not model.generate or task.answers["metric"] == "":
        return

    def make(examples: pa.Table, *, metric: Metric, max_tokens: int, stop: tuple[str, ...], too_long: TooLong) -> pa.Table:
        opened = task.resources.model(model, model.revision)
        how: dict[str, Any] = {"cache": task.resources.cache / "generations", "too_long": too_long}
        if metric == "accuracy":
            return choice_accuracy(opened, examples, batch_tokens=model.batch_tokens, **how)
        outputs = generate(opened, examples, max_tokens=max_tokens, stop=stop, batch_size=model.batch_size, **how)
        return score_generations(opened, examples, outputs, metric)

    settings = task.answers | {"too_long": model.too_long}
    stage = task.stage(
        "generate",
        schemas.GENERATIONS,
        make,
        folder="generations",
        part=state_name(model, model.revision),
        reads=task.reads("examples"),
        settings=settings,
        depends_on=state_settings(task.study, model, model.revision),
    )
    task.generations.append(stage)
    yield stage


def state_name(model: Model, revision: str) -> str:
    """What a state of a model is called in file names."""
    return f"{Path(model.name).name}@{revision.replace('/', '--') or 'last'}"


def state_settings(config: Config, model: Model, revision: str) -> dict[str, Any]:
    """What a model's numbers depend on."""
    known = {"model": model.name, "revision": revision, "step": model.step, "dtype": model.dtype}
    return known | {"weights": weights_of(config, model, revision)}
