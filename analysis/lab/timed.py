"""How many steps of a training fit into some minutes, measured on the machine that will train."""

import json
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import suffixindex as si
from analysis.errors import ConfigError
from analysis.files import replacing
from analysis.lab.ladder import TOKENIZER, train_on_index
from analysis.lab.recipe import Recipe, Size
from analysis.lab.run import Run
from analysis.lab.train import batch, token_stream

PLAN = "plan.json"
WARM_STEPS, TIMED_STEPS = 3, 10


def train_within(index: Path, folder: Path, *, sizes: list[Size], recipe: Recipe, seed: int, minutes: float) -> list[Path]:
    """Train each size for about ``minutes`` on the documents of an index; the folders of the models.

    The steps that fit are measured once and kept in ``plan.json``, so a killed training goes on with the same ones.
    ``recipe.epochs`` is set by them. Sizes are trained one after the other.

    Raises
    ------
    ConfigError
        The folder holds models of another plan.
    """
    wanted = json.loads(json.dumps({"recipe": asdict(recipe), "seed": seed, "minutes": minutes}))
    path = folder / PLAN
    plan = json.loads(path.read_bytes()) if path.exists() else {"wanted": wanted, "epochs": {}}
    if plan["wanted"] != wanted:
        raise ConfigError(f"{folder} holds models of another plan ({plan['wanted']}): choose another folder")
    trained = []
    for size in sizes:
        if size.name not in plan["epochs"]:
            plan["epochs"][size.name] = _epochs(index, size, recipe, minutes)
            with replacing(path) as temporary:
                temporary.write_text(json.dumps(plan, indent=1) + "\n")
        fitted = replace(recipe, epochs=plan["epochs"][size.name])
        trained += train_on_index(index, folder, sizes=[size], recipe=fitted, seed=seed, processes=1)
    return trained


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
