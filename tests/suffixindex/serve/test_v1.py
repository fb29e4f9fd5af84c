"""The own API as it goes over the wire: typed answers, refused bodies, tables, pages, bulk."""

import base64
import csv
import io
import json
import random
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import suffixindex as si
from suffixindex.serve.v1.questions import QUESTIONS
from tests.helpers.bodies import BODIES
from tests.helpers.serving import LiveServer

FEWER = max(20, settings.default.max_examples // 2)


def test_every_question_has_a_body_here(live: LiveServer) -> None:
    assert set(BODIES) == set(QUESTIONS)


@pytest.mark.parametrize("name", BODIES)
def test_answers_are_as_they_are_described(live: LiveServer, name: str) -> None:
    reply = live.ask(f"/v1/demo/{name}", BODIES[name])
    assert reply.status == 200, reply.content
    model = QUESTIONS[name].reply.model_validate_json(reply.content, strict=True)
    assert set(reply.json) <= set(type(model).model_fields)
    price = live.ask("/v1/demo/price", {"question": name, "request": BODIES[name]}).json
    assert 0 < price["price_seconds"] < price["budget_seconds"]
    assert price["answered"]


@pytest.mark.parametrize("name", BODIES)
def test_answers_as_tables(live: LiveServer, name: str) -> None:
    reply = live.ask(f"/v1/demo/{name}", BODIES[name], Accept="text/csv")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    names, *rows = csv.reader(io.StringIO(reply.content.decode()))
    assert names and all(len(row) == len(names) for row in rows)
    assert live.ask(f"/v1/demo/{name}?format=csv", BODIES[name]).content == reply.content


def test_the_description(live: LiveServer) -> None:
    api = live.ask("/openapi.json").json
    for name in QUESTIONS:
        operation = api["paths"][f"/v1/{{index}}/{name}"]["post"]
        assert operation["summary"].endswith(".") and {"200", "400", "404", "422", "503"} <= set(operation["responses"])
    docs = live.ask("/docs")
    assert docs.headers["content-security-policy"].startswith("default-src 'self'")
    assert b"://" not in docs.content and b"://" not in live.ask("/static/docs.js").content.replace(b"http://", b"")


def test_cells_that_a_spreadsheet_would_run(live: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("formulas")
    values = ["=1+1", "+1", "-1", "@a", "\t=1", "safe", "a=1"]
    (folder / "a.jsonl").write_text("".join(json.dumps({"text": "x", "field": value}) + "\n" for value in values))
    si.build(folder / "a.jsonl", folder / "index", tokenizer="words", progress=False)
    name = live.connect(si.open(folder / "index")).name
    table = live.ask(f"/v1/{name}/groups?format=csv", {"field": "field"}).content.decode()
    found = {row[0] for row in csv.reader(io.StringIO(table))} - {"value"}
    assert found == {"'=1+1", "'+1", "'-1", "'@a", "'\t=1", "safe", "a=1"}


def test_pages(live: LiveServer, tiny: si.SuffixIndex) -> None:
    name = live.connect(tiny).name
    for question, key, body in (
        ("concordance", "lines", {"ngram": [2]}),
        ("documents", "documents", {"ngram": [2]}),
        ("document_ids", "document_ids", {"clauses": [[2]]}),
    ):
        whole = live.ask(f"/v1/{name}/{question}", body).json
        assert whole["next_cursor"] is None
        pages: list[Any] = []
        cursor: str | None = None
        while True:
            page = live.ask(f"/v1/{name}/{question}", {**body, "limit": 2, "cursor": cursor}).json
            assert len(page[key]) <= 2
            pages += page[key]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert pages == whole[key] and len(pages) > 2
        assert live.ask(f"/v1/{name}/{question}", {**body, "cursor": "x"}).status == 422
    table = live.ask(f"/v1/{name}/concordance?format=csv", {"ngram": [2], "limit": 1})
    assert table.headers["x-next-cursor"] == "1"


def test_where(live: LiveServer) -> None:
    def count(where: Any) -> Any:
        reply = live.ask("/v1/demo/count", {"ngram": "cat", "where": where})
        return reply.json["count"] if reply.status == 200 else reply.status

    mask = base64.b64encode(zlib.compress(np.packbits(np.array([False, True])).tobytes())).decode()
    assert count(None) == count({}) == 3
    assert count({"fields": {"id": "a"}}) == 2
    assert count({"fields": {"id": ["a", "b"]}}) == 3
    assert count({"fields": {"id": {"from": 0, "below": 3}}}) == 0
    assert count({"holding": ["dog"]}) == count({"mask": mask}) == 1
    assert count({"holding": ["dog", "cat"], "window": 5}) == 0
    assert count({"fields": {"id": "a"}, "mask": mask}) == 0
    assert count({"fields": {"year": 1}}) == 400
    assert [count({"mask": text}) for text in ("", "!", "AAAA", base64.b64encode(zlib.compress(b"00")).decode())] == [422] * 4
    bomb = base64.b64encode(zlib.compress(bytes(10**8))).decode()
    assert count({"mask": bomb}) == 422


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/v1/pile/count", {"ngram": "a"}, 404, "no-index"),
        ("/v1/demo/nothing", {"ngram": "a"}, 404, "http"),
        ("/v1/demo/count", {"ngram": [10]}, 400, "QueryError"),
        ("/v1/demo/count", {"ngram": [255, 1]}, 400, "QueryError"),
        ("/v1/demo/count", {"ngram": ""}, 400, "UnaskableError"),
        ("/v1/demo/count", {"ngram": "zebra"}, 200, None),
        ("/v1/demo/count", {"ngrm": "a"}, 422, "malformed"),
        ("/v1/demo/count", {"ngram": [1.0]}, 422, "malformed"),
        ("/v1/demo/count", {"ngram": [True]}, 422, "malformed"),
        ("/v1/demo/count", {"ngram": [2**70]}, 400, "QueryError"),
        ("/v1/demo/count", {"ngram": {"a": 1}}, 422, "malformed"),
        ("/v1/demo/count", b"", 422, "malformed"),
        ("/v1/demo/count", b"{", 400, "malformed"),
        ("/v1/demo/count", b'{"ngram": "\\ud800"}', 400, "QueryError"),
        ("/v1/demo/count?format=xml", {"ngram": "the"}, 422, "malformed"),
        ("/v1/demo/concordance", {"ngram": "the", "limit": 1001}, 422, "malformed"),
        ("/v1/demo/concordance", {"ngram": "the", "width": -1}, 422, "malformed"),
        ("/v1/demo/document", {"document_id": 2}, 400, "QueryError"),
        ("/v1/demo/document", {"document_id": 2**80}, 400, "QueryError"),
        ("/v1/demo/groups", {"field": "year"}, 400, "QueryError"),
        ("/v1/demo/cooccurrence", {"clauses": []}, 400, "QueryError"),
        ("/v1/demo/cooccurrences", {}, 422, "malformed"),
        ("/v1/demo/cooccurrences", {"pairs": [[0, 9]], "ngrams": ["the"]}, 400, "QueryError"),
        ("/v1/demo/cooccurrences", {"pairs": [[0, 2**70]], "ngrams": ["the"]}, 422, "malformed"),
        ("/v1/demo/top_ngrams", {"n": 0, "k": 1}, 400, "QueryError"),
        ("/v1/demo/price", {"question": "drop", "request": {}}, 422, "malformed"),
        ("/v1/demo/price", {"question": "count", "request": {"n": 1}}, 422, "malformed"),
        ("/v1/demo/bulk/counts", b"1", 400, "QueryError"),
        ("/v1/demo/bulk/counts", b'"the"\n[', 422, "malformed"),
        ("/v1/demo/bulk/counts", b'"the"\n[1]\n[10]', 400, "QueryError"),
        ("/v1/demo/bulk/counts", b'{"were": 1}\n"the"', 422, "malformed"),
        ("/v1/demo/bulk/counts", b'{"window": 1}\n"the"', 422, "malformed"),
        ("/v1/demo/bulk/cooccurrences", b'"the"', 422, "malformed"),
        ("/v1/demo/bulk/cooccurrences", b"[]", 400, "QueryError"),
    ],
)
def test_what_is_refused(live: LiveServer, path: str, body: Any, status: int, kind: str | None) -> None:
    reply = live.ask(path, body)
    assert reply.status == status, reply.content
    if kind is not None:
        assert reply.headers["content-type"] == "application/problem+json"
        problem = reply.json
        assert (problem["type"], problem["status"]) == (kind, status)
        assert problem["detail"] and problem["title"]


