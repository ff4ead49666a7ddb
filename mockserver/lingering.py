"""A transport that lets the client read the last answer before the connection goes (RFC 9112, section 9.6)."""

import asyncio
from collections.abc import Callable

LINGER_SECONDS = 2.0
LINGER_BYTES = 8 * 1024 * 1024


class LingeringTransport:
    """Closes its sending side first, if there may be data that nobody has read.

    A socket that is closed with unread data takes along what was sent but not read on the other side.
    """

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
        self.get_write_buffer_size = transport.get_write_buffer_size

    def close(self) -> None:
        """Close at once, or after the client had its time to read the answer."""
        if self._closing:
            return
        self._closing = True
        if not self._unread() or self._transport.is_closing():
            self._transport.close()
            return
        if self._transport.can_write_eof():  # not with TLS; there the answer's length is its end
            self._transport.write_eof()
        if not self._transport.is_reading():
            self._transport.resume_reading()
        self._loop.call_later(LINGER_SECONDS, self._transport.close)

    def abort(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._closing = True
        self._transport.abort()

    def is_closing(self) -> bool:
        """Tell whether nothing more will be answered."""
        return self._closing or self._transport.is_closing()

    def drop(self, data: bytes) -> None:
        """Take note of data that came too late."""
        self._dropped += len(data)
        if self._dropped > LINGER_BYTES:
            self._transport.close()
