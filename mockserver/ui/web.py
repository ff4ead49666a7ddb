"""A request for the page and its answer: what is read of the one, and the header fields that are on every other."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlsplit

from mockserver.errors import FromAnotherSite

BASE = "/_mock/ui"
MAX_FORM = 16384  # bytes
MOST_FIELDS = 50

Headers = list[tuple[bytes, bytes]]

# No inline script or style, nothing from elsewhere, no frame around it.
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Headers = [
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),  # with no-referrer, a browser's forms would come from the origin `null`
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class FormRefused(FromAnotherSite):
    """A form without the token that this page puts into its forms, or sent by a page of another site."""

    code = "FORM_REFUSED"
    message = "This form is too old, or not of this page. Go back, reload, and send it again."


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `form` has what a POST sent, `address` who sent it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    address: str
    is_tls: bool
    form: Mapping[str, list[str]] = field(default_factory=dict, repr=False)

    @property
    def is_partial(self) -> bool:
        """Tell whether htmx asks, which wants a part of the page."""
        return b"hx-request" in self.headers

    @property
    def origin(self) -> str:
        """The address under which the mock was asked, for commands to copy."""
        host = self.headers.get(b"host", b"localhost").decode("latin-1")
        return f"{'https' if self.is_tls else 'http'}://{host}"

    def cookie(self, name: str) -> str:
        """Give a cookie, or nothing."""
        try:
            found = SimpleCookie(self.headers.get(b"cookie", b"").decode("latin-1")).get(name)
        except CookieError:
            return ""
        return found.value if found else ""

    def sent(self, name: str) -> str:
        """Give a field of the form, or nothing."""
        return self.form.get(name, [""])[0]

    def check_origin(self) -> None:
        """Refuse what a browser says that a page of another site sent; FormRefused."""
        if self.headers.get(b"sec-fetch-site", b"same-origin") != b"same-origin":
            raise FormRefused
        origin = self.headers.get(b"origin")
        if origin is not None and urlsplit(origin.decode("latin-1")).netloc != self._host():
            raise FormRefused

    def check_form(self, token: str) -> None:
        """Refuse a form without this token; FormRefused."""
        if not token or not hmac.compare_digest(self.sent("form_token").encode(), token.encode()):
            raise FormRefused

    def _host(self) -> str:
        return self.headers.get(b"host", b"").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `headers` are those beside the ones that every answer has."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)

    def all_headers(self) -> Headers:
        """Give the header fields of a page: nothing of it may be kept, unless it says otherwise itself."""
        own = self.headers if any(name == b"cache-control" for name, _ in self.headers) else [*self.headers, NO_STORE]
        return [*own, *HEADERS]


NO_STORE = (b"cache-control", b"no-store")
HTML = (b"content-type", b"text/html; charset=utf-8")


def redirect(path: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Send the browser to another page, with GET."""
    return Answer(303, b"", [(b"location", (BASE + path).encode()), *headers])


def read_query(raw: bytes) -> dict[str, str]:
    """Give a query's parameters; of one that is there twice the last."""
    return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=None)[:MOST_FIELDS])


def read_form(raw: bytes) -> dict[str, list[str]]:
    """Give a form's fields."""
    form: dict[str, list[str]] = {}
    for name, value in parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True)[:MOST_FIELDS]:
        form.setdefault(name, []).append(value)
    return form


def set_cookie(name: str, value: str, seconds: int, *, is_tls: bool) -> tuple[bytes, bytes]:
    """Give the header field of a cookie that scripts cannot read and other sites do not send; 0 seconds removes it."""
    parts = [f"{name}={value}", f"Path={BASE}", f"Max-Age={seconds}", "HttpOnly", "SameSite=Strict"]
    return b"set-cookie", "; ".join([*parts, "Secure"] if is_tls else parts).encode()
