"""A study's configuration: what is read, and the sentence for each thing that cannot be."""

import tomllib
from pathlib import Path

import pytest

from analysis.config import Config, check_inputs, is_path, load_config, lowest_gammas
from analysis.errors import ConfigError
from analysis.measures.size_trend import family
from analysis.model_settings import Model
from analysis.settings import described

CONFIGS = Path(__file__).parents[2] / "analysis" / "configs"
LEAST = """
[index]
path = "index"

[mining]
encoder = "hashing"

[[tasks]]
name = "triviaqa"
source = ["t.jsonl"]
gamma = {3 = 0.75, 5 = 0.65}
sensitivity = [0.7, 0.8]

[[models]]
name = "ladder/14m"
checkpoints = ["step1"]
"""


def load(folder: Path, text: str) -> Config:
    (folder / "study.toml").write_text(text)
    return load_config(folder / "study.toml")


def test_settings_that_are_left_out_have_their_defaults(tmp_path):
    config = load(tmp_path, LEAST)
    assert config.tasks[0].gamma == {3: 0.75, 5: 0.65}
    assert config.models[0].checkpoints == ("step1",)
    assert config.study.confidence == 0.95
    assert config.influence is None
    assert config.folder == tmp_path / "study"
    assert config.place("EleutherAI/pythia-14m") == "EleutherAI/pythia-14m"
    (tmp_path / "ladder" / "14m").mkdir(parents=True)
    assert config.place("ladder/14m") == str(tmp_path / "ladder" / "14m")


def test_pairs_are_mined_down_to_the_least_gamma(tmp_path):
    assert lowest_gammas(load(tmp_path, LEAST).tasks[0]) == {3: 0.7, 5: 0.65}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('encoder = "hashing"', 'encodr = "hashing"', "mining has no setting 'encodr'; did you mean 'encoder'"),
        ("[mining]", "[minig]", "no setting 'minig'; did you mean 'mining'"),
        ("gamma = {3 = 0.75, 5 = 0.65}", "", r"tasks\[0\] lacks the setting 'gamma': n -> γ"),
        ("gamma = {3 = 0.75, 5 = 0.65}", "gamma = {three = 0.75}", "the key 'three'; expected a number"),
        ("gamma = {3 = 0.75, 5 = 0.65}", "gamma = {3 = 75}", "gamma is 75.0; expected a cosine"),
        ("gamma = {3 = 0.75, 5 = 0.65}", 'gamma = {3 = "x"}', "gamma.3 is 'x' .text in quotes.; expected a number"),
        ('source = ["t.jsonl"]', 'source = "t.jsonl"', r"source is 't.jsonl' .*; expected a list, as source = \["),
        ('source = ["t.jsonl"]', "source = []", "expected at least one file"),
        ('name = "triviaqa"', 'name = "a/b"', "expected text that can name a file"),
        ('name = "triviaqa"', 'name = "t"\nstatistic = "spearmn"', "is 'spearmn'; did you mean 'spearman'"),
        ('name = "triviaqa"', 'name = "t"\nmetric = "rouge"', "metric is 'rouge'; known are exact_match"),
        ("[index]", "[study]\nconfidence = 95.0\n[index]", "study.confidence is 95.0; expected a number between"),
        ("[index]", '[study]\nseed = "a"\n[index]', "study.seed is 'a' .text in quotes.; expected a whole number"),
        ("[index]", "[study]\nseed = true\n[index]", "study.seed is True .true or false.; expected a whole number"),
        ("[index]", "[influence]\nmodels = ['x']\n[index]", "influence.models is 'x'; expected one of ladder/14m"),
        ("[index]", "[[models]]\nname = 'other/14m'\n[index]", "'14m@' is there twice"),
        ("[index]", "[index", "no readable TOML"),
        ("[index]", f"deep = {'[' * 5000}\n[index]", "no readable TOML"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(tmp_path, old, new, message):
    assert old in LEAST
    with pytest.raises(ConfigError, match=message) as caught:
        load(tmp_path, LEAST.replace(old, new, 1))
    assert "study.toml" in str(caught.value)


def test_missing_files_are_named_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "none.toml")
    config = load(tmp_path, LEAST + '\n[dose]\nplanted = "planted.parquet"\n')
    with pytest.raises(ConfigError) as caught:
        check_inputs(config)
    for name in ("t.jsonl", "planted.parquet", "index.path: index"):
        assert name in str(caught.value)
    (tmp_path / "t.jsonl").touch()
    (tmp_path / "planted.parquet").touch()
    (tmp_path / "index").mkdir()
    check_inputs(config)


