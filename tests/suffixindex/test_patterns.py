"""Patterns as users write them: in a line of a shell, as JSON, in Python; and how their texts are encoded."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.patterns import CheckedPattern, Pattern, from_json, parse_pattern, to_json
from tests.helpers import building

ANY, gap = si.ANY, si.gap


@pytest.mark.parametrize(
    ("line", "elements"),
    [
        ("the * of", ("the", ANY, "of")),
        (" the *{0,3} of ", (" the", gap(0, 3), "of ")),
        ("in the * * of the", ("in the", ANY, ANY, "of the")),
        ("a *{2} b", ("a", gap(2, 2), "b")),
        ("(color|colour) of", (("color", "colour"), "of")),
        (" (a| b ) of", ((" a", " b"), "of")),
        ("(very|) old", (("very", ()), "old")),
        (r"2 \* 3 * \(x\) a\\b", ("2 * 3", ANY, r"(x) a\b")),
        (r"(a\|b|\)) *", (("a|b", ")"), ANY)),
        ("the end", ("the end",)),
        ("*", (ANY,)),
    ],
)
def test_a_line(line: str, elements: tuple[Any, ...]) -> None:
    parsed = parse_pattern(line)
    assert parsed == Pattern(elements)
    assert str(parsed) == line


def test_a_line_of_ids_and_of_bytes() -> None:
    assert parse_pattern("510 * 3 (4|5 6)", ids=True) == Pattern(((510,), ANY, (3,), ((4,), (5, 6))))
    assert parse_pattern("colo(u|)r of* x", keep_spaces=True) == Pattern(("colo", ("u", ()), "r of", ANY, " x"))
    with pytest.raises(si.QueryError, match="integers and holes"):
        parse_pattern("510 * x", ids=True)


@pytest.mark.parametrize("line", ["run* x", "a ** b", "(a|b", "(a|b)s", "a|b", "x) y", "*{2,} a", "*{,3} a", "a \\"])
def test_what_is_no_pattern_is_named(line: str) -> None:
    with pytest.raises(si.QueryError, match=r"in a pattern is neither a word nor a hole: write .* for any token"):
        parse_pattern(line)


def test_an_empty_line_and_a_gap_that_is_none() -> None:
    with pytest.raises(si.QueryError, match="the pattern is empty"):
        parse_pattern("")
    with pytest.raises(si.QueryError, match="a gap has from 3 to 1 tokens"):
        parse_pattern("a *{3,1} b")


WORD = st.text(alphabet="ab*()|\\é", min_size=1, max_size=4)
HOLE = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda gap: si.gap(gap[0], gap[0] + gap[1]))
CHOICE = st.lists(WORD, min_size=1, max_size=3)


@given(elements=st.lists(st.one_of(HOLE, CHOICE), min_size=1, max_size=5), first=WORD)
def test_a_pattern_is_read_as_it_is_shown(elements: list[Any], first: str) -> None:
    given = si.pattern(first, *elements)
    assert parse_pattern(str(given)) == given
    assert from_json(to_json(given)) == given


def test_json() -> None:
    assert from_json(["the", {"gap": [0, 3]}, "of"]) == ["the", gap(0, 3), "of"]
    assert from_json([{"pattern": [["a", "b"], 7]}, "c"]) == [si.pattern(["a", "b"], 7), "c"]
    for bad in ({"gap": 3}, {"gap": [1]}, {"pattern": "a"}, {"holes": []}, {"gap": [0, 1], "pattern": []}):
        with pytest.raises(si.QueryError, match="an n-gram is text or ids, found"):
            from_json([bad])
    with pytest.raises(si.QueryError, match="a gap has from 2 to 1"):
        from_json({"gap": [2, 1]})


# ---- encoded -----------------------------------------------------------------------------------------------------

TEXTS = ["the colour of the sea, the depth of the sea", "in the color of money", "the cat of the house"] * 3


@pytest.fixture(scope="module")
def subwords(tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    """A byte-level tokenizer, to which a space belongs to the word behind it."""
    folder = tmp_path_factory.mktemp("subwords")
    corpus = building.write_jsonl(folder / "corpus.jsonl", TEXTS)
    tokenizer = building.write_tokenizer(folder, " ".join(TEXTS), size=300)
    si.build(corpus, folder / "index", tokenizer=str(tokenizer), progress=False)
    return si.open(folder / "index")


def test_texts_inside_a_pattern_are_words_of_a_sentence(subwords: si.SuffixIndex) -> None:
    index = subwords
    inside = index.encode(" of").tolist()
    assert index.encode("of").tolist() != inside
    for asked in (["x", ANY, "of"], ["x", ANY, " of"], ["x", ANY, ["of", " of"]], [ANY, "of"]):
        checked = index.checker.query(asked)
        assert isinstance(checked, CheckedPattern)
        assert checked.parts[-1] == (tuple(inside),)
    assert index.checker.query(si.pattern("x", "of")).tolist() == index.encode("x of").tolist()  # type: ignore[union-attr]
    comma = index.checker.query(["x", ANY, ","])
    assert comma.parts[-1] == (tuple(index.encode(",").tolist()),)  # type: ignore[union-attr]
    assert index.checker.query(["of", ANY]).parts[0] == (tuple(index.encode("of").tolist()),)  # type: ignore[union-attr]
    wide = index.checker.query(["x", ANY, "的", ANY, "ไทย"])
    assert [part[0] for part in wide.parts[1:]] == [tuple(index.encode(one).tolist()) for one in ("的", "ไทย")]  # type: ignore[union-attr]
    sea = index.checker.query([" the", gap(1, 40), "sea"])
    assert index.count(sea) == 6  # in each first text, from the first and the second " the" to the last " sea"


def test_bytes_are_as_they_are_given(tmp_path: Path) -> None:
    si.build(building.write_jsonl(tmp_path / "a.jsonl", TEXTS), tmp_path / "index", tokenizer="bytes", progress=False)
    with si.open(tmp_path / "index") as index:
        assert index.count(["colo", ["u", []], "r of"]) == 6
        assert index.count(["colo", gap(0, 1), "r of"]) == 6
        assert index.count(["the", ANY, "of"]) == 0
