"""Stages that ask for causes: planted facts, influence of documents, rewritten prompts."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from analysis import schemas
from analysis.causes.dose import dose_response, dose_trends
from analysis.causes.influence import influence
from analysis.causes.prompts import optimize
from analysis.causes.proposers import EndpointProposer, Goal, LocalProposer, Proposer, WordProposer
from analysis.config import Config, Model, Prompts
from analysis.study.opened import Opened
from analysis.study.pipeline import Stage
from analysis.study.plan.models import state_name, state_settings
from analysis.study.plan.task_stages import TaskStages

GOALS: tuple[Goal, ...] = ("memorize", "generalize")


def doses(of: TaskStages) -> Iterator[Stage]:
    """What every state of every model says of planted facts, and whether it rises with their number."""
    chosen, study = of.config.dose, of.config.study
    if chosen is None or not _asked(chosen.tasks, of.task.name):
        return
    planted = of.config.path(chosen.planted)
    settings: dict[str, Any] = {"confidence": study.confidence, "resamples": study.resamples, "seed": study.seed}
    reads = {"pairs": of.by_role["pairs"], "scores": list(of.scores.values())}
    reads |= {"generations": of.generations} if of.generations else {}
    about: Mapping[str, Any] = {"reads": reads, "files": {"planted": planted}, "settings": settings}

    def facts() -> pa.Table:
        table = pq.read_table(planted)
        return table.filter(pc.equal(table["task"], of.task.name))

    def response(**tables: pa.Table) -> pa.Table:
        return dose_response(facts(), **tables, **settings)

    def trend(**tables: pa.Table) -> pa.Table:
        return dose_trends(facts(), **tables, **settings, permutations=study.resamples)

    yield of.stage("dose", schemas.DOSE_RESPONSE, response, kind="dose_response", **about)
    yield of.stage("dose", schemas.DOSE_TRENDS, trend, folder="dose_trends", kind="dose_trends", **about)


def influences(of: TaskStages, model: Model) -> Iterator[Stage]:
    """Influence of documents at every state of a model, and summed over them."""
    chosen, config = of.config.influence, of.config
    if chosen is None or not _asked(chosen.tasks, of.task.name) or not _asked(chosen.models, model.name):
        return
    revisions = (*model.checkpoints, model.revision)
    settings: dict[str, Any] = {"num_documents": chosen.documents, "max_length": chosen.max_length, "seed": config.study.seed}
    settings |= {"num_pairs": chosen.pairs or None, "parameters": chosen.parameters, "total": len(revisions) > 1}

    def make(examples: pa.Table, pairs: pa.Table) -> pa.Table:
        states = [partial(of.opened.model, model, revision) for revision in revisions]
        cache = of.opened.cache / "influence"
        texts, tokens = of.opened.texts(), model.batch_tokens
        return influence(states, examples, pairs, of.opened.index(), texts=texts, batch_tokens=tokens, cache=cache, **settings)

    about: Mapping[str, Any] = {
        "part": state_name(model, model.revision),
        "reads": of.reads("examples", "pairs"),
        "files": of.index,
        "settings": settings | {"texts": config.index.texts, "states": [state_settings(config, model, each) for each in revisions]},
        "kind": "influence",
    }
    yield of.stage("influence", schemas.INFLUENCE, make, **about)


def prompts(of: TaskStages) -> Iterator[Stage]:
    """The prompt rewritten towards each goal."""
    chosen = of.config.prompts
    if chosen is None or not _asked(chosen.tasks, of.task.name):
        return
    for goal in GOALS:
        settings: dict[str, Any] = {"goal": goal, "iterations": chosen.iterations, "n": chosen.n, "start": chosen.start}
        settings |= {"seed": of.config.study.seed}

        def make(examples: pa.Table, settings: dict[str, Any] = settings, chosen: Prompts = chosen) -> pa.Table:
            return optimize(examples, of.opened.index(), proposer=proposer(of.config, of.opened, chosen), **settings)

        about: Mapping[str, Any] = {"part": goal, "reads": of.reads("examples"), "files": of.index, "kind": "prompts"}
        named = settings | {"proposer": chosen.proposer, "endpoint": chosen.endpoint}
        yield of.stage("prompts", schemas.PROMPTS, make, settings=named, **about)


def proposer(config: Config, opened: Opened, chosen: Prompts) -> Proposer:
    """What rewrites prompts: word edits, a model behind an endpoint, or one on this machine."""
    if chosen.proposer == "edits":
        return WordProposer(config.study.seed)
    if chosen.endpoint:
        return EndpointProposer(chosen.endpoint, chosen.proposer, chosen.api_key_env)
    return LocalProposer(opened.model(Model(name=chosen.proposer), ""), config.study.seed)


def _asked(names: tuple[str, ...], name: str) -> bool:
    return not names or name in names
