"""infini-gram's API: the facts of it as they are known, literally; its clients' habits; its numbers against brute force."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import suffixindex as si
from tests import oracle
from tests.helpers import building
from tests.helpers.serving import LiveServer, Reply
from tests.helpers.strategies import Corpus, corpora, ngrams

FEWER = max(3, settings.default.max_examples // 10)
EVERY = {"latency", "token_ids", "tokens"}

PAIRS = """\
{"query_type":"count","query":"the cat"}
{"approx":false,"count":3,"latency":0.3,"token_ids":[1,2],"tokens":["the","cat"]}
{"query_type":"count","query":""}
{"approx":false,"count":21}
{"query_type":"count","query":"cat OR dog AND mat","max_diff_tokens":100}
{"approx":false,"count":2}
{"query_type":"prob","query_ids":[1,2]}
{"cont_cnt":3,"prob":0.5,"prompt_cnt":6}
{"query_type":"ntd","query":"the"}
{"approx":false,"prompt_cnt":6,"result_by_token_id":{"2":{"cont_cnt":3,"prob":0.5,"token":"cat"},"5":{"cont_cnt":2,"prob":0.3333333333333333,"token":"mat"},"7":{"cont_cnt":1,"prob":0.16666666666666666,"token":"dog"}}}
{"query_type":"infgram_prob","query":"not sat on the mat"}
{"cont_cnt":2,"longest_suffix":"sat on the","prob":1.0,"prompt_cnt":2,"suffix_len":3}
{"query_type":"infgram_ntd","query":"not sat on the"}
{"approx":false,"longest_suffix":"sat on the","prompt_cnt":2,"result_by_token_id":{"5":{"cont_cnt":2,"prob":1.0,"token":"mat"}},"suffix_len":3}
{"query_type":"find","query":"the cat"}
{"cnt":3,"segment_by_shard":[[0,3]]}
{"query_type":"get_doc_by_rank","query":"the cat","s":0,"rank":1,"max_disp_len":6}
{"blocked":false,"disp_len":6,"doc_ix":0,"doc_len":9,"metadata":"{\\"path\\": \\"w.jsonl\\", \\"linenum\\": 1, \\"metadata\\": {\\"id\\": \\"a\\"}}\\n","needle_offset":3,"spans":[["on the mat ",null],["the cat","0"],[" slept",null]]}
{"query_type":"find_cnf","query":"dog AND cat","max_diff_tokens":10}
{"approx":false,"cnt":1,"ptrs_by_shard":[[12]]}
{"query_type":"get_doc_by_ptr","query":"dog AND cat","s":0,"ptr":12,"max_disp_len":8}
{"blocked":false,"disp_len":5,"doc_ix":1,"doc_len":10,"metadata":"…","needle_offset":1,"spans":[["the ",null],["dog","0"],[" sat on the",null]]}
{"query_type":"search_docs","query":"dog","maxnum":1,"max_disp_len":4}
{"approx":false,"cnt":1,"documents":[{"blocked":false,"disp_len":3,"doc_ix":1,"doc_len":10,"metadata":"…","needle_offset":1,"spans":[["the ",null],["dog","0"],[" sat",null]],"token_ids":[1,7,3]}],"idxs":[0],"message":"1 occurrences found. Displaying the documents of occurrences #[0]"}
""".splitlines()  # noqa: E501  as infini-gram's server answered, but pair 10, which is exact


def same(answer: Any, expected: Any) -> bool:
    """Equal where something is expected: a path by its last part, … anything."""
    if isinstance(expected, dict):
        return set(answer) == set(expected) and all(same(answer[name], value) for name, value in expected.items())
    if isinstance(expected, list):
        return len(answer) == len(expected) and all(map(same, answer, expected))
    if isinstance(expected, str) and expected.startswith("{"):
        record = json.loads(answer)
        return answer.endswith("\n") and json.loads(expected) == {**record, "path": Path(record["path"]).name}
    return expected == "…" or bool(answer == expected)


@pytest.mark.parametrize(("asked", "expected"), list(zip(PAIRS[::2], PAIRS[1::2], strict=True)))
def test_the_twelve_pairs(live: LiveServer, asked: str, expected: str) -> None:
    question, answer = json.loads(asked), json.loads(expected)
    reply = live.ask("/", {**question, "index": "demo"})
    found = reply.json
    assert reply.status == 200
    assert found.keys() >= EVERY
    assert isinstance(found["latency"], float)
    more = EVERY - answer.keys() | (found.keys() & {"document_count"}) | {"latency"}
    assert same({k: v for k, v in found.items() if k not in more}, {k: v for k, v in answer.items() if k != "latency"})


def test_keys_are_in_order_and_ascii(live: LiveServer) -> None:
    content = live.ask("/", {"index": "demo", "query_type": "ntd", "query": "∞"}).content
    assert content.isascii() and content.endswith(b"\n")
    pairs = json.loads(content, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    assert names == sorted(names)
    ids = [int(name) for name, _ in dict(pairs)["result_by_token_id"]]
    assert ids == sorted(ids)


# ---- errors ------------------------------------------------------------------------------------------------------

CNF = "cnf must be a non-empty, triply-nested list of integers in range [0, 65535]"
ERRORS: list[tuple[dict[str, Any], int, str]] = [
    ({}, 400, "[Flask] Missing required field: 'query_type'"),
    ({"query_type": "count"}, 400, "[Flask] Missing required field: 'index'"),
    ({"query_type": "count", "index": "demo"}, 400, "[Flask] Exactly one of query and query_ids must be present!"),
    (
        {"query_type": "count", "index": "demo", "query": "a", "query_ids": [1]},
        400,
        "[Flask] Exactly one of query and query_ids must be present!",
    ),
    ({"query_type": "count", "index": "pile", "query": "a"}, 400, "[Flask] Invalid index: pile"),
    ({"query_type": "count", "corpus": "pile", "index": "demo", "query": "a"}, 400, "[Flask] Invalid index: pile"),
    ({"query_type": "creativity", "index": "demo", "query": "a"}, 400, "[Flask] Invalid query_type: creativity"),
    ({"query_type": "__init__", "index": "demo", "query": "a"}, 400, "[Flask] Invalid query_type: __init__"),
    ({"query_type": "count", "query": 5}, 200, "query must be a string!"),
    ({"query_type": "count", "query": "x" * 1001}, 200, "Please limit your input to <= 1000 characters!"),
    ({"query_type": "count", "query_ids": [1] * 501}, 200, "Please limit your input to <= 500 tokens!"),
    ({"query_type": "count", "query_ids": [[[1] * 300], [[1] * 201]]}, 200, "Please limit your input to <= 500 tokens!"),
    ({"query_type": "count", "query_ids": [10]}, 200, "Some item(s) in your query_ids are out-of-range!"),
    ({"query_type": "count", "query_ids": [-1]}, 200, "Some item(s) in your query_ids are out-of-range!"),
    *(
        (
            {"query_type": "count", "query_ids": ids},
            200,
            "query_ids must be a list of integers, or a triply-nested list of integers!",
        )
        for ids in ([1.5], ["a"], [[1]], {"a": 1}, "the", [True], [[[None]]])
    ),
    ({"query_type": "count", "query": " AND ".join("abcde")}, 200, "Please enter at most 4 disjunctive clauses!"),
    ({"query_type": "count", "query": " OR ".join("abcde")}, 200, "Please enter at most 4 terms in each disjunctive clause!"),
    ({"query_type": "prob", "query": ""}, 200, "Please provide a non-empty query!"),
    ({"query_type": "infgram_prob", "query_ids": []}, 200, "Please provide a non-empty query!"),
    *(
        ({"query_type": kind, "query": query, name: value}, 200, f"{name} must be an integer in [1, {most}]!")
        for kind, query, name, most in [
            ("count", "the AND cat", "max_clause_freq", 500_000),
            ("count", "the AND cat", "max_diff_tokens", 1000),
            ("ntd", "the", "max_support", 1000),
            ("infgram_ntd", "the", "max_support", 1000),
            ("search_docs", "the", "maxnum", 10),
            ("search_docs", "the", "max_disp_len", 10_000),
        ]
        for value in (0, most + 1, "1", 1.0, True)
    ),
    ({"query_type": "get_doc_by_rank", "query": "the", "s": 1, "rank": 0}, 200, "s must be an integer in range [0, 1)"),
    ({"query_type": "get_doc_by_rank", "query": "the", "rank": 0}, 200, "s must be an integer in range [0, 1)"),
    ({"query_type": "get_doc_by_rank", "query": "the", "s": 0, "rank": 21}, 200, "rank must be an integer in range [0, 21)"),
    (
        {"query_type": "get_doc_by_ptr", "query": "the", "s": 0, "ptr": 21},
        200,
        "ptr must be an integer in range [0, 21) and a multiple of 1",
    ),
    ({"query_type": "find", "query": "a AND b"}, 200, "input_ids must be a list of integers in range [0, 65535]"),
    ({"query_type": "prob", "query": "a AND b"}, 200, "prompt_ids must be a non-empty list of integers in range [0, 65535]"),
    ({"query_type": "ntd", "query": "a AND b"}, 200, "prompt_ids must be a list of integers in range [0, 65535]"),
    ({"query_type": "find_cnf", "query": "the"}, 200, CNF),
    ({"query_type": "count", "query_ids": [[[]]]}, 200, CNF),
    ({"query_type": "count", "query_ids": [[]]}, 200, CNF),
]


@pytest.mark.parametrize(("question", "status", "sentence"), ERRORS, ids=lambda value: str(value)[:60])
def test_errors(live: LiveServer, question: dict[str, Any], status: int, sentence: str) -> None:
    asked = {"index": "demo", **question} if status == 200 else question
    reply = live.ask("/", asked)
    assert (reply.status, reply.json["error"]) == (status, sentence)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{" + b" " * (1 << 20) + b"}", "application/json", 413),
    ],
)
def test_what_is_no_request(live: LiveServer, body: bytes, kind: str, status: int) -> None:
    for _ in range(5):
        with suppress(URLError):  # the server may close while much of a body is still to come
            assert live.ask("/", body, Content_Type=kind).status == status
            return
    pytest.fail("no answer")


def test_methods_and_the_list_of_indexes(live: LiveServer) -> None:
    assert [one["index"] for one in live.ask("/").json] == ["demo"]
    assert live.ask("/", Accept="text/html,*/*;q=0.8").headers["content-type"].startswith("text/html")
    reply = live.ask("/", method="OPTIONS")
    assert (reply.status, reply.content) == (200, b"")
    assert set(reply.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert "access-control-allow-origin" not in reply.headers
    assert live.ask("/nowhere").status == 404
    assert live.ask("/", method="DELETE").status == 405


# ---- what clients do ---------------------------------------------------------------------------------------------


def ask(live: LiveServer, **question: Any) -> Any:
    reply: Reply = live.ask("/", {"index": "demo", **question})
    assert reply.status == 200
    return reply.json


def test_fields_of_older_and_careless_clients(live: LiveServer) -> None:
    plain = ask(live, query_type="count", query="the cat")
    odd = ask(live, query_type="count", query="the cat", engine="c++", source="x", timestamp=1, max_diff_tokens=100, maxnum=None)
    assert (odd["count"], odd.get("warnings")) == (plain["count"], None)
    older = live.ask("/", {"corpus": "demo", "query_type": "count", "query": "the cat"}).json
    assert older["count"] == plain["count"]
    unknown = ask(live, query_type="count", query="the cat", limit=3)
    assert unknown["count"] == plain["count"]
    assert unknown["warnings"] == ["the field 'limit' is unknown and was ignored"]
    assert ask(live, query_type="count", query="the cat", query_ids=None)["count"] == plain["count"]


def test_a_document_without_a_query(live: LiveServer) -> None:
    document = ask(live, query_type="get_doc_by_rank", s=0, rank=0)
    assert (document["token_ids"], document["tokens"]) == ([], [])
    assert [label for _, label in document["spans"]] == [None]
    assert json.loads(document["metadata"])["linenum"] in (1, 2)


def test_quoted_terms_are_warned_of_where_they_mean_something_else(live: LiveServer, letters_server: LiveServer) -> None:
    words = ask(live, query_type="count", query='"cat" AND (mat)')  # punctuation is nothing to this tokenizer
    assert (words["count"], "warnings" in words) == (2, False)
    letters = ask(letters_server, query_type="count", query='"be" AND (that)')
    assert letters["count"] == 0
    assert letters["warnings"] == [
        "the marks around '\"be\"' are looked for as text: ask for 'be'",
        "the marks around '(that)' are looked for as text: ask for 'that'",
    ]


def test_bytes_may_be_escaped(letters_server: LiveServer) -> None:
    assert ask(letters_server, query_type="count", query=r"\x74o be") == {
        **ask(letters_server, query_type="count", query="to be"),
        "latency": pytest.approx(0, abs=1e4),
    }
    assert ask(letters_server, query_type="count", query=r"\xe2\x88\x9e")["count"] == 1


def test_documents_drawn_again_and_again(live: LiveServer) -> None:
    drawn = [ask(live, query_type="search_docs", query="the", maxnum=10, max_disp_len=6) for _ in range(8)]
    assert {len(one["documents"]) for one in drawn} == {10}
    assert {document["doc_ix"] for one in drawn for document in one["documents"]} == {0, 1}
    assert {number for one in drawn for number in one["idxs"]} == set(range(6))
    assert all(one["message"].endswith(f"#{one['idxs']}") for one in drawn)
    none = ask(live, query_type="search_docs", query="zebra")
    assert (none["cnt"], none["documents"], none["idxs"]) == (0, [], [])


def test_two_hundred_at_once(live: LiveServer) -> None:
    words = ["the", "cat", "dog", "sat on", "not"]
    expected = {word: ask(live, query_type="count", query=word)["count"] for word in words}
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda word: (word, ask(live, query_type="count", query=word)["count"]), words * 40))
    assert all(count == expected[word] for word, count in found)


def test_the_end_of_a_document(live: LiveServer) -> None:
    assert ask(live, query_type="prob", query_ids=[6, 65535])["prob"] == 1.0
    assert ask(live, query_type="ntd", query="slept")["result_by_token_id"] == {
        "65535": {"cont_cnt": 1, "prob": 1.0, "token": "<end of document>"}
    }
    everything = ask(live, query_type="ntd", query="")
    assert sum(one["cont_cnt"] for one in everything["result_by_token_id"].values()) == everything["prompt_cnt"] == 21
    assert ask(live, query_type="infgram_ntd", query="zebra")["longest_suffix"] == ""
    assert ask(live, query_type="prob", query="zebra the")["prob"] == -1.0
    assert ask(live, query_type="find", query="")["segment_by_shard"] == [[0, 21]]


# ---- against brute force -----------------------------------------------------------------------------------------


def near(documents: oracle.Documents, clauses: Sequence[Sequence[list[int]]], separator: int, most: int) -> list[int]:
    """Left ends of the ranges, in positions of the whole corpus, by the definition in words: see the kernel's docstring."""
    places: list[list[tuple[int, int]]] = []  # of each clause (position, document)
    firsts = [sum(len(one) + 1 for one in documents[:number]) for number in range(len(documents))]
    for clause in clauses:
        here = []
        for term in clause:
            for number, document in enumerate(documents):
                here += [(firsts[number] + start, number) for start in oracle.starts(document, term, separator)]
        places.append(sorted(here))
    rarest, *others = sorted(places, key=len)
    found = []
    for position, number in rarest:
        left = right = position
        for clause_places in others:
            mine = [place for place, document in clause_places if document == number]
            before = [place for place in mine if place < right]
            after = [place for place in mine if place >= left]
            on_left = bool(before) and min(left, before[-1]) + most >= left
            on_right = bool(after) and max(right, after[0]) <= right + most
            if not on_left and not on_right:
                break
            left, right = (min(left, before[-1]) if on_left else left), (max(right, after[0]) if on_right else right)
        else:
            found.append(left)
    return sorted(found)


