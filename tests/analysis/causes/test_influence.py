"""Influence against finite differences of losses, computed one document at a time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import suffixindex as si
from analysis.causes.influence import influence
from analysis.causes.passages import passage, sample_groups
from analysis.errors import ConfigError, MeasureError, ModelError, TableError
from analysis.models import gradients
from analysis.models.open import CausalModel, open_model
from analysis.models.token_spans import Text, narrow, read_texts
from analysis.schemas import INFLUENCE
from analysis.stats.resampling import clustered_bootstrap
from tests.helpers import building
from tests.helpers.analysis_building import examples_table, pairs_table, write_model

torch = pytest.importorskip("torch")

DOCUMENTS = [
    "Question: What is the capital of France?\nAnswer: Paris",  # the very example
    "Of France, the CAPITAL of France, is (of course) Paris.",
    "Paris is a city; the capital of France is Paris, too",
    "the other mat in Paris",
    "Paris!",
    "cat sat — on the mat in Paris, and the other cat sat",
    "the capital of France",
    "the cat sat on the mat. " * 30 + "Is it in Paris? It is.",
    "the cat, the mat",
]
BOTH, ALONE = [0, 1, 2], [3, 4, 5, 7]
EXAMPLES = examples_table(
    {"input": "What is the capital of France?", "prompt": "Question: What is the capital of France?\nAnswer: ", "target": "Paris"},
    {"input": "the cat", "prompt": "the cat ", "target": "sat on the other mat"},
)
PAIRS = pairs_table(EXAMPLES, ("0", "capital of", "paris"), ("1", "the cat", "other mat"), ("1", "cat", "mat"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    return open_model(str(write_model(tmp_path_factory.mktemp("model"))), device="cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents as an index of words and one of bytes."""
    folder = tmp_path_factory.mktemp("corpus")
    file = building.write_jsonl(folder / "corpus.jsonl", DOCUMENTS)
    for tokenizer in ("words", "bytes"):
        si.build(file, folder / tokenizer, tokenizer=tokenizer, progress=False)
    return folder


def loss_of(model: Any, ids: list[int], first: int) -> Any:
    """-Σ log P of the ids from ``first`` on, each after all before."""
    logits = model(input_ids=torch.tensor([ids])).logits[0]
    return -sum(torch.log_softmax(logits[place - 1], -1)[ids[place]] for place in range(first, len(ids)))


def ids_until(model: CausalModel, before: str, ngram: str) -> tuple[list[int], int]:
    """Ids of a text that ends with an n-gram, and where the n-gram's begin (its leading space is part of it)."""
    stripped = before.removesuffix(" ")
    first = len(model.tokenizer(stripped)["input_ids"])
    ids = model.tokenizer(before + ngram)["input_ids"]
    assert model.tokenizer.decode(ids[first:]) == before[len(stripped) :] + ngram
    return ([model.tokenizer.eos_token_id, *ids], 1) if first == 0 else (ids, first)


def product(model: CausalModel, example: tuple[list[int], int], document: tuple[list[int], int], step: float = 1e-5) -> float:
    """∇ℓ(document) · ∇ℓ(example): how ℓ(document) changes along the example's gradient, by central differences in float64."""
    double = open_model(model.name, device="cpu").model.double()
    loss_of(double, *example).backward()
    direction = [parameter.grad.clone() for parameter in double.parameters()]
    found = []
    with torch.no_grad():
        for sign in (1, -2):
            for parameter, along in zip(double.parameters(), direction, strict=True):
                parameter.add_(along, alpha=sign * step)
            found.append(float(loss_of(double, *document)))
    return (found[0] - found[1]) / (2 * step)


CASES: list[tuple[str, str]] = [
    ("Question: What is the capital of France?\nAnswer: ", "Paris"),
    ("Of France, the CAPITAL of France, is (of course) ", "Paris"),
    ("the other mat in ", "Paris"),
    ("", "Paris"),
]


