"""A small OpenAI-compatible completions endpoint with a real model behind it, and faults on demand."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple

import pytest

from analysis.models.open import CausalModel


class Fault(NamedTuple):
    """What is answered in place of a completion; ``seconds`` late, or cut in the middle."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] | None = None
    seconds: float = 0.0
    cut: bool = False


class CompletionsServer:
    """Serves one model. ``ways`` says how it gives a prompt's log-probabilities: prompt_logprobs, echo, or not at all."""

    def __init__(
        self,
        model: CausalModel,
        *,
        ways: tuple[str, ...] = ("prompt_logprobs",),
        takes_ids: bool = True,
        adds_bos: bool = False,
        length: int | None = 128,
        names: tuple[str, ...] = ("tiny",),
    ) -> None:
        self.model, self.ways, self.takes_ids, self.adds_bos, self.length, self.names = (
            model,
            ways,
            takes_ids,
            adds_bos,
            length,
            names,
        )
        self.faults: list[Fault] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.lock = Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                known = [{"id": name, "created": time.time(), "max_model_len": server.length} for name in server.names]
                self.reply(200, {"data": known})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server.lock:
                    server.asked.append(body)
                    server.keys.append(self.headers.get("Authorization"))
                    fault = server.faults.pop(0) if server.faults else None
                if fault is not None:
                    if fault.seconds:
                        time.sleep(fault.seconds)
                    self.reply(fault.status, fault.body, fault.headers, fault.cut)
                    return
                with server.lock:  # one at a time through the model
                    self.reply(*server.complete(body))

            def reply(self, status: int, answer: Any, headers: dict[str, str] | None = None, cut: bool = False) -> None:
                content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content) + 9 * cut))
                self.end_headers()
                try:
                    self.wfile.write(content)
                except OSError:  # whoever asked has gone
                    return

            def log_message(self, *_: object) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def complete(self, body: dict[str, Any]) -> tuple[int, Any]:
        """(status, answer) to one question."""
        if body["model"] not in self.names:
            return 404, {"error": f"The model {body['model']} does not exist."}
        given = body["prompt"]
        if isinstance(given, list) and not self.takes_ids:
            return 422, {"error": "prompt: expected a string"}
        ids = self.read(given) if isinstance(given, str) else given
        if self.length is not None and len(ids) + body["max_tokens"] > self.length:
            return 400, {"error": f"This model's maximum context length is {self.length} tokens."}
        written, ended = self.write(ids, body["max_tokens"], body.get("stop", []), body.get("stop_token_ids", []))
        choice: dict[str, Any] = {"text": self.text(ids, written), "finish_reason": ended}
        found = self.log_probs([*ids, *written])
        if "prompt_logprobs" in body and "prompt_logprobs" in self.ways:
            told = [{str(token): {"logprob": value, "rank": 1}} for token, value in zip(ids[1:], found[1 : len(ids)], strict=True)]
            choice["prompt_logprobs"] = [None, *told]
        if body.get("logprobs"):
            echoed = body.get("echo") and "echo" in self.ways
            choice["logprobs"] = {"token_logprobs": found if echoed else found[len(ids) :]}
        return 200, {"choices": [choice], "usage": {"prompt_tokens": len(ids)}}

    def read(self, text: str) -> list[int]:
        ids = list(self.model.tokenizer(text, add_special_tokens=False)["input_ids"])
        return [self.model.tokenizer.bos_token_id, *ids] if self.adds_bos else ids

    def write(self, ids: list[int], max_tokens: int, stop: list[str], ends: list[int]) -> tuple[list[int], str]:
        """The likeliest tokens, one after the other."""
        import torch

        written: list[int] = []
        for _ in range(max_tokens):
            with torch.no_grad():
                token = int(self.model.model(input_ids=torch.tensor([ids + written])).logits[0, -1].argmax())
            if token in (*self.model.end_tokens, *ends):
                return written, "stop"
            written.append(token)
            if any(end in self.text(ids, written) for end in stop):
                return written, "stop"
        return written, "length"

    def text(self, ids: list[int], written: list[int]) -> str:
        before, both = (
            str(self.model.tokenizer.decode(some, skip_special_tokens=True)) for some in (ids[-1:], [*ids[-1:], *written])
        )
        return both[len(before) :]

    def log_probs(self, ids: list[int]) -> list[float | None]:
        import torch

        with torch.no_grad():
            logits = self.model.model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        return [None, *(float(logits[place - 1, ids[place]]) for place in range(1, len(ids)))]


@contextmanager
def serving(model: CausalModel, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Iterator[CompletionsServer]:
    """A server that runs until the end of the block; no proxy stands before it, and no retry waits."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = CompletionsServer(model, **settings)
    thread = Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()
