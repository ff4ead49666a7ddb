"""Sockets and signals: a server that binds before it starts, says when it answers, and ends at once."""

import asyncio
import contextlib
import functools
import gc
import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.server import Server as UvicornServer

from mockserver.edge import Edge

CALL_SECONDS = 10.0
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


def listen(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    """Give a listening socket; CannotListen."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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


class Server(UvicornServer):
    """A uvicorn server on one socket that calls `ready` once it answers, and whose end waits for nobody."""

    def __init__(self, app: Any, max_body: int, ready: Callable[[], None]) -> None:
        super().__init__(
            Config(
                app,
                http=functools.partial(Edge, max_body=max_body),  # type: ignore[arg-type]
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

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the doors."""
        await self.on_tick(0)  # makes the Date field of the first answers
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._ready()

    def end(self) -> None:
        """End, from whichever thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended already
            self._loop.call_soon_threadsafe(self._end.set)

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
        """Close everything, whoever is still talking: a mock has nothing to lose."""
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        for connection in list(self.server_state.connections):
            cast(Edge, connection).give_up()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on Ctrl-C and SIGTERM, without uvicorn's raising them again afterwards; not in a thread of its own."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before = {
            number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(self._end.set)) for number in _SIGNALS
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
