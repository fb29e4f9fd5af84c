"""A small world whose truth is known: a corpus, three tasks on it, and how many documents hold each planted pair."""

import json
import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa

from analysis.files import replacing
from analysis.lab.world import arithmetic, facts, filler, translation
from analysis.lab.world.arithmetic import Arithmetic, pose_problems
from analysis.lab.world.facts import Facts, tell_facts
from analysis.lab.world.filler import Filler, fill
from analysis.lab.world.parts import Document, Part
from analysis.lab.world.translation import Translation, translate
from analysis.lab.world.words import coin
from analysis.tables import provenance, write_table

log = logging.getLogger(__name__)

CORPUS = "corpus.jsonl"
PLANTED = "planted.parquet"
PLANTED_SCHEMA = pa.schema(
    [
        ("example_id", pa.string()),
        ("task", pa.string()),
        ("n", pa.int64()),  # words of x
        ("x", pa.string()),  # an n-gram of the input, normalised
        ("y", pa.string()),  # an n-gram of the target, normalised
        ("documents", pa.int64()),  # that hold both, exactly
    ]
)
TEMPLATES = {"facts": facts.TEMPLATE, "translation": translation.TEMPLATE, "arithmetic": arithmetic.TEMPLATE}
"""The prompt of each task: ``{input}`` is replaced, the target follows."""
GENERATOR = 1
"""Raised with every change of what the same settings and seed give."""


@dataclass(frozen=True)
class World:
    """What a world is made of."""

    facts: Facts
    translation: Translation
    arithmetic: Arithmetic
    filler: Filler


class WorldFiles(NamedTuple):
    """A world on disk."""

    corpus: Path
    """JSON lines of :class:`analysis.lab.world.parts.Document`."""
    tasks: dict[str, Path]
    """Task name -> JSON lines of examples: ``id``, ``input``, ``target``, ``aliases``."""
    planted: Path
    """Parquet of ``PLANTED_SCHEMA``."""


def make_world(folder: Path, *, preset: World, seed: int) -> WorldFiles:
    """Write the world of these settings and seed, unless it is there already.

    The same settings and seed give the same bytes on every machine. Seconds for a hundred thousand documents.

    Parameters
    ----------
    folder
        Gets ``corpus.jsonl``, ``tasks/NAME.jsonl`` and, last, ``planted.parquet`` with its provenance.
    preset
        The settings, as from :func:`load_preset`.
    seed
        Worlds of two seeds share templates and numbers, but no draw.
    """
    files = WorldFiles(folder / CORPUS, {task: folder / "tasks" / f"{task}.jsonl" for task in TEMPLATES}, folder / PLANTED)
    made_from = json.loads(json.dumps({"generator": GENERATOR, "settings": asdict(preset), "seed": seed}))
    told = [files.corpus, files.planted, *files.tasks.values()]
    if provenance(files.planted).get("made_from") == made_from and all(path.exists() for path in told):
        log.info("the world in %s is up to date", folder)
        return files
    parts = _parts(preset, seed)
    documents = [document for part in parts.values() for document in part.documents]
    Random(f"{seed} order").shuffle(documents)
    _write_lines(files.corpus, (document._asdict() for document in documents))
    for task, path in files.tasks.items():
        _write_lines(path, ({**question._asdict(), "aliases": []} for question in parts[task].questions))
    write_table(files.planted, _planted(parts), PLANTED_SCHEMA, {"made_from": made_from, "documents": _sizes(documents)})
    log.info("made a world of %s documents in %s", f"{len(documents):,}", folder)
    return files


def _parts(preset: World, seed: int) -> dict[str, Part]:
    wordings = (*facts.WORDINGS, *translation.WORDINGS, *arithmetic.WORDINGS, *filler.WORDINGS)
    said = set(re.findall(r"[a-z]+", " ".join(wordings).lower()))
    words = coin(Random(f"{seed} words"), said)  # one source, so no word belongs to two parts
    return {
        "facts": tell_facts(preset.facts, seed, words),
        "translation": translate(preset.translation, seed, words),
        "arithmetic": pose_problems(preset.arithmetic, seed),
        "filler": fill(preset.filler, seed, words),
    }


def _planted(parts: Mapping[str, Part]) -> pa.Table:
    rows = [
        {"example_id": row.example_id, "task": task, "n": len(row.x.split()), "x": row.x, "y": row.y, "documents": row.documents}
        for task, part in parts.items()
        for row in part.planted
    ]
    return pa.Table.from_pylist(rows, schema=PLANTED_SCHEMA)


def _sizes(documents: Iterable[Document]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for document in documents:
        sizes[document.kind] = sizes.get(document.kind, 0) + 1
    return sizes


def _write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
