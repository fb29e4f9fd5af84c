"""The commands that ask an index: every option, and what they print."""

import csv
import io
import json
import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import suffixindex as si
from suffixindex.cli import latency
from suffixindex.cli.main import main
from tests.helpers import building
from tests.helpers.shell import NUM_WORDS, process, rows, run, sentence, with_byte_level_tokens

# ---- questions ---------------------------------------------------------------------------------------------------


def test_count_shows_what_was_looked_up(words: str, letters: str) -> None:
    first, second = rows("count", words, "To BE", "nowhere")
    ids = si.open(words).encode("to be").tolist()
    assert first == {"ngram": "To BE", "ids": ids, "pieces": ["to", "be"], "count": 5}
    assert second == {"ngram": "nowhere", "ids": [0], "pieces": ["?"], "count": 0}
    assert rows("count", letters, "∞", "at")[0]["ids"] == list("∞".encode())
    assert [row["count"] for row in rows("count", letters, "at", "To be")] == [4, 1]


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
    assert [row["count"] for row in rows("count", words, "-", stdin="to be\r\nquestion\nzzz")] == [5, 2, 0]
    assert [row["ngram"] for row in rows("count", letters, "-", stdin=" a \n∞\n")] == [" a ", "∞"]
    assert rows("count", words, "--ids", "-", stdin="1\n1 2\n")[1]["ids"] == [1, 2]
    assert rows("count", words, "-", stdin="") == []
    assert "standard input, line 1: not UTF-8: byte 0xe9 at offset 3" in sentence("count", words, "-", stdin=b"caf\xe9\n")


def test_count_a_file_of_json_lines(tmp_path: Path, words: str) -> None:
    path = tmp_path / "queries.jsonl"
    ids = si.open(words).encode("to be").tolist()
    path.write_text(f'"to be"\n\n{json.dumps(ids)}\n[]\n"\\u221e question"\n', encoding="utf-8")
    found = [(row["ngram"], row["count"]) for row in rows("count", words, "-f", str(path))]
    assert found == [("to be", 5), ("to be", 5), ("", NUM_WORDS), ("∞ question", 2)]
    assert rows("count", words, "--file", "-", stdin='"to be"\n')[0]["count"] == 5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'"to be"\n{"a"\n', r"queries\.jsonl, line 2: malformed JSON \("),
        (b"[" * 100_000, r"queries\.jsonl, line 1: malformed JSON \(nested too deeply\)"),
        (b"to be\n", r"queries\.jsonl, line 1: malformed JSON \("),
        (b'"caf\xe9"\n', r"queries\.jsonl, line 1: not UTF-8"),
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


def test_long_lists_are_whole_but_in_a_table(letters: str) -> None:
    text = "to be to be to be"
    index = si.open(letters)
    table = run("count", letters, text, "--table").stdout
    assert "[116, 111, 32, 98, 101, 32, … 17 in all]" in table and str(index.encode(text).tolist()) not in table
    assert str(index.encode(text).tolist()) in run("count", letters, text, "--csv").stdout
    assert rows("count", letters, text)[0]["ids"] == index.encode(text).tolist()


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


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Thirteen documents that say "the" twice, one that does not."""
    folder = tmp_path_factory.mktemp("repeated")
    corpus = building.write_jsonl(folder / "a.jsonl", ["the cat the dog"] * 13 + ["a bird"])
    si.build(corpus, folder / "index", tokenizer="words", progress=False)
    return str(folder / "index")


@pytest.mark.parametrize(("command", "total", "noun"), [("docs", 13, "documents"), ("concordance", 26, "occurrences")])
def test_what_is_not_shown_is_said(repeated: str, command: str, total: int, noun: str) -> None:
    first = run(command, repeated, "the")
    assert len(first.stdout.splitlines()) == 10
    assert first.stderr == f"10 of {total} {noun}: --limit N shows so many, --limit all every one\n"
    assert len(rows(command, repeated, "the", "--limit", "all")) == total
    assert len(rows(command, repeated, "the", "--limit", "11")) == 11
    assert rows(command, repeated, "the", "--limit", "0") == []
    assert rows(command, repeated, "the", "--limit", "all", "--offset", str(total - 1)) == rows(
        command, repeated, "the", "--offset", str(total - 1)
    )
    assert rows(command, repeated, "the", "--limit", "all")[:10] == [json.loads(line) for line in first.stdout.splitlines()]
    assert len(rows(command, repeated, "the", "--offset", str(total - 10))) == 10
    assert rows(command, repeated, "bird") != []
    for wrong in ("-1", "some", "", "4294967297"):
        sentence(command, repeated, "the", "--limit", wrong, code=2)


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
    assert "no document has a value in the field 'plays'; documents have path, play" in sentence(
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
    assert rows("spans", words, "not to be a man", "--max-documents", "0", "--min-length", "3")[0]["documents"] == []
    old = run("spans", words, "not to be a man", "--limit", "0", "--min-length", "3")
    assert json.loads(old.stdout)["documents"] == []
    assert old.stderr == "note: --limit of spans is called --max-documents now\n"


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
    assert "0 is not in the range" in sentence("top", words, "-n", "0", code=2)
    assert "0 is not in the range" in sentence("top", words, "-n", "1", "-k", "0", code=2)
    assert "-1 is not in the range" in sentence("statistics", words, "--max-n", "-1", code=2)
    assert "0 is not in the range" in sentence("duplicates", words, "--min-length", "0", code=2)
    assert "-1 is not in the range" in sentence("duplicates", words, "--limit", "-1", code=2)
    assert "Missing option '-n'. Tokens of an n-gram" in sentence("top", words, code=2)


def test_duplicates_without_a_limit_are_all_of_them(words: str) -> None:
    every = run("duplicates", words, "--min-length", "1", "--limit", "all")
    assert len(every.stdout.splitlines()) == int(every.stderr.split()[0])
    assert run("duplicates", words, "--min-length", "1", "--limit", "0").stdout == ""
