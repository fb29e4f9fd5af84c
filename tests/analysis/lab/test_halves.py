"""Halves of the facts: each fact is told to one half of the models, and all else stays in every corpus."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.errors import ConfigError
from analysis.lab import HALVES_SCHEMA, Halves, Ladder, Recipe, Size, load_preset, make_world, train_halves
from analysis.lab.halves import draw_halves
from analysis.lab.ladder import TOKENIZER
from analysis.lab.tokenizer import train_tokenizer
from analysis.tables import read_table


def test_every_half_has_its_complement() -> None:
    facts = [f"f{i}" for i in range(9)]
    drawn = draw_halves(facts, 6, seed=1)
    assert len(drawn) == 6 and drawn == draw_halves(facts, 6, seed=1) != draw_halves(facts, 6, seed=2)
    for half, other in zip(drawn[::2], drawn[1::2], strict=True):
        assert half | other == set(facts) and not half & other and len(half) == 4


def test_a_model_reads_all_but_what_tells_the_other_facts(tmp_path: Path) -> None:
    preset = load_preset("tiny")
    world = make_world(tmp_path / "world", preset=preset.world, seed=0)
    (tmp_path / "ladder").mkdir()
    train_tokenizer(world.corpus, tmp_path / "ladder" / TOKENIZER, vocabulary=300)
    size = Size("small", layers=1, width=8, heads=2, learning_rate=1e-2)
    ladder = Ladder((size,), Recipe(sequence=16, batch=4, epochs=0.01, checkpoints=(0,)), vocabulary=300, processes=1)
    settings = {"halves": Halves(2, "small"), "ladder": ladder, "seed": 3}
    path = train_halves(world, tmp_path / "ladder", tmp_path / "halves", **settings)
    told: dict[str, set[str]] = {}
    for row in read_table(path, HALVES_SCHEMA).to_pylist():
        told.setdefault(row["model"], set()).update([row["example_id"]] if row["told"] else [])
    documents = [json.loads(line) for line in world.corpus.read_text().splitlines()]
    assert list(told) == ["half-0/model", "half-1/model"]
    for model, known in told.items():
        folder = tmp_path / "halves" / model
        kept = [json.loads(line) for line in (folder.parent / "corpus.jsonl").read_text().splitlines()]
        assert kept == [document for document in documents if document["kind"] != "facts" or document["about"] in known]
        assert (folder / "model.safetensors").exists()
    before = path.stat().st_mtime_ns
    assert train_halves(world, tmp_path / "ladder", tmp_path / "halves", **settings) == path
    assert path.stat().st_mtime_ns == before


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"halves.models is 3: expected an even number"):
        Halves(3, "small")
    preset = load_preset("tiny")
    world = make_world(tmp_path / "world", preset=preset.world, seed=0)
    settings = replace(preset.halves, size="9b")
    with pytest.raises(ConfigError, match=r"halves.size is '9b': expected one of 8k, 16k"):
        train_halves(world, tmp_path, tmp_path, halves=settings, ladder=preset.ladder, seed=0)
