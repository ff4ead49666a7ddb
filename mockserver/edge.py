"""The edge to the network: uvicorn's HTTP/1.1 protocol, hardened, with every refusal of its own in the error envelope.

What the parser turns down never reaches the app in stock uvicorn and is answered as plain text. Here the app is called
all the same, with the refusal in its scope, so that one place makes all answers. Beyond that the edge

- bounds the head of a request, its whole size on the wire, and the time that it may take to arrive;
- bounds the number of connections, and the time for which a client may leave its answers unread;
- takes no further request of a connection whose client does not read, so that nothing piles up;
- ignores an `Upgrade` (RFC 9110, section 7.8, allows it), with which uvicorn loses the body: some clients offer h2c
  with every request;
- closes a connection so that its client gets to read the last answer, see `lingering`.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mockserver.cycle import Cycle
from mockserver.errors import BadRequest, HeadersTooLarge, PayloadTooLarge, Refusal, RequestTimeout, TooManyConnections
from mockserver.lingering import LingeringTransport
from mockserver.requests import ENDLESS, REFUSAL

WATCH_SECONDS = 5.0  # how late it may be noticed that a time is over
HIGH_WATER = 65536  # bytes of a body that wait for the app before reading pauses

# RFC 9112, section 3, with a method of reasonable length and a target in origin-form.
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (/[!->@-~]*)(?:\?[!-~]*)? HTTP/1\.[01]\r\n")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What connections may take: bytes, seconds, and how many there may be, 0 for any number.

    `max_head` is request line and header fields; `request_seconds` are for a whole request to arrive, `idle_seconds`
    between two of them, and `write_seconds` for a client that does not read.
    """

    max_body: int = 65536
    max_head: int = 32768
    max_connections: int = 0
    request_seconds: float = 30.0
    idle_seconds: float = 75.0
    write_seconds: float = 30.0


@dataclass(slots=True)
class Doors:
    """What all connections of a server have in common. While it is closing, every answer is the last one."""

    bounds: Bounds
    is_closing: bool = False


