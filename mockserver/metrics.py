"""What the mock counts of itself: plain numbers while it answers; `/_mock/metrics` is made of them when asked for.

`prometheus_client` writes the text. Its own counters would cost each request more than all that is done here.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.core import Metric

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
NOTHING = "none"  # stands for an operation, a status or a plan that a request did not get as far as having

_ZEROS = (0,) * (len(BOUNDS) + 1)

Broken = tuple[str, int, str, str]
"""An operation, a status, a code and a field (empty if the refusal names none)."""


class Times:
    """How often something took how long, and how often it failed."""

    __slots__ = ("counts", "failures", "seconds")

    def __init__(self, counts: Iterable[int] = _ZEROS, seconds: float = 0.0, failures: int = 0) -> None:
        self.counts = list(counts)
        self.seconds = seconds
        self.failures = failures

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def take_in(self, other: "Times") -> None:
        """Add what another one has counted."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds
        self.failures += other.failures

    def buckets(self) -> list[tuple[str, float]]:
        """Give bounds and how many were not above each."""
        found, below = [], 0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], self.counts, strict=True):
            below += count
            found.append((bound, float(below)))
        return found


@dataclass(slots=True)
class Metrics:
    """The numbers of one process. `store` is what its store takes, None for one that is in memory."""

    requests: dict[tuple[str, int, str], Times] = field(default_factory=dict)
    broken: defaultdict[Broken, int] = field(default_factory=lambda: defaultdict(int))
    in_flight: int = 0
    store: Times | None = None
    connections: Callable[[], int] = int
    others: Callable[[], Sequence[dict[str, Any]]] = tuple
    """Gives what other processes of this mock have counted, as `counted` gave it there."""

    def count(self, operation: str, status: int, plan: str, seconds: float) -> None:
        """Count a request that is over."""
        times = self.requests.get((operation, status, plan))
        if times is None:
            times = self.requests[operation, status, plan] = Times()
        times.add(seconds)

    def counted(self) -> dict[str, Any]:
        """Give all of it as JSON."""
        return {
            "requests": [[*labels, _shown(times)] for labels, times in self.requests.items()],
            "broken": [[*labels, count] for labels, count in self.broken.items()],
            "in_flight": self.in_flight,
            "connections": self.connections(),
            "store": _shown(self.store) if self.store else None,
        }

    def text(self, rules: Callable[[Broken], Iterable[str]]) -> tuple[bytes, bytes]:
        """Give the exposition and its media type; `rules` tells which rules of the contract were broken."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collector(Totals([self.counted(), *self.others()]), rules))
        return generate_latest(registry), CONTENT_TYPE_LATEST.encode()


def _shown(times: Times) -> list[Any]:
    return [times.counts, times.seconds, times.failures]


class Totals:
    """What several processes have counted, taken together."""

    def __init__(self, parts: Iterable[dict[str, Any]]) -> None:
        self.requests: dict[tuple[str, str, str], int] = defaultdict(int)
        self.durations: dict[str, Times] = defaultdict(Times)
        self.broken: dict[Broken, int] = defaultdict(int)
        self.in_flight = self.connections = 0
        self.store: Times | None = None
        for part in parts:
            self._take_in(part)

    def _take_in(self, part: dict[str, Any]) -> None:
        for operation, status, plan, shown in part["requests"]:
            times = Times(*shown)
            self.requests[operation, str(status or NOTHING), plan] += sum(times.counts)
            self.durations[operation].take_in(times)
        for operation, status, code, name, count in part["broken"]:
            self.broken[operation, status, code, name] += count
        self.in_flight += part["in_flight"]
        self.connections += part["connections"]
        if part["store"]:
            self.store = self.store or Times()
            self.store.take_in(Times(*part["store"]))


class _Collector:
    """What `prometheus_client` asks for metrics."""

    def __init__(self, totals: Totals, rules: Callable[[Broken], Iterable[str]]) -> None:
        self._totals = totals
        self._rules = rules

    def collect(self) -> Iterator["Metric"]:
        """Give all metrics."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        totals = self._totals
        labels = ["operation", "status", "plan"]
        requests = CounterMetricFamily("trunkmock_requests", "Requests that are over.", labels=labels)
        for series, count in totals.requests.items():
            requests.add_metric(series, count)
        yield requests
        durations = HistogramMetricFamily(
            "trunkmock_request_duration_seconds",
            "From a request's head to the end of its answer.",
            labels=["operation"],
        )
        for operation, times in totals.durations.items():
            durations.add_metric([operation], times.buckets(), times.seconds)
        yield durations
        violations = CounterMetricFamily(
            "trunkmock_contract_violations", "Requests that broke a rule of the contract.", labels=["rule"]
        )
        for rule, count in self._by_rule().items():
            violations.add_metric([rule], count)
        yield violations
        yield GaugeMetricFamily("trunkmock_requests_in_flight", "Requests being answered.", value=totals.in_flight)
        yield GaugeMetricFamily("trunkmock_connections", "Open connections.", value=totals.connections)
        if totals.store:
            store = HistogramMetricFamily("trunkmock_store_duration_seconds", "What a step of the store takes.")
            store.add_metric([], totals.store.buckets(), totals.store.seconds)
            yield store
            yield CounterMetricFamily(
                "trunkmock_store_failures", "Steps that the store could not do.", value=totals.store.failures
            )

    def _by_rule(self) -> dict[str, int]:
        found: dict[str, int] = defaultdict(int)
        for broken, count in self._totals.broken.items():
            for rule in self._rules(broken):
                found[rule] += count
        return found
