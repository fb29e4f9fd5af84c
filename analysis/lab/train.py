"""Train one GPTNeoX model on the tokens of an index: one fixed order, saved checkpoints, resumable, the same on every run.

Step k reads positions ``[k, k + 1) × batch × sequence`` of the stream (modulo its length in later epochs), so which step
has seen which document is arithmetic on the index's positions.
"""

import json
import logging
import math
import shutil
import time
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import suffixindex as si
from analysis.errors import ConfigError, ModelError
from analysis.files import read_record, replacing
from analysis.lab.recipe import Recipe, Size
from analysis.lab.run import END_ID, STATE, Run, hash_of
from analysis.tables import versions

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
MANIFEST = "manifest.json"
"""Written last into the folder of a model or checkpoint: settings, losses, hashes. Without it that is not finished."""


def token_stream(index: si.SuffixIndex) -> NDArray[Any]:
    """The tokens of an index in the corpus's order, with id 0 at the end of each document.

    Raises
    ------
    ConfigError
        The index is not one of a Hugging Face tokenizer, or it is empty.
    """
    kind = index.manifest.tokenizer["kind"]
    if kind != "huggingface":
        raise ConfigError(f"{index.path} is an index by {kind}: models are trained on one built with --tokenizer FILE or NAME")
    stream: NDArray[Any] = np.concatenate([shard.tokens for shard in index.shards])
    if len(stream) < 2:
        raise ConfigError(f"{index.path} holds {len(stream)} tokens: there is nothing to learn")
    stream[stream == index.separator] = END_ID
    return stream


def train(
    size: Size,
    tokens: NDArray[Any],
    tokenizer: Path,
    folder: Path,
    *,
    recipe: Recipe,
    seed: int,
    progress: bool | None = None,
) -> Path:
    """Train a model and save it as Hugging Face folders; go on with a killed training; leave a finished one as it is.

    Parameters
    ----------
    size
        The model's shape.
    tokens
        The training stream, as of :func:`token_stream`.
    tokenizer
        ``tokenizer.json`` of these tokens, saved with the model.
    folder
        Gets the trained model, and ``checkpoints/stepK`` for the earlier ones.
    recipe
        How to train.
    seed
        Of the initial weights. Nothing else is drawn.
    progress
        Show a bar on standard error; if it is a terminal by default.

    Returns
    -------
    Path
        ``folder``, with ``manifest.json`` written last: settings, the loss of each step, sha256 of the weights.

    Raises
    ------
    ModelError
        The loss is no number.
    """
    import torch
    from tqdm.auto import tqdm

    settings = _settings(size, tokens, tokenizer, recipe, seed)
    if finished(folder).get("settings") == settings:
        log.info("the model in %s is up to date", folder)
        return folder
    (folder / MANIFEST).unlink(missing_ok=True)
    run = Run(size, tokenizer, folder, recipe, seed)
    losses, seconds = run.take_up(settings)
    if not losses:
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    started = time.perf_counter() - seconds
    steps = recipe.num_steps(len(tokens))
    stream = torch.from_numpy(tokens.astype(np.int64))
    disable = None if progress is None else not progress
    with tqdm(total=steps, initial=len(losses), desc=size.name, unit="step", dynamic_ncols=True, disable=disable) as bar:
        for step in range(len(losses), steps):
            if step in recipe.checkpoints:
                run.save_checkpoint(folder / CHECKPOINTS / f"step{step}", MANIFEST, {"settings": settings, "step": step})
            loss = run.step(*batch(stream, step, recipe), recipe.rate(size.learning_rate, step, steps))
            if not math.isfinite(loss):
                raise ModelError(f"the loss of {size.name} is {loss} at step {step}: lower its learning rate")
            losses.append(loss)
            if (step + 1) % recipe.state_steps == 0 and step + 1 < steps:
                run.save_state(settings, losses, time.perf_counter() - started)
            bar.update()
            bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
    run.save(folder)
    told = {
        "settings": settings,
        "steps": steps,
        "tokens_per_step": recipe.tokens_per_step,
        "num_parameters": run.num_parameters,
        "num_non_embedding": run.num_non_embedding,
        "seconds": round(time.perf_counter() - started, 1),
        "losses": [round(loss, 4) for loss in losses],
        "sha256": hash_of(folder),
        "versions": versions(),
    }
    with replacing(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(told, indent=1) + "\n")
    (folder / STATE).unlink(missing_ok=True)
    return folder


def finished(folder: Path) -> dict[str, Any]:
    """What a model's manifest says; empty if its training is not finished."""
    return read_record(folder / MANIFEST)


def batch(stream: Any, step: int, recipe: Recipe) -> tuple[Any, Any]:
    """Inputs and targets ``[batch, sequence]`` of a step; -100 stands for targets after the last epoch, which do not count."""
    import torch

    size, last = recipe.tokens_per_step, len(stream) - 1
    positions = torch.arange(step * size, (step + 1) * size)
    targets = torch.where(positions < recipe.num_targets(len(stream)), stream[positions % last + 1], -100)
    shape = (recipe.batch, recipe.sequence)
    return stream[positions % last].view(shape), targets.view(shape)


def _settings(size: Size, tokens: NDArray[Any], tokenizer: Path, recipe: Recipe, seed: int) -> dict[str, Any]:
    told = {
        "size": asdict(size),
        "recipe": asdict(recipe),
        "seed": seed,
        "tokens": len(tokens),
        "tokens_sha256": sha256(np.ascontiguousarray(tokens).view(np.uint8)).hexdigest(),
        "tokenizer_sha256": sha256(tokenizer.read_bytes()).hexdigest(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain
