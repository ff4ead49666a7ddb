"""One request on its way through the app, and what the journal keeps of it in the end."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mockserver.environments import Environment
from mockserver.errors import FieldsRefused, Refusal
from mockserver.faults import Fault
from mockserver.journal import LONGEST_ANSWER, LONGEST_BODY, NO_ERRORS, Header, Headers, Kept
from mockserver.redaction import Seal
from mockserver.requests import Receive, Scope
from mockserver.routing import Operation

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Exchange:
    """What its answer's header fields, its log line and its journal entry need.

    `raw` is the body; `fault` is what it met; `misfortune` is what the journal tells of that or of the preference that
    was applied; `is_faked` says that the answer is made up.
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
    refusal: Refusal | None = None
    fault: Fault | None = None
    applied: bytes = b""
    misfortune: Mapping[str, Any] | None = None
    is_faked: bool = False
    status: int = 0
    headers: Headers | None = None
    own_headers: Sequence[Header] = ()
    answer: bytes = b""


def kept(exchange: Exchange, number: int, now: float, duration_ms: float, seal: Seal) -> Kept:
    """Give what the journal keeps of an exchange that is over at `now`, in seconds since the epoch."""
    scope, operation, environment, refusal = exchange.scope, exchange.operation, exchange.environment, exchange.refusal
    raw, answer = exchange.raw, exchange.answer
    if len(raw) > LONGEST_BODY:
        raw = orjson.dumps(operation.body.shown(raw)[0]) if operation and operation.body else b""
    target, query = exchange.path or raw_path(scope), scope.get("query_string")
    if query:
        target = f"{target}?{query.decode('latin-1')}"
    lines = [target.encode("latin-1", "replace"), *map(b":".join, scope["headers"]), b"", raw]
    code, errors = None, NO_ERRORS
    if exchange.is_faked:
        code = orjson.loads(answer)["code"]
    elif refusal is not None:
        code = refusal.code
        errors = refusal.errors if isinstance(refusal, FieldsRefused) else NO_ERRORS
    return Kept(
        number,
        now,
        duration_ms,
        environment.name if environment else None,
        operation.operation_id if operation else None,
        scope["method"],
        seal.lock(b"\n".join(lines)),
        len(exchange.raw),
        exchange.status,
        exchange.headers or [],
        answer if len(answer) <= LONGEST_ANSWER else answer[:LONGEST_ANSWER],
        exchange.request_id,
        code,
        errors,
        exchange.misfortune,
        exchange.is_faked,
    )


def raw_path(scope: Scope) -> str:
    """Give the path as it was sent, still percent-encoded."""
    raw: bytes | None = scope.get("raw_path")
    return str(scope["path"]) if raw is None else raw.decode("ascii", "replace")
