"""What keeps a server well: prices, queues, deadlines, clients that go, sizes, tokens, silence about what was asked, a calm end."""

import http.client
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import suffixindex as si
from suffixindex.serve.v1 import occurrences
from suffixindex.serve.v1.questions import QUESTIONS, Asking
from suffixindex.serve.work import ClientGoneError, Job
from tests.helpers.serving import LiveServer, listening

Serve = Callable[..., LiveServer]


@pytest.fixture
def serve(pets: si.SuffixIndex) -> Iterator[Serve]:
    """A server of the pets with some settings."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda **changes: stack.enter_context(listening(si.serve.app({"demo": pets, "again": pets}, **changes)))


class Held:
    """A question that is answered when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, price: float) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Event()
        self.answered = 0
        monkeypatch.setitem(QUESTIONS, "count", QUESTIONS["count"])

        def answer(asking: Asking, asked: Any) -> Any:
            self.begun.release()
            assert self.go_on.wait(30)
            self.answered += 1
            return {"ngram": asking.described(asked.ngram), "count": 1}

        answer.__module__ = QUESTIONS["count"].answer.__module__
        self.question = QUESTIONS["count"]._replace(answer=answer, price=lambda asking, asked: price)
        monkeypatch.setitem(QUESTIONS, "count", self.question)


COUNT: dict[str, Any] = {"ngram": "the"}


# ---- prices ------------------------------------------------------------------------------------------------------


def test_a_question_over_the_budget_is_refused_with_its_price(serve: Serve) -> None:
    live = serve(budget=1e-6)
    reply = live.ask("/v1/demo/count", COUNT)
    assert (reply.status, reply.json["type"], reply.json["budget_seconds"]) == (422, "too-expensive", 1e-6)
    assert reply.json["price_seconds"] > 1e-6
    assert live.ask("/v1/demo/price", {"question": "count", "request": COUNT}).json["answered"] is False
    answer = live.ask("/", {"index": "demo", "query_type": "count", "query": "the"})
    assert (answer.status, "would take about" in answer.json["error"]) == (200, True)
    assert live.ask("/demo/attribution", {"response": "the cat"}).status == 422
    assert b"suffixindex_too_expensive_total 3" in live.ask("/metrics").content
    with pytest.raises(si.ServerError, match="would take about"):
        si.connect(live.url, "demo").count("the")


def test_a_bulk_question_over_its_budget_is_refused(serve: Serve) -> None:
    live = serve(bulk_budget=1e-9)
    assert live.ask("/v1/demo/bulk/counts", b'"the"').json["type"] == "too-expensive"


def test_clauses_over_the_budget_are_estimated_and_say_so(pets: si.SuffixIndex, live: LiveServer) -> None:
    from suffixindex.serve.compat import answers

    asked = {"index": "demo", "query_type": "count", "query": "the AND cat", "max_diff_tokens": 1}
    exact = live.ask("/", asked).json
    with mock.patch.object(answers, "price_of_all", lambda index, clauses: 1e9):
        estimated = live.ask("/", asked).json
        found = live.ask("/", {**asked, "query_type": "find_cnf"}).json
    assert (exact["approx"], estimated["approx"]) == (False, True)
    assert estimated["count"] == exact["count"] == found["cnt"]  # all occurrences are a sample of so few
    assert "estimated" in estimated["warnings"][0]


def test_every_question_costs_something_and_more_occurrences_more(pets: si.SuffixIndex) -> None:
    from suffixindex.serve.table import Served
    from suffixindex.serve.v1.models import AskDocuments

    asking = Asking(Served(pets))
    price = QUESTIONS["documents"].price
    assert price(asking, AskDocuments(ngram="the")) > price(asking, AskDocuments(ngram="dog")) > 0


# ---- queues ------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    one = Held(monkeypatch, price=1.0)
    yield one
    one.go_on.set()


