"""The command line: every command and option, what goes to which stream, exit codes, and what is never loaded."""

import csv
import io
import json
import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

import suffixindex as si
from suffixindex import latency
from suffixindex.cli import main

README = Path(__file__).parents[1] / "README.md"
HEAVY = ("numba", "torch", "transformers", "pyarrow", "datasets", "tokenizers", "llvmlite")
RECORDS = [
    {"text": "To be, or not to be: that is the question.", "play": "Hamlet"},
    {"text": "A man's a man for a' that.", "poet": "Burns"},
    {"text": "", "poet": None},
    {"text": "That is that; the question ∞ is moot.", "n": [1, 2]},
    {"text": "to be to be to be", "year": 1999},
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "a.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def words(corpus: Path) -> str:
    si.build(corpus, corpus.parent / "words", tokenizer="words", shard_tokens=15, progress=False)
    return str(corpus.parent / "words")


@pytest.fixture(scope="module")
def letters(corpus: Path) -> str:
    si.build(corpus, corpus.parent / "letters", tokenizer="bytes", progress=False)
    return str(corpus.parent / "letters")


NUM_BYTES = sum(len(record["text"].encode()) for record in RECORDS)
NUM_WORDS = sum(len(re.findall(r"\w+", record["text"])) for record in RECORDS)


def run(*arguments: str, stdin: str | bytes | None = None, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments), input=stdin)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def rows(*arguments: str, stdin: str | None = None) -> list[dict[str, Any]]:
    """Run, and read the JSON lines; nothing is said beside them."""
    result = run(*arguments, stdin=stdin)
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def sentence(*arguments: str, stdin: str | bytes | None = None, code: int = 1) -> str:
    """Run to an error: nothing on standard output, one sentence on standard error."""
    result = run(*arguments, stdin=stdin, code=code)
    assert result.stdout == ""
    assert isinstance(result.exception, SystemExit)
    return result.stderr


def process(*arguments: str, stdin: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "suffixindex", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, **options)


# ---- help --------------------------------------------------------------------------------------------------------


def test_there_are_the_commands_that_this_file_tests() -> None:
    queries = {"count", "next", "docs", "concordance", "cooccur", "top", "statistics", "duplicates"}
    queries |= {"infgram", "score", "spans", "bench"}
    assert set(main.commands) == {"build", "info", "verify", "demo", "adopt", "export", *queries}


@pytest.mark.parametrize("name", [None, *main.commands])
def test_help_shows_an_example_that_parses(name: str | None) -> None:
    text = run(*([name] if name else []), "--help").stdout
    assert text == run(*([name] if name else []), "-h").stdout
    assert "Example:" in text
    examples = [line.strip() for line in text.split("Example:")[1].splitlines() if line.startswith("    suffixindex ")]
    assert examples
    for example in examples:
        _, used, *arguments = shlex.split(example)
        if name:
            assert used == name
        with click.Context(main, info_name="suffixindex", **main.context_settings) as parent:
            main.commands[used].make_context(used, arguments, parent=parent)


@pytest.mark.parametrize("name", main.commands)
def test_every_option_says_what_it_does(name: str) -> None:
    options = [option for option in main.commands[name].params if isinstance(option, click.Option)]
    assert all(option.help and option.help[-1] in ".]" for option in options)


@pytest.mark.parametrize("name", main.commands)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"suffixindex {name}\b", README.read_text(encoding="utf-8"))


def test_version() -> None:
    assert si.__version__ in run("--version").stdout


def test_wrong_usage_exits_with_2(words: str, corpus: Path) -> None:
    assert "No such command 'cuont'" in sentence("cuont", words, code=2)
    assert "Missing argument" in sentence("build", "-o", "x", "-t", "bytes", code=2)
    assert "--output" in sentence("build", str(corpus), "-t", "bytes", code=2)
    assert "--tokenizer" in sentence("build", str(corpus), "-o", "x", code=2)
    assert "No such option" in sentence("count", words, "--bulk", "x", code=2)
    assert "no n-gram given" in sentence("count", words, code=2)
    assert "not both" in sentence("count", words, "to be", "-f", str(corpus), code=2)
    assert "with --ids an n-gram is integers" in sentence("count", words, "--ids", "to be", code=2)
    assert "0 is not in the range" in sentence("next", words, "to", "-k", "0", code=2)
    assert "No such file" in sentence("count", words, "-f", "nowhere.jsonl", code=2)
    assert "csv" in sentence("build", str(corpus), "-o", "x", "-t", "bytes", "--input-format", "csv", code=2)
    assert "0 is not in the range" in sentence("build", str(corpus), "-o", "x", "-t", "bytes", "--threads", "0", code=2)


