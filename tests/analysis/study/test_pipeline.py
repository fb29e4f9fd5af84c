"""A study's stages: what runs, what is passed over, what is left when one fails; and the command line around them."""

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from analysis.cli import main
from analysis.config import load_config
from analysis.errors import ConfigError, MeasureError, StageError
from analysis.study.pipeline import Stage, attempt_stages, chosen, concatenated, once, run_stages
from analysis.study.plan import plan
from analysis.study.resources import Resources
from analysis.tables import provenance

READ = ("score", "generate", "influence")
"""Commands whose stages have a language model read prompts."""
HEAVY = ("torch", "transformers", "pyarrow", "matplotlib", "numba")
SCHEMA = pa.schema([("value", pa.int64())])


class Counter:
    """Stages a, b, c, each of which adds one to what the one before it wrote, and how often each was made."""

    def __init__(self, folder: Path) -> None:
        self.made: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.stages: list[Stage] = []
        for name in "abc":
            before = self.stages[-1] if self.stages else None
            reads = {"before": before} if before else {}
            self.stages.append(Stage(name, name, folder / f"{name}.parquet", SCHEMA, self._maker(name), reads))

    def _maker(self, name):
        def make(before=None):
            self.made.append(name)
            if name in self.fails:
                raise self.fails[name]
            return pa.table({"value": [before["value"][0].as_py() + 1 if before else 0]}, SCHEMA)

        return make


@pytest.fixture
def study(tmp_path):
    return Counter(tmp_path)


