"""What a request must be before anybody looks at its body: its credentials, its media type, its size.

Sources: RFC 9110 (fields, media types), RFC 6750 (bearer tokens), the API's *Authentication* page.
"""

import functools
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from mockserver.environments import Environment, Environments
from mockserver.errors import BadRequest, PayloadTooLarge, Refusal, Unauthenticated, UnsupportedMediaType

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

REFUSAL = "trunkmock.refusal"
"""The scope's key under which the HTTP edge leaves what it found wrong with a request."""

REQUEST_ID = "trunkmock.request-id"
"""The scope's key under which a request has an id that a proxy gave it."""

ENDLESS = "trunkmock.endless"
"""The scope's key under which an answer says that it goes on until somebody ends it."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110, section 5.6.2: tchar
_MEDIA_TYPE = re.compile(rf"({_TOKEN}/{_TOKEN})[ \t]*(;.*)?")  # section 8.3.1
# Section 5.6.6. Blanks around "=" are not allowed; an empty parameter is.
_PARAMETER = re.compile(rf';[ \t]*(?:({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*"))?[ \t]*')
_UTF_8 = {"utf-8", "utf8"}


class ClientGone(Exception):
    """The client went away before its request was complete; nobody waits for an answer."""


class BearerTokens:
    """What Connexion's security map has for the contract's bearer scheme."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments

    def get_fn(self, _scheme: object, _scopes: object) -> Callable[[bytes | None], Awaitable[Environment]]:
        """Give the function that turns an Authorization header into its environment."""
        return self.environment

    async def environment(self, authorization: bytes | None) -> Environment:
        """Give the environment; Unauthenticated for any other scheme, form, prefix or token."""
        token = bearer_token(authorization)
        environment = await self._environments.find(token) if token else None
        if environment is None:
            raise Unauthenticated
        return environment


def bearer_token(authorization: bytes | None) -> bytes | None:
    """Give the token in an Authorization header (RFC 6750, section 2.1); None if it is not of the bearer scheme."""
    if not authorization:
        return None
    scheme, _, token = authorization.partition(b" ")
    return token.lstrip(b" ") if scheme.lower() == b"bearer" else None  # RFC 9110, section 11.1: in whatever case


def single_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Give the headers by name; a refusal where two contradict each other."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found:
            if name == b"authorization":
                raise Unauthenticated
            if name == b"content-type":
                raise UnsupportedMediaType
            if name == b"host":
                raise BadRequest  # RFC 9112, section 3.2
        found[name] = value
    return found


def check_media_type(headers: dict[bytes, bytes], allowed: frozenset[str]) -> None:
    """Refuse a body that is not declared as one of the contract's media types, in UTF-8 and not compressed."""
    if media_type(headers.get(b"content-type", b"")) not in allowed:
        raise UnsupportedMediaType
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMediaType


@functools.lru_cache(maxsize=32)
def media_type(declared: bytes) -> str | None:
    """Give the media type of a Content-Type in lower case; None if it is malformed or its charset is not UTF-8."""
    match = _MEDIA_TYPE.fullmatch(declared.decode("latin-1").strip(" \t"))
    if match is None:
        return None
    parameters, end = match[2] or "", 0
    while end < len(parameters):
        parameter = _PARAMETER.match(parameters, end)
        if parameter is None:
            return None
        if (parameter[1] or "").lower() == "charset" and parameter[2].strip('"').lower() not in _UTF_8:
            return None
        end = parameter.end()
    return match[1].lower()


async def read_body(scope: Scope, receive: Receive, headers: dict[bytes, bytes], max_body: int) -> bytes:
    """Read the body; PayloadTooLarge as soon as it is known to be, ClientGone if it breaks off."""
    if b"content-length" in headers:
        if int(headers[b"content-length"]) > max_body:
            raise PayloadTooLarge
    elif headers.get(b"transfer-encoding", b"chunked").lower() != b"chunked":
        raise BadRequest  # RFC 9112, section 6.1: a coding that nobody here can undo
    message = await receive()
    body: bytes = message.get("body", b"")
    while message["type"] == "http.request" and len(body) <= max_body:
        if not message.get("more_body"):
            return body
        _heed_the_edge(scope)
        message = await receive()
        body += message.get("body", b"")
    if len(body) > max_body:
        raise PayloadTooLarge
    raise ClientGone


def _heed_the_edge(scope: Scope) -> None:
    refusal: Refusal | None = scope.get(REFUSAL)
    if refusal is not None:
        raise refusal
