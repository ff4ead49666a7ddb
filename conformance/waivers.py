"""Waivers: rules that are known to be broken and are let through until a date.

They are read from a TOML file and applied to a report.

    [[waivers]]
    rule = "create.name.max-length"
    reason = "Names are cut at 300 until release 2.4."
    expires = 2026-03-31

What can go wrong while reading is one exception, `BadWaivers`, whose message says what and where in one sentence.
What can go wrong later, a waiver that is no longer needed or no longer valid, is a problem of the run and fails it.
"""

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from conformance.results import Report, RuleResult, Waiver
from conformance.rules import RULES, Verdict

_HEADER = re.compile(r"\s*\[\[\s*[\"']?waivers[\"']?\s*\]\]")
_KEYS = ("rule", "reason", "expires")


class BadWaivers(Exception):
    """A waiver file cannot be used; the message is one sentence for people."""


def load(path: Path, known: Collection[str] | None = None) -> tuple[Waiver, ...]:
    """Read a waiver file; `known` are the ids of the rules there are, all declared ones unless given. BadWaivers."""
    text = _read(path)
    tables, numbers = _tables(path, text)
    waivers: dict[str, Waiver] = {}
    for table, number in zip(tables, numbers, strict=True):
        waiver = _waiver(path, number, table, RULES if known is None else known)
        if waiver.rule in waivers:
            raise BadWaivers(f"{path} line {number}: line {waivers[waiver.rule].line} waives {waiver.rule} already")
        waivers[waiver.rule] = waiver
    return tuple(waivers.values())


def apply(report: Report, waivers: Iterable[Waiver], today: date) -> Report:
    """Give the report with valid waivers applied to broken rules, and a problem for each waiver to be deleted."""
    by_rule = {waiver.rule: waiver for waiver in waivers}
    valid = {rule: waiver for rule, waiver in by_rule.items() if not _expired(waiver, today)}
    problems = tuple(_problems(report, by_rule.values(), today))
    results = tuple(_waive(result, valid.get(result.rule.id)) for result in report.results)
    return replace(report, results=results, problems=report.problems + problems)


def _waive(result: RuleResult, waiver: Waiver | None) -> RuleResult:
    if waiver is None or result.verdict not in (Verdict.FAIL, Verdict.WARN):
        return result
    return replace(result, verdict=Verdict.WAIVED, waiver=waiver)


def _problems(report: Report, waivers: Iterable[Waiver], today: date) -> Iterator[str]:
    passing = {result.rule.id for result in report.results if result.verdict is Verdict.PASS}
    for waiver in waivers:
        place = f"{waiver.file} line {waiver.line}: {waiver.rule}"
        if waiver.rule in passing:
            yield f"{place} passes now; delete this waiver"
        elif _expired(waiver, today):
            yield f"{place} was waived until {waiver.expires}; delete this waiver"


def _expired(waiver: Waiver, today: date) -> bool:
    return today > date.fromisoformat(waiver.expires)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise BadWaivers(f"the waiver file {path} is not UTF-8 text") from error
    except OSError as error:
        raise BadWaivers(f"the waiver file {path} cannot be read: {error.strerror or error}") from error


def _tables(path: Path, text: str) -> tuple[list[Any], list[int]]:
    """Give the `[[waivers]]` tables and the line of each."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadWaivers(f"the waiver file {path} is not TOML: {error}") from error
    if unknown := sorted(document.keys() - {"waivers"}):
        raise BadWaivers(f"the waiver file {path} has {unknown[0]!r}, but may hold only [[waivers]] tables")
    tables = document.get("waivers", [])
    numbers = _lines(text)
    if not isinstance(tables, list) or len(tables) != len(numbers):
        raise BadWaivers(f"the waiver file {path} does not write each waiver as a table of its own below [[waivers]]")
    return tables, numbers


def _lines(text: str) -> list[int]:
    """Give the lines, from 1, where a `[[waivers]]` table begins; one inside a text of several lines is none."""
    written = text.split("\n")
    return [
        number
        for number, line in enumerate(written, 1)
        if _HEADER.match(line) and _is_toml("\n".join(written[: number - 1]))
    ]


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _waiver(path: Path, line: int, table: dict[str, Any], known: Collection[str]) -> Waiver:
    place = f"{path} line {line}"
    if unknown := sorted(table.keys() - set(_KEYS)):
        raise BadWaivers(f"{place}: a waiver has no {unknown[0]!r}, only {', '.join(_KEYS)}")
    rule, reason = (_text(place, table, key) for key in ("rule", "reason"))
    if rule not in known:
        raise BadWaivers(f"{place}: there is no rule {rule!r}{_guess(rule, known)}")
    return Waiver(rule, reason, _date(place, table.get("expires")), line, str(path))


def _text(place: str, table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadWaivers(f"{place}: a waiver needs a {key}, as text")
    return value


def _guess(rule: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(rule, known, n=1)
    return f"; is it {close[0]}?" if close else ""


def _date(place: str, value: object) -> str:
    """Give the date as YYYY-MM-DD. A TOML date and time, which is a `date` in Python, is none."""
    if type(value) is date:
        return value.isoformat()
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    raise BadWaivers(f"{place}: a waiver needs the date it expires, as in expires = 2026-03-31")
