"""Stages that put both sides beside each other: correlations, task score by counts, novelty."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.measures.correlate import correlate, left_out
from analysis.measures.differences import differences
from analysis.measures.frequency.prior import prior_aware
from analysis.measures.frequency.thresholds import thresholds
from analysis.measures.modes import find_mode
from analysis.measures.novelty import novelty
from analysis.measures.output_flaws import output_flaws
from analysis.measures.performance import performance
from analysis.measures.size_trend import LEAST_MODELS, size_trend
from analysis.measures.task_scores import task_scores
from analysis.measures.unread import unread
from analysis.models.answer_scores import OF_CHOICES, RIGHT_OR_WRONG
from analysis.pairs.drops import whole_task
from analysis.study.pipeline import Stage, once
from analysis.study.plan.task_stages import TaskStages


def correlations(task: TaskStages) -> Iterator[Stage]:
    """Distributional memorization, cut into what a reader asks, since every statistic of everything would take hours.

    All statistics of the last states at the study's γ in the first mode; and by the task's main statistic alone: the other
    modes, the other γ, and the earlier checkpoints.
    """
    config, chosen = task.config, task.study.correlate
    first, *others = (_of_pairs(task, mode) for mode in chosen.modes)
    main = {n: [gamma] for n, gamma in config.gamma.items()}
    last = last_scored(task)
    states = [(model.called, revision) for model in task.study.models for revision in model.checkpoints]
    earlier = [state for state in states if state in task.scores]
    statistics = tuple(dict.fromkeys([config.statistic, *chosen.statistics]))
    if not last:
        return
    yield _correlation(task, first, last, first, main, statistics)
    for mode in others:
        yield _correlation(task, mode, last, mode, main, (config.statistic,))
    other_gammas = {n: sorted(set(config.sensitivity) - {gamma}) for n, gamma in config.gamma.items()}
    if any(other_gammas.values()):
        yield _correlation(task, "sensitivity", last, first, other_gammas, (config.statistic,))
    if earlier:
        yield _correlation(task, "training", earlier, first, main, (config.statistic,))

    def make(**given: Any) -> pa.Table:
        return whole_task(left_out(**given), keep_all=True)

    about: dict[str, Any] = {"reads": task.reads("pairs", "counts", "corpus_scores"), "folder": "drops", "part": "correlate"}
    about |= {"settings": {"mode": first, "gammas": main}, "depends_on": {"kept": "common pairs"}}
    yield task.stage("correlate", schemas.DROPS, make, kind="left_out", **about)


def differing(task: TaskStages) -> Iterator[Stage]:
    """How much nearer to each language model the task-gram model is than the other models of the corpus, on the same pairs."""
    config, chosen = task.config, task.study.correlate
    mode = first_mode(task)
    statistics = tuple(dict.fromkeys([config.statistic, *chosen.statistics]))
    settings: dict[str, Any] = {"mode": mode, "gammas": {n: [gamma] for n, gamma in config.gamma.items()}}
    settings |= {"statistics": statistics, "by_subset": chosen.by_subset, **task.resampling}
    last = scores_in(task, mode, last_scored(task))
    if not last:
        return
    reads = {**task.reads("pairs", "counts", "corpus_scores", "examples"), "model_scores": last}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "differences"}
    yield task.stage("correlate", schemas.DIFFERENCES, differences, folder="differences", **about)


def not_read(task: TaskStages) -> Iterator[Stage]:
    """What was too long for the language models, or is not in the files that stand in for one."""
    reads: dict[str, Stage | Sequence[Stage]] = {**task.reads("examples", "pairs")}
    reads |= {"model_scores": list(task.scores.values())} if task.scores else {}
    reads |= {"generations": task.generations} if task.generations else {}
    name, models = task.config.name, task.study.models
    settings = {
        "scores_of_files": [model.called for model in models if name in (model.scores or {})],
        "answers_of_files": [model.called for model in models if name in (model.answers or {})],
    }

    def make(**given: Any) -> pa.Table:
        return whole_task(unread(**given), keep_all=True)

    yield task.stage(
        "correlate", schemas.DROPS, make, folder="drops", part="unread", reads=reads, settings=_given(settings), kind="unread"
    )


def _given(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those that say something: others are no part of what a table is made of."""
    return {name: value for name, value in settings.items() if value}


def trends(task: TaskStages) -> Iterator[Stage]:
    """Whether memorization grows with the size of the model, where there are three or more sizes."""
    config = task.config
    mode = first_mode(task)
    last = scores_in(task, mode, last_scored(task))
    if len(last) < LEAST_MODELS:
        return
    settings: dict[str, Any] = {"mode": mode, "gammas": {n: [gamma] for n, gamma in config.gamma.items()}}
    settings |= {"statistics": (config.statistic,), "by_subset": task.study.correlate.by_subset, **task.resampling}
    reads = {**task.reads("pairs", "counts", "corpus_scores", "examples"), "model_scores": last}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "size_trends"}
    yield task.stage("correlate", schemas.SIZE_TRENDS, size_trend, folder="trends", **about)


def beyond_priors(task: TaskStages) -> Iterator[Stage]:
    """Memorization with each side held against its own prior."""
    if not task.neutral_scores:
        return
    mode, config = first_mode(task), task.config
    statistic = "spearman" if config.statistic == "partial_spearman" else config.statistic
    settings: dict[str, Any] = {"mode": mode, "gammas": {n: [gamma] for n, gamma in config.gamma.items()}, "statistic": statistic}
    settings |= {"by_subset": task.study.correlate.by_subset, **task.resampling}
    last = [task.scores[state] for state in task.neutral_scores]
    reads = {**task.reads("pairs", "counts", "corpus_scores", "examples"), "model_scores": last}
    reads |= {"neutral_scores": list(task.neutral_scores.values())}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "prior_aware"}
    yield task.stage("correlate", schemas.PRIOR_AWARE, prior_aware, folder="prior", **about)


