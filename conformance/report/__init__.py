"""Reports: one result model to JUnit, JSON, HTML, SARIF, Markdown and more. Knows no probe.

What can go wrong when one is written: `LeakStopped` when its text holds a secret, `ReportError` when the format is not
known or the file cannot be written. Nothing is left behind in either case.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from conformance.results import Report

Writer = Callable[[Report], str]


class ReportError(Exception):
    """A report could not be written; the message is one sentence for people."""


class LeakStopped(Exception):
    """A report was not written, because its text holds a secret."""


def _lazily(module: str) -> Writer:
    """Give the renderer of a module of this package, which is imported when it is first used."""

    def render(report: Report) -> str:
        text: str = import_module(f"conformance.report.{module}").render(report)
        return text

    return render


def _html(report: Report) -> str:
    text: str = import_module("conformance.report.html").render(report, import_module("conformance.ledger").STATEMENTS)
    return text


FORMATS: dict[str, Writer] = {
    "junit": _lazily("junit"),
    "json": _lazily("json"),
    "html": _html,
    "markdown": _lazily("markdown"),
    "github": _lazily("github"),
    "annotations": _lazily("annotations"),
    "sarif": _lazily("sarif"),
    "badge": _lazily("badge"),
}
"""What makes the text of a report, by the name of its format."""


def write(report: Report, format: str, path: Path, secrets: Callable[[str], str | None]) -> None:
    """Write a report to a file, or to standard output when the path is `-`, unless `secrets` names one in its text.

    The file appears whole or not at all, and its folders are made. A device, a pipe and what a link leads to are
    written in place instead. LeakStopped, ReportError.
    """
    if format not in FORMATS:
        raise ReportError(f"there is no report format {format!r}; there are {', '.join(FORMATS)}")
    text = FORMATS[format](report)
    if (leak := secrets(text)) is not None:
        raise LeakStopped(f"the {format} report was not written, because it holds {leak}")
    try:
        _put(text, path)
    except OSError as error:
        raise ReportError(f"the {format} report could not be written to {path}: {error.strerror or error}") from error


def _put(text: str, path: Path) -> None:
    if str(path) == "-":
        sys.stdout.write(text)
    elif path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_text(text, "utf-8", newline="\n")
    else:
        _replace(text, path)


def _replace(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        fresh.write_text(text, "utf-8", newline="\n")
        fresh.replace(path)
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
