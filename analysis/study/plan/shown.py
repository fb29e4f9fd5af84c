"""Stages whose tables are to be read: a few actual pairs and answers, of the last and largest model."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from analysis import schemas
from analysis.measures.shown.answers import shown_answers
from analysis.measures.shown.pairs import shown_pairs
from analysis.measures.shown.traces import traces
from analysis.study.pipeline import Stage
from analysis.study.plan.measures import first_mode, last_scored, scores_in
from analysis.study.plan.task_stages import TaskStages


def some_pairs(task: TaskStages) -> Iterator[Stage]:
    """Pairs with their counts and both probabilities."""
    study = task.study
    if not study.report.pairs:
        return
    mode, last = first_mode(task), last_scored(task)[-1:]
    if not last:
        return
    settings: dict[str, Any] = {"number": study.report.pairs, "mode": mode, "seed": study.study.seed}
    settings |= {"gammas": {n: [gamma] for n, gamma in task.config.gamma.items()}}
    reads = {**task.reads("pairs", "counts", "corpus_scores"), "model_scores": scores_in(task, mode, last)}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "shown_pairs", "depends_on": {"shown": "own pairs"}}
    yield task.stage("show", schemas.SHOWN_PAIRS, shown_pairs, folder="shown", part="pairs", **about)


def some_answers(task: TaskStages) -> Iterator[Stage]:
    """Answers beside their prompts and the right ones."""
    study = task.study
    if not study.report.answers or not task.generations:
        return
    settings = {"number": study.report.answers, "seed": study.study.seed}
    reads = {**task.reads("examples"), "generations": task.generations[-1:]}
    about: Mapping[str, Any] = {"reads": reads, "settings": settings, "kind": "shown_answers"}
    answers = task.stage("show", schemas.SHOWN_ANSWERS, task.of_metric(shown_answers), folder="shown", part="answers", **about)
    yield answers
    if study.report.spans:

        def traced(answers: pa.Table, **settings: Any) -> pa.Table:
            return traces(answers, task.resources.index(), **settings)

        settings = {"spans": study.report.spans, "least_words": study.report.least_words}
        about = {"reads": {"answers": answers}, "files": task.index, "settings": settings, "kind": "traces"}
        yield task.stage("show", schemas.TRACES, traced, folder="shown", part="traces", **about)
