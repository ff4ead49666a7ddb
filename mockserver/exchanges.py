"""One request on its way through the app, and what the journal keeps of it in the end."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

from mockserver.environments import Environment
from mockserver.errors import FieldsRefused, Refusal
from mockserver.faults import Fault
from mockserver.journal import Entry, Headers, Redaction, shown_answer, shown_headers
from mockserver.requests import Receive, Scope
from mockserver.routing import Operation

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Exchange:
    """What its answer's header fields, its log line and its journal entry need.

    `fault` is what it met; `misfortune` is what the journal tells of that or of the preference that was applied;
    `is_faked` says that the answer is made up.
    """

    scope: Scope
    receive: Receive
    send: Send
    request_id: str
    is_of_the_api: bool = True
    operation: Operation | None = None
    environment: Environment | None = None
    limit_headers: Headers | None = None
    raw: bytes = b""
    refusal: Refusal | None = None
    fault: Fault | None = None
    applied: bytes = b""
    misfortune: Mapping[str, Any] | None = None
    is_faked: bool = False
    status: int = 0
    headers: Headers | None = None
    answer: bytes = b""


def entry(exchange: Exchange, number: int, started: float, redaction: Redaction) -> Entry:
    """Give what is kept of an exchange that is over; `started` by the performance counter."""
    scope, operation, raw, refusal = exchange.scope, exchange.operation, exchange.raw, exchange.refusal
    fields: dict[str, Any] | None = None
    secrets: list[str] = []
    if raw and operation and operation.body:
        fields, secrets = operation.body.shown(raw)
    path = raw_path(scope)
    query = scope.get("query_string", b"")
    if query or operation is None or path != operation.path:
        path = redaction.path(path, query)
    kept = Entry(
        number,
        time.time(),
        (time.perf_counter() - started) * 1000,
        exchange.environment.name if exchange.environment else None,
        operation.operation_id if operation else None,
        scope["method"],
        path,
        shown_headers(scope["headers"], secrets),
        fields,
        len(raw),
        exchange.status,
        exchange.headers or [],
        shown_answer(exchange.answer, secrets),
        exchange.request_id,
    )
    if exchange.is_faked:
        kept.is_faked, kept.code = True, orjson.loads(exchange.answer)["code"]
    elif refusal is not None:
        kept.code = refusal.code
        kept.errors = refusal.errors if isinstance(refusal, FieldsRefused) else {}
    kept.misfortune = exchange.misfortune
    return kept


def raw_path(scope: Scope) -> str:
    """Give the path as it was sent, still percent-encoded."""
    raw: bytes | None = scope.get("raw_path")
    return str(scope["path"]) if raw is None else raw.decode("ascii", "replace")
