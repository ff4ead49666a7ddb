"""How the pages say times, statuses and states."""

import re
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson
from markupsafe import Markup, escape

from mockserver.carrier import ANSWERS
from mockserver.journal import Entry

_STATUSES = {it.value: it.phrase for it in HTTPStatus}
OUTCOMES = dict(
    zip(
        ANSWERS,
        (
            "Healthy",
            "Authentication failed (401)",
            "Connection timeout",
            "Host unreachable",
            "TLS handshake failed",
            "Service unavailable (503)",
        ),
        strict=True,
    )
)
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def moment(seconds: float) -> str:
    """Give a time of day."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")


def day(seconds: float) -> str:
    """Give a day in words."""
    found = datetime.fromtimestamp(seconds, UTC)
    return f"{found.day} {found.strftime('%B %Y')}"


def ago(seconds: float | None) -> str:
    """Give how long ago something was."""
    if seconds is None:
        return "never"
    passed = time.time() - seconds
    for size, unit in _UNITS:
        if passed >= size:
            number = int(passed // size)
            return f"{number} {unit}{'' if number == 1 else 's'} ago"
    return "just now"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Give a number with its word."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def status(entry: Entry) -> str:
    """Give what became of a request, in words."""
    return f"{entry.status} {_STATUSES.get(entry.status, '')}".rstrip() if entry.status else "No answer"


def tone(entry: Entry) -> str:
    """Give the name of the colour that goes with it."""
    return "good" if 200 <= entry.status < 300 and not entry.is_faked else "bad" if entry.is_broken else "warn"


def short_path(path: str) -> str:
    """Give a path for a narrow list: below the API's own prefix, ids cut."""
    steps = path.removeprefix("/api/v1").split("/")
    return "/".join(f"{step[:8]}…" if len(step) == 36 and step.count("-") == 4 else step for step in steps)


def pretty(value: Any) -> str:
    """Give a value of JSON for people."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def answer(entry: Entry) -> str:
    """Give the body of the answer for people."""
    found = entry.answer_json
    return pretty(found) if found is not None else entry.answer.decode("utf-8", "replace")


def header(text: bytes) -> str:
    """Give a header field's name or value."""
    return text.decode("latin-1")


def marked(text: str) -> Markup:
    """Give a text of the contract, in which backquotes mark code and asterisks a name."""
    found = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"\*([^*\s][^*]*)\*", r"<cite>\1</cite>", found))  # noqa: S704 - it was escaped before


FOR_PAGES = (ago, answer, counted, day, header, marked, moment, pretty, short_path, status, tone)
