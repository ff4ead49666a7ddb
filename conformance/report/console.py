"""What people read in the terminal: progress while a run lasts, then its verdict and each finding.

Nothing that a server sent is ever read as markup or as a terminal escape: everything is printed as plain text objects.
"""

import textwrap
from collections.abc import Iterable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.segment import Segment, Segments
from rich.text import Text

from conformance.report import words
from conformance.results import ExitCode, Finding, Report, RuleResult
from conformance.rules import Verdict

_STYLES = {
    Verdict.PASS: "green",
    Verdict.WAIVED: "cyan",
    Verdict.NOT_JUDGED: "cyan",
    Verdict.WARN: "bold yellow",
    Verdict.FAIL: "bold red",
    Verdict.KIT_ERROR: "bold magenta",
}
_WIDEST = 120
_INDENT = " " * 6


class Progress:
    """Shows how far a run is: a context manager, silent when the console is no terminal."""

    def __init__(self, console: Console, total: int) -> None:
        self._bar = Bar(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)
        self._bad = 0

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """Show what is going on now: the id of a rule, or that a rate limit is waited out."""
        bad = f"{words.counted(self._bad, 'finding')} so far, " if self._bad else ""
        self._bar.update(self._task, description=words.one_line(f"{bad}{text}"))

    def done(self, verdict: Verdict) -> None:
        """Count one more rule as finished."""
        self._bad += verdict in (Verdict.FAIL, Verdict.WARN, Verdict.KIT_ERROR)
        self._bar.advance(self._task)


def print_report(report: Report, console: Console) -> None:
    """Print the verdict and the counts, each finding, what was not judged and why, leftovers and problems."""
    page = _Page(console)
    page.line(words.headline(report), _style(report))
    page.line(words.counts(report))
    page.line(words.run(report), "dim")
    for result in words.to_show(report):
        page.result(report, result)
    page.listed("Waived", [f"{result.rule.id}: {words.waived(result)}" for result in report.results if result.waiver])
    page.not_judged(report)
    page.listed("Left behind on the target", report.leftovers)
    page.listed("Problems of the run", report.problems, "bold red")


def _style(report: Report) -> str:
    verdicts = {ExitCode.BROKEN: Verdict.FAIL, ExitCode.KIT_ERROR: Verdict.KIT_ERROR, ExitCode.CONFORMS: Verdict.PASS}
    green_by_silence = report.exit_code is ExitCode.CONFORMS and not words.judged(report)
    return "bold yellow" if green_by_silence else _STYLES[verdicts.get(report.exit_code, Verdict.WARN)]


class _Page:
    """Prints the parts of a report to one console, in characters that its encoding has."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._width = min(console.width, _WIDEST)

    def line(self, text: str, style: str = "") -> None:
        self._print(Text(self._shown(words.one_line(text)), style))

    def result(self, report: Report, result: RuleResult) -> None:
        rule = result.rule
        self.line("")
        verdict = Text(str(result.verdict).upper(), _STYLES[result.verdict])
        self._print(verdict.append(self._shown(words.one_line(f"  {rule.id}  ({rule.level})")), "default"))
        self._prose(f"{rule.says}        {rule.source}")
        if result.reason:
            self._labelled("reason", result.reason)
        for finding in result.findings:
            self._finding(report, result, finding)
        if not result.findings:
            self._labelled("again", words.again(report, rule))

    def _finding(self, report: Report, result: RuleResult, finding: Finding) -> None:
        for label, text in words.lines(finding):
            self._labelled(label, text)
        if result.rule.accepts != finding.expected:
            self._labelled("conforms", result.rule.accepts)
        self._labelled("again", words.again(report, result.rule))
        for caption, curl in words.curls(finding):
            self.line("")
            self.line(f"# {caption}", "dim")
            self._print(Segments([Segment(self._shown(curl) + "\n")]))  # as it is: no wrapping, and a tab stays a tab

    def not_judged(self, report: Report) -> None:
        groups = words.by_reason(report)
        if groups:
            self._title(f"Not judged: {words.counted(sum(map(len, groups.values())), 'rule')}")
        for reason, ids in groups.items():
            self._prose(reason, "  ")
            self._prose(", ".join(ids), _INDENT, "dim")
        self.listed("What would let more be judged", report.notes)

    def listed(self, title: str, items: Iterable[str], style: str = "bold") -> None:
        entries = list(items)
        if entries:
            self._title(title, style)
        for entry in entries:
            self._prose(entry, "  ")

    def _title(self, text: str, style: str = "bold") -> None:
        self.line("")
        self.line(text, style)

    def _labelled(self, label: str, text: str) -> None:
        self.line(f"{_INDENT}{label:<9} {words.one_line(text)}")

    def _prose(self, text: str, indent: str = _INDENT, style: str = "") -> None:
        """Print text that may be wrapped, at words only."""
        wrapped = textwrap.wrap(
            words.one_line(text),
            max(self._width, 40),
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in wrapped:
            self.line(line, style)

    def _print(self, shown: Text | Segments) -> None:
        self._console.print(shown, soft_wrap=True)

    def _shown(self, text: str) -> str:
        """Give text whose characters the console's encoding has; the others as escapes."""
        return text.encode(self._console.encoding, "backslashreplace").decode(self._console.encoding)
