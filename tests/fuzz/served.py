"""Requests to the served application, from right ones to bytes: none makes it fail, and none gets a traceback."""

import asyncio
import json
from random import Random
from typing import Any
from urllib.parse import quote

import suffixindex as si
from tests.fuzz import seeds
from tests.fuzz.mutation import damaged, damaged_json
from tests.fuzz.targets import Find, Target
from tests.helpers.bodies import BODIES

SECONDS = 60.0
"""A request that is not answered by then hangs."""
INFINIGRAM: list[dict[str, Any]] = [
    {"query_type": "count", "query": "the old OR row AND boat", "max_diff_tokens": 10},
    {"query_type": "count", "query_ids": [[[1], [2, 1]], [[3]]], "max_clause_freq": 5},
    {"query_type": "prob", "query_ids": [1, 2]},
    {"query_type": "ntd", "query": "the", "max_support": 2},
    {"query_type": "infgram_prob", "query": "not the old pond"},
    {"query_type": "infgram_ntd", "query": "not the old"},
    {"query_type": "find", "query": "the old"},
    {"query_type": "find_cnf", "query": "row AND boat"},
    {"query_type": "get_doc_by_rank", "query": "row", "s": 0, "rank": 1, "max_disp_len": 6},
    {"query_type": "get_doc_by_ptr", "query": "row AND boat", "s": 0, "ptr": 4},
    {"query_type": "search_docs", "query": "row", "maxnum": 3, "max_disp_len": 8},
]
ATTRIBUTION: dict[str, Any] = {
    "response": "the old boat rows gently",
    "delimiters": ["\n", "."],
    "allowSpansWithPartialWords": False,
    "minimumSpanLength": 1,
    "maximumFrequency": 10,
    "maximumSpanDensity": 0.5,
    "spanRankingMethod": "unigram_logprob_sum",
    "maximumDocumentsPerSpan": 2,
}
WHERE: list[Any] = [
    None,
    {"fields": {"set": ["a", 1]}},
    {"fields": {"n": {"from": 3, "below": 20}}},
    {"holding": ["row", [1]], "window": 5},
    {"mask": "eJxjZGBgAAAACgAD"},
]
BULK: list[tuple[str, list[Any]]] = [
    ("counts", ["the old", [1, 2], []]),
    ("document_counts", [{"where": {"fields": {"set": "a"}}}, "row", [1]]),
    ("next_distributions", ["the", [1]]),
    ("scores", ["the old pond", [1, 2]]),
    ("matches", ["the old pond", [1, 2]]),
    ("encode", ["the old pond", "boat"]),
    ("cooccurrences", [{"window": 4}, ["row", "boat"], [["row", "boat"], "old"]]),
]


class Served(Target):
    """Requests of every address, in right form and in none."""

    def prepare(self) -> None:
        seeds.make_ours(self.folder)
        self.application = si.serve.app({kind: str(self.folder / kind) for kind in seeds.OURS}, body_seconds=5.0)
        self.loop = asyncio.new_event_loop()

    def attempt(self, seed: int) -> tuple[str, str]:
        rng = Random(seed)
        where, path, body = self.drawn(rng)
        headers = {"content-type": "application/json", "accept": rng.choice(["*/*", "text/csv", "application/json"])}
        method = "POST"
        if rng.random() < 0.1:
            path = damaged(path.encode(), rng).decode(errors="replace")
        if rng.random() < 0.1:
            headers[rng.choice(list(headers))] = damaged(b"application/json; q=1", rng).decode("latin-1")
        if rng.random() < 0.05:
            method = rng.choice(["GET", "HEAD", "PUT", "OPTIONS", "DELETE"])
        status, content = self.loop.run_until_complete(
            asyncio.wait_for(self.ask(method, path, headers, body, rng.random() < 0.05), SECONDS)
        )
        if status >= 500 or b"Traceback" in content:
            raise Find(f"{method} {path} with {body[:2000]!r}: {status} {content[:500]!r}")
        return str(status), where

    def drawn(self, rng: Random) -> tuple[str, str, bytes]:
        """What is asked, its path, and its body."""
        kind, index = rng.choice(["v1"] * 4 + ["infini-gram"] * 2 + ["bulk", "attribution"]), rng.choice(seeds.OURS)
        if kind == "bulk":
            name, lines = rng.choice(BULK)
            return "bulk", f"/v1/{index}/bulk/{name}", b"\n".join(self.body(line, rng, 0.3) for line in lines)
        if kind == "infini-gram":
            return kind, "/", self.body({**rng.choice(INFINIGRAM), "index": index}, rng)
        if kind == "attribution":
            return kind, f"/{index}/attribution", self.body(ATTRIBUTION, rng)
        name = rng.choice(list(BODIES))
        asked = BODIES[name] if rng.random() < 0.6 else {**BODIES[name], "where": rng.choice(WHERE)}
        if rng.random() < 0.1:
            name, asked = "price", {"question": name, "request": asked}
        return "v1", f"/v1/{index}/{name}", self.body(asked, rng)

    @staticmethod
    def body(asked: Any, rng: Random, share: float = 0.7) -> bytes:
        for _ in range(rng.choice((1, 1, 2, 4)) if rng.random() < share else 0):
            asked = damaged_json(asked, rng)
        content = json.dumps(asked).encode()
        return damaged(content, rng) if rng.random() < 0.15 * share else content

    async def ask(self, method: str, path: str, headers: dict[str, str], body: bytes, goes: bool) -> tuple[int, bytes]:
        """One request as an ASGI server hands it on; a client that ``goes`` sends half of it."""
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]
        if goes:
            messages = [{"type": "http.request", "body": body[: len(body) // 2], "more_body": True}, {"type": "http.disconnect"}]
        answered, received = asyncio.Event(), []

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop(0)
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            received.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        address, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": address,
            "raw_path": quote(address).encode(),
            "root_path": "",
            "query_string": quote(query, safe="=&").encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        await self.application(scope, receive, send)  # type: ignore[arg-type]
        if not received:
            return 499, b""
        return received[0]["status"], b"".join(message.get("body", b"") for message in received[1:])
