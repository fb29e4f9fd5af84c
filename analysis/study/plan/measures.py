"""Stages that put both sides beside each other: correlations, task score by counts, novelty."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.measures.correlate import correlate, drops
from analysis.measures.modes import find_mode
from analysis.measures.novelty import novelty
from analysis.measures.performance import performance
from analysis.measures.size_trend import LEAST_MODELS, size_trend
from analysis.measures.task_scores import overall
from analysis.pairs.drop_report import whole_task
from analysis.study.pipeline import Stage
from analysis.study.plan.task_stages import TaskStages


def correlations(of: TaskStages) -> Iterator[Stage]:
    """Distributional memorization, cut into what a reader asks, since every statistic of everything would take hours.

    All statistics of the last states at the study's γ in the first mode; and by the task's main statistic alone: the other
    modes, the other γ, and the earlier checkpoints.
    """
    task, chosen = of.task, of.config.correlate
    first, *others = (_of_pairs(of, mode) for mode in chosen.modes)
    main = {n: [gamma] for n, gamma in task.gamma.items()}
    last = [(model.name, model.revision) for model in of.config.models]
    earlier = [(model.name, revision) for model in of.config.models for revision in model.checkpoints]
    statistics = tuple(dict.fromkeys([task.statistic, *chosen.statistics]))
    yield _correlation(of, first, last, first, main, statistics)
    for mode in others:
        yield _correlation(of, mode, last, mode, main, (task.statistic,))
    other_gammas = {n: sorted(set(task.sensitivity) - {gamma}) for n, gamma in task.gamma.items()}
    if any(other_gammas.values()):
        yield _correlation(of, "sensitivity", last, first, other_gammas, (task.statistic,))
    if earlier:
        yield _correlation(of, "training", earlier, first, main, (task.statistic,))
    settings: dict[str, Any] = {"mode": first, "gammas": main}
    about: Mapping[str, Any] = {"reads": of.reads("pairs", "counts", "corpus_scores"), "settings": settings, "kind": "left_out"}

    def left_out(**tables: pa.Table) -> pa.Table:
        return whole_task(drops(**tables, **settings), keep_all=True)

    yield of.stage("correlate", schemas.DROPS, left_out, folder="drops", part="correlate", **about)


def trends(of: TaskStages) -> Iterator[Stage]:
    """Whether memorization grows with the size of the model, where there are three or more sizes."""
    task, study = of.task, of.config.study
    mode = _of_pairs(of, of.config.correlate.modes[0])
    last = _scores(of, mode, [(model.name, model.revision) for model in of.config.models])
    if len(last) < LEAST_MODELS:
        return
    settings: dict[str, Any] = {"mode": mode, "gammas": {n: [gamma] for n, gamma in task.gamma.items()}}
    settings |= {"statistics": (task.statistic,), "by_subset": of.config.correlate.by_subset, "confidence": study.confidence}
    settings |= {"resamples": study.resamples, "seed": study.seed}
    reads = {**of.reads("pairs", "counts", "corpus_scores", "examples"), "model_scores": last}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "size_trends"}
    yield of.stage("correlate", schemas.SIZE_TRENDS, partial(size_trend, **settings), folder="trends", **about)


def _correlation(
    of: TaskStages,
    part: str,
    states: Sequence[tuple[str, str]],
    mode: str,
    gammas: Mapping[int, Sequence[float]],
    statistics: Sequence[str],
) -> Stage:
    study = of.config.study
    settings: dict[str, Any] = {
        "mode": mode,
        "gammas": gammas,
        "statistics": statistics,
        "by_subset": of.config.correlate.by_subset,
    }
    settings |= {"confidence": study.confidence, "resamples": study.resamples, "seed": study.seed}
    reads = {**of.reads("pairs", "counts", "corpus_scores", "examples"), "model_scores": _scores(of, mode, states)}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "correlations"}
    return of.stage("correlate", schemas.CORRELATIONS, partial(correlate, **settings), folder="correlations", part=part, **about)


def _scores(of: TaskStages, mode: str, states: Sequence[tuple[str, str]]) -> list[Stage]:
    """The log-probabilities that a mode compares, of states (model, revision)."""
    scores = of.scores_to_end if find_mode(mode).mask_to_end else of.scores
    return [scores[state] for state in states]


def _of_pairs(of: TaskStages, mode: str) -> str:
    """The mode without the switch that would keep almost all pairs, where mining has kept those above the study's γ alone.

    Its name in every result then says so: ``reference-code-scaled_similarity``.
    """
    found, task = find_mode(mode), of.task
    least = min([*task.gamma.values(), *task.sensitivity])
    narrower = found.scaled_similarity and not task.pairs and least > found.threshold(least)
    return f"{mode}-scaled_similarity" if narrower else mode


def scores_by_counts(of: TaskStages) -> Iterator[Stage]:
    """Task score in bins of pair counts."""
    if of.generations:
        chosen, study = of.config.performance, of.config.study
        settings: dict[str, Any] = {"bins": chosen.bins, "spacing": chosen.spacing, "confidence": study.confidence}
        settings |= {"resamples": study.resamples, "seed": study.seed, "by_subset": of.config.correlate.by_subset}
        reads = {**of.reads("examples", "pairs", "counts"), "generations": of.generations}
        about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "performance"}
        yield of.stage("performance", schemas.PERFORMANCE, partial(performance, **settings), **about)


def task_scores(of: TaskStages) -> Iterator[Stage]:
    """What each model scores on the whole task."""
    if of.generations:
        study = of.config.study
        settings: dict[str, Any] = {"confidence": study.confidence, "resamples": study.resamples, "seed": study.seed}
        settings |= {"by_subset": of.config.correlate.by_subset}
        reads = {**of.reads("examples"), "generations": of.generations}
        about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "task_scores", "folder": "task_scores"}
        yield of.stage("performance", schemas.TASK_SCORES, partial(overall, **settings), **about)


def new_ngrams(of: TaskStages) -> Iterator[Stage]:
    """What models write that the corpus does not hold."""
    if not of.generations or of.task.metric == "accuracy":  # a choice is not the model's own words
        return
    chosen, study, gammas = of.config.novelty, of.config.study, dict(of.task.gamma)
    common: dict[str, Any] = {"confidence": study.confidence, "resamples": study.resamples, "seed": study.seed}

    def make(examples: pa.Table, generations: pa.Table) -> pa.Table:
        measure = partial(novelty, examples, generations, of.opened.index(), **common)
        if not chosen.similar:
            return measure(ns=chosen.ns)
        pairs = measure(ns=tuple(gammas), units=("pair", "fluent_pair"), encoder=of.opened.encoder(of.task), gammas=gammas)
        return pa.concat_tables([pairs, measure(ns=chosen.ns, units=("ngram", "fluent_ngram"))])

    reads = {**of.reads("examples"), "generations": of.generations}
    settings = common | {"ns": chosen.ns, "gammas": gammas if chosen.similar else {}}
    about: Mapping[str, Any] = {"reads": reads, "files": of.index, "settings": settings, "kind": "novelty"}
    yield of.stage("novelty", schemas.NOVELTY, make, **about)
