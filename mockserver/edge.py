"""The edge to the network: uvicorn's HTTP/1.1 protocol, hardened, with every refusal of its own in the error envelope.

What the parser turns down never reaches the app in stock uvicorn and is answered as plain text. Here the app is called all
the same, with the refusal in its scope, so that one place makes all answers. Beyond that the edge

- bounds the head of a request, its whole size on the wire, and the time that it may take to arrive;
- ignores an `Upgrade` (RFC 9110, section 7.8, allows it), with which uvicorn loses the body: some clients offer h2c with
  every request;
- lets the client read the last answer before the connection goes (RFC 9112, section 9.6): a socket closed with unread data
  takes the answer away with it.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mockserver.errors import BadRequest, HeadersTooLarge, PayloadTooLarge, Refusal, RequestTimeout
from mockserver.requests import REFUSAL

MAX_HEAD = 32768  # bytes of request line and header fields, as they were sent
REQUEST_SECONDS = 30.0  # for a whole request to arrive
LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * 1024 * 1024


class LingeringTransport:
    """A transport that closes its sending side first, when there may be data that nobody has read."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, unread: Callable[[], bool]
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._unread = unread
        self._closing = False
        self._dropped = 0
        self.write = transport.write
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading
        self.get_extra_info = transport.get_extra_info

    def close(self) -> None:
        """Close at once, or after the client had its time to read the answer."""
        if self._closing:
            return
        self._closing = True
        if not self._unread() or self._transport.is_closing():
            self._transport.close()
            return
        self._transport.write_eof()
        if not self._transport.is_reading():
            self._transport.resume_reading()
        self._loop.call_later(LINGER_SECONDS, self._transport.close)

    def is_closing(self) -> bool:
        """Tell whether nothing more will be answered."""
        return self._closing or self._transport.is_closing()

    def drop(self, data: bytes) -> None:
        """Take note of data that came too late."""
        self._dropped += len(data)
        if self._dropped > LINGER_BYTES:
            self._transport.close()


class Edge(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, max_body: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Chunks of one byte take six on the wire.
        self._max_wire = MAX_HEAD + 8 * max_body + 65536
        self._in_head = False
        self._complete = True  # no request is half received
        self._received = 0  # bytes of the chunks in which the request that is being received came
        self._upgrading = False
        self._broken = False  # nothing that still comes can be understood
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take up a connection."""
        lingering = LingeringTransport(transport, self.loop, self._has_unread)
        super().connection_made(lingering)  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection."""
        self._drop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came; refuse it as soon as it is known to be no good."""
        if self._broken or self.transport.is_closing():
            self.transport.drop(data)  # type: ignore[attr-defined]
            return
        self._unset_keepalive_if_required()
        self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause if isinstance(cause, Refusal) else BadRequest())
            return
        if self._complete:
            self._received = 0
            if self._deadline is not None:
                self._drop_deadline()
        else:
            self._check_incomplete()

    def _check_incomplete(self) -> None:
        """Bound a request that has not arrived as a whole."""
        if self._in_head and self._received > MAX_HEAD:
            self._refuse(HeadersTooLarge())
        elif self._received > self._max_wire:
            self._refuse(PayloadTooLarge())
        elif self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_SECONDS, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        self._refuse(RequestTimeout())

    def _drop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._in_head, self._complete = True, False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field; trailers may be ignored (RFC 9110, section 6.5.1), and are."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the request, unless its head is too large or another protocol is offered, see `_ignore_upgrade`."""
        if self._received > MAX_HEAD and self._head_size() > MAX_HEAD:
            raise HeadersTooLarge
        if self.parser.should_upgrade():
            self._upgrading = True
            return
        super().on_headers_complete()
        self._in_head = False
        if self.expect_100_continue:
            # Answered early, such a client may send the body or not: only a new connection is clear.
            self.cycle.keep_alive = False

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def on_message_complete(self) -> None:
        """Complete a request."""
        if self._upgrading:
            return
        self._complete = True
        super().on_message_complete()

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Go on as if no other protocol had been offered."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            self._refuse(BadRequest())
            return
        fields = [b"%b: %b\r\n" % (name, value) for name, value in self.headers if name != b"upgrade"]
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
        self._drop_deadline()
        cycle = self.cycle
        if self._in_head or cycle is None or not cycle.more_body:
            self._start_refused(refusal)
        elif cycle.response_complete:
            self.transport.close()
        else:
            cycle.scope[REFUSAL] = refusal  # type: ignore[typeddict-unknown-key]
            cycle.keep_alive = False
            cycle.message_event.set()

    def _start_refused(self, refusal: Refusal) -> None:
        """Let the app answer a request of which not even the head was read; after those that came before it."""
        before = self.cycle
        scope: Any = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "-",
            "path": "-",
            "headers": [],
            REFUSAL: refusal,
        }
        self.cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=False,
            on_response=self.on_response_complete,
        )
        self.cycle.more_body = False
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))
