"""Stages of the language models' side: what they say of pairs, and what they write."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.config import Config, Model
from analysis.measures.modes import find_mode
from analysis.models.answer_scores import choice_accuracy, score_generations
from analysis.models.generation import generate
from analysis.models.scoring import score_spans
from analysis.study.opened import weights_of
from analysis.study.pipeline import Stage
from analysis.study.plan.task_stages import TaskStages


def score(of: TaskStages, model: Model, revision: str) -> Iterator[Stage]:
    """log P of each pair by one state of a model; and of all from s^y on, where a mode asks for that: the model reads once."""

    def make(examples: pa.Table, pairs: pa.Table, to_end: bool = False) -> pa.Table:
        opened = of.opened.model(model, revision)
        how: Mapping[str, Any] = {"batch_tokens": model.batch_tokens, "too_long": model.too_long, "to_end": to_end}
        return score_spans(opened, examples, pairs, cache=of.opened.cache / "scores", **how)

    reads, name = of.reads("examples", "pairs"), state_name(model, revision)
    settings = state_settings(of.config, model, revision) | {"too_long": model.too_long}
    about: dict[str, Any] = {"folder": "scores", "part": name, "reads": reads, "settings": settings}
    of.scores[model.name, revision] = of.stage("score", schemas.MODEL_SCORES, make, **about)
    yield of.scores[model.name, revision]
    if any(find_mode(mode).mask_to_end for mode in of.config.correlate.modes):
        about |= {"part": f"{name}-to-end", "settings": settings | {"to_end": True}}
        of.scores_to_end[model.name, revision] = of.stage("score", schemas.MODEL_SCORES, partial(make, to_end=True), **about)
        yield of.scores_to_end[model.name, revision]


def write(of: TaskStages, model: Model) -> Iterator[Stage]:
    """What the model answers, and its score."""
    task, metric = of.task, of.task.metric
    if not model.generate or metric == "":
        return

    def make(examples: pa.Table) -> pa.Table:
        opened, cache = of.opened.model(model, model.revision), of.opened.cache / "generations"
        if metric == "accuracy":
            return choice_accuracy(opened, examples, batch_tokens=model.batch_tokens, cache=cache)
        how: Mapping[str, Any] = {"max_tokens": task.max_tokens, "stop": task.stop, "batch_size": model.batch_size}
        return score_generations(opened, examples, generate(opened, examples, cache=cache, **how), metric)

    about: Mapping[str, Any] = {
        "part": state_name(model, model.revision),
        "reads": of.reads("examples"),
        "settings": state_settings(of.config, model, model.revision)
        | {name: getattr(task, name) for name in ("metric", "max_tokens", "stop")},
    }
    of.generations.append(of.stage("generate", schemas.GENERATIONS, make, folder="generations", **about))
    yield of.generations[-1]


def state_name(model: Model, revision: str) -> str:
    """What a state of a model is called in file names."""
    return f"{Path(model.name).name}@{revision.replace('/', '--') or 'last'}"


def state_settings(config: Config, model: Model, revision: str) -> dict[str, Any]:
    """What a model's numbers depend on."""
    known = {"model": model.name, "revision": revision, "step": model.step, "dtype": model.dtype}
    return known | {"weights": weights_of(config, model, revision)}
