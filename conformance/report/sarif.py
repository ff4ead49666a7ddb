"""A run as SARIF 2.1.0, for code scanning: one result per broken rule, at its line of the contract file.

Broken rules are errors, broken inferred ones warnings, waived ones suppressed notes. What was not judged, what broke in
the kit and the problems of the run are no results of an analysis: they are notifications of its invocation.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from conformance.report import lines, words
from conformance.results import ExitCode, Report, RuleResult
from conformance.rules import Level, Rule, Verdict

_LEVELS = {Verdict.FAIL: "error", Verdict.WARN: "warning", Verdict.WAIVED: "note"}


def render(report: Report) -> str:
    """Give the run as a SARIF log."""
    log = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [_run(report)],
    }
    return words.harmless(json.dumps(log, indent=2, ensure_ascii=False)) + "\n"


def _run(report: Report) -> dict[str, Any]:
    return {
        "tool": {
            "driver": {
                "name": "trunkcheck",
                "version": report.kit_version,
                "rules": [_rule(result.rule) for result in report.results],
            }
        },
        "automationDetails": {"id": f"trunkcheck/{report.profile}/{report.run_id}"},
        "invocations": [_invocation(report)],
        "results": [_result(index, result) for index, result in enumerate(report.results) if result.verdict in _LEVELS],
        "properties": {"target": report.target, "profile": report.profile, "strict": report.strict},
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.says},
        "fullDescription": {"text": f"{rule.says} ({rule.source})"},
        "help": {"text": f"Sent: {rule.sends}\nConforms: {rule.accepts}"},
        "defaultConfiguration": {"level": "warning" if rule.level is Level.INFERRED else "error"},
        "properties": {"tags": [str(rule.level)]},
    }


def _result(index: int, result: RuleResult) -> dict[str, Any]:
    rule = result.rule
    return {
        "ruleId": rule.id,
        "ruleIndex": index,
        "level": _LEVELS[result.verdict],
        "message": {"text": f"{rule.says} ({rule.source})\n\n{words.block(result)}"},
        "locations": [_location(rule)],
        "partialFingerprints": {"primaryLocationLineHash": f"{_fingerprint(rule)}:1"},  # the name GitHub looks for
        **_suppressions(result),
    }


def _location(rule: Rule) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": lines.FILE, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": lines.nearest_line(rule.contract)},
        }
    }


def _fingerprint(rule: Rule) -> str:
    """Give what stays the same from run to run, wherever the line moves to: the rule, and nothing of what was seen."""
    return hashlib.sha256(words.harmless(rule.id).encode()).hexdigest()[:16]


def _suppressions(result: RuleResult) -> dict[str, Any]:
    if result.verdict is not Verdict.WAIVED:
        return {}
    return {"suppressions": [{"kind": "external", "status": "accepted", "justification": words.waived(result)}]}


def _invocation(report: Report) -> dict[str, Any]:
    return {
        "executionSuccessful": report.exit_code in (ExitCode.CONFORMS, ExitCode.BROKEN),
        "exitCode": int(report.exit_code),
        "exitCodeDescription": words.headline(report),
        "toolExecutionNotifications": list(_notifications(report)),
    }


def _notifications(report: Report) -> Iterator[dict[str, Any]]:
    for problem in report.problems:
        yield _notification("error", problem)
    for index, result in enumerate(report.results):
        associated = {"associatedRule": {"id": result.rule.id, "index": index}}
        if result.verdict is Verdict.KIT_ERROR:
            yield _notification("error", f"the kit failed: {result.reason}") | associated
        elif result.verdict is Verdict.NOT_JUDGED:
            yield _notification("note", f"not judged: {result.reason}") | associated
    for leftover in report.leftovers:
        yield _notification("warning", f"left behind on the target: {leftover}")
    for note in report.notes:
        yield _notification("note", note)


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": text}}
