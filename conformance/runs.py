"""From a target and tokens to a bench, from a finished run to its report. Knows neither arguments nor any rule."""

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from conformance import results
from conformance.canaries import Canaries
from conformance.client import FIRST, NO_PLAN, OTHER, Answer, Client, NotJudged, Pace, Stopped
from conformance.expect import Broken
from conformance.lab import TRUNKS, Lab, Options
from conformance.rules import RULES, Outcome, Rule, Verdict, verdict
from conformance.session import GROUND, Judgement, Run
from conformance.transport import AsgiTransport, HttpTransport, Transport

VARIABLES = {FIRST: "TRUNKCHECK_TOKEN", OTHER: "TRUNKCHECK_OTHER_TOKEN", NO_PLAN: "TRUNKCHECK_NO_PLAN_TOKEN"}


class NoTarget(Exception):
    """The target cannot be judged at all; the text is one sentence that says why."""


def tokens_of_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Give the tokens that stand in environment variables."""
    return {actor: variables[name] for actor, name in VARIABLES.items() if variables.get(name)}


def check_url(text: str) -> str:
    """Give a base URL without its last slash; ValueError with a sentence when it is none."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(
            "BASE_URL must start with http:// or https:// and name a host, as in http://127.0.0.1:8080/api/v1"
        )
    if parts.username or parts.password:
        raise ValueError("BASE_URL must not hold a user or password")
    if parts.query or parts.fragment:
        raise ValueError("BASE_URL must end with its path, without ? or #")
    _ = parts.port  # ValueError when it is out of range
    return text.rstrip("/")


def check_tokens(tokens: Mapping[str, str]) -> None:
    """Refuse tokens that cannot stand in a header, or that name the same environment twice; ValueError, never with the
    token.
    """
    for actor, token in tokens.items():
        if not token.isascii() or not token.isprintable() or token != token.strip() or " " in token:
            raise ValueError(
                f"the token for {VARIABLES[actor]} has a line break, a space or another character that no header has"
            )
    if FIRST not in tokens:
        raise ValueError("a token is needed: --token, or the environment variable TRUNKCHECK_TOKEN")
    if len(set(tokens.values())) < len(tokens):
        raise ValueError("two of the tokens are the same; each must name an environment of its own")


def make_lab(
    target: Any,
    tokens: dict[str, str],
    *,
    rate: float | None = None,
    on_answer: Callable[[Answer], None] | None = None,
    run_id: str | None = None,
    **options: Any,
) -> Lab:
    """Give a bench for a base URL or an ASGI app; ValueError with a sentence when an argument is unusable."""
    check_tokens(tokens)
    chosen = Options(run_id=run_id or secrets.token_hex(3), **options)
    canaries = Canaries(chosen.run_id, tokens.values())
    transport: Transport
    if isinstance(target, str):
        base_url = check_url(target)
        transport = HttpTransport(base_url)
    else:
        base_url = "http://testserver/api/v1"
        transport = AsgiTransport(target)
    client = Client(
        transport, base_url, tokens, canaries, pace=Pace(rate), read_only=chosen.read_only, on_answer=on_answer
    )
    return Lab(client, canaries, chosen)


def knock(lab: Lab) -> None:
    """See whether there is an API at all that takes the token; NoTarget with a sentence when there is none."""
    try:
        answer = lab.client.send("GET", TRUNKS, operation="GET /sip-trunks")
    except Stopped as error:
        raise NoTarget(str(error)) from None
    except NotJudged as error:
        raise NoTarget(str(error).partition(": ")[2] or str(error)) from None
    if answer.status in {301, 302, 303, 307, 308}:
        where = lab.canaries.mask((answer.header("location") or "somewhere else").split("?")[0])[:200]
        raise NoTarget(f"it answers with a redirect to {where}; give the URL that answers itself")
    if answer.status == 401:
        raise NoTarget("the token was refused (401)")
    if answer.status in {402, 403}:
        raise NoTarget(f"the token's environment may not use SIP trunks ({answer.status})")
    is_json = "json" in (answer.header("content-type") or "")
    if answer.json is None and answer.status < 500 and not (answer.is_success and is_json):
        kind = (answer.header("content-type") or "no media type").split(";")[0]
        raise NoTarget(f"there is no SIP trunk API: GET /sip-trunks answered {answer.status} with {kind} and no JSON")
    if answer.status == 404 and not _takes_a_trunk(lab):
        raise NoTarget("there is no SIP trunk API: GET /sip-trunks answered 404 (BASE_URL ends in /api/v1)")
    if answer.status in {502, 503, 504} and not isinstance(answer.json, dict):
        raise NoTarget(f"it is not available ({answer.status})")


