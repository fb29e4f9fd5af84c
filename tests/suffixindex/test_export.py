"""What is exported is what the formats' definitions say, byte for byte, and is asked here again; the engines are asked by
``benchmarks/foreign.py``."""

import errno
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import suffixindex as si
from suffixindex import exporting
from suffixindex.cli.main import main
from tests import oracle
from tests.helpers import building
from tests.helpers import foreign_building as other

DOCUMENTS = [[1, 2, 300], [], [300, 1], [256, 2, 1, 2], [1], [2, 1, 2]]
RECORDS = [{"path": "a.jsonl", "line": i + 1, "metadata": {"n": i}} for i in range(len(DOCUMENTS))]


def same_files(folder: Path, expected: Path) -> None:
    names = sorted(path.name for path in expected.iterdir() if path.is_file())
    assert names == sorted(path.name for path in folder.iterdir() if path.is_file())
    for name in names:
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name


@pytest.mark.parametrize("token_type", ["u16", "u32"])
@pytest.mark.parametrize("shards", [1, 3])
def test_infinigram(tmp_path: Path, token_type: str, shards: int) -> None:
    building.write_index(tmp_path / "own", DOCUMENTS, token_type, shards=shards, metadata=RECORDS)
    si.export(tmp_path / "own", tmp_path / "v4_x", format="infini-gram")
    edges = np.linspace(0, len(DOCUMENTS), shards + 1).astype(int).tolist()
    parts = [DOCUMENTS[first:last] for first, last in pairwise(edges)]
    lines = [{"path": record["path"], "linenum": record["line"], "metadata": record["metadata"]} for record in RECORDS]
    records = [lines[first:last] for first, last in pairwise(edges)]
    other.write_infinigram(tmp_path / "expected", parts, token_type, metadata=records)
    same_files(tmp_path / "v4_x", tmp_path / "expected")
    index = si.open(tmp_path / "v4_x")
    assert index.document(3).metadata == {"n": 3} and index.document(3).token_ids.tolist() == DOCUMENTS[3]


def test_tokengrams(tmp_path: Path) -> None:
    own = building.write_index(tmp_path / "own", DOCUMENTS)
    si.export(tmp_path / "own", tmp_path / "pairs", format="tokengrams")
    other.write_tokengrams(tmp_path / "expected" / "tokens-0", oracle.with_separators(DOCUMENTS, own.separator))
    same_files(tmp_path / "pairs", tmp_path / "expected")
    index = si.open(tmp_path / "pairs", separator=own.separator)
    asked = [[1], [1, 2], [2, own.separator], [own.separator], [300], []]
    assert index.counts(asked).tolist() == own.counts(asked).tolist()
    assert [index.document(i).token_ids.tolist() for i in range(len(DOCUMENTS))] == DOCUMENTS


def test_shards_have_names_whose_order_as_strings_is_theirs(tmp_path: Path) -> None:
    documents = [[number] for number in range(12)]
    building.write_index(tmp_path / "own", documents, shards=12)
    si.export(tmp_path / "own", tmp_path / "v4_x", format="infini-gram")
    assert (tmp_path / "v4_x" / "tokenized.02").exists()
    index = si.open(tmp_path / "v4_x")
    assert [index.document(i).token_ids.tolist() for i in range(12)] == documents


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    building.write_index(tmp_path / "own", [[1, 2]], "u8")
    with pytest.raises(si.BuildError, match="no type for ids of one byte"):
        si.export(tmp_path / "own", tmp_path / "out", format="tokengrams")
    with pytest.raises(si.BuildError, match="expected infini-gram or tokengrams"):
        si.export(tmp_path / "own", tmp_path / "out", format="parquet")
    si.export(tmp_path / "own", tmp_path / "v4_x", format="infini-gram")
    with pytest.raises(si.BuildError, match="not empty"):
        si.export(tmp_path / "own", tmp_path / "v4_x", format="infini-gram")
    with pytest.raises(si.BuildError, match="infini-gram 4 already"):
        si.export(tmp_path / "v4_x", tmp_path / "again", format="infini-gram")


