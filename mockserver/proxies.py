"""What a proxy in front of the mock says of its client: believed only of addresses that are trusted."""

import functools
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from mockserver.requests import REQUEST_ID, Receive, Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class TrustedProxies:
    """An ASGI app before another one, to which it names the client, the scheme and the request's id.

    Each proxy adds the address that it was called from at the end of `X-Forwarded-For`. What stands to the left of an
    address that is not trusted may be anybody's invention.
    """

    def __init__(self, app: App, trusted: Iterable[Network]) -> None:
        self._app = app
        self._trusted = tuple(trusted)
        self._trusts = functools.lru_cache(maxsize=1024)(self._look_up)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        peer = scope.get("client")
        if peer and self._trusts(peer[0]):
            self._heed(scope)
        await self._app(scope, receive, send)

    def _look_up(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)

    def _heed(self, scope: Scope) -> None:
        for address in _from_the_right(_values(scope, b"x-forwarded-for")):
            if _parsed(address) is None:
                break
            scope["client"] = (address, 0)
            if not self._trusts(address):
                break
        for scheme in _from_the_right(_values(scope, b"x-forwarded-proto")):
            if scheme in ("http", "https"):
                scope["scheme"] = scheme
            break
        ids = _values(scope, b"x-request-id")
        if len(ids) == 1 and _REQUEST_ID.fullmatch(ids[0]):
            scope[REQUEST_ID] = ids[0].decode()


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def _from_the_right(values: list[bytes]) -> Iterator[str]:
    for part in reversed(b",".join(values).decode("latin-1").split(",")):
        yield part.strip(" \t")


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