def _takes_a_trunk(lab: Lab) -> bool:
    """Tell whether a create is accepted where the list is not there: some answer an empty list with 404."""
    try:
        return lab.baseline.is_success
    except NotJudged:
        return False


def report(
    run: Run, started: datetime, seconds: float, target: str, stopped: results.ExitCode | None = None, why: str = ""
) -> results.Report:
    """Give the report of a finished run."""
    lab = run.lab
    found = tuple(_result(run, rule) for rule in RULES.values() if run.wants(rule))
    problems = (why,) if why else ()
    if not stopped and not any(one.verdict is not Verdict.NOT_JUDGED for one in found):
        stopped, problems = results.ExitCode.NOT_JUDGED, ("No rule could be judged.",)
    if not stopped and run.stopped:
        stopped, problems = results.ExitCode.NOT_JUDGED, (run.stopped,)
    groundless = next((one for one in found if one.rule.id == GROUND and one.verdict is Verdict.NOT_JUDGED), None)
    if not stopped and groundless and not lab.options.read_only:
        stopped, problems = results.ExitCode.NOT_JUDGED, (f"Hardly anything could be judged: {groundless.reason}.",)
    return results.Report(
        kit_version=version("trunkkit"),
        target=target,
        profile=run.profile,
        strict=run.strict,
        seed=lab.options.seed or None,
        run_id=lab.options.run_id,
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        seconds=round(seconds, 3),
        requests=lab.client.requests,
        results=found,
        leftovers=tuple(lab.leftovers),
        problems=problems,
        stopped=stopped,
        notes=tuple(sorted({*lab.notes, *_hints(lab)})),
    )


def _hints(lab: Lab) -> list[str]:
    hints = []
    if not lab.client.has(OTHER):
        hints.append("Isolation needs a second environment: give --other-token.")
    if not lab.client.has(NO_PLAN):
        hints.append("The rules on plans need an environment without the feature: give --no-plan-token.")
    return hints


def _result(run: Run, rule: Rule) -> results.RuleResult:
    judgement = run.judgements.get(rule.id) or Judgement(Outcome.NOT_JUDGED, run.stopped or "the run ended before it")
    if judgement.outcome is Outcome.KEPT and rule.id in run.lab.unconfirmed:
        judgement = Judgement(
            Outcome.NOT_JUDGED, f"it was refused, but so was the control: {run.lab.unconfirmed[rule.id]}"
        )
    findings = (_finding(run.lab.client, rule, judgement.broken),) if judgement.broken else ()
    return results.RuleResult(
        rule,
        verdict(judgement.outcome, rule.level, strict=run.strict),
        judgement.reason,
        findings,
        duration_ms=round(judgement.seconds * 1000, 1),
    )


def verdict_of(run: Run, rule: Rule, judgement: Judgement) -> Verdict:
    """Give the verdict on a rule as it stands while the run lasts."""
    return verdict(judgement.outcome, rule.level, strict=run.strict)


def _finding(client: Client, rule: Rule, broken: Broken) -> results.Finding:
    answers = tuple(client.exchange(answer) for answer in broken.answers)
    return results.Finding(
        sent=client.canaries.mask(broken.sent or (broken.answers[-1].where if broken.answers else rule.sends)),
        expected=client.canaries.mask(broken.expected),
        actual=client.canaries.mask(broken.actual),
        exchanges=answers,
        control=client.exchange(broken.control) if broken.control else None,
    )


def now() -> datetime:
    """Give the time in UTC."""
    return datetime.now(UTC)


def stopwatch() -> Callable[[], float]:
    """Give a function that tells the seconds since this call."""
    started = time.monotonic()
    return lambda: time.monotonic() - started
