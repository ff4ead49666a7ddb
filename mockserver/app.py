"""Wiring: Connexion reads the contract; one routed middleware takes a request through all its stops.

Connexion loads and checks the contract, resolves each operationId to its handler, and says which security scheme and body
schema an operation has. All of that happens once, at start. `Operations` then does in one pass what the stock chain does in
nine: find the operation, authenticate, count, read the body, check it, call the handler, answer. State changes only in
the handler, after every check; any stop may raise a `Refusal`, and `Operations.__call__` is the one place that turns it, and
whatever else goes wrong, into the error envelope.
"""

import functools
import itertools
import logging
import os
import time
import warnings
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

import openapi
from mockserver import bodies, docs, errors
from mockserver.carrier import Carrier, simulated
from mockserver.environments import Environment, Environments
from mockserver.handlers import Handlers, random_id
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
Headers = list[tuple[bytes, bytes]]

MAX_BODY = 65536  # bytes
UNLIMITED = 1_000_000  # what the rate limit headers say where there is no limit

JSON = b"application/json"

log = logging.getLogger("trunkmock")
access_log = logging.getLogger("trunkmock.access")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an app is made of; every part has a default that suits a test."""

    environments: Environments
    store: Store = field(default_factory=MemoryStore)
    carrier: Carrier = simulated
    seal: Seal = field(default_factory=Seal)
    clock: Callable[[], float] = time.time
    new_id: Callable[[], str] = random_id
    max_body: int = MAX_BODY


def create_app(settings: Settings) -> AsyncApp:
    """Give the Connexion app, an ASGI application that answers at `/api/v1`, `/docs` and `/openapi.{json,yaml}`."""
    handlers = Handlers(settings.store, settings.carrier, functools.partial(stamp, settings.clock), settings.new_id)
    app = AsyncApp(
        "mockserver",
        middlewares=[functools.partial(Operations, settings=settings)],
        resolver=Resolver(functools.partial(getattr, handlers)),
        security_map={"bearer": functools.partial(BearerTokens, settings.environments)},
        validator_map={"body": {"application/json": functools.partial(bodies.JsonBody, seal=settings.seal)}},
    )
    # From the parsed contract, not its path: Connexion renders a file as a template.
    app.add_api(openapi.load())
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
    number: int
    environment: Environment | None = None
    limit_headers: Headers | None = None
    status: int = 0


class Operations(RoutedMiddleware[ContractAPI]):
    """Takes each request through all its stops, and answers it."""

    api_cls = ContractAPI

    def __init__(self, app: Any, settings: Settings) -> None:
        super().__init__(app)
        self._settings = settings
        self._routes = Routes([])
        self._base_path = "/"
        self._numbers = itertools.count(1)
        self._run = os.urandom(4).hex()

    def add_api(self, specification: Any, **kwargs: Any) -> ContractAPI:
        """Take up the contract's operations."""
        api = super().add_api(specification, **kwargs)
        self._routes = Routes(api.operations.values())
        self._base_path = api.base_path
        return api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever becomes of it."""
        if scope["type"] != "http":
            return  # no lifespan events are needed, and no web sockets spoken
        started = time.perf_counter()
        exchange = Exchange(scope, receive, send, next(self._numbers))
        try:
            await self._answer(exchange)
        except errors.Refusal as refusal:
            await self._refuse(exchange, refusal)
        except ClientGone:
            pass
        except Exception:
            log.exception("request %s failed", self._request_id(exchange))
            if not exchange.status:
                await self._refuse(exchange, errors.InternalError())
        if access_log.isEnabledFor(logging.INFO):
            self._log(exchange, started)

    async def _answer(self, exchange: Exchange) -> None:
        scope = exchange.scope
        if REFUSAL in scope:
            raise scope[REFUSAL]
        path = _raw_path(scope)
        if page := docs.find(path):
            await self._show(exchange, page)
            return
        operation, arguments = self._routes.find(scope["method"], path)
        headers = single_headers(scope["headers"])
        environment = exchange.environment = operation.authenticate(headers.get(b"authorization"))
        exchange.limit_headers = await self._count(environment)
        if not environment.allow_custom_sip_trunks:
            raise errors.FeatureNotAvailable
        if operation.body is None:
            answer = await operation.handler(environment, *arguments)
        else:
            check_media_type(headers, operation.media_types)
            raw = await read_body(scope, exchange.receive, headers, self._settings.max_body)
            answer = await operation.handler(environment, operation.body.fields(raw), *arguments)
        extra: Headers = []
        if answer.location:
            extra.append((b"location", (self._base_path + answer.location).encode()))
        await self._send(exchange, answer.status, orjson.dumps(answer.members), extra)

    async def _show(self, exchange: Exchange, page: docs.Page) -> None:
        if exchange.scope["method"] not in ("GET", "HEAD"):
            raise errors.MethodNotAllowed(b"GET, HEAD")
        await self._send(exchange, 200, page.content, page.headers, page.media_type)

    async def _count(self, environment: Environment) -> Headers:
        """Count the request and give the rate limit headers; RateLimited when the minute is used up."""
        limit = environment.requests_per_minute
        if not limit:
            return self._limit_headers(UNLIMITED, UNLIMITED)
        now = self._settings.clock()
        count = await self._settings.store.count_request(environment.name, int(now // 60))
        if count > limit:
            raise errors.RateLimited(60 - int(now % 60))
        return self._limit_headers(limit, limit - count)

    def _limit_headers(self, limit: int, remaining: int) -> Headers:
        reset = (int(self._settings.clock()) // 60 + 1) * 60
        return [
            (b"x-ratelimit-limit", b"%d" % limit),
            (b"x-ratelimit-remaining", b"%d" % remaining),
            (b"x-ratelimit-reset", b"%d" % reset),
        ]

    async def _refuse(self, exchange: Exchange, refusal: errors.Refusal) -> None:
        if isinstance(refusal, errors.RateLimited) and exchange.environment:
            exchange.limit_headers = self._limit_headers(exchange.environment.requests_per_minute, 0)
        await self._send(exchange, refusal.status, refusal.payload(), refusal.headers)

    async def _send(
        self,
        exchange: Exchange,
        status: int,
        body: bytes,
        extra: Iterable[tuple[bytes, bytes]],
        content_type: bytes = JSON,
    ) -> None:
        exchange.status = status
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            *(exchange.limit_headers or self._limit_headers(UNLIMITED, UNLIMITED)),
            (b"x-request-id", self._request_id(exchange).encode()),
            *extra,
        ]
        await exchange.send({"type": "http.response.start", "status": status, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": body})

    def _request_id(self, exchange: Exchange) -> str:
        return f"{self._run}-{exchange.number}"

    def _log(self, exchange: Exchange, started: float) -> None:
        scope = exchange.scope
        fields = {
            "method": scope["method"],
            "path": _raw_path(scope)[:200],
            "status": exchange.status,
            "duration_ms": round((time.perf_counter() - started) * 1000, 2),
            "environment": exchange.environment.name if exchange.environment else "-",
            "request_id": self._request_id(exchange),
        }
        access_log.info(
            "%(method)s %(path)s %(status)d %(duration_ms).2f ms %(environment)s %(request_id)s",
            fields,
            extra={"fields": fields},
        )


def _raw_path(scope: Scope) -> str:
    """Give the path as it was sent, still percent-encoded."""
    raw = scope.get("raw_path")
    return raw.decode("ascii", "replace") if raw is not None else scope["path"]
