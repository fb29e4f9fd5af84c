"""Counts of pairs, models of the corpus and contamination, against a corpus that is read document by document."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

import suffixindex as si
from analysis.errors import ConfigError, TableError
from analysis.pairs.aliases import aliases_of
from analysis.pairs.contamination import contamination
from analysis.pairs.corpus_models import MODELS, names_apart, score_pairs
from analysis.pairs.counting import count_drops, count_pairs
from analysis.pairs.embeddings import open_encoder
from analysis.pairs.mining import mine
from analysis.schemas import CONTAMINATION, CORPUS_SCORES, COUNTS, DROPS, EXAMPLES, PAIRS
from tests.helpers import building

VOCABULARY = "the of cat dog red mat sat paris france".split()
ASKED = [*VOCABULARY, "zebra"]  # which the corpus lacks


def random_texts(seed: int, number: int, longest: int, words: list[str]) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(words, rng.integers(0, longest))) for _ in range(number)]


CORPUS = [*random_texts(0, 60, 14, VOCABULARY), "The cat -- sat; on THE mat.", "Σας İzmir, cat", ""]


def words_of(text: str) -> list[str]:
    return "".join(character if character.isalnum() or character == "\u0307" else " " for character in text.lower()).split()


DOCUMENTS = [words_of(text) for text in CORPUS]


def places(words: list[str], gram: str) -> list[int]:
    wanted = gram.split()
    return [i for i in range(len(words) - len(wanted) + 1) if words[i : i + len(wanted)] == wanted]


def occurrences(gram: str) -> int:
    return sum(len(places(words, gram)) for words in DOCUMENTS)


@pytest.fixture(scope="module")
def index(tmp_path_factory) -> si.SuffixIndex:
    folder = tmp_path_factory.mktemp("corpus")
    si.build(str(building.write_jsonl(folder / "corpus.jsonl", CORPUS)), folder / "index", tokenizer="words")
    return si.open(folder / "index")


def examples_of(texts: list[tuple[str, str]], aliases: list[list[str]] | None = None, subsets: list[str] | None = None) -> pa.Table:
    rows = [
        {"example_id": str(i), "task": "t", "subset": subset, "input": x, "target": y, "aliases": others, "choices": [],
         "prompt": f"Of the {x}? "}
        for i, ((x, y), others, subset) in enumerate(
            zip(texts, aliases or [[]] * len(texts), subsets or [""] * len(texts), strict=True))
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=EXAMPLES)


@pytest.fixture(scope="module")
def examples() -> pa.Table:
    inputs, targets = random_texts(1, 12, 9, ASKED), random_texts(2, 12, 7, ASKED)
    return examples_of([*zip(inputs, targets, strict=True), ("Σας cat", "İzmir. Cat")])


@pytest.fixture(scope="module")
def pairs(examples) -> pa.Table:
    return mine(examples, ns=[1, 2], gammas={1: -1, 2: -1}, encoder=open_encoder("hashing"), stop_words=False).pairs


# ---- counts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [None, 0, 2])
def test_counts_are_those_of_a_reading(pairs, index, window):
    counts = count_pairs(pairs, index, window=window)
    assert counts.schema == COUNTS
    rows = counts.to_pylist()
    asked = list(dict.fromkeys((row["n"], row["x"], row["y"]) for row in pairs.to_pylist()))
    assert [(row["n"], row["x"], row["y"]) for row in rows] == asked
    for row in rows:
        both = 0
        for words in DOCUMENTS:
            found = [abs(i - j) for i in places(words, row["x"]) for j in places(words, row["y"])]
            both += bool(found) and (window is None or min(found) <= window)
        assert row["pair_documents"] == both, row
        for side in "xy":
            assert row[f"{side}_documents"] == sum(bool(places(words, row[side])) for words in DOCUMENTS)
            assert row[f"{side}_occurrences"] == occurrences(row[side])
    assert any(row["x"] == "σας" and row["pair_documents"] == 1 for row in rows) or window == 0


def test_aliases_are_one_name(index):
    table = examples_of(
        [("red cat", "Paris"), ("dog", "paris!"), ("mat", "zebra")], [["of france", "The red", "PARIS"], ["France"], []]
    )
    names = aliases_of(table).united
    assert names == {"paris": ["of france", "the red", "france"]}
    pairs = mine(table, ns=[1], gammas={1: -1}, encoder=open_encoder("hashing"), target="whole").pairs
    union = ["paris", "of france", "the red", "france"]
    for row in count_pairs(pairs, index, aliases=names).to_pylist():
        called = union if row["y"] == "paris" else [row["y"]]
        holding = [words for words in DOCUMENTS if any(places(words, name) for name in called)]
        assert row["y_documents"] == len(holding)
        assert row["pair_documents"] == sum(bool(places(words, row["x"])) for words in holding)
        least = ["paris", "the red", "france"] if row["y"] == "paris" else called  # the other holds one of these
        assert row["y_occurrences"] == sum(map(occurrences, least))
    within = count_pairs(pairs, index, aliases=names, window=1)["pair_documents"].to_numpy()
    assert (within <= count_pairs(pairs, index, aliases=names)["pair_documents"].to_numpy()).all()


def test_aliases_without_a_content_word_are_dropped_and_counted():
    """ "US" is no name of a country in an index without case: its documents are those of a pronoun."""
    texts = [("Where?", "United States"), ("Who?", "united states!"), ("Lava?", "ʻAʻā")]
    table = examples_of(texts, [["US", "The U.S.", "USA", "?"], ["America", "USA"], ["a a", "the"]])
    found = aliases_of(table)
    assert found.united == {"united states": ["the u s", "usa", "america"]}
    assert found.written == {"0": ["The U.S.", "USA", "America"], "1": ["The U.S.", "USA", "America"]}
    assert [(row["stage"], row["reason"], row["num_examples"]) for row in found.drops.to_pylist()] == [
        ("count", "alias_without_content", 2)
    ]


def test_drops_are_counted_by_reason(pairs, index):
    drops = count_drops(pairs, count_pairs(pairs, index))
    assert drops.schema == DROPS
    expected: dict[tuple[int, str], list[str]] = {}
    for row in pairs.to_pylist():
        x_holding = [words for words in DOCUMENTS if places(words, row["x"])]
        both = [words for words in x_holding if places(words, row["y"])]
        reason = "kept" if both else "zero_pair" if x_holding else "zero_context"
        expected.setdefault((row["n"], reason), []).append(row["example_id"])
    assert len(expected) == 6
    found = {(row["n"], row["reason"]): (row["num_pairs"], row["num_examples"]) for row in drops.to_pylist()}
    assert found == {key: (len(names), len(set(names))) for key, names in expected.items()}
    with pytest.raises(TableError, match="has no counts: count these pairs first"):
        count_drops(pairs, count_pairs(pairs.slice(1), index).slice(1))


def test_counts_of_nothing(pairs, examples, index):
    none = pairs.slice(0, 0)
    counts = count_pairs(none, index, aliases={"a": ["b"]})
    assert counts.num_rows == 0 and counts.schema == COUNTS
    assert count_drops(none, counts).num_rows == 0
    assert score_pairs(none, counts, examples, index, models=MODELS).num_rows == 0


def test_other_tokens_are_refused(tmp_path: Path, pairs, examples):
    si.build(str(building.write_jsonl(tmp_path / "corpus.jsonl", ["a b"])), tmp_path / "index", tokenizer="bytes")
    index = si.open(tmp_path / "index")
    for ask in (lambda: count_pairs(pairs, index), lambda: contamination(examples, index)):
        with pytest.raises(ConfigError, match="built with the tokenizer bytes, but the study's n-grams are lower-case words"):
            ask()


# ---- models of the corpus ----------------------------------------------------------------------------------------


def infgram_word(context: list[str], word: str) -> float:
    """P of a word after the longest end of the context that the corpus holds."""
    while context and not occurrences(" ".join(context)):
        context = context[1:]
    total = occurrences(" ".join(context)) if context else sum(map(len, DOCUMENTS))
    return occurrences(" ".join([*context, word])) / total


def backoff_word(context: list[str], word: str, order: int) -> float:
    context = context[max(len(context) - order + 1, 0) :]
    for given_up in range(len(context) + 1):
        after = context[given_up:]
        if after and occurrences(" ".join([*after, word])):
            return 0.4**given_up * occurrences(" ".join([*after, word])) / occurrences(" ".join(after))
    return 0.4 ** len(context) * occurrences(word) / (sum(map(len, DOCUMENTS)) + len(DOCUMENTS))


def expected_score(model: str, row: dict, example: dict, order: int) -> tuple[float, bool]:
    before = words_of(example["prompt"]) + words_of(example["target"][: row["y_start"]])
    target = row["y"].split()
    probs = []
    for i, word in enumerate(target):
        context = before + target[:i]
        if model == "infgram":
            probs.append(infgram_word(context, word))
        elif model == "unigram":
            probs.append(occurrences(word) / sum(map(len, DOCUMENTS)))
        else:
            probs.append(backoff_word(context, word, order))
    zero = any(p == 0 for p in probs)
    if model == "infgram":
        probs = [p for p in probs if p]
    return (sum(map(math.log, probs)) if probs and all(probs) else -math.inf), zero


@pytest.mark.parametrize("model", ["infgram", "unigram", "stupid_backoff"])
def test_models_of_words_by_definition(model, pairs, examples, index):
    scores = score_pairs(pairs, count_pairs(pairs, index), examples, index, models=[model], order=3)
    assert scores.schema == CORPUS_SCORES and set(scores["corpus_model"].to_pylist()) == {model}
    by_id = {row["example_id"]: row for row in examples.to_pylist()}
    seen = set()
    for row, scored in zip(pairs.to_pylist(), scores.to_pylist(), strict=True):
        log_prob, zero = expected_score(model, row, by_id[row["example_id"]], 3)
        assert scored["row"] == row["row"] and scored["zero"] == zero, row
        assert scored["log_prob"] == (pytest.approx(log_prob) if math.isfinite(log_prob) else log_prob), row
        seen.add((zero, math.isinf(log_prob)))
    assert (True, True) in seen and (False, False) in seen
    assert ((True, False) in seen) == (model == "infgram")  # left out words


@pytest.mark.parametrize("model", ["infgram", "unigram", "stupid_backoff"])
def test_models_of_words_give_the_probability_of_any_name(model, index):
    table = examples_of(
        [("red cat", "Paris"), ("dog", "cat sat"), ("mat", "zebra")],
        [["paris france", "The red", "dog"], ["zebra dog", "zebra"], ["cat zebra"]],
    )
    pairs = mine(table, ns=[1], gammas={1: -1}, encoder=open_encoder("hashing"), target="whole", stop_words=False).pairs
    names = aliases_of(table).united
    scores = score_pairs(pairs, count_pairs(pairs, index), table, index, models=[model], order=3, aliases=names)
    apart = {"paris": ["paris", "the red", "dog"], "cat sat": ["cat sat", "zebra"], "zebra": ["zebra", "cat zebra"]}
    for row, scored in zip(pairs.to_pylist(), scores.to_pylist(), strict=True):
        prompt = table["prompt"][int(row["example_id"])].as_py()
        single = [
            expected_score(model, {"y": name, "y_start": 0}, {"prompt": prompt, "target": name}, 3) for name in apart[row["y"]]
        ]
        if possible := [value for value, zero in single if not zero]:
            assert scored["log_prob"] == pytest.approx(math.log(sum(map(math.exp, possible)))) and not scored["zero"]
        else:
            total = sum(math.exp(value) for value, _ in single)
            assert scored["log_prob"] == (pytest.approx(math.log(total)) if total else -math.inf) and scored["zero"]
    assert pairs.num_rows


def test_names_of_which_none_begins_with_another():
    assert names_apart(["mark twain", "mark", "twain", "marks", "twain mark", "twain"]) == ["mark", "twain", "marks"]


def test_kneser_ney_is_the_index_s_model_in_context(pairs, examples, index):
    scores = score_pairs(pairs, count_pairs(pairs, index), examples, index, models=["kneser_ney"], order=3).to_pylist()
    model = si.lm.KneserNey(index, 3)
    by_id = {row["example_id"]: row for row in examples.to_pylist()}
    for row, scored in list(zip(pairs.to_pylist(), scores, strict=True))[::17]:
        example = by_id[row["example_id"]]
        text = example["prompt"] + example["target"][: row["y_stop"]]
        assert scored["log_prob"] == pytest.approx(model.log_probs(text)[-row["n"] :].sum())
        assert not scored["zero"] and math.isfinite(scored["log_prob"])


@pytest.mark.parametrize(("model", "smoothing"), [("taskgram", 1.0), ("taskgram_smoothed", 0.5), ("taskgram_smoothed", 2.0)])
def test_taskgram_by_its_formula(pairs, examples, index, model, smoothing):
    counts = count_pairs(pairs, index)
    scores = score_pairs(pairs, counts, examples, index, models=[model], smoothing=smoothing).to_pylist()
    counted = {(row["n"], row["x"], row["y"]): row for row in counts.to_pylist()}
    for row, scored in zip(pairs.to_pylist(), scores, strict=True):
        one = counted[row["n"], row["x"], row["y"]]
        both, x, y = one["pair_documents"], one["x_documents"], one["y_documents"]
        assert scored["zero"] == (both == 0 and model == "taskgram")
        if model == "taskgram_smoothed":
            prob = (both + smoothing * (y + 0.5) / (len(CORPUS) + 1)) / (x + smoothing)
            assert scored["log_prob"] == pytest.approx(math.log(prob)) and scored["log_prob"] < 0
        else:
            assert scored["log_prob"] == (pytest.approx(math.log(both / x)) if both else -math.inf)


def test_models_that_are_not_there(pairs, examples, index):
    counts = count_pairs(pairs, index)
    with pytest.raises(ConfigError, match="'trigram' is no model of the corpus: expected taskgram, taskgram_smoothed"):
        score_pairs(pairs, counts, examples, index, models=["trigram"])
    with pytest.raises(ConfigError, match="smoothing is -1"):
        score_pairs(pairs, counts, examples, index, smoothing=-1)
    with pytest.raises(TableError, match="which the examples lack"):
        score_pairs(pairs, counts, examples.slice(0, 1), index)
    with pytest.raises(TableError, match="has no counts"):
        score_pairs(pairs, counts.slice(1), examples, index)


def test_the_table_is_model_after_model(pairs, examples, index):
    scores = score_pairs(pairs, count_pairs(pairs, index), examples, index)
    assert scores["corpus_model"].to_pylist() == [
        model for model in ("taskgram", "infgram", "unigram") for _ in range(pairs.num_rows)
    ]
    assert scores["row"].to_pylist() == pairs["row"].to_pylist() * 3
    assert pairs.schema == PAIRS


# ---- contamination -----------------------------------------------------------------------------------------------


def wilson(number: int, size: int, confidence: float) -> tuple[float, float]:
    z, share = norm.ppf(0.5 + confidence / 2), number / size
    middle = (share + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * math.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    return middle - half, middle + half


def test_contamination_by_reading(index):
    texts = list(zip(random_texts(3, 30, 9, ASKED), random_texts(4, 30, 9, VOCABULARY), strict=True))
    subsets = ["ab"[i % 2] for i in range(30)]
    table = contamination(examples_of(texts, None, subsets), index, ns=[2, 4, 50], confidence=0.9)
    assert table.schema == CONTAMINATION

    def shares(text: str, n: int) -> bool:
        words = words_of(text)
        return any(occurrences(" ".join(words[i : i + n])) for i in range(len(words) - n + 1))

    assert [(row["subset"], row["n"], row["part"]) for row in table.to_pylist()] == [
        (subset, n, part) for subset in ("a", "b", "") for n in (2, 4, 50) for part in ("input", "target", "both")
    ]
    for row in table.to_pylist():
        parts = {"input": [0], "target": [1], "both": [0, 1]}[row["part"]]
        chosen = [pair for pair, subset in zip(texts, subsets, strict=True) if row["subset"] in ("", subset)]
        able = [pair for pair in chosen if all(len(words_of(pair[part])) >= row["n"] for part in parts)]
        hit = sum(all(shares(pair[part], row["n"]) for part in parts) for pair in able)
        assert row["num_examples"] == len(able)
        if able:
            assert row["estimate"] == pytest.approx(hit / len(able))
            assert (row["low"], row["high"]) == pytest.approx(wilson(hit, len(able), 0.9), abs=1e-9)
        else:
            assert math.isnan(row["estimate"]) and math.isnan(row["low"]) and math.isnan(row["high"])
    with pytest.raises(ConfigError, match="expected numbers of words"):
        contamination(examples_of(texts), index, ns=[])
    with pytest.raises(ConfigError, match="confidence is 95"):
        contamination(examples_of(texts), index, confidence=95)