# ---- build, info, verify -----------------------------------------------------------------------------------------


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


# ---- questions ---------------------------------------------------------------------------------------------------


def test_count_shows_what_was_looked_up(words: str, letters: str) -> None:
    first, second = rows("count", words, "To BE", "nowhere")
    ids = si.open(words).encode("to be").tolist()
    assert first == {"ngram": "To BE", "ids": ids, "pieces": ["to", "be"], "count": 5}
    assert second == {"ngram": "nowhere", "ids": [0], "pieces": ["?"], "count": 0}
    assert rows("count", letters, "∞", "at")[0]["ids"] == list("∞".encode())
    assert [row["count"] for row in rows("count", letters, "at", "To be", "")] == [4, 1, NUM_BYTES]


def test_count_documents(words: str) -> None:
    (row,) = rows("count", words, "to be", "--documents")
    assert (row["count"], row["documents"]) == (5, 2)


def test_count_ids(words: str, letters: str) -> None:
    ids = si.open(words).encode("to be").tolist()
    for text in (f"{ids[0]} {ids[1]}", f"{ids[0]},{ids[1]}", f" {ids[0]}, {ids[1]} "):
        assert rows("count", words, "--ids", text) == [{"ngram": "to be", "ids": ids, "pieces": ["to", "be"], "count": 5}]
    assert rows("count", letters, "--ids", "46 255")[0]["pieces"] == [".", "<end of document>"]
    for text in ("999999", "99999999999999999999", "9999999999999999999"):
        assert "outside" in sentence("count", words, "--ids", text) or "integer" in sentence("count", words, "--ids", text)


def test_count_lines_of_standard_input(words: str, letters: str) -> None:
    assert [row["count"] for row in rows("count", words, "-", stdin="to be\r\nquestion\n\nzzz")] == [5, 2, NUM_WORDS, 0]
    assert [row["ngram"] for row in rows("count", letters, "-", stdin=" a \n∞\n")] == [" a ", "∞"]
    assert rows("count", words, "--ids", "-", stdin="1\n1 2\n")[1]["ids"] == [1, 2]
    assert rows("count", words, "-", stdin="") == []
    assert "standard input is not UTF-8" in sentence("count", words, "-", stdin=b"caf\xe9\n")


def test_count_a_file_of_json_lines(tmp_path: Path, words: str) -> None:
    path = tmp_path / "queries.jsonl"
    ids = si.open(words).encode("to be").tolist()
    path.write_text(f'"to be"\n\n{json.dumps(ids)}\n""\n[]\n"\\u221e question"\n', encoding="utf-8")
    found = [(row["ngram"], row["count"]) for row in rows("count", words, "-f", str(path))]
    assert found == [("to be", 5), ("to be", 5), ("", NUM_WORDS), ("", NUM_WORDS), ("∞ question", 2)]
    assert rows("count", words, "--file", "-", stdin='"to be"\n')[0]["count"] == 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'"to be"\n{"a"\n', r"queries\.jsonl, line 2: malformed JSON \("),
        (b"to be\n", r"queries\.jsonl, line 1: malformed JSON \("),
        (b'"caf\xe9"\n', r"queries\.jsonl is not UTF-8"),
        (b"5\n", r"an n-gram is text or"),
        (b"null\n", r"an n-gram is text or"),
        (b'{"a": 1}\n', r"an n-gram is text or"),
        (b"[1.5]\n", r"integer"),
        (b'["to", "be"]\n', r"integer"),
        (b"[[1], [2]]\n", r"an n-gram is text or"),
        (b"[99999]\n", r"id 99999 is outside the vocabulary"),
        (b"[-1]\n", r"id -1 is outside the vocabulary"),
        (b"[1, 255, 1]\n", r"the separator 255 may only be the last id"),
        (b'"\\ud800"\n', r"is not Unicode"),
    ],
)
def test_a_line_that_is_no_ngram(tmp_path: Path, words: str, content: bytes, said: str) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_bytes(content)
    assert re.search(said, sentence("count", words, "-f", str(path)))


