"""Patterns in the shell: with --pattern, and in files of JSON lines."""

import json
from pathlib import Path

import suffixindex as si
from tests.helpers.shell import rows, run, sentence, with_byte_level_tokens


def test_count(words: str) -> None:
    to, be, is_, question = si.open(words).encode("to be is question").tolist()
    first, second, third = rows("count", words, "--pattern", "to * to", "(to|is) *{0,2} (be|question)", "to be", "--documents")
    assert first == {"ngram": "to * to", "ids": [to, "*", to], "pieces": ["to", "*", "to"], "count": 2, "documents": 1}
    assert second["ids"] == [[[to], [is_]], "*{0,2}", [[be], [question]]]
    assert second["pieces"] == [[["to"], ["is"]], "*{0,2}", [["be"], ["question"]]]
    # each "to be" and, at the end, "to be to be"; "is the question", "is that the question"
    assert (second["count"], second["documents"]) == (5 + 2 + 2, 3)
    assert (third["ids"], third["count"], third["documents"]) == ([to, be], 5, 2)
    with si.open(words) as index:
        found = index.count([["to", "is"], si.gap(0, 2), ["be", "question"]])
    assert second["count"] == found


def test_ids_and_bytes(words: str, letters: str) -> None:
    to = int(si.open(words).encode("to")[0])
    assert rows("count", words, "--ids", "--pattern", f"{to} * {to}")[0]["count"] == 2
    assert rows("count", letters, "--pattern", "t* be", "th*t", "a*{1,2}t")[0]["pieces"] == ["t", "*", " ", "b", "e"]
    assert [row["count"] for row in rows("count", letters, "--pattern", "t* be", "th*t")] == [4, 3]


def test_files_of_json_lines(tmp_path: Path, words: str) -> None:
    path = tmp_path / "queries.jsonl"
    lines = [["to", {"gap": [1, 1]}, "to"], {"pattern": ["to", "be"]}, [["to", "is"], {"gap": [0, 2]}, ["be", "question"]]]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [row["count"] for row in rows("count", words, "-f", str(path))] == [2, 5, 9]
    assert rows("count", words, "-f", str(path))[0]["ngram"] == "to * to"
    path.write_text('"to * to"\n')
    assert rows("count", words, "--pattern", "-f", str(path))[0]["count"] == 2
    path.write_text(json.dumps([["to", {"gap": [1, 1]}, "to"], "be"]) + "\n")
    (row,) = rows("cooccur", words, "-f", str(path))
    assert row == {"ngrams": [["to", {"gap": [1, 1]}, "to"], "be"], "documents": 1}


def test_the_other_commands(words: str) -> None:
    following = rows("next", words, "--pattern", "to * to")
    assert [(row["piece"], row["count"], row["context_count"]) for row in following] == [("be", 2, 2)]
    lines = rows("concordance", words, "--pattern", "that *{0,1} that")
    assert [(line["left"], line["match"], line["right"]) for line in lines] == [("", "that is that", "the question is moot")]
    (match,) = rows("docs", words, "--pattern", "to * to", "--with", "be * be")
    assert (match["count"], match["offsets"], match["with"]) == (2, [0, 2], {"be * be": [1, 3]})
    assert rows("cooccur", words, "--pattern", "to * to", "be * be", "--window", "1") == [
        {"ngrams": ["to * to", "be * be"], "documents": 1, "window": 1}
    ]
    assert {row["value"]: row["count"] for row in rows("count", words, "--pattern", "to * to", "--by", "year")} == {1999: 2}
    assert [row["count"] for row in rows("count", words, "--pattern", "(to|is) *", "--with", "moot")] == [2]


def test_what_is_refused(words: str) -> None:
    assert "neither a word nor a hole" in sentence("count", words, "--pattern", "que*")
    assert "a gap has from 2 to 1 tokens" in sentence("next", words, "--pattern", "to *{2,1}")
    assert "may be of no token at all" in sentence("docs", words, "--pattern", "*{0,1}")
    assert "patterns have no spellings" in sentence("count", words, "--pattern", "to *", "--variants", "case")
    run("infgram", words, "--pattern", "to *", code=2)


def test_the_first_text_is_noted_if_it_has_other_ids_in_a_sentence(tmp_path: Path) -> None:
    index = with_byte_level_tokens(tmp_path, "tokenizers")
    shown = run("count", index, "--pattern", "the * on", " the * on", "--table")
    assert [line.split()[-1] for line in shown.stdout.splitlines()[1:]] == ["0", "0"]
    assert shown.stderr.startswith('note: "the" has other ids')
    assert rows("count", index, "--pattern", " cat * on")[0]["count"] == 1