def test_inner_products_are_directional_derivatives(model: CausalModel) -> None:
    example, *documents = [ids_until(model, *case) for case in CASES]
    readings = [
        narrow(reading, 0, len(ngram))
        for reading, (_, ngram) in zip(read_texts(model, [Text("", *case) for case in CASES]), CASES, strict=True)
    ]
    assert [(reading.ids.tolist(), int(reading.positions[0])) for reading in readings] == [example, *documents]
    chosen = gradients.chosen_parameters(model, "all")
    gradient = gradients.loss_gradient(model, readings[:1], chosen)
    expected = [product(model, example, document) for document in documents]
    found = [gradients.mean_inner_product(model, gradient, [reading], chosen, 1000) for reading in readings[1:]]
    np.testing.assert_allclose(found, expected, rtol=2e-3)
    for batch_tokens in (1, 40, 1000):
        together = gradients.mean_inner_product(model, gradient, readings[1:], chosen, batch_tokens)
        assert together == pytest.approx(np.mean(expected), rel=2e-3)


def test_gradients_of_some_parameters(model: CausalModel) -> None:
    (reading,) = [narrow(each, 0, 5) for each in read_texts(model, [Text("", *CASES[0])])]
    chosen = gradients.chosen_parameters(model, r"layers\.1\.mlp")
    assert len(chosen) == 4 and all("layers.1.mlp" in name for name in chosen)
    whole = dict(
        zip(
            gradients.chosen_parameters(model, "all"),
            gradients.loss_gradient(model, [reading], gradients.chosen_parameters(model, "all")),
            strict=True,
        )
    )
    for name, part in zip(chosen, gradients.loss_gradient(model, [reading], chosen), strict=True):
        torch.testing.assert_close(part, whole[name])
    with pytest.raises(ConfigError, match=r"no parameter of .* matches 'layer7': its names are like gpt_neox"):
        gradients.chosen_parameters(model, "layer7")
    with pytest.raises(ConfigError, match="which is no regular expression"):
        gradients.chosen_parameters(model, "(")


# ---- documents -------------------------------------------------------------------------------------------------------


def test_groups_of_documents(corpus: Path) -> None:
    index = si.open(corpus / "words")
    groups = sample_groups(index, "capital of", "paris", 50, np.random.default_rng(0))
    assert (groups.pair.tolist(), groups.output_only.tolist()) == (BOTH, ALONE)
    seen: set[tuple[int, ...]] = set()
    for seed in range(30):
        both, alone = sample_groups(index, "capital of", "paris", 2, np.random.default_rng(seed))
        assert set(both) < set(BOTH) and set(alone) < set(ALONE) and len(both) == len(alone) == 2
        seen.add((*both.tolist(), *alone.tolist()))
    assert len(seen) > 9  # of 3 × 6


def test_passages(corpus: Path) -> None:
    words, text = si.open(corpus / "words"), si.open(corpus / "bytes")
    for document in [*BOTH, *ALONE]:
        exact = passage(words, document, "paris", 512, text)
        assert exact.text == DOCUMENTS[document]
        assert (exact.start, exact.stop) == (DOCUMENTS[document].index("Paris"), DOCUMENTS[document].index("Paris") + 5)
        plain = passage(words, document, "paris", 512)
        assert plain.text == words.decode(words.document(document).token_ids)
        assert plain.text[plain.start : plain.stop] == "paris" and "paris" not in plain.text[: plain.start]
    cut = passage(words, 7, "paris", 2, text)  # 16 characters a token
    assert cut.text == DOCUMENTS[7][-45:] and cut.text[cut.start : cut.stop] == "Paris" and cut.start == 32
    two = passage(words, 5, "the other cat", 512, text)
    assert two.text[two.start : two.stop] == "the other cat"


def test_an_index_of_another_corpus(corpus: Path, tmp_path: Path, model: CausalModel) -> None:
    words = si.open(corpus / "words")
    for number, documents in enumerate([DOCUMENTS[:-1], DOCUMENTS[::-1]]):
        file = building.write_jsonl(tmp_path / f"{number}.jsonl", documents)
        si.build(file, tmp_path / f"{number}", tokenizer="bytes", progress=False)
        with pytest.raises(TableError, match="give an index of the same corpus, built in the same order"):
            influence([model], EXAMPLES, PAIRS.slice(0, 1), words, texts=si.open(tmp_path / f"{number}"))


