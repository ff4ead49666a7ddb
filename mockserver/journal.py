"""The journal: the last requests of each environment and their answers, with no secret in any of them.

What is kept of a request is decided by what may be, not by what may not: of a body the contract's fields, of the
header fields those that `SHOWN` lists, of a path the contract's words and ids. Everything else is `***` before it is
kept. What an entry looks like to a reader is made when somebody reads it.
"""

import asyncio
import itertools
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from mockserver.clock import show_time
from mockserver.redaction import LONGEST_KEPT, MASK, SHORTEST_SECRET, Seal, Sealed, Words, reveals

SIZE = 1000  # entries of one environment
LONGEST_ANSWER = 16384  # bytes of an answer
NOBODY = "-"  # stands for the environment of requests that named none
MOST_LOOSE = 20  # secrets of an environment that are looked for in later requests
MOST_HEADERS = 1000  # fields that are known to be plain
QUEUE = 1000  # entries that wait for a slow follower; older ones are dropped

SHOWN = frozenset(
    b"accept accept-charset accept-encoding accept-language cache-control connection content-encoding content-length "
    b"content-type date expect host idempotency-key if-match if-none-match prefer te traceparent transfer-encoding "
    b"upgrade user-agent x-request-id".split()
)
# Codes that say that the request itself was no good.
BROKEN = frozenset(
    (
        "BAD_REQUEST",
        "HEADERS_TOO_LARGE",
        "INVALID_JSON",
        "METHOD_NOT_ALLOWED",
        "NOT_FOUND",
        "PAYLOAD_TOO_LARGE",
        "REQUEST_TIMEOUT",
        "UNSUPPORTED_MEDIA_TYPE",
        "VALIDATION_ERROR",
    )
)

_TOKEN_IN_ANSWER = re.compile(rb"talq[^\s\"]*")

Header = tuple[bytes, bytes]
Headers = list[Header]


@dataclass(slots=True)
class Entry:
    """A request and its answer, secrets already replaced. Nobody changes one that is kept.

    `body` is what was sent as JSON object, or that still as text, None if there was none; `status` is 0 if the client
    got no answer; `errors` and `code` are those of a refusal; `misfortune` is the fault or preference that it met, and
    `is_faked` says that the answer is made up.
    """

    number: int
    time: float
    duration_ms: float
    environment: str | None
    operation: str | None
    method: str
    path: str
    headers: Headers
    body: bytes | dict[str, Any] | None
    body_bytes: int
    status: int
    answer_headers: Headers
    answer: bytes
    request_id: str
    code: str | None = None
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    misfortune: Mapping[str, Any] | None = None
    is_faked: bool = False

    @property
    def fields(self) -> dict[str, Any] | None:
        """What was sent as JSON object, by name; None if there was none."""
        if isinstance(self.body, bytes):
            self.body = orjson.loads(self.body)
        return self.body if isinstance(self.body, dict) else None

    @property
    def is_broken(self) -> bool:
        """Tell whether the request itself broke the contract."""
        return self.code in BROKEN and not self.is_faked

    @property
    def answer_json(self) -> Any:
        """The answer's body; None if there was none, or it is too long to have been kept as a whole."""
        try:
            return orjson.loads(self.answer)
        except orjson.JSONDecodeError:
            return None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries: of an environment (`-` for those without), an operation, a status or class, a time."""

    environment: str | None = None
    operation: str | None = None
    status: str | None = None
    since: float | None = None
    until: float | None = None

    def fits(self, entry: Entry) -> bool:
        """Tell whether an entry is one of them."""
        return (
            (self.operation is None or entry.operation == self.operation)
            and (self.status is None or _has_status(entry, self.status))
            and (self.since is None or entry.time >= self.since)
            and (self.until is None or entry.time <= self.until)
        )


def _has_status(entry: Entry, status: str) -> bool:
    return str(entry.status) == status or (status.endswith("xx") and str(entry.status)[0] == status[0])


class Journal:
    """Keeps entries by environment, so many of each; none at all if that is 0."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self.is_on = size > 0
        self._kept: dict[str, deque[Entry]] = {}
        self._followers: dict[asyncio.Queue[Entry], str | None] = {}
        self.numbers = itertools.count(1)

    def keep(self, entry: Entry) -> None:
        """Keep an entry, and hand it to whoever follows."""
        environment = entry.environment or NOBODY
        kept = self._kept.get(environment)
        if kept is None:
            kept = self._kept[environment] = deque(maxlen=self._size)
        kept.append(entry)
        if self._followers:
            self._tell(entry, environment)

    def _tell(self, entry: Entry, environment: str) -> None:
        for queue, wanted in self._followers.items():
            if wanted in (None, environment):
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(entry)

    def read(self, selection: Selection = Selection()) -> list[Entry]:
        """Give the entries that fit, oldest first."""
        names = list(self._kept) if selection.environment is None else [selection.environment]
        found = [entry for name in names for entry in self._kept.get(name, ()) if selection.fits(entry)]
        return sorted(found, key=lambda entry: entry.number)

    def clear(self, selection: Selection = Selection()) -> int:
        """Forget the entries that fit; tell how many they were."""
        gone = {entry.number for entry in self.read(selection)}
        for name, kept in list(self._kept.items()):
            left = [entry for entry in kept if entry.number not in gone]
            self._kept[name] = deque(left, maxlen=self._size)
            if not left:
                del self._kept[name]
        return len(gone)

    def follow(self, environment: str | None) -> asyncio.Queue[Entry]:
        """Give a queue that gets every new entry, of one environment or of all, until `leave`."""
        queue: asyncio.Queue[Entry] = asyncio.Queue(QUEUE)
        self._followers[queue] = environment
        return queue

    def leave(self, queue: asyncio.Queue[Entry]) -> None:
        """Put nothing more into the queue."""
        del self._followers[queue]


