"""The controls over HTTP, under `/_mock`, as `openapi/mock-control.yaml` describes them; and without HTTP, for Python.

`ControlApi.answer` is for requests, `ControlApi.call` for a program that has the mock in its own process. Both go by
the description: its operationIds are the class's methods, which take the path's parameters, then the body, then the
query.
"""

import asyncio
import contextlib
import functools
import importlib
import inspect
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import openapi
from mockserver.audit import Action
from mockserver.bodies import parse
from mockserver.clock import BadTime, parse_time, show_time
from mockserver.control import Control
from mockserver.documents import Document
from mockserver.errors import (
    ControlTokenRequired,
    EnvironmentNotFound,
    ExpectationMissed,
    FromAnotherSite,
    Refusal,
    ReportNotFound,
    ShuttingDown,
    ValidationFailed,
)
from mockserver.har import har
from mockserver.journal import Entry, Rules, Selection, show
from mockserver.requests import bearer_token, check_media_type
from mockserver.routing import Routes
from mockserver.verification import Expectation, misses

PREFIX = "/_mock"
VERSION = "0.1.0"
_JSON = frozenset({"application/json"})
_MOST_PARAMETERS = 20


@dataclass(frozen=True, slots=True)
class Follow:
    """Instead of an answer: whoever asked follows the journal, of one environment or of all."""

    environment: str | None


@dataclass(frozen=True, slots=True)
class Text:
    """A success that is no JSON."""

    content: bytes
    media_type: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """A success: its status and what there is to say."""

    status: int
    members: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Operation:
    operation_id: str
    method: str
    path: str
    status: int
    body: Document | None
    query: Document
    takes_own_token: bool