class Edge(HttpToolsProtocol):
    """One connection."""

    transport: LingeringTransport  # type: ignore[assignment]
    cycle: Cycle | None  # type: ignore[assignment]

    def __init__(self, *args: Any, doors: Doors, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._doors = doors
        self._bounds = bounds = doors.bounds
        self._max_head = bounds.max_head
        self._max_wire = bounds.max_head + 8 * bounds.max_body + 65536  # a chunk of one byte takes six on the wire
        self._in_head = False
        self._complete = True  # no request is half received
        self._received = 0  # bytes of the segments in which the request that is being received came
        self._segment = 0  # bytes of the segment that is being looked at
        self._at_start = True  # of a segment, with no request half received
        self._upgrading = False
        self._broken = False  # nothing that still comes can be understood
        self._began = 0.0  # when the request that is being received began, if it did not come at once
        self._idle_since = self.loop.time()
        self._stuck_since = 0.0  # when the client was first seen not to read
        self._held = False  # a request waits for the client to read
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take up a connection."""
        super().connection_made(cast(asyncio.Transport, LingeringTransport(transport, self.loop, self._has_unread)))
        self._watch = self.loop.call_later(WATCH_SECONDS, self._look)
        if 0 < self._bounds.max_connections < len(self.connections):
            self._refuse(TooManyConnections())

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def give_up(self) -> None:
        """End the connection, whatever is going on."""
        self.transport.abort()
        if self.cycle is not None and self.cycle.task is not None:
            self.cycle.task.cancel()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Still answer a client that has nothing more to say; tell whether the connection stays for that."""
        if not self._complete or self.cycle is None or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    def data_received(self, data: bytes) -> None:
        """Take in what came; refuse it as soon as it is known to be no good."""
        if self._broken or self.transport.is_closing():
            self.transport.drop(data)
            return
        self._segment = len(data)
        self._received += self._segment
        self._at_start = begins = self._complete
        cycle = self.cycle
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserInvalidMethodError:
            self._refuse_method(data if begins and self.cycle is cycle else b"")
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Refusal) else BadRequest())
        else:
            if self._complete:
                self._received = 0
                self._began = 0.0
            else:
                self._check_incomplete()

    def _check_incomplete(self) -> None:
        """Bound a request that has not arrived as a whole."""
        if self._in_head and self._received > self._max_head:
            self._refuse(HeadersTooLarge())
        elif self._received > self._max_wire:
            self._refuse(PayloadTooLarge())
        elif not self._began:
            self._began = self.loop.time()

    def _look(self) -> None:
        """See whether it is worth waiting any longer. One slow timer costs less than two with every request."""
        now = self.loop.time()
        if self._is_stuck(now):
            self.give_up()
            return
        if self._began and now - self._began > self._bounds.request_seconds:
            self._refuse(RequestTimeout())
        elif self.idle_seconds() > self._bounds.idle_seconds:
            self.transport.close()
        self._watch = self.loop.call_later(WATCH_SECONDS, self._look)

    def _is_stuck(self, now: float) -> bool:
        """Tell whether the client has left for too long what was sent, beyond what fits into the system's buffers."""
        if not self.transport.get_write_buffer_size():
            self._stuck_since = 0.0
        elif not self._stuck_since:
            self._stuck_since = now
        return bool(self._stuck_since) and now - self._stuck_since > self._bounds.write_seconds

    def idle_seconds(self) -> float:
        """Tell for how long there has been no request, 0 if there is one."""
        is_idle = self._complete and (self.cycle is None or self.cycle.response_complete)
        return self.loop.time() - self._idle_since if is_idle else 0.0

    def finish(self) -> None:
        """Let the answers that are under way be the last ones, and an endless one end."""
        for cycle in (self.cycle, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_complete:
                cycle.keep_alive = False
                if ENDLESS in cycle.scope:
                    cycle.disconnected = True
                    cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        self._idle_since = self.loop.time()
        if self.transport.is_closing():
            return
        if self.pipeline and self.flow.write_paused:
            self._held = True
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            cycle.start(self.loop, app)  # type: ignore[attr-defined]

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        super().resume_writing()
        self._stuck_since = 0.0
        if self._held:
            self._held = False
            self.on_response_complete()

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self._at_start:
            self._received = 0  # the segment also has another request, which counts for itself
        self._in_head, self._complete, self._at_start = True, False, False
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; trailers may be ignored (RFC 9110, section 6.5.1), and are."""
        if self._in_head:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Start the request, unless its head is too large or another protocol is offered, see `_ignore_upgrade`."""
        if self._received + self._segment > self._max_head and self._head_size() > self._max_head:
            raise HeadersTooLarge
        parser = self.parser
        if parser.should_upgrade():
            self._upgrading = True
            return
        self._in_head = False
        version = parser.get_http_version()
        path, query = _split(self.url)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "scheme": self.scheme,
            "path": unquote(path) if "%" in path else path,
            "raw_path": path.encode("ascii"),
            "query_string": query,
            "root_path": "",
            "headers": self.headers,
            "server": self.server,
            "client": self.client,
        }
        # With `Expect` and an early answer, the client may send the body or not: only a new connection is clear.
        expects = self._expects_100()
        keep_alive = version != "1.0" and parser.should_keep_alive() and not expects and not self._doors.is_closing
        self._start(Cycle(self, scope, keep_alive, expects))

    def _start(self, cycle: Cycle) -> None:
        """Run the app on a request, after those that came before it."""
        before, self.cycle = self.cycle, cycle
        is_next = before is None or before.response_complete
        if is_next and not self.flow.write_paused:
            cycle.start(self.loop, self.app)
            return
        self._held = self._held or is_next
        self.flow.pause_reading()
        self.pipeline.appendleft((cycle, self.app))  # type: ignore[arg-type]

    def _expects_100(self) -> bool:
        for name, value in self.headers:
            if name == b"expect":
                return value.lower() == b"100-continue"  # RFC 9110, section 10.1.1
        return False

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; once there is an answer, nobody wants it."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.pieces.append(body)
            cycle.waiting += len(body)
            if cycle.waiting > HIGH_WATER:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """Complete a request."""
        if self._upgrading:
            return
        self._complete = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Go on as if no other protocol had been offered."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self._refuse(BadRequest())
            return
        fields = [b"%b: %b\r\n" % field for field in self.headers if field[0] != b"upgrade"]
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(fields))
        self._upgrading = False
        self._received = 0
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(head + rest)

    def _has_unread(self) -> bool:
        return self._broken or not self._complete

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with the refusal what is being received, and read nothing more of this connection."""
        self._broken = True
        self._began = 0.0
        cycle = self.cycle
        if self._in_head or cycle is None or not cycle.more_body:
            self._answer_unread("-", b"-", refusal)
        elif cycle.response_complete:
            self.transport.close()
        else:
            cycle.scope[REFUSAL] = refusal
            cycle.keep_alive = False
            cycle.message_event.set()

    def _refuse_method(self, data: bytes) -> None:
        """Let the app find out what a path has instead of a method that the parser does not know.

        `data` begins with the request, or is empty if nobody knows where the request begins.
        """
        self._broken = True
        self._began = 0.0
        line = _REQUEST_LINE.match(data)
        if line:
            self._answer_unread(line[1].decode("ascii"), line[2])
        else:
            self._answer_unread("-", b"-", BadRequest())

    def _answer_unread(self, method: str, raw_path: bytes, refusal: Refusal | None = None) -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": raw_path.decode("ascii"),
            "raw_path": raw_path,
            "headers": [],
        }
        if refusal is not None:
            scope[REFUSAL] = refusal
        cycle = Cycle(self, scope, keep_alive=False, waiting_for_100_continue=False)
        cycle.more_body = False
        self._start(cycle)


def _split(target: bytes) -> tuple[str, bytes]:
    """Give path and query of a request target, in origin-form or absolute-form (RFC 9112, section 3.2)."""
    if not target.startswith(b"/") or b"#" in target:
        parsed = httptools.parse_url(target)
        if parsed.path is None:
            raise BadRequest
        return parsed.path.decode("ascii"), parsed.query or b""
    path, _, query = target.partition(b"?")
    return path.decode("ascii"), query
