"""A run as Markdown: the verdict, the counts, each finding, and what was not judged."""

import re
from collections.abc import Iterable, Iterator

from conformance.report import words
from conformance.results import Report, RuleResult
from conformance.rules import Verdict

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>|~#$&!]")


def render(report: Report, *, limit: int | None = None) -> str:
    """Give the run as a Markdown document of at most about `limit` bytes; the findings that do not fit are counted."""
    head = "".join(_head(report))
    tail = "".join([*_not_judged(report), *_waived(report), *_list("Left behind on the target", report.leftovers)])
    room = None if limit is None else limit - len(f"{head}{tail}".encode())
    return head + _fitting([_result(report, result) for result in words.to_show(report)], room) + tail


def _head(report: Report) -> Iterator[str]:
    yield f"# {_escape(words.headline(report))}\n\n{_escape(words.counts(report))}\n\n"
    yield f"{_escape(words.run(report))}, {_escape(report.started)}, trunkcheck {_escape(report.kit_version)}\n"
    yield from _list("Problems of the run", report.problems)


def _fitting(sections: list[str], room: int | None) -> str:
    """Join the sections that fit, and say how many do not."""
    kept: list[str] = []
    used = 0
    for section in sections:
        used += len(section.encode())
        if room is not None and used > room:
            break
        kept.append(section)
    left = len(sections) - len(kept)
    return "".join(kept) + (f"\n{words.counted(left, 'more rule')}: see the JSON or HTML report.\n" if left else "")


def _result(report: Report, result: RuleResult) -> str:
    rule = result.rule
    return "".join(
        [
            f"\n## {str(result.verdict).upper()} {_code(rule.id)} ({rule.level})\n\n",
            f"{_escape(rule.says)} *{_escape(rule.source)}*\n\n",
            f"Conforms: {_escape(rule.accepts)}\n\n",
            _fence(_plain(report, result)),
            *(_commands(result)),
        ]
    )


def _plain(report: Report, result: RuleResult) -> str:
    parts = [words.harmless(result.reason)] if result.reason else []
    for finding in result.findings:
        parts.append("\n".join(f"{label:<9} {text}" for label, text in words.lines(finding)))
    return "\n\n".join([*parts, f"again     {words.one_line(words.again(report, result.rule))}"])


def _commands(result: RuleResult) -> Iterator[str]:
    commands = (pair for finding in result.findings for pair in words.curls(finding))
    pairs = "\n\n".join(f"# {caption}\n{curl}" for caption, curl in commands)
    if pairs:
        yield f"\n<details><summary>Send it again</summary>\n\n{_fence(pairs, 'sh')}\n</details>\n"


def _not_judged(report: Report) -> Iterator[str]:
    groups = words.by_reason(report)
    if groups:
        yield f"\n## Not judged: {words.counted(report.count()[Verdict.NOT_JUDGED], 'rule')}\n\n"
    for reason, ids in groups.items():
        yield f"- {_escape(reason)}: {', '.join(map(_code, ids))}\n"
    yield from _list("What would let more be judged", report.notes)


def _waived(report: Report) -> Iterator[str]:
    waived = [result for result in report.results if result.verdict is Verdict.WAIVED]
    if waived:
        yield "\n## Waived\n\n"
    for result in waived:
        yield f"- {_code(result.rule.id)}: {_escape(words.waived(result))}\n"


def _list(title: str, items: Iterable[str]) -> Iterator[str]:
    if entries := [f"- {_escape(item)}\n" for item in items]:
        yield f"\n## {title}\n\n"
        yield from entries


def _escape(text: str) -> str:
    """Give text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\g<0>", words.one_line(text))


def _code(text: str) -> str:
    """Give a code span; its fence is longer than any run of backticks inside."""
    shown = words.one_line(text)
    ticks = _longer_than_any_in(shown, 1)
    return f"{ticks} {shown} {ticks}" if "`" in shown else f"{ticks}{shown}{ticks}"


def _fence(text: str, language: str = "text") -> str:
    ticks = _longer_than_any_in(text, 3)
    return f"{ticks}{language}\n{text}\n{ticks}\n"


def _longer_than_any_in(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)