def test_a_full_queue_says_when_to_come_back(held: Held, serve: Serve) -> None:
    live = serve(expensive_workers=1, expensive_queue=1)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(live.ask, "/v1/demo/count", COUNT) for _ in range(2)]
        assert held.begun.acquire(timeout=30)
        while live.state.workers.expensive.taken < 2:
            time.sleep(0.005)
        refused = live.ask("/v1/demo/count", COUNT)
        assert (refused.status, refused.json["type"]) == (503, "server-overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        # cheap ones are answered meanwhile, and those who look after the server
        assert live.ask("/v1/demo/encode", {"text": "the"}).json["token_ids"] == [1]
        assert live.ask("/healthz").content == b"ok\n"
        assert b'suffixindex_refused_total{pool="expensive"} 1' in live.ask("/metrics").content
        held.go_on.set()
        assert [one.result().status for one in waiting] == [200, 200]
    assert live.state.workers.expensive.taken == 0


def test_a_client_that_goes_leaves_the_queue(held: Held, serve: Serve) -> None:
    live = serve(expensive_workers=1)
    body = json.dumps(COUNT)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(live.ask, "/v1/demo/count", COUNT)
        assert held.begun.acquire(timeout=30)
        gone = http.client.HTTPConnection("127.0.0.1", live.port)
        gone.request("POST", "/v1/demo/count", body, {"Content-Type": "application/json"})
        while live.state.workers.expensive.taken < 2:
            time.sleep(0.005)
        gone.close()
        while live.state.workers.expensive.taken > 1:
            time.sleep(0.005)
        held.go_on.set()
        assert first.result().status == 200
    assert held.answered == 1
    assert live.state.metrics.gone == 1


def test_a_job_is_stopped_at_its_deadline_or_without_a_client() -> None:
    from suffixindex.serve.problems import ProblemError

    job = Job(60.0)
    job.check()
    job.cancel()
    with pytest.raises(ClientGoneError):
        job.check()
    with pytest.raises(ProblemError, match="was stopped after"):
        Job(-1.0).check()


def test_work_that_hangs_keeps_no_client_waiting(held: Held, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    from suffixindex.serve import work

    monkeypatch.setattr(work, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(work, "GRACE", 0.1)
    live = serve(expensive_workers=1, patience=0.0)
    slow = live.ask("/v1/demo/count", COUNT)
    assert (slow.status, slow.json["type"], int(slow.headers["retry-after"]) >= 1) == (503, "too-slow", True)
    assert live.state.workers.expensive.taken == 1  # it still holds its place
    held.go_on.set()
    while live.state.workers.expensive.taken:
        time.sleep(0.005)


def test_a_bulk_answer_that_is_stopped_ends_with_the_reason(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    from suffixindex.serve.v1 import bulk

    live = serve()
    monkeypatch.setattr(bulk, "MOST_IN_BLOCK", 1)
    monkeypatch.setattr(bulk, "BLOCK_SECONDS", 1e-12)
    asked = iter(range(10))
    check = Job.check

    def third_time(job: Job) -> None:
        if next(asked) >= 3:
            vars(job)["_deadline"] = -1.0
        check(job)

    monkeypatch.setattr(Job, "check", third_time)
    lines = live.ask("/v1/demo/bulk/counts", b'"the"\n"cat"\n"dog"\n"mat"').content.splitlines()
    assert [json.loads(line) for line in lines[:-1]] == [6, 3][: len(lines) - 1]
    assert json.loads(lines[-1])["error"]["type"] == "too-slow"
    asked = iter(range(10))
    with pytest.raises(si.ServerError, match="was stopped after"):
        si.connect(live.url, "demo").counts(["the", "cat", "dog"] * 300)


# ---- sizes -------------------------------------------------------------------------------------------------------


def test_bodies_and_answers_have_a_largest_size(serve: Serve) -> None:
    live = serve(body_bytes=100, bulk_bytes=1000, answer_bytes=150)
    assert live.ask("/v1/demo/count", {"ngram": "x" * 100}).status == 413
    assert live.ask("/v1/demo/bulk/counts", b'"the"\n' * 200).status == 413
    assert live.ask("/v1/demo/bulk/counts", b'"the"\n' * 100).status == 200
    assert live.ask("/v1/demo/concordance", {"ngram": "the"}).json["type"] == "answer-too-large"
    chunked = http.client.HTTPConnection("127.0.0.1", live.port)
    chunked.request("POST", "/v1/demo/count", iter([b" " * 60, b" " * 60]), {"Content-Type": "application/json"})
    assert chunked.getresponse().status == 413
    chunked.close()


def test_a_body_that_does_not_come(serve: Serve) -> None:
    live = serve(body_seconds=0.2)
    with socket.create_connection(("127.0.0.1", live.port)) as slow:
        slow.sendall(b"POST /v1/demo/count HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
        slow.settimeout(30)
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
    assert live.ask("/healthz").status == 200


def test_a_client_that_goes_while_it_sends_is_no_failure(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    live = serve()
    for path in ("/", "/v1/demo/count", "/v1/demo/bulk/counts", "/demo/attribution"):
        with socket.create_connection(("127.0.0.1", live.port)) as half:
            said = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{{"
            half.sendall(said.encode())
            while live.state.metrics.in_flight == 0:
                time.sleep(0.005)
        while live.state.metrics.in_flight:
            time.sleep(0.005)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert live.ask("/healthz").status == 200


def test_idle_connections_stop_nobody(serve: Serve) -> None:
    live = serve()
    idle = [socket.create_connection(("127.0.0.1", live.port)) for _ in range(100)]
    for one in idle:
        one.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")
    assert live.ask("/v1/demo/count", COUNT).json["count"] == 6
    for one in idle:
        one.close()


# ---- who may ask -------------------------------------------------------------------------------------------------


def test_a_token(serve: Serve) -> None:
    live = serve(token="s3cret")
    for path in ("/", "/healthz", "/readyz", "/docs", "/openapi.json", "/static/docs.js"):
        assert live.ask(path, Accept="text/html").status == 200
    for path, body in (("/v1/indexes", None), ("/v1/demo/count", COUNT), ("/", {}), ("/metrics", None), ("/indexes", None)):
        refused = live.ask(path, body)
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert live.ask(path, body, Authorization="Bearer wrong").status == 401
        assert live.ask(path, body, Authorization="Bearer s3cret").status != 401
    assert live.ask("/").status == 401  # names of indexes are for those who have it
    with pytest.raises(si.ServerError, match="Authorization: Bearer"):
        si.connect(live.url, "demo")
    assert si.connect(live.url, "demo", token="s3cret").count("the") == 6


def test_other_origins(serve: Serve) -> None:
    closed, opened = serve(), serve(cors=("https://a.example",), token="t")
    asked = {
        "Origin": "https://a.example",
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "authorization",
    }
    assert "access-control-allow-origin" not in closed.ask("/v1/demo/count", COUNT, Origin="https://a.example").headers
    preflight = opened.ask("/v1/demo/count", method="OPTIONS", **asked)
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, "https://a.example")
    assert "access-control-allow-origin" not in opened.ask("/v1/demo/count", COUNT, Origin="https://b.example").headers


def test_every_answer_says_what_a_page_may_do(live: LiveServer) -> None:
    for path, body in (
        ("/", None),
        ("/v1/demo/count", COUNT),
        ("/v1/demo/count", {}),
        ("/nowhere", None),
        ("/static/docs.css", None),
    ):
        headers = live.ask(path, body, Accept="text/html").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert headers["referrer-policy"] == "no-referrer"


def test_files_outside_the_page_are_not_served(live: LiveServer) -> None:
    for path in ("/static/../application.py", "/static/%2e%2e/application.py", "/static//etc/passwd", "/v1/..%2f..%2fetc/count"):
        connection = http.client.HTTPConnection("127.0.0.1", live.port)
        connection.request("GET", path)
        assert connection.getresponse().status in (404, 405)
        connection.close()


def test_names_of_indexes(pets: si.SuffixIndex, serve: Serve) -> None:
    assert [one["name"] for one in serve().ask("/v1/indexes").json["indexes"]] == ["demo", "again"]
    for name in ("", "a/b", "a?b", "indexes", " a"):
        with pytest.raises(si.QueryError, match="cannot be served as"):
            si.serve.app({name: pets})
    with pytest.raises(si.QueryError, match="no index"):
        si.serve.app({})
    assert "path" not in serve().ask("/v1/demo").json


def test_a_path_that_a_proxy_shows_the_server_under(pets: si.SuffixIndex) -> None:
    with listening(si.serve.app({"demo": pets}, root_path="/search")) as live:
        assert live.ask("/v1/demo/count", COUNT).json["count"] == 6
        assert live.ask("/search/v1/demo/count", COUNT).json["count"] == 6
        assert live.ask("/openapi.json").json["servers"] == [{"url": "/search"}]


# ---- what is told ------------------------------------------------------------------------------------------------


def test_the_log_says_no_query_unless_asked_to(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "suffixindex.serve")
    quiet = serve()
    quiet.ask("/v1/demo/count", {"ngram": "sekrit"})
    quiet.ask("/v1/demo/count?format=sekrit", {"ngram": "the"})
    quiet.ask("/", {"index": "demo", "query_type": "count", "query": "sekrit"})
    quiet.ask("/demo/attribution", {"response": "sekrit"})
    quiet.ask("/v1/demo/bulk/counts", b'"sekrit"')
    while len(caplog.messages) < 5:  # a request is logged when its answer is sent
        time.sleep(0.005)
    assert "sekrit" not in caplog.text
    assert re.search(r"127\.0\.0\.1 POST /v1/demo/count 200 \d+\.\d ms", caplog.text)
    talking = serve(log_queries=True)
    talking.ask("/v1/demo/count", {"ngram": "sekrit"})
    talking.ask("/", {"index": "demo", "query_type": "count", "query": "sekrit"})
    assert caplog.text.count("sekrit") == 2


def test_metrics_have_few_names_whatever_is_asked(serve: Serve) -> None:
    live = serve()
    for path in ("/v1/demo/count", "/v1/x/y", "/a", "/b/c", "/v1/demo/bulk/counts"):
        live.ask(path, COUNT)
    text = live.ask("/metrics").content.decode()
    routes = set(re.findall(r'route="([^"]*)"', text))
    assert routes == {"/v1/count", "/v1", "other", "/v1/bulk/counts"}
    assert 'suffixindex_requests_total{route="/v1/count",status="200"} 1' in text
    assert 'suffixindex_request_seconds_count{route="/v1/count"} 1' in text
    for line in text.splitlines():
        assert re.fullmatch(r"# TYPE \w+ (counter|gauge|histogram)|\w+(\{[^}]*\})? [0-9.e+-]+", line), line


def test_unready_while_it_drains(serve: Serve) -> None:
    live = serve()
    assert live.ask("/readyz").status == 200
    live.state.draining = True
    assert (live.ask("/readyz").status, live.ask("/healthz").status) == (503, 200)


def test_a_failure_is_told_without_its_traceback(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    live = serve()

    def fail(*_: Any) -> Any:
        raise RuntimeError("sekrit")

    monkeypatch.setattr(occurrences.Asking, "described", fail)
    reply = live.ask("/v1/demo/count", COUNT)
    assert (reply.status, reply.json["type"], b"sekrit" in reply.content) == (500, "internal", False)


# ---- the command -------------------------------------------------------------------------------------------------


def start(*arguments: str, **variables: str) -> tuple[subprocess.Popen[str], str]:
    """The server in a process of its own, and its address."""
    command = [sys.executable, "-m", "suffixindex", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables})
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"at (http://\S+)/ ", line)
    assert found, line + process.stderr.read()
    return process, found[1]


def test_the_command_serves_until_it_is_told_to_stop(pets: si.SuffixIndex) -> None:
    process, url = start(f"demo={pets.path}", f"v4_pile={pets.path}", "--quiet", SUFFIXINDEX_TOKEN="t")
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                remote = si.connect(url, "v4_pile", token="t")
                break
            except si.ServerError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert remote.count("the cat") == 3
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
        assert said == ""
        assert process.returncode in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()


def test_names_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import click

    from suffixindex.cli.serve import address, parse_indexes

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b").mkdir()
    assert parse_indexes(("/data/pile/", "v4=/data/pile", "a=b", "x=y=z", "../other")) == {
        "pile": "/data/pile/",
        "v4": "/data/pile",
        "a=b": "a=b",
        "x": "y=z",
        "other": "../other",
    }
    (tmp_path / "may").mkdir()
    assert parse_indexes(("may+/data/june", "both=may+june")) == {"may+june": "may+/data/june", "both": "may+june"}
    with pytest.raises(click.UsageError, match="two indexes are called pile: say NAME=/b/pile"):
        parse_indexes(("/a/pile", "/b/pile"))
    assert [address(host, 1) for host in ("127.0.0.1", "0.0.0.0", "::1", "host")] == [
        "http://127.0.0.1:1/",
        "http://127.0.0.1:1/",
        "http://[::1]:1/",
        "http://host:1/",
    ]


def test_a_port_in_use_is_a_sentence() -> None:
    from suffixindex.serve.server import AddressError, listen

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AddressError, match=r"cannot listen at 127\.0\.0\.1:\d+: .*; choose another --port or --host"):
            listen("127.0.0.1", taken.getsockname()[1])
