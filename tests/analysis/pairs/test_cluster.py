"""Mining and counting on a cluster: the tables are those of one process."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import suffixindex as si
from analysis.errors import ConfigError
from analysis.pairs import cluster_encoder as module
from analysis.pairs.cluster_encoder import cluster_encoder
from analysis.pairs.counting import count_pairs
from analysis.pairs.embeddings import open_encoder
from analysis.pairs.mining import mine
from analysis.schemas import EXAMPLES

TEXTS = [f"the {first} of {second}" for first in ("capital", "river", "emblem", "anthem") for second in ("rome", "oslo", "bonn")]


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0", protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


def test_vectors_are_those_of_one_process(scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 5)
    here = open_encoder("hashing", prefix="query: ")
    with cluster_encoder(scheduler, "hashing", prefix="query: ", cache=tmp_path) as encoder:
        assert (encoder.name, encoder.dimension) == (here.name, here.dimension)
        for texts in (TEXTS, TEXTS[:3], TEXTS[::-1], []):
            assert np.array_equal(encoder.encode(texts), here.encode(texts))


def test_tables_are_those_of_one_process(scheduler: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"text": f"{text}. {TEXTS[-1]} too"}) + "\n" for text in TEXTS * 3))
    si.build(corpus, tmp_path / "index", tokenizer="words", shard_tokens=60)
    rows = [
        {"example_id": str(i), "task": "t", "subset": "", "input": text, "target": f"what {TEXTS[i - 1]} is", "prompt": text}
        for i, text in enumerate(TEXTS)
    ]
    examples = pa.Table.from_pylist([{**row, "aliases": [], "choices": []} for row in rows], schema=EXAMPLES)
    how = {"ns": [2, 3], "gammas": {2: 0.1, 3: 0.1}}
    mined = mine(examples, encoder=open_encoder("hashing"), **how)
    assert mined.pairs.num_rows > 20
    with cluster_encoder(scheduler, "hashing") as encoder:
        assert mine(examples, encoder=encoder, **how) == mined
    with si.open(tmp_path / "index") as here, si.open(tmp_path / "index", scheduler=scheduler) as there:
        assert len(here.shards) > 2
        counts = count_pairs(mined.pairs, here)
        assert counts["pair_documents"].to_numpy().max() > 0
        assert count_pairs(mined.pairs, there) == counts
        windowed = count_pairs(mined.pairs, here, window=2, aliases={"is": ["too"]})
        assert count_pairs(mined.pairs, there, window=2, aliases={"is": ["too"]}) == windowed


def test_no_cluster_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(module, "CONNECT_SECONDS", 1)
    with (
        pytest.raises(ConfigError, match="no cluster answers"),
        cluster_encoder("tcp://127.0.0.1:9", "hashing"),
    ):
        raise AssertionError
