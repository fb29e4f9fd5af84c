"""How a server stands its load, the client beside it on the same machine: ``python -m benchmarks.serve INDEX… [--keep]``.

Starts ``suffixindex serve INDEX`` in a process of its own, asks it over loopback, and shows what was measured beside what is
wanted; ``--keep`` writes it into the page of measurements. Every answer that is timed is compared with the index's own.
"""

import argparse
import http.client
import json
import math
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil

import suffixindex as si
from benchmarks.tables import ROOT, insert, machine, markdown, save
from suffixindex.cli.latency import draw_ngrams

RATE = 100
"""Counts a second."""
AT_ONCE, IDLE, MANY, BULK = 200, 1000, 100_000, 1_000_000
TEXT = 500
"""Tokens of a text whose spans are looked for."""
WARM = 5
"""Seconds of counting before it is timed."""
DISTINCT = 100_000
"""N-grams of a bulk question."""
SAID = {
    "count_p50": ("count, half of the answers within", "5 ms"),
    "count_p99": ("count, 99 % of the answers within", "50 ms"),
    "health_p99": ("`/healthz` beside 8 expensive questions, 99 % within", "50 ms"),
    "spans": ("spans and documents of a text of 500 tokens", "300 ms"),
    "wrong": ("wrong answers of 200 questions at once", "0"),
    "idle": ("count beside 1,000 idle connections, 99 % within", "50 ms"),
    "memory": ("resident memory after all requests, of that after a tenth", "1"),
    "bulk": ("a million n-grams in bulk, ids", "30 s"),
    "bulk_text": ("a million n-grams in bulk, text", "30 s"),
    "stop": ("SIGTERM during an expensive question", "10 s"),
    "all_wrong": ("wrong answers in all", "0"),
}


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, path: str, body: Any = None) -> tuple[int, bytes]:
        method, sent = ("GET", None) if body is None else ("POST", body if isinstance(body, bytes) else json.dumps(body).encode())
        self._connection.request(method, path, sent, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        return response.status, response.read()

    def close(self) -> None:
        self._connection.close()


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The server in a process of its own, and its port; it is stopped at the end."""
    command = [sys.executable, "-m", "suffixindex", "serve", *arguments, "--port", "0", "--quiet", "--no-open"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"at http://127\.0\.0\.1:(\d+)/", line)
        if not found:
            sys.exit(line + process.stderr.read())
        port = int(found[1])
        while True:
            try:
                Client(port).ask("/healthz")
                break
            except OSError:
                time.sleep(0.05)
        yield process, port
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def percentile(seconds: list[float], share: float) -> float:
    """Milliseconds that a share of the answers took at most."""
    ordered = sorted(seconds)
    return 1e3 * ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def at_rate(port: int, rate: float, seconds: float, ask: Callable[[Client, int], None], connections: int = 8) -> list[float]:
    """Ask at fixed moments, whether or not earlier answers are there; seconds from the moment to the answer."""
    taken: list[float] = []
    begin = time.perf_counter() + 0.1
    number = iter(range(int(rate * seconds)))
    lock = threading.Lock()

    def work() -> None:
        client = Client(port)
        while True:
            with lock:
                mine = next(number, None)
            if mine is None:
                client.close()
                return
            moment = begin + mine / rate
            time.sleep(max(0.0, moment - time.perf_counter()))
            ask(client, mine)
            taken.append(time.perf_counter() - moment)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


class Measured:
    """What is asked of one index, and the figures so far."""

    def __init__(self, index: si.SuffixIndex, name: str, port: int, seed: int) -> None:
        self.index, self.port, self.base = index, port, f"/v1/{name}"
        self.ngrams = [ngram.tolist() for ngram in draw_ngrams(index, 2000, 4, seed)]
        self.counts = index.counts(self.ngrams).tolist()
        self.figures: dict[str, float] = {}
        self.wrong = 0

    def rounds(self, number: int, ask: Callable[..., None], *arguments: Any) -> None:
        """Measure several times; each figure is the median of what was found."""
        found: list[dict[str, float]] = []
        for _ in range(number):
            kept, self.figures = self.figures, {}
            ask(*arguments)
            found.append(self.figures)
            self.figures = kept
        self.figures |= {key: statistics.median(one[key] for one in found) for key in found[0]}

    def count(self, client: Client, number: int) -> None:
        number %= len(self.ngrams)
        status, content = client.ask(f"{self.base}/count", {"ngram": self.ngrams[number]})
        if status != 200 or json.loads(content)["count"] != self.counts[number]:
            self.wrong += 1

    def counting(self, seconds: float) -> None:
        at_rate(self.port, RATE, WARM, self.count)
        taken = at_rate(self.port, RATE, seconds, self.count)
        self.figures |= {"count_p50": percentile(taken, 0.5), "count_p99": percentile(taken, 0.99)}

    def health(self, seconds: float) -> None:
        """Beside eight questions that read the whole corpus, asked again and again."""
        stop = time.perf_counter() + seconds

        def expensive(n: int) -> None:
            client = Client(self.port)
            while time.perf_counter() < stop:
                client.ask(f"{self.base}/top_ngrams", {"n": n, "k": 10})
            client.close()

        with ThreadPoolExecutor(8) as pool:
            running = [pool.submit(expensive, 2 + number % 4) for number in range(8)]
            taken = at_rate(self.port, 50, seconds, lambda client, _: client.ask("/healthz") and None, connections=2)
            for one in running:
                one.result()
        self.figures["health_p99"] = percentile(taken, 0.99)

    def spans(self, repeats: int = 5) -> None:
        rng, parts = np.random.default_rng(0), []
        while sum(map(len, parts)) < TEXT:
            document = self.index.document(int(rng.integers(self.index.num_documents))).token_ids
            start = int(rng.integers(max(1, len(document) - 40)))
            parts.append(document[start : start + int(rng.integers(5, 40))].tolist())
        text = [token for part in parts for token in part][:TEXT]
        client, taken = Client(self.port), []
        for _ in range(repeats + 1):
            begin = time.perf_counter()
            status, _ = client.ask(f"{self.base}/spans", {"text": text, "min_length": 5, "limit": 3, "snippet": 20})
            taken.append(time.perf_counter() - begin)
            assert status == 200
        client.close()
        self.figures["spans"] = percentile(taken[1:], 0.5)

    def at_once(self) -> None:
        before = self.wrong

        def one(number: int) -> None:
            client = Client(self.port)
            self.count(client, number)
            client.close()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(one, range(AT_ONCE)))
        self.figures["wrong"] = self.wrong - before

    def idle(self, seconds: float) -> None:
        idle = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(IDLE)]
        for one in idle:
            one.sendall(b"POST / HTTP/1.1\r\nHost: slow\r\n")
        time.sleep(1.0)  # until all are accepted
        self.figures["idle"] = percentile(at_rate(self.port, RATE, seconds, self.count), 0.99)
        for one in idle:
            one.close()

    def memory(self, process: psutil.Process, requests: int) -> None:
        """Growth of resident memory from the first tenth of the requests to the last, as a share."""

        def ask(share: int) -> None:
            client = Client(self.port)
            for number in range(share):
                self.count(client, number)
            client.close()

        def all_of(share: int) -> int:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(ask, [share // 8] * 8))
            return int(process.memory_info().rss)

        first = all_of(requests // 10)
        self.figures["memory"] = all_of(requests - requests // 10) / first

    def bulk(self, size: int) -> None:
        ngrams = [ngram.tolist() for ngram in draw_ngrams(self.index, DISTINCT, 4, 1)]
        texts = [self.index.decode(ngram) for ngram in ngrams]
        same = [text for text, ngram in zip(texts, ngrams, strict=True) if self.index.encode(text).tolist() == ngram]
        self.figures["bulk"] = self._bulk(ngrams, size, self.index.counts(ngrams))
        counts = self.index.counts([self.index.encode(text).tolist() for text in same])
        self.figures["bulk_text"] = self._bulk(same, size, counts)

    def _bulk(self, distinct: list[Any], size: int, counts: Any) -> float:
        asked = [distinct[number % len(distinct)] for number in range(size)]
        begin = time.perf_counter()
        remote = si.connect(f"http://127.0.0.1:{self.port}", self.base.rpartition("/")[2])
        found = remote.counts(asked)
        seconds = time.perf_counter() - begin
        self.wrong += int((found != np.resize(counts, size)).sum())
        return seconds

    def stop(self, process: subprocess.Popen[str]) -> None:
        """While an expensive question runs."""
        client = Client(self.port)
        asking = threading.Thread(target=lambda: client.ask(f"{self.base}/top_ngrams", {"n": 5, "k": 10}))
        asking.start()
        time.sleep(0.2)
        begin = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        self.figures["stop"] = time.perf_counter() - begin
        asking.join()


def measure(path: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """All figures of one index."""
    name = os.path.basename(os.path.abspath(path))
    with si.open(path) as index, serving(path) as (process, port):
        measured = Measured(index, name, port, chosen.seed)
        measured.rounds(chosen.rounds, measured.counting, chosen.seconds)
        measured.rounds(chosen.rounds, measured.health, min(chosen.seconds, 10.0))
        measured.spans()
        measured.at_once()
        measured.rounds(chosen.rounds, measured.idle, min(chosen.seconds, 10.0))
        measured.memory(psutil.Process(process.pid), chosen.requests)
        measured.rounds(chosen.rounds, measured.bulk, chosen.bulk)
        measured.stop(process)
        figures = {**measured.figures, "all_wrong": measured.wrong}
        return {"tokenizer": index.tokenizer.kind, "tokens": index.num_tokens, "load": os.getloadavg()[0], "figures": figures}


def table(found: list[dict[str, Any]]) -> str:
    header = ["", "wanted: at most", *(f"{one['tokenizer']}, {one['tokens'] / 1e6:.1f} M tokens" for one in found)]
    rows = []
    for key, (said, wanted) in SAID.items():
        _, _, unit = wanted.partition(" ")
        digits = 0 if unit == "" and key != "memory" else 2
        rows.append([said, wanted, *(f"{one['figures'][key]:,.{digits}f} {unit}".strip() for one in found)])
    return markdown(header, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("indexes", nargs="+", metavar="INDEX")
    parser.add_argument("--seconds", type=float, default=60.0, help="of counting at 100 a second")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are shown")
    parser.add_argument("--requests", type=int, default=MANY, help="over which memory is watched")
    parser.add_argument("--bulk", type=int, default=BULK, help="n-grams in bulk")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="write the figures into the page of measurements")
    chosen = parser.parse_args()
    found = [measure(path, chosen) for path in chosen.indexes]
    print(table(found))
    if chosen.keep:
        save("serve", {"indexes": found})
        loads = " and ".join(format(one["load"], ".1f") for one in found)
        note = (
            f"Medians of {chosen.rounds} rounds, of {chosen.seconds:g} s of counting at {RATE} a second; memory over "
            f"{chosen.requests:,} requests; on {machine()['cores']} cores of {machine()['processor']}, whose load was {loads} with "
            "server and client at work."
        )
        insert(ROOT / "benchmarks" / "README.md", "serve", f"{table(found)}\n\n{note}")


if __name__ == "__main__":
    main()
