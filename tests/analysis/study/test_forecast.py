"""What a run would cost: counted from the examples, and nothing written."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.cli import main
from analysis.config import load_config
from analysis.model_settings import Model
from analysis.study.forecast import forecast, parameters_of, told
from analysis.study.plan import plan
from analysis.study.resources import Resources
from tests.helpers.analysis_building import write_model

STUDY = """
[index]
path = "index"
sources = ["c.jsonl"]
texts = "tokens"
[mining]
encoder = "hashing"
[prior]
[learning]
documents = 3
length = 20
[influence]
pairs = 5
documents = 4
max_length = 10
[[tasks]]
name = "t"
kind = "jsonl"
source = ["t.jsonl"]
gamma = {1 = 0.5}
metric = "exact_match"
max_tokens = 7
[[models]]
name = "model"
[[models]]
name = "someone/large-1.4b"
checkpoints = ["step1"]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name in ("index", "tokens"):
        (tmp_path / name).mkdir()
    (tmp_path / "c.jsonl").write_text('{"text": "a"}\n')
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"input": "who is it", "target": f"a b {i}"}) + "\n" for i in range(6)))
    write_model(tmp_path / "model")
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


def test_texts_and_tokens_are_counted(study: Path) -> None:
    config = load_config(study)
    with Resources(config) as resources:
        stages = plan(config, resources)
        (examples,) = [stage.make(**stage.settings) for stage in stages if stage.name == "examples t"]
        work = {(one.command, one.model): one for one in forecast(config, stages)}
    characters = sum(len(text) for part in ("prompt", "target") for text in examples[part].to_pylist())
    small, large = (work["score", name] for name in ("model", "someone/large-1.4b"))
    assert (small.texts, small.tokens) == (2 * 6, round(2 * characters / 4))  # with and without x
    assert (large.texts, large.tokens) == (3 * 6, round(3 * characters / 4))  # and at a checkpoint
    assert (work["generate", "model"].texts, work["generate", "model"].tokens) == (6, 42)
    assert work["learning", "model"].tokens == 60 and work["learning", "someone/large-1.4b"].tokens == 120
    assert work["influence", "model"].texts == 2 * 4 * 5
    assert small.download == 0 and large.download == 2.8e9
    assert large.seconds is not None and small.seconds is not None and large.seconds > 1000 * small.seconds


def test_disk_is_that_of_downloads_and_of_what_is_kept(study: Path) -> None:
    config = load_config(study)
    with Resources(config) as resources:
        stages = plan(config, resources)
        work = {(one.command, one.model): one for one in forecast(config, stages)}
    (index,) = [one for one in work.values() if one.command == "index"]
    assert (index.model, index.texts, index.tokens, index.download) == ("words", 1, 1, 0)
    assert index.kept is not None and index.kept > 0 and index.memory is not None and index.seconds is not None
    assert work["generate", "someone/large-1.4b"].download == 0, "weights are fetched once"
    one, three = (work["score", name].kept for name in ("model", "someone/large-1.4b"))
    assert one is not None and three == pytest.approx(1.5 * one), "two readings of each text against three"
    lines = told(list(work.values()))
    assert [cell in lines[0] for cell in ("texts", "tokens", "time", "memory", "download", "disk")] == [True] * 6
    assert len({len(line) for line in lines[:-1]}) == 1, "columns stand below each other"
    assert "2.8 GB of disk in all" in lines[-1]


def test_an_index_that_is_there_costs_nothing_and_one_of_unknown_size_is_said(study: Path) -> None:
    config = load_config(study)
    (study.parent / "c.jsonl").unlink()
    with Resources(config) as resources:
        stages = plan(config, resources)
        (index,) = [one for one in forecast(config, stages) if one.command == "index"]
        assert (index.texts, index.tokens, index.seconds, index.kept) == (None, None, None, None)
        assert "?" in told([index])[1]
        (study.parent / "index" / "manifest.json").touch()
        assert all(one.command != "index" for one in forecast(config, stages))


def test_aliases_and_choices_are_read_too(study: Path) -> None:
    rows = [
        {"input": "who", "target": f"name {i}", "aliases": ["other", f"another {i}"], "choices": [f"name {i}", "b", "c"]}
        for i in range(6)
    ]
    (study.parent / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = study.read_text().replace('metric = "exact_match"', 'metric = "accuracy"\ntarget = "whole"\naliases = true')
    study.write_text(asked)
    config = load_config(study)
    with Resources(config) as resources:
        stages = plan(config, resources)
        (examples,) = [stage.make(**stage.settings) for stage in stages if stage.name == "examples t"]
        work = {(one.command, one.model): one for one in forecast(config, stages)}
    prompts = sum(map(len, examples["prompt"].to_pylist()))
    answers = sum(len(row["target"]) + sum(map(len, row["aliases"])) for row in rows)
    assert (work["score", "model"].texts, work["score", "model"].tokens) == (2 * 6 * 3, round(2 * (3 * prompts + answers) / 4))
    choices = sum(len(choice) for row in rows for choice in row["choices"])
    assert (work["generate", "model"].texts, work["generate", "model"].tokens) == (6 * 3, round((3 * prompts + choices) / 4))


def test_a_models_size_is_that_of_its_weights_or_in_its_name(study: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = load_config(study)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(study.parent / "model")
    assert parameters_of(config, config.models[0]) == sum(part.numel() for part in loaded.parameters())
    named = {"EleutherAI/pythia-14m": 14e6, "google/gemma-3-270m": 270e6, "gpt2": None, "x/OLMo-7B-hf": 7e9}
    assert {name: parameters_of(config, Model(name=name)) for name in named} == named
    assert parameters_of(config, Model(name="gpt2", parameters=5)) == 5


def test_the_shell_says_it_and_nothing_is_written(study: Path) -> None:
    before = sorted(study.parent.rglob("*"))
    found = CliRunner().invoke(main, ["-q", "run", str(study), "--dry-run"])
    assert found.exit_code == 0, found.output
    assert sorted(study.parent.rglob("*")) == before
    assert "influence" in found.output and "2.8 GB" in found.output and "nothing was written" in found.output
