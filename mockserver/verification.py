"""Whether what clients sent is what was expected and, if not, which request came nearest and what differs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mockserver.errors import ValidationFailed
from mockserver.faults import same
from mockserver.journal import Entry
from mockserver.redaction import MASK


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many requests of a kind there should be; what is None or empty does not matter."""

    operation: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    code: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: bool | None = None
    fault: bool | None = None
    count: int | None = None
    at_least: int | None = None
    at_most: int | None = None

    @classmethod
    def read(cls, document: Mapping[str, Any], place: str) -> "Expectation":
        """Give the expectation of a checked document; ValidationFailed if it asks for what is not kept."""
        if document.get("fields", {}).get("password", MASK) != MASK:
            way = f"{place}.fields.password"
            raise ValidationFailed({way: [f"{way} must be {MASK}, which fits any password: none is kept"]})
        return cls(**document)

    def holds(self, found: int) -> bool:
        """Tell whether so many are right."""
        low, high = self.bounds()
        return low <= found and (high is None or found <= high)

    def bounds(self) -> tuple[int, int | None]:
        """Give how many there should be, at least and at most."""
        if self.count is not None:
            return self.count, self.count
        if self.at_least is None and self.at_most is None:
            return 1, None
        return self.at_least or 0, self.at_most

    def differences(self, entry: Entry) -> list[dict[str, Any]]:
        """Give all in which an entry is not what is expected."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in entry.headers}
        pairs = [
            ("operation", self.operation, entry.operation),
            ("method", self.method, entry.method),
            ("path", self.path, entry.path),
            ("status", self.status, entry.status or None),
            ("code", self.code, entry.code),
            ("broken", self.broken, entry.is_broken),
            ("fault", self.fault, entry.misfortune is not None),
            *((f"headers.{name}", value, headers.get(name.lower())) for name, value in self.headers.items()),
        ]
        found = [_difference(*pair) for pair in pairs if pair[1] is not None and not same(pair[2], pair[1])]
        sent = entry.fields or {}
        for name, value in self.fields.items():
            if name not in sent or not same(sent[name], value):
                found.append(_difference(f"fields.{name}", value, sent.get(name)))
        return found


@dataclass(frozen=True, slots=True)
class Miss:
    """An expectation that does not hold: how many fit, and the entry that came nearest to fitting."""

    expectation: Expectation
    found: int
    nearest: Entry | None
    differences: list[dict[str, Any]]

    def shown(self, number: int) -> dict[str, Any]:
        """Give it as JSON; `number` is the expectation's place in the list, from 0."""
        entry = self.nearest
        nearest = entry and {
            "number": entry.number,
            "operation": entry.operation,
            "method": entry.method,
            "path": entry.path,
            "status": entry.status or None,
            "fields": entry.fields,
            "differs": self.differences,
        }
        low, high = self.expectation.bounds()
        return {"expectation": number, "at_least": low, "at_most": high, "found": self.found, "nearest": nearest}

    def sentence(self) -> str:
        """Say what was expected, what was found, and what differs in the nearest request."""
        low, high = self.expectation.bounds()
        wanted = str(low) if low == high else f"at least {low}" if high is None else f"{low} to {high}"
        text = f"expected {wanted}, found {self.found}"
        if self.nearest is None:
            return f"{text}; there was no other request"
        what = f"request {self.nearest.number} ({self.nearest.method} {self.nearest.path})"
        if not self.differences:
            return f"{text}; {what} is the last that fits"
        differs = ", ".join(f"{it['what']} is {it['actual']!r}, not {it['expected']!r}" for it in self.differences)
        return f"{text}; in the nearest, {what}, {differs}"


def misses(entries: Iterable[Entry], expectations: Iterable[Expectation]) -> list[Miss | None]:
    """Give for each expectation None if it holds, else what is wrong."""
    known = list(entries)
    return [_miss(known, expectation) for expectation in expectations]


def _miss(entries: list[Entry], expectation: Expectation) -> Miss | None:
    by_differences = [(expectation.differences(entry), entry) for entry in entries]
    fitting = [entry for differences, entry in by_differences if not differences]
    if expectation.holds(len(fitting)):
        return None
    low, _ = expectation.bounds()
    if len(fitting) > low:
        return Miss(expectation, len(fitting), fitting[-1], [])
    others = [pair for pair in by_differences if pair[0]]
    differences, nearest = min(others, key=lambda pair: len(pair[0]), default=([], None))
    return Miss(expectation, len(fitting), nearest, differences)


def _difference(what: str, expected: Any, actual: Any) -> dict[str, Any]:
    return {"what": what, "expected": expected, "actual": actual}