# ---- the table -------------------------------------------------------------------------------------------------------


def test_influence_by_group(corpus: Path, model: CausalModel) -> None:
    words, text = si.open(corpus / "words"), si.open(corpus / "bytes")
    table = influence([model], EXAMPLES, PAIRS, words, texts=text, max_length=100).influence
    assert table.schema == INFLUENCE
    rows = {row["group"]: row for row in table.to_pylist()}
    assert list(rows) == ["pair", "output_only", "difference"]
    # by the definition: pairs 0 and 2 have documents of both groups, pair 1 has none
    asked = [(CASES[0], "Paris", BOTH, ALONE), (("the cat sat on the other ", "mat"), "mat", [5, 7, 8], [3])]
    means = []
    for case, y, *groups in asked:
        example = ids_until(model, *case)
        means.append([])
        for group in groups:
            until = [ids_until(model, DOCUMENTS[number][: DOCUMENTS[number].index(y)], y) for number in group]
            cut = [(ids[-101:], first - max(0, len(ids) - 101)) for ids, first in until]  # 100 tokens are read
            means[-1].append(np.mean([product(model, example, document) for document in cut]))
    both, alone = np.array(means).T
    for group, expected in {"pair": both, "output_only": alone, "difference": both - alone}.items():
        assert rows[group]["estimate"] == pytest.approx(expected.mean(), rel=5e-3)
        low, high = sorted(expected)
        assert low - abs(low) / 100 <= rows[group]["low"] <= rows[group]["high"] <= high + abs(high) / 100
        assert rows[group]["num_pairs"] == 2 and rows[group]["confidence"] == 0.95
    assert [row["num_documents"] for row in rows.values()] == [6, 5, 11]


def test_a_document_that_is_the_example_has_the_most_influence(corpus: Path, model: CausalModel) -> None:
    words, text = si.open(corpus / "words"), si.open(corpus / "bytes")
    chosen = gradients.chosen_parameters(model, "all")
    (example,) = [narrow(each, 0, 5) for each in read_texts(model, [Text("", *CASES[0])])]
    gradient = gradients.loss_gradient(model, [example], chosen)
    found = {}
    for number in [*BOTH, *ALONE]:
        part = passage(words, number, "paris", 512, text)
        (reading,) = read_texts(model, [Text("", part.text[: part.start], part.text[part.start : part.stop])])
        if len(reading.ids) <= 128:
            found[number] = gradients.mean_inner_product(model, gradient, [reading], chosen, 1000)
    assert max(found, key=found.__getitem__) == 0 and len(found) > 4
    assert found[0] == pytest.approx(sum(float((part.double() ** 2).sum()) for part in gradient), rel=1e-4)


