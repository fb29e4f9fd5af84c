"""The lab: a world, its models, and the configuration of the study of them."""

import json
import logging
from importlib.resources import files
from pathlib import Path
from typing import Any

from analysis.config import load_config
from analysis.lab import CHECKPOINTS, Preset, finished, load_preset, make_world, train_halves, train_ladder
from analysis.models.open import list_checkpoints
from analysis.study.resources import quiet_transformers

log = logging.getLogger(__name__)

STUDY = "study.toml"
WORLD, LADDER = "world", "ladder"


def make_lab(folder: Path, *, preset: str, seed: int) -> Path:
    """Make the world and train its models, where that is not done; write the study's TOML file and return its path.

    Parameters
    ----------
    folder
        Gets ``world``, ``ladder`` and ``study.toml``. A ``study.toml`` that was changed by hand since is left as it is.
    preset
        As for :func:`analysis.lab.load_preset`.
    seed
        Of everything that is drawn.
    """
    quiet_transformers()
    settings = load_preset(preset)
    world = make_world(folder / WORLD, preset=settings.world, seed=seed)
    models = train_ladder(world, folder / LADDER, ladder=settings.ladder, seed=seed)
    text = study_text(settings, models, folder, seed)
    if settings.halves.models:
        how: dict[str, Any] = {"halves": settings.halves, "ladder": settings.ladder, "seed": seed}
        halves = train_halves(world, folder / LADDER, folder / "halves", **how)
        text += f'\n[counterfactual]\nhalves = {json.dumps(halves.relative_to(folder).as_posix())}\ntasks = ["facts"]\n'
    path = folder / STUDY
    written = folder / f".{STUDY}"  # as it was written last, to tell a change by hand
    if path.exists() and written.exists() and path.read_text(encoding="utf-8") != written.read_text(encoding="utf-8"):
        log.warning("%s was changed by hand and is used as it is; delete it to have it written anew", path)
    else:
        path.write_text(text, encoding="utf-8")
        written.write_text(text, encoding="utf-8")
    load_config(path)
    return path


def study_text(settings: Preset, models: list[Path], folder: Path, seed: int) -> str:
    """``configs/lab.toml`` with the seed, threads and resamples, and a table for each model with its checkpoints."""
    text = (files("analysis.configs") / "lab.toml").read_text(encoding="utf-8")
    text = text.replace("\nseed = 0\n", f"\nseed = {seed}\nthreads = {settings.ladder.threads}\n")
    text = text.replace("\nresamples = 1000\n", f"\nresamples = {settings.resamples}\n")
    largest = json.dumps(models[-1].relative_to(folder).as_posix())
    text = text.replace("\n[influence]\n", f"\n[influence]\nmodels = [{largest}] # each pair of each state costs a backward pass\n")
    return text + "".join(_model_text(model, folder) for model in models)


def _model_text(model: Path, folder: Path) -> str:
    checkpoints = [f"{CHECKPOINTS}/{name}" for name in list_checkpoints(model / CHECKPOINTS)]
    lines = [
        "",
        "[[models]]",
        f"name = {json.dumps(model.relative_to(folder).as_posix())}",
        f"checkpoints = {json.dumps(checkpoints)}",
    ]
    return "\n".join([*lines, f"step = {finished(model)['steps']}", ""])
