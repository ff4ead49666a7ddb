"""Wiring: Connexion reads the contract; one routed middleware takes a request through all its stops.

Connexion loads and checks the contract, resolves each operationId to its handler, and says which security scheme and
body schema an operation has. All of that happens once, at start. `Operations` then does in one pass what the stock
chain does in nine: find the operation, authenticate, count, read the body, check it, call the handler, answer. State
changes only in the handler, after every check; any stop may raise a `Refusal`, and `Operations.__call__` is the one
place that turns it, and whatever else goes wrong, into the error envelope.
"""

import asyncio
import contextlib
import functools
import itertools
import logging
import os
import time
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

import openapi
from mockserver import audit, bodies, docs, events, exchanges, misfortunes
from mockserver.access_log import Entry
from mockserver.carrier import Carrier, MemoryCarriers, simulated
from mockserver.clock import Ids
from mockserver.control import Control
from mockserver.control_api import PREFIX, ControlApi, Done, Text
from mockserver.cors import Cors
from mockserver.environments import Environment, Environments
from mockserver.errors import (
    BadRequest,
    EnvironmentSuspended,
    FeatureNotAvailable,
    FieldsRefused,
    InternalError,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    Refusal,
    ServiceUnavailable,
    Unauthenticated,
)
from mockserver.exchanges import Exchange, Send
from mockserver.faults import Faults, MemoryFaults, Preference, Replies, preference
from mockserver.handlers import Handlers
from mockserver.journal import BROKEN, Reader
from mockserver.limits import RateLimits
from mockserver.metrics import NOTHING, Metrics
from mockserver.redaction import Seal
from mockserver.requests import (
    REFUSAL,
    REQUEST_ID,
    BearerTokens,
    ClientGone,
    Receive,
    Scope,
    bearer_token,
    check_media_type,
    read_body,
    single_headers,
)
from mockserver.routing import ContractAPI, Operation, Routes
from mockserver.store import MemoryStore, Store

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Connexion imports a test client that Starlette announces the end of
    from connexion import AsyncApp
    from connexion.middleware.abstract import RoutedMiddleware
    from connexion.middleware.main import API
    from connexion.resolver import Resolver
    from connexion.spec import Specification

if TYPE_CHECKING:
    from mockserver.ui.site import Site

MAX_BODY = 65536  # bytes
CONTROL_BODY = 8  # how many times as large a body of the controls may be
JSON = (b"content-type", b"application/json")
UI = f"{PREFIX}/ui"  # where the pages for people are

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
    control: Control | None = None
    has_controls: bool = True
    cors_origins: Collection[bytes] = ()
    logs_clients: bool = False
    honours_prefer: bool = True


def steered(control: Control, *, is_open: bool = True, **more: Any) -> Settings:
    """Give the settings of an app that is made of what `control` steers; if it is open, at `/_mock` as well."""
    return Settings(
        environments=control.environments,
        store=control.store,
        seal=control.seal,
        clock=control.clock,
        new_id=control.ids,
        control=control,
        has_controls=is_open,
        **more,
    )


def create_app(settings: Settings, contract: dict[str, Any] | None = None) -> AsyncApp:
    """Give the Connexion app, an ASGI application that answers at `/api/v1`, `/docs` and `/openapi.{json,yaml}`.

    With a `Control` in the settings it answers at `/_mock` as well. `contract` is another than the packaged one.
    """
    contract, specification = (contract, Specification.load(contract)) if contract else contract_as_read()
    handlers = Handlers(
        settings.store,
        settings.control.carriers if settings.control else MemoryCarriers(settings.carrier),
        functools.partial(stamp, settings.clock),
        settings.new_id,
    )
    app = AsyncApp(
        "mockserver",
        middlewares=[functools.partial(Operations, settings=settings, contract=contract)],
        resolver=Resolver(functools.partial(getattr, handlers)),
        security_map={"bearer": functools.partial(BearerTokens, settings.environments)},
        validator_map={"body": {"application/json": functools.partial(bodies.JsonBody, seal=settings.seal)}},
    )
    # What `add_api` does, less the reading: that would be done again for every app of a process.
    app.middleware.apis.append(API(specification, base_path=None, name=None, **app.middleware.options.__dict__))
    return app


