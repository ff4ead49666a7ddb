"""A run as a shields.io endpoint: a badge for a README."""

import json

from conformance.report import words
from conformance.results import ExitCode, Report
from conformance.rules import Verdict


def render(report: Report) -> str:
    """Give the JSON that https://shields.io/badges/endpoint-badge reads."""
    badge = {"schemaVersion": 1, "label": "sip trunk contract", "message": _message(report), "color": _color(report)}
    return json.dumps(badge | {"isError": True} if _unjudged(report) else badge, indent=2) + "\n"


def _unjudged(report: Report) -> bool:
    return report.exit_code not in (ExitCode.CONFORMS, ExitCode.BROKEN) or not report.results


def _message(report: Report) -> str:
    broken = report.count()[Verdict.FAIL]
    match report.exit_code:
        case ExitCode.CONFORMS:
            return f"{words.judged(report)} of {words.counted(len(report.results), 'rule')} judged, none broken"
        case ExitCode.BROKEN:
            return f"{words.counted(broken, 'rule')} broken" if broken else "waivers out of date"
        case code:
            return words.exit_word(code)


def _color(report: Report) -> str:
    if report.exit_code is ExitCode.BROKEN:
        return "red"
    if _unjudged(report) or not words.judged(report):
        return "lightgrey"
    count = report.count()
    return "yellow" if count[Verdict.WARN] or count[Verdict.NOT_JUDGED] or count[Verdict.WAIVED] else "brightgreen"
