"""What a server has done, in Prometheus' text format."""

import threading
from collections import Counter
from collections.abc import Iterator

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the classes of latency, in seconds."""


class Metrics:
    """Counters of one server. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        """Questions that found a queue full, by pool."""
        self.too_expensive = 0
        self.gone = 0
        """Questions whose client went away first."""
        self.in_flight = 0

    def observe(self, route: str, status: int, seconds: float) -> None:
        """One request that is over."""
        with self._lock:
            self._requests[route, status] += 1
            self._seconds[route] += seconds  # type: ignore[assignment]
            buckets = self._buckets.setdefault(route, [0] * (len(BUCKETS) + 1))
            for place, bound in enumerate((*BUCKETS, float("inf"))):
                buckets[place] += seconds <= bound

    def text(self, gauges: dict[str, float]) -> str:
        """The exposition; ``gauges`` are further values of this moment by name."""
        with self._lock:
            return "\n".join(self._lines(gauges)) + "\n"

    def _lines(self, gauges: dict[str, float]) -> Iterator[str]:
        yield "# TYPE suffixindex_requests_total counter"
        for (route, status), number in sorted(self._requests.items()):
            yield f'suffixindex_requests_total{{route="{route}",status="{status}"}} {number}'
        yield "# TYPE suffixindex_request_seconds histogram"
        for route, buckets in sorted(self._buckets.items()):
            for bound, number in zip((*map(str, BUCKETS), "+Inf"), buckets, strict=True):
                yield f'suffixindex_request_seconds_bucket{{route="{route}",le="{bound}"}} {number}'
            yield f'suffixindex_request_seconds_sum{{route="{route}"}} {self._seconds[route]:.6f}'
            yield f'suffixindex_request_seconds_count{{route="{route}"}} {buckets[-1]}'
        yield "# TYPE suffixindex_refused_total counter"
        for pool in ("cheap", "expensive"):
            yield f'suffixindex_refused_total{{pool="{pool}"}} {self.refused[pool]}'
        yield "# TYPE suffixindex_too_expensive_total counter"
        yield f"suffixindex_too_expensive_total {self.too_expensive}"
        yield "# TYPE suffixindex_client_gone_total counter"
        yield f"suffixindex_client_gone_total {self.gone}"
        for name, value in gauges.items():
            yield f"# TYPE suffixindex_{name} gauge"
            yield f"suffixindex_{name} {value:g}"
