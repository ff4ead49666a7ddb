"""How many requests an environment may make in a minute, and the header fields that say so on every answer.

The limits and that there are such headers are documented; their names and `Retry-After` are inferred.
"""

from collections.abc import Callable

from mockserver.environments import Environment
from mockserver.errors import RateLimited
from mockserver.store import Store

Headers = list[tuple[bytes, bytes]]

UNLIMITED = 1_000_000  # what the headers say where there is no limit


class RateLimits:
    """Counts requests in the store, by the minute of a clock in seconds since the epoch."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._unlimited: Headers = []
        self._unlimited_until = 0

    async def count(self, environment: Environment) -> Headers:
        """Count a request of this environment and give its header fields; RateLimited when the minute is used up."""
        limit = environment.requests_per_minute
        if not limit:
            return self.unlimited()
        now = self._clock()
        count = await self._store.count_request(environment.name, int(now // 60))
        if count > limit:
            raise RateLimited(60 - int(now % 60))
        return _headers(limit, limit - count, now)

    def used_up(self, environment: Environment) -> Headers:
        """Give the header fields of a refusal by `count`."""
        return _headers(environment.requests_per_minute, 0, self._clock())

    def unlimited(self) -> Headers:
        """Give the header fields of an answer to somebody without a limit, or without an environment."""
        now = self._clock()
        if not self._unlimited_until - 60 <= now < self._unlimited_until:
            self._unlimited = _headers(UNLIMITED, UNLIMITED, now)
            self._unlimited_until = _minute_end(now)
        return self._unlimited


def _minute_end(now: float) -> int:
    return (int(now) // 60 + 1) * 60


def _headers(limit: int, remaining: int, now: float) -> Headers:
    return [
        (b"x-ratelimit-limit", b"%d" % limit),
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % _minute_end(now)),
    ]
