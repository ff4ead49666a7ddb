"""The simulated carrier: what a Verify or Health check finds, told by the trunk's domain and nothing else.

A domain with a label that contains `auth-fail`, `timeout`, `unreachable` or `tls-error` always fails with that error; a
label `flaky-N` fails the first N checks of a trunk and then succeeds; every other domain is healthy. Letter case does
not matter. The first two messages are the documented ones. A test may say otherwise, see `Carriers`.
"""

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from zlib import crc32

from mockserver.trunks import Finding

# The carrier's side of a check: (domain, checks made before) -> Finding.
Carrier = Callable[[str, int], Finding]

TIMED_OUT_MS = 5000
ERRORS = {
    "auth-fail": "Authentication failed (401)",
    "timeout": "Connection timeout",
    "unreachable": "Host unreachable",
    "tls-error": "TLS handshake failed",
}
UNAVAILABLE = "Service unavailable (503)"
HEALTHY = "healthy"
ANSWERS = (HEALTHY, *ERRORS, "unavailable")
EVERY_DOMAIN = ""

_FLAKY = re.compile(r"(?:^|\.)flaky-([0-9]{1,6})(?:\.|$)")


def simulated(domain: str, checks: int) -> Finding:
    """Give what check number `checks` (from 0) of a trunk with this domain finds; the same each time it is asked."""
    domain = domain.lower()
    answer = next((label for label in ERRORS if label in domain), HEALTHY)
    flaky = _FLAKY.search(domain)
    if answer == HEALTHY and flaky and checks < int(flaky[1]):
        answer = "unavailable"
    return finding(domain, answer)


def finding(domain: str, answer: str) -> Finding:
    """Give what a check finds that is told to find this; the time it takes follows from the domain."""
    domain = domain.lower()
    if answer == "timeout":
        return Finding(TIMED_OUT_MS, ERRORS[answer])
    return Finding(20 + crc32(domain.encode()) % 60, UNAVAILABLE if answer == "unavailable" else ERRORS.get(answer))


@dataclass(slots=True)
class _Answers:
    answers: Sequence[str]
    given: int = 0

    def next(self) -> str:
        self.given += 1
        return self.answers[(self.given - 1) % len(self.answers)]


class Said(NamedTuple):
    """What somebody said that the checks of a domain find, and which of it comes next."""

    domain: str
    answers: list[str]
    next: str


def said(domain: str, answers: Sequence[str], given: int) -> Said:
    """Give the answers for a domain of which so many were given already."""
    return Said(domain, list(answers), answers[given % len(answers)])


class Carriers(Protocol):
    """The carrier as each environment sees it: the usual one, except for domains with answers of their own."""

    usual: Carrier
    """What a check finds where nobody says otherwise."""

    @property
    def by_environment(self) -> Container[str]:
        """The environments in which somebody says otherwise, for a quick look at the one whose request it is."""

    async def own(self, environment: str, domain: str) -> Finding | None:
        """Give what a check finds, if the domain has answers of its own; ServiceUnavailable."""

    async def set(self, environment: str, domain: str, answers: Sequence[str]) -> None:
        """Let the checks of a domain find these (`healthy`, `unavailable` or a label of `ERRORS`), over and over."""

    async def said(self, environment: str) -> list[Said]:
        """Give what was set in an environment; it is not used up by that. ServiceUnavailable."""

    async def reset(self, environment: str, domain: str | None = None) -> None:
        """Let the domains of the environment decide again, or this one; `EVERY_DOMAIN` is what was set for all."""


class MemoryCarriers:
    """The carrier's settings in memory."""

    def __init__(self, usual: Carrier = simulated) -> None:
        self.usual = usual
        self.by_environment: dict[str, dict[str, _Answers]] = {}

    async def own(self, environment: str, domain: str) -> Finding | None:
        """Give what a check finds, if the domain has answers of its own."""
        own = self.by_environment.get(environment, {})
        answers = own.get(domain.lower()) or own.get(EVERY_DOMAIN)
        return finding(domain, answers.next()) if answers else None

    async def set(self, environment: str, domain: str, answers: Sequence[str]) -> None:
        """Let the checks of a domain find these, over and over."""
        self.by_environment.setdefault(environment, {})[domain.lower()] = _Answers(answers)

    async def said(self, environment: str) -> list[Said]:
        """Give what was set in an environment; it is not used up by that."""
        own = self.by_environment.get(environment, {})
        return [said(domain, it.answers, it.given) for domain, it in own.items()]

    async def reset(self, environment: str, domain: str | None = None) -> None:
        """Let the domains of the environment decide again, or this one; `EVERY_DOMAIN` is what was set for all."""
        own = self.by_environment.get(environment, {})
        if domain is not None:
            own.pop(domain.lower(), None)
        if domain is None or not own:
            self.by_environment.pop(environment, None)
