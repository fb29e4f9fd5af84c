"""Novelty of what models write against plain scans of a small corpus, and its controls on cases worked by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffixindex as si
from analysis.errors import ConfigError, MeasureError, TableError
from analysis.measures.novelty import UNITS, longest_matches, novelty, novelty_curve
from analysis.pairs.embeddings import Encoder
from analysis.schemas import NOVELTY
from tests.helpers import building
from tests.helpers.analysis_study import examples_table, generations_table, model_columns

CORPUS = ["the cat sat on the mat", "a dog sat on the mat", "the cat ate a fish", "Fish swim, dogs do not."]
WORDS = ["the", "cat", "sat", "on", "mat", "a", "dog", "fish", "zorp", "blik"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> si.SuffixIndex:
    folder = tmp_path_factory.mktemp("novelty")
    building.write_jsonl(folder / "corpus.jsonl", CORPUS)
    return si.open(si.build([folder / "corpus.jsonl"], folder / "index", tokenizer="words").path)


def grams(text: str, n: int) -> list[str]:
    words = text.lower().replace(",", " ").replace(".", " ").split()
    return [" ".join(words[start : start + n]) for start in range(len(words) - n + 1)]


def holds(gram: str) -> set[int]:
    """The documents that hold an n-gram."""
    return {number for number, text in enumerate(CORPUS) if gram in grams(text, len(gram.split()))}


def slow(unit: str, n: int, source: str, answer: str) -> tuple[int, int]:
    """New ones and all, from the definitions."""
    if unit.endswith("ngram"):
        found = grams(answer, n)
        if unit == "fluent_ngram":
            found = [gram for gram in found if holds(gram.rsplit(" ", 1)[0]) and holds(gram.split(" ", 1)[1])]
        return sum(not holds(gram) for gram in found), len(found)
    pairs = {(x, y) for x in grams(source, n) for y in grams(answer, n) if x != y}
    if unit == "fluent_pair":
        pairs = {(x, y) for x, y in pairs if holds(x) and holds(y)}
    return sum(not holds(x) & holds(y) for x, y in pairs), len(pairs)


TEXTS = st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join)


@settings(max_examples=30 if building.COMPILED else 5)
@given(texts=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=5))
def test_shares_are_those_of_a_scan(index: si.SuffixIndex, texts: list[tuple[str, str, str]]) -> None:
    ids = [str(number) for number in range(len(texts))]
    examples = examples_table([{"example_id": i, "input": x, "target": y} for i, (x, y, _) in zip(ids, texts, strict=True)])
    written = [{"example_id": i, "output": z} for i, (_, _, z) in zip(ids, texts, strict=True)]
    generations = generations_table([{**row, "metric": metric} for metric in ("bleu", "f1") for row in written])
    asked = [each for each in product((1, 2, 3, 9), UNITS) if each != (1, "fluent_ngram")]  # one word has no two parts
    expected = {}
    for (n, unit), (prefix, side) in product(asked, (("", 2), ("reference_", 1))):
        found = [slow(unit, n, text[0], text[side]) for text in texts]
        if total := sum(each[1] for each in found):
            of_all = sum(each[0] for each in found) / total, total, sum(each[1] > 0 for each in found)
            expected[prefix + unit, n] = of_all
    if not expected:
        with pytest.raises(MeasureError, match="no output has an n-gram"):
            novelty(examples, generations, index, ns=(1, 2, 3, 9))
        return
    table = novelty(examples, generations, index, ns=(1, 2, 3, 9), resamples=10)
    assert table.schema.names == NOVELTY.names
    rows = table.to_pylist()
    assert {
        (row["unit"], row["n"]): (pytest.approx(row["estimate"]), row["num_ngrams"], row["num_examples"]) for row in rows
    } == expected
    assert len(rows) == len(expected)


def test_unknown_words_are_different_words(index: si.SuffixIndex) -> None:
    """The corpus has neither: each makes a pair of its own, though the index has one id for both."""
    examples = examples_table([{"example_id": "e", "input": "the", "target": "mat"}])
    (row,) = novelty(
        examples, generations_table([{"example_id": "e", "output": "zorp blik zorp"}]), index, ns=[1], units=["pair"]
    ).to_pylist()[:1]
    assert (row["estimate"], row["num_ngrams"]) == (1, 2)


def test_broken_output_is_not_fluent(index: si.SuffixIndex) -> None:
    """Nonsense is all new; of known parts there is one new joint in the fluent output, and none to judge in the nonsense."""
    examples = examples_table([{"example_id": "e", "input": "the cat", "target": "the cat sat", "task": "t", "subset": "s"}])
    written = [("broken", "zorp blik zorp blik"), ("fluent", "a dog sat on the cat")]
    generations = generations_table([{"example_id": "e", "output": text, **model_columns(name)} for name, text in written])
    rows = novelty(examples, generations, index, ns=[2], by_subset=True).to_pylist()
    shares = {(row["model"], row["unit"]): row["estimate"] for row in rows if not row["subset"]}
    assert shares["broken", "ngram"] == 1
    assert ("broken", "fluent_ngram") not in shares
    assert shares["fluent", "ngram"] == 0  # "the cat" occurs
    assert shares["broken", "reference_ngram"] == shares["fluent", "reference_ngram"] == 0
    assert {row["subset"] for row in rows} == {"", "s"}


class Spelling:
    """Vectors by the first letter: equal letters have cosine 1, others 0."""

    name, dimension = "spelling", 26

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.eye(26, dtype=np.float32)[[ord(text[0]) - ord("a") for text in texts]]


def test_similar_pairs_alone(index: si.SuffixIndex) -> None:
    encoder: Encoder = Spelling()
    examples = examples_table([{"example_id": "e", "input": "cat mat", "target": "mat"}])
    generations = generations_table([{"example_id": "e", "output": "chair mouse zorp"}])
    rows = novelty(examples, generations, index, ns=[1], units=["pair"], encoder=encoder, gammas={1: 0.5}).to_pylist()
    assert [(row["unit"], row["num_ngrams"]) for row in rows] == [("pair", 2)]  # of the reference's, one is x = y
    for settings_, why in (({"encoder": encoder}, "both an encoder and γ"), ({"gammas": {1: 0.5}}, "both an encoder and γ"),
                           ({"encoder": encoder, "gammas": {2: 0.5}}, "needs γ for n = 1"), ({"units": ["word"]}, "unknown unit"),
                           ({"ns": [0]}, "expected at least one n")):  # fmt: skip
        with pytest.raises(ConfigError, match=why):
            novelty(examples, generations, index, **{"ns": [1], **settings_})
    with pytest.raises(TableError, match="1 unknown examples, such as 'f'"):
        novelty(examples, generations_table([{"example_id": "f"}]), index)


def test_longest_matches_and_curve(index: si.SuffixIndex) -> None:
    texts = ["zorp sat on the mat zorp the cat", "blik", "", "the cat sat on the mat"]
    assert longest_matches(texts, index) == [(1, 5, 2), (0, 0, 0), (0, 0, 0), (0, 6, 1)]
    curve = novelty_curve(texts, index, 7)
    for n in range(1, 8):
        found = [gram for text in texts for gram in grams(text, n)]
        assert (curve.num_ngrams[n - 1], curve.num_novel[n - 1]) == (len(found), sum(not holds(gram) for gram in found))
    with pytest.raises(ConfigError, match="at least one n"):
        novelty_curve(texts, index, 0)
