"""A server whose indexes change in their folders answers of what is there; what cannot be opened is answered as it was."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import suffixindex as si
from suffixindex.serve import table
from tests.helpers.building import write_jsonl
from tests.helpers.serving import LiveServer, listening


@pytest.fixture
def folder(tmp_path: Path, no_fsync: None) -> Path:
    corpus = write_jsonl(tmp_path / "a.jsonl", ["the cat sat", "jane roe sat", "the dog"])
    si.build(corpus, tmp_path / "index", tokenizer="words", progress=False)
    return tmp_path / "index"


@pytest.fixture
def live(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    monkeypatch.setattr(table, "EVERY", 0)
    with listening(si.serve.app({"demo": folder, "same": folder, "opened": si.open(folder)})) as live:
        yield live


def counts(live: LiveServer, *texts: str) -> list[list[int]]:
    return [si.connect(live.url, name).counts(list(texts)).tolist() for name in ("demo", "same", "opened")]


def test_what_is_removed_is_not_served(live: LiveServer, folder: Path) -> None:
    assert counts(live, "jane roe", "sat") == [[1, 2]] * 3
    old = live.state.table["demo"]
    assert live.state.table["same"] is old
    si.remove(folder, holding="jane", progress=False, purge=True)
    assert counts(live, "the", "sat") == [[2, 1]] * 3
    assert live.state.table["same"] is live.state.table["demo"] is not old
    assert si.connect(live.url, "demo").num_documents == 2
    si.append(folder, write_jsonl(folder.parent / "b.jsonl", ["a bird sat"]), progress=False)
    assert counts(live, "bird", "sat") == [[1, 2]] * 3


def test_what_cannot_be_opened_is_answered_as_it_was(live: LiveServer, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert counts(live, "sat") == [[2]] * 3
    (folder / "manifest.json").write_text("{")
    with caplog.at_level(logging.WARNING):
        assert counts(live, "sat") == [[2]] * 3
    assert "demo, same changed, and is answered as it was" in caplog.text


def test_an_index_knows_whether_it_is_current(folder: Path, tmp_path: Path) -> None:
    si.build(folder.parent / "a.jsonl", tmp_path / "other", tokenizer="words", progress=False)
    with si.open(folder) as index, si.open([tmp_path / "other", folder]) as both:
        assert index.is_current and both.is_current
        si.remove(folder, [0], progress=False)
        assert not index.is_current and not both.is_current
    si.export(folder, tmp_path / "v4_x", format="infini-gram")
    with si.open(tmp_path / "v4_x") as foreign:
        assert foreign.is_current