def test_bulk(live: LiveServer) -> None:
    def bulk(question: str, *lines: Any) -> list[Any]:
        reply = live.ask(f"/v1/demo/bulk/{question}", "\n".join(map(json.dumps, lines)).encode())
        assert reply.status == 200, reply.content
        return [json.loads(line) for line in reply.content.splitlines()]

    assert bulk("counts", "the cat", [], [1], "zebra") == [3, 19, 6, 0]
    assert bulk("counts") == bulk("counts", {}) == []
    assert bulk("counts", {"where": {"fields": {"id": "a"}}}, "the cat", "dog") == [2, 0]
    assert bulk("document_counts", "the", "dog") == [2, 1]
    assert bulk("encode", "the cat", "dog") == [[1, 2], [7]]
    assert bulk("cooccurrences", ["cat", "dog"], [["cat", "dog"], "not"]) == [1, 1]
    assert bulk("cooccurrences", {"window": 5}, ["cat", "dog"], ["cat"]) == [0, 2]
    assert [one["context_count"] for one in bulk("next_distributions", "the", "cat")] == [6, 3]
    sat = {"pattern": [["cat", "dog"], {"gap": [1, 2]}, "the"]}
    assert bulk("counts", sat, "the cat", {"pattern": ["the", "cat"]}) == [2, 3, 3]
    assert bulk("document_counts", "dog", sat) == [1, 2]
    assert bulk("cooccurrences", [sat, "dog"], [["dog", sat], "cat"]) == [1, 2]
    assert [one["context_count"] for one in bulk("next_distributions", "the", sat)] == [6, 2]
    assert [one["lengths"] for one in bulk("matches", "the cat", "dog")] == [[2, 1], [1]]
    assert [one["suffix_lengths"] for one in bulk("scores", "the cat", "dog")] == [[0, 1], [0]]


