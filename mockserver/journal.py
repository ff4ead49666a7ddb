"""The journal: the last requests of each environment and their answers, with no secret in any that is read.

A request is kept as it came, sealed as a whole. What a reader sees of it is decided by what may be seen, not by what
may not: of a body the contract's fields, of the header fields those that `SHOWN` lists, of a path the contract's words
and ids. Everything else is `***`.
"""

import asyncio
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson

from mockserver.clock import show_time
from mockserver.redaction import LONGEST_KEPT, MASK, SHORTEST_SECRET, Seal, Sealed, Words, clean, reveals

SIZE = 1000  # entries of one environment
LONGEST_ANSWER = 16384  # bytes of an answer
LONGEST_BODY = 4096  # bytes of a body; of a longer one only what may be shown is kept
NOBODY = "-"  # stands for the environment of requests that named none
MOST_LOOSE = 20  # secrets of an environment that are looked for in all its requests
NO_ERRORS: Mapping[str, list[str]] = {}
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


class Kept(NamedTuple):
    """A request and its answer as they are kept.

    `request` is sealed: target, header fields and body, see `Reader`; `body_bytes` says how long the body was; the
    other members are those of an `Entry`.
    """

    number: int
    time: float
    duration_ms: float
    environment: str | None
    operation: str | None
    method: str
    request: bytes
    body_bytes: int
    status: int
    answer_headers: Headers
    answer: bytes
    request_id: str
    code: str | None = None
    errors: Mapping[str, list[str]] = NO_ERRORS
    misfortune: Mapping[str, Any] | None = None
    is_faked: bool = False


class Entry(NamedTuple):
    """A request and its answer, secrets already replaced.

    `fields` is what was sent as JSON object, None if there was none; `status` is 0 if the client got no answer;
    `errors` and `code` are those of a refusal; `misfortune` is the fault or preference that it met, and `is_faked` says
    that the answer is made up.
    """

    number: int
    time: float
    duration_ms: float
    environment: str | None
    operation: str | None
    method: str
    path: str
    headers: Headers
    fields: dict[str, Any] | None
    body_bytes: int
    status: int
    answer_headers: Headers
    answer: bytes
    request_id: str
    code: str | None = None
    errors: Mapping[str, list[str]] = NO_ERRORS
    misfortune: Mapping[str, Any] | None = None
    is_faked: bool = False

    @property
    def is_broken(self) -> bool:
        """Tell whether the request itself broke the contract."""
        return is_broken(self)

    @property
    def answer_json(self) -> Any:
        """The answer's body; None if there was none, or it is too long to have been kept as a whole."""
        try:
            return orjson.loads(self.answer)
        except orjson.JSONDecodeError:
            return None


def is_broken(entry: "Kept | Entry") -> bool:
    """Tell whether a request itself broke the contract."""
    return entry.code in BROKEN and not entry.is_faked