def test_tables_and_csv(words: str) -> None:
    table = run("count", words, "to be", "question", "--table", "--documents").stdout.splitlines()
    assert table[0].split() == ["ngram", "ids", "pieces", "count", "documents"]
    assert [line.split()[-2:] for line in table[1:]] == [["5", "2"], ["2", "2"]]
    assert len({len(line) for line in table}) == 1  # numbers stand to the right
    found = list(csv.DictReader(io.StringIO(run("count", words, 'to "be"', "a, b", "--csv").stdout)))
    assert [(row["ngram"], row["count"]) for row in found] == [('to "be"', "5"), ("a, b", "0")]
    assert json.loads(found[0]["pieces"]) == ["to", "be"]
    assert run("next", words, "nowhere", "--table").stdout == ""


def test_next(words: str, letters: str) -> None:
    found = rows("next", words, "be")
    index = si.open(words)
    assert [(row["piece"], row["count"], row["context_count"]) for row in found] == [
        (piece, count, 5) for piece, count in [("to", 2), ("or", 1), ("that", 1), ("<end of document>", 1)]
    ]
    assert found[0]["id"] == index.encode("to")[0]
    assert found[0]["prob"] == 0.4
    assert len(rows("next", words, "be", "-k", "2")) == 2
    assert rows("next", words, "--ids", str(index.encode("be")[0])) == found
    assert rows("next", words, "nowhere") == []
    assert rows("next", letters, "∞")[0]["piece"] == " "
    assert "nothing follows a document's end" in sentence("next", words, "--ids", "1 255")


def test_docs(words: str, corpus: Path) -> None:
    first, second = rows("docs", words, "to be")
    assert first == {
        "document_id": 0,
        "path": str(corpus),
        "line": 1,
        "count": 2,
        "tokens": 10,
        "offsets": [0, 4],
        "metadata": {"play": "Hamlet"},
    }
    assert (second["document_id"], second["line"], second["count"], second["metadata"]) == (4, 5, 3, {"year": 1999})
    assert rows("docs", words, "to be", "--limit", "1") == [first]
    assert rows("docs", words, "to be", "--offset", "1") == [second]
    assert rows("docs", words, "to be", "--text", "--limit", "1")[0]["text"] == "to be or not to be that is the question"
    assert rows("docs", words, "to be", "--sample", "5") == [first, second]
    sampled = [rows("docs", words, "to be", "--sample", "1", "--seed", str(seed)) for seed in range(20)]
    assert {row["document_id"] for (row,) in sampled} == {0, 4}
    assert rows("docs", words, "nowhere") == []
    assert rows("docs", words, "--ids", " ".join(map(str, si.open(words).encode("to be")))) == [first, second]
    assert len(run("docs", words, "to be", "--table").stdout.splitlines()) == 3


