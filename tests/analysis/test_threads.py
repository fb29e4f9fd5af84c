"""Torch's threads are set in one place, by a setting, and are then what they were."""

import re
from pathlib import Path

import pytest

from analysis.config import load_config
from analysis.errors import ConfigError
from analysis.lab import Ladder, Recipe
from analysis.study.resources import Resources
from analysis.threads import torch_threads
from tests.helpers.analysis_building import write_model

torch = pytest.importorskip("torch")

STUDY = """
[study]
threads = 2
[index]
path = "index"
[mining]
encoder = "hashing"
[[tasks]]
name = "t"
kind = "jsonl"
source = ["t.jsonl"]
gamma = {1 = 0.5}
[[models]]
name = "model"
"""


def test_threads_are_bounded_meanwhile() -> None:
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        with torch_threads(0):
            assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), torch_threads(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before


def test_a_studys_models_compute_with_its_threads(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "index").mkdir()
    (tmp_path / "t.jsonl").touch()
    write_model(tmp_path / "model")
    (tmp_path / "study.toml").write_text(STUDY)
    config = load_config(tmp_path / "study.toml")
    before = torch.get_num_threads()
    with Resources(config) as resources:
        assert torch.get_num_threads() == before, "nothing is opened yet"
        for _ in range(2):
            resources.model(config.models[0], "")
            assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_they_are_set_nowhere_else() -> None:
    root = Path(__file__).parents[2]
    setting = re.compile(r"set_num_threads|OMP_NUM_THREADS.*=")
    found = [path.relative_to(root).as_posix() for path in (root / "analysis").rglob("*.py") if setting.search(path.read_text())]
    assert found == ["analysis/threads.py"]


@pytest.mark.parametrize("name", ["processes", "threads"])
def test_a_ladder_of_less_than_no_threads_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"ladder\.{name} is -1: expected 0 or more"):
        Ladder((), Recipe(8, 1, 1.0, ()), vocabulary=300, **{name: -1})