def test_patterns_that_are_refused(live: LiveServer) -> None:
    sat = {"pattern": ["the", {"gap": [1, 1]}, "sat"]}
    for question, body, said in (
        ("count", {"ngram": {"pattern": ["the", {"gap": [2, 1]}]}}, "a gap has from 2 to 1 tokens"),
        ("count", {"ngram": {"pattern": ["the", {"hole": 1}]}}, "hole"),
        ("documents", {"ngram": sat, "snippet": 3}, "ask the concordance"),
        ("score", {"text": sat}, "text"),
        ("bulk/scores", sat, "takes n-grams"),
        ("bulk/counts", {"pattern": [{"gap": [0, 20_000]}]}, "line 1: "),
    ):
        reply = live.ask(f"/v1/demo/{question}", body if "/" not in question else json.dumps(body).encode())
        assert reply.status in (400, 422)
        assert said in json.dumps(reply.json)


def test_a_pattern_is_priced_before_it_is_looked_for(live: LiveServer) -> None:
    prices = [
        live.ask(
            "/v1/demo/price", {"question": "count", "request": {"ngram": {"pattern": ["the", {"gap": [0, most]}, "the"]}}}
        ).json
        for most in (1, 9)
    ]
    assert prices[0]["price_seconds"] < prices[1]["price_seconds"]


