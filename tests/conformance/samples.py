"""Reports made by hand, with fixed ids and times, and one in which every text is the same arbitrary one."""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from conformance.results import Exchange, Finding, Report, RuleResult, Waiver
from conformance.rules import Level, Profile, Rule, Verdict


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of the contract, shaped like one of the ledger."""

    section: str
    says: str
    level: Level
    rules: tuple[str, ...] = ()
    reason: str = ""


RULE = Rule(
    id="create.name.max-length",
    level=Level.DOCUMENTED,
    says="A name has at most 255 characters.",
    source="Create SIP Trunk, request body",
    sends="a name of 256 characters",
    accepts="400 or 422",
    contract="/components/schemas/Name",
)

CONTROL = Exchange(
    number=12,
    actor="first",
    method="POST",
    path="/sip-trunks",
    request_headers=(("Authorization", "Bearer $TOKEN"), ("Content-Type", "application/json")),
    request_body='{"name": "short", "password": "$SIP_PASSWORD"}',
    status=201,
    response_headers=(("Content-Type", "application/json"),),
    response_body='{"success": true, "data": {"id": "3f0f6a0e-52c1-4c6e-9a35-0d1f6f2b7c11"}}',
    duration_ms=3.25,
    curl='curl -sS -i -X POST https://sip.example/api/v1/sip-trunks \\\n  --data-binary \'{"name": "short"}\'',
)

BREAKING = replace(
    CONTROL,
    number=13,
    request_body='{"name": "nnn…", "password": "$SIP_PASSWORD"}',
    curl='curl -sS -i -X POST https://sip.example/api/v1/sip-trunks \\\n  --data-binary \'{"name": "nnn…"}\'',
)

FINDING = Finding(
    sent="POST /sip-trunks, name of 256 characters",
    expected="400 or 422",
    actual="201",
    exchanges=(BREAKING,),
    control=CONTROL,
)

WAIVER = Waiver("create.port.range", "Ports are not checked until release 2.4.", "2026-03-31", line=4)


def result(verdict: Verdict, id: str = RULE.id, **changes: Any) -> RuleResult:
    """Give a result of this verdict, with what belongs to it; `changes` are members of the result or of its rule."""
    known = {field.name for field in fields(Rule)}
    rule = replace(RULE, id=id, **{name: value for name, value in changes.items() if name in known})
    rest = {name: value for name, value in changes.items() if name not in known}
    belonging = {
        Verdict.FAIL: {"findings": (FINDING,)},
        Verdict.WARN: {"findings": (FINDING,)},
        Verdict.WAIVED: {"findings": (FINDING,), "waiver": WAIVER},
        Verdict.NOT_JUDGED: {"reason": "no second token was given"},
        Verdict.KIT_ERROR: {"reason": "KeyError: 'data' in the probe"},
    }
    return RuleResult(rule, verdict, **belonging.get(verdict, {}) | {"duration_ms": 4.0} | rest)


def report(*results: RuleResult, **changes: Any) -> Report:
    """Give a report of these results; `changes` are other members of it."""
    members: dict[str, Any] = {
        "kit_version": "0.1.0",
        "target": "https://sip.example/api/v1",
        "profile": Profile.STANDARD,
        "strict": False,
        "seed": None,
        "run_id": "r-7",
        "started": "2026-01-15T14:00:00Z",
        "seconds": 3.42,
        "requests": 212,
    }
    return Report(results=results, **members | changes)


def mixed(**changes: Any) -> Report:
    """Give a report with every verdict but a kit error in it."""
    results = (
        result(Verdict.PASS, "auth.missing", says="A request without a token is refused."),
        result(Verdict.FAIL),
        result(Verdict.WAIVED, "create.port.range", says="A port is between 1 and 65535."),
        result(Verdict.WARN, "create.name.blank", level=Level.INFERRED, says="A name of spaces is refused."),
        result(Verdict.NOT_JUDGED, "isolation.read", says="A foreign trunk cannot be read."),
        result(Verdict.NOT_JUDGED, "isolation.list", says="A foreign trunk is not listed."),
    )
    notes = ("give --other-token to judge isolation",)
    return report(*results, **{"notes": notes, "leftovers": ("/sip-trunks/9",)} | changes)


STATEMENTS = (
    Statement("Authentication", "Every request carries a token.", Level.DOCUMENTED, ("auth.missing",)),
    Statement("Fields of a trunk", "A name has 1 to 255 characters.", Level.DOCUMENTED, (RULE.id, "create.name.blank")),
    Statement("Fields of a trunk", "A port has a range.", Level.DOCUMENTED, ("create.port.range",)),
    Statement(
        "Fields of a trunk", "A password is stored encrypted.", Level.DOCUMENTED, reason="storage is not visible"
    ),
    Statement("Environments", "Trunks belong to one environment.", Level.DOCUMENTED, ("isolation.read",)),
    Statement("Numbers", "A number can be added.", Level.DOCUMENTED, ("dids.add",)),
)


def filled_with(text: str) -> Report:
    """Give a report with every verdict in it, in which every text is `text`."""
    broken = mixed(problems=("x",), notes=("x",))
    return _filled(replace(broken, results=(*broken.results, result(Verdict.KIT_ERROR))), text)


def statements_filled_with(text: str) -> tuple[Statement, ...]:
    """Give sentences of the contract in which every text is `text`."""
    return _filled(STATEMENTS, text)


def _filled(value: Any, text: str) -> Any:
    if type(value) is str:
        return text
    if isinstance(value, tuple):
        return tuple(_filled(item, text) for item in value)
    if is_dataclass(value):
        return replace(value, **{field.name: _filled(getattr(value, field.name), text) for field in fields(value)})
    return value