def test_docs_of_a_file_whose_name_is_no_unicode(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    try:
        Path(os.fsdecode(path)).write_text("au lait")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    done = process("build", os.fsdecode(path), "-o", str(tmp_path / "index"), "-t", "words")
    assert done.returncode == 0, done.stderr
    done = process("docs", str(tmp_path / "index"), "au lait")
    assert done.returncode == 0, done.stderr
    assert os.fsencode(json.loads(done.stdout)["path"]) == path
    assert process("docs", str(tmp_path / "index"), "au lait", "--table").returncode == 0


def test_concordance(words: str) -> None:
    found = rows("concordance", words, "to be", "--width", "2")
    assert [(row["document_id"], row["offset"], row["left"], row["match"], row["right"]) for row in found] == [
        (0, 0, "", "to be", "or not"),
        (0, 4, "or not", "to be", "that is"),
        (4, 0, "", "to be", "to be"),
        (4, 2, "to be", "to be", "to be"),
        (4, 4, "to be", "to be", ""),
    ]
    assert rows("concordance", words, "to be", "--width", "2", "--limit", "2", "--offset", "1") == found[1:3]
    assert {row["left"] for row in rows("concordance", words, "to be", "--width", "0")} == {""}
    assert len(run("concordance", words, "to be", "--csv").stdout.splitlines()) == 6


def test_documents_that_also_hold_something(words: str) -> None:
    index = si.open(words)
    found = rows("docs", words, "that", "--with", "question")
    assert [row["document_id"] for row in found] == index.document_ids("that", "question").tolist()
    assert len(found) == 2 == rows("cooccur", words, "that", "question")[0]["documents"]
    for row in found:
        [match] = index.documents(
            "question", where=index.holding("question") & (np.arange(index.num_documents) == row["document_id"])
        )
        assert row["with"] == {"question": match.offsets.tolist()}
    ids = " ".join(map(str, index.encode("question").tolist()))
    by_ids = rows("docs", words, "--ids", " ".join(map(str, index.encode("that").tolist())), "--with", ids)
    assert [row["document_id"] for row in by_ids] == [row["document_id"] for row in found]
    near = rows("docs", words, "to be", "--with", "question", "--window", "5")
    assert [row["document_id"] for row in near] == index.document_ids("to be", "question", window=5).tolist() != []
    assert rows("docs", words, "to be", "--with", "question", "--window", "4") == []
    assert rows("docs", words, "that", "--with", "question", "--with", "zzz") == []
    both = index.holding("question")
    assert rows("count", words, "that", "--with", "question")[0]["count"] == index.count("that", both)
    assert rows("next", words, "that", "--with", "question")[0]["context_count"] == index.count("that", both)
    lines = rows("concordance", words, "that", "--with", "question")
    assert [row["document_id"] for row in lines] == [line.document_id for line in index.concordance("that", where=both)]
    refused = CliRunner().invoke(main, ["docs", words, "that", "--window", "5"])
    assert refused.exit_code == 2 and "--window is between NGRAM and others: name them by --with" in refused.output


def test_cooccur(tmp_path: Path, words: str) -> None:
    assert rows("cooccur", words, "that", "question") == [{"ngrams": ["that", "question"], "documents": 2}]
    assert rows("cooccur", words, "to be", "question", "--window", "5") == [
        {"ngrams": ["to be", "question"], "documents": 1, "window": 5}
    ]
    assert rows("cooccur", words, "to be", "question", "--window", "4")[0]["documents"] == 0
    path = tmp_path / "pairs.jsonl"
    ids = si.open(words).encode("question").tolist()
    path.write_text(f'["that", "man"]\n[["man", "moot"], "that"]\n["is", {ids}, "the"]\n["zzz", "that"]\n')
    assert [row["documents"] for row in rows("cooccur", words, "-f", str(path))] == [1, 2, 2, 0]
    path.write_text('"that"\n')
    assert 'each line of --file must be a list of n-grams, as ["Alan Turing", "Enigma"]' in sentence(
        "cooccur", words, "-f", str(path)
    )
    for line in ("[]", "[[]]", "[5]", "[null]", '[{"a": 1}]', "[[1.5]]", '["a", [["b"]]]', "[1, 2]"):
        path.write_text(line + "\n")
        result = CliRunner().invoke(main, ["cooccur", words, "-f", str(path)])
        assert result.exception is None or isinstance(result.exception, SystemExit), (line, result.exception)
        assert result.exit_code == 1 or line == "[1, 2]", line


# ---- groups of documents and spellings ---------------------------------------------------------------------------


def test_count_by_a_field(words: str, corpus: Path) -> None:
    found = rows("count", words, "to be", "zzz", "--by", "play", "--documents")
    ids = si.open(words).encode("to be").tolist()
    asked = {"ngram": "to be", "ids": ids, "pieces": ["to", "be"], "field": "play"}
    assert found == [
        {**asked, "value": None, "count": 3, "documents": 1},
        {**asked, "value": "Hamlet", "count": 2, "documents": 1},
    ]
    assert [row["value"] for row in rows("count", words, "to be", "--by", "year")] == [1999, None]
    assert rows("count", words, "to be", "--by", "path")[0]["value"] == str(corpus)
    assert [row["count"] for row in rows("count", words, "to be", "--by", "play", "--where", "play=Hamlet")] == [2]
    assert "no document has a value in the field 'plays'; the first documents have path, play" in sentence(
        "count", words, "to be", "--by", "plays"
    )
    assert "the field 'n' holds a list in document 3" in sentence("count", words, "to be", "--by", "n")


def test_where(words: str) -> None:
    def counts(*conditions: str) -> list[int]:
        options = [part for condition in conditions for part in ("--where", condition)]
        return [row["count"] for row in rows("count", words, "to be", "that", *options)]

    assert counts("play=Hamlet") == counts('play="Hamlet"') == [2, 1]
    assert counts("year=1999") == counts("year=1990..2000") == counts("year=1999..2000") == [3, 0]
    assert counts("play=Hamlet", "play=null") == counts() == [5, 4]
    assert counts("poet=null", "play=null") == [3, 2]
    (row,) = rows("count", words, "to be", "--documents", "--where", "play=null")
    assert (row["count"], row["documents"]) == (3, 1)
    assert [(row["piece"], row["context_count"]) for row in rows("next", words, "be", "--where", "play=null")] == [
        ("to", 3),
        ("<end of document>", 3),
    ]
    assert [row["document_id"] for row in rows("docs", words, "to be", "--where", "play=null")] == [4]
    assert [row["document_id"] for row in rows("docs", words, "to be", "--sample", "9", "--where", "year=1999")] == [4]
    assert rows("cooccur", words, "that", "question", "--where", "play=Hamlet")[0]["documents"] == 1
    assert rows("cooccur", words, "that", "question", "--window", "9", "--where", "play=null")[0]["documents"] == 1


def test_where_that_holds_nowhere_says_what_there_is(words: str) -> None:
    for conditions in (["play=Lear"], ["year=1990..1999"], ["play=Hamlet", "year=1999"]):
        options = [part for condition in conditions for part in ("--where", condition)]
        result = run("count", words, "to be", *options)
        assert json.loads(result.stdout)["count"] == 0
        assert result.stderr.startswith("no document meets --where; there are ")
    assert result.stderr == 'no document meets --where; there are play: null, "Hamlet"; year: null, 1999\n'
    for condition in ("play", "=Hamlet", ""):
        assert "expected FIELD=VALUE, as year=1999 or step=0..1000" in sentence("count", words, "a", "--where", condition, code=2)
    assert "no document has a value in the field 'x'" in sentence("next", words, "a", "--where", "x=1")


def test_count_variants(words: str, letters: str) -> None:
    found = rows("count", letters, "to", "--variants", "space,case", "--documents")
    assert [(row["variant"], row["count"], row["documents"]) for row in found] == [
        ("to", 4, 2), (" to", 3, 2), ("To", 1, 1), (" To", 0, 0), ("TO", 0, 0), (" TO", 0, 0), (None, 5, 2),
    ]  # fmt: skip
    assert found[1]["pieces"] == [" ", "t", "o"]
    assert {row["ngram"] for row in found} == {"to"}
    (only, union) = rows("count", words, "To", "--variants", "space,case")
    assert (only["variant"], only["count"], union["count"], union["ids"]) == ("To", 5, 5, None)
    assert rows("count", words, "to", "--variants", "case", "--where", "play=Hamlet")[-1]["count"] == 2
    assert len(run("count", letters, "to", "--variants", "case", "--table").stdout.splitlines()) == 5
    assert "expected some of 'space', 'case'" in sentence("count", words, "to", "--variants", "spaces")
    assert "--variants takes text" in sentence("count", words, "--ids", "1", "--variants", "case")
    assert "--by and --variants do not go together" in sentence("count", words, "a", "--by", "n", "--variants", "case", code=2)


def test_a_text_that_stands_otherwise_in_a_longer_one_is_noted(tmp_path: Path) -> None:
    index = with_byte_level_tokens(tmp_path, "tokenizers")
    for arguments in (["count", index, "cat"], ["next", index, "cat"], ["docs", index, "cat"], ["concordance", index, "cat"]):
        result = run(*arguments)
        assert result.stderr == 'note: "cat" has other ids after other text, as in the middle of a sentence: ask " cat"\n'
    assert "note: " in run("cooccur", index, " cat", "the").stderr
    quiet = [[" cat"], ["--ids", "1"], ["-"], ["cat", "--variants", "space"]]
    for arguments in quiet:
        assert run("count", index, *arguments, stdin="cat\n").stderr == ""


# ---- real processes ----------------------------------------------------------------------------------------------


def loaded_by(code: str) -> set[str]:
    """Heavy packages that a fresh interpreter has loaded after running code."""
    script = f"import sys\n{code}\nprint(*sorted({set(HEAVY)!r} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_importing_loads_nothing_heavy() -> None:
    assert loaded_by("import suffixindex; suffixindex.SuffixIndex; suffixindex.open") == set()
    assert loaded_by("from suffixindex.kernels.words import renumber") >= {"numba"}


def test_help_loads_nothing_heavy() -> None:
    for arguments in (["--help"], ["build", "--help"], ["count", "--help"], ["--version"]):
        code = f"from suffixindex.cli import main\nassert main({arguments!r}, standalone_mode=False) == 0"
        assert loaded_by(code) == set(), arguments


def test_questions_of_one_ngram_load_no_compiler(words: str) -> None:
    for arguments in (
        ["count", words, "to be"],
        ["docs", words, "to be", "--text"],
        ["concordance", words, "to be"],
        ["info", words],
    ):
        code = f"from suffixindex.cli import main\nmain({arguments!r}, standalone_mode=False)"
        assert loaded_by(code) == set(), arguments


def test_a_real_process_keeps_data_and_talk_apart(tmp_path: Path, corpus: Path) -> None:
    index = str(tmp_path / "index")
    done = process("build", str(corpus), "-o", index, "-t", "words")
    assert done.returncode == 0
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 2  # the report: no bar where there is no terminal
    assert b"\r" not in done.stderr
    done = process("count", index, "-", stdin="∞\nto be\n".encode(), env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert [json.loads(line)["count"] for line in done.stdout.splitlines()] == [NUM_WORDS, 5]
    assert done.stderr == b""
    done = process("count", str(tmp_path), "a")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"Error: ")
    done = process("count", index)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"Usage: suffixindex count")


