"""Models trained with and without each planted fact: the halves that counterfactual memorization compares (Zhang et al. 2023)."""

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

import suffixindex as si
from analysis.errors import ConfigError
from analysis.files import replacing
from analysis.lab.ladder import TOKENIZER, TOKENS, Job, Ladder, train_jobs
from analysis.lab.train import finished
from analysis.lab.world import PLANTED_SCHEMA, WorldFiles
from analysis.tables import fingerprint, provenance, read_table, write_table

log = logging.getLogger(__name__)

TELLING = "facts"
"""The kind of document that tells a fact; rivals and mentions of it stay."""
HALVES = "halves.parquet"
HALVES_SCHEMA = pa.schema([("model", pa.string()), ("sha256", pa.string()), ("example_id", pa.string()), ("told", pa.bool_())])
"""A row for each model, by its folder beside this file, and fact: whether its corpus tells it."""


@dataclass(frozen=True)
class Halves:
    """How many models are trained on halves of the facts."""

    models: int = 0
    """An even number: each half has its complement, so that every fact is told to one half of the models."""
    size: str = ""
    """Which of the ladder's sizes."""

    def __post_init__(self) -> None:
        if self.models < 0 or self.models % 2:
            raise ConfigError(f"halves.models is {self.models}: expected an even number, a half and its complement each")


def train_halves(world: WorldFiles, ladder_folder: Path, folder: Path, *, halves: Halves, ladder: Ladder, seed: int) -> Path:
    """Train the models that are not trained yet; the path of the table of HALVES_SCHEMA.

    A half is a random half of the planted facts: the documents that tell one of the others are left out of its corpus, all else
    stays, so what a model says of a fact it was not told is what it would say without it.

    Parameters
    ----------
    world, ladder_folder
        Of :func:`make_world`, and where :func:`train_ladder` put its tokenizer, which is that of the halves too.
    folder
        Gets ``half-K``, each with its corpus, its index by tokens and its model, and last the table.

    Raises
    ------
    ConfigError
        The ladder has no such size.
    """
    sizes = [size for size in ladder.sizes if size.name == halves.size]
    if not sizes:
        raise ConfigError(f"halves.size is {halves.size!r}: expected one of {', '.join(size.name for size in ladder.sizes)}")
    path = folder / HALVES
    table = read_table(world.planted, PLANTED_SCHEMA)
    facts = sorted({row["example_id"] for row in table.to_pylist() if row["task"] == TELLING})
    told = draw_halves(facts, halves.models, seed)
    recipe = replace(ladder.recipe, checkpoints=())
    made_from: dict[str, Any] = {"corpus": fingerprint(world.corpus), "halves": asdict(halves), "size": asdict(sizes[0])}
    made_from |= {"recipe": json.loads(json.dumps(asdict(recipe))), "seed": seed}
    fresh = provenance(path).get("made_from") == made_from and path.exists()
    jobs: list[Job] = []
    for number, known in enumerate(told):
        here = folder / f"half-{number}"
        if not (fresh and (here / TOKENS / "manifest.json").exists()):
            _write_half(world.corpus, here / "corpus.jsonl", known)
            si.build([here / "corpus.jsonl"], here / TOKENS, tokenizer=str(ladder_folder / TOKENIZER), restart=True)
        jobs.append((sizes[0], here / TOKENS, here / "model", recipe, seed + number))
    models = train_jobs(jobs, processes=ladder.processes, threads=ladder.threads)
    rows = [
        {"model": str(model.relative_to(folder)), "sha256": finished(model)["sha256"], "example_id": fact, "told": fact in known}
        for model, known in zip(models, told, strict=True)
        for fact in facts
    ]
    if not fresh:
        write_table(path, pa.Table.from_pylist(rows, HALVES_SCHEMA), HALVES_SCHEMA, {"made_from": made_from})
    return path


def draw_halves(facts: list[str], models: int, seed: int) -> list[set[str]]:
    """What each model is told: random halves, each followed by its complement."""
    rng = Random(f"{seed} halves")
    drawn: list[set[str]] = []
    for _ in range(models // 2):
        half = set(rng.sample(facts, len(facts) // 2))
        drawn += [half, set(facts) - half]
    return drawn


def _write_half(corpus: Path, path: Path, known: set[str]) -> None:
    """The corpus without the documents that tell other facts."""
    with open(corpus, encoding="utf-8") as lines, replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for line in lines:
            document = json.loads(line)
            if document["kind"] != TELLING or document["about"] in known:
                file.write(line)
