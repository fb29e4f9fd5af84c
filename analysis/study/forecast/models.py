"""What language models would have to do: how much each reads and writes in each command, how long, in how much memory."""

import json
import re
import struct
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from analysis.config import Config, Task
from analysis.lab import HALVES_SCHEMA
from analysis.measures.frequency.prior import neutral_examples
from analysis.model_settings import Model
from analysis.models.answer_scores import OF_CHOICES
from analysis.study.forecast.corpus import CHARACTERS, LOGITS
from analysis.study.forecast.work import Work
from analysis.study.plan.task_stages import kind_of, metric_of
from analysis.tables import read_table
from analysis.tasks import find_kind

GRADIENT = 3
"""Times the work of reading, for a gradient."""
WRITING = 4
"""Times the work of reading, for a token that is written: batches are small, and weights are read anew for each."""
KEY, OF_SCORE, OF_TOKEN = 100, 20, 6
"""Bytes that the cache keeps of a text, of a score of a token of its target, and of a token that was written."""
IN_NAME = re.compile(r"(?i)(?<![a-z\d])(\d+(?:[._]\d+)?)([kmbt])(?![a-z\d])")
PROMPTS = 3
"""Under which answers are compared: the first, the one that memorizes, the one that generalizes."""
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


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


def models_work(
    config: Config, waiting: Collection[str], examples: Mapping[str, pa.Table], pairs: Mapping[str, int], speed: "Speed"
) -> Iterator[Work]:
    """The work of every language model in each command of which a stage is waiting; ``pairs``: how many each task has."""
    for model in config.models:
        parameters = parameters_of(config, model)
        absent = not model.is_server and folder_of(config, model) is None
        download = 2.0 * parameters if absent and parameters else 0.0
        for asked in (*_asked(config, model, examples), *_asked_for_causes(config, model, examples, pairs)):
            if asked.command in waiting and asked.tokens:
                known = parameters is not None and not model.is_server
                seconds = 2 * parameters * asked.reading / speed.rate if known and parameters else None
                memory = parameters * speed.bytes_of_weight + LOGITS if known and parameters else None
                yield Work(asked.command, model.called, asked.texts, asked.tokens, seconds, memory, download, asked.kept)
                download = 0.0  # once for all commands


def _asked(config: Config, model: Model, examples: Mapping[str, pa.Table]) -> Iterator[Asked]:
    states = 1 + len(model.checkpoints)
    scored, answered = Asked("score", 0, 0, 0.0, 0.0), Asked("generate", 0, 0, 0.0, 0.0)
    for task in config.tasks:
        table, metric = examples[task.name], metric_of(task)
        if model.score and task.name not in (model.scores or {}):
            also = table["aliases"].to_pylist() if task.aliases and task.target == "whole" else [()] * table.num_rows
            answers = [[target, *aliases] for target, aliases in zip(table["target"].to_pylist(), also, strict=True)]
            scored = scored.with_reading(table, answers, states)
            if config.prior is not None and task in _chosen(config, config.prior.tasks):
                scored = scored.with_reading(neutral_examples(table, config.prior.prompt), answers, 1)
        if model.generate and metric in OF_CHOICES and task.name not in (model.answers or {}):
            answered = answered.with_reading(table, table["choices"].to_pylist(), 1)
        elif model.generate and metric and task.name not in (model.answers or {}):
            longest = task.max_tokens or find_kind(kind_of(task))[1].max_tokens
            answered = answered.with_writing(table.num_rows, table.num_rows * longest)
    yield from (scored, answered)


def _asked_for_causes(config: Config, model: Model, examples: Mapping[str, pa.Table], pairs: Mapping[str, int]) -> Iterator[Asked]:
    """What only a study asks that says so: models of halves, answers under other prompts, learning curves, influence."""
    states = 1 + len(model.checkpoints)
    local = [each for each in config.models if not each.is_server]
    if config.counterfactual is not None and local and model is local[-1]:
        told = read_table(config.path(config.counterfactual.halves), HALVES_SCHEMA)
        halves, scored = len(pc.unique(told["model"])), Asked("counterfactual", 0, 0, 0.0, 0.0)
        for task in _chosen(config, config.counterfactual.tasks):
            targets = [[target] for target in examples[task.name]["target"].to_pylist()]
            scored = scored.with_reading(examples[task.name], targets, halves)
        yield scored
    if config.prompts is not None and model.generate:
        asked = Asked("prompts", 0, 0, 0.0, 0.0)
        for task in (each for each in _chosen(config, config.prompts.tasks) if metric_of(each)):
            number = examples[task.name].num_rows
            texts = PROMPTS * min(config.prompts.examples or number, number)
            asked = asked.with_writing(texts, texts * (task.max_tokens or find_kind(kind_of(task))[1].max_tokens))
        yield asked
    if config.learning is not None and (not config.learning.models or model.called in config.learning.models):
        documents = config.learning.documents * states
        tokens = documents * config.learning.length
        yield Asked("learning", documents, tokens, tokens, 0.0)
    if config.influence is not None and (not config.influence.models or model.called in config.influence.models):
        drawn = [
            min(config.influence.pairs or pairs[task.name], pairs[task.name]) for task in _chosen(config, config.influence.tasks)
        ]
        texts = 2 * config.influence.documents * sum(drawn) * states
        tokens = texts * config.influence.max_length
        yield Asked("influence", texts, tokens, GRADIENT * tokens, KEY * texts)


def _chosen(config: Config, names: Sequence[str]) -> list[Task]:
    """The tasks of these names; none for all."""
    return [task for task in config.tasks if not names or task.name in names]


def parameters_of(config: Config, model: Model) -> float | None:
    """How many parameters a model has, by its setting, its weights' own heads, or its name (pythia-1.4b); None: unknown."""
    if model.parameters:
        return float(model.parameters)
    folder = folder_of(config, model)
    if folder is not None and (weights := sorted(folder.glob("*.safetensors"))):
        return float(sum(map(_parameters_in, weights)))
    named = IN_NAME.search(Path(model.name).name)
    return float(named[1].replace("_", ".")) * UNITS[named[2].lower()] if named else None


def folder_of(config: Config, model: Model) -> Path | None:
    """Where a model is on this machine: its folder or file, or the cache of the hub's client; None: nowhere."""
    place = Path(config.place(model.name))
    if place.is_file():
        return place.parent
    if place.is_dir():
        return place / model.revision
    try:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(model.name, "config.json", revision=model.revision or None)
    except (ImportError, ValueError):  # no client; a name that cannot be one of the hub
        return None
    return Path(found).parent if isinstance(found, str) else None


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


class Speed(NamedTuple):
    """Of a device."""

    rate: float
    """Floating-point operations a second."""
    bytes_of_weight: int


def speed(device: str = "cuda") -> Speed:
    """How fast this machine's GPU multiplies matrices, or its processor if it has none or ``device`` is "cpu"."""
    import torch

    cuda = torch.cuda.is_available() and device != "cpu"
    size, kind = (4096, torch.bfloat16) if cuda else (768, torch.float32)
    matrix = torch.ones(size, size, dtype=kind, device="cuda" if cuda else "cpu")
    started, times = time.perf_counter(), 0
    while times < 2 or time.perf_counter() - started < 0.2:
        (matrix @ matrix)[0, 0].item()  # waits for the device
        times += 1
    rate = 2 * size**3 * times / (time.perf_counter() - started) / 2  # half: a model is no single product
    return Speed(rate, 2 if cuda else 4)
