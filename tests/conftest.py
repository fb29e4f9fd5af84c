"""Shared by all tests: how much hypothesis tries, and a fresh folder for each of its examples."""

import json
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: as many workers as cores, and each one's threads would wait for cores

import pytest
from hypothesis import HealthCheck, settings

import suffixindex as si
from tests.helpers import building
from tests.helpers.shell import RECORDS

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]}
settings.register_profile("compiled", max_examples=50, **COMMON)
settings.register_profile("long", max_examples=120, **COMMON)  # make test-long
settings.register_profile("interpreted", max_examples=30, **COMMON)  # NUMBA_DISABLE_JIT=1: kernels run as plain Python
settings.register_profile("thorough", max_examples=1000, **COMMON)  # pytest --hypothesis-profile=thorough
settings.load_profile("compiled" if building.COMPILED else "interpreted")


@pytest.fixture
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that build much and need none of it to outlive a power cut."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def new_folder(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """Call it for a path that does not exist yet; for tests that make many indexes."""
    numbers = count()
    yield lambda: tmp_path / f"folder-{next(numbers)}"


# ---- the corpus that commands are tried on -----------------------------------------------------------------------


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "a.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def words(corpus: Path) -> str:
    si.build(corpus, corpus.parent / "words", tokenizer="words", shard_tokens=15, progress=False)
    return str(corpus.parent / "words")


@pytest.fixture(scope="session")
def letters(corpus: Path) -> str:
    si.build(corpus, corpus.parent / "letters", tokenizer="bytes", progress=False)
    return str(corpus.parent / "letters")
