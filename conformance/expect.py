"""The verifiers: each looks at answers and raises `Broken`, with what was expected and what came. None knows levels."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from conformance.client import Answer

CLOCK_TOLERANCE = timedelta(minutes=10)  # of created_at against the answer's Date header

# RFC 3339, section 5.6, in UTC; section 4.3 lets -00:00 mean UTC of an unknown place.
_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]00:00)")

TRUNK_TYPES: Mapping[str, str] = {
    "id": "string",
    "name": "string",
    "provider_name": "string",
    "domain": "string",
    "username": "string",
    "transport": "string",
    "port": "integer",
    "outbound_proxy": "string or null",
    "auth_realm": "string or null",
    "is_active": "boolean",
    "is_verified": "boolean",
    "health_status": "string or null",
}
TRUNK_TIMES = ("created_at", "updated_at", "last_health_check_at", "checked_at")


class Broken(Exception):
    """A rule is broken. `answers` are those that show it, the one that matters last."""

    def __init__(
        self, expected: str, actual: str, *answers: Answer, control: Answer | None = None, sent: str = ""
    ) -> None:
        super().__init__(f"expected {expected}; got {actual}")
        self.expected = expected
        self.actual = actual
        self.answers = answers
        self.control = control
        self.sent = sent


def show(value: Any) -> str:
    """Write a value for people, as JSON and not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 120 else f"{text[:100]}… ({len(text)} characters)"


def summary(answer: Answer) -> str:
    """Say in short what an answer was: its status, and its code where it has one."""
    code = error_code(answer)
    return f"{answer.status} {code}" if isinstance(code, str) and len(code) < 60 else str(answer.status)


def error_object(answer: Answer) -> Mapping[str, Any]:
    """Give the object that holds `code` and `message`, in the flat or the nested form."""
    document = answer.json if isinstance(answer.json, dict) else {}
    nested = document.get("error")
    return nested if isinstance(nested, dict) else document


def error_code(answer: Answer) -> Any:
    """Give the code of an error, or None."""
    return error_object(answer).get("code")


def status_in(answer: Answer, statuses: Iterable[int], *context: Answer) -> Answer:
    """Want one of these statuses."""
    allowed = list(statuses)
    if answer.status not in allowed:
        raise Broken(" or ".join(map(str, allowed)), summary(answer), *context, answer)
    return answer


def members(answer: Answer, names: Iterable[str]) -> None:
    """Want an object in `data` with all these members."""
    if not isinstance(answer.data, dict):
        raise Broken("an object in data", _kind(answer.data), answer)
    missing = [name for name in names if name not in answer.data]
    if missing:
        raise Broken(f"data with {', '.join(missing)}", "no such member", answer)


def member_is(answer: Answer, name: str, value: Any, *context: Answer, control: Answer | None = None) -> None:
    """Want a member of `data` to have exactly this value and JSON type."""
    found = answer.member(name)
    if not same(found, value):
        raise Broken(f"{name} {show(value)}", f"{name} {show(found)}", *context, answer, control=control)


def same(found: Any, value: Any) -> bool:
    """Compare as JSON does: 1 is 1.0, but neither true nor "1"."""
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    return bool(found == value)


def same_host(found: Any, sent: str) -> bool:
    """Compare hosts: a server may write them in small letters and drop the dot at the end."""
    return isinstance(found, str) and found in {sent, sent.lower(), sent.rstrip("."), sent.lower().rstrip(".")}


def has_type(value: Any, kind: str) -> bool:
    """Tell whether a value has a JSON type, as `TRUNK_TYPES` names it."""
    if kind.endswith(" or null"):
        return value is None or has_type(value, kind.removesuffix(" or null"))
    if kind == "integer":
        return not isinstance(value, bool) and isinstance(value, int | float) and float(value).is_integer()
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, {"string": str, "boolean": bool, "object": dict, "array": list}[kind])


def _kind(value: Any) -> str:
    if value is None:
        return "none"
    return {dict: "an object", list: "a list", str: "a text", bool: "true or false"}.get(type(value), "a number")


def timestamp(value: Any) -> datetime | None:
    """Read an RFC 3339 time in UTC, or None where it is none."""
    match = _TIMESTAMP.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    if int(match[3]) > 60:
        return None
    seconds = min(int(match[3]), 59)  # 60 is a leap second
    fraction = f"{match[4] or '.0'}000000"[1:7]
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2]}{seconds:02d}.{fraction}+00:00")
    except ValueError:
        return None


def clock_of(answer: Answer) -> datetime:
    """Give the server's time of an answer: its Date header, or the kit's clock where it has none."""
    try:
        date = parsedate_to_datetime(answer.header("date") or "")
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, TypeError):
        return datetime.fromtimestamp(answer.received, UTC)


def is_now(answer: Answer, name: str) -> None:
    """Want a member of `data` to be a time within ten minutes of the answer's own."""
    moment = timestamp(answer.member(name))
    if moment is None or abs(moment - clock_of(answer)) > CLOCK_TOLERANCE:
        expected = f"{name} within ten minutes of {clock_of(answer):%Y-%m-%dT%H:%M:%SZ}"
        raise Broken(expected, f"{name} {show(answer.member(name))}", answer)


def code_is(answer: Answer, code: str) -> None:
    """Want an error of this code, in the flat or the nested form."""
    if error_code(answer) != code:
        raise Broken(f"the code {code}", show(error_code(answer)), answer)


def says_no(answer: Answer) -> bool:
    """Tell whether an answer says `success: false`, whatever its status."""
    return isinstance(answer.json, dict) and answer.json.get("success") is False


def named_fields(answer: Answer) -> set[str]:
    """Give the fields that an error names by themselves: as a member's name, or as a text that is nothing else."""
    found: set[str] = set()
    open_values = [answer.json]
    while open_values:
        value = open_values.pop()
        if isinstance(value, dict):
            found.update(value)
            open_values.extend(value.values())
        elif isinstance(value, list):
            open_values.extend(value)
        elif isinstance(value, str):
            found.add(value.rsplit(".", 1)[-1].lstrip("/"))
    return found
