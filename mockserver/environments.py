"""Environments: the token that names one, its plan, and how many requests a minute it may make.

Tokens are kept as SHA-256 digests only, except the built-in ones, which are public and refused outside loopback.
"""

import hmac
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

# Requests a minute by plan, 0 = unlimited (documented for the first two; "custom" for the third).
PLANS = {"standard": 100, "professional": 1000, "enterprise": 0}

TOKEN_PREFIX = "talq_"  # noqa: S105 - the documented prefix, no token
_TOKEN = re.compile(r"talq_[A-Za-z0-9._~+/=-]{1,500}")  # RFC 6750, section 2.1, with the documented prefix
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class BadEnvironments(ValueError):
    """An environments file that cannot be used. The message names the place and the rule, never a token."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment: everything but its token. `requests_per_minute` of 0 is unlimited."""

    name: str
    plan: str
    allow_custom_sip_trunks: bool
    requests_per_minute: int


BUILT_IN: Mapping[str, Environment] = {
    "talq_your_environment_token_here": Environment("first", "enterprise", True, 0),
    "talq_another_environment_token_here": Environment("second", "enterprise", True, 0),
    "talq_token_without_the_feature_here": Environment("without-feature", "standard", False, 0),
}
"""The environments for development. The first token is the one that the documentation's example shows."""


_NOBODY: tuple[bytes, None] = (bytes(32), None)


class Environments:
    """The environments there are, and which one a token names."""

    def __init__(self, by_token: Iterable[tuple[str, Environment]]) -> None:
        self._by_digest: dict[bytes, tuple[bytes, Environment]] = {}
        self._by_name: dict[str, Environment] = {}
        self._revoked: dict[bytes, Environment] = {}
        for token, environment in by_token:
            self.add(token, environment)

    @property
    def names(self) -> list[str]:
        """The environments' names, in the order in which they were added."""
        return list(self._by_name)

    def get(self, name: str) -> Environment | None:
        """Give the environment of this name."""
        return self._by_name.get(name)

    def add(self, token: str, environment: Environment) -> None:
        """Add an environment, or one more token of one that is there."""
        digest = sha256(token.encode()).digest()
        self._by_digest[digest] = (digest, environment)
        self._by_name[environment.name] = environment

    def remove(self, name: str) -> None:
        """Forget an environment and its tokens."""
        self.revoke(name)
        self._revoked = {digest: it for digest, it in self._revoked.items() if it.name != name}
        del self._by_name[name]

    def revoke(self, name: str) -> None:
        """Let no token of the environment be good any longer."""
        for digest, (_, environment) in list(self._by_digest.items()):
            if environment.name == name:
                del self._by_digest[digest]
                self._revoked[digest] = environment

    def restore(self, name: str) -> None:
        """Let its revoked tokens be good again."""
        for digest, environment in list(self._revoked.items()):
            if environment.name == name:
                del self._revoked[digest]
                self._by_digest[digest] = (digest, environment)

    def find_revoked(self, token: bytes) -> Environment | None:
        """Give the environment that a token named before it was revoked."""
        return self._revoked.get(sha256(token).digest())

    def find(self, token: bytes) -> Environment | None:
        """Give the token's environment or None, without telling by the time taken how much of a token is right.

        The look-up is by digest, whose bytes nobody can steer; the comparison takes the same time wherever it differs.
        """
        digest = sha256(token).digest()
        known, environment = self._by_digest.get(digest, _NOBODY)
        return environment if hmac.compare_digest(known, digest) else None


def built_in() -> Environments:
    """Give the environments for development, all of them unlimited."""
    return Environments(BUILT_IN.items())


def load(path: Path) -> Environments:
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
    return Environments(entries)


def _entry(number: int, table: Any) -> tuple[str, Environment]:
    if not isinstance(table, dict):
        raise BadEnvironments(f"environment {number} must be a table")
    rules: Mapping[str, Callable[[Any], object]] = {
        "name": lambda it: isinstance(it, str) and _NAME.fullmatch(it),
        "token": lambda it: isinstance(it, str) and _TOKEN.fullmatch(it),
        "plan": lambda it: isinstance(it, str) and it in PLANS,
        "allow_custom_sip_trunks": lambda it: isinstance(it, bool),
        "requests_per_minute": lambda it: type(it) is int and it >= 0,
    }
    says = {
        "name": "1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first",
        "token": "talq_ and 1 to 500 letters, digits and . _ ~ + / = -",
        "plan": "one of " + ", ".join(PLANS),
        "allow_custom_sip_trunks": "true or false",
        "requests_per_minute": "a whole number, 0 for unlimited",
    }
    if unknown := table.keys() - rules.keys():
        raise BadEnvironments(f"environment {number} has {len(unknown)} unknown key(s); known are {', '.join(rules)}")
    for key, holds in rules.items():
        if key not in table and key == "requests_per_minute":
            continue
        if key not in table or not holds(table[key]):
            raise BadEnvironments(f"environment {number}: {key} must be {says[key]}")
    limit = table.get("requests_per_minute", PLANS[table["plan"]])
    return table["token"], Environment(table["name"], table["plan"], table["allow_custom_sip_trunks"], limit)


def _refuse_twins(key: str, values: list[str]) -> None:
    seen: dict[str, int] = {}
    for number, value in enumerate(values, 1):
        if value in seen:
            raise BadEnvironments(f"environments {seen[value]} and {number} have the same {key}")
        seen[value] = number
