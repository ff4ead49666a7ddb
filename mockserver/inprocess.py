"""A mock within the process of a test: a server in a thread of its own, or an ASGI app without a socket.

`MockEnvironment` is what a test holds: the address and token for the client under test, and everything that
`openapi/mock-control.yaml` describes as plain methods. Nothing here needs pytest; `testing` makes fixtures of it.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mockserver import misfortunes
from mockserver.app import contract_as_read, create_app, steered
from mockserver.clock import Ids
from mockserver.control import Control
from mockserver.control_api import ControlApi
from mockserver.edge import Bounds
from mockserver.environments import MemoryEnvironments
from mockserver.errors import ExpectationMissed, FieldsRefused, Refusal
from mockserver.journal import Entry
from mockserver.scenarios import Scenarios
from mockserver.serving import Server, listen

START_SECONDS = 10.0
STOP_SECONDS = 5.0
ASGI_URL = "http://trunkmock"

_LOOPBACK = (socket.AF_INET, ("127.0.0.1", 0))

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Misused(ValueError):
    """The mock was asked for something that it cannot do. Says what, and names the fields."""


class MockEnvironment:
    """One environment of a running mock. Others see nothing of it, nor it of them."""

    def __init__(self, api: ControlApi, run: Run, url: str, base_path: str, wanted: Mapping[str, Any]) -> None:
        self._api = api
        self._run = run
        self._base_path = base_path
        self.url = url
        """The server's root, under which `/_mock` and `/docs` are."""
        self.base_url = url + base_path
        """What a client of the API takes for its base URL."""
        made = self._do("create_environment", body=dict(wanted))
        self.name: str = made["name"]
        self.token: str = made["token"]

    @property
    def headers(self) -> dict[str, str]:
        """The header field with which a request belongs to this environment."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def requests(self) -> list[Entry]:
        """The requests of this environment and their answers, oldest first, without a secret in them."""
        found: list[Entry] = self._run(self._entries())  # between two requests: the last one is in it for certain
        return found

    async def _entries(self) -> list[Entry]:
        return await self._api.entries(environment=self.name)

    def seed(self, *trunks: Mapping[str, Any], **fields: Any) -> list[dict[str, Any]]:
        """Add trunks in any state, and give them with their ids and `dids`. What is left out has a sensible value.

        `seed(is_verified=True, is_active=True, dids=[{"number": "+12025550123", "country_code": "US"}])` adds one.
        """
        wanted = [dict(trunk) for trunk in trunks] or [{}]
        if fields:
            wanted = [trunk | fields for trunk in wanted]
        found: list[dict[str, Any]] = self._own("seed_state", body={"trunks": wanted})["trunks"]
        return found

    def state(self) -> list[dict[str, Any]]:
        """Give all trunks with their `dids`; no passwords."""
        found: list[dict[str, Any]] = self._own("export_state")["trunks"]
        return found

    def mark_did(self, trunk_id: str, did_id: str, *, in_use: bool = True) -> None:
        """Let an active agent use a DID, so that it cannot be deleted, or no longer."""
        self._do("mark_did", self.name, trunk_id, did_id, body={"in_use": in_use})

    def carrier(self, *answers: str, domain: str | None = None) -> None:
        """Let Verify and Health find these one after the other, for a domain or for all; nothing: as usual again.

        `healthy`, `auth-fail`, `timeout`, `unreachable`, `tls-error` or `unavailable`.
        """
        if not answers:
            self._own("reset_carrier")
            return
        self._own("set_carrier", body={"answers": list(answers)} | ({} if domain is None else {"domain": domain}))

    def fail_next(
        self,
        times: int | None = 1,
        *,
        operation: str | Sequence[str] | None = None,
        status: int | None = None,
        **fault: Any,
    ) -> None:
        """Let the next requests go wrong, all of them if `times` is None. Without any other word: 503.

        `fault` has the other members of a fault as the controls describe them: `code`, `retry_after`, `where`, `skip`,
        `probability`, `seed`, `delay_ms`, `spread_ms`, `transfer` (`reset`, `truncated`, `malformed`, `drip`),
        `drip_ms`, `takes_effect`, `revoke_token`.
        """
        if status is None and not fault.keys() & {"transfer", "delay_ms", "spread_ms", "revoke_token"}:
            status = 503
        operations = [operation] if isinstance(operation, str) else operation
        members = {"times": times, "status": status, "operations": operations and list(operations), **fault}
        self._own("add_fault", body={name: value for name, value in members.items() if value is not None})

    def clear_faults(self) -> None:
        """Let everything go right again."""
        self._own("clear_faults")

    def scenario(self, name: str | None) -> None:
        """Misbehave as the named scenario says; None ends it."""
        if name is None:
            self._own("end_scenario")
        else:
            self._own("start_scenario", body={"name": name})

    def rotate_token(self) -> str:
        """Replace the token: the old one is refused with 401. Gives the new one, which is `token` from now on."""
        self.token = self._own("rotate_token")["token"]
        return self.token

    def reset(self) -> None:
        """Forget everything: state, faults, scenario, journal."""
        self._own("reset_environment")

    def move_clock(self, **change: Any) -> None:
        """Set the server's clock (`now`, `frozen`) or move it on (`advance_seconds`), for all environments."""
        self._do("move_clock", body=change)

    def assert_requested(self, operation: str | None = None, count: int | None = None, **expected: Any) -> None:
        """Fail unless so many requests were made, at least one if nothing is said; says what the nearest one was.

        `expected` has the other members of an expectation as the controls describe them: `fields`, `headers`, `status`,
        `code`, `broken`, `fault`, `method`, `path`, `at_least`, `at_most`.
        """
        members = {"operation": operation, "count": count, **expected}
        self.assert_all({name: value for name, value in members.items() if value is not None})

    def assert_all(self, *expectations: Mapping[str, Any]) -> None:
        """Fail unless all expectations hold, each a dict as the controls describe it."""
        try:
            self._do("verify_journal", body={"environment": self.name, "expect": [dict(it) for it in expectations]})
        except ExpectationMissed as missed:
            raise AssertionError("\n".join([*missed.sentences, self.journal_text()])) from None

    def journal_text(self) -> str:
        """Give the requests for a person to read, one line each; no secret is in it."""
        lines = [_line(entry) for entry in self.requests]
        return "\n".join(lines or ["no requests"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} at {self.base_url}>"

    def close(self) -> None:
        """Remove the environment from its server."""
        self._own("delete_environment")

    def _own(self, operation_id: str, body: Any = None) -> Any:
        return self._do(operation_id, self.name, body=body)

    def _do(self, operation_id: str, *arguments: str, body: Any = None) -> Any:
        try:
            return self._run(self._api.call(operation_id, *arguments, body=body))
        except ExpectationMissed:
            raise
        except FieldsRefused as refusal:
            raise Misused("; ".join(says for (says, *_) in refusal.errors.values())) from None
        except Refusal as refusal:
            raise Misused(refusal.message) from None


class MockServer(MockEnvironment):
    """A mock of one's own: an environment, and a function that makes more."""

    def environment(self, **wanted: Any) -> MockEnvironment:
        """Make one more environment (`name`, `plan`, `allow_custom_sip_trunks`, `requests_per_minute`)."""
        return MockEnvironment(self._api, self._run, self.url, self._base_path, wanted)

    def reset_clock(self) -> None:
        """Go back to the real time."""
        self._do("reset_clock")


class MockApp(MockServer):
    """A mock without a socket: `app` is for `httpx.ASGITransport`, `base_url` for the client that uses it."""

    def __init__(self, app: Any, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._app = app

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as ASGI has it. An answer that breaks off raises what httpx raises for one from a socket."""
        import httpx

        kinds: list[str] = []

        async def relay(message: Any) -> None:
            if message["type"] != misfortunes.RESET:
                await send(message)
            kinds.append("more" if message.get("more_body") else message["type"])

        await self._app(scope, receive, relay)
        if kinds and kinds[-1] == misfortunes.RESET:
            raise httpx.ReadError("the connection was reset")
        if kinds and kinds[-1] == "more":
            raise httpx.RemoteProtocolError("the connection was closed before the whole body had come")


@contextlib.contextmanager
def running(
    *, seed: int | None = None, scenario: str | None = None, scenarios: Path | None = None, **wanted: Any
) -> Iterator[MockServer]:
    """Run a mock on a free loopback port, in a thread; it is gone at the end of the block.

    `seed` makes the same ids each time, `scenario` names how every environment starts, `scenarios` is a directory of
    your own, and `wanted` is the environment (`name`, `plan`, …) as the controls describe it.
    """
    contract, _ = contract_as_read()
    control = _control(seed, scenario, scenarios)
    app = create_app(steered(control))
    sock = listen(*_LOOPBACK)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    is_ready = threading.Event()

    def ready() -> None:
        control.look_after_itself()
        is_ready.set()

    server = Server(app, Bounds(), ready)
    thread = threading.Thread(target=server.run, args=([sock],), name="trunkmock", daemon=True)
    thread.start()
    if not is_ready.wait(START_SECONDS):
        raise RuntimeError("the mock did not start")

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return server.call(coroutine) if thread.is_alive() else _at_once(coroutine)

    try:
        yield MockServer(ControlApi(control, contract), run, url, contract["servers"][0]["url"], wanted)
    finally:
        server.end()
        thread.join(STOP_SECONDS)


def asgi(
    *, seed: int | None = None, scenario: str | None = None, scenarios: Path | None = None, **wanted: Any
) -> MockApp:
    """Give a mock without a socket; see `running` for what can be said."""
    contract, _ = contract_as_read()
    control = _control(seed, scenario, scenarios)
    app = create_app(steered(control))
    return MockApp(app, ControlApi(control, contract), _at_once, ASGI_URL, contract["servers"][0]["url"], wanted)


def _control(seed: int | None, scenario: str | None, own: Path | None) -> Control:
    scenarios = Scenarios(own)
    start = scenarios.get(scenario) if scenario else None
    return Control(MemoryEnvironments(), ids=Ids(seed), scenarios=scenarios, scenario=start)


def _at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits for nothing: with the store in memory none of the controls does."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("the store made the controls wait")


def _line(entry: Entry) -> str:
    what = f"{entry.number} {entry.method} {entry.path} {entry.status or 'no answer'}"
    parts = [what, entry.code, entry.fields and f"sent {entry.fields}", entry.misfortune and f"met {entry.misfortune}"]
    return "  ".join(str(part) for part in parts if part)