def test_many_in_bulk_are_many_alone(live: LiveServer, tiny: si.SuffixIndex) -> None:
    remote = live.connect(tiny)
    draw = random.Random(0)
    asked = [[draw.randint(0, 4) for _ in range(draw.randint(0, 3))] for _ in range(20_000)]
    assert remote.counts(asked).tolist() == tiny.counts(asked).tolist()
    assert remote.document_counts(asked, tiny.holding([3])).tolist() == tiny.document_counts(asked, tiny.holding([3])).tolist()
    assert remote.next_distributions(asked[:1000]) == tiny.next_distributions(asked[:1000])
    assert remote.scores(asked[:1000]) == tiny.scores(asked[:1000])
    assert remote.matches(asked[:1000]) == tiny.matches(asked[:1000])
    pairs = list(pairwise(one for one in asked[:3000] if one))
    assert remote.cooccurrences(pairs, window=2).tolist() == tiny.cooccurrences(pairs, window=2).tolist()
    with pytest.raises(si.QueryError, match="n-gram 19999: id 77 is outside"):
        remote.counts([*asked[:-1], [77]])


# ---- anything ----------------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-2, 12),
    st.floats(),
    st.text(max_size=6),
    st.just("the cat"),
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
sensible = st.one_of(
    st.just("the cat"), st.lists(st.integers(-1, 256), max_size=4), st.lists(st.text(max_size=3), max_size=3), anything
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A question, its fields filled with what they may hold or anything else."""
    name = draw(st.sampled_from(sorted(QUESTIONS)))
    body = dict(BODIES[name])
    for field in [*QUESTIONS[name].asked.model_fields, *draw(st.lists(st.text(max_size=3), max_size=1))]:
        if draw(st.booleans()):
            body[field] = draw(sensible)
        elif draw(st.booleans()):
            body.pop(field, None)
    return name, body


@settings(max_examples=FEWER * 3)
@given(requests())
def test_no_body_makes_the_server_fail(live: LiveServer, drawn: tuple[str, dict[str, Any]]) -> None:
    name, body = drawn
    reply = live.ask(f"/v1/demo/{name}", body)
    assert reply.status in (200, 400, 422), (name, body, reply.content)
    assert reply.status == 200 or reply.json["detail"]


@settings(max_examples=FEWER * 2)
@given(
    st.dictionaries(st.sampled_from("query_type index corpus query query_ids s rank ptr maxnum max_disp_len x".split()), sensible),
    st.data(),
)
def test_no_body_makes_infinigrams_api_fail(live: LiveServer, body: dict[str, Any], data: st.DataObject) -> None:
    kinds = "count count_cnf find find_cnf prob ntd infgram_prob infgram_ntd search_docs get_doc_by_rank get_doc_by_ptr".split()
    body |= {"index": "demo", "query_type": data.draw(st.sampled_from(kinds))} if data.draw(st.booleans()) else {}
    reply = live.ask("/", body)
    assert reply.status in (200, 400), (body, reply.content)
    assert reply.status == 200 or reply.json["error"]


@settings(max_examples=FEWER)
@given(st.sampled_from(["counts", "cooccurrences", "scores"]), st.lists(sensible, max_size=4), st.binary(max_size=4))
def test_no_bulk_body_makes_the_server_fail(live: LiveServer, name: str, lines: list[Any], end: bytes) -> None:
    body = b"\n".join([*(json.dumps(line).encode() for line in lines), end])
    reply = live.ask(f"/v1/demo/bulk/{name}", body)
    assert reply.status in (200, 400, 422), (body, reply.content)


@settings(max_examples=FEWER)
@given(
    st.dictionaries(st.sampled_from("response delimiters maximumFrequency minimum_span_length spanRankingMethod".split()), sensible)
)
def test_no_body_makes_the_attribution_fail(live: LiveServer, body: dict[str, Any]) -> None:
    reply = live.ask("/demo/attribution", body)
    assert reply.status in (200, 400, 422), (body, reply.content)


def test_several_indexes_served_as_one(live: LiveServer, letters: str, pets: si.SuffixIndex, tmp_path: Path) -> None:
    si.build(Path(pets.path).parent / "w.jsonl", tmp_path / "pets", tokenizer="bytes", progress=False)
    remote = live.connect(si.open([letters, tmp_path / "pets"]))
    assert remote.count("the cat") == si.open(tmp_path / "pets").count("the cat")
    assert remote.info()["fields"][0] == "index"
    assert remote.groups("index") == {"pets": 2, "letters": si.open(letters).num_documents}
    assert remote.count("the", {"index": "pets"}) == 6
