"""What is released: a wheel for a bare environment, with the study under a name of its own, and types for strict users."""

import ast
import email
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import suffixindex as si
from tests.helpers.pages import ROOT, load

BUILT = load(ROOT / "hatch_build.py")
EXAMPLES = ROOT / "docs" / "examples"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What a command prints; without this checkout on its path."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    done = subprocess.run([*map(str, command)], cwd=cwd, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def test_the_version_is_one() -> None:
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert cited is not None and cited[1] == si.__version__
    assert f"\n## {si.__version__}\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" in project["dynamic"]


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("from analysis.errors import X", "from suffixindex_analysis.errors import X"),
        ("import analysis", "import suffixindex_analysis"),
        ('files("analysis.pairs")', 'files("suffixindex_analysis.pairs")'),
        ("python -m analysis run study.toml", "suffixindex-analysis run study.toml"),
        ("python -m analysis.lab my-index", "python -m suffixindex_analysis.lab my-index"),
        ("as analysis/configs/paper.toml", "as suffixindex_analysis/configs/paper.toml"),
        ("pip install 'suffixindex[analysis]'", "pip install 'suffixindex[analysis]'"),
        ("from suffixindex import analysis_of", "from suffixindex import analysis_of"),
        ("an analysis. Then", "an analysis. Then"),
    ],
)
def test_the_study_under_the_wheels_name(source: str, written: str) -> None:
    assert BUILT.rewritten(source) == written


def test_no_module_of_the_wheel_imports_the_checkouts(tmp_path: Path) -> None:
    BUILT.write_study(ROOT, tmp_path / BUILT.NAME)
    assert (tmp_path / BUILT.NAME / "configs" / "paper.toml").exists()
    for path in tmp_path.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
                assert not any(name.split(".")[0] == BUILT.SOURCE for name in names), (path, ast.unparse(node))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "-o", folder, ROOT, cwd=folder)
    run(sys.executable, "-m", "twine", "check", "--strict", *folder.iterdir(), cwd=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has nothing but the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return programs


@pytest.mark.long
def test_a_wheel_holds_what_it_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = email.message_from_bytes(archive.read(next(name for name in names if name.endswith("METADATA"))))
    folders = {"suffixindex", "suffixindex_analysis", f"suffixindex-{si.__version__}.dist-info"}
    assert {name.split("/")[0] for name in names} == folders
    assert {"suffixindex/py.typed", "suffixindex_analysis/py.typed", "suffixindex_analysis/configs/paper.toml"} <= {*names}
    assert metadata["Version"] == si.__version__
    assert wheel.stat().st_size < 2**20


@pytest.mark.long
def test_a_bare_environment_runs_the_demo_and_knows_the_study(bare: Path, tmp_path: Path) -> None:
    assert "What follows" in run(bare / "suffixindex", "demo", cwd=tmp_path)
    assert "suffixindex-analysis run study.toml" in run(bare / "suffixindex-analysis", "--help", cwd=tmp_path)
    assert "[study]" in run(bare / "python", "-m", "suffixindex_analysis", "settings", cwd=tmp_path)


@pytest.mark.long
def test_the_examples_pass_a_strict_type_check_against_the_wheel(bare: Path, tmp_path: Path) -> None:
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\nstrict = true\n[mypy-matplotlib.*,transformers.*,torch.*]\nignore_missing_imports = true\n")
    command = [sys.executable, "-m", "mypy", "--config-file", settings, "--python-executable", bare / "python", EXAMPLES]
    assert "Success" in run(*command, cwd=tmp_path, MYPY_CACHE_DIR=str(tmp_path / "cache"))


@pytest.mark.long
def test_the_wheels_study_runs_where_there_is_no_package_of_the_checkouts_name(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    script = "import sys; sys.modules['analysis'] = None; from suffixindex_analysis.cli import main; main()"
    arguments = ["lab", "run", "--preset", "tiny", "--seed", "0"]
    run(sys.executable, "-c", script, *arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path / "site"))
    assert (tmp_path / "run" / "study" / "report" / "report.html").stat().st_size > 10_000
