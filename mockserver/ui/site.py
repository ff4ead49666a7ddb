"""Ways to the pages, and who may go them.

`Site.answer` is the only door: it finds out who asks, holds every form against its token and its origin, and lets a
partner see no environment but their own, which then does not exist for them.
"""

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mockserver.audit import Action
from mockserver.control import Control
from mockserver.control_api import ControlApi
from mockserver.errors import (
    EnvironmentNotFound,
    FieldsRefused,
    FromAnotherSite,
    MethodNotAllowed,
    NotFound,
    Refusal,
    UnsupportedMediaType,
)
from mockserver.journal import NOBODY
from mockserver.requests import Receive, Scope, media_type, read_body, single_headers
from mockserver.ui import operator, pages, partner
from mockserver.ui.reasons import Reasons
from mockserver.ui.sessions import COOKIE, FORM_COOKIE, Attempts, Session, Sessions
from mockserver.ui.state import State
from mockserver.ui.views import View
from mockserver.ui.web import BASE, MAX_FORM, Answer, Asked, read_form, read_query, redirect, set_cookie

_FORM = "application/x-www-form-urlencoded"
_FORM_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
_FORM_SECONDS = 30 * 86400
_ENVIRONMENT = r"/environments/(?P<name>-|[A-Za-z0-9][A-Za-z0-9._-]{0,63})"


@dataclass(frozen=True, slots=True)
class _Way:
    """A path below `/_mock/ui`, and what answers there to which method; `for_operator` alone, or for a partner too."""

    pattern: re.Pattern[str]
    views: Mapping[str, Callable[..., Awaitable[Answer]]]
    for_operator: bool


def _way(path: str, *, for_operator: bool = False, **views: Callable[..., Awaitable[Answer]]) -> _Way:
    return _Way(re.compile(path), {name.upper(): view for name, view in views.items()}, for_operator)


_WAYS = (
    _way("/environments", for_operator=True, get=operator.environments, post=operator.create),
    _way(_ENVIRONMENT, get=partner.start),
    _way(_ENVIRONMENT + "/requests", get=partner.requests),
    _way(_ENVIRONMENT + r"/requests/(?P<request_id>[0-9a-z-]{1,64})", get=partner.request),
    _way(_ENVIRONMENT + "/trunks", get=partner.trunks),
    _way(_ENVIRONMENT + "/carrier", get=partner.carrier, post=partner.set_carrier),
    _way(_ENVIRONMENT + "/carrier/clear", post=partner.clear_carrier),
    _way(_ENVIRONMENT + "/report", get=partner.report),
    _way(_ENVIRONMENT + "/manage", for_operator=True, get=operator.manage),
    _way(_ENVIRONMENT + "/manage/scenario", for_operator=True, post=operator.scenario),
    _way(_ENVIRONMENT + "/manage/(?P<action>resume)", for_operator=True, post=operator.act),
    _way(
        _ENVIRONMENT + "/manage/(?P<action>rotate|suspend|reset|delete)",
        for_operator=True,
        get=operator.confirm,
        post=operator.act,
    ),
)