def test_checkpoints_and_their_sum(corpus: Path, model: CausalModel, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "tiny")
    for step in (1, 2):
        write_model(folder / f"step{step}", seed=step)
    opened: list[str] = []

    def opener(revision: str) -> Callable[[], CausalModel]:
        def opens() -> CausalModel:
            opened.append(revision)
            return open_model(str(folder), revision=revision, device="cpu")

        return opens

    settings: dict[str, Any] = {"num_documents": 2, "max_length": 40, "seed": 3}
    words = si.open(corpus / "words")
    both, _ = influence(
        [opener("step1"), opener("step2")], EXAMPLES, PAIRS, words, total=True, cache=tmp_path / "cache", **settings
    )
    assert opened == ["step1", "step2"]
    rows = {(row["revision"], row["group"]): row for row in both.to_pylist()}
    assert [rows[revision, "pair"]["step"] for revision in ("step1", "step2", "all")] == [1, 2, -1]
    for group in ("pair", "output_only", "difference"):
        each = [rows[revision, group]["estimate"] for revision in ("step1", "step2", "all")]
        assert each[0] + each[1] == pytest.approx(each[2])
    alone = influence([opener("step2")], EXAMPLES, PAIRS, words, **settings).influence  # the same documents
    assert alone["estimate"].to_pylist() == pytest.approx(
        [rows["step2", group]["estimate"] for group in ("pair", "output_only", "difference")]
    )
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_finished_pairs_are_not_computed_again(
    corpus: Path, model: CausalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = si.open(corpus / "words")
    settings: dict[str, Any] = {"max_length": 40, "cache": tmp_path}
    first = influence([model], EXAMPLES, PAIRS, words, **settings).influence
    monkeypatch.setattr("analysis.causes.influence.loss_gradient", lambda *_: pytest.fail("computed again"))
    assert influence([model], EXAMPLES, PAIRS, words, **settings).influence == first


def test_intervals_are_of_the_confidence_and_resamples_that_are_asked_for(
    corpus: Path, model: CausalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def bootstrap(*arrays: Any, **how: Any) -> Any:
        asked.append(how)
        return clustered_bootstrap(*arrays, **how)

    monkeypatch.setattr("analysis.causes.influence.clustered_bootstrap", bootstrap)
    how: dict[str, Any] = {"confidence": 0.5, "resamples": 7, "seed": 2}
    found = influence([model], EXAMPLES, PAIRS, si.open(corpus / "words"), num_documents=1, max_length=40, **how)
    assert found.influence["confidence"].to_pylist() == [0.5] * 3
    assert asked == [how] * 3


def test_some_pairs(corpus: Path, model: CausalModel) -> None:
    words = si.open(corpus / "words")
    one = influence([model], EXAMPLES, PAIRS, words, num_pairs=1, max_length=40, num_documents=1).influence
    assert one["num_pairs"].to_pylist() == [1, 1, 1] and one["num_documents"].to_pylist() == [1, 1, 2]
    assert np.isnan(one["low"].to_pylist()).all()  # one example has no interval


def test_bad_input(corpus: Path, model: CausalModel) -> None:
    words = si.open(corpus / "words")
    with pytest.raises(MeasureError, match="none of 1 pairs has documents that hold it"):
        influence([model], EXAMPLES, PAIRS.slice(1, 1), words)
    with pytest.raises(ConfigError, match="is of bytes: influence finds documents by words"):
        influence([model], EXAMPLES, PAIRS, si.open(corpus / "bytes"))
    with pytest.raises(ConfigError, match="0 checkpoints"):
        influence([], EXAMPLES, PAIRS, words)
    with pytest.raises(TableError, match="the example '1', which the table of examples does not have"):
        influence([model], EXAMPLES.slice(0, 1), PAIRS, words)


def test_pairs_that_the_model_cannot_read_are_left_out_and_counted(corpus: Path, model: CausalModel) -> None:
    words = si.open(corpus / "words")
    settings: dict[str, Any] = {"num_documents": 2, "max_length": 40, "seed": 3}
    rows = EXAMPLES.to_pylist()
    rows[0]["prompt"] = "the cat sat " * 60 + rows[0]["prompt"]
    examples = pa.Table.from_pylist(rows, EXAMPLES.schema)
    found = influence([model], examples, PAIRS, words, **settings)
    reasons = {row["reason"]: row["num_pairs"] for row in found.drops.to_pylist()}
    assert reasons == {"too_long": 1, "kept": 1}
    assert found.influence["num_pairs"].to_pylist() == [1, 1, 1]
    whole = influence([model], EXAMPLES, PAIRS, words, **settings)
    assert {row["reason"]: row["num_pairs"] for row in whole.drops.to_pylist()} == {"kept": 2}
    with pytest.raises(ModelError, match="truncate_left"):
        influence([model], examples, PAIRS, words, too_long="error", **settings)
    cut = influence([model], examples, PAIRS, words, too_long="truncate_left", **settings)
    assert cut.influence["num_pairs"].to_pylist() == [2, 2, 2]
    with pytest.raises(MeasureError, match=r"all 1 pairs are of examples too long"):
        influence([model], examples, PAIRS.slice(0, 1), words, **settings)
