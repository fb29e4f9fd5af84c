"""What a run would cost, before it: texts, tokens, seconds, memory and disk of every stage that is not up to date.

An index that is not there is estimated from a sample of its sources. N-grams that are embedded are counted; the pairs that γ leaves
are not known before, and taken to be one in five. Of models, tokens are characters / 4, as of English text; seconds are
floating-point operations, 2 a parameter and token read and three times that for a gradient, by the speed at which this machine
multiplies matrices, measured for a fifth of a second; of what only counts, rates of one core on a corpus of some hundred million
words. Good to a factor of two or three, which tells minutes from days. Disk is that of downloads and of what the study keeps.
"""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

from analysis.config import Config
from analysis.errors import TableError
from analysis.study.forecast.corpus import corpus_work, encoder_size, index_work
from analysis.study.forecast.measures import measuring
from analysis.study.forecast.models import models_work, parameters_of, speed
from analysis.study.forecast.sizes import sizes_of
from analysis.study.forecast.work import BYTES_OF_TABLE, SECONDS_OF_TABLE, Work, told
from analysis.study.pipeline import Stage
from analysis.threads import torch_threads

__all__ = ["Work", "encoder_size", "forecast", "parameters_of", "told"]


def forecast(config: Config, stages: Sequence[Stage]) -> list[Work]:
    """The index if it is not there, and the work of all stages that are not up to date, in their order; nothing is written.

    Every command has a row, of each language model or encoder that it asks, and one of what else it does.

    Raises
    ------
    AnalysisError
        A task's source cannot be read.
    """
    waiting: dict[str, list[Stage]] = defaultdict(list)
    for stage in stages:
        if not _is_current(stage):
            waiting[stage.command].append(stage)
    loading = [stage for stage in stages if stage.command == "tasks" and stage.output.parent.name == "examples"]
    examples = {stage.output.stem: stage.read() if stage.is_readable else stage.make(**stage.settings) for stage in loading}
    mined = {stage.output.stem: stage for stage in stages if stage.command == "mine" and stage.output.parent.name == "pairs"}
    sizes = {task.name: sizes_of(config, task, examples[task.name], mined[task.name]) for task in config.tasks}
    with torch_threads(config.study.threads):
        of_models = speed()
        of_encoders = speed("cpu") if config.mining.device == "cpu" else of_models
    found = [
        *corpus_work(config, waiting, sizes, of_encoders.rate),
        *models_work(config, waiting, examples, {name: of.pairs for name, of in sizes.items()}, of_models),
        *measuring(config, waiting, sizes),
    ]
    order = list(dict.fromkeys(stage.command for stage in stages))
    of_command = {name: [work for work in found if work.command == name] for name in order if name in waiting}
    ordered = chain.from_iterable(_with_tables(name, rows, len(waiting[name])) for name, rows in of_command.items())
    return [*index_work(config), *ordered]


def _with_tables(command: str, rows: list[Work], tables: int) -> list[Work]:
    """The rows of a command; that of no model, which is there if no other is, with what any table takes."""
    counting = next((row for row in rows if not row.model), Work(command, "", 0, 0, 0.0, 0.0, 0.0, 0.0))
    others = [row for row in rows if row.model]
    if others and counting not in rows:
        return others
    seconds, kept = counting.seconds or 0.0, counting.kept or 0.0
    return [*others, counting._replace(seconds=seconds + tables * SECONDS_OF_TABLE, kept=kept + tables * BYTES_OF_TABLE)]


def _is_current(stage: Stage) -> bool:
    try:
        return stage.is_current()
    except TableError:  # what it reads is not there yet
        return False
