"""A whole study of a tiny lab, by the command line: every stage, the truth that was planted, restarts, the report."""

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from analysis.cli import main
from analysis.config import load_config
from analysis.study.plan import plan
from analysis.study.resources import Resources

pytestmark = pytest.mark.xdist_group("study")  # one worker makes what all tests here look at

REPLACED = {
    "resamples = 200": "resamples = 40",
    "iterations = 40": "iterations = 5",
}


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, (result.output, result.exception)
    return result


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The TOML file of a study that has run, made smaller than the lab's own."""
    folder = tmp_path_factory.mktemp("lab")
    path = Path(run("-q", "lab", str(folder), "--preset", "tiny", "--world-only").stdout.strip())
    text = path.read_text()
    for old, new in REPLACED.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    told = run("-q", "run", str(path))
    assert told.stdout.strip() == str(folder / "study" / "report" / "report.html")
    return path


def table(study: Path, name: str) -> list[dict[str, object]]:
    return pq.read_table(study.parent / "study" / f"{name}.parquet").to_pylist()


def test_counts_are_the_planted_truth(study):
    planted = {
        (row["x"], row["y"]): row["documents"] for row in pq.read_table(study.parent / "world" / "planted.parquet").to_pylist()
    }
    for task in ("facts", "translation"):
        counts = table(study, f"counts/{task}")
        assert {(row["x"], row["y"]): row["pair_documents"] for row in counts} == {
            pair: documents for pair, documents in planted.items() if pair in {(row["x"], row["y"]) for row in counts}
        }
        assert len(counts) > 5


def test_every_stage_wrote_its_table_with_provenance(study):
    config = load_config(study)
    with Resources(config) as resources:
        stages = plan(config, resources)
        assert all(stage.is_current() for stage in stages)
        outputs = [stage.output for stage in stages]
    assert len(set(outputs)) == len(outputs)
    for stage in stages:
        told = json.loads(stage.output.with_name(stage.output.name + ".provenance.json").read_text())
        assert told["rows"] == stage.read().num_rows
        assert told["rows"] > 0 or stage.kind == "traces"  # answers of so small a model may be no words of the corpus


def test_every_state_of_every_model_is_scored(study):
    states = {(row["model"], row["revision"], row["step"]) for row in table(study, "dose/facts")}
    assert {model for model, _, _ in states} == {f"ladder/{name}" for name in ("8k", "16k", "45k", "100k")}
    last = {model: step for model, revision, step in states if not revision}
    assert {model: json.loads((study.parent / model / "manifest.json").read_text())["steps"] for model in last} == last


def test_the_released_codes_mask_reads_to_the_end(study):
    alone, to_end = (table(study, f"scores/translation/45k@last{part}") for part in ("", "-to-end"))
    assert all(row["log_prob"] <= other["log_prob"] for row, other in zip(to_end, alone, strict=True))
    assert any(row["num_tokens"] > other["num_tokens"] for row, other in zip(to_end, alone, strict=True))
    assert {row["mode"] for row in table(study, "correlations/translation/reference-code")} == {"reference-code"}


def test_pairs_that_were_mined_above_gamma_are_not_said_to_be_the_released_codes(study, tmp_path):
    path = study.with_name("narrower.toml")
    mined = "gamma = {1 = -1.0}\nsensitivity = [0.0, 0.1, 0.2]"
    assert mined in study.read_text()
    path.write_text(study.read_text().replace(mined, "gamma = {1 = 0.5}"))
    config = load_config(path)
    outputs = {str(stage.output.relative_to(config.folder)) for stage in plan(config, Resources(config))}
    assert "correlations/arithmetic/reference-code-scaled_similarity.parquet" in outputs
    assert "correlations/facts/reference-code.parquet" in outputs


def test_the_report_leaves_nothing_out(study):
    text = (study.parent / "study" / "report" / "report.html").read_text(encoding="utf-8")
    left_out = re.findall(r"Left out, since this run has no table of it: (.*?)\.</p>", text)
    assert all(told.startswith("Where answers stand in the corpus") and ";" not in told for told in left_out)
    assert "resamples = 40" in text


def test_the_first_table_says_how_many_pairs_are_above_the_studys_gamma(study):
    config = load_config(study)
    text = (study.parent / "study" / "report" / "report.html").read_text(encoding="utf-8")
    for task in config.tasks:
        for n, gamma in task.gamma.items():
            rows = [row for row in table(study, f"correlations/{task.name}/strict") if row["corpus_model"] == "taskgram"]
            (pairs,) = {row["num_pairs"] for row in rows if (row["n"], row["gamma"], row["pair_set"]) == (n, gamma, "own")}
            assert f"n = {n}: {pairs:,} (" in text


def test_a_second_run_makes_nothing_and_a_lost_table_only_its_own(study, caplog):
    lost = study.parent / "study" / "scores" / "facts" / "8k@last.parquet"
    before = lost.read_bytes()
    run("score", str(study))
    assert ": 0 made" in caplog.text
    lost.unlink()
    caplog.clear()
    assert str(lost) in run("score", str(study)).stdout
    assert ": 1 made" in caplog.text
    assert lost.read_bytes() == before


def test_a_changed_setting_remakes_what_depends_on_it(study, caplog, tmp_path):
    copy = tmp_path / "lab"
    shutil.copytree(study.parent, copy)
    path = copy / study.name
    path.write_text(path.read_text() + "\n[performance]\nbins = 3\n")
    run("performance", str(path))
    assert "13 stages: 3 made, 10 were up to date" in caplog.text
    run("novelty", str(path))
    assert "3 stages: 0 made, 3 were up to date" in caplog.text


def test_a_stage_that_fails_says_so_and_the_others_stay(study, tmp_path):
    copy = tmp_path / "lab"
    shutil.copytree(study.parent, copy)
    (copy / "ladder" / "45k" / "model.safetensors").write_bytes(b"")
    told = run("-q", "score", str(copy / study.name), code=1).stderr
    assert "stage 'scores facts/45k@last' failed: the model" in told
    assert "all other stages are finished and kept" in told
    assert "without index.sources" in run("run", str(copy / study.name), code=1).stderr  # its corpus stands elsewhere now
    (copy / "world" / "tasks" / "facts.jsonl").unlink()
    assert "task facts: world/tasks/facts.jsonl" in run("run", str(copy / study.name), code=1).stderr
