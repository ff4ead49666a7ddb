"""Environments: the token that names one, its plan, and what it may have: the interface, and those in memory.

Tokens are kept as SHA-256 digests only, except the built-in ones, which are public and refused outside loopback.
"""

import hmac
import re
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from mockserver.errors import EnvironmentAlreadyExists, EnvironmentNotFound

# Requests a minute by plan, 0 = unlimited (documented for the first two; "custom" for the third).
PLANS = {"standard": 100, "professional": 1000, "enterprise": 0}

TOKEN_PREFIX = "talq_"  # noqa: S105 - the documented prefix, no token
_TOKEN = re.compile(r"talq_[A-Za-z0-9._~+/=-]{1,500}")  # RFC 6750, section 2.1, with the documented prefix
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


OPTIONAL: Mapping[str, str] = {
    "requests_per_minute": "a whole number, 0 for unlimited",
    "max_trunks": "a whole number, 0 for unlimited",
    "journal_entries": "a whole number, 0 for none",
    "idle_seconds": "a whole number, 0 for an environment that stays",
}
"""What an environments file may leave out, and what it must be if it is there."""


class BadEnvironments(ValueError):
    """An environments file that cannot be used. The message names the place and the rule, never a token."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment: everything but its token.

    0 is no limit of `requests_per_minute` and `max_trunks`, and of `idle_seconds` it is no end: after so many without a
    request the environment goes. `journal_entries` of None is as many as the mock keeps of any environment. `scenario`
    is the name of the one that was started last and not ended.
    """

    name: str
    plan: str
    allow_custom_sip_trunks: bool
    requests_per_minute: int
    max_trunks: int = 0
    journal_entries: int | None = None
    idle_seconds: int = 0
    is_suspended: bool = False
    scenario: str | None = None


BUILT_IN: Mapping[str, Environment] = {
    "talq_your_environment_token_here": Environment("first", "enterprise", True, 0),
    "talq_another_environment_token_here": Environment("second", "enterprise", True, 0),
    "talq_token_without_the_feature_here": Environment("without-feature", "standard", False, 0),
}
"""The environments for development. The first token is the one that the documentation's example shows."""


_NOBODY: tuple[bytes, None] = (bytes(32), None)

# What is done between the end of an environment and the moment from which another one may have its name.
Empty = Callable[[], Awaitable[None]]


class Environments(Protocol):
    """The environments there are, and which one a token names. Every method may raise ServiceUnavailable."""

    async def names(self) -> list[str]:
        """Give the environments' names, in the order in which they were added."""

    async def get(self, name: str) -> Environment | None:
        """Give the environment of this name."""

    async def add(self, token: str, environment: Environment) -> None:
        """Add an environment; EnvironmentAlreadyExists."""

    async def change(self, name: str, change: Callable[[Environment], Environment]) -> Environment:
        """Replace an environment by what `change` makes of it, atomically, and give that; EnvironmentNotFound."""

    async def remove(self, name: str, empty: Empty, *, if_idle: bool = False) -> bool:
        """Forget an environment and its tokens, or only if nobody has used it for too long; tell whether it went."""

    async def rotate(self, name: str, token: str) -> None:
        """Let this token be the only one, and none that was before be good ever again; EnvironmentNotFound."""

    async def revoke(self, name: str) -> None:
        """Let no token of the environment be good until `restore` or `rotate`."""

    async def restore(self, name: str) -> None:
        """Let its revoked tokens be good again."""

    async def find(self, token: bytes) -> Environment | None:
        """Give the token's environment, which has been seen now; None, in a time that tells nothing of a token."""

    async def find_digest(self, digest: bytes) -> Environment | None:
        """Give the environment that a token of this digest names now, which does not count as a use."""

    async def find_revoked(self, token: bytes) -> Environment | None:
        """Give the environment that a token named before it was revoked or rotated."""

    async def last_seen(self, name: str) -> float | None:
        """Tell when somebody last used it, in seconds since the epoch; it may be some seconds later."""

    async def idle(self) -> list[str]:
        """Give the names of those that nobody has used for too long."""

    async def is_due(self) -> bool:
        """Tell whether it is this replica's turn to look for idle ones."""


