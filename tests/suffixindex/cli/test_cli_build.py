"""The commands that make an index, describe it and check it."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

import suffixindex as si
from tests.helpers.shell import process, rows, run, sentence, with_byte_level_tokens


def test_build_says_what_it_made_on_standard_error(tmp_path: Path, corpus: Path) -> None:
    index = str(tmp_path / "index")
    result = run("build", str(corpus), "-o", index, "--tokenizer", "words", "--shard-tokens", "15", "--threads", "2")
    assert result.stdout == ""
    report = si.open(index).info()
    said = rf"^{index}: 5 documents, {report['num_tokens']} tokens \(u8\), 3 shards\n  0\.0 MiB, .* bytes a token; encode "
    assert re.match(said, result.stderr)
    assert "peak memory" in result.stderr
    again = run("build", str(corpus), "-o", index, "-t", "words", "--shard-tokens", "15")
    assert again.stderr == result.stderr


def test_build_options_reach_the_build(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"body": "one", "text": "1"}\n{"text": "2"}\n{bad\n')
    index = str(tmp_path / "index")
    arguments = ["build", str(path), "-o", index, "-t", "bytes", "--text-field", "body", "--no-metadata", "--on-error", "skip"]
    result = run(*arguments, "--memory", "2GiB")
    assert "skipped 1 records: no field 'body'" in result.stderr
    assert "skipped 1 records: malformed JSON" in result.stderr
    (info,) = rows("info", index)
    assert info["skipped"] == {"no field 'body'": 1, "malformed JSON": 1}
    assert info["num_documents"] == 1
    settings = info["settings"]
    assert (settings["text_field"], settings["metadata"], settings["on_error"]) == ("body", False, "skip")
    assert "text_field differ" in sentence("build", str(path), "-o", index, "-t", "bytes", "--no-metadata", "--on-error", "skip")
    assert run("build", str(path), "-o", index, "-t", "bytes", "--on-error", "skip", "--restart").exit_code == 0
    assert rows("info", index)[0]["num_documents"] == 2
    run("build", str(path), "-o", str(tmp_path / "lines"), "-t", "bytes", "--input-format", "lines")
    assert rows("count", str(tmp_path / "lines"), "{bad")[0]["count"] == 1


def test_a_dry_run_writes_nothing(tmp_path: Path, corpus: Path) -> None:
    index = tmp_path / "index"
    (estimate,) = rows("build", str(corpus), "-o", str(index), "-t", "words", "--shard-tokens", "15", "--dry-run")
    assert not index.exists()
    assert estimate["num_documents"] == 5
    assert estimate["num_shards"] == 3
    assert "known size" in sentence("build", "-", "-o", str(index), "-t", "words", "--dry-run", stdin='{"text": "a"}\n')


def test_build_from_standard_input(tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    run("build", "-", "-o", index, "-t", "words", stdin='{"text": "from a pipe"}\n')
    assert rows("count", index, "a pipe")[0]["count"] == 1


def test_library_errors_exit_with_1_and_leave_no_index(tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(b'{"text": "a"}\n{"text": \n')
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "cut.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    good = str(corpus)
    cases = {
        (str(bad),): rf"Error: {bad}, line 2: malformed JSON: .*--on-error skip\n",
        ("nowhere.jsonl",): r"Error: nowhere\.jsonl does not exist\n",
        ("some/dataset",): r"Error: some/dataset does not exist; for a Hugging Face dataset write hf:some/dataset\n",
        ("*.parquet",): r"Error: \*\.parquet does not exist or matches nothing\n",
        ("empty.jsonl",): r"Error: the corpus is empty: 1 inputs hold no document\n",
        ("cut.jsonl.gz",): r"Error: cut\.jsonl\.gz: the compressed file is cut short or damaged \(.*\); fetch it again\n",
        (good, good): r"Error: .* is named twice: .*\n",
        (good, "--text-field", "body"): r"Error: .*, line 1: no field 'body': the record has text, play .*\n",
        (good, "--memory", "1GiB", "--shard-tokens", "5"): r"Error: memory and shard_tokens both .*\n",
        (good, "--memory", "1 lot"): r"Error: '1 lot' is no size: .*\n",
        (good, "--memory", "5MB"): r"Error: .*memory.* give it .* or more\n",
        (good, "--shard-tokens", "3"): r"Error: a document of \d+ tokens does not fit a shard of 3.*\n",
    }
    for number, (arguments, expected) in enumerate(cases.items()):
        index = f"index-{number}"
        assert re.fullmatch(expected, sentence("build", *arguments, "-o", index, "-t", "bytes")), arguments
        assert re.match("Error: ", sentence("count", index, "a"))
    assert re.match(r"Error: .*nonsense.*\n", sentence("build", good, "-o", "x", "-t", "nonsense"))
    assert "is a file: an index is a folder" in sentence("build", good, "-o", str(bad), "-t", "bytes")


def test_passed_over_files_are_mentioned(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("a")
    (tmp_path / "corpus" / "b.bin").write_text("b")
    done = process("build", "corpus", "-o", "index", "-t", "bytes", cwd=tmp_path)
    assert done.returncode == 0
    assert b"corpus: passed over 1 files" in done.stderr
    assert done.stdout == b""


def test_info_describes_the_index(words: str) -> None:
    (info,) = rows("info", words)
    assert info == json.loads(json.dumps(si.open(words).info()))
    assert info["tokenizer"]["kind"] == "words"
    table = run("info", words, "--table").stdout
    assert "num_documents" in table
    (line,) = csv.DictReader(io.StringIO(run("info", words, "--csv").stdout))
    assert line["num_documents"] == "5"
    assert json.loads(line["settings"]) == info["settings"]


def test_verify_says_that_all_is_well_or_not(tmp_path: Path, corpus: Path) -> None:
    index = str(tmp_path / "index")
    run("build", str(corpus), "-o", index, "-t", "words")
    for options in ([], ["--full"], ["--samples", "3", "--seed", "7", "--threads", "1"]):
        result = run("verify", index, *options)
        assert result.stdout == ""
        assert f"{index} is in order: 1 shard, " in result.stderr
    path = tmp_path / "index" / "shards" / "00000" / "suffix_array.u32"
    path.write_bytes(path.read_bytes()[::-1])
    assert sentence("verify", index, "--full").startswith("Error: ")
    path.write_bytes(b"")
    assert "has 0 bytes, expected" in sentence("verify", index)


def test_paths_that_are_no_index(tmp_path: Path) -> None:
    for command in ("info", "verify", "count a", "next a", "docs a", "concordance a", "cooccur a b"):
        name, *rest = command.split()
        assert re.match(r"Error: .*nowhere does not exist: build an index there", sentence(name, str(tmp_path / "nowhere"), *rest))
        assert re.match(r"Error: .* is no index: it has no manifest\.json", sentence(name, str(tmp_path), *rest))


def test_the_reference_engine_can_be_asked_for(tmp_path: Path) -> None:
    """The sentence of a failed comparison of the engines names this option; the index is the same."""
    engines = [Path(with_byte_level_tokens(tmp_path, engine)) for engine in ("fastokens", "tokenizers")]
    first, second = [(engine / "shards" / "00000" / "tokens.u16").read_bytes() for engine in engines]
    assert first == second
    with si.open(engines[1]) as index:
        assert index.decode(index.document(0).token_ids) == "the cat sat on the other mat"