def test_a_reader_that_stops_early_is_no_error_to_shout_about(tmp_path: Path, words: str) -> None:
    queries = tmp_path / "queries.txt"
    queries.write_text("to be\n" * 20_000)
    command = [sys.executable, "-m", "suffixindex", "count", words, "-"]
    with queries.open("rb") as file, subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        assert shell.stderr is not None
        assert json.loads(shell.stdout.readline())["count"] == 5
        shell.stdout.close()
        complaint = shell.stderr.read()
    assert complaint == b""


def with_byte_level_tokens(folder: Path, engine: str) -> str:
    """An index of a sentence by a tiny byte-level tokenizer."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["the cat sat on the mat"] * 9, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "a.txt").write_text("the cat sat on the other mat")
    arguments = ["build", str(folder / "a.txt"), "-t", str(folder / "tokenizer.json"), "-o", str(folder / engine)]
    run(*arguments, "--tokenizer-engine", engine)
    return str(folder / engine)


def test_the_reference_engine_can_be_asked_for(tmp_path: Path) -> None:
    """The sentence of a failed comparison of the engines names this option; the index is the same."""
    engines = [Path(with_byte_level_tokens(tmp_path, engine)) for engine in ("fastokens", "tokenizers")]
    first, second = [(engine / "shards" / "00000" / "tokens.u16").read_bytes() for engine in engines]
    assert first == second
    with si.open(engines[1]) as index:
        assert index.decode(index.document(0).token_ids) == "the cat sat on the other mat"


# ---- whole texts -------------------------------------------------------------------------------------------------


def test_infgram(words: str) -> None:
    found = rows("infgram", words, "the moot to be", "-k", "1")
    assert [(row["piece"], row["count"], row["suffix_length"], row["context_count"]) for row in found] == [("to", 2, 2, 5)]
    assert rows("infgram", words, "moot", "-k", "1")[0]["piece"] == "<end of document>"
    assert "outside the vocabulary" in sentence("infgram", words, "--ids", "99")


def test_score(words: str, tmp_path: Path) -> None:
    (row,) = rows("score", words, "to be moot")
    assert (row["tokens"], row["zero_prob_tokens"], row["mean_suffix_length"]) == (3, 1, 1.0)
    probs = [row["prob"] for row in rows("score", words, "to be moot", "--tokens")]
    assert probs == [pytest.approx(5 / NUM_WORDS), 1.0, 0.0]
    assert row["log_prob"] == pytest.approx(math.log(probs[0]))
    assert row["perplexity"] == pytest.approx(math.exp(-math.log(probs[0]) / 2))
    (tmp_path / "texts.jsonl").write_text('"to be moot"\n[1]\n""\n')
    many = rows("score", words, "-f", str(tmp_path / "texts.jsonl"))
    assert many[0] == row and many[1]["text"] == "to" and many[2]["perplexity"] is None
    assert [row["text"] for row in rows("score", words, "-", stdin="to\nbe\n")] == ["to", "be"]


def test_spans(words: str) -> None:
    found = rows("spans", words, "not to be a man", "--min-length", "2")
    assert [(row["start"], row["tokens"], row["text"], row["count"]) for row in found] == [
        (0, 3, "not to be", 1),
        (3, 2, "a man", 2),
    ]
    assert len(found[0]["documents"]) == 1
    assert rows("spans", words, "not to be a man", "--limit", "0", "--min-length", "3")[0]["documents"] == []


def test_bench(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SINGLE", "BULK", "TEXT"):
        monkeypatch.setattr(latency, name, 20)
    found = rows("bench", words)
    assert {"count", "counts, in bulk", "next_tokens", "cooccurrence", "score, a token"} <= {row["question"] for row in found}
    assert all(row["microseconds"] > 0 for row in found)


# ---- the whole corpus --------------------------------------------------------------------------------------------


def test_top(words: str) -> None:
    expected = [("to be", 5), ("be to", 2)]
    assert [(row["ngram"], row["count"]) for row in rows("top", words, "-n", "2", "-k", "2")] == expected
    (first,) = rows("top", words, "-n", "2", "-k", "1")
    assert first == {**rows("count", words, "to be")[0]}
    assert rows("top", words, "-n", "100") == []
    assert run("top", words, "-n", "1", "-k", "1", "--csv").stdout.splitlines()[0] == "ngram,ids,pieces,count"


def test_statistics(words: str) -> None:
    found = rows("statistics", words, "--max-n", "3")
    assert [row["n"] for row in found] == [1, 2, 3]
    assert found[0]["ngrams"] == NUM_WORDS
    with si.open(words) as index:
        assert [row["distinct"] for row in found] == index.distinct_ngrams(3).tolist()
        assert [row["once"] for row in found] == index.count_of_counts(3, 1)[:, 0].tolist()
    assert run("statistics", words, "--table").stdout.split()[:4] == ["n", "ngrams", "distinct", "once"]


def test_duplicates(words: str) -> None:
    result = run("duplicates", words, "--min-length", "2", "--limit", "1", "--max-documents", "1")
    (found,) = map(json.loads, result.stdout.splitlines())
    saved = {"tokens": 2, "count": 5, "documents": 2, "saved_tokens": 8, "document_ids": [0]}
    assert found == {**saved, "begins": "to be"}
    assert re.fullmatch(rf"\d+ passages of 2 tokens or more hold \d+ of the corpus's {NUM_WORDS} tokens\n", result.stderr)
    longest = run("duplicates", words, "--min-length", "2", "--order", "length", "--text").stdout.splitlines()[0]
    assert json.loads(longest)["text"] == "to be to be"
    result = run("duplicates", words, "--csv")
    assert (result.stdout, result.stderr) == ("", f"0 passages of 50 tokens or more hold 0 of the corpus's {NUM_WORDS} tokens\n")


def test_statistics_that_cannot_be_had_are_a_sentence(words: str) -> None:
    assert "n is 0: expected 1 or more" in sentence("top", words, "-n", "0")
    assert "k is 0: expected 1 or more" in sentence("top", words, "-n", "1", "-k", "0")
    assert "max_n is -1: expected 1 or more" in sentence("statistics", words, "--max-n", "-1")
    assert "min_length is 0: expected 1 or more" in sentence("duplicates", words, "--min-length", "0")
    assert "limit is -1: expected 0 or more" in sentence("duplicates", words, "--limit", "-1")
    assert "Missing option '-n'" in sentence("top", words, code=2)
