"""The client: every question gives what the index itself gives, or the same error; and what becomes of it without a server."""

import http.client
import inspect
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import numpy as np
import pytest

import suffixindex as si
from suffixindex.serve.client import RemoteIndex
from suffixindex.serve.client.transport import Transport
from tests.helpers.questions import same
from tests.helpers.serving import LiveServer, listening

Ask = Callable[[Any], Any]
HERE_ALONE = {"shards", "tokenizer"}
"""What a client has not: the maps of files, and the tokenizer that encodes at the server's."""


def test_the_same_names_and_arguments() -> None:
    for name, member in vars(si.SuffixIndex).items():
        if name.startswith("_") or name in HERE_ALONE:
            continue
        if isinstance(member, property):
            continue
        assert inspect.signature(getattr(RemoteIndex, name)) == inspect.signature(member), name


QUESTIONS: list[Ask] = [
    lambda index: (index.kind, index.separator, index.vocabulary_size, index.num_documents, index.num_tokens, index.num_shards),
    lambda index: index.dtype,
    lambda index: index.encode("the cat"),
    lambda index: index.decode([1, 2, 255]),
    lambda index: index.pieces([1, 255]),
    lambda index: index.count("the cat", {"id": "a"}),
    lambda index: index.counts(["the", [1, 2], np.array([2])], {"id": ["a", "b"]}),
    lambda index: index.counts(["the"], {"id": lambda value: value > "a"}),
    lambda index: index.counts(["the"], index.holding("dog")),
    lambda index: index.mask({"id": range(5)}),
    lambda index: index.mask({"id": "b"}),
    lambda index: index.next_distribution("the", {"id": "a"}),
    lambda index: index.next_distributions(["the", [2]]),
    lambda index: index.concordance("the", 2, limit=3, offset=1),
    lambda index: index.concordance("the", limit=None, where={"id": "b"}),
    lambda index: [index.document(number) for number in range(2)],
    lambda index: index.text(1),
    lambda index: (index.document_count("the"), index.document_counts(["the", "dog"], {"id": "a"})),
    lambda index: index.documents("the", limit=None),
    lambda index: index.sample_documents("the", 1, seed=3),
    lambda index: index.document_ids("cat", ["dog", "slept"], window=9),
    lambda index: index.holding("dog"),
    lambda index: index.cooccurrence("cat", ["dog", "slept"], window=1),
    lambda index: index.cooccurrences([("cat", "dog"), ["the"]], where={"id": "b"}),
    lambda index: index.cooccurrences(np.array([[0, 1], [1, 1]]), ["cat", "dog"]),
    lambda index: index.cooccurrence_matrix(["cat", "dog"], ["the", "not", "on"]),
    lambda index: list(index.groups("id").items()),
    lambda index: list(index.counts_by("the", "id", "documents").items()),
    lambda index: index.infgram("not sat on the", 5),
    lambda index: index.suffix_length("not sat on the"),
    lambda index: index.score("the cat did not sit"),
    lambda index: index.scores(["the cat", []]),
    lambda index: index.match("the cat did not sit"),
    lambda index: index.matches(["the cat", [3]]),
    lambda index: index.spans("the cat did not sit on the mat"),
    lambda index: index.spans("the cat did not sit on the mat", 2, None),
    lambda index: index.novelty("the cat did not", 3),
    lambda index: index.variants("The cat"),
    lambda index: index.count_variants("The cat", ["case"], {"id": "a"}),
    lambda index: index.boundary_warning("the cat"),
    lambda index: index.top_ngrams(2, 3),
    lambda index: index.ngram_statistics(3, 2),
    lambda index: index.distinct_ngrams(3),
    lambda index: index.count_of_counts(2, 2),
    lambda index: index.duplicates(2, limit=None, max_documents=None),
]
REFUSED: list[Ask] = [
    lambda index: index.count([10]),
    lambda index: index.count([255, 1]),
    lambda index: index.count(""),
    lambda index: index.count("\ud800"),
    lambda index: index.count(b"the"),
    lambda index: index.count(1.5),
    lambda index: index.count("the", 5),
    lambda index: index.count("the", {"id": b"a"}),
    lambda index: index.count("the", {"id": [[1]]}),
    lambda index: index.count("the", {"year": 1}),
    lambda index: index.count("the", np.ones(3, bool)),
    lambda index: index.counts("the"),
    lambda index: index.counts(["the", [1, 10], "cat"]),
    lambda index: index.next_distribution([255]),
    lambda index: index.next_distributions([[1], [255]]),
    lambda index: index.concordance("the", -1),
    lambda index: index.documents("the", limit=-1),
    lambda index: index.document(2),
    lambda index: index.sample_documents("the", -1, 0),
    lambda index: index.cooccurrence(),
    lambda index: index.cooccurrence("the", window=-1),
    lambda index: index.cooccurrences(["the"]),
    lambda index: index.cooccurrences([[0, 5]], ["the"]),
    lambda index: index.counts_by("the", "id", "tokens"),
    lambda index: index.groups("year"),
    lambda index: index.infgram("the", 10),
    lambda index: index.scores("the"),
    lambda index: index.match([255]),
    lambda index: index.match(3),
    lambda index: index.novelty(3, 2),
    lambda index: index.decode([[1], [2, 3]]),
    lambda index: index.pieces([[1, 2]]),
    lambda index: index.pieces([1.5]),
    lambda index: index.spans("the", 0),
    lambda index: index.novelty("the", 0),
    lambda index: index.variants("the", "case"),
    lambda index: index.variants(["the"]),
    lambda index: index.top_ngrams(0, 1),
    lambda index: index.duplicates(1, order="first"),
    lambda index: index.decode([10]),
]


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
def test_the_answers_of_the_index_itself(live: LiveServer, pets: si.SuffixIndex, number: int) -> None:
    with si.connect(live.url) as remote:
        assert same(QUESTIONS[number](remote), QUESTIONS[number](pets))


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_the_errors_of_the_index_itself(live: LiveServer, pets: si.SuffixIndex, number: int) -> None:
    with pytest.raises(si.SuffixIndexError) as expected:
        REFUSED[number](pets)
    with pytest.raises(si.SuffixIndexError) as found:
        REFUSED[number](si.connect(live.url, "demo"))
    assert (type(found.value), str(found.value)) == (type(expected.value), str(expected.value))


