"""A run as one HTML page that needs nothing else: the contract's sentences, each with the verdict on its rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import jinja2

from conformance.report import words
from conformance.results import ExitCode, Report, RuleResult
from conformance.rules import Level, Verdict

_HERE = Path(__file__).parent


class Statement(Protocol):
    """A sentence of the contract, as the ledger keeps it."""

    @property
    def section(self) -> str:
        """The page and section that the sentence stands in."""

    @property
    def says(self) -> str:
        """The sentence."""

    @property
    def level(self) -> Level:
        """How well it is known."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules that judge it."""

    @property
    def reason(self) -> str:
        """Why it cannot be judged from outside, when no rule judges it."""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence as the page shows it."""

    says: str
    level: str
    verdict: str
    reason: str
    results: tuple[RuleResult, ...]
    absent: tuple[str, ...]  # rules that this run did not include

    @property
    def is_open(self) -> bool:
        """Tell whether it is unfolded at first: when there is something to look at."""
        return self.verdict in (Verdict.FAIL, Verdict.WARN, Verdict.KIT_ERROR)


def render(report: Report, statements: Iterable[Statement]) -> str:
    """Give the run as an HTML document; `statements` are the sentences of the contract in their order."""
    sections, shown = _sections(report, statements)
    rest = [_alone(result) for result in report.results if result.rule.id not in shown]
    if rest:
        sections.append(("Rules beyond these sentences", rest))
    page = _template().render(
        report=report,
        verdict=words.headline(report),
        tone=_tone(report),
        counts=words.counts(report),
        tally=[(verdict, report.count()[verdict]) for verdict in Verdict],
        exit_word=words.exit_word(report.exit_code),
        sections=sections,
        to_show=list(words.to_show(report)),
        anchors=_anchors(report),
        not_judged=words.by_reason(report),
    )
    return page.lstrip() + "\n"


def _sections(report: Report, statements: Iterable[Statement]) -> tuple[list[tuple[str, list[_Sentence]]], set[str]]:
    """Give the sentences by section, and the ids of the rules that they show."""
    results = {result.rule.id: result for result in report.results}
    sections: dict[str, list[_Sentence]] = {}
    shown: set[str] = set()
    for statement in statements:
        sections.setdefault(statement.section, []).append(_sentence(statement, results))
        shown.update(statement.rules)
    return list(sections.items()), shown


def _sentence(statement: Statement, results: dict[str, RuleResult]) -> _Sentence:
    found = tuple(results[rule] for rule in statement.rules if rule in results)
    absent = tuple(rule for rule in statement.rules if rule not in results)
    verdict = _verdict(statement, found)
    return _Sentence(statement.says, statement.level, verdict, statement.reason, found, absent)


def _verdict(statement: Statement, found: tuple[RuleResult, ...]) -> str:
    """Give the worst verdict on the rules of a sentence, or why there is none."""
    if not statement.rules:
        return "not testable"
    order = list(Verdict)  # best first
    return max((result.verdict for result in found), key=order.index, default="not in this run")


def _alone(result: RuleResult) -> _Sentence:
    rule = result.rule
    return _Sentence(rule.says, rule.level, result.verdict, "", (result,), ())


def _tone(report: Report) -> str:
    """Give the verdict whose colour the head of the page has."""
    if report.exit_code is ExitCode.CONFORMS:
        return Verdict.PASS if words.judged(report) else Verdict.NOT_JUDGED
    return {ExitCode.BROKEN: Verdict.FAIL, ExitCode.KIT_ERROR: Verdict.KIT_ERROR}.get(
        report.exit_code, Verdict.NOT_JUDGED
    )


def _anchors(report: Report) -> dict[str, str]:
    """Give a name that an address can hold for each rule that is linked to."""
    return {result.rule.id: f"rule-{number}" for number, result in enumerate(report.results, 1)}


class _Once:
    """Tells whether a rule is shown for the first time; an anchor must be on the page only once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, rule: str) -> bool:
        first = rule not in self._seen
        self._seen.add(rule)
        return first


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        again=words.again, curls=words.curls, lines=words.lines, summary=words.summary, waived=words.waived, once=_Once
    )
    return environment.get_template("page.html.jinja")


def _harmless(value: Any) -> Any:
    """Give every text that the template shows in harmless characters."""
    return words.harmless(value) if type(value) is str else value
