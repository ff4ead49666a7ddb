"""Wiring: Connexion reads the contract; one routed middleware takes a request through all its stops.

Connexion loads and checks the contract, resolves each operationId to its handler, and says which security scheme and
body schema an operation has. All of that happens once, at start. `Operations` then does in one pass what the stock
chain does in nine: find the operation, authenticate, count, read the body, check it, call the handler, answer. State
changes only in the handler, after every check; any stop may raise a `Refusal`, and `Operations.__call__` is the one
place that turns it, and whatever else goes wrong, into the error envelope.
"""

import functools
import itertools
import logging
import os
import time
import warnings
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

import openapi
from mockserver import bodies, docs
from mockserver.access_log import Entry
from mockserver.carrier import Carrier, simulated
from mockserver.clock import Ids
from mockserver.environments import Environment, Environments
from mockserver.errors import (
    BadRequest,
    FeatureNotAvailable,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    Refusal,
)
from mockserver.handlers import Handlers
from mockserver.limits import Headers, RateLimits
from mockserver.redaction import Seal
from mockserver.requests import (
    REFUSAL,
    BearerTokens,
    ClientGone,
    Receive,
    Scope,
    check_media_type,
    read_body,
    single_headers,
)
from mockserver.routing import ContractAPI, Routes
from mockserver.store import MemoryStore, Store

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Connexion imports a test client that Starlette announces the end of
    from connexion import AsyncApp
    from connexion.middleware.abstract import RoutedMiddleware
    from connexion.resolver import Resolver

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 65536  # bytes
JSON = (b"content-type", b"application/json")

log = logging.getLogger("trunkmock")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an app is made of; every part has a default that suits a test."""

    environments: Environments
    store: Store = field(default_factory=MemoryStore)
    carrier: Carrier = simulated
    seal: Seal = field(default_factory=Seal)
    clock: Callable[[], float] = time.time
    new_id: Callable[[str], str] = field(default_factory=Ids)
    max_body: int = MAX_BODY
    access_log: Callable[[Entry], None] | None = None


def create_app(settings: Settings, contract: dict[str, Any] | None = None) -> AsyncApp:
    """Give the Connexion app, an ASGI application that answers at `/api/v1`, `/docs` and `/openapi.{json,yaml}`.

    `contract` is what `openapi.load` gives, for a caller that has it already.
    """
    handlers = Handlers(
        settings.store,
        lambda _, domain, checks: settings.carrier(domain, checks),
        functools.partial(stamp, settings.clock),
        settings.new_id,
    )
    app = AsyncApp(
        "mockserver",
        middlewares=[functools.partial(Operations, settings=settings)],
        resolver=Resolver(functools.partial(getattr, handlers)),
        security_map={"bearer": functools.partial(BearerTokens, settings.environments)},
        validator_map={"body": {"application/json": functools.partial(bodies.JsonBody, seal=settings.seal)}},
    )
    # From the parsed contract, not its path: Connexion renders a file as a template.
    app.add_api(contract or openapi.load())
    return app


def stamp(clock: Callable[[], float]) -> str:
    """Give the clock's time as RFC 3339, UTC, whole seconds."""
    return _stamp(int(clock()))


@functools.lru_cache(maxsize=4)
def _stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


@dataclass(slots=True)
class Exchange:
    """One request on its way: what its answer's headers and its log line need."""

    scope: Scope
    receive: Receive
    send: Send
    request_id: str
    environment: Environment | None = None
    limit_headers: Headers | None = None
    status: int = 0


class Operations(RoutedMiddleware[ContractAPI]):  # type: ignore[misc]
    """Takes each request through all its stops, and answers it."""

    api_cls = ContractAPI

    def __init__(self, app: Any, settings: Settings) -> None:
        super().__init__(app)
        self._limits = RateLimits(settings.store, settings.clock)
        self._access_log = settings.access_log
        self._max_body = settings.max_body
        self._routes = Routes([])
        self._base_path = ""
        self._numbers = itertools.count(1)
        self._run = os.urandom(4).hex()

    def add_api(self, specification: Any, **kwargs: Any) -> ContractAPI:
        """Take up the contract's operations."""
        api: ContractAPI = super().add_api(specification, **kwargs)
        self._routes = Routes(api.operations.values())
        self._base_path = api.base_path
        return api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever becomes of it."""
        if scope["type"] != "http":
            return  # no lifespan events are needed, and no web sockets spoken
        started = time.perf_counter() if self._access_log else 0.0
        exchange = Exchange(scope, receive, send, f"{self._run}-{next(self._numbers)}")
        try:
            await self._answer(exchange)
        except Refusal as refusal:
            await self._refuse(exchange, refusal)
        except ClientGone:
            pass
        except Exception:
            log.exception("request %s failed", exchange.request_id)
            if not exchange.status:
                await self._refuse(exchange, InternalError())
        if self._access_log:
            self._access_log(_entry(exchange, started))

    async def _answer(self, exchange: Exchange) -> None:
        scope = exchange.scope
        if REFUSAL in scope:
            raise scope[REFUSAL]
        path = _raw_path(scope)
        if not path.startswith(self._base_path):
            await self._show(exchange, path)
            return
        arguments: list[Any]
        operation, arguments = self._routes.find(scope["method"], path)
        headers = single_headers(scope["headers"])
        if b"host" not in headers and scope["http_version"] == "1.1":
            raise BadRequest  # RFC 9112, section 3.2
        environment = exchange.environment = operation.authenticate(headers.get(b"authorization"))
        exchange.limit_headers = await self._limits.count(environment)
        if not environment.allow_custom_sip_trunks:
            raise FeatureNotAvailable
        if operation.body is not None:
            check_media_type(headers, operation.media_types)
            raw = await read_body(scope, exchange.receive, headers, self._max_body)
            arguments = [operation.body.fields(raw), *arguments]
        answer = await operation.handler(environment, *arguments)
        location = [(b"location", (self._base_path + answer.location).encode())] if answer.location else []
        await self._send(exchange, answer.status, orjson.dumps(answer.members), JSON, *location)

    async def _show(self, exchange: Exchange, path: str) -> None:
        page = docs.find(path)
        if page is None:
            raise NotFound
        if exchange.scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(b"GET, HEAD")
        await self._send(exchange, 200, page.content, (b"content-type", page.media_type), *page.headers)

    async def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        if isinstance(refusal, RateLimited) and exchange.environment:
            exchange.limit_headers = self._limits.used_up(exchange.environment)
        await self._send(exchange, refusal.status, refusal.payload(), JSON, *refusal.headers)

    async def _send(self, exchange: Exchange, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        exchange.status = status
        all_headers = [
            *headers,
            (b"content-length", b"%d" % len(body)),
            *(exchange.limit_headers or self._limits.unlimited()),
            (b"x-request-id", exchange.request_id.encode()),
        ]
        await exchange.send({"type": "http.response.start", "status": status, "headers": all_headers})
        await exchange.send({"type": "http.response.body", "body": body})


def _entry(exchange: Exchange, started: float) -> Entry:
    return Entry(
        time.time(),
        exchange.scope["method"],
        _raw_path(exchange.scope),
        exchange.status,
        (time.perf_counter() - started) * 1000,
        exchange.environment.name if exchange.environment else None,
        exchange.request_id,
    )


def _raw_path(scope: Scope) -> str:
    """Give the path as it was sent, still percent-encoded."""
    raw: bytes | None = scope.get("raw_path")
    return str(scope["path"]) if raw is None else raw.decode("ascii", "replace")
