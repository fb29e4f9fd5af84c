"""Spellings, their union, and texts that a tokenizer encodes otherwise inside a longer one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import suffixindex as si
from tests import oracle
from tests.helpers import building

TEXTS = ["natural selection is natural", "Natural Selection", "the NATURAL selection, naturally", "unnatural", ""]
TRAINED_ON = "a natural is a natural and the selection (the natural one)"
FEWER = max(5, settings.default.max_examples // 3)  # examples where each is a whole build
LETTERS = st.text(alphabet="aB .", max_size=8)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, list[str]], si.SuffixIndex]:
    """Build an index of texts by ``bytes``, ``words`` or ``tokens``."""
    made = tmp_path_factory.mktemp("variants")
    tokenizer = {"bytes": "bytes", "words": "words"}

    def build(kind: str, texts: list[str]) -> si.SuffixIndex:
        if kind not in tokenizer:
            tokenizer[kind] = str(building.write_tokenizer(made, TRAINED_ON, size=330))
        folder = tmp_path_factory.mktemp(kind)
        corpus = building.write_jsonl(folder / "corpus.jsonl", texts, place=list(range(len(texts))))
        si.build(corpus, folder / "index", tokenizer=tokenizer[kind], progress=False)
        return si.open(folder / "index")

    return build


@pytest.fixture(scope="module")
def tokens(build: Callable[[str, list[str]], si.SuffixIndex]) -> si.SuffixIndex:
    return build("tokens", TEXTS)


@pytest.fixture(scope="module")
def letters(build: Callable[[str, list[str]], si.SuffixIndex]) -> si.SuffixIndex:
    return build("bytes", TEXTS)


@pytest.fixture(scope="module")
def words(build: Callable[[str, list[str]], si.SuffixIndex]) -> si.SuffixIndex:
    return build("words", TEXTS)


def spelled(index: si.SuffixIndex, text: str, *kinds: str) -> list[str]:
    return [variant.text for variant in index.variants(text, kinds)]


# ---- spellings ---------------------------------------------------------------------------------------------------


def test_spellings(letters: si.SuffixIndex, words: si.SuffixIndex) -> None:
    assert spelled(letters, "an old pond", "space") == ["an old pond", " an old pond"]
    assert spelled(letters, " an", "space") == [" an", "an"]
    assert spelled(letters, "  an", "space") == ["  an", " an"]
    assert spelled(letters, "an old pond", "case") == ["an old pond", "An old pond", "An Old Pond", "AN OLD POND"]
    assert spelled(letters, "don't (ask) 3d", "case") == ["don't (ask) 3d", "Don't (ask) 3d", "Don't (Ask) 3d", "DON'T (ASK) 3D"]
    assert spelled(letters, "the GPT pond", "case") == [
        "the GPT pond", "the gpt pond", "The GPT pond", "The gpt pond", "The GPT Pond", "The Gpt Pond", "THE GPT POND",
    ]  # fmt: skip
    assert spelled(letters, "an", "space", "case") == ["an", " an", "An", " An", "AN", " AN"]
    assert spelled(letters, "an") == spelled(letters, "an", "case")[:1]
    assert spelled(letters, "...", "case") == ["..."]
    assert spelled(words, "An OLD pond", "space", "case") == ["An OLD pond"]  # one spelling of anything
    assert letters.variants("an") == letters.variants("an", ["space", "case"])


@given(text=st.text(alphabet="abz -", min_size=1, max_size=8))
def test_spellings_do_not_depend_on_which_comes_in(letters: si.SuffixIndex, text: str) -> None:
    everything = set(spelled(letters, text, "case"))
    for spelling in everything:
        assert set(spelled(letters, spelling, "case")) == everything
    found = letters.variants(text)
    assert found[0].text == text
    assert len({variant.token_ids for variant in found}) == len(found)
    assert all(tuple(letters.encode(variant.text).tolist()) == variant.token_ids for variant in found)


def test_bad_kinds_are_a_sentence(letters: si.SuffixIndex) -> None:
    for kinds in (["spaces"], "space", ["space", ""]):
        with pytest.raises(si.QueryError, match="expected some of 'space', 'case', 'unicode' in a list"):
            letters.variants("an", kinds)
    for ngram in ([1, 2], None, b"an"):
        with pytest.raises(si.QueryError, match="only text has variants"):
            letters.variants(ngram)  # type: ignore[arg-type]
    with pytest.raises(si.QueryError, match="not Unicode"):
        letters.count_variants("\ud800")


# ---- their union -------------------------------------------------------------------------------------------------


def check(index: si.SuffixIndex, text: str, kinds: list[str]) -> None:
    documents = [index.document(number).token_ids.tolist() for number in range(index.num_documents)]
    found = index.count_variants(text, kinds)
    ngrams = [list(variant.token_ids) for variant in found.variants]
    separator = index.separator
    assert [si.Variant(variant.text, variant.token_ids) for variant in found.variants] == index.variants(text, kinds)
    assert [variant.count for variant in found.variants] == [oracle.count(documents, ngram, separator) for ngram in ngrams]
    assert [variant.num_documents for variant in found.variants] == [
        oracle.document_count(documents, ngram, separator) for ngram in ngrams
    ]
    assert (found.count, found.num_documents) == oracle.union(documents, ngrams, separator)
    only = index.count_variants(text, kinds, where={"place": range(1)})
    assert (only.count, only.num_documents) == oracle.union(documents[:1], ngrams, separator)


@pytest.mark.usefixtures("no_fsync")
@given(
    written=st.lists(LETTERS, min_size=1, max_size=4), text=LETTERS.filter(bool), kind=st.sampled_from(["bytes", "words", "tokens"])
)
@example(written=["a aa a", " a"], text="a", kind="bytes")
@example(written=["a a"], text=" ", kind="bytes")
@example(written=[" a  a"], text="  a", kind="tokens")
@settings(max_examples=FEWER)
def test_the_union_of_spellings(build: Callable[..., Any], written: list[str], text: str, kind: str) -> None:
    index = build(kind, written)
    if index.encode(text).tolist():  # spellings of nothing are no question
        for kinds in (["space"], ["case"], ["space", "case"], []):
            check(index, text, kinds)


@pytest.mark.parametrize("text", ["natural", " Natural Selection", "selection", "nat", "the natural", "."])
def test_the_union_in_text(tokens: si.SuffixIndex, letters: si.SuffixIndex, words: si.SuffixIndex, text: str) -> None:
    for index in (tokens, letters, words):
        if len(index.encode(text)):
            check(index, text, ["space", "case"])


def test_a_union_counts_no_occurrence_twice(tokens: si.SuffixIndex, letters: si.SuffixIndex, words: si.SuffixIndex) -> None:
    assert sum("natural" in text.lower() for text in TEXTS) == 4
    found = letters.count_variants("natural")
    assert {variant.text: variant.count for variant in found.variants} == {
        "natural": 4, " natural": 2, "Natural": 1, " Natural": 0, "NATURAL": 1, " NATURAL": 1,
    }  # fmt: skip
    assert (found.count, found.num_documents) == (6, 4)
    assert words.count_variants("natural")[1:] == (4, 3)
    assert tokens.count_variants("natural", ["space"]).count == tokens.count("natural") + tokens.count(" natural")


# ---- texts inside longer ones ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("natural", '"natural" has other ids after other text, as in the middle of a sentence: ask " natural"'),
        ("natural ", '"natural " has other ids inside a longer text, as in the middle of a sentence: ask " natural"'),
        (" natural ", '" natural " has other ids before other text, as in the middle of a sentence: ask " natural"'),
        (" natural", None),
        (" natural selection", None),
        ("(the natural", '"(the natural" has other ids after other text, as in the middle of a sentence: ask " (the natural"'),
        (", natural", None),
        ("'s", None),
        ("自然", None),
        ("\n", None),
        ("", None),
    ],
)
def test_a_text_that_stands_otherwise_in_a_longer_one(tokens: si.SuffixIndex, text: str, said: str | None) -> None:
    assert tokens.boundary_warning(text) == said


@pytest.mark.parametrize("text", ["natural", "natural ", " natural", "(the", "natur", "", " ", "∞", "'", "12 "])
def test_no_alarm_where_nothing_changes(letters: si.SuffixIndex, words: si.SuffixIndex, text: str) -> None:
    assert letters.boundary_warning(text) is None
    assert words.boundary_warning(text) is None


def test_a_tokenizer_that_puts_a_space_first_itself(tmp_path: Path) -> None:
    content = json.loads(building.write_tokenizer(tmp_path, TRAINED_ON, size=330).read_text())
    content["pre_tokenizer"]["add_prefix_space"] = True
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    corpus = building.write_jsonl(tmp_path / "corpus.jsonl", TEXTS)
    si.build(corpus, tmp_path / "index", tokenizer=str(tmp_path), progress=False)
    with si.open(tmp_path / "index") as index:
        assert index.boundary_warning("natural") is None
        assert len(index.variants("natural", ["space"])) == 1