@functools.cache
def contract_as_read() -> tuple[dict[str, Any], Specification]:
    """Give the contract, and what Connexion makes of it once it has checked it; the same each time, nobody changes it.

    Not from its path: Connexion renders a file as a template.
    """
    contract = openapi.load()
    return contract, Specification.load(contract)


def stamp(clock: Callable[[], float]) -> str:
    """Give the clock's time as RFC 3339, UTC, whole seconds."""
    return _stamp(int(clock()))


@functools.lru_cache(maxsize=4)
def _stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _client(scope: Scope) -> str:
    peer = scope.get("client")
    return str(peer[0]) if peer else "-"


class Operations(RoutedMiddleware[ContractAPI]):  # type: ignore[misc]
    """Takes each request through all its stops, and answers it."""

    api_cls = ContractAPI

    def __init__(self, app: Any, settings: Settings, contract: dict[str, Any]) -> None:
        super().__init__(app)
        self._limits = RateLimits(settings.store, settings.clock)
        self._access_log = settings.access_log
        self._logs_clients = settings.logs_clients
        self._cors = Cors(settings.cors_origins) if settings.cors_origins else None
        self._max_body = settings.max_body
        self._routes: Routes[Operation] = Routes([])
        self._base_path = ""
        self._numbers = itertools.count(1)
        self._run = os.urandom(4).hex()
        self._contract = contract
        self._control = settings.control
        self._has_controls = settings.control is not None and settings.has_controls
        self._faults: Faults = settings.control.faults if settings.control else MemoryFaults()
        self._faulty = self._faults.by_environment
        self._honours_prefer = settings.honours_prefer
        self._journal = None
        if settings.control and settings.has_controls and settings.control.journal.is_on:
            self._journal = settings.control.journal
        self._metrics = settings.control.metrics if settings.control else Metrics()
        self._replies = Replies(contract)
        self._seal = settings.seal
        self._reader: Reader | None = None

    def add_api(self, specification: Any, **kwargs: Any) -> ContractAPI:
        """Take up the contract's operations."""
        api: ContractAPI = super().add_api(specification, **kwargs)
        self._routes = Routes(api.operations.values())
        if self._journal is not None:
            bodies = {it.operation_id: it.body for it in api.operations.values() if it.body}
            paths = [api.base_path, *self._contract["paths"]]
            self._reader = self._journal.reader = Reader(paths, bodies, self._seal)
        self._base_path = api.base_path
        return api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever becomes of it."""
        if scope["type"] != "http":
            return  # no lifespan events are needed, and no web sockets spoken
        started = time.perf_counter()
        request_id = scope.get(REQUEST_ID) or f"{self._run}-{next(self._numbers)}"
        exchange = Exchange(scope, receive, send, request_id)
        if self._cors is not None and exchanges.raw_path(scope).startswith(self._base_path):
            exchange.own_headers = self._cors.of(scope)
        self._metrics.in_flight += 1
        try:
            await self._settle(exchange)
        finally:
            self._metrics.in_flight -= 1
        duration = time.perf_counter() - started
        self._count(exchange, duration)
        if self._journal is not None or self._access_log is not None:
            self._note(exchange, duration * 1000)

    async def _settle(self, exchange: Exchange) -> None:
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

    def _count(self, exchange: Exchange, seconds: float) -> None:
        operation, environment, refusal = exchange.operation, exchange.environment, exchange.refusal
        name = operation.operation_id if operation else NOTHING if exchange.is_of_the_api else "outside"
        self._metrics.count(name, exchange.status, environment.plan if environment else NOTHING, seconds)
        if refusal is not None and refusal.code in BROKEN and exchange.is_of_the_api and not exchange.is_faked:
            for field_name in refusal.errors if isinstance(refusal, FieldsRefused) else ("",):
                self._metrics.broken[name, exchange.status, refusal.code, field_name] += 1

    def _note(self, exchange: Exchange, duration_ms: float) -> None:
        """Tell journal and access log of an exchange that is over."""
        now, journal = time.time(), self._journal
        if journal is not None and exchange.is_of_the_api:
            most = exchange.environment.journal_entries if exchange.environment else None
            journal.keep(exchanges.kept(exchange, next(journal.numbers), now, duration_ms, self._seal), most)
        if self._access_log is not None:
            name = exchange.environment.name if exchange.environment else None
            path = exchange.path or exchanges.raw_path(exchange.scope)
            method, status = exchange.scope["method"], exchange.status
            client = _client(exchange.scope) if self._logs_clients else None
            self._access_log(Entry(now, method, path, status, duration_ms, name, exchange.request_id, client))

    async def _answer(self, exchange: Exchange) -> None:
        scope = exchange.scope
        if REFUSAL in scope:
            raise scope[REFUSAL]
        path = exchange.path = exchanges.raw_path(scope)
        if not path.startswith(self._base_path):
            exchange.is_of_the_api = False
            await self._show(exchange, path)
            return
        if self._cors is not None and (allowed := self._cors.preflight(scope)):
            await self._send(exchange, 200, b"", *allowed)
            return
        arguments: list[Any]
        operation, arguments = self._routes.find(scope["method"], path)
        exchange.operation = operation
        headers = single_headers(scope["headers"])
        if b"host" not in headers and scope["http_version"] == "1.1":
            raise BadRequest  # RFC 9112, section 3.2
        environment = exchange.environment = await operation.authenticate(headers.get(b"authorization"))
        exchange.limit_headers = await self._limits.count(environment)
        if environment.is_suspended:
            raise EnvironmentSuspended
        if not environment.allow_custom_sip_trunks:
            raise FeatureNotAvailable
        if operation.body is not None:
            check_media_type(headers, operation.media_types)
            exchange.raw = await read_body(scope, exchange.receive, headers, self._max_body)
        if environment.name in self._faulty and await self._meet_fault(exchange, operation, environment):
            return
        if b"prefer" in headers and self._honours_prefer and await self._heed_preference(exchange, operation):
            return
        if operation.body is not None:
            fields, sent = operation.body.read(exchange.raw)
            if self._reader and (strays := operation.body.strays(exchange.raw, sent)):
                self._reader.remember(environment.name, strays)
            arguments = [fields, *arguments]
        answer = await operation.handler(environment, *arguments)
        location = [(b"location", (self._base_path + answer.location).encode())] if answer.location else []
        await self._send(exchange, answer.status, answer.body, JSON, *location)

    async def _meet_fault(self, exchange: Exchange, operation: Operation, environment: Environment) -> bool:
        """Let the request meet its fault, if there is one; tell whether it is answered with that."""
        fields = operation.body.shown(exchange.raw)[0] if operation.body else None
        active = await self._faults.meet(environment.name, operation.operation_id, fields)
        if active is None:
            return False
        fault = exchange.fault = active.fault
        exchange.misfortune = fault.shown()
        await asyncio.sleep(active.delay_seconds())
        if fault.revoke_token and self._control:
            await self._control.environments.revoke(environment.name)
            raise Unauthenticated
        if fault.is_in_place_of_the_answer:
            await self._send(exchange, 0, b"")
        return fault.is_in_place_of_the_answer

    async def _heed_preference(self, exchange: Exchange, operation: Operation) -> bool:
        """Do what the request prefers, if that can be; tell whether it is answered with that."""
        asked = preference(value for name, value in exchange.scope["headers"] if name == b"prefer")
        reply = self._replies.documented(operation.operation_id, asked.code) if asked.code else None
        exchange.applied = Preference(asked.code if reply else None, asked.wait).applied()
        if exchange.applied:
            exchange.misfortune = {"prefer": exchange.applied.decode()}
        await asyncio.sleep(asked.wait or 0)
        if reply is not None:
            exchange.is_faked = True
            await self._send(exchange, reply.status, reply.payload, JSON, *reply.headers)
        return reply is not None

    async def _show(self, exchange: Exchange, path: str) -> None:
        is_control = path == PREFIX or path.startswith(f"{PREFIX}/")
        if is_control and not self._has_controls:
            raise NotFound
        page = docs.find(path)
        if page is None:
            if path == UI or path.startswith(f"{UI}/"):
                await self._show_ui(exchange, path)
                return
            if is_control:
                await self._steer(exchange, path)
                return
            raise NotFound
        if exchange.scope["method"] not in ("GET", "HEAD"):
            raise MethodNotAllowed(b"GET, HEAD")
        await self._send(exchange, 200, page.content, (b"content-type", page.media_type), *page.headers)

    async def _show_ui(self, exchange: Exchange, path: str) -> None:
        action = audit.Action(exchange.scope["method"], _client(exchange.scope), exchange.request_id)
        answer = await self._site.answer(exchange.scope, exchange.receive, path, action)
        audit.note(action, answer.status)
        await self._send(exchange, answer.status, answer.body, *answer.all_headers())

    async def _steer(self, exchange: Exchange, path: str) -> None:
        scope, headers = exchange.scope, single_headers(exchange.scope["headers"])
        read = functools.partial(read_body, scope, exchange.receive, headers, self._max_body * CONTROL_BODY)
        query = scope.get("query_string", b"")
        action = audit.Action(scope["method"], _client(scope), exchange.request_id)
        try:
            done = await self.control_api.answer(scope["method"], path, query, headers, read, action)
        except Refusal as refusal:
            audit.note(action, refusal.status)
            raise
        audit.note(action, done.status if isinstance(done, Done) else 200)
        if isinstance(done, Done):
            await self._send(exchange, done.status, orjson.dumps(done.members), JSON)
        elif isinstance(done, Text):
            await self._send(exchange, 200, done.content, (b"content-type", done.media_type))
        elif self._control:
            own = [*self._limits.unlimited(), (b"x-request-id", exchange.request_id.encode())]
            await events.stream(exchange, own, self._control.journal, done.environment, self.control_api.shown)

    @functools.cached_property
    def control_api(self) -> ControlApi:
        """The controls; their description is read when they are first used."""
        if self._control is None:
            raise NotFound
        return ControlApi(self._control, self._contract)

    @functools.cached_property
    def _site(self) -> "Site":
        """The pages for people; they and what they are made with are loaded when somebody first asks for one."""
        from mockserver.ui.site import Site

        if self._control is None:
            raise NotFound
        return Site(self.control_api, self._control, self._contract)

    async def _refuse(self, exchange: Exchange, refusal: Refusal) -> None:
        exchange.refusal = refusal
        if isinstance(refusal, RateLimited) and exchange.environment:
            exchange.limit_headers = self._limits.used_up(exchange.environment)
        if isinstance(refusal, Unauthenticated) and self._control and exchange.environment is None:
            token = bearer_token(dict(exchange.scope["headers"]).get(b"authorization"))
            with contextlib.suppress(ServiceUnavailable):
                exchange.environment = await self._control.environments.find_revoked(token) if token else None
        await self._send(exchange, refusal.status, refusal.payload(), JSON, *refusal.headers)

    async def _send(
        self, exchange: Exchange, status: int, body: bytes | list[bytes], *headers: tuple[bytes, bytes]
    ) -> None:
        fault, pieces = exchange.fault, [body] if isinstance(body, bytes) else body
        if fault is not None:
            if fault.status is not None and exchange.operation:
                reply = self._replies.of_fault(fault, exchange.operation.operation_id)
                status, pieces, headers = reply.status, [reply.payload], (JSON, *reply.headers)
                exchange.is_faked = True
            exchange.answer = whole = b"".join(pieces)
            pieces = [misfortunes.malformed(whole) if fault.transfer == "malformed" else whole]
        else:
            exchange.answer = pieces[0]
        exchange.status = status
        all_headers = exchange.headers = [
            *headers,
            (b"content-length", b"%d" % sum(map(len, pieces))),
            *(exchange.limit_headers or self._limits.unlimited()),
            (b"x-request-id", exchange.request_id.encode()),
            *exchange.own_headers,
        ]
        if exchange.applied:
            all_headers.append((b"preference-applied", exchange.applied))
        start = {"type": "http.response.start", "status": status, "headers": all_headers}
        if fault is not None:
            await misfortunes.send(exchange, fault, start, pieces[0])
            return
        await exchange.send(start)
        last = pieces.pop()
        for piece in pieces:
            await exchange.send({"type": "http.response.body", "body": piece, "more_body": True})
        await exchange.send({"type": "http.response.body", "body": last})
