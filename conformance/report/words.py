"""The words that every report shares: the verdict as a sentence, the counts, a finding in lines, harmless text."""

import re
import shlex
from collections.abc import Iterator

from conformance.results import Exchange, ExitCode, Finding, Report, RuleResult
from conformance.rules import Profile, Rule, Verdict

_HARMFUL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
_SHOWN_FIRST = (Verdict.KIT_ERROR, Verdict.FAIL, Verdict.WARN)
_COUNTED = (Verdict.PASS, Verdict.FAIL, Verdict.WARN, Verdict.WAIVED, Verdict.NOT_JUDGED, Verdict.KIT_ERROR)
_UNJUDGED = (Verdict.NOT_JUDGED, Verdict.KIT_ERROR)


def harmless(text: str) -> str:
    r"""Write control characters, terminal escapes and text direction marks as `\u001b`; keep line feeds and tabs.

    A surrogate without its partner, which no encoding can hold, becomes U+FFFD. What is left may stand in XML 1.0, and
    as the form is also JSON's, the text of a JSON document may be passed through as a whole.
    """
    return _HARMFUL.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


def one_line(text: str) -> str:
    r"""Give harmless text in which line feeds and tabs are written as `\n` and `\t` too."""
    return harmless(text).replace("\n", "\\n").replace("\t", "\\t")


def counted(number: int, noun: str) -> str:
    """Give "1 rule" or "2 rules"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def exit_word(code: ExitCode) -> str:
    """Give an exit code's word: "conforms", "broken", "usage", "not judged" or "kit error"."""
    return code.name.lower().replace("_", " ")


def judged(report: Report) -> int:
    """Give how many rules were judged, waived ones included."""
    return sum(result.verdict not in _UNJUDGED for result in report.results)


def headline(report: Report) -> str:
    """Give the verdict on the whole run as one sentence without a full stop."""
    broken = report.count()[Verdict.FAIL]
    match report.exit_code:
        case ExitCode.CONFORMS:
            return _conforms(report)
        case ExitCode.BROKEN if broken:
            return f"Does not conform: {counted(broken, 'rule')} broken"
        case ExitCode.BROKEN:
            return f"Does not pass: {counted(len(report.problems), 'problem')} with the run itself"
        case ExitCode.NOT_JUDGED:
            return "Could not be judged"
        case ExitCode.USAGE:
            return "Was not run: the command was wrong"
        case ExitCode.KIT_ERROR:
            besides = f"; besides, {counted(broken, 'rule')} broken" if broken else ""
            return f"The kit itself failed{besides}"


def _conforms(report: Report) -> str:
    """Say what a green run leaves open, so that none is green by silence."""
    if not judged(report):
        return "Nothing was judged"
    count = report.count()
    open_ends = [
        words
        for number, words in (
            (count[Verdict.WARN], counted(count[Verdict.WARN], "warning")),
            (count[Verdict.WAIVED], f"{counted(count[Verdict.WAIVED], 'rule')} waived"),
            (count[Verdict.NOT_JUDGED], f"{counted(count[Verdict.NOT_JUDGED], 'rule')} not judged"),
        )
        if number
    ]
    if not open_ends:
        return "Conforms"
    return "Conforms, with " + " and ".join(filter(None, [", ".join(open_ends[:-1]), open_ends[-1]]))


def counts(report: Report) -> str:
    """Give the counts in one line: "143 of 151 rules judged: 140 pass, 1 fail, 2 warn, 8 not judged"."""
    count = report.count()
    parts = ", ".join(f"{count[verdict]} {verdict}" for verdict in _COUNTED if count[verdict])
    return f"{judged(report)} of {counted(len(report.results), 'rule')} judged" + (f": {parts}" if parts else "")


def run(report: Report) -> str:
    """Give what ran, in one line: target, profile, requests and time."""
    strict = ", strict" if report.strict else ""
    seed = "" if report.seed is None else f", seed {report.seed}"
    return (
        f"{report.target}, {report.profile} profile{strict}{seed}, "
        f"{counted(report.requests, 'request')} in {report.seconds:.1f} s"
    )


def to_show(report: Report) -> Iterator[RuleResult]:
    """Give the results that somebody must look at: kit errors, then failures, then warnings."""
    for verdict in _SHOWN_FIRST:
        yield from (result for result in report.results if result.verdict is verdict)


def by_reason(report: Report) -> dict[str, list[str]]:
    """Give the ids of the rules that were not judged, under the reason why."""
    groups: dict[str, list[str]] = {}
    for result in report.results:
        if result.verdict is Verdict.NOT_JUDGED:
            groups.setdefault(result.reason or "no reason was given", []).append(result.rule.id)
    return groups


def again(report: Report, rule: Rule) -> str:
    """Give the command that judges one rule again; the tokens come from the environment."""
    words = ["trunkcheck", report.target, "--only", rule.id]
    if report.profile is not Profile.STANDARD:
        words += ["--profile", report.profile]
    if report.seed is not None:
        words += ["--seed", str(report.seed)]
    return shlex.join(words + ["--strict"] * report.strict)


def lines(finding: Finding) -> list[tuple[str, str]]:
    """Give a finding as labelled lines: what was sent, what would conform, what came, which control worked."""
    found = [("sent", finding.sent), ("expected", finding.expected), ("actual", finding.actual)]
    if finding.control is not None:
        found.append(("control", f"{summary(finding.control)}: the same request, made valid"))
    return [(label, one_line(text)) for label, text in found]


def summary(exchange: Exchange) -> str:
    """Give an exchange in one line: "request 12, POST /sip-trunks answered 201"."""
    came = "not answered" if exchange.status is None else f"answered {exchange.status}"
    return one_line(f"request {exchange.number}, {exchange.method} {exchange.path} {came}")


def curls(finding: Finding) -> list[tuple[str, str]]:
    """Give the pair of commands that show a finding, captioned: the control, then the request that matters."""
    commands = []
    if finding.control is not None:
        commands.append(("accepted", finding.control.curl))
    if finding.exchanges:
        commands.append(("breaks the rule", finding.exchanges[-1].curl))
    return [(caption, harmless(curl)) for caption, curl in commands]


def block(result: RuleResult) -> str:
    """Give all that is known of a result as plain text: the reason, the findings, the commands."""
    parts = [harmless(result.reason)] if result.reason else []
    for finding in result.findings:
        parts.append("\n".join(f"{label:<9} {text}" for label, text in lines(finding)))
        parts += [f"# {caption}\n{curl}" for caption, curl in curls(finding)]
    return "\n\n".join(parts)


def waived(result: RuleResult) -> str:
    """Give why a rule was let through and until when; empty for a result without a waiver."""
    waiver = result.waiver
    return "" if waiver is None else one_line(f"waived until {waiver.expires}: {waiver.reason}")
