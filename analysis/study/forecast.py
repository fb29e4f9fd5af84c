"""What a run would cost, before it: texts, tokens, seconds, memory and disk of the index and of what language models have to do.

An index that is not there is estimated from a sample of its sources. Of models, tokens are characters / 4, as of English text;
seconds are floating-point operations, 2 a parameter and token read and three times that for a gradient, by the speed at which this
machine multiplies matrices, measured for a fifth of a second. Good to a factor of two or so, which tells minutes from days. Disk is
that of downloads and of what the study keeps. Stages that only count take minutes beside these.
"""

import json
import logging
import re
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

import suffixindex as si
from analysis.config import Config
from analysis.errors import TableError
from analysis.model_settings import Model
from analysis.models.answer_scores import OF_CHOICES
from analysis.study.pipeline import Stage
from analysis.study.plan.task_stages import kind_of, metric_of
from analysis.study.resources import index_sources
from analysis.tasks import find_kind
from analysis.threads import torch_threads

log = logging.getLogger(__name__)

CHARACTERS = 4.0
"""Of a token."""
GRADIENT = 3
"""Times the work of reading, for a gradient."""
WRITING = 4
"""Times the work of reading, for a token that is written: batches are small, and weights are read anew for each."""
KEY, OF_SCORE, OF_TOKEN = 100, 20, 6
"""Bytes that the cache keeps of a text, of a score of a token of its target, and of a token that was written."""
LOGITS = 1 << 29
"""Bytes beside the weights: a batch's logits and activations."""
IN_NAME = re.compile(r"(?i)(?<![a-z\d])(\d+(?:[._]\d+)?)([kmbt])(?![a-z\d])")
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


class Work(NamedTuple):
    """What one model has to do in one command, or what an index takes."""

    command: str
    model: str
    """Of an index, its tokenizer."""
    texts: int | None
    tokens: int | None
    """None: the index's sources do not say how large they are."""
    seconds: float | None
    """None: nobody knows how large the model is, or it runs on a server."""
    memory: float | None
    """Bytes on its device, the GPU where there is one; of an index in this machine's memory."""
    download: float
    """Bytes of weights that are not on this machine."""
    kept: float | None
    """Bytes that it leaves on disk beside them."""


class Asked(NamedTuple):
    """What a command asks of a model, of any size."""

    command: str
    texts: int
    tokens: int
    reading: float
    """As many tokens as could be read in the same time."""
    kept: float

    def with_reading(self, examples: pa.Table, answers: Sequence[Sequence[str]], times: int) -> "Asked":
        """And to read each example's prompt before each of its answers, so many times."""
        texts = times * sum(map(len, answers))
        of_answers = times * sum(len(answer) for some in answers for answer in some) / CHARACTERS
        prompts = zip(examples["prompt"].to_pylist(), answers, strict=True)
        tokens = round(of_answers + times * sum(len(prompt) * len(some) for prompt, some in prompts) / CHARACTERS)
        kept = KEY * texts + OF_SCORE * of_answers
        return Asked(self.command, self.texts + texts, self.tokens + tokens, self.reading + tokens, self.kept + kept)

    def with_writing(self, texts: int, tokens: int) -> "Asked":
        """And to write so many tokens after so many prompts."""
        kept = KEY * texts + OF_TOKEN * tokens
        return Asked(self.command, self.texts + texts, self.tokens + tokens, self.reading + WRITING * tokens, self.kept + kept)


def forecast(config: Config, stages: Sequence[Stage]) -> list[Work]:
    """The index if it is not there, and the work of every model, of stages that are not up to date; nothing is written.

    Raises
    ------
    AnalysisError
        A task's source cannot be read.
    """
    waiting = {(stage.command, stage.output.stem) for stage in stages if not _is_current(stage)}
    loading = [stage for stage in stages if stage.command == "tasks" and stage.output.parent.name == "examples"]
    examples = {stage.output.stem: _examples(stage) for stage in loading}
    found = list(_index(config))
    with torch_threads(config.study.threads):
        rate, size = speed()
    for model in config.models:
        parameters = parameters_of(config, model)
        absent = not model.is_server and not Path(config.place(model.name)).exists()
        download = 2.0 * parameters if absent and parameters else 0.0
        for asked in _asked(config, model, examples):
            if any(of == asked.command for of, _ in waiting) and asked.tokens:
                known = parameters is not None and not model.is_server
                seconds = 2 * parameters * asked.reading / rate if known and parameters else None
                memory = parameters * size + LOGITS if known and parameters else None
                work = (asked.command, model.called, asked.texts, asked.tokens, seconds, memory, download, asked.kept)
                found.append(Work(*work))
                download = 0.0  # once for all commands
    return found


