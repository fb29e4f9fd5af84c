"""The benchmark of real tasks on a small one: shares that add up, and pairs that are drawn from examples."""

import json
from pathlib import Path

import pytest

import suffixindex as si
from analysis.pairs.contamination import contamination
from analysis.pairs.embeddings import open_encoder
from analysis.tasks import load_task
from benchmarks.real_tasks import HEADER, Task, contamination_rows, measure, million_pairs, rows_of
from tests.helpers import building

FACTS = [
    ("Who wrote the tragedy of Hamlet prince of Denmark?", "Hamlet's author Shakespeare"),
    ("What is 7 times 8?", "56 is 7 times 8"),
]


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("real")
    rows = [{"input": x, "target": y, "aliases": ["William Shakespeare"]} for x, y in FACTS]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = ["Hamlet, prince of Denmark; author Shakespeare", "7 times 8 is 56", "the tragedy of William Shakespeare"]
    si.build(str(building.write_jsonl(folder / "corpus.jsonl", texts)), folder / "index", tokenizer="words")
    return load_task("jsonl:facts", [folder / "t.jsonl"]), si.open(folder / "index")


@pytest.mark.parametrize("whole", [False, True])
def test_what_is_measured_adds_up(studied, whole):
    examples, index = studied
    found = measure(Task("facts", (2,), whole), 2, examples, index, open_encoder("hashing"), 0.1)
    reasons = found["reasons"]
    mined = sum(count for reason, count in reasons.items() if reason not in ("zero_context", "zero_pair", "kept by count"))
    assert mined == found["pairs"] and reasons["kept by mine"] > 0
    assert reasons["kept by mine"] == sum(reasons.get(reason, 0) for reason in ("zero_context", "zero_pair", "kept by count"))
    assert found["zero"]["taskgram"] == {"zero": reasons["kept by mine"] - reasons["kept by count"], "skipped": 0}
    (row,) = rows_of({"facts": [found]})
    assert len(row) == len(HEADER)


def test_pairs_are_drawn_from_one_example_each(studied):
    examples, _ = studied
    drawn = million_pairs(examples, 1, 20)
    pairs = set(zip(drawn["x"].to_pylist(), drawn["y"].to_pylist(), strict=True))
    assert len(pairs) == 20
    assert not pairs & {("hamlet", "56"), ("denmark", "7"), ("what", "author")}
    with pytest.raises(SystemExit, match="too few pairs"):
        million_pairs(examples, 1, 1000)


def test_contamination_has_a_row_for_each_n(studied):
    rows = contamination_rows(contamination(*studied, ns=[3, 9]).to_pylist())
    assert [row[:2] for row in rows] == [["facts", 3], ["facts", 9]]
    assert rows[0][2].startswith("100.0 (") and rows[1][3] == "–"
