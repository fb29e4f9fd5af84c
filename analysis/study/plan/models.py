"""Stages of the language models' side: how they are asked, what they say of pairs, and what they write."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.config import Config
from analysis.measures.frequency.prior import neutral_examples
from analysis.measures.modes import find_mode
from analysis.model_settings import Model
from analysis.models.answer_scores import OF_CHOICES, Metric, kin, score_generations
from analysis.models.answers.choices import choice_accuracy, metrics_of_choices
from analysis.models.answers.published import published_answers, read_published, target_scores
from analysis.models.generation import outputs
from analysis.models.open import step_of
from analysis.models.scoring import score_spans
from analysis.models.too_long import TooLong
from analysis.pairs.aliases import aliases_of
from analysis.study.pipeline import Stage
from analysis.study.plan.task_stages import TaskStages
from analysis.study.resources import Resources, weights_of

PLAIN = Model(name="plain")
"""All settings as they are by default: those are no part of what tables are made of, which stay what they were before there
was a setting."""


def describe(config: Config, resources: Resources, model: Model) -> Iterator[Stage]:
    """How a model is asked, and what is doubtful in that; of one that is opened for any task."""
    if not any(_runs(model, task.name) for task in config.tasks):
        return

    def make() -> pa.Table:
        return resources.described(model)

    name = f"models {state_name(model, model.revision)}"
    output = config.folder / "models" / f"{state_name(model, model.revision)}.parquet"
    about = state_settings(config, model, model.revision)
    yield Stage("score", name, output, schemas.MODELS, make, depends_on=about, kind="models")


def score(task: TaskStages, model: Model, revision: str) -> Iterator[Stage]:
    """log P of each pair by one state of a model; and of all from s^y on, where a mode asks for that: the model reads once."""
    files = published(task, model.scores)
    if not files and not model.score:
        return
    name, state = state_name(model, revision), state_settings(task.study, model, revision)
    about: dict[str, Any] = {"folder": "scores", "reads": task.reads("examples", "pairs")}

    def make(examples: pa.Table, pairs: pa.Table, **settings: Any) -> pa.Table:
        opened, cache = task.resources.model(model, revision), task.resources.cache / "scores"
        names = aliases_of(examples).written if task.config.aliases else {}
        return score_spans(opened, examples, pairs, aliases=names, batch_tokens=model.batch_tokens, cache=cache, **settings)

    def read(examples: pa.Table, pairs: pa.Table) -> pa.Table:
        return target_scores(columns_of(model, revision), read_published(list(files.values()), examples), examples, pairs)

    if files:
        task.scores[model.called, revision] = task.stage(
            "score", schemas.MODEL_SCORES, read, part=name, files=files, depends_on=columns_of(model, revision), **about
        )
        task.scores_to_end[model.called, revision] = task.scores[model.called, revision]  # a whole target has no more to its end
        yield task.scores[model.called, revision]
        return
    about |= {"depends_on": state | task.aliases_known.get("depends_on", {})}
    settings: dict[str, Any] = {"too_long": model.too_long}
    task.scores[model.called, revision] = task.stage("score", schemas.MODEL_SCORES, make, part=name, settings=settings, **about)
    yield task.scores[model.called, revision]
    if any(find_mode(mode).mask_to_end for mode in task.study.correlate.modes):
        about |= {"part": f"{name}-to-end", "settings": settings | {"to_end": True}}
        task.scores_to_end[model.called, revision] = task.stage("score", schemas.MODEL_SCORES, make, **about)
        yield task.scores_to_end[model.called, revision]


def score_prior(task: TaskStages, model: Model) -> Iterator[Stage]:
    """log P of each pair by the last state of a model after a prompt that does not say x."""
    chosen = task.study.prior
    if chosen is None or (chosen.tasks and task.config.name not in chosen.tasks):
        return
    if not model.score or published(task, model.scores):
        return

    def make(examples: pa.Table, pairs: pa.Table, *, prompt: str, **settings: Any) -> pa.Table:
        opened, cache = task.resources.model(model, model.revision), task.resources.cache / "scores"
        names = aliases_of(examples).written if task.config.aliases else {}
        asked = neutral_examples(examples, prompt)
        return score_spans(opened, asked, pairs, aliases=names, batch_tokens=model.batch_tokens, cache=cache, **settings)

    state = state_settings(task.study, model, model.revision) | task.aliases_known.get("depends_on", {})
    about: dict[str, Any] = {"folder": "neutral_scores", "reads": task.reads("examples", "pairs"), "depends_on": state}
    settings = {"too_long": model.too_long, "prompt": chosen.prompt}
    stage = task.stage("score", schemas.MODEL_SCORES, make, part=state_name(model, model.revision), settings=settings, **about)
    task.neutral_scores[model.called, model.revision] = stage
    yield stage


def write(task: TaskStages, model: Model) -> Iterator[Stage]:
    """What the model answers, and its score by each metric of the task's kind."""
    files = published(task, model.answers)
    if (not files and not model.generate) or task.answers["metric"] == "":
        return
    about: dict[str, Any] = {"folder": "generations", "part": state_name(model, model.revision), "reads": task.reads("examples")}

    def read(examples: pa.Table, *, metric: Metric, stop: tuple[str, ...]) -> pa.Table:
        records = read_published(list(files.values()), examples)
        return published_answers(columns_of(model, model.revision), records, examples, metric, stop)

    if files:
        about |= {"files": files, "settings": {name: task.answers[name] for name in ("metric", "stop")}}
        stage = task.stage("generate", schemas.GENERATIONS, read, depends_on=columns_of(model, model.revision), **about)
    else:
        about |= {"settings": task.answers | {"too_long": model.too_long}}
        about |= {"depends_on": {"metrics": "of a kind", **state_settings(task.study, model, model.revision)}}
        stage = task.stage("generate", schemas.GENERATIONS, answering(task, model), **about)
    task.generations.append(stage)
    yield stage


