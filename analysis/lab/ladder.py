"""A ladder of models, small to large, trained on exactly one corpus in one order."""

import json
import logging
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import suffixindex as si
from analysis.errors import ConfigError
from analysis.files import replacing
from analysis.lab.recipe import Recipe, Size
from analysis.lab.tokenizer import train_tokenizer
from analysis.lab.train import token_stream, train
from analysis.lab.world import WorldFiles
from analysis.tables import fingerprint, provenance, provenance_path
from analysis.threads import torch_threads

log = logging.getLogger(__name__)

TOKENIZER = "tokenizer.json"
"""Of the ladder; an index by a Hugging Face tokenizer keeps its own under the same name."""
TOKENS = "tokens"
Job: TypeAlias = tuple[Size, Path, Path, Recipe, int]
"""A model to train: its size, the index that it reads, where it goes, how it is trained, and the seed of its weights."""


@dataclass(frozen=True)
class Ladder:
    """Models of several sizes, and how all of them are trained."""

    sizes: tuple[Size, ...]
    """Small to large."""
    recipe: Recipe
    vocabulary: int
    """Tokens of the tokenizer that is trained on the world; at least 257."""
    processes: int = 0
    """Models trained at the same time; 0: as many as there are cores, or 1 on a GPU."""
    threads: int = 0
    """Of torch in each; 0: one where several are trained at the same time, else as many as torch takes."""

    def __post_init__(self) -> None:
        for name in ("processes", "threads"):
            if getattr(self, name) < 0:
                raise ConfigError(f"ladder.{name} is {getattr(self, name)}: expected 0 or more")


def train_ladder(world: WorldFiles, folder: Path, *, ladder: Ladder, seed: int) -> list[Path]:
    """Train the models that are not trained yet; their folders, small to large.

    Parameters
    ----------
    world
        As :func:`make_world` gives it.
    folder
        Gets ``tokenizer.json``, ``tokens`` (the index by these tokens, whose stream the models read, and which serves the
        ∞-gram model), and a folder a size: the trained model, with ``checkpoints/stepK`` in it.
    ladder
        Sizes and recipe.
    seed
        Of the initial weights.
    """
    tokenizer, tokens = folder / TOKENIZER, folder / TOKENS
    made_from = {"corpus": fingerprint(world.corpus), "vocabulary": ladder.vocabulary}
    beside = provenance_path(tokenizer)
    fresh = tokenizer.exists() and provenance(tokenizer) == made_from
    if not fresh:
        beside.unlink(missing_ok=True)
        train_tokenizer(world.corpus, tokenizer, vocabulary=ladder.vocabulary)
        with replacing(beside) as temporary:
            temporary.write_text(json.dumps(made_from) + "\n")
    if not (fresh and (tokens / "manifest.json").exists()):
        si.build([world.corpus], tokens, tokenizer=str(tokenizer), restart=not fresh)
    how: dict[str, Any] = {"processes": ladder.processes, "threads": ladder.threads}
    return train_on_index(tokens, folder, sizes=ladder.sizes, recipe=ladder.recipe, seed=seed, **how)


def train_on_index(
    index: Path, folder: Path, *, sizes: Sequence[Size], recipe: Recipe, seed: int, processes: int = 0, threads: int = 0
) -> list[Path]:
    """Train models on the documents of any index by a Hugging Face tokenizer; their folders, in the order of ``sizes``.

    Several at a time, each in a process of one thread unless ``threads`` says otherwise: small models gain little from a second
    one, and a sum of floats comes out the same on any number of cores. One at a time, in this process, has all threads of torch, or
    the GPU.
    """
    jobs = [(size, index, folder / size.name, recipe, seed) for size in sizes]
    return train_jobs(jobs, processes=processes, threads=threads)


def train_jobs(jobs: Sequence[Job], *, processes: int = 0, threads: int = 0) -> list[Path]:
    """Train a model for each job, as :func:`train_on_index` does; their folders, in the order of the jobs."""
    workers = min(len(jobs), processes or _cores())
    if workers == 1:
        for job in jobs:
            _train_one(*job, threads)
        return [job[2] for job in jobs]
    largest_first = sorted(jobs, key=lambda job: job[0].layers * job[0].width ** 2, reverse=True)
    # spawned, since torch's threads do not survive a fork
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start_process) as pool:
        for trained in [pool.submit(_train_one, *job, threads or 1) for job in largest_first]:
            log.info("trained %s", trained.result())
    return [job[2] for job in jobs]


def _train_one(size: Size, index: Path, folder: Path, recipe: Recipe, seed: int, threads: int) -> Path:
    with torch_threads(threads), si.open(index) as opened:
        return train(size, token_stream(opened), index / TOKENIZER, folder, recipe=recipe, seed=seed)


def _start_process() -> None:
    from transformers.utils import logging as messages

    messages.disable_progress_bar()  # else one for each saved checkpoint


def _cores() -> int:
    import torch

    return 1 if torch.cuda.is_available() else torch.get_num_threads()