def _correlation(
    task: TaskStages,
    part: str,
    states: Sequence[tuple[str, str]],
    mode: str,
    gammas: Mapping[int, Sequence[float]],
    statistics: Sequence[str],
) -> Stage:
    settings: dict[str, Any] = {"mode": mode, "gammas": gammas, "statistics": statistics}
    settings |= {"by_subset": task.study.correlate.by_subset, **task.resampling}
    reads = {**task.reads("pairs", "counts", "corpus_scores", "examples"), "model_scores": scores_in(task, mode, states)}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "correlations"}
    return task.stage("correlate", schemas.CORRELATIONS, correlate, folder="correlations", part=part, **about)


def last_scored(task: TaskStages) -> list[tuple[str, str]]:
    """The last states that score the task."""
    states = [(model.called, model.revision) for model in task.study.models]
    return [state for state in states if state in task.scores]


def scores_in(task: TaskStages, mode: str, states: Sequence[tuple[str, str]]) -> list[Stage]:
    """The log-probabilities that a mode compares, of states (model, revision)."""
    scores = task.scores_to_end if find_mode(mode).mask_to_end else task.scores
    return [scores[state] for state in states]


def first_mode(task: TaskStages) -> str:
    """The mode of the report's main figures."""
    return _of_pairs(task, task.study.correlate.modes[0])


def _of_pairs(task: TaskStages, mode: str) -> str:
    """The mode without the switch that would keep almost all pairs, where mining has kept those above the study's γ alone.

    Its name in every result then says so: ``reference-code-scaled_similarity``.
    """
    found, config = find_mode(mode), task.config
    least = min([*config.gamma.values(), *config.sensitivity])
    narrower = found.scaled_similarity and not config.pairs and least > found.threshold(least)
    return f"{mode}-scaled_similarity" if narrower else mode


def scores_by_counts(task: TaskStages) -> Iterator[Stage]:
    """Task score in bins of pair counts."""
    if task.generations:
        chosen = task.study.performance
        settings: dict[str, Any] = {"bins": chosen.bins, "spacing": chosen.spacing, "least": chosen.least}
        settings |= {"by_subset": task.study.correlate.by_subset}
        reads = {**task.reads("examples", "pairs", "counts"), "generations": task.generations}
        about: Mapping[str, Any] = {"reads": reads, "settings": settings | task.resampling, "kind": "performance"}
        yield task.stage("performance", schemas.PERFORMANCE, task.of_metric(performance), **about)


def frequency_thresholds(task: TaskStages) -> Iterator[Stage]:
    """How many documents a model needs to be right, and whether larger ones need fewer."""
    if not task.generations or task.answers["metric"] not in RIGHT_OR_WRONG:
        return
    both = once(task.of_metric(thresholds))
    settings: dict[str, Any] = {"by_subset": task.study.correlate.by_subset, **task.resampling}
    reads = {**task.reads("examples", "pairs", "counts"), "generations": task.generations}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings}
    found: Mapping[str, Any] = {"folder": "thresholds", "part": "models", "kind": "thresholds", **about}
    yield task.stage("performance", schemas.THRESHOLDS, lambda **given: both(**given).models, **found)
    if len(task.study.models) >= LEAST_MODELS:
        found = {"folder": "thresholds", "part": "trend", "kind": "threshold_trends", **about}
        yield task.stage("performance", schemas.THRESHOLD_TRENDS, lambda **given: both(**given).trends, **found)


def scores_of_task(task: TaskStages) -> Iterator[Stage]:
    """What each model scores on the whole task."""
    if task.generations:
        settings: dict[str, Any] = {"by_subset": task.study.correlate.by_subset, **task.resampling}
        reads = {**task.reads("examples"), "generations": task.generations}
        about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "task_scores", "folder": "task_scores"}
        yield task.stage("performance", schemas.TASK_SCORES, task_scores, **about)


def flaws_of_outputs(task: TaskStages) -> Iterator[Stage]:
    """How many outputs are empty, cut or repeated."""
    if task.generations and task.answers["metric"] not in OF_CHOICES:
        settings: dict[str, Any] = {"confidence": task.study.study.confidence, "by_subset": task.study.correlate.by_subset}
        reads = {**task.reads("examples"), "generations": task.generations}
        about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "output_flaws", "folder": "output_flaws"}
        yield task.stage("performance", schemas.OUTPUT_FLAWS, output_flaws, **about)


def new_ngrams(task: TaskStages) -> Iterator[Stage]:
    """What models write that the corpus does not hold."""
    if not task.generations or task.answers["metric"] in OF_CHOICES:  # a choice is not the model's own words
        return

    def make(*, ns: Sequence[int], gammas: Mapping[int, float], **given: Any) -> pa.Table:
        measure = partial(novelty, index=task.resources.index(), **given)
        if not gammas:
            return measure(ns=ns)
        similar: dict[str, Any] = {"encoder": task.resources.encoder(task.config), "gammas": gammas}
        pairs = measure(ns=tuple(gammas), units=("pair", "fluent_pair"), **similar)
        return pa.concat_tables([pairs, measure(ns=ns, units=("ngram", "fluent_ngram"))])

    chosen = task.study.novelty
    settings = {"ns": chosen.ns, "gammas": dict(task.config.gamma) if chosen.similar else {}, **task.resampling}
    reads = {**task.reads("examples"), "generations": task.generations}
    about: Mapping[str, Any] = {"reads": reads, "files": task.index, "settings": settings, "kind": "novelty"}
    yield task.stage("novelty", schemas.NOVELTY, task.of_metric(make), **about)
