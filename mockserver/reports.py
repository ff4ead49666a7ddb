"""What is kept of a report of the conformance kit that somebody uploaded: enough to show what is broken, and bounded.

The kit masks what it writes; here every text is scrubbed again, since anybody can upload anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mockserver.redaction import scrub

LONGEST_TEXT = 2000  # characters
MOST_RULES = 300
MOST_TEXTS = 20

SHOWN = ("fail", "kit error", "warn")  # worst first
COUNTED = ("rules", "judged", "pass", "waived", "not_judged", "warn", "fail", "kit_error")


@dataclass(frozen=True, slots=True)
class JudgedRule:
    """A rule that was not kept: its first finding, in words, and the command that sends it again."""

    id: str
    level: str
    says: str
    source: str
    verdict: str
    reason: str
    sent: str
    expected: str
    actual: str
    curl: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A report, cut down. `received` is in seconds since the epoch; `left_out` counts rules beyond the limit."""

    received: float
    started: str
    target: str
    profile: str
    is_strict: bool
    seconds: float
    requests: int
    verdict: str
    exit_code: int
    counts: dict[str, int]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    rules: tuple[JudgedRule, ...]
    left_out: int


def summary(document: Mapping[str, Any], received: float) -> Summary:
    """Give what is kept of a checked report, the rules with the worst verdicts first."""
    broken = [rule for verdict in SHOWN for rule in document["rules"] if rule["verdict"] == verdict]
    return Summary(
        received,
        _text(document["started"]),
        _text(document["target"]),
        _text(document["profile"]),
        document.get("strict", False),
        document.get("seconds", 0.0),
        document["requests"],
        _text(document["verdict"]),
        document["exit_code"]["number"],
        {name: document["counts"].get(name, 0) for name in COUNTED},
        _texts(document.get("problems", ())),
        _texts(document.get("notes", ())),
        tuple(_rule(rule) for rule in broken[:MOST_RULES]),
        max(0, len(broken) - MOST_RULES),
    )


def _rule(rule: Mapping[str, Any]) -> JudgedRule:
    finding = rule["findings"][0] if rule["findings"] else {}
    exchanges = finding.get("exchanges") or [{}]
    words = [rule[name] for name in ("id", "level", "says", "source", "verdict")]
    found = [finding.get(name, "") for name in ("sent", "expected", "actual")]
    return JudgedRule(*map(_text, [*words, rule.get("reason", ""), *found, exchanges[-1].get("curl", "")]))


def _texts(texts: Any) -> tuple[str, ...]:
    return tuple(_text(text) for text in texts[:MOST_TEXTS])


def _text(text: str) -> str:
    return scrub(text[:LONGEST_TEXT])


class Reports(Protocol):
    """The last report of each environment. Every method may raise ServiceUnavailable."""

    async def keep(self, environment: str, report: Summary) -> None:
        """Keep a report in place of the last one."""

    async def get(self, environment: str) -> Summary | None:
        """Give the last report, if there was one."""

    async def forget(self, environment: str) -> None:
        """Forget it."""


class MemoryReports:
    """The reports in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, Summary] = {}

    async def keep(self, environment: str, report: Summary) -> None:
        """Keep a report in place of the last one."""
        self._kept[environment] = report

    async def get(self, environment: str) -> Summary | None:
        """Give the last report, if there was one."""
        return self._kept.get(environment)

    async def forget(self, environment: str) -> None:
        """Forget it."""
        self._kept.pop(environment, None)


def restored(members: Mapping[str, Any]) -> Summary:
    """Give the report that `dataclasses.asdict` made these members of, as JSON has them."""
    rules = tuple(JudgedRule(**rule) for rule in members["rules"])
    return Summary(
        **{**members, "problems": tuple(members["problems"]), "notes": tuple(members["notes"]), "rules": rules}
    )
