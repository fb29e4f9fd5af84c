"""What a run would cost, before it: texts, tokens, seconds, memory and disk of what language models have to do.

Tokens are characters / 4, as of English text; seconds are floating-point operations, 2 a parameter and token read and three times
that for a gradient, by the speed at which this machine multiplies matrices, measured for a fifth of a second. Good to a factor of
two or so, which tells minutes from days. Corpus stages take minutes beside these; what an index costs, ``suffixindex build
--dry-run`` measures.
"""

import json
import re
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from analysis.config import Config
from analysis.errors import TableError
from analysis.model_settings import Model
from analysis.study.pipeline import Stage
from analysis.study.plan.task_stages import kind_of
from analysis.tasks import find_kind

CHARACTERS = 4.0
"""Of a token."""
GRADIENT = 3
"""Times the work of reading, for a gradient."""
WRITING = 4
"""Times the work of reading, for a token that is written: batches are small, and weights are read anew for each."""
LOGITS = 1 << 29
"""Bytes beside the weights: a batch's logits and activations."""
IN_NAME = re.compile(r"(?i)(?<![a-z\d])(\d+(?:[._]\d+)?)([kmbt])(?![a-z\d])")
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


class Work(NamedTuple):
    """What one model has to do in one command."""

    command: str
    model: str
    texts: int
    tokens: int
    seconds: float | None
    """None: nobody knows how large the model is, or it runs on a server."""
    memory: float | None
    """Bytes on its device."""
    download: float
    """Bytes of weights that are not on this machine."""


def forecast(config: Config, stages: Sequence[Stage]) -> list[Work]:
    """The work of every model, of stages that are not up to date; nothing is written.

    Raises
    ------
    AnalysisError
        A task's source cannot be read.
    """
    waiting = {(stage.command, stage.output.stem) for stage in stages if not _is_current(stage)}
    loading = [stage for stage in stages if stage.command == "tasks" and stage.output.parent.name == "examples"]
    examples = {stage.output.stem: _examples(stage) for stage in loading}
    rate, size = speed()
    found = []
    for model in config.models:
        parameters = parameters_of(config, model)
        for command, texts, tokens, factor in _asked(config, model, examples):
            if any(of == command for of, _ in waiting) and tokens:
                seconds = None if parameters is None or model.is_server else 2 * parameters * tokens * factor / rate
                memory = None if parameters is None or model.is_server else parameters * size + LOGITS
                absent = not model.is_server and not Path(config.place(model.name)).exists()
                download = 2.0 * parameters if absent and parameters else 0.0
                found.append(Work(command, model.called, texts, tokens, seconds, memory, download))
    return found


def _asked(config: Config, model: Model, examples: dict[str, pa.Table]) -> Iterator[tuple[str, int, int, float]]:
    """command, texts, tokens, and how much dearer than reading one is."""
    states = 1 + len(model.checkpoints)
    number = {name: table.num_rows for name, table in examples.items()}
    tokens = {
        name: round(sum(len(text) for part in ("prompt", "target") for text in table[part].to_pylist()) / CHARACTERS)
        for name, table in examples.items()
    }
    if model.score:
        neutral = 0 if config.prior is None else 1
        yield "score", (states + neutral) * sum(number.values()), (states + neutral) * sum(tokens.values()), 1.0
    if model.generate:
        longest = {task.name: task.max_tokens or find_kind(kind_of(task))[1].max_tokens for task in config.tasks}
        yield "generate", sum(number.values()), sum(number[name] * longest[name] for name in number), WRITING
    if config.learning is not None and (not config.learning.models or model.called in config.learning.models):
        documents = config.learning.documents * states
        yield "learning", documents, documents * config.learning.length, 1.0
    if config.influence is not None and (not config.influence.models or model.called in config.influence.models):
        pairs = config.influence.pairs * len(config.influence.tasks or config.tasks)
        texts = 2 * config.influence.documents * pairs * states
        yield "influence", texts, texts * config.influence.max_length, GRADIENT


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
    lines = [f"{'stage':<12}{'model':<34}{'texts':>10}{'tokens':>14}{'time':>10}{'memory':>10}{'download':>10}"]
    for one in work:
        memory = "?" if one.memory is None else f"{one.memory / 1e9:.1f} GB"
        download = f"{one.download / 1e9:.1f} GB" if one.download else "–"
        size = f"{one.texts:>10,}{one.tokens:>14,}"
        lines.append(f"{one.command:<12}{one.model[-32:]:<34}{size}{_time(one.seconds):>10}{memory:>10}{download:>10}")
    total = sum(one.seconds or 0.0 for one in work)
    unknown = sum(one.seconds is None for one in work)
    lines.append(f"about {_time(total)} in all{f', and {unknown} of unknown size' if unknown else ''}; nothing was written")
    return lines


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