class ControlApi:
    """The controls of one mock."""

    def __init__(self, control: Control, contract: dict[str, Any]) -> None:
        self._control = control
        self._rules = Rules(contract)
        self._operations, self._routes = _described()

    async def answer(
        self,
        method: str,
        path: str,
        query: bytes,
        headers: Mapping[bytes, bytes],
        read: Callable[[], Awaitable[bytes]],
        action: Action,
    ) -> Done | Follow | Text:
        """Answer a request; `read` gives its body, and `action` learns what it is about.

        Whatever is wrong with it is raised as a Refusal.
        """
        action.by = await self._admit_to(method, path, headers)
        operation, arguments = self._routes.find(method, path)
        action.operation = operation.operation_id
        if "{environment}" in operation.path:
            action.concerns(arguments[0])
        body = None
        if operation.body is not None:
            check_media_type(dict(headers), _JSON)
            body = parse(await read())
        parameters = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)[:_MOST_PARAMETERS])
        found = await self._run(operation, arguments, body, parameters)
        if isinstance(found, Follow | Text):
            return found
        if operation.operation_id == "create_environment":
            action.concerns(found["name"])
        return Done(operation.status, found if operation.operation_id == "read_journal" else _members(found))

    async def call(self, operation_id: str, *arguments: str, body: Any = None, **query: str) -> Any:
        """Do what an operation does, and give its `data`; a Refusal."""
        return await self._run(self._operations[operation_id], list(arguments), body, query)

    async def _run(self, operation: _Operation, arguments: list[Any], body: Any, query: Mapping[str, str]) -> Any:
        operation.query.check(query)
        if operation.body is not None:
            arguments = [*arguments, operation.body.check(body)]
        found = getattr(self, operation.operation_id)(*arguments, **query)
        return await found if inspect.isawaitable(found) else found

    async def _admit_to(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> str:
        """Let in whoever may use the controls or, where the description says so, has the environment's own token.

        Give what let them in, in a word or two for the audit log.
        """
        try:
            self.admit(headers)
        except ControlTokenRequired:
            try:
                operation, arguments = self._routes.find(method, path)
            except Refusal:
                operation = None
            if operation is None or not operation.takes_own_token or not await self._is_own(headers, arguments[0]):
                raise
            return "partner"
        return "loopback" if self._control.token is None else "token"

    async def _is_own(self, headers: Mapping[bytes, bytes], name: str) -> bool:
        token = bearer_token(headers.get(b"authorization"))
        found = await self._control.environments.find(token) if token else None
        return found is not None and found.name == name and not found.is_suspended

    def admit(self, headers: Mapping[bytes, bytes]) -> None:
        """Let in whoever has the control token or, where there is none, whoever is no page of another site."""
        if self._control.token is not None:
            if not self._control.admits(headers.get(b"authorization", b"")):
                raise ControlTokenRequired
            return
        host = headers.get(b"host", b"localhost").decode("latin-1")
        origin = headers.get(b"origin")
        if not _is_local(host) or (
            origin is not None and origin.decode("latin-1") not in (f"http://{host}", f"https://{host}")
        ):
            raise FromAnotherSite

    def health(self) -> dict[str, Any]:
        """Tell that the process answers."""
        return {"status": "ok", "version": VERSION}

    async def ready(self) -> dict[str, Any]:
        """Tell that the API can be used; ServiceUnavailable."""
        if self._control.is_closing():
            raise ShuttingDown
        await self._control.store.check()
        return {"status": "ready", "environments": await self._control.environments.names()}

    async def read_metrics(self) -> Text:
        """Give what the mock has counted."""
        await asyncio.to_thread(importlib.import_module, "prometheus_client")  # which nobody else should wait for
        return Text(*self._control.metrics.text(lambda broken: self._rules.broken_by(*broken)))

    async def reset_all(self) -> None:
        """Put everything back to how it started."""
        await self._control.reset_all()

    def show_clock(self) -> dict[str, Any]:
        """Tell the mock's time."""
        return {"now": show_time(self._control.clock()), "frozen": self._control.clock.is_frozen}

    async def move_clock(self, change: Mapping[str, Any]) -> dict[str, Any]:
        """Set the clock, or move it on."""
        await self._control.move_clock(change)
        return self.show_clock()

    async def reset_clock(self) -> dict[str, Any]:
        """Go back to the real time."""
        await self._control.reset_clock(to_the_real_time=True)
        return self.show_clock()

    async def list_environments(self) -> list[dict[str, Any]]:
        """Give the environments without their tokens."""
        found = []
        for name in await self._control.environments.names():
            with contextlib.suppress(EnvironmentNotFound):  # somebody has removed it meanwhile
                found.append(await self._control.describe(name))
        return found

    async def read_environment(self, name: str) -> dict[str, Any]:
        """Give one environment without its token."""
        return await self._control.describe(name)

    async def create_environment(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Make an environment."""
        environment, token = await self._control.create_environment(wanted)
        return {**await self._control.describe(environment.name), "token": token}

    async def change_environment(self, name: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """Suspend an environment, let it go on, or change what it may have."""
        await self._control.change_environment(name, change)
        return await self._control.describe(name)

    async def delete_environment(self, name: str) -> None:
        """Remove an environment."""
        await self._control.delete_environment(name)

    async def reset_environment(self, name: str) -> None:
        """Put an environment back to how it started."""
        await self._control.reset(name)

    async def rotate_token(self, name: str) -> dict[str, Any]:
        """Replace the token."""
        return {"token": await self._control.rotate_token(name)}

    async def upload_report(self, name: str, report: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a report of the kit."""
        return asdict(await self._control.keep_report(name, report))

    async def read_report(self, name: str) -> dict[str, Any]:
        """Give what is kept of the last one."""
        await self._control.environment(name)
        found = await self._control.reports.get(name)
        if found is None:
            raise ReportNotFound
        return asdict(found)

    async def export_state(self, name: str) -> dict[str, Any]:
        """Give all trunks with their DIDs."""
        return {"trunks": await self._control.export(name)}

    async def seed_state(self, name: str, seed: Mapping[str, Any]) -> dict[str, Any]:
        """Add trunks and DIDs in any state."""
        return {"trunks": await self._control.seed(name, seed["trunks"])}

    async def mark_did(self, name: str, trunk_id: str, did_id: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """Say whether an active agent uses a DID."""
        return await self._control.mark_did(name, trunk_id, did_id, in_use=change["in_use"])

    async def set_carrier(self, name: str, own: Mapping[str, Any]) -> None:
        """Say what the checks of a domain find."""
        await self._control.environment(name)
        await self._control.carriers.set(name, own.get("domain", ""), own["answers"])

    async def show_carrier(self, name: str) -> list[dict[str, Any]]:
        """Tell what was set, and what comes next."""
        await self._control.environment(name)
        return [{**it._asdict(), "domain": it.domain or None} for it in await self._control.carriers.said(name)]

    async def reset_carrier(self, name: str, domain: str | None = None) -> None:
        """Let domains decide again."""
        await self._control.environment(name)
        await self._control.carriers.reset(name, domain)

    async def list_faults(self, name: str) -> list[dict[str, Any]]:
        """List the faults at work."""
        await self._control.environment(name)
        return [{**one.fault.shown(), "met": one.met} for one in await self._control.faults.active(name)]

    async def add_fault(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Let matching requests go wrong."""
        return (await self._control.add_fault(name, document)).shown()

    async def clear_faults(self, name: str) -> None:
        """Let everything go right again."""
        await self._control.environment(name)
        await self._control.faults.clear(name)

    def list_scenarios(self) -> list[dict[str, Any]]:
        """List the scenarios there are."""
        scenarios = [self._control.find_scenario(name) for name in self._control.scenarios.names]
        return [{"name": it.name, "description": it.description} for it in scenarios]

    async def start_scenario(self, name: str, choice: Mapping[str, Any]) -> dict[str, Any]:
        """Let an environment misbehave as a scenario says."""
        scenario = self._control.find_scenario(choice["name"])
        await self._control.start_scenario(name, scenario)
        return {"name": scenario.name, "description": scenario.description}

    async def end_scenario(self, name: str) -> None:
        """End it."""
        await self._control.end_scenario(name)

    async def read_journal(self, format: str = "json", **filters: str) -> dict[str, Any]:
        """Give the requests and their answers."""
        entries = await self.entries(**filters)
        return har(entries, VERSION) if format == "har" else _members([show(entry, self._rules) for entry in entries])

    async def clear_journal(self, **filters: str) -> dict[str, Any]:
        """Forget requests."""
        return {"cleared": await self._control.journal.clear(_selection(**filters))}

    def stream_journal(self, environment: str | None = None) -> Follow:
        """Follow the journal."""
        return Follow(environment)

    async def verify_journal(self, wanted: Mapping[str, Any]) -> None:
        """Check what clients sent; ExpectationMissed."""
        expectations = [Expectation.read(it, f"expect.{place}") for place, it in enumerate(wanted["expect"])]
        entries = await self._control.journal.read(_selection(wanted.get("environment")))
        found = misses(entries, expectations)
        wrong = [(place, miss) for place, miss in enumerate(found) if miss]
        if wrong:
            sentences = [f"expectation {place}: {miss.sentence()}" for place, miss in wrong]
            raise ExpectationMissed(sentences, {"missed": [miss.shown(place) for place, miss in wrong]})

    async def entries(self, **filters: str) -> list[Entry]:
        """Give the journal's entries that fit the query's filters, as they are kept."""
        return await self._control.journal.read(_selection(**filters))

    def shown(self, entry: Entry) -> dict[str, Any]:
        """Give an entry as JSON."""
        return show(entry, self._rules)


def _members(found: Any) -> dict[str, Any]:
    return {"success": True} if found is None else {"success": True, "data": found}


@functools.cache
def _described() -> tuple[dict[str, _Operation], Routes[_Operation]]:
    """Give the operations by their ids, and the way to them, as the description has them."""
    operations = {it.operation_id: it for it in _operations(openapi.load_control())}
    return operations, Routes(operations.values())


def _operations(description: Mapping[str, Any]) -> list[_Operation]:
    schemas = description["components"]["schemas"]
    return [
        _operation(method, path, operation, methods.get("parameters", []), schemas)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def _operation(
    method: str, path: str, operation: Mapping[str, Any], shared: list[Any], schemas: Mapping[str, Any]
) -> _Operation:
    body = operation.get("requestBody")
    parameters = [it for it in [*shared, *operation.get("parameters", [])] if it.get("in") == "query"]
    query = {it["name"]: {**it["schema"], **_says(it)} for it in parameters}
    return _Operation(
        operation["operationId"],
        method.upper(),
        PREFIX + path,
        int(next(iter(operation["responses"]))),
        Document(body["content"]["application/json"]["schema"], schemas) if body else None,
        Document({"type": "object", "additionalProperties": False, "properties": query}, schemas, "query"),
        any("environmentToken" in it for it in operation.get("security", ())),
    )


def _says(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {"x-must-be": parameter["x-must-be"]} if "x-must-be" in parameter else {}


def _selection(
    environment: str | None = None,
    operation: str | None = None,
    status: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Selection:
    times = {}
    for name, text in {"since": since, "until": until}.items():
        try:
            times[name] = None if text is None else parse_time(text)
        except (BadTime, ValueError, OverflowError):
            raise ValidationFailed({name: [f"{name} must be a time as RFC 3339 has it"]}) from None
    return Selection(environment, operation, status, times["since"], times["until"])


def _is_local(host: str) -> bool:
    """Tell whether a Host field names this machine: a page under another name may be anybody's."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