def test_each_stage_runs_once(study):
    run_stages(study.stages)
    run_stages(study.stages)
    assert study.made == ["a", "b", "c"]
    assert concatenated(study.stages)["value"].to_pylist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("error", "told"),
    [(MeasureError("no pair is left"), "no pair is left"), (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero")],
)
def test_a_failure_names_its_stage_and_loses_nothing(study, error, told):
    study.fails["c"] = error
    with pytest.raises(StageError, match=rf"stage 'c' failed: {told}.*; all other stages are finished and kept; the same command"):
        run_stages(study.stages)
    study.fails.clear()
    run_stages(study.stages)
    assert study.made == ["a", "b", "c", "c"]


def test_a_failure_takes_only_the_stages_that_read_it(tmp_path):
    """One task without pairs ended the run of all others."""
    one, other = Counter(tmp_path / "one"), Counter(tmp_path / "other")
    one.fails["a"] = MeasureError("no pair is left")
    several = Stage("d", "d", tmp_path / "d.parquet", SCHEMA, Called(), {"all": [one.stages[1], other.stages[1]]})
    stages = [stage for both in zip(one.stages, other.stages, strict=True) for stage in both]
    failures = attempt_stages([*stages, several])
    assert one.made == ["a"] and other.made == ["a", "b", "c"]
    assert [(failure.stage, failure.left_out) for failure in failures] == [("a", False), ("b", True), ("c", True), ("d", True)]
    with pytest.raises(StageError, match="stage 'a' failed: no pair is left; 3 that read such a table were left out"):
        run_stages([*stages, several])
    one.fails.clear()
    run_stages([*stages, several])
    assert one.made == ["a", "a", "a", "b", "c"] and other.made == ["a", "b", "c"]


def test_a_stage_alone_needs_those_before_it(study):
    with pytest.raises(StageError, match=r"stage 'b' failed: .*a.parquet does not exist: run the stage that writes it first"):
        run_stages(chosen(study.stages, "b"))
    with pytest.raises(ConfigError, match="no stage of 'influence'"):
        chosen(study.stages, "influence")


class Called:
    """A function of a stage, and what it was called with."""

    def __init__(self) -> None:
        self.arguments: dict[str, object] = {}

    def __call__(self, **arguments):
        self.arguments = arguments
        return pa.table({"value": [1]}, SCHEMA)


def test_what_a_stage_is_called_with_is_what_its_provenance_says(tmp_path):
    make = Called()
    stage = Stage("a", "a", tmp_path / "a.parquet", SCHEMA, make, settings={"seed": 1}, depends_on={"weights": "x"})
    stage.run()
    assert make.arguments == {"seed": 1}
    assert provenance(stage.output)["made_from"]["settings"] == {"seed": 1, "weights": "x"}
    assert stage.is_current()
    assert not replace(stage, settings={"seed": 2}).is_current()
    assert not replace(stage, depends_on={"weights": "y"}).is_current()


def test_a_table_of_other_columns_or_a_damaged_one_is_made_anew(tmp_path):
    stage = Stage("a", "a", tmp_path / "a.parquet", SCHEMA, Called())
    stage.run()
    wider = pa.schema([*SCHEMA, ("more", pa.int64())])
    later = replace(stage, schema=wider, make=lambda: pa.table({"value": [1], "more": [2]}, wider))
    assert not later.is_current()
    later.run()
    assert later.read().num_columns == 2
    later.output.write_bytes(b"PAR1")
    assert not later.is_current()
    later.run()
    assert later.read().num_rows == 1


def test_two_tables_of_one_computation():
    calls = []
    both = once(lambda **given: calls.append(given) or (1, 2))
    assert (both(a=1)[0], both(a=1)[1], calls) == (1, 2, [{"a": 1}])


CONFIG = """
[index]
path = "index"
[mining]
encoder = "hashing"
[influence]
[[tasks]]
name = "t"
kind = "jsonl"
source = ["t.jsonl"]
gamma = {1 = 0.5}
metric = "METRIC"
[[models]]
name = "a"
too_long = "truncate_left"
checkpoints = ["step1"]
"""


def planned(folder, text):
    (folder / "study.toml").write_text(text)
    config = load_config(folder / "study.toml")
    with Resources(config) as resources:
        return plan(config, resources)


@pytest.mark.parametrize("metric", ["exact_match", "accuracy", "bleu", "final_answer"])
def test_every_stage_that_reads_a_prompt_is_told_what_is_too_long(tmp_path, metric):
    stages = planned(tmp_path, CONFIG.replace("METRIC", metric))
    told = {
        stage.command: stage.settings.get("too_long") for stage in stages if stage.command in ("score", "generate", "influence")
    }
    assert told == dict.fromkeys(READ, "truncate_left")
    counted = {stage.name for stage in stages if stage.kind == "unread"}
    assert counted == {"drops t/unread", "drops t/influence-a@last"}


@pytest.mark.parametrize(
    ("kind", "text", "settings"),
    [
        ("gsm8k", "", (256, ("Question:",))),
        ("wmt09", "", (128, ("\n",))),
        ("jsonl", "", (32, ("\n",))),
        ("gsm8k", "max_tokens = 9\nstop = []\n", (9, ())),
        ("triviaqa", 'stop = [".", "!"]\n', (32, (".", "!"))),
    ],
)
def test_answers_end_as_the_kind_of_task_or_its_settings_say(tmp_path, kind, text, settings):
    text = CONFIG.replace("METRIC", "final_answer").replace('kind = "jsonl"\n', f'kind = "{kind}"\n{text}')
    (stage,) = [stage for stage in planned(tmp_path, text) if stage.command == "generate"]
    assert (stage.settings["max_tokens"], stage.settings["stop"]) == settings


@pytest.mark.parametrize(
    ("kind", "metric"),
    [("triviaqa", "exact_match"), ("mmlu-reasoning", "accuracy"), ("gsm8k", "final_answer"), ("wmt09", "bleu"), ("jsonl", None)],
)
def test_answers_are_scored_as_the_kind_of_task_or_its_setting_says(tmp_path, kind, metric):
    text = CONFIG.replace('kind = "jsonl"', f'kind = "{kind}"')
    found = [stage for stage in planned(tmp_path, text.replace('metric = "METRIC"', "")) if stage.command == "generate"]
    assert [stage.settings["metric"] for stage in found] == ([metric] if metric else [])
    assert not [stage for stage in planned(tmp_path, text.replace("METRIC", "")) if stage.command == "generate"]
    (chosen_metric,) = [stage for stage in planned(tmp_path, text.replace("METRIC", "bleu")) if stage.command == "generate"]
    assert chosen_metric.settings["metric"] == "bleu"


def test_every_interval_is_of_the_study_s_settings(tmp_path):
    """Influence had resamples and a confidence of its own, whatever the study said."""
    text = "[study]\nconfidence = 0.9\nresamples = 7\nseed = 5\n[dose]\nplanted = 'planted.parquet'\n[novelty]\nsimilar = true\n"
    text += "[prior]\n[learning]\n"
    config = CONFIG.replace('path = "index"', 'path = "index"\ntexts = "tokens"')
    models = "".join(f"[[models]]\nname = '{name}'\n" for name in "bc")  # three sizes have a trend
    stages = [
        stage
        for metric in ("bleu", "accuracy")
        for stage in planned(tmp_path, text + config.replace("METRIC", metric) + models)
        if "confidence" in stage.schema.names
    ]
    assert {stage.kind for stage in stages} == {
        "contamination", "correlations", "differences", "size_trends", "performance", "task_scores", "novelty", "influence",
        "dose_response", "dose_trends", "prior_aware", "learning_curves", "thresholds", "threshold_trends", "output_flaws",
    }  # fmt: skip
    for stage in stages:
        assert stage.settings["confidence"] == 0.9, stage.name
        if stage.kind not in ("contamination", "output_flaws"):  # Wilson's interval, which draws nothing
            assert (stage.settings["resamples"], stage.settings["seed"]) == (7, 5), stage.name


def test_skipped_records_are_counted_where_records_may_be_skipped(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"input": "a b", "target": "<unk>"}\n{"input": "a b", "target": "c"}\n')
    kept = planned(tmp_path, CONFIG.replace("METRIC", ""))
    assert not any("on_error" in stage.provenance_settings for stage in kept)  # tables made before stay up to date
    stages = planned(tmp_path, CONFIG.replace("METRIC", '"\non_error = "skip'))
    run_stages(chosen(stages, "tasks"))
    (skipped,) = [stage for stage in stages if stage.name == "drops t/skipped-examples"]
    assert [(row["task"], row["reason"], row["num_examples"]) for row in skipped.read().to_pylist()] == [
        ("t", "no_answer", 1), ("t", "kept", 1),
    ]  # fmt: skip
    (together,) = [stage for stage in stages if stage.name == "drops t/all"]
    assert "drops skipped-examples" in together.inputs


def test_progress_is_told(study, caplog):
    caplog.set_level(logging.INFO, "analysis")
    run_stages(study.stages)
    assert "[2/3] b" in caplog.text


def run(*arguments: str, code: int):
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_every_command_has_help_with_an_example():
    for name in main.commands:
        assert f"Example:\n    python -m analysis {name}" in run(name, "--help", code=0).stdout, name


def test_exit_codes(tmp_path):
    missing = run("run", str(tmp_path / "none.toml"), code=1)
    assert "none.toml does not exist" in missing.stderr
    assert missing.stdout == ""
    (tmp_path / "study.toml").write_text("[indx]\n")
    assert "did you mean 'index'" in run("correlate", str(tmp_path / "study.toml"), code=1).stderr
    run("run", code=2)
    run("no-such-command", code=2)
    run("run", "study.toml", "--no-such-option", code=2)


def test_the_old_name_of_a_command_goes_on_with_a_note(tmp_path):
    old = run("models", str(tmp_path / "none.toml"), code=1)
    assert "'models' is called 'corpus-models' now" in old.stderr
    assert "none.toml does not exist" in old.stderr
    new = run("corpus-models", str(tmp_path / "none.toml"), code=1)
    assert "deprecated" not in new.stderr
    assert old.stderr.endswith(new.stderr)
    listed = run("--help", code=0).stdout
    assert "corpus-models" in listed and "\n  models" not in listed


def test_settings_are_listed():
    told = run("settings", code=0).stdout
    assert "[[tasks]]" in told
    assert "study.confidence = 0.95" in told


def test_help_loads_nothing_heavy():
    code = f"import sys, analysis.cli; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
