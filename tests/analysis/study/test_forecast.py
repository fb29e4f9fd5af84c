"""What a run would cost: counted from the examples, and nothing written."""

import json
import shutil
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from analysis.cli import main
from analysis.config import Config, load_config
from analysis.errors import MeasureError
from analysis.measures.frequency.prior import neutral_examples
from analysis.model_settings import Model
from analysis.pairs.embeddings import HASH_DIMENSION, HashingEncoder
from analysis.pairs.mining import mine
from analysis.schemas import PAIRS
from analysis.settings import settings_from
from analysis.study.forecast import Work, encoder_size, forecast, parameters_of, told
from analysis.study.forecast.sizes import sizes_of
from analysis.study.pipeline import Stage
from analysis.study.plan import plan
from analysis.study.resources import Resources
from tests.helpers.analysis_building import examples_table, write_model

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
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"input": "the book", "target": f"a b {i}"}) + "\n" for i in range(6)))
    write_model(tmp_path / "model")
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


def work_of(config: Config) -> list[Work]:
    with Resources(config) as resources:
        return forecast(config, plan(config, resources))


def test_every_stage_has_a_row_in_the_order_of_the_study(study: Path) -> None:
    study.write_text(study.read_text() + "\n[prompts]\nexamples = 2\niterations = 5\n")
    config = load_config(study)
    with Resources(config) as resources:
        commands = list(dict.fromkeys(stage.command for stage in plan(config, resources)))
    found = work_of(config)
    assert [command for command, _ in groupby(work.command for work in found)] == ["index", *commands]
    assert all(work.seconds and work.kept is not None for work in found if work.model != "words")
    rows = {(work.command, work.model): work for work in found}
    assert rows["prompts", "model"].texts == 3 * 2 and rows["prompts", "model"].tokens == 3 * 2 * 7
    assert rows["prompts", ""].texts == 2 * 5