def _index(config: Config) -> Iterator[Work]:
    """Building the study's index, from a sample of its sources."""
    about = config.index
    if not about.sources or (config.path(about.path) / "manifest.json").exists():
        return
    try:
        how: dict[str, Any] = {"memory": about.memory or None, "text_field": about.text_field}
        found = si.estimate_build(index_sources(config), tokenizer="words", **how)
    except si.CorpusError as error:  # data sets of the hub have no size, and some files are not there yet
        log.warning("what the index takes is not known: %s", error)
        yield Work("index", "words", None, None, None, None, 0.0, None)
        return
    size = (found.num_documents, found.num_tokens, sum(found.seconds.values()), float(found.peak_memory_bytes))
    yield Work("index", "words", *size, 0.0, float(found.num_bytes))


def _asked(config: Config, model: Model, examples: dict[str, pa.Table]) -> Iterator[Asked]:
    states = 1 + len(model.checkpoints)
    scored, answered = Asked("score", 0, 0, 0.0, 0.0), Asked("generate", 0, 0, 0.0, 0.0)
    for task in config.tasks:
        table, metric = examples[task.name], metric_of(task)
        if model.score and task.name not in (model.scores or {}):
            neutral = config.prior is not None and (not config.prior.tasks or task.name in config.prior.tasks)
            also = table["aliases"].to_pylist() if task.aliases and task.target == "whole" else [()] * table.num_rows
            answers = [[target, *aliases] for target, aliases in zip(table["target"].to_pylist(), also, strict=True)]
            scored = scored.with_reading(table, answers, states + neutral)
        if model.generate and metric in OF_CHOICES and task.name not in (model.answers or {}):
            answered = answered.with_reading(table, table["choices"].to_pylist(), 1)
        elif model.generate and metric and task.name not in (model.answers or {}):
            longest = task.max_tokens or find_kind(kind_of(task))[1].max_tokens
            answered = answered.with_writing(table.num_rows, table.num_rows * longest)
    yield from (scored, answered)
    if config.learning is not None and (not config.learning.models or model.called in config.learning.models):
        documents = config.learning.documents * states
        tokens = documents * config.learning.length
        yield Asked("learning", documents, tokens, tokens, 0.0)
    if config.influence is not None and (not config.influence.models or model.called in config.influence.models):
        pairs = config.influence.pairs * len(config.influence.tasks or config.tasks)
        texts = 2 * config.influence.documents * pairs * states
        tokens = texts * config.influence.max_length
        yield Asked("influence", texts, tokens, GRADIENT * tokens, KEY * texts)


def parameters_of(config: Config, model: Model) -> float | None:
    """How many parameters a model has, by its setting, its weights' own heads, or its name (pythia-1.4b); None: unknown."""
    if model.parameters:
        return float(model.parameters)
    place = Path(config.place(model.name)) / model.revision
    if weights := sorted(place.glob("*.safetensors")):
        return float(sum(map(_parameters_in, weights)))
    named = IN_NAME.search(Path(model.name).name)
    return float(named[1].replace("_", ".")) * UNITS[named[2].lower()] if named else None


def _parameters_in(path: Path) -> int:
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        head = json.loads(file.read(length))
    total = 0
    for name, tensor in head.items():
        if name != "__metadata__":
            size = 1
            for extent in tensor["shape"]:
                size *= extent
            total += size
    return total


def speed() -> tuple[float, int]:
    """Floating-point operations a second of this machine's GPU or processor, and bytes of a weight there."""
    import torch

    cuda = torch.cuda.is_available()
    size, kind = (4096, torch.bfloat16) if cuda else (768, torch.float32)
    matrix = torch.ones(size, size, dtype=kind, device="cuda" if cuda else "cpu")
    started, times = time.perf_counter(), 0
    while times < 2 or time.perf_counter() - started < 0.2:
        (matrix @ matrix)[0, 0].item()  # waits for the device
        times += 1
    return 2 * size**3 * times / (time.perf_counter() - started) / 2, 2 if cuda else 4  # half: a model is no single product


def _examples(stage: Stage) -> pa.Table:
    return stage.read() if stage.is_readable else stage.make(**stage.settings)


def _is_current(stage: Stage) -> bool:
    try:
        return stage.is_current()
    except TableError:  # what it reads is not there yet
        return False


def told(work: Sequence[Work]) -> list[str]:
    """The forecast as lines of a table, and its sum."""
    lines = [f"{'stage':<11}{'model':<34}{'texts':>11}{'tokens':>16}{'time':>8}{'memory':>9}{'download':>10}{'disk':>9}"]
    for one in work:
        size = f"{_number(one.texts):>11}{_number(one.tokens):>16}{_time(one.seconds):>8}{_bytes(one.memory):>9}"
        kept = _bytes(one.kept)
        lines.append(f"{one.command:<11}{one.model[-32:]:<34}{size}{_bytes(one.download) if one.download else '–':>10}{kept:>9}")
    total = sum(one.seconds or 0.0 for one in work)
    unknown = sum(one.seconds is None for one in work)
    disk = _bytes(sum(one.download + (one.kept or 0.0) for one in work))
    beside = f", and {unknown} of unknown size" if unknown else ""
    lines.append(f"about {_time(total)} and {disk} of disk in all{beside}; memory is the device's; nothing was written")
    return lines


def _number(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def _bytes(number: float | None) -> str:
    if number is None:
        return "?"
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number / 1e3:.0f} kB"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