def answering(task: TaskStages, model: Model) -> Callable[..., pa.Table]:
    """Examples and how a task's answers are written -> the model's GENERATIONS."""

    def make(examples: pa.Table, *, metric: Metric, max_tokens: int, stop: tuple[str, ...], too_long: TooLong) -> pa.Table:
        opened = task.resources.model(model, model.revision)
        how: dict[str, Any] = {"cache": task.resources.cache / "generations", "too_long": too_long}
        if metric in OF_CHOICES:
            metrics = metrics_of_choices(examples, metric)
            return choice_accuracy(opened, examples, metrics=metrics, batch_tokens=model.batch_tokens, **how)
        written = outputs(opened, examples, max_tokens=max_tokens, stop=stop, batch_size=model.batch_size, **how)
        return pa.concat_tables([score_generations(opened, examples, written, each) for each in kin(metric)])

    return make


def published(task: TaskStages, given: Mapping[str, Sequence[str]] | None) -> dict[str, Path]:
    """The files that stand in for a model in this task, by what a stage calls them."""
    patterns = (given or {}).get(task.config.name, ())
    found = dict.fromkeys(path for pattern in patterns for path in task.study.matching(pattern))
    return {f"published {number}": path for number, path in enumerate(found)}


def columns_of(model: Model, revision: str) -> dict[str, Any]:
    """What tables say of a model that is not opened."""
    found = step_of(model.name, revision)
    step = model.step if revision == model.revision and found < 0 else found
    return {"model": model.called, "revision": revision, "num_parameters": model.parameters, "step": step}


def _runs(model: Model, task: str) -> bool:
    """Whether anything asks the model itself in a task."""
    return (model.score and task not in (model.scores or {})) or (model.generate and task not in (model.answers or {}))


def state_name(model: Model, revision: str) -> str:
    """What a state of a model is called in file names."""
    return f"{model.file_name}@{revision.replace('/', '--') or 'last'}"


def state_settings(config: Config, model: Model, revision: str) -> dict[str, Any]:
    """What a model's numbers depend on."""
    known: dict[str, Any] = {"model": model.name, "revision": revision, "step": model.step, "dtype": model.dtype}
    others = ("label", "parameters", "tokenizer", "bos", "chat", "served", "context_length")
    known |= {name: value for name in others if (value := getattr(model, name)) != getattr(PLAIN, name)}
    return known | {"weights": weights_of(config, model, revision)}