class Redaction:
    """Takes the secrets out of what is not a body.

    Knows the contract's paths, the header fields that were looked at and found plain, and the secrets of each
    environment that were seen where they do not belong, which are to be looked for in whatever comes later.
    """

    def __init__(self, paths: Iterable[str], seal: Seal) -> None:
        self._seal = seal
        self._words = Words(step for path in paths for step in path.split("/") if "{" not in step)
        self._plain: dict[Header, Header] = {}
        self._hidden: dict[bytes, Header] = {}
        self._loose: dict[str, deque[Sealed]] = {}
        self.is_alert = False
        """Whether there are secrets to be looked for."""

    def path(self, path: str, query: bytes) -> str:
        """Give a path with every step masked that is neither the contract's nor an id, and a query masked whole."""
        shown = "/".join(map(self._words.shown, path[:LONGEST_KEPT].split("/")))
        return f"{shown}?{MASK}" if query else shown

    def headers(self, headers: Iterable[Header], secrets: Sequence[str] = ()) -> Headers:
        """Give header fields as they may be kept: the values of those that carry no secret, of the others the names."""
        return [self._header(name, value, secrets) for name, value in headers]

    def plain_headers(self, headers: Iterable[Header]) -> Headers | None:
        """Give the same at a small part of the cost; None where there is a field that has not been seen before."""
        plain, hidden = self._plain, self._hidden
        shown = [plain.get(header) or hidden.get(header[0]) for header in headers]
        return None if None in shown else shown  # type: ignore[return-value]

    def _header(self, name: bytes, value: bytes, secrets: Sequence[str]) -> Header:
        header = (name, value[:LONGEST_KEPT])
        if name not in SHOWN:
            header = (name, b"***")
            _remember(self._hidden, name, header)
        elif reveals(value.decode("latin-1"), secrets) or reveals(value.decode("utf-8", "replace"), secrets):
            header = (name, b"***")
        elif len(value) <= LONGEST_KEPT:
            _remember(self._plain, header, header)
        return header

    def remember(self, environment: str, secrets: Iterable[str]) -> None:
        """Look for these secrets, and for tokens, in what comes later, too."""
        self.is_alert = True
        kept = self._loose.setdefault(environment, deque(maxlen=MOST_LOOSE))
        kept.extend(self._seal.close(secret) for secret in secrets)

    def remembered(self, environment: str) -> list[str]:
        """Give the secrets of an environment that are to be looked for."""
        return [self._seal.open(sealed) for sealed in self._loose.get(environment, ())]


