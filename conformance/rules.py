"""What a rule is, what can become of it, and the one function from outcome to verdict. Knows no HTTP.

A rule is declared directly above its probe, with the `rule` decorator; importing `conformance.probes` fills `RULES`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

Probe = TypeVar("Probe", bound=Callable[..., None])


class Level(StrEnum):
    """How well a rule is known, which decides what breaking it means."""

    DOCUMENTED = "documented"
    STANDARD = "standard"
    INFERRED = "inferred"


class Profile(StrEnum):
    """How much a run sends; each profile includes the ones above it."""

    QUICK = "quick"
    STANDARD = "standard"
    DEEP = "deep"

    def includes(self, other: "Profile") -> bool:
        """Tell whether a run of this profile does what `other` asks for."""
        order = list(Profile)
        return order.index(other) <= order.index(self)


class Outcome(StrEnum):
    """What a probe found, before the level of its rule is looked at."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_JUDGED = "not judged"
    KIT_ERROR = "kit error"


class Verdict(StrEnum):
    """What a run says of a rule, best first."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    WAIVED = "waived"
    NOT_JUDGED = "not judged"
    WARN = "warn"
    FAIL = "fail"
    KIT_ERROR = "kit error"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it says, where that stands, what is sent to see it, and every answer that conforms."""

    id: str
    level: Level
    says: str
    source: str  # page and section, or RFC and section
    sends: str
    accepts: str
    contract: str  # JSON pointer into the contract file
    profile: Profile = Profile.STANDARD
    needs: tuple[str, ...] = ()  # rules without which this one proves nothing


RULES: dict[str, Rule] = {}
"""Every rule by its id, in the order of declaration; complete once `conformance.probes` has been imported."""


def rule(
    id: str,
    level: Level,
    says: str,
    *,
    source: str,
    sends: str,
    accepts: str,
    contract: str,
    profile: Profile = Profile.STANDARD,
    needs: tuple[str, ...] = (),
) -> Callable[[Probe], Probe]:
    """Declare the rule that the decorated probe judges; ValueError when the id is taken."""
    if id in RULES:
        raise ValueError(f"rule {id} is declared twice")
    RULES[id] = Rule(id, level, says, source, sends, accepts, contract, profile, needs)

    def declare(probe: Probe) -> Probe:
        probe.__dict__["rule"] = RULES[id]
        return probe

    return declare


def rule_for_each(
    fields: Iterable[str],
    id: str,
    level: Level,
    says: str,
    *,
    source: str,
    sends: str,
    accepts: str,
    contract: str,
    profile: Profile = Profile.STANDARD,
    quick: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
) -> Callable[[Probe], Probe]:
    """Declare one rule per field for a probe that takes `field`; `{field}` in the texts stands for its name.

    The quick profile has those of the fields that `quick` names.
    """
    declared = {}
    for field in fields:
        texts = [text.replace("{field}", field) for text in (id, says, source, sends, accepts, contract)]
        rule(texts[0], level, texts[1], source=texts[2], sends=texts[3], accepts=texts[4], contract=texts[5],
             profile=Profile.QUICK if field in quick else profile, needs=needs)(lambda: None)  # fmt: skip
        declared[field] = RULES[texts[0]]

    def declare(probe: Probe) -> Probe:
        probe.__dict__["rules"] = declared
        return probe

    return declare


REFUSALS: list[tuple[str, Callable[..., Any]]] = []
"""Every probe that is a table of refused requests: its kind, and the probe, whose `cases` gives the table."""


def refuses(kind: str) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a probe of a function that gives a table of cases: each must be refused. `kind` is create, update or did."""

    def declare(cases: Callable[..., Any]) -> Callable[..., None]:
        if "field" in signature(cases).parameters:

            def probe(lab: Any, field: str) -> None:
                lab.refuse_each(kind, cases(lab, field))

        else:

            def probe(lab: Any) -> None:  # type: ignore[misc]
                lab.refuse_each(kind, cases(lab))

        probe = wraps(cases)(probe)
        probe.__signature__ = signature(cases)  # type: ignore[attr-defined]
        probe.__dict__["cases"] = cases
        REFUSALS.append((kind, probe))
        return probe

    return declare


def cases_of(kind: str, lab: Any, wants: Callable[[Rule], bool]) -> list[Any]:
    """Give the cases of a kind that a run is going to want, in the order of declaration."""
    found: list[Any] = []
    for one, probe in REFUSALS:
        if one == kind:
            for field, declared in (probe.__dict__.get("rules") or {"": probe.__dict__["rule"]}).items():
                if wants(declared):
                    found.extend(probe.__dict__["cases"](lab, field) if field else probe.__dict__["cases"](lab))
    return found


LAST_SENDS: list[tuple[str, Callable[[Any], None]]] = []
"""What is sent for a rule that is judged on the whole run, before all is deleted: the rule's id, and what sends."""


def sends_last(id: str) -> Callable[[Probe], Probe]:
    """Let a function send, for the rule with this id, at the end of a run."""

    def declare(send: Probe) -> Probe:
        LAST_SENDS.append((id, send))
        return send

    return declare


def verdict(outcome: Outcome, level: Level, *, strict: bool) -> Verdict:
    """Give the verdict on a rule of this level: only a broken rule depends on the level, and on strict mode."""
    if outcome is Outcome.BROKEN:
        return Verdict.WARN if level is Level.INFERRED and not strict else Verdict.FAIL
    return {
        Outcome.KEPT: Verdict.PASS,
        Outcome.NOT_JUDGED: Verdict.NOT_JUDGED,
        Outcome.KIT_ERROR: Verdict.KIT_ERROR,
    }[outcome]
