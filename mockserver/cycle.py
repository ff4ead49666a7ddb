"""One request and its answer on a connection: ASGI's `receive` and `send`, for `edge`.

uvicorn's own class does the same for any app. This one knows that the app behind it sends header fields that the server
itself has made, with the length of the body unless the end of the connection is its end, and so need not examine and
frame each answer.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.server import ServerState

from mockserver.lingering import LingeringTransport
from mockserver.misfortunes import RESET

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

CLOSE = (b"connection", b"close")
STATUS_LINES = {status.value: b"HTTP/1.1 %d %b" % (status, status.phrase.encode()) for status in HTTPStatus}

log = logging.getLogger("trunkmock")


class Connection(Protocol):
    """What a cycle needs of its connection."""

    transport: LingeringTransport
    flow: FlowControl
    server_state: ServerState

    def on_response_complete(self) -> None:
        """Go on to the next request."""


class Cycle:
    """A request that is being received and answered."""

    __slots__ = (
        "_connection",
        "_head",
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "pieces",
        "response_complete",
        "scope",
        "taken",
        "task",
        "waiting",
        "waiting_for_100_continue",
    )

    def __init__(
        self, connection: Connection, scope: Message, keep_alive: bool, waiting_for_100_continue: bool
    ) -> None:
        self._connection = connection
        self._head = b""
        self.scope = scope
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = waiting_for_100_continue
        self.message_event = asyncio.Event()
        self.pieces: list[bytes] = []  # of the body, that the app has not taken yet
        self.waiting = 0  # bytes in them
        self.taken = False  # the app has the whole body
        self.more_body = True
        self.disconnected = False
        self.response_complete = False
        self.task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, app: App) -> None:
        """Let the app answer, in a task that this cycle holds on to."""
        self.task = loop.create_task(self._run(app))

    async def _run(self, app: App) -> None:
        """Let the app answer; if it does not, the connection goes."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception:
            log.exception("the app failed")
        if not self.response_complete:
            self._connection.transport.close()

    async def receive(self) -> Message:
        """Give the next piece of the body, or the news that the client is gone."""
        if self.waiting_for_100_continue:
            self.waiting_for_100_continue = False
            self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self.more_body and not self.disconnected:
            self._connection.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        while self.taken and not self.disconnected and not self.response_complete:
            self.message_event.clear()
            await self.message_event.wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body = b"".join(self.pieces)
        self.pieces.clear()
        self.waiting = 0
        self.taken = not self.more_body
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """Send an answer, as a rule in two messages; or reset the connection, see `misfortunes`."""
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._head = self._head_of(message["status"], message["headers"])
            return
        if message["type"] == RESET:
            self._reset()
            return
        body = b"" if self.scope["method"] == "HEAD" else message["body"]
        self._connection.transport.write(self._head + body)
        if message.get("more_body"):
            self._head = b""
            await self._connection.flow.drain()
            return
        self.response_complete = True
        if not self.keep_alive:
            self._connection.transport.close()
        self._connection.on_response_complete()

    def _reset(self) -> None:
        """End the connection so that the client's operating system calls it reset (SO_LINGER with no time)."""
        sock = self._connection.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.transport.abort()

    def _head_of(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        lines = [STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status]
        lines += map(b": ".join, self._connection.server_state.default_headers)
        lines += map(b": ".join, headers)
        if CLOSE in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close")
        lines.append(b"\r\n")
        return b"\r\n".join(lines)
