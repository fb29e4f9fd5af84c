"""The prepared study of two families of models: its configuration for any ladder, and all of it at a tiny size."""

import csv
import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.config import load_config
from analysis.lab import PYTHIA, Size
from benchmarks import families
from benchmarks.families import main, write_study
from tests.helpers.analysis_building import tiny_tokenizer

LANDS = ("France", "Italy", "Spain", "Greece", "Norway", "Egypt", "Peru", "Cuba", "Kenya", "Japan", "Chad", "Oman")
CITIES = ("Paris", "Rome", "Madrid", "Athens", "Oslo", "Cairo", "Lima", "Havana", "Nairobi", "Tokyo", "Ndjamena", "Muscat")
ASKED = [f"Which city, {city}land, rules {land}?" for land, city in zip(LANDS, CITIES, strict=True)]
"""A word of the question is spelled like the answer, so that an encoder of spelling pairs them."""
COUNTED = [f"{city} has {i} gates, and 2 gates more. How many?" for i, city in enumerate(CITIES)]


def options(folder: Path, **others: object) -> Namespace:
    return Namespace(**{"output": folder, "gguf": None, "encoder": None, "limit": None, "threads": 0} | others)


def test_the_study_is_the_configuration_with_another_ladder(tmp_path: Path) -> None:
    there = load_config(Path(families.ROOT / "analysis" / "configs" / "families.toml"))
    sizes = ("14m", "31m", "70m")
    gguf = Path("elsewhere") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    same = load_config(write_study(options(tmp_path, gguf=gguf), sizes))
    assert replace(same, base=there.base) == there
    larger = load_config(write_study(options(tmp_path, limit=7, threads=3, encoder="hashing"), (*sizes, "160m")))
    assert [model.name for model in larger.models] == [f"ladder/{size}" for size in (*sizes, "160m")]
    assert [task.limit for task in larger.tasks] == [min(task.limit, 7) for task in there.tasks]
    assert (larger.study.threads, larger.mining.encoder) == (3, "hashing")
    assert replace(larger.tasks[0], limit=there.tasks[0].limit) == there.tasks[0]


def write_tasks(folder: Path) -> None:
    """The four tasks in their published formats, a dozen examples each."""
    for name in ("triviaqa", "mmlu", "wmt09", "gsm8k"):
        (folder / name).mkdir(parents=True)
    facts = list(zip(ASKED, CITIES, strict=True))
    trivia = [{"id": str(i), "question": text, "golden_answers": [city]} for i, (text, city) in enumerate(facts)]
    (folder / "triviaqa" / "sample1000.jsonl").write_text("".join(json.dumps(row) + "\n" for row in trivia))
    with open(folder / "mmlu" / "world_religions_val.csv", "w", newline="") as file:
        csv.writer(file).writerows([[text, city, "Bern", "Bonn", "Baku", "A"] for text, city in facts])
    for language, said in (("en", "the city"), ("fr", "la ville"), ("de", "die stadt"), ("es", "la ciudad")):
        (folder / "wmt09" / f"newstest2009.{language}").write_text("".join(f"{said} {city}\n" for city in CITIES))
    sums = [{"question": text, "answer": f"It has {i + 2} gates.\n#### {i + 2}"} for i, text in enumerate(COUNTED)]
    (folder / "gsm8k" / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sums))


@pytest.mark.long
def test_all_of_it_at_a_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told = zip(ASKED, COUNTED, CITIES, strict=True)
    texts = [
        f"{asked} {city}. {sum} It has {i + 2} gates. the city {city}, la ville {city}" for i, (asked, sum, city) in enumerate(told)
    ]
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "c.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts * 3))
    write_tasks(tmp_path / "tasks")
    tiny_tokenizer(texts, size=320).save_pretrained(tmp_path / "tokenizer")
    for name, width in (("14m", 8), ("31m", 16), ("70m", 24)):
        monkeypatch.setitem(PYTHIA, name, Size(name, 1, width, 2, 1e-2))
    where = [str(tmp_path / name) for name in ("corpus", "tasks", "tokenizer/tokenizer.json")]
    arguments = [*where, "-o", str(tmp_path / "out"), "--tokens", "4096", "--encoder", "hashing", "--limit", "3", "--threads", "1"]
    main(arguments)
    page, *told = capsys.readouterr().out.splitlines()
    assert Path(page).is_file()
    assert sum(line.startswith("| ") for line in told) == 2 + 4 * 3, "a row for each task and model"
    main(arguments)
    assert capsys.readouterr().out.splitlines() == [page, *told]