OUTCOMES: Mapping[str, Callable[[Kept], bool]] = {
    "refused": lambda entry: entry.status >= 400 or not entry.status,
    "broken": is_broken,
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries: of an environment (`-` for those without), an operation, a status or class, a time, an outcome."""

    environment: str | None = None
    operation: str | None = None
    status: str | None = None
    since: float | None = None
    until: float | None = None
    outcome: str | None = None

    def fits(self, entry: Kept) -> bool:
        """Tell whether an entry is one of them."""
        return (
            (self.outcome is None or OUTCOMES[self.outcome](entry))
            and (self.operation is None or entry.operation == self.operation)
            and (self.status is None or _has_status(entry, self.status))
            and (self.since is None or entry.time >= self.since)
            and (self.until is None or entry.time <= self.until)
        )


EVERYTHING = Selection()


def _has_status(entry: Kept, status: str) -> bool:
    return str(entry.status) == status or (status.endswith("xx") and str(entry.status)[0] == status[0])


class Journal(Protocol):
    """Keeps requests by environment, so many of each. Whatever can be waited for may raise ServiceUnavailable."""

    is_on: bool
    """Whether anything is kept at all."""
    numbers: Iterator[int]
    """Where a request to be kept gets its number from."""
    reader: "Reader | None"
    """What can read them; without one, nothing can be kept."""

    def keep(self, new: Kept, most: int | None = None) -> None:
        """Keep a request, soon, and no more than `most` of its environment; hand it to whoever follows."""

    async def read(self, selection: Selection = EVERYTHING) -> list[Entry]:
        """Give the entries that fit, oldest first."""

    async def page(self, environment: str, selection: Selection, skip: int, most: int) -> tuple[list[Entry], int]:
        """Give some of an environment's entries that fit, newest first, and how many fit in all."""

    async def find(self, environment: str, request_id: str) -> Entry | None:
        """Give one request of an environment."""

    async def clear(self, selection: Selection = EVERYTHING) -> int:
        """Forget the entries that fit; tell how many they were."""

    def open(self, kept: Kept) -> Entry:
        """Give what is kept of a request as it may be shown."""

    async def follow(self, environment: str | None) -> asyncio.Queue[Kept]:
        """Give a queue that gets every new request, of one environment or of all, until `leave`."""

    async def leave(self, queue: asyncio.Queue[Kept]) -> None:
        """Put nothing more into the queue."""


def hand(new: Kept, queue: asyncio.Queue[Kept]) -> None:
    """Put a request into a queue; one that is full loses its oldest."""
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(new)


class MemoryJournal:
    """The journal in memory."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self.is_on = size > 0
        self._kept: dict[str, deque[Kept]] = {}
        self._followers: dict[asyncio.Queue[Kept], str | None] = {}
        self.numbers: Iterator[int] = itertools.count(1)
        self.reader: Reader | None = None

    def keep(self, new: Kept, most: int | None = None) -> None:
        """Keep a request, and hand it to whoever follows."""
        environment = new.environment or NOBODY
        size = self._size if most is None or most > self._size else most
        kept = self._kept.get(environment)
        if kept is None or kept.maxlen != size:
            kept = self._kept[environment] = deque(kept or (), maxlen=size)
        kept.append(new)
        if self._followers:
            self._tell(new, environment)

    def _tell(self, new: Kept, environment: str) -> None:
        for queue, wanted in self._followers.items():
            if wanted in (None, environment):
                hand(new, queue)

    async def read(self, selection: Selection = EVERYTHING) -> list[Entry]:
        """Give the entries that fit, oldest first."""
        return [self.open(kept) for kept in self._select(selection)]

    async def page(self, environment: str, selection: Selection, skip: int, most: int) -> tuple[list[Entry], int]:
        """Give some of an environment's entries that fit, newest first, and how many fit in all."""
        found = [kept for kept in reversed(self._kept.get(environment, ())) if selection.fits(kept)]
        return [self.open(kept) for kept in found[skip : skip + most]], len(found)

    async def find(self, environment: str, request_id: str) -> Entry | None:
        """Give one request of an environment."""
        found = (kept for kept in self._kept.get(environment, ()) if kept.request_id == request_id)
        kept = next(found, None)
        return None if kept is None else self.open(kept)

    def open(self, kept: Kept) -> Entry:
        """Give what is kept of a request as it may be shown."""
        assert self.reader is not None  # noqa: S101 - whoever keeps has set it
        return self.reader.entry(kept)

    def _select(self, selection: Selection) -> list[Kept]:
        names = list(self._kept) if selection.environment is None else [selection.environment]
        found = [kept for name in names for kept in self._kept.get(name, ()) if selection.fits(kept)]
        return sorted(found, key=lambda kept: kept.number)

    async def clear(self, selection: Selection = EVERYTHING) -> int:
        """Forget the entries that fit; tell how many they were."""
        gone = {kept.number for kept in self._select(selection)}
        for name, kept in list(self._kept.items()):
            left = [it for it in kept if it.number not in gone]
            self._kept[name] = deque(left, maxlen=kept.maxlen)
            if not left:
                del self._kept[name]
        return len(gone)

    async def follow(self, environment: str | None) -> asyncio.Queue[Kept]:
        """Give a queue that gets every new request, of one environment or of all, until `leave`."""
        queue: asyncio.Queue[Kept] = asyncio.Queue(QUEUE)
        self._followers[queue] = environment
        return queue

    async def leave(self, queue: asyncio.Queue[Kept]) -> None:
        """Put nothing more into the queue."""
        del self._followers[queue]


class Body(Protocol):
    """What can show a body."""

    def shown(self, raw: bytes) -> tuple[dict[str, Any] | None, list[str]]:
        """Give what may be shown of a body, and the secrets that were in it."""


class Reader:
    """Reads what is kept; takes the secrets out.

    Knows the contract's paths, what can show the body of an operation, and the secrets of each environment that were
    seen where they do not belong, which are to be looked for in everything else.
    """

    def __init__(self, paths: Iterable[str], bodies: Mapping[str, Body], seal: Seal) -> None:
        self._seal = seal
        self._words = Words(step for path in paths for step in path.split("/") if "{" not in step)
        self._bodies = bodies
        self._loose: dict[str, deque[Sealed]] = {}

    def entry(self, kept: Kept) -> Entry:
        """Give a request as it may be shown."""
        head, _, raw = self._seal.unlock(kept.request).partition(b"\n\n")
        target, *lines = head.split(b"\n")
        environment = kept.environment or NOBODY
        body = self._bodies.get(kept.operation or "")
        fields, secrets = body.shown(raw) if raw and body else (None, [])
        secrets += self._remembered(environment)
        fields = fields and {name: clean(value, secrets) for name, value in fields.items()}
        headers = [_shown_header(line, secrets) for line in lines]
        strays = [value for name, value in (fields or {}).items() if name != "password" and value == MASK]
        if strays or any(value == b"***" and name in SHOWN for name, value in headers):
            self.remember(environment, secrets)
        return Entry(
            kept.number,
            kept.time,
            kept.duration_ms,
            kept.environment,
            kept.operation,
            kept.method,
            self._path(target.decode("latin-1")),
            headers,
            fields,
            kept.body_bytes,
            kept.status,
            kept.answer_headers,
            shown_answer(kept.answer, secrets),
            *kept[11:],
        )

    def _path(self, target: str) -> str:
        """Give a target with every step masked that is neither the contract's nor an id, and a query masked whole."""
        path, _, query = target.partition("?")
        shown = "/".join(map(self._words.shown, path[:LONGEST_KEPT].split("/")))
        return f"{shown}?{MASK}" if query else shown

    def remember(self, environment: str, secrets: Iterable[str]) -> None:
        """Look for these secrets in all of an environment's requests and answers."""
        known = self._remembered(environment)
        loose = self._loose.setdefault(environment, deque(maxlen=MOST_LOOSE))
        loose.extend(self._seal.close(secret) for secret in dict.fromkeys(secrets) if secret not in known)

    def _remembered(self, environment: str) -> list[str]:
        return [self._seal.open(sealed) for sealed in self._loose.get(environment, ())]


def _shown_header(line: bytes, secrets: Sequence[str]) -> Header:
    name, _, value = line.partition(b":")
    if (
        name not in SHOWN
        or reveals(value.decode("latin-1"), secrets)
        or reveals(value.decode("utf-8", "replace"), secrets)
    ):
        return name, b"***"
    return name, value[:LONGEST_KEPT]


def shown_answer(answer: bytes, secrets: Iterable[str]) -> bytes:
    """Give an answer as it may be shown: without a secret that the request had somewhere else as well."""
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
        operation, status, code = entry.operation or "", entry.status, entry.code or ""
        if not entry.errors:
            return [{"field": None, "says": None, "rules": self.broken_by(operation, status, code)}]
        return [
            {"field": name, "says": says[0], "rules": self.broken_by(operation, status, code, name)}
            for name, says in entry.errors.items()
        ]

    def broken_by(self, operation_id: str, status: int, code: str, name: str = "") -> list[str]:
        """Give the rules that a request broke which was refused like this, for this field if any."""
        operation = self._operations.get(operation_id, {})
        return self._of_field(operation, name) if name else self._of_answer(operation, status, code)

    def _of_answer(self, operation: Mapping[str, Any], status: int, code: str) -> list[str]:
        names = {404: "NotFound", 405: "MethodNotAllowed", 400: "BadRequest"}
        answer = operation.get("responses", {}).get(str(status), {})
        name = answer.get("$ref", "").rpartition("/")[2] or names.get(status, "")
        rules = self._responses.get(name, answer).get("x-rules", [])
        only = {"VALIDATION_ERROR": "body.json.not-an-object"}.get(code)
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
