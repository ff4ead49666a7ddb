"""Sockets and signals: a server that binds before it starts, says when it answers, and ends at once."""

import asyncio
import contextlib
import ctypes
import functools
import gc
import ipaddress
import signal
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import Server as UvicornServer

from mockserver.edge import Bounds, Doors, Edge

CALL_SECONDS = 10.0
HANDSHAKE_SECONDS = 0.1  # for connections that are half made when nobody more is let in
SPARE_FILES = 128  # open files that are no connections of clients
LAST_IDLE_SECONDS = 3.0  # without a request, after which a connection is not used again; more than a balancer's own
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CannotListen(Exception):
    """The address is taken, not of this machine, or no address at all. Says why."""


def is_loopback(host: str) -> bool:
    """Tell whether an address (as the resolver gives it) can be reached from this machine only."""
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """Give the socket addresses of a host name or address; CannotListen."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise CannotListen("no such host") from None
    return [(family, address) for family, _, _, _, address in found]


def listen(family: socket.AddressFamily, address: tuple[Any, ...], *, is_one_of_many: bool = False) -> socket.socket:
    """Give a listening socket, perhaps one of many on its address; CannotListen."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_one_of_many:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.listen(2048)
    except OSError as error:
        sock.close()
        raise CannotListen((error.strerror or "cannot be listened on").lower()) from None
    sock.setblocking(False)
    return sock


def settle() -> None:
    """Let the garbage collector of a process that only serves pass over what is there now.

    That stays, and a request leaves no cycles: looking through it all again and again costs a tenth. Among many trunks
    everybody would have to wait for a look at all of them; so one takes in 200,000 new objects at the most.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10_000)


def tls_context(certificates: Path, key: Path) -> ssl.SSLContext:
    """Give what serves TLS with these files in PEM; OSError or ssl.SSLError if they are no good."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # A key under a password would make OpenSSL ask for it on the terminal.
    context.load_cert_chain(certificates, key, password=lambda: "")
    return context


def turn_away(sock: socket.socket) -> None:
    """Let in no new connection, while those that are half made may still be completed; Linux knows how.

    What is in a listening socket's queue when that closes is reset, whatever its client has sent. A filter (BPF) drops
    new SYN segments instead, and their clients find the port closed when they try once more.
    """
    program = (
        (0x30, 0, 0, 13),  # load the byte of flags
        (0x54, 0, 0, 0x12),  # SYN and ACK
        (0x15, 0, 1, 0x02),  # SYN alone?
        (0x06, 0, 0, 0),  # drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # else take it as a whole
    )
    steps = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", len(program), ctypes.addressof(steps)))


def room_for(connections: int) -> int:
    """Let the process have so many connections, and give how many it may have, 0 for any number."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return connections
    wanted = connections + SPARE_FILES if connections else hard
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if wanted > soft:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    most = max(soft - SPARE_FILES, 1)
    return min(connections, most) if connections else most


class Server(UvicornServer):
    """A uvicorn server on one socket that calls `ready` once it answers.

    Its end waits for nobody, unless it has seconds to drain: then it lets in nobody more, answers what has been asked,
    and closes each connection when no request can come on it any more. Ctrl-C, or a second SIGTERM, waits for nobody.
    """

    def __init__(
        self,
        app: Any,
        bounds: Bounds,
        ready: Callable[[], None],
        *,
        tls: ssl.SSLContext | None = None,
        drain_seconds: float = 0.0,
    ) -> None:
        self.doors = Doors(bounds)
        self._drain_seconds = drain_seconds
        super().__init__(
            Config(
                app,
                http=functools.partial(Edge, doors=self.doors),  # type: ignore[arg-type]
                ssl_context_factory=(lambda *_: tls) if tls else None,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                log_level="warning",
            )
        )
        self._ready = ready
        self._end = asyncio.Event()
        self._end_at_once = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the doors."""
        await self.on_tick(0)  # makes the Date field of the first answers
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._ready()

    def end(self) -> None:
        """End, from whichever thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended already
            self._loop.call_soon_threadsafe(self._note_end)

    def _note_end(self, number: int = signal.SIGTERM) -> None:
        if number == signal.SIGINT or self._end.is_set():
            self._end_at_once.set()
        self._end.set()

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine between two requests, and give what it gives; for another thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(CALL_SECONDS)

    async def main_loop(self) -> None:
        """Wait for the end; the Date field is renewed meanwhile."""
        while not self._end.is_set():
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close everything, whoever is still talking after the time to drain."""
        if self._drain_seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drain(sockets or []), self._drain_seconds)
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for connection in self._edges():
            connection.give_up()

    async def _drain(self, sockets: list[socket.socket]) -> None:
        self.doors.is_closing = True
        for connection in self._edges():
            connection.finish()
        for sock in sockets:
            turn_away(sock)
        await self._pause(HANDSHAKE_SECONDS)
        for server in self.servers:
            server.close()
        while not self._end_at_once.is_set() and (connections := self._edges()):
            for connection in connections:
                if connection.idle_seconds() > LAST_IDLE_SECONDS:
                    connection.transport.close()
            await self._pause(0.05)

    def _edges(self) -> list[Edge]:
        return cast(list[Edge], list(self.server_state.connections))

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._end_at_once.wait(), seconds)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on Ctrl-C and SIGTERM, without uvicorn's raising them again afterwards; not in a thread of its own."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = {
            number: signal.signal(number, lambda it, _: loop.call_soon_threadsafe(self._note_end, it))
            for number in _SIGNALS
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