class Heard(HashingEncoder):
    """Remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]):
        self.texts += texts
        return super().encode(texts)


sentence = st.lists(st.sampled_from(["the", "of", "paris", "rome", "la", "maison"]), max_size=6).map(" ".join)


@given(st.lists(st.tuples(sentence, sentence, st.sampled_from(["", "en-fr"])), max_size=4), st.booleans(), st.booleans())
def test_ngrams_and_pairs_are_those_of_mining(rows: list[tuple[str, str, str]], whole: bool, stop_words: bool) -> None:
    examples = examples_table(*({"input": x, "target": y, "subset": subset} for x, y, subset in rows))
    config = load_config_text(study_text("whole" if whole else "ngrams", stop_words))
    (task,) = config.tasks
    absent = Stage("mine", "pairs t", Path("nowhere.parquet"), PAIRS, lambda: None)
    for n, gamma in task.gamma.items():
        sizes, encoder = sizes_of(config, replace(task, gamma={n: gamma}), examples, absent).ngrams[n], Heard()
        try:
            how = {"target": task.target, "stop_words": stop_words, "keep_nested": True}
            mined = mine(examples, ns=(n,), gammas={n: gamma}, encoder=encoder, **how)
        except MeasureError:  # no pair is left
            assert (sizes.texts, sizes.characters) == (len(encoder.texts), sum(map(len, encoder.texts)))
            continue
        became = Counter({row["reason"]: 0 for row in mined.drops.to_pylist()})
        for row in mined.drops.to_pylist():
            became[row["reason"]] += row["num_pairs"]
        assert (sizes.texts, sizes.characters) == (len(encoder.texts), sum(map(len, encoder.texts)))
        assert sizes.compared == became["kept"] + became["below_gamma"] + became["identical"]
        assert sizes.pairs == (sizes.compared if gamma == -1 else round(sizes.compared / 5))


def study_text(target: str, stop_words: bool) -> str:
    mining = f'encoder = "hashing"\nstop_words = {str(stop_words).lower()}'
    one = STUDY.replace('encoder = "hashing"', mining).replace("{1 = 0.5}", "{1 = 0.5, 2 = -1.0}")
    return one.replace('metric = "exact_match"', f'target = "{target}"\nmetric = "exact_match"')


def load_config_text(text: str) -> Config:
    return settings_from(Config, tomllib.loads(text), "")


def test_pairs_that_are_mined_are_known_and_those_that_wait_are_not(study: Path) -> None:
    shutil.rmtree(study.parent / "index")
    (study.parent / "c.jsonl").write_text('{"text": "the book a b 1"}\n')
    assert CliRunner().invoke(main, ["-q", "index", str(study)]).exit_code == 0
    config = load_config(study)
    (mine_row,) = [work for work in work_of(config) if work.command == "mine"]
    assert mine_row.model == "hashing" and mine_row.download == mine_row.memory == 0
    assert mine_row.texts == 1 + 1 + 6, "book; b; the numbers: the others are stop words"
    assert mine_row.kept is not None and mine_row.kept > 8 * 4 * HASH_DIMENSION
    before = {work.command: work for work in work_of(config) if not work.model}["count"]
    assert before.texts == round(6 * 2 * 1 / 5)
    study.write_text(study.read_text().replace("{1 = 0.5}", "{1 = -1.0}"))
    for command in ("tasks", "mine"):
        assert CliRunner().invoke(main, ["-q", command, str(study)]).exit_code == 0
    found = work_of(load_config(study))
    assert not [work for work in found if work.command in ("index", "tasks", "mine")]
    assert {work.command: work for work in found if not work.model}["count"].texts == 6 * 2


def test_correlations_take_as_long_as_there_are_resamples(study: Path) -> None:
    def seconds(resamples: int) -> float:
        config = load_config(study)
        found = work_of(replace(config, study=replace(config.study, resamples=resamples)))
        (row,) = [work for work in found if work.command == "correlate"]
        assert row.seconds is not None
        return row.seconds

    tables = seconds(1)
    assert seconds(2_000_001) - tables == pytest.approx(2 * (seconds(1_000_001) - tables), rel=1e-3)


def test_an_encoders_size_is_that_of_its_files_or_by_its_name(study: Path) -> None:
    config = load_config(study)
    sizes = {name: encoder_size(config, name) for name in ("hashing", "intfloat/e5-base-v2", "someone/unheard")}
    assert sizes["hashing"] == (0, HASH_DIMENSION) and sizes["someone/unheard"] is None
    assert sizes["intfloat/e5-base-v2"] == (110e6, 768)
    files = encoder_size(config, "model")
    parameters = parameters_of(config, config.models[0])
    assert files is not None and parameters is not None
    assert files.dimension == 32 and files.parameters == pytest.approx(parameters, rel=0.1)
    study.write_text(study.read_text().replace('encoder = "hashing"', 'encoder = "someone/unheard"'))
    found = work_of(load_config(study))
    (row,) = [work for work in found if work.command == "mine"]
    assert (row.seconds, row.memory, row.kept) == (None, None, None) and row.texts
    assert "1 of unknown size" in told(found)[-1] and "n-grams" in told(found)[-1]


def test_a_model_in_the_hubs_cache_is_not_fetched_again(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(study.parent / "hub"))
    config = load_config(study)
    kept = study.parent / "hub" / "models--someone--large-1.4b"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40)
    shutil.copytree(study.parent / "model", kept / "snapshots" / ("0" * 40))
    assert parameters_of(config, config.models[1]) == parameters_of(config, config.models[0])
    assert all(work.download == 0 for work in work_of(config))


def test_texts_and_tokens_are_counted(study: Path) -> None:
    config = load_config(study)
    with Resources(config) as resources:
        stages = plan(config, resources)
        (examples,) = [stage.make(**stage.settings) for stage in stages if stage.name == "examples t"]
        work = {(one.command, one.model): one for one in forecast(config, stages)}
    neutral = neutral_examples(examples)
    characters, less = (
        sum(len(text) for part in ("prompt", "target") for text in table[part].to_pylist()) for table in (examples, neutral)
    )
    small, large = (work["score", name] for name in ("model", "someone/large-1.4b"))
    assert (small.texts, small.tokens) == (2 * 6, round(characters / 4) + round(less / 4))  # with and without x
    assert (large.texts, large.tokens) == (3 * 6, round(2 * characters / 4) + round(less / 4))  # and at a checkpoint
    assert (work["generate", "model"].texts, work["generate", "model"].tokens) == (6, 42)
    assert work["learning", "model"].tokens == 60 and work["learning", "someone/large-1.4b"].tokens == 120
    assert work["influence", "model"].texts == 2 * 4 * min(5, work["count", ""].texts or 0)
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
    long = work["score", "model"]._replace(model="HuggingFaceTB/SmolLM2-135M-Instruct")
    assert " SmolLM2-135M-Instruct " in told([long])[1]
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
    prompts, neutral = (sum(map(len, table["prompt"].to_pylist())) for table in (examples, neutral_examples(examples)))
    answers = sum(len(row["target"]) + sum(map(len, row["aliases"])) for row in rows)
    assert (work["score", "model"].texts, work["score", "model"].tokens) == (
        2 * 6 * 3,
        round((3 * prompts + answers) / 4) + round((3 * neutral + answers) / 4),
    )
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