def test_an_export_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some shards of an index would be opened as an index of fewer documents."""
    building.write_index(tmp_path / "own", [[1, 2], [3]], shards=2)
    really, written = exporting.write_blocks, []

    def write(path: Path, blocks: Iterator[bytes | memoryview]) -> tuple[int, str]:
        written.append(path.name)
        if path.name == "table.1":
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(path, blocks)

    monkeypatch.setattr(exporting, "write_blocks", write)
    (tmp_path / "v4_x").mkdir()
    for _ in range(2):
        with pytest.raises(si.BuildError, match="no space is left; nothing of it is left, export again when that is mended"):
            si.export(tmp_path / "own", tmp_path / "v4_x", format="infini-gram")
        assert sorted(path.name for path in tmp_path.rglob("*") if "v4_x" in str(path)) == ["v4_x"]
    assert "table.0" in written
    monkeypatch.undo()
    (tmp_path / "v4_x.tmp").mkdir()
    with pytest.raises(si.BuildError, match=r"v4_x\.tmp is there, .*: remove it and export again"):
        si.export(tmp_path / "own", tmp_path / "v4_x", format="infini-gram")
    (tmp_path / "v4_x.tmp").rmdir()
    si.export(tmp_path / "own", tmp_path / "v4_x", format="infini-gram")
    assert si.open(tmp_path / "v4_x").num_documents == 2


def test_shell(tmp_path: Path) -> None:
    """Three commands: say what files do not, build of ids, export; all others take the index as one of ours."""

    def run(*arguments: object) -> list[dict[str, object]]:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]

    texts = [b"the cat sat", b"a cat", b"the dog"]
    folder = other.write_infinigram(tmp_path / "index", [[list(text) for text in texts]], "u8", mirrored=True)
    refused = CliRunner().invoke(main, ["count", str(folder), "cat"])
    assert refused.exit_code == 1 and "suffixindex adopt" in refused.output
    (info,) = run("adopt", folder, "--reversed", "--tokenizer", "bytes")
    assert info["kind"] == "infini-gram 5"
    assert run("info", folder)[0]["kind"] == "infini-gram 5"
    (counted,) = run("count", folder, "cat", "--documents")
    assert (counted["count"], counted["documents"]) == (2, 2)
    assert [row["piece"] for row in run("next", folder, "the ")] == ["c", "d"]
    assert run("cooccur", folder, "the", "cat")[0]["documents"] == 1
    assert run("concordance", folder, "cat", "--limit", 1)[0]["right"] == " sat"
    assert run("docs", folder, "dog", "--text")[0]["text"] == "the dog"
    assert run("score", folder, "the cat")[0]["zero_prob_tokens"] == 0
    assert run("top", folder, "-n", 3, "-k", 1)[0]["ngram"] == " ca"  # as often as "cat", of smaller ids
    assert run("statistics", folder) and run("duplicates", folder, "--min-length", 3)
    assert run("spans", folder, "the cat") and run("infgram", folder, "the ca")
    data = other.write_megatron(tmp_path / "set", [list(text) for text in texts], "|u1")
    (info,) = run("info", data)
    assert "Megatron dataset" in str(info["kind"]) and (info["num_sequences"], info["num_tokens"]) == (3, 23)
    run("build", data, "-o", tmp_path / "own", "-t", "bytes", "--sequences-per-step", 2, "--memory", "1GiB")
    assert run("count", tmp_path / "own", "the", "--where", "step=0..1")[0]["count"] == 1
    run("export", tmp_path / "own", tmp_path / "out", "--format", "infini-gram")
    run("adopt", tmp_path / "out", "--forward", "--tokenizer", "bytes")
    assert run("count", tmp_path / "out", "the")[0]["count"] == 2
    assert run("verify", folder) == [] and run("verify", tmp_path / "out", "--full") == []
