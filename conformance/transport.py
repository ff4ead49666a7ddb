"""How one request reaches the target: over HTTP, or in process into an ASGI app. Knows no API and no secret.

What can go wrong: `NoAnswer` when nothing usable came back (its text is a sentence for people), and nothing else.
"""

import asyncio
import importlib
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 15.0
MAX_ANSWER = 16 * 1024 * 1024  # bytes; a larger answer is cut off and counts as none

Headers = tuple[tuple[str, str], ...]
AsgiApp = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, untouched."""

    status: int
    headers: Headers
    body: bytes
    tries: int = 1  # more where the connection was closed at first


class NoAnswer(Exception):
    """Nothing usable came back. `dropped` when the connection was closed instead of answered."""

    def __init__(self, sentence: str, *, dropped: bool = False) -> None:
        super().__init__(sentence)
        self.dropped = dropped


class Transport(Protocol):
    """Sends one request at a time."""

    def send(self, method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        """Give the answer to a request for a path (percent-encoded, below the base URL); NoAnswer."""

    def close(self) -> None:
        """Let go of connections."""


class HttpTransport:
    """HTTP/1.1 with one connection kept open; follows no redirect."""

    def __init__(self, base_url: str, *, timeout: float = TIMEOUT_SECONDS) -> None:
        httpx = _import_httpx()
        self._httpx = httpx
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        parts = urlsplit(base_url)
        local = (parts.hostname or "").startswith("127.") or parts.hostname in {"::1", "localhost"}
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        # A proxy of the environment is for what is far away; its certificates (SSL_CERT_FILE) are for all.
        # Reading them takes as long as fifty requests, and what is near and not encrypted has no use for them.
        verify = (httpx.create_ssl_context() if parts.scheme == "https" else False) if local else True
        self._client = httpx.Client(
            timeout=timeout, follow_redirects=False, limits=limits, trust_env=not local, verify=verify
        )
        self._client.headers.clear()

    def send(self, method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        """Give the answer; a connection that the server had closed meanwhile is opened anew, once."""
        try:
            return self._send(method, path, headers, body)
        except NoAnswer as error:
            if not error.dropped:
                raise
            return replace(self._send(method, path, headers, body), tries=2)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _send(self, method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        httpx = self._httpx
        deadline = time.monotonic() + 2 * self._timeout
        raw_headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        try:
            request = self._client.build_request(method, self._base_url + path, headers=raw_headers, content=body)
            with_body = self._client.send(request, stream=True)
            try:
                received = bytearray()
                for chunk in with_body.iter_bytes():
                    received += chunk
                    if len(received) > MAX_ANSWER:
                        raise NoAnswer(f"the answer is larger than {MAX_ANSWER >> 20} MiB")
                    if time.monotonic() > deadline:
                        raise NoAnswer(f"the answer was not complete after {2 * self._timeout:g} seconds")
            finally:
                with_body.close()
        except httpx.TimeoutException:
            raise NoAnswer(f"no answer within {self._timeout:g} seconds") from None
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            raise NoAnswer("the connection was closed instead of answered", dropped=True) from None
        except httpx.ConnectError as error:
            raise NoAnswer(_connect_sentence(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise NoAnswer(f"no usable HTTP answer ({type(error).__name__})") from None
        pairs = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in with_body.headers.raw)
        return Reply(with_body.status_code, pairs, bytes(received))


def _import_httpx() -> Any:
    """Import httpx without its own command, which takes as long to import as all the rest of it."""
    command = "httpx._main"
    unwanted = command not in sys.modules and "httpx" not in sys.modules
    if unwanted:
        sys.modules[command] = None  # type: ignore[assignment]  # so its import fails, which httpx expects
    try:
        return importlib.import_module("httpx")
    finally:
        if unwanted:
            del sys.modules[command]


def _connect_sentence(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its TLS certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return "it does not speak TLS as expected"
        if isinstance(cause, ConnectionRefusedError):
            return "nothing listens there (connection refused)"
        cause = cause.__cause__ or cause.__context__
    return "it cannot be reached"


class AsgiTransport:
    """Calls an ASGI app in this process, one request at a time; its lifespan events are sent when it takes them."""

    def __init__(self, app: AsgiApp, base_path: str = "/api/v1", *, timeout: float = TIMEOUT_SECONDS) -> None:
        self._app = app
        self._base_path = base_path.rstrip("/")
        self._timeout = timeout
        self._loop = asyncio.new_event_loop()
        self._lifespan = _Lifespan(app)
        self._loop.run_until_complete(self._lifespan.start())

    def send(self, method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        """Give the answer; an exception that the app lets through is what a server would make of it, a 500."""
        try:
            return self._loop.run_until_complete(self._call(method, path, headers, body))
        except TimeoutError:
            raise NoAnswer(f"no answer within {self._timeout:g} seconds") from None

    def close(self) -> None:
        """Send the shutdown event and close the event loop."""
        self._loop.run_until_complete(self._lifespan.stop())
        self._loop.close()

    async def _call(self, method: str, path: str, headers: Headers, body: bytes | None) -> Reply:
        target = self._base_path + path
        raw_path, _, query = target.partition("?")
        raw = [(name.lower().encode("latin-1"), value.strip().encode("latin-1", "replace")) for name, value in headers]
        raw.append((b"host", b"testserver"))
        if body is not None:
            raw.append((b"content-length", b"%d" % len(body)))
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": unquote(raw_path), "raw_path": raw_path.encode(), "query_string": query.encode(),
            "root_path": "", "headers": raw, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
        }  # fmt: skip
        messages: list[MutableMapping[str, Any]] = []
        requests = iter([{"type": "http.request", "body": body or b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            return next(requests, {"type": "http.disconnect"})

        async def send(message: MutableMapping[str, Any]) -> None:
            messages.append(message)

        try:
            async with asyncio.timeout(self._timeout):
                await self._app(scope, receive, send)
        except TimeoutError:
            raise
        except Exception:  # noqa: S110 - what a server would make a 500 of
            pass
        if not messages or messages[0]["type"] != "http.response.start":
            return Reply(500, (), b"")
        start, *chunks = messages
        pairs = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in start.get("headers", ()))
        return Reply(start["status"], pairs, b"".join(chunk.get("body", b"") for chunk in chunks))


class _Lifespan:
    """The ASGI lifespan protocol, for apps that take it; others raise at once and are left alone."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answered = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())
        await self._tell("lifespan.startup")

    async def stop(self) -> None:
        await self._tell("lifespan.shutdown")
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._task

    async def _tell(self, event: str) -> None:
        if self._task is None or self._task.done():
            return
        self._answered.clear()
        await self._events.put({"type": event})
        with suppress(TimeoutError):
            await asyncio.wait_for(self._answered.wait(), TIMEOUT_SECONDS)

    async def _run(self) -> None:
        async def send(_message: MutableMapping[str, Any]) -> None:
            self._answered.set()

        with suppress(Exception):
            await self._app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, self._events.get, send)
        self._answered.set()
