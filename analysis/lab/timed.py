"""Trainings of a given length: as many steps as fit into some minutes, measured on the machine that will train, or some tokens."""

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import suffixindex as si
from analysis.errors import ConfigError
from analysis.files import replacing
from analysis.lab.ladder import TOKENIZER, train_on_index
from analysis.lab.recipe import Recipe, Size
from analysis.lab.run import Run
from analysis.lab.train import batch, token_stream
from analysis.threads import torch_threads

PLAN = "plan.json"
WARM_STEPS, TIMED_STEPS = 3, 10


def train_on_tokens(
    index: Path, folder: Path, *, sizes: Sequence[Size], recipe: Recipe, seed: int, tokens: int, threads: int = 0
) -> list[Path]:
    """Train each size on the first ``tokens`` of an index, or on all of it several times; the folders of the models.

    ``recipe.epochs`` is set by them. All sizes read the same, so that a trend over sizes is one over sizes alone.
    """
    with si.open(index) as opened:
        length = len(token_stream(opened))
    fitted = replace(recipe, epochs=tokens / (length - 1))
    return train_on_index(index, folder, sizes=sizes, recipe=fitted, seed=seed, processes=1, threads=threads)


def train_within(
    index: Path, folder: Path, *, sizes: Sequence[Size], recipe: Recipe, seed: int, minutes: float, threads: int = 0
) -> list[Path]:
    """Train each size for about ``minutes`` on the documents of an index; the folders of the models.

    The steps that fit are measured once and kept in ``plan.json``, so a killed training goes on with the same ones.
    ``recipe.epochs`` is set by them. Sizes are trained one after the other, each with ``threads`` of a processor (0: all).

    Raises
    ------
    ConfigError
        The folder holds models of another plan, or its plan is damaged.
    """
    wanted = json.loads(json.dumps({"recipe": asdict(recipe), "seed": seed, "minutes": minutes}))
    path = folder / PLAN
    plan = _read_plan(path) if path.exists() else {"wanted": wanted, "epochs": {}}
    if plan["wanted"] != wanted:
        raise ConfigError(f"{folder} holds models of another plan ({plan['wanted']}): choose another folder")
    trained = []
    for size in sizes:
        if size.name not in plan["epochs"]:
            with torch_threads(threads):
                plan["epochs"][size.name] = _epochs(index, size, recipe, minutes)
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(plan, indent=1) + "\n")
        fitted = replace(recipe, epochs=plan["epochs"][size.name])
        trained += train_on_index(index, folder, sizes=[size], recipe=fitted, seed=seed, processes=1, threads=threads)
    return trained


def _read_plan(path: Path) -> dict[str, Any]:
    """What an earlier call wanted, and the epochs of each size that it measured."""
    remedy = "restore it, or delete it: sizes are then measured, and trained, anew"
    try:
        plan = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): expected the plan of an earlier call; {remedy}") from error
    if not (isinstance(plan, dict) and isinstance(plan.get("wanted"), dict) and isinstance(plan.get("epochs"), dict)):
        raise ConfigError(f"{path} is no plan: expected a record of wanted and epochs; {remedy}")
    for name, epochs in plan["epochs"].items():
        if type(epochs) not in (int, float) or not 0 < epochs < float("inf"):
            raise ConfigError(f"{path}: epochs of {name} are {epochs!r}: expected a number above 0; {remedy}")
    return plan


def _epochs(index: Path, size: Size, recipe: Recipe, minutes: float) -> float:
    import torch

    with si.open(index) as opened:
        stream = torch.from_numpy(token_stream(opened).astype("int64"))
    with tempfile.TemporaryDirectory() as folder:
        run = Run(size, index / TOKENIZER, Path(folder), recipe, seed=0)
        started, forever = 0.0, replace(recipe, epochs=1 + (WARM_STEPS + TIMED_STEPS) * recipe.tokens_per_step)
        for step in range(WARM_STEPS + TIMED_STEPS):
            if step == WARM_STEPS:
                started = time.perf_counter()
            run.step(*batch(stream, step, forever), 0.0)  # reading its loss waits for the device
        seconds = (time.perf_counter() - started) / TIMED_STEPS
    return max(1, int(60 * minutes / seconds)) * recipe.tokens_per_step / (len(stream) - 1)