class Site:
    """The pages of one mock."""

    def __init__(
        self,
        api: ControlApi,
        control: Control,
        contract: Mapping[str, Any],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._api = api
        self._control = control
        self._state = State(api, control)
        self._reasons = Reasons(contract)
        self._sessions = Sessions(control, now)
        self._attempts = Attempts(now)

    async def answer(self, scope: Scope, receive: Receive, path: str, action: Action) -> Answer:
        """Answer a request to a path below `/_mock/ui`; `path` is as it was sent, `action` learns what it is about."""
        try:
            asked = await self._read(scope, receive, path.removeprefix(BASE))
            return await self._answer(asked, action)
        except Refusal as refusal:
            return self._refused(refusal)

    async def _read(self, scope: Scope, receive: Receive, path: str) -> Asked:
        headers = single_headers(scope["headers"])
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        form: dict[str, list[str]] = {}
        if method == "POST":
            if media_type(headers.get(b"content-type", b"")) != _FORM:
                raise UnsupportedMediaType
            form = read_form(await read_body(scope, receive, headers, MAX_FORM))
        client = scope.get("client")
        address = client[0] if client else ""
        query = read_query(scope.get("query_string", b""))
        return Asked(method, path, query, headers, address, scope.get("scheme") == "https", form)

    async def _answer(self, asked: Asked, action: Action) -> Answer:
        if asked.path.startswith("/static/"):
            return _only("GET", asked) or pages.asset(asked.path.removeprefix("/static/")) or _nothing()
        if self._control.token is None:
            self._api.admit({name: asked.headers[name] for name in (b"host",) if name in asked.headers})
        if asked.method == "POST":
            asked.check_origin()
        match asked.path:
            case "/sign-in":
                return await self._sign_in(asked, action)
            case "/sign-out":
                return await self._sign_out(asked)
        session = await self._sessions.find(asked)
        if session is None:
            return self._to_sign_in(asked)
        if asked.path in ("", "/"):
            return _only("GET", asked) or redirect(_home(session))
        _know(action, session)
        return await self._go(asked, session, action)

    async def _go(self, asked: Asked, session: Session, action: Action) -> Answer:
        for way in _WAYS:
            if match := way.pattern.fullmatch(asked.path):
                break
        else:
            raise NotFound
        found = match.groupdict()
        name = found.get("name", "")
        action.concerns(name or "-")
        if (way.for_operator and not session.is_operator) or (name and not session.sees(name)):
            raise EnvironmentNotFound if name else NotFound
        view = way.views.get(asked.method)
        if view is None:
            raise MethodNotAllowed(", ".join(way.views).encode())
        action.operation = f"page.{found.get('action') or view.__name__}"
        token, cookies = self._form_token(asked, session)
        if asked.method == "POST":
            asked.check_form(token)
        if name and not await self._state.exists(name):
            raise EnvironmentNotFound
        if name == NOBODY and "/requests" not in asked.path:
            raise EnvironmentNotFound
        answer = await view(View(asked, session, token, self._state, self._reasons, self._control), **found)
        return Answer(answer.status, answer.body, [*answer.headers, *cookies])

    def _form_token(self, asked: Asked, session: Session | None) -> tuple[str, list[tuple[bytes, bytes]]]:
        """Give what this browser's forms must have: the session's or, without one, what stands in a cookie."""
        if session is not None and session.signed_in:
            return session.form_token, []
        token = asked.cookie(FORM_COOKIE)
        if _FORM_TOKEN.fullmatch(token):
            return token, []
        if asked.method == "POST":
            return "", []
        token = secrets.token_urlsafe(24)
        return token, [set_cookie(FORM_COOKIE, token, _FORM_SECONDS, is_tls=asked.is_tls)]

    async def _sign_in(self, asked: Asked, action: Action) -> Answer:
        action.operation = "page.sign_in"
        token, cookies = self._form_token(asked, None)
        if asked.method == "GET":
            return self._sign_in_page(200, token, None, cookies)
        if asked.method != "POST":
            raise MethodNotAllowed(b"GET, POST")
        asked.check_form(token)
        if seconds := self._attempts.count(asked.address):
            wait = [(b"retry-after", b"%d" % seconds)]
            return self._sign_in_page(429, token, f"Too many tries. Wait {seconds} seconds, then try again.", wait)
        found = await self._sessions.sign_in(asked, asked.sent("token"))
        if found is None:
            return self._sign_in_page(403, token, "This token is not known here, or no longer good.", [])
        session, cookie = found
        _know(action, session)
        return redirect(_home(session), cookie)

    def _sign_in_page(self, status: int, token: str, problem: str | None, headers: list[tuple[bytes, bytes]]) -> Answer:
        page = pages.render(status, "sign_in.html", token, problem=problem)
        return Answer(status, page.body, [*page.headers, *headers])

    async def _sign_out(self, asked: Asked) -> Answer:
        if asked.method != "POST":
            raise MethodNotAllowed(b"POST")
        session = await self._sessions.find(asked)
        if session is not None:
            asked.check_form(self._form_token(asked, session)[0])
        return redirect("/sign-in", set_cookie(COOKIE, "", 0, is_tls=asked.is_tls))

    def _to_sign_in(self, asked: Asked) -> Answer:
        if asked.is_partial:
            return Answer(200, b"", [(b"hx-redirect", f"{BASE}/sign-in".encode())])
        return redirect("/sign-in")

    def _refused(self, refusal: Refusal) -> Answer:
        heading = {403: "Not sent", 404: "Nothing here", 405: "Not so", 413: "Too large"}.get(refusal.status, "Refused")
        message = refusal.sentence() if isinstance(refusal, FieldsRefused) else refusal.message
        if isinstance(refusal, FromAnotherSite):
            heading = "Refused"
        page = pages.render(refusal.status, "error.html", "", heading=heading, message=message)
        return Answer(page.status, page.body, [*page.headers, *refusal.headers])


def _know(action: Action, session: Session) -> None:
    """Note who it is."""
    action.by = "operator" if session.is_operator else "partner"
    if session.environment is not None:
        action.concerns(session.environment)


def _home(session: Session) -> str:
    return "/environments" if session.environment is None else f"/environments/{session.environment}/requests"


def _only(method: str, asked: Asked) -> Answer | None:
    if asked.method != method:
        raise MethodNotAllowed(method.encode())
    return None


def _nothing() -> Answer:
    raise NotFound
