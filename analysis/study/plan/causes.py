"""Stages that ask for causes: planted facts, influence of documents, rewritten prompts."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analysis import schemas
from analysis.causes.dose import dose_response, dose_trends
from analysis.causes.influence import Influences, influence
from analysis.causes.prompts import optimize
from analysis.causes.proposers import EndpointProposer, Goal, LocalProposer, Proposer, WordProposer
from analysis.config import Config, Prompts
from analysis.lab import PLANTED_SCHEMA
from analysis.model_settings import Model
from analysis.pairs.drop_report import whole_task
from analysis.study.pipeline import Stage, once
from analysis.study.plan.models import state_name, state_settings
from analysis.study.plan.task_stages import TaskStages
from analysis.study.resources import Resources
from analysis.tables import read_table

GOALS: tuple[Goal, ...] = ("memorize", "generalize")


def doses(task: TaskStages) -> Iterator[Stage]:
    """What every state of every model says of planted facts, and whether it rises with their number."""
    chosen = task.study.dose
    if chosen is None or not _asked(chosen.tasks, task.config.name):
        return
    planted = task.study.path(chosen.planted)
    reads = {"pairs": task.by_role["pairs"], "scores": list(task.scores.values())} if task.scores else {}
    reads |= {"generations": task.generations} if task.generations else {}
    if not reads:
        return
    about: Mapping[str, Any] = {"reads": reads, "files": {"planted": planted}, "settings": task.resampling}

    def facts() -> pa.Table:
        table = read_table(planted, PLANTED_SCHEMA)
        return table.filter(pc.equal(table["task"], task.config.name))

    def response(**given: Any) -> pa.Table:
        return dose_response(facts(), **given)

    def trend(*, resamples: int, **given: Any) -> pa.Table:
        return dose_trends(facts(), resamples=resamples, permutations=resamples, **given)

    yield task.stage("dose", schemas.DOSE_RESPONSE, task.of_metric(response), kind="dose_response", **about)
    yield task.stage("dose", schemas.DOSE_TRENDS, task.of_metric(trend), folder="dose_trends", kind="dose_trends", **about)


def influences(task: TaskStages, model: Model) -> Iterator[Stage]:
    """Influence of documents at every state of a model, and summed over them."""
    chosen, study = task.study.influence, task.study
    if chosen is None or not _asked(chosen.tasks, task.config.name) or not _asked(chosen.models, model.called):
        return
    revisions = (*model.checkpoints, model.revision)
    settings: dict[str, Any] = {"num_documents": chosen.documents, "max_length": chosen.max_length, **task.resampling}
    settings |= {"num_pairs": chosen.pairs or None, "parameters": chosen.parameters, "total": len(revisions) > 1}
    settings |= {"too_long": model.too_long}

    def make(examples: pa.Table, pairs: pa.Table, **settings: Any) -> Influences:
        resources = task.resources
        states = [partial(resources.weights, model, revision) for revision in revisions]
        where: dict[str, Any] = {"texts": resources.texts(), "cache": resources.cache / "influence"}
        return influence(states, examples, pairs, resources.index(), batch_tokens=model.batch_tokens, **where, **settings)

    states = [state_settings(study, model, each) for each in revisions]
    about: Mapping[str, Any] = {
        "reads": task.reads("examples", "pairs"),
        "files": task.index,
        "settings": settings,
        "depends_on": {"texts": study.index.texts, "states": states},
    }
    name, both = state_name(model, model.revision), once(make)
    yield task.stage("influence", schemas.INFLUENCE, lambda **given: both(**given).influence, part=name, kind="influence", **about)
    drops: Mapping[str, Any] = {"folder": "drops", "part": f"influence-{name}", "kind": "unread", **about}
    yield task.stage("influence", schemas.DROPS, lambda **given: whole_task(both(**given).drops, keep_all=True), **drops)


def prompts(task: TaskStages) -> Iterator[Stage]:
    """The prompt rewritten towards each goal."""
    chosen = task.study.prompts
    if chosen is None or not _asked(chosen.tasks, task.config.name):
        return

    def make(examples: pa.Table, **settings: Any) -> pa.Table:
        return optimize(examples, task.resources.index(), proposer=proposer(task.study, task.resources, chosen), **settings)

    for goal in GOALS:
        settings: dict[str, Any] = {"goal": goal, "iterations": chosen.iterations, "n": chosen.n, "start": chosen.start}
        about: Mapping[str, Any] = {
            "part": goal,
            "reads": task.reads("examples"),
            "files": task.index,
            "settings": settings | {"seed": task.study.study.seed},
            "depends_on": {"proposer": chosen.proposer, "endpoint": chosen.endpoint},
            "kind": "prompts",
        }
        yield task.stage("prompts", schemas.PROMPTS, make, **about)


def proposer(config: Config, resources: Resources, chosen: Prompts) -> Proposer:
    """What rewrites prompts: word edits, a model behind an endpoint, or one on this machine."""
    if chosen.proposer == "edits":
        return WordProposer(config.study.seed)
    if chosen.endpoint:
        return EndpointProposer(chosen.endpoint, chosen.proposer, chosen.api_key_env)
    return LocalProposer(resources.model(Model(name=chosen.proposer), ""), config.study.seed)


def _asked(names: tuple[str, ...], name: str) -> bool:
    return not names or name in names
