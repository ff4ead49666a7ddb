"""Who is signed in, kept in the browser alone: a cookie sealed under the mock's key, so that any replica can read it.

A session names its token by digest and is good as long as that token is, and for eight hours at most: rotating,
suspending or deleting an environment ends it. Signing out only takes the cookie out of the browser.
"""

import base64
import binascii
import hmac
import ipaddress
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import orjson

from mockserver.control import Control
from mockserver.redaction import BadKey
from mockserver.ui.web import Asked, set_cookie

COOKIE = "trunkmock_session"
FORM_COOKIE = "trunkmock_form"
SECONDS = 8 * 3600
PURPOSE = b"session of the page"
LONGEST_TOKEN = 1000  # characters
ATTEMPTS_BY_ADDRESS = 10  # a minute
ATTEMPTS = 100  # a minute, from everywhere


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who may use the page: the operator if `environment` is None, else that environment's partner.

    `form_token` is what their forms must have; `signed_in` is false for whoever needs no sign-in.
    """

    environment: str | None
    form_token: str
    signed_in: bool = True

    @property
    def is_operator(self) -> bool:
        """Tell whether it is the operator's."""
        return self.environment is None

    def sees(self, environment: str) -> bool:
        """Tell whether this environment may be shown."""
        return self.environment in (None, environment)


class Sessions:
    """Opens and closes sessions of one mock; `now` gives seconds since the epoch."""

    def __init__(self, control: Control, now: Callable[[], float]) -> None:
        self._control = control
        self._now = now

    async def find(self, asked: Asked) -> Session | None:
        """Give the session that a request belongs to; without a control token, everybody here is the operator."""
        session = await self._read(asked.cookie(COOKIE))
        if session is None and self._control.token is None:
            return Session(None, asked.cookie(FORM_COOKIE), signed_in=False)
        return session

    async def sign_in(self, asked: Asked, token: str) -> tuple[Session, tuple[bytes, bytes]] | None:
        """Give the session of this token and its cookie; None for a token that is nobody's."""
        token = token.strip()
        if len(token) > LONGEST_TOKEN:
            return None
        digest = sha256(token.encode("utf-8", "replace")).digest()
        environment = await self._environment(digest)
        if environment is None and not self._is_control(digest):
            return None
        session = Session(environment, secrets.token_urlsafe(24))
        return session, set_cookie(COOKIE, self._seal(session, digest), SECONDS, is_tls=asked.is_tls)

    def _seal(self, session: Session, digest: bytes) -> str:
        members = [session.environment, session.form_token, digest.hex(), int(self._now()) + SECONDS]
        return _written(self._control.seal.lock(orjson.dumps(members), PURPOSE))

    async def _read(self, cookie: str) -> Session | None:
        if not cookie:
            return None
        try:
            box = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
            if _written(box) != cookie:  # the last character has bits that decoding passes over
                return None
            environment, form_token, digest, end = orjson.loads(self._control.seal.unlock(box, PURPOSE))
        except (BadKey, binascii.Error, ValueError):
            return None
        if self._now() >= end or not await self._is_good(environment, bytes.fromhex(digest)):
            return None
        return Session(environment, form_token)

    async def _is_good(self, environment: str | None, digest: bytes) -> bool:
        if environment is None:
            return self._is_control(digest)
        return await self._environment(digest) == environment

    async def _environment(self, digest: bytes) -> str | None:
        found = await self._control.environments.find_digest(digest)
        return found.name if found and not found.is_suspended else None

    def _is_control(self, digest: bytes) -> bool:
        token = self._control.token
        return token is not None and hmac.compare_digest(sha256(token.encode()).digest(), digest)


def _written(box: bytes) -> str:
    return base64.urlsafe_b64encode(box).decode().rstrip("=")


class Attempts:
    """Counts tries to sign in, in each minute of a clock in seconds: by address and in all. Of this process alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._minute = 0
        self._by_address: Counter[str] = Counter()

    def count(self, address: str) -> int:
        """Count a try; give 0 if it may go on, else the seconds to wait."""
        now = self._clock()
        if int(now // 60) != self._minute:
            self._minute = int(now // 60)
            self._by_address.clear()
        key = _network(address)
        if self._by_address.total() >= ATTEMPTS or self._by_address[key] >= ATTEMPTS_BY_ADDRESS:
            return 60 - int(now % 60)
        self._by_address[key] += 1
        return 0


def _network(address: str) -> str:
    """Give what counts as one sender: an IPv4 address, or the /64 that an IPv6 host can choose from."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found) if found.version == 4 else str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
