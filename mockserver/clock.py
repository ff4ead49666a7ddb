"""What differs from run to run unless somebody says otherwise: the time, and the ids of what is made."""

import os
import time
from collections import Counter, deque
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

EARLIEST, LATEST = 0.0, 253402300799.0  # 1970 to 9999: what RFC 3339 and `time.gmtime` both can say


RANDOM_BYTES = 16
_random: deque[bytes] = deque()


def random_bytes() -> bytes:
    """Give 16 random bytes, for nobody else. A question to the operating system for many costs no more than for few."""
    while True:
        try:
            return _random.popleft()
        except IndexError:
            many = os.urandom(256 * RANDOM_BYTES)
            _random.extend(many[start : start + RANDOM_BYTES] for start in range(0, len(many), RANDOM_BYTES))


if hasattr(os, "register_at_fork"):  # not on Windows, where no process forks
    os.register_at_fork(after_in_child=_random.clear)


class BadTime(ValueError):
    """No RFC 3339 time with its offset, or not from 1970 to 9999. Never quotes it."""


class Clock:
    """Seconds since the epoch: the real time, or a time that was set and stands still or runs on from there."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._frozen: float | None = None

    def __call__(self) -> float:
        """Give the time."""
        return time.time() + self._offset if self._frozen is None else self._frozen

    @property
    def is_frozen(self) -> bool:
        """Tell whether it stands still."""
        return self._frozen is not None

    @property
    def setting(self) -> tuple[float, float | None]:
        """How it is set, to be set like that again: how far from the real time, and where it stands still."""
        return self._offset, self._frozen

    @setting.setter
    def setting(self, setting: tuple[float, float | None]) -> None:
        self._offset, self._frozen = setting

    def set(self, seconds: float, *, frozen: bool) -> None:
        """Set it; BadTime."""
        self._frozen = _checked(seconds) if frozen else None
        self._offset = _checked(seconds) - time.time()

    def advance(self, seconds: float) -> None:
        """Move it on, or back; it stands still or runs as before. BadTime."""
        self.set(self() + seconds, frozen=self.is_frozen)

    def reset(self) -> None:
        """Go back to the real time."""
        self._offset, self._frozen = 0.0, None


Setting = tuple[float, float | None]


class ClockSettings(Protocol):
    """Where replicas tell each other how their clocks are set. Either method may raise ServiceUnavailable."""

    async def get(self) -> Setting | None:
        """Give the setting that was told last, if there was one."""

    async def put(self, setting: Setting) -> None:
        """Tell a setting."""


class NoClockSettings:
    """There is no other replica."""

    async def get(self) -> Setting | None:
        """Nobody has told anything."""
        return None

    async def put(self, setting: Setting) -> None:
        """Nobody wants to know."""


def parse_time(text: str) -> float:
    """Read an RFC 3339 time; BadTime."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None or "T" not in text.upper():
        raise BadTime("must be a time as RFC 3339 has it, like 2026-01-31T12:00:00Z")
    return _checked(moment.timestamp())


def _checked(seconds: float) -> float:
    if not EARLIEST <= seconds <= LATEST:
        raise BadTime("must be from 1970 to 9999")
    return seconds


def show_time(seconds: float) -> str:
    """Give a time as RFC 3339, UTC, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Ids:
    """Makes UUIDs: random ones or, from a seed, the same ones in the same order for each environment by itself."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._made: Counter[str] = Counter()

    def __call__(self, environment: str) -> str:
        """Give a new id."""
        if self._seed is None:
            return _uuid(random_bytes().hex())
        self._made[environment] += 1
        name = f"{self._seed}/{environment}/{self._made[environment]}"
        return _uuid(sha256(name.encode()).hexdigest())

    def restart(self, environment: str) -> None:
        """Begin again, because nothing that has an id is left in the environment."""
        self._made.pop(environment, None)


def _uuid(digits: str) -> str:
    """Give a UUID in the form of version 4 (RFC 9562); the standard library's way takes three times as long."""
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
