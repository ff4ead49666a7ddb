"""One request on its way through the app, and what the journal keeps of it in the end."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import orjson

from mockserver.environments import Environment
from mockserver.errors import FieldsRefused, Refusal
from mockserver.faults import Fault
from mockserver.journal import (
    LONGEST_ANSWER,
    NOBODY,
    SHOWN,
    Entry,
    Headers,
    Redaction,
    shown_answer,
)
from mockserver.redaction import MASK, clean
from mockserver.requests import Receive, Scope
from mockserver.routing import Operation

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Exchange:
    """What its answer's header fields, its log line and its journal entry need.

    `raw` is the body, `kept` the same with its secrets masked, if that was simple, see `JsonBody.read`; `fault` is what
    it met; `misfortune` is what the journal tells of that or of the preference that was applied;
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
    path: str = ""
    raw: bytes = b""
    kept: bytes | None = None
    secrets: tuple[bytes, ...] = ()
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
    scope, operation, environment = exchange.scope, exchange.operation, exchange.environment
    body: bytes | dict[str, Any] | None = exchange.kept
    headers, answer = None, exchange.answer
    if not redaction.is_alert and _is_plain(exchange):
        headers = redaction.plain_headers(scope["headers"])
    if headers is None:
        body, headers, answer = _look_closely(exchange, redaction)
    elif len(answer) > LONGEST_ANSWER:
        answer = answer[:LONGEST_ANSWER]
    path, query = exchange.path or raw_path(scope), scope.get("query_string")
    if query or operation is None or path != operation.path:
        path = redaction.path(path, query or b"")
    kept = Entry(
        number,
        time.time(),
        (time.perf_counter() - started) * 1000,
        environment.name if environment else None,
        operation.operation_id if operation else None,
        scope["method"],
        path,
        headers,
        body,
        len(exchange.raw),
        exchange.status,
        exchange.headers or [],
        answer,
        exchange.request_id,
    )
    if exchange.is_faked:
        kept.is_faked, kept.code = True, orjson.loads(exchange.answer)["code"]
    elif exchange.refusal is not None:
        refusal = exchange.refusal
        kept.code = refusal.code
        kept.errors = refusal.errors if isinstance(refusal, FieldsRefused) else {}
    kept.misfortune = exchange.misfortune
    return kept


def _is_plain(exchange: Exchange) -> bool:
    """Tell, at a small part of the cost, that the body is masked as it should be and no secret is in the answer."""
    if exchange.kept is None:
        return not exchange.raw and b"talq" not in exchange.answer
    if exchange.status == 201:
        return True  # the answer to a create has nothing that the body has not
    return b"talq" not in exchange.answer and not any(secret in exchange.answer for secret in exchange.secrets)


def _look_closely(exchange: Exchange, redaction: Redaction) -> tuple[dict[str, Any] | None, Headers, bytes]:
    """Give body, header fields and answer with every secret masked, wherever it is."""
    environment = exchange.environment.name if exchange.environment else NOBODY
    fields: dict[str, Any] | None = None
    secrets: list[str] = []
    if exchange.raw and exchange.operation and exchange.operation.body:
        fields, secrets = exchange.operation.body.shown(exchange.raw)
    secrets += redaction.remembered(environment)
    fields = fields and {name: clean(value, secrets) for name, value in fields.items()}
    headers = redaction.headers(exchange.scope["headers"], secrets)
    strays = [value for name, value in (fields or {}).items() if name != "password" and value == MASK]
    if strays or any(value == b"***" and name in SHOWN for name, value in headers):
        redaction.remember(environment, secrets)
    return fields, headers, shown_answer(exchange.answer, secrets)


def raw_path(scope: Scope) -> str:
    """Give the path as it was sent, still percent-encoded."""
    raw: bytes | None = scope.get("raw_path")
    return str(scope["path"]) if raw is None else raw.decode("ascii", "replace")
