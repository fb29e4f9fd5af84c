"""Stages that ask for causes: planted facts, influence of documents, rewritten prompts."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from analysis import schemas
from analysis.causes.counterfactual import memorization, summary
from analysis.causes.dose import dose_response, dose_trends
from analysis.causes.dose_thresholds import dose_thresholds
from analysis.causes.influence import Influences, influence
from analysis.causes.prompt_scores import scores_by_prompt
from analysis.causes.prompts import optimize
from analysis.causes.proposers import EndpointProposer, Goal, LocalProposer, Proposer, WordProposer
from analysis.config import Config
from analysis.further_settings import Prompts
from analysis.lab import HALVES_SCHEMA, PLANTED_SCHEMA
from analysis.measures.frequency.thresholds import Thresholds
from analysis.measures.size_trend import LEAST_MODELS
from analysis.model_settings import Model
from analysis.models.answer_scores import RIGHT_OR_WRONG
from analysis.models.scoring import score_spans
from analysis.models.too_long import TooLong
from analysis.pairs.drops import whole_task
from analysis.study.pipeline import Stage, once
from analysis.study.plan.measures import last_scored
from analysis.study.plan.models import answering, published, state_name, state_settings
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
    reads |= {"neutral_scores": list(task.neutral_scores.values())} if task.neutral_scores else {}
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
    if task.generations and task.answers["metric"] in RIGHT_OR_WRONG:

        def threshold(**given: Any) -> Thresholds:
            return dose_thresholds(facts(), **given)

        both = once(task.of_metric(threshold))
        about = {"reads": {"generations": task.generations}, "files": {"planted": planted}, "settings": task.resampling}
        found: Mapping[str, Any] = {"folder": "thresholds", "part": "planted", "kind": "thresholds", **about}
        yield task.stage("dose", schemas.THRESHOLDS, lambda **given: both(**given).models, **found)
        if len(task.study.models) >= LEAST_MODELS:
            found = {"folder": "thresholds", "part": "planted-trend", "kind": "threshold_trends", **about}
            yield task.stage("dose", schemas.THRESHOLD_TRENDS, lambda **given: both(**given).trends, **found)


def counterfactuals(task: TaskStages) -> Iterator[Stage]:
    """What models say of planted facts that they were told, less what those say that were not."""
    study = task.study
    chosen, dose = study.counterfactual, study.dose
    if chosen is None or dose is None or not _asked(chosen.tasks, task.config.name):
        return
    planted, halves = study.path(dose.planted), study.path(chosen.halves)
    local = [model for model in study.models if not model.is_server]
    if not local:
        return
    last = local[-1]

    def make(examples: pa.Table, pairs: pa.Table, *, too_long: TooLong) -> pa.Table:
        def score(name: str) -> pa.Table:
            model = replace(last, name=str(Path(chosen.halves).parent / name), label="", revision="", step=-1)
            how: dict[str, Any] = {
                "batch_tokens": last.batch_tokens,
                "cache": task.resources.cache / "scores",
                "too_long": too_long,
            }
            return score_spans(task.resources.model(model, ""), examples, pairs, **how)

        facts = read_table(planted, PLANTED_SCHEMA)
        of_task = facts.filter(pc.equal(facts["task"], task.config.name))
        return memorization(pairs, of_task, read_table(halves, HALVES_SCHEMA), score)

    about: dict[str, Any] = {"reads": task.reads("examples", "pairs"), "files": {"planted": planted, "halves": halves}}
    about |= {"settings": {"too_long": last.too_long}, "depends_on": {"dtype": last.dtype}}
    found = task.stage("counterfactual", schemas.COUNTERFACTUAL, make, **about)
    yield found
    both = once(summary)
    scores = [task.scores[state] for state in last_scored(task)]
    about = {"reads": {"found": found, "pairs": task.by_role["pairs"], "scores": scores}, "settings": task.resampling}
    about |= {"folder": "counterfactual", "part": "doses", "kind": "counterfactual_doses"}
    yield task.stage("counterfactual", schemas.DOSE_RESPONSE, lambda **given: both(**given).doses, **about)
    about |= {"part": "agreement", "kind": "counterfactual_agreement"}
    yield task.stage("counterfactual", schemas.COUNTERFACTUAL_AGREEMENT, lambda **given: both(**given).agreement, **about)


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
        settings |= {"fluency": chosen.fluency}
        about: Mapping[str, Any] = {
            "part": goal,
            "reads": task.reads("examples"),
            "files": task.index,
            "settings": settings | {"seed": task.study.study.seed},
            "depends_on": {"proposer": chosen.proposer, "endpoint": chosen.endpoint},
            "kind": "prompts",
        }
        task.found_prompts.append(task.stage("prompts", schemas.PROMPTS, make, **about))
        yield task.found_prompts[-1]


def under_prompts(task: TaskStages, model: Model) -> Iterator[Stage]:
    """What a model scores under the prompts that were found."""
    chosen, metric = task.study.prompts, task.answers["metric"]
    if chosen is None or not task.found_prompts or not model.generate or not metric or published(task, model.answers):
        return
    ask = answering(task, model)

    def make(examples: pa.Table, proposals: pa.Table, *, number: int, **settings: Any) -> pa.Table:
        how = {name: settings.pop(name) for name in ("max_tokens", "stop", "too_long")}
        asked = partial(ask, metric=settings["metric"], **how)
        return scores_by_prompt(examples, proposals, asked, number=number, **settings)

    settings = {"number": chosen.examples, **task.answers, "too_long": model.too_long, **task.resampling}
    reads: Mapping[str, Any] = {**task.reads("examples"), "proposals": task.found_prompts}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "prompt_scores"}
    state = state_settings(task.study, model, model.revision)
    part = f"scores-{state_name(model, model.revision)}"
    yield task.stage("prompts", schemas.PROMPT_SCORES, make, part=part, depends_on=state, **about)


def proposer(config: Config, resources: Resources, chosen: Prompts) -> Proposer:
    """What rewrites prompts: word edits, a model behind an endpoint, or one on this machine."""
    if chosen.proposer == "edits":
        return WordProposer(config.study.seed)
    if chosen.endpoint:
        return EndpointProposer(chosen.endpoint, chosen.proposer, chosen.api_key_env)
    return LocalProposer(resources.model(Model(name=chosen.proposer), ""), config.study.seed)


def _asked(names: tuple[str, ...], name: str) -> bool:
    return not names or name in names
