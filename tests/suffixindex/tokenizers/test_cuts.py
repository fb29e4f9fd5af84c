"""Texts are cut where that is exact: the ids of the parts are those of the whole, and the reference gets no more than it must."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffixindex.tokenizers.cuts import AFTER, GPT2, cuts_of, doubtful_strings
from suffixindex.tokenizers.engine_differences import PROBES
from suffixindex.tokenizers.regexes import Regex, UnprovableError
from tests.helpers.pipelines import FAST, FRAGMENTS, SPLITS, TEXTS, byte_level, sentencepiece, tokenizers, with_added

PIPELINES = {name: build() for name, build in FAST.items()} | {
    "rstrip": with_added(byte_level(), ("<go", "rstrip"), ("a b", "")),
    "string": byte_level()
    | {
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"String": "e "}, "behavior": "Isolated", "invert": False},
                byte_level()["pre_tokenizer"],
            ],
        }
    },
    "deepseek": byte_level()
    | {
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
                for regex in (r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", SPLITS["cl100k"])
            ]
            + [{"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}],
        }
    },
}
REFERENCES = {name: tokenizers.Tokenizer.from_str(json.dumps(pipeline)) for name, pipeline in PIPELINES.items()}
CUTS = {name: cuts_of(pipeline) for name, pipeline in PIPELINES.items()}
LETTERS = [" a", "a ", "e ", "<go ", "a b", "1 ", "x\n", "été ", "中。", "ſ ", "'ſ", "\u212a ", " \u180e", "  ", "É ", ". ", ", "]


def ids(name: str, text: str) -> list[int]:
    return REFERENCES[name].encode(text, add_special_tokens=False).ids


@given(st.lists(st.one_of(FRAGMENTS, st.sampled_from(LETTERS)), max_size=30).map("".join))
def test_the_ids_of_the_parts_are_those_of_the_whole(text: str) -> None:
    for name, cuts in CUTS.items():
        if cuts is None:
            continue
        places = [place for place in range(1, len(text)) if cuts.exact(text[place - 1], text[place])]
        parts = [text[start:stop] for start, stop in zip([0, *places], [*places, len(text)], strict=True)]
        assert [number for part in parts for number in ids(name, part)] == ids(name, text), name


@pytest.mark.parametrize("name", PIPELINES)
def test_words_are_cut_apart(name: str) -> None:
    cuts = CUTS[name]
    if name == "llama2":
        assert cuts is None  # no split at all: the whole text is one piece
        return
    assert cuts is not None and cuts.exact("n", " ") and cuts.exact("中", " ")
    assert not cuts.exact(" ", "n") and not cuts.exact("n", "s") and not cuts.exact("\u180e", " ")


def test_what_forbids_a_cut() -> None:
    rstrip, string, prefix, lower = (CUTS[name] for name in ("rstrip", "string", "gpt2-prefix-space", "lower"))
    assert rstrip and string and prefix and lower
    assert not rstrip.exact("o", " ") and not rstrip.exact("a", " ") and rstrip.exact("o", ".")
    assert not string.exact("e", " ") and string.exact("d", " ")
    assert not prefix.exact("d", "\n") and prefix.exact("d", " ")
    assert not lower.exact("D", " ") and lower.exact("d", " ")
    assert cuts_of(sentencepiece(metaspace=True)) is None


def test_stretches_hold_what_is_doubtful_and_little_else() -> None:
    cuts = CUTS["llama3"]
    assert cuts is not None
    doubtful = doubtful_strings(PIPELINES["llama3"])
    text = "alte Zeit, daſz 'ſie und 'ſo\u180e\u180eweiter" + " Wort" * 100 + "\u180e"
    stretches = cuts.stretches(text, doubtful)
    assert [text[start:stop] for start, stop in stretches] == [" 'ſie", " 'ſo\u180e\u180eweiter", " Wort\u180e"]
    assert cuts.stretches("nichts", doubtful) == []
    assert cuts.stretches("x" * 50 + "\u180e" + "y" * 50, doubtful) == [(0, 101)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("gpt2", ["\u180e"]), ("llama3", ["'ſ", "\u180e"]), ("cl100k", ["'ſ", "\u180e"]), ("llama2", []), ("starcoder", ["\u180e"])],
)
def test_what_is_doubtful_follows_from_the_regexes(name: str, expected: list[str]) -> None:
    assert sorted(doubtful_strings(PIPELINES[name])) == sorted(expected)


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        (r"(?i:k)+", {"\u212a"}),
        (r"\p{L}+|(?i:s)", {"ſ"}),
        (r"\p{L}(?i:k)", {"\u212a"}),
        (r"(?i:[j-l]x)", {"\u212a"}),
        (r"x(?i:s)|y(?i:s)", {"xſ", "yſ"}),
        (r"(?i:ts)", {"tſ", "Tſ"}),
        (r"a(?=(?i:s))", {"ſ"}),
        (r"a(?<=\s)", {"ſ", "\u212a", "\u180e"}),
        (r"[\\s]", set()),
        (r"a[^\s]", {"\u180e"}),
    ],
)
def test_doubtful_strings_of_a_regex(regex: str, expected: set[str]) -> None:
    split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    assert set(doubtful_strings({"pre_tokenizer": split})) == expected


@pytest.mark.parametrize(
    ("regex", "pair", "never_across", "always_takes"),
    [
        (GPT2, "a ", True, True),
        (GPT2, " a", False, True),
        (GPT2, "'s", False, True),
        (r"\s+(?!\S)|\s+", " \n", False, True),
        (r"\s+(?!\S)", " \n", False, False),
        (r"(?:ab){2}", "a ", True, False),
        (r"a{2,}", "a ", True, False),
        (r"a{1,3}", "a ", True, True),
        (r"a?+a", "a ", True, False),
        (r"a++", "a ", True, True),
        (r"(?!b)a", "a ", True, False),
        (r"(?:a|b)* ", "a ", False, False),
        (r"(?:a(?: c)?)+", "a ", False, True),
        (r"[a-c]|[^a-z]+?", "b ", True, True),
        (r"[a\-c]x?", "bx", True, False),
    ],
)
def test_what_a_regex_can_match(regex: str, pair: str, never_across: bool, always_takes: bool) -> None:
    parsed = Regex(regex)
    assert (parsed.never_across(*pair), parsed.always_takes(pair[0])) == (never_across, always_takes)


@pytest.mark.parametrize("regex", [r"(?<=a)b", r"a(?!bc)", r"a(?!b*)", r"a*", r"(a", r"a)", r"[a-\s]"])
def test_a_regex_of_which_nothing_is_proved(regex: str) -> None:
    with pytest.raises(UnprovableError):
        Regex(regex)


def test_cuts_are_found_in_ordinary_text() -> None:
    cuts = CUTS["neox"]
    assert cuts is not None
    for text in (*TEXTS, *PROBES[:3]):
        places = [place for place in range(1, len(text)) if cuts.exact(text[place - 1], text[place])]
        assert all(text[place] in AFTER for place in places)
        assert not places or cuts.cut_before(text, places[-1]) == places[-1] == cuts.cut_after(text, places[-1])
        assert cuts.cut_before(text, 0) == 0 and cuts.cut_after(text, len(text)) == len(text)
    assert cuts.cut_after("x" * 100, 10, 20) == 20
