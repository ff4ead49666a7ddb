"""A run as JSON, for programs. `report.schema.json` beside this module describes it; `schema` is its version."""

import json
from typing import Any

from conformance.report import lines, words
from conformance.results import MODEL_VERSION, Exchange, Finding, Report, RuleResult, Waiver
from conformance.rules import Verdict


def render(report: Report) -> str:
    """Give the run as a JSON document."""
    return words.harmless(json.dumps(_report(report), indent=2, ensure_ascii=False)) + "\n"


def _report(report: Report) -> dict[str, Any]:
    return {
        "schema": MODEL_VERSION,
        "kit_version": report.kit_version,
        "target": report.target,
        "profile": report.profile,
        "strict": report.strict,
        "seed": report.seed,
        "run_id": report.run_id,
        "started": report.started,
        "seconds": round(report.seconds, 3),
        "requests": report.requests,
        "exit_code": {"number": int(report.exit_code), "word": words.exit_word(report.exit_code)},
        "verdict": words.headline(report),
        "counts": _counts(report),
        "stopped": None if report.stopped is None else words.exit_word(report.stopped),
        "problems": report.problems,
        "leftovers": report.leftovers,
        "notes": report.notes,
        "rules": [_result(result) for result in report.results],
    }


def _counts(report: Report) -> dict[str, int]:
    count = report.count()
    return {
        "rules": len(report.results),
        "judged": words.judged(report),
        **{verdict.name.lower(): count[verdict] for verdict in Verdict},
    }


def _result(result: RuleResult) -> dict[str, Any]:
    rule = result.rule
    return {
        "id": rule.id,
        "level": rule.level,
        "says": rule.says,
        "source": rule.source,
        "sends": rule.sends,
        "accepts": rule.accepts,
        "contract": {"pointer": rule.contract, "file": lines.FILE, "line": lines.nearest_line(rule.contract)},
        "profile": rule.profile,
        "needs": rule.needs,
        "verdict": result.verdict,
        "reason": result.reason,
        "duration_ms": round(result.duration_ms, 3),
        "findings": [_finding(finding) for finding in result.findings],
        "waiver": _waiver(result.waiver),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "sent": finding.sent,
        "expected": finding.expected,
        "actual": finding.actual,
        "control": None if finding.control is None else _exchange(finding.control),
        "exchanges": [_exchange(exchange) for exchange in finding.exchanges],
    }


def _exchange(exchange: Exchange) -> dict[str, Any]:
    return {
        "number": exchange.number,
        "actor": exchange.actor,
        "request": {
            "method": exchange.method,
            "path": exchange.path,
            "headers": _headers(exchange.request_headers),
            "body": exchange.request_body,
        },
        "response": None
        if exchange.status is None
        else {
            "status": exchange.status,
            "headers": _headers(exchange.response_headers),
            "body": exchange.response_body,
        },
        "duration_ms": round(exchange.duration_ms, 3),
        "curl": exchange.curl,
    }


def _headers(headers: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _waiver(waiver: Waiver | None) -> dict[str, Any] | None:
    if waiver is None:
        return None
    return {"reason": waiver.reason, "expires": waiver.expires, "file": waiver.file, "line": waiver.line}