MOST_ROTATED = 10  # former tokens of an environment that are still known to be its own


class MemoryEnvironments:
    """The environments in memory. No method waits for anything."""

    def __init__(self, by_token: Iterable[tuple[str, Environment]] = (), now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._by_digest: dict[bytes, tuple[bytes, Environment]] = {}
        self._by_name: dict[str, Environment] = {}
        self._revoked: dict[bytes, str] = {}
        self._rotated: dict[bytes, str] = {}
        self._seen: dict[str, float] = {}
        for token, environment in by_token:
            self._register(digest_of(token), environment)

    @property
    def registered(self) -> list[tuple[bytes, Environment]]:
        """The digests of all tokens, and the environment of each."""
        return list(self._by_digest.values())

    @property
    def names_at_once(self) -> list[str]:
        """The same as `names`, for a caller that cannot wait."""
        return list(self._by_name)

    def _register(self, digest: bytes, environment: Environment) -> None:
        self._by_digest[digest] = (digest, environment)
        self._by_name[environment.name] = environment
        self._seen.setdefault(environment.name, self._now())

    def _digests(self, name: str) -> list[bytes]:
        return [digest for digest, environment in self._by_digest.values() if environment.name == name]

    async def names(self) -> list[str]:
        """Give the environments' names, in the order in which they were added."""
        return list(self._by_name)

    async def get(self, name: str) -> Environment | None:
        """Give the environment of this name."""
        return self._by_name.get(name)

    async def add(self, token: str, environment: Environment) -> None:
        """Add an environment; EnvironmentAlreadyExists."""
        if environment.name in self._by_name:
            raise EnvironmentAlreadyExists
        self._register(digest_of(token), environment)

    async def change(self, name: str, change: Callable[[Environment], Environment]) -> Environment:
        """Replace an environment by what `change` makes of it, and give that; EnvironmentNotFound."""
        if name not in self._by_name:
            raise EnvironmentNotFound
        changed = self._by_name[name] = change(self._by_name[name])
        for digest in self._digests(name):
            self._by_digest[digest] = (digest, changed)
        return changed

    async def remove(self, name: str, empty: Empty, *, if_idle: bool = False) -> bool:
        """Forget an environment and its tokens, or only if nobody has used it for too long; tell whether it went."""
        if name not in self._by_name or (if_idle and name not in await self.idle()):
            return False
        for digest in self._digests(name):
            del self._by_digest[digest]
        for former in (self._revoked, self._rotated):
            for digest in [digest for digest, owner in former.items() if owner == name]:
                del former[digest]
        del self._by_name[name], self._seen[name]
        await empty()
        return True

    async def rotate(self, name: str, token: str) -> None:
        """Let this token be the only one, and none that was before be good ever again; EnvironmentNotFound."""
        if name not in self._by_name:
            raise EnvironmentNotFound
        await self.revoke(name)
        for digest in [digest for digest, owner in self._revoked.items() if owner == name]:
            self._rotated[digest] = self._revoked.pop(digest)
        for digest in [digest for digest, owner in self._rotated.items() if owner == name][:-MOST_ROTATED]:
            del self._rotated[digest]
        self._register(digest_of(token), self._by_name[name])

    async def revoke(self, name: str) -> None:
        """Let no token of the environment be good until `restore` or `rotate`."""
        for digest in self._digests(name):
            del self._by_digest[digest]
            self._revoked[digest] = name

    async def restore(self, name: str) -> None:
        """Let its revoked tokens be good again."""
        for digest in [digest for digest, owner in self._revoked.items() if owner == name]:
            del self._revoked[digest]
            self._by_digest[digest] = (digest, self._by_name[name])

    async def find(self, token: bytes) -> Environment | None:
        """Give the token's environment or None, without telling by the time taken how much of a token is right.

        The look-up is by digest, whose bytes nobody can steer; the comparison takes the same time wherever it differs.
        """
        digest = sha256(token).digest()
        known, environment = self._by_digest.get(digest, _NOBODY)
        if environment is None or not hmac.compare_digest(known, digest):
            return None
        self._seen[environment.name] = self._now()
        return environment

    async def find_digest(self, digest: bytes) -> Environment | None:
        """Give the environment that a token of this digest names now, which does not count as a use."""
        known, environment = self._by_digest.get(digest, _NOBODY)
        return environment if hmac.compare_digest(known, digest) else None

    async def find_revoked(self, token: bytes) -> Environment | None:
        """Give the environment that a token named before it was revoked or rotated."""
        digest = sha256(token).digest()
        name = self._revoked.get(digest) or self._rotated.get(digest)
        return self._by_name.get(name) if name else None

    async def last_seen(self, name: str) -> float | None:
        """Tell when somebody last used it, in seconds since the epoch."""
        return self._seen.get(name)

    async def idle(self) -> list[str]:
        """Give the names of those that nobody has used for too long."""
        now = self._now()
        return [
            name for name, it in self._by_name.items() if it.idle_seconds and now - self._seen[name] > it.idle_seconds
        ]

    async def is_due(self) -> bool:
        """There is no other replica."""
        return True


def digest_of(token: str) -> bytes:
    """Give what is kept of a token."""
    return sha256(token.encode()).digest()


def built_in() -> MemoryEnvironments:
    """Give the environments for development, all of them unlimited."""
    return MemoryEnvironments(BUILT_IN.items())


def load(path: Path) -> MemoryEnvironments:
    """Read a TOML file with a list `[[environments]]`; BadEnvironments if it breaks a rule, OSError if unreadable."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except UnicodeDecodeError:
        raise BadEnvironments("is not text in UTF-8") from None
    except (ValueError, RecursionError) as error:  # the parser's own, a number too long, a list too deep
        place = re.search(r"\(at [^()]*\)$", str(error))  # the rest of the message may quote the file
        raise BadEnvironments(f"is not TOML {place[0] if place else ''}".rstrip()) from None
    tables = document.get("environments")
    if document.keys() != {"environments"} or not isinstance(tables, list) or not tables:
        raise BadEnvironments("must have a list [[environments]] and nothing else")
    entries = [_entry(number, table) for number, table in enumerate(tables, 1)]
    _refuse_twins("name", [environment.name for _, environment in entries])
    _refuse_twins("token", [token for token, _ in entries])
    return MemoryEnvironments(entries)


def _entry(number: int, table: Any) -> tuple[str, Environment]:
    if not isinstance(table, dict):
        raise BadEnvironments(f"environment {number} must be a table")
    rules: Mapping[str, Callable[[Any], object]] = {
        "name": lambda it: isinstance(it, str) and _NAME.fullmatch(it),
        "token": lambda it: isinstance(it, str) and _TOKEN.fullmatch(it),
        "plan": lambda it: isinstance(it, str) and it in PLANS,
        "allow_custom_sip_trunks": lambda it: isinstance(it, bool),
        **{name: lambda it: type(it) is int and it >= 0 for name in OPTIONAL},
    }
    says = {
        "name": "1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first",
        "token": "talq_ and 1 to 500 letters, digits and . _ ~ + / = -",
        "plan": "one of " + ", ".join(PLANS),
        "allow_custom_sip_trunks": "true or false",
        **OPTIONAL,
    }
    if unknown := table.keys() - rules.keys():
        raise BadEnvironments(f"environment {number} has {len(unknown)} unknown key(s); known are {', '.join(rules)}")
    for key, holds in rules.items():
        if key not in table and key in OPTIONAL:
            continue
        if key not in table or not holds(table[key]):
            raise BadEnvironments(f"environment {number}: {key} must be {says[key]}")
    members = {"requests_per_minute": PLANS[table["plan"]], **table}
    return members.pop("token"), Environment(**members)


def _refuse_twins(key: str, values: list[str]) -> None:
    seen: dict[str, int] = {}
    for number, value in enumerate(values, 1):
        if value in seen:
            raise BadEnvironments(f"environments {seen[value]} and {number} have the same {key}")
        seen[value] = number
