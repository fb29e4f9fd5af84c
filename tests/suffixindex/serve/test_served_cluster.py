"""An index whose questions a Dask cluster answers, served: the answers of the same index here."""

from pathlib import Path

import pytest

import suffixindex as si
from tests.fuzz.served import INFINIGRAM
from tests.helpers.bodies import BODIES
from tests.helpers.serving import listening

distributed = pytest.importorskip("distributed", reason="the extra distributed is not installed")

DRAWN = {"latency", "idxs", "message", "documents"}
"""Of infini-gram's answers, what is drawn at random, or measured."""
ASKED = ("count", "counts", "next_distribution", "documents", "cooccurrence", "counts_by", "spans", "top_ngrams")


def test_a_cluster_behind_the_server(pets: si.SuffixIndex) -> None:
    options = {"processes": False, "dashboard_address": ":0", "silence_logs": "ERROR"}
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster,
        si.open(Path(pets.path), scheduler=cluster.scheduler_address) as far,
        listening(si.serve.app({"far": far, "here": pets})) as live,
    ):
        for name in ASKED:
            found, expected = (live.ask(f"/v1/{index}/{name}", BODIES[name]) for index in ("far", "here"))
            assert (found.status, found.content) == (200, expected.content), name
        for asked in INFINIGRAM:
            both = [live.ask("/", {**asked, "index": index}).json for index in ("far", "here")]
            told, expected_told = ({key: one[key] for key in one.keys() - DRAWN} for one in both)
            assert told == expected_told, asked
        remote = si.connect(live.url, "far")
        assert remote.counts(["the cat", "dog"]).tolist() == [3, 1]
