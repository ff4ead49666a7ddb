"""A run as GitHub workflow commands: printed in a job, they mark the line of the contract file that a rule stands at.

Source: docs.github.com, "Workflow commands for GitHub Actions". GitHub keeps ten of each kind per step, so everything
that was not judged is one notice.
"""

from collections.abc import Iterator

from conformance.report import lines, words
from conformance.results import Report, RuleResult
from conformance.rules import Verdict


def render(report: Report) -> str:
    """Give one command per line; none for a rule that passes."""
    return "".join(f"{command}\n" for command in _commands(report))


def _commands(report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield _command("error", problem, title="trunkcheck")
    for result in words.to_show(report):
        yield _at_its_line("warning" if result.verdict is Verdict.WARN else "error", result, words.block(result))
    for result in report.results:
        if result.verdict is Verdict.WAIVED:
            yield _at_its_line("notice", result, words.waived(result))
    for leftover in report.leftovers:
        yield _command("warning", f"left behind on the target: {leftover}", title="trunkcheck")
    if open_rules := words.by_reason(report):
        reasons = (f"{reason}: {', '.join(ids)}" for reason, ids in open_rules.items())
        yield _command("notice", "\n".join([*reasons, *report.notes]), title="Rules that were not judged")


def _at_its_line(kind: str, result: RuleResult, text: str) -> str:
    rule = result.rule
    place = {"file": lines.FILE, "line": str(lines.nearest_line(rule.contract))}
    return _command(kind, f"{rule.says} ({rule.source})\n{text}", **place, title=f"{rule.id} ({rule.level})")


def _command(kind: str, message: str, **properties: str) -> str:
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{kind} {written}::{_data(message)}"


def _data(text: str) -> str:
    return words.harmless(text).replace("%", "%25").replace("\n", "%0A")  # harmless text has no carriage return


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