def _remember(known: dict[Any, Header], key: Any, header: Header) -> None:
    if len(known) >= MOST_HEADERS:
        known.clear()
    known[key] = header


def shown_answer(answer: bytes, secrets: Iterable[str]) -> bytes:
    """Give an answer as it may be kept: cut, and without a secret that the request had somewhere else as well."""
    answer = answer if len(answer) <= LONGEST_ANSWER else answer[:LONGEST_ANSWER]
    for secret in secrets:
        written = orjson.dumps(secret)[1:-1]
        if len(secret) >= SHORTEST_SECRET and written in answer:
            answer = answer.replace(written, b"***")
    return _TOKEN_IN_ANSWER.sub(b"***", answer) if b"talq" in answer else answer


class Rules:
    """Which rules of the contract a request broke, told by the answer and the fields that it names."""

    def __init__(self, contract: Mapping[str, Any]) -> None:
        self._schemas = contract["components"]["schemas"]
        self._responses = contract["components"]["responses"]
        self._operations = {
            operation["operationId"]: operation
            for methods in contract["paths"].values()
            for operation in methods.values()
            if isinstance(operation, dict)
        }

    def broken(self, entry: Entry) -> list[dict[str, Any]]:
        """Give what was broken: for each field what it must be and its rules, or else the rules of the answer."""
        if not entry.is_broken:
            return []
        operation = self._operations.get(entry.operation or "", {})
        if not entry.errors:
            return [{"field": None, "says": None, "rules": self._of_answer(operation, entry)}]
        return [
            {"field": name, "says": says[0], "rules": self._of_field(operation, name)}
            for name, says in entry.errors.items()
        ]

    def _of_answer(self, operation: Mapping[str, Any], entry: Entry) -> list[str]:
        names = {404: "NotFound", 405: "MethodNotAllowed", 400: "BadRequest"}
        answer = operation.get("responses", {}).get(str(entry.status), {})
        name = answer.get("$ref", "").rpartition("/")[2] or names.get(entry.status, "")
        rules = self._responses.get(name, answer).get("x-rules", [])
        only = {"VALIDATION_ERROR": "body.json.not-an-object"}.get(entry.code or "")
        return [rule for rule in rules if only in (None, rule)]

    def _of_field(self, operation: Mapping[str, Any], name: str) -> list[str]:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        rules = self._rules(self._resolved(schema)["properties"].get(name, {}))
        prefix = {"create_sip_trunk": "create.", "update_sip_trunk": "update."}.get(operation["operationId"], "did.")
        return [rule for rule in rules if rule.startswith(prefix) and not rule.endswith(".accepted")]

    def _rules(self, schema: Mapping[str, Any]) -> list[str]:
        schema = self._resolved(schema)
        parts = [rule for part in schema.get("allOf", ()) for rule in self._rules(part)]
        return [*schema.get("x-rules", ()), *parts]

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def show(entry: Entry, rules: Rules) -> dict[str, Any]:
    """Give an entry as JSON."""
    return {
        "number": entry.number,
        "time": show_time(entry.time),
        "duration_ms": round(entry.duration_ms, 3),
        "environment": entry.environment,
        "operation": entry.operation,
        "method": entry.method,
        "path": entry.path,
        "headers": _pairs(entry.headers),
        "fields": entry.fields,
        "body_bytes": entry.body_bytes,
        "status": entry.status or None,
        "code": entry.code,
        "broken": rules.broken(entry),
        "misfortune": entry.misfortune,
        "answer": {"headers": _pairs(entry.answer_headers), "body": entry.answer_json},
        "request_id": entry.request_id,
    }


def _pairs(headers: Headers) -> list[dict[str, str]]:
    return [{"name": name.decode("latin-1"), "value": value.decode("latin-1")} for name, value in headers]
