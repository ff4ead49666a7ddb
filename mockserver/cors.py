"""Which web pages may use the API from a browser (CORS, the Fetch standard): those of a list of origins, or none."""

from collections.abc import Iterable

from mockserver.requests import Scope

Headers = list[tuple[bytes, bytes]]

_VARY = (b"vary", b"Origin")
_EXPOSED = (
    b"access-control-expose-headers",
    b"Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id",
)
_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, Prefer"),
    (b"access-control-max-age", b"600"),
]


class Cors:
    """The header fields for pages of these origins. Credentials of a browser are never asked for: tokens are sent."""

    def __init__(self, origins: Iterable[bytes]) -> None:
        self._origins = frozenset(origins)

    def of(self, scope: Scope) -> Headers:
        """Give what belongs on the answer to a request."""
        origin = _field(scope, b"origin")
        if origin not in self._origins:
            return [_VARY]
        return [(b"access-control-allow-origin", origin), _VARY, _EXPOSED]

    def preflight(self, scope: Scope) -> Headers | None:
        """Give what a browser wants to know before it sends a request; None if this is no such question."""
        if scope["method"] != "OPTIONS" or not _field(scope, b"access-control-request-method"):
            return None
        return _PREFLIGHT if _field(scope, b"origin") in self._origins else None


def _field(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")