def test_names_of_models() -> None:
    for name, called, file_name, path in (
        ("EleutherAI/pythia-14m", "EleutherAI/pythia-14m", "pythia-14m", False),
        ("runs/a/14m", "runs/a/14m", "14m", True),
        ("x.gguf", "x.gguf", "x.gguf", True),
        ("owner/name:x.gguf", "owner/name:x.gguf", "name-x.gguf", False),
        ("http://host:8000/v1", "host:8000", "host-8000", False),
    ):
        model = Model(name=name)
        assert (model.called, model.file_name, is_path(name)) == (called, file_name, path)
    assert Model(name="http://host:8000/v1", served="org/big-12b").called == "big-12b"
    assert Model(name="a/b", label="mine").called == "mine"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('[[models]]\nname = ""', "model : name is ''; expected a folder, a name, a GGUF file or a server's address"),
        ("timeout = 0.0", "model ladder/14m: timeout is 0.0; expected a number above 0"),
        ("connections = 0", "connections is 0; expected 1 or more"),
        ('answers = {triviaqa = ["a.jsonl"]}', "parameters is 0; expected their number, which files do not say"),
        ('parameters = 9\nanswers = {trivia = ["a.jsonl"]}', "a task of answers is 'trivia'; expected one of triviaqa"),
        ('parameters = 9\nscores = {triviaqa = "a.jsonl"}', r"scores.triviaqa is 'a.jsonl' .*expected a list"),
        ('bos = "often"', "bos is 'often'; known are auto, always, never"),
    ],
)
def test_models_that_cannot_be(tmp_path, setting, message):
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, f"{LEAST}{setting}\n")


def test_a_server_has_one_state_and_no_gradients(tmp_path):
    server = LEAST.replace('"ladder/14m"', '"http://host:8000/v1"')
    with pytest.raises(ConfigError, match=r"checkpoints is \('step1',\); expected \[\], for a server has one state"):
        load(tmp_path, server)
    server = server.replace('checkpoints = ["step1"]', "")
    with pytest.raises(ConfigError, match=r"influence.models is .*weights are here: a server gives no gradients"):
        load(tmp_path, "[influence]\n" + server)
    assert load(tmp_path, server).models[0].is_server


def test_files_of_answers_are_looked_for(tmp_path):
    config = load(tmp_path, LEAST + 'parameters = 9\nanswers = {triviaqa = ["results/**/samples_*.jsonl"]}\n')
    with pytest.raises(ConfigError, match=r"model ladder/14m, answers.triviaqa: results/\*\*/samples_\*.jsonl"):
        check_inputs(config)
    (tmp_path / "results" / "run").mkdir(parents=True)
    (tmp_path / "results" / "run" / "samples_t.jsonl").touch()
    assert [path.name for path in config.matching("results/**/samples_*.jsonl")] == ["samples_t.jsonl"]


def test_every_setting_says_what_it_means():
    keys = [key for key, _, _ in described(Config)]
    assert len(keys) == len(set(keys))
    for key, default, doc in described(Config):
        assert doc.strip(), key
        if default not in ("", "required", "none"):
            tomllib.loads(f"key = {default}")


def test_configurations_that_come_with_the_package(tmp_path):
    paper = load_config(CONFIGS / "paper.toml")
    assert [task.name for task in paper.tasks] == ["triviaqa", "mmlu-knowledge", "mmlu-reasoning", "wmt09", "gsm8k"]
    assert len(paper.models) == 9
    assert not any(is_path(name) for task in paper.tasks if task.name != "wmt09" for name in (*task.source, *task.mine_from))
    quick = load_config(CONFIGS / "quick.toml")
    assert [model.chat for model in quick.models] == [False, False, True, False]
    assert not any(is_path(name) for name in [model.name for model in quick.models] + [task.source[0] for task in quick.tasks])
    families = load_config(CONFIGS / "families.toml")
    assert [task.name for task in families.tasks] == ["triviaqa", "mmlu", "wmt09", "gsm8k"]
    assert [family(model.called) for model in families.models] == [*["ladder"] * 3, "SmolLM2-Instruct"]
    lab = load(tmp_path, (CONFIGS / "lab.toml").read_text() + '[[models]]\nname = "ladder/14m"\n')  # the lab adds its models
    assert [task.name for task in lab.tasks] == ["facts", "translation", "arithmetic"]
