"""A configuration as the stages of its study, in the order in which they run.

``FOLDER/examples/TASK.parquet`` → ``pairs`` → ``counts`` → ``corpus_scores``; ``scores/TASK/MODEL@REVISION.parquet`` and
``generations/…`` of each model; then a table for each task of each measure: ``correlations``, ``performance``, …
"""

from collections.abc import Iterator

from analysis.config import Config
from analysis.study.pipeline import Stage
from analysis.study.plan import causes, corpus, measures, models, shown
from analysis.study.plan.learning import learning_curves
from analysis.study.plan.task_stages import TaskStages
from analysis.study.resources import Resources

__all__ = ["plan"]


def plan(config: Config, resources: Resources) -> list[Stage]:
    """All stages of a study, what a stage reads before it; nothing is read or opened until one runs."""
    tasks = [TaskStages(task, config, resources) for task in config.tasks]
    return list(_stages(config, resources, tasks))


def _stages(config: Config, resources: Resources, tasks: list[TaskStages]) -> Iterator[Stage]:
    for make in (corpus.load, corpus.mine_pairs, corpus.count, corpus.score, corpus.contaminated):
        for task in tasks:
            yield from make(task)
    for model in config.models:
        yield from models.describe(config, tasks[0].resources, model)
        for revision in (*model.checkpoints, model.revision):  # one model at a time, and each opened once
            for task in tasks:
                yield from models.score(task, model, revision)
                if revision == model.revision:
                    yield from models.score_prior(task, model)
                    yield from models.write(task, model)
    for measure in (
        shown.some_pairs,
        shown.some_answers,
        measures.not_read,
        measures.correlations,
        measures.differing,
        measures.trends,
        measures.beyond_priors,
        measures.scores_of_task,
        measures.flaws_of_outputs,
        measures.scores_by_counts,
        measures.frequency_thresholds,
        measures.new_ngrams,
        causes.doses,
        causes.counterfactuals,
        causes.prompts,
    ):
        for task in tasks:
            yield from measure(task)
    for model in config.models:
        for task in tasks:
            yield from causes.influences(task, model)
            yield from causes.under_prompts(task, model)
        yield from learning_curves(config, resources, model)