def test_a_client_as_an_object(live: LiveServer, pets: si.SuffixIndex) -> None:
    remote = si.connect(live.url, "demo")
    assert repr(remote) == f"RemoteIndex('{live.url}', 'demo': 2 documents, 19 tokens)"
    assert pickle.loads(pickle.dumps(remote)).count("the") == 6
    assert remote.info()["num_tokens"] == 19
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(remote.count, ["the"] * 40)) == {6}
    remote.close()
    assert remote.count("the") == 6  # opens a connection again
    with pytest.raises(si.QueryError, match=r"name one of the indexes at .*: demo; not pile"):
        si.connect(live.url, "pile")
    with pytest.warns(DeprecationWarning, match="next_distribution"):
        remote.next_tokens("the")


def test_a_connection_that_the_server_closed(live: LiveServer) -> None:
    remote = si.connect(live.url, "demo")
    request = http.client.HTTPConnection.request
    failures = iter([http.client.RemoteDisconnected("closed")])

    def once(*arguments: Any, **more: Any) -> None:
        if error := next(failures, None):
            raise error
        request(*arguments, **more)

    with mock.patch.object(http.client.HTTPConnection, "request", once):
        assert remote.count("the") == 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_process_has_connections_of_its_own(live: LiveServer) -> None:
    remote = si.connect(live.url, "demo")
    assert remote.count("the") == 6  # over the connection that a child inherits
    pid = os.fork()
    found = [remote.count("the") if pid else remote.count("cat") for _ in range(30)]
    if not pid:
        os._exit(found != [found[0]] * 30 or found[0] == 6)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert found == [6] * 30


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(si.ServerError, match=r"127\.0\.0\.1:9 does not answer .*: start it with suffixindex serve INDEX"):
        si.connect("http://127.0.0.1:9", "demo")
    with pytest.raises(si.ServerError, match="no address of a server"):
        si.connect("demo-index")


@pytest.mark.parametrize("content", [b"<html>", b"{}", b"[1]", b'{"indexes": [5]}', b'{"indexes": null}', b"[" * 100_000])
def test_a_server_of_another_kind(content: bytes) -> None:
    async def other(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": content})

    with listening(other) as live, pytest.raises(si.ServerError, match=r"answers otherwise than suffixindex serve does"):  # type: ignore[arg-type]
        si.connect(live.url)


def test_a_busy_server_is_asked_again(pets: si.SuffixIndex) -> None:
    with listening(si.serve.app({"demo": pets}, bulk_bodies=0)) as live:
        remote = RemoteIndex(Transport(live.url, None, 60.0, 2), "demo")
        with mock.patch("time.sleep") as slept, pytest.raises(si.ServerError, match="too many questions are waiting"):
            remote.counts(["the"] * 1000)
        assert [call.args for call in slept.call_args_list if call.args[0] > 1] == [(5.0,), (5.0,)]