@st.composite
def near_questions(draw: st.DrawFn) -> tuple[Corpus, list[list[list[int]]], int]:
    corpus = draw(corpora(token_types=("u8", "u16")))
    term = ngrams(corpus).filter(lambda ngram: 0 < len(ngram) < 20)
    return corpus, draw(st.lists(st.lists(term, min_size=1, max_size=3), min_size=1, max_size=4)), draw(st.integers(1, 6))


PETS = Corpus("u8", 200, [1, 2], [[1, 2, 3, 4, 1, 5, 1, 2, 6], [1, 7, 3, 4, 1, 5, 1, 2, 8, 9]])


@example(drawn=(PETS, [[[7]], [[2]]], 10), shards=1)
@example(drawn=(PETS, [[[2]], [[5]]], 10), shards=2)
@settings(max_examples=FEWER)
@given(drawn=near_questions(), shards=st.sampled_from([1, 2, 3]))
def test_clauses_near_each_other(
    new_folder: Callable[[], Path], live: LiveServer, drawn: tuple[Corpus, list[list[list[int]]], int], shards: int
) -> None:
    corpus, clauses, most = drawn
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    name = live.connect(index).name
    expected = near(corpus.documents, clauses, corpus.separator, most)
    ids = [[[65535 if token == corpus.separator else token for token in term] for term in clause] for clause in clauses]
    asked = {"index": name, "query_ids": ids, "max_diff_tokens": most}
    counted = live.ask("/", {**asked, "query_type": "count"}).json
    assert (counted["count"], counted["approx"]) == (len(expected), False)
    assert counted["document_count"] == oracle.cooccurrence(corpus.documents, clauses, corpus.separator)
    found = live.ask("/", {**asked, "query_type": "find_cnf"}).json
    width, firsts, lengths = index.dtype.itemsize, 0, [shard.length for shard in index.shards]
    left_ends = []
    for pointers, length in zip(found["ptrs_by_shard"], lengths, strict=True):
        left_ends += [firsts + (pointer // width - 1) % length for pointer in pointers]
        firsts += length
    assert sorted(left_ends) == expected
    assert found["cnt"] == len(expected)


@settings(max_examples=FEWER)
@given(st.data(), st.sampled_from([1, 2, 3]))
def test_plain_questions(new_folder: Callable[[], Path], live: LiveServer, data: st.DataObject, shards: int) -> None:
    corpus = data.draw(corpora(token_types=("u8", "u16")))
    index = building.write_index(
        new_folder(), corpus.documents, corpus.token_type, vocabulary_size=corpus.vocabulary_size, shards=shards
    )
    name, separator = live.connect(index).name, corpus.separator
    everything = sum(map(len, corpus.documents)) + len(corpus.documents)

    def total(ids: list[int]) -> int:
        return oracle.count(corpus.documents, ids, separator) if ids else everything

    for ngram in data.draw(st.lists(ngrams(corpus).filter(lambda one: len(one) < 400), min_size=1, max_size=3)):
        asked = {"index": name, "query_ids": [65535 if token == separator else token for token in ngram]}
        assert live.ask("/", {**asked, "query_type": "count"}).json["count"] == total(ngram)
        found = live.ask("/", {**asked, "query_type": "find"}).json
        assert found["cnt"] == total(ngram) == sum(high - low for low, high in found["segment_by_shard"])
        if ngram:
            prob = live.ask("/", {**asked, "query_type": "prob"}).json
            assert (prob["prompt_cnt"], prob["cont_cnt"]) == (total(ngram[:-1]), total(ngram) if total(ngram[:-1]) else 0)
        if ngram[-1:] != [separator]:
            expected = oracle.next_tokens(corpus.documents, ngram, separator)
            if not ngram:
                expected[separator] = len(corpus.documents)
            answer = live.ask("/", {**asked, "query_type": "ntd"}).json
            told = {int(token): one["cont_cnt"] for token, one in answer["result_by_token_id"].items()}
            assert told == {65535 if token == separator else token: number for token, number in expected.items()}
            suffixes = [ngram[start:] for start in range(len(ngram) + 1)]
            longest = next(suffix for suffix in suffixes if total(suffix))
            assert live.ask("/", {**asked, "query_type": "infgram_ntd"}).json["suffix_len"] == len(longest)


def test_every_occurrence_is_shown_where_it_stands(live: LiveServer, tiny: si.SuffixIndex) -> None:
    name, documents = live.connect(tiny).name, [[1, 2, 1, 2, 3], [], [2, 2], [3, 1, 2]]
    for size in (1, 2, 3, 10):
        shown = []
        for shard, (low, high) in enumerate(
            live.ask("/", {"index": name, "query_type": "find", "query_ids": [2]}).json["segment_by_shard"]
        ):
            for rank in range(low, high):
                asked = {
                    "index": name,
                    "query_type": "get_doc_by_rank",
                    "query_ids": [2],
                    "s": shard,
                    "rank": rank,
                    "max_disp_len": size,
                }
                shown.append(live.ask("/", asked).json)
        expected = []
        for number, document in enumerate(documents):
            for start in oracle.starts(document, [2], 65535):
                first, last = max(0, start - size // 2), min(len(document), start + -(-size // 2))
                expected.append((number, len(document), last - first, start - first))
        found = [(one["doc_ix"], one["doc_len"], one["disp_len"], one["needle_offset"]) for one in shown]
        assert sorted(found) == sorted(expected)
