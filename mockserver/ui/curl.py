"""A journal entry as a command that sends it again, with `$TOKEN` and `$SIP_PASSWORD` in place of the secrets."""

import shlex
from typing import Any

import orjson

from mockserver.journal import Entry
from mockserver.redaction import MASK

SENT_AGAIN = frozenset((b"accept", b"content-type", b"idempotency-key", b"if-match", b"if-none-match", b"prefer"))
_PASSWORD = '"\'"$SIP_PASSWORD"\'"'  # noqa: S105 - a JSON string; its inside is outside of the single quotes


def curl(entry: Entry, origin: str) -> str:
    """Give the command; what the journal did not keep, it cannot have."""
    lines = [f"curl -sS -i -X {shlex.quote(entry.method)} {shlex.quote(origin + entry.path.partition('?')[0])}"]
    for name, value in entry.headers:
        if name == b"authorization":
            lines.append('-H "Authorization: Bearer $TOKEN"')
        elif name in SENT_AGAIN and value not in (b"***", b"*/*"):
            lines.append(f"-H {shlex.quote((name + b': ' + value).decode('latin-1'))}")
    if entry.fields is not None:
        lines.append(f"--data-raw {body(entry.fields)}")
    return " \\\n  ".join(lines)


def body(fields: dict[str, Any]) -> str:
    """Give a body as a word of the shell that fills in the password."""
    members = [f"{_quoted(name)}: {_PASSWORD if _is_masked(name, it) else _quoted(it)}" for name, it in fields.items()]
    return "'{" + ",".join(f"\n    {member}" for member in members) + "\n  }'"


def _is_masked(name: str, value: Any) -> bool:
    return name == "password" and value == MASK


def _quoted(value: Any) -> str:
    """Give a value as JSON, as it stands between single quotes."""
    return orjson.dumps(value).decode().replace("'", "'\"'\"'")


def is_complete(entry: Entry) -> bool:
    """Tell whether all of the body is in the journal; of one that is no JSON object only the size is."""
    return not entry.body_bytes or entry.fields is not None
