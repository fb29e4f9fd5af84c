"""KL of n-gram distributions and a model, from the definition: counts by loops over documents, softmax by torch."""

import json
from pathlib import Path

import numpy as np
import pytest

import suffixindex as si
from analysis.errors import ConfigError, MeasureError
from analysis.measures.learning.divergence import THE_TEXT, divergences, draw_positions
from analysis.models.open import open_model
from analysis.schemas import LEARNING_CURVES
from tests.helpers.analysis_building import TRAINED_ON, tiny_tokenizer, write_model

DOCUMENTS = [*TRAINED_ON, *(f"the cat sat on the {word} mat. The other cat sat" for word in ("old", "new", "red", "old"))]
NS = (1, 2, 3)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, si.SuffixIndex]:
    folder = tmp_path_factory.mktemp("learning")
    write_model(folder / "model", tokenizer=tiny_tokenizer())
    (folder / "c.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in DOCUMENTS))
    tokenizer = folder / "model" / "tokenizer.json"
    si.build([folder / "c.jsonl"], folder / "index", tokenizer=str(tokenizer))
    return folder / "model", si.open(folder / "index")


def test_each_row_is_the_mean_of_its_definition(world) -> None:
    torch = pytest.importorskip("torch")
    folder, index = world
    model = open_model(str(folder), device="cpu", dtype="fp32")
    table = divergences([lambda: model], index, ns=NS, documents=6, positions=4, length=20, batch_tokens=40, resamples=20, seed=5)
    assert table.schema == LEARNING_CURVES
    drawn = draw_positions(index, max(NS), 6, 4, 20, np.random.default_rng(5))
    texts = [index.document(number).token_ids.tolist() for number in range(index.num_documents)]
    values: dict[int, list[float]] = {n: [] for n in (*NS, THE_TEXT)}
    for one in drawn:
        for place in one.places.tolist():
            read = torch.tensor([[model.tokenizer.eos_token_id, *one.ids[:place].tolist()]])
            with torch.inference_mode():
                q = torch.softmax(model.model(read).logits[0, -1].double(), 0).numpy()
            values[THE_TEXT].append(-np.log(q[one.ids[place]]))
            for n in NS:
                context, counts = one.ids[place - n + 1 : place].tolist(), np.zeros(len(q))
                for text in texts:
                    for end in range(len(context), len(text)):
                        counts[text[end]] += text[end - len(context) : end] == context
                p = counts / counts.sum()
                values[n].append(sum(p[v] * np.log(p[v] / q[v]) for v in np.flatnonzero(p)))
    found = {row["n"]: row for row in table.to_pylist()}
    assert list(found) == [*NS, THE_TEXT]
    for n, expected in values.items():
        assert found[n]["estimate"] == pytest.approx(np.mean(expected), rel=1e-5)
        assert found[n]["num_positions"] == len(expected) and found[n]["low"] <= found[n]["estimate"] <= found[n]["high"]
    assert found[1]["num_examples"] == len(drawn)


def test_refusals(world) -> None:
    _, index = world
    with pytest.raises(ConfigError, match="length 2"):
        divergences([], index, ns=[3], length=2)
    with pytest.raises(MeasureError, match="has 60 tokens"):
        divergences([], index, ns=[60])
