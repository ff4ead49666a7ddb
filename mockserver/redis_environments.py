"""The environments on a Redis server, for several replicas of the mock at once.

- `environment` of each is its record as JSON, with the digests of its tokens: what it says is so, from the next request
  on, at every replica;
- `seen` is when somebody last used it;
- `trunkmock:token:<digest>` says whose record to look at, nothing more;
- `environments` is the list of names, by the order in which they were added.

Digests are SHA-256, in hex. A record that is `going` is one whose environment is being emptied, since then.
"""

import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any

import orjson

from mockserver.engine import NO_ENVIRONMENT, PREFIX, Engine, Script, key
from mockserver.environments import MOST_ROTATED, Empty, Environment, digest_of
from mockserver.errors import EnvironmentAlreadyExists, EnvironmentNotFound, ServiceUnavailable

ATTEMPTS = 100  # to change a record that others change as well
SEEN_SECONDS = 5.0  # how old what is told of the last use may be
TURN_SECONDS = 3  # from one look for idle environments to the next
GOING_SECONDS = 60.0  # after which nobody else is still emptying an environment
MOST_HINTS = 10_000  # tokens whose environments' names are remembered

_NAMES = key(NO_ENVIRONMENT, "environments")
_ADDED = key(NO_ENVIRONMENT, "added")
_TURN = key(NO_ENVIRONMENT, "idle-turn")

_ADD = Script("""
local environment, seen = KEYS[1], KEYS[2]
if not redis.call('SET', environment, ARGV[1], 'NX') then return 0 end
redis.call('SET', seen, ARGV[2])
return 1
""")
_ADD_NAME = Script("return redis.call('ZADD', KEYS[1], 'NX', redis.call('INCR', KEYS[2]), ARGV[1])")
# Gives the record, and whether there are faults, and answers of a carrier.
_LOOK = Script("""
local record = redis.call('GET', KEYS[1])
if not record then return nil end
if ARGV[1] ~= '' then redis.call('SET', KEYS[2], ARGV[1]) end
return {record, redis.call('EXISTS', KEYS[3]), redis.call('EXISTS', KEYS[4])}
""")
# Takes what should be there and what should be there instead, nothing for neither.
_REPLACE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
""")
_DELETE_SAME = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end")


@dataclass(frozen=True, slots=True)
class _Record:
    environment: Environment
    tokens: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    rotated: tuple[str, ...] = ()
    going: float = 0.0

    @property
    def digests(self) -> tuple[str, ...]:
        return (*self.tokens, *self.revoked, *self.rotated)

    def dumped(self) -> bytes:
        return orjson.dumps(asdict(self))


@dataclass(slots=True)
class _Seen:
    """What is remembered of a record, so that one that is still the same need not be read again."""

    raw: bytes = b""
    record: _Record | None = None
    told: float = field(default=-SEEN_SECONDS)


class RedisEnvironments:
    """The environments on a Redis server. Two replicas that change one at once both do, one after the other."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now
        self._hints: dict[str, str] = {}
        self._seen: dict[str, _Seen] = {}
        self.with_faults: set[str] = set()
        """The environments that had some at the last look, which every request of theirs begins with."""
        self.with_carrier: set[str] = set()
        """Those in which somebody said what the carrier finds."""

    async def names(self) -> list[str]:
        """Give the environments' names, in the order in which they were added."""
        return [name.decode() for name in await self._engine.call("ZRANGE", _NAMES, 0, -1)]

    async def get(self, name: str) -> Environment | None:
        """Give the environment of this name."""
        _, record = await self._read(name)
        return record.environment if record and not record.going else None

    async def add(self, token: str, environment: Environment) -> None:
        """Add an environment; EnvironmentAlreadyExists."""
        if not await self._add(digest_of(token), environment):
            raise EnvironmentAlreadyExists

    async def adopt(self, registered: Iterable[tuple[bytes, Environment]]) -> list[str]:
        """Add those whose names are not there yet, and give the names."""
        return [environment.name for digest, environment in registered if await self._add(digest, environment)]

    async def _add(self, digest: bytes, environment: Environment) -> bool:
        record = _Record(environment, (digest.hex(),))
        keys = [key(environment.name, "environment"), key(environment.name, "seen")]
        if not await self._engine.run(_ADD, keys, record.dumped(), self._now()):
            return False
        await self._engine.run(_ADD_NAME, [_NAMES, _ADDED], environment.name)
        await self._engine.call("SET", _token_key(digest.hex()), environment.name)
        return True

    async def change(self, name: str, change: Callable[[Environment], Environment]) -> Environment:
        """Replace an environment by what `change` makes of it, atomically, and give that; EnvironmentNotFound."""
        record = await self._change(name, lambda it: replace(it, environment=change(it.environment)))
        return record.environment

    async def remove(self, name: str, empty: Empty, *, if_idle: bool = False) -> bool:
        """Forget an environment and its tokens, or only if nobody has used it for too long; tell whether it went.

        Its name is taken until all is gone, so that nobody who makes another one finds something in it. Only one
        replica does this at a time; should it stop half-way, another one may begin again after a while.
        """
        record = await self._claim(name, if_idle=if_idle)
        if record is None:
            return False
        await empty()
        for digest in record.digests:
            await self._engine.run(_DELETE_SAME, [_token_key(digest)], name)
        await self._engine.call("ZREM", _NAMES, name)
        await self._engine.call("UNLINK", key(name, "seen"))
        await self._engine.run(_DELETE_SAME, [key(name, "environment")], record.dumped())
        return True

    async def _claim(self, name: str, *, if_idle: bool) -> _Record | None:
        """Let a record be one that is going; give it, or None if there is none to go."""
        for _ in range(ATTEMPTS):
            raw, record = await self._read(name)
            if record is None:
                return None
            seen = await self._engine.call("GET", key(name, "seen")) if if_idle else b""
            is_free = not record.going and not if_idle
            if not is_free and not self._may_go(record, float(seen or 0)):
                return None
            claimed = replace(record, going=self._now())
            keys = [key(name, "environment"), key(name, "seen")]
            if await self._engine.run(_REPLACE, keys, raw, claimed.dumped(), seen or b""):
                return claimed
            if if_idle:
                return None
        raise ServiceUnavailable

    async def rotate(self, name: str, token: str) -> None:
        """Let this token be the only one, and none that was before be good ever again; EnvironmentNotFound."""
        digest = digest_of(token).hex()
        dropped: tuple[str, ...] = ()

        def change(it: _Record) -> _Record:
            nonlocal dropped
            former = (*it.rotated, *it.revoked, *it.tokens)
            dropped = former[:-MOST_ROTATED]
            return replace(it, tokens=(digest,), revoked=(), rotated=former[-MOST_ROTATED:])

        await self._engine.call("SET", _token_key(digest), name)
        try:
            await self._change(name, change)
        except EnvironmentNotFound:
            await self._engine.call("DEL", _token_key(digest))
            raise
        for former in dropped:
            await self._engine.run(_DELETE_SAME, [_token_key(former)], name)

    async def revoke(self, name: str) -> None:
        """Let no token of the environment be good until `restore` or `rotate`."""
        await self._change(name, lambda it: replace(it, tokens=(), revoked=(*it.revoked, *it.tokens)))

    async def restore(self, name: str) -> None:
        """Let its revoked tokens be good again."""
        await self._change(name, lambda it: replace(it, tokens=(*it.tokens, *it.revoked), revoked=()))

    async def find(self, token: bytes) -> Environment | None:
        """Give the token's environment, which has been seen now; None.

        Only digests are compared, whose bytes nobody can steer.
        """
        digest = sha256(token).hexdigest()
        name = self._hints.get(digest)
        found = await self._named(name, digest) if name else None
        if found is None and (name := await self._owner(digest)):
            found = await self._named(name, digest)
        return found

    async def _named(self, name: str, digest: str) -> Environment | None:
        record = await self._look(name)
        if record and not record.going and any(hmac.compare_digest(digest, it) for it in record.tokens):
            return record.environment
        self._hints.pop(digest, None)
        return None

    async def find_digest(self, digest: bytes) -> Environment | None:
        """Give the environment that a token of this digest names now, which does not count as a use."""
        owner = await self._owner(digest.hex())
        _, record = await self._read(owner) if owner else (b"", None)
        if record is None or record.going:
            return None
        return record.environment if any(hmac.compare_digest(digest.hex(), it) for it in record.tokens) else None

    async def find_revoked(self, token: bytes) -> Environment | None:
        """Give the environment that a token named before it was revoked or rotated."""
        digest = sha256(token).hexdigest()
        owner = await self._owner(digest)
        _, record = await self._read(owner) if owner else (b"", None)
        return record.environment if record and digest in (*record.revoked, *record.rotated) else None

    async def last_seen(self, name: str) -> float | None:
        """Tell when somebody last used it, in seconds since the epoch; it may be `SEEN_SECONDS` later."""
        seen = await self._engine.call("GET", key(name, "seen"))
        return None if seen is None else float(seen)

    async def idle(self) -> list[str]:
        """Give the names of those that nobody has used for too long, or that are still being emptied."""
        found = []
        for name in await self.names():
            _, record = await self._read(name)
            if record is not None and self._may_go(record, await self.last_seen(name) or 0):
                found.append(name)
        return found

    async def is_due(self) -> bool:
        """Tell whether it is this replica's turn to look for idle ones: one looks for all, now and then."""
        return bool(await self._engine.call("SET", _TURN, 1, "NX", "EX", TURN_SECONDS))

    def _may_go(self, record: _Record, seen: float) -> bool:
        if record.going:
            return self._now() - record.going > GOING_SECONDS
        seconds = record.environment.idle_seconds
        # A replica that has just seen it may not have told yet.
        return bool(seconds) and self._now() - seen > seconds + _seen_seconds(seconds)

    async def _owner(self, digest: str) -> str | None:
        name = await self._engine.call("GET", _token_key(digest))
        if name is None:
            return None
        if len(self._hints) >= MOST_HINTS:
            self._hints.clear()
        self._hints[digest] = name.decode()
        return self._hints[digest]

    async def _look(self, name: str) -> _Record | None:
        """Give a record for a request, and tell now and then that there are requests."""
        seen = self._seen.get(name)
        if seen is None:
            if len(self._seen) >= MOST_HINTS:
                self._seen.clear()
            seen = self._seen[name] = _Seen()
        seconds = seen.record.environment.idle_seconds if seen.record else 0
        now = time.monotonic()
        tells = now - seen.told >= _seen_seconds(seconds)
        if tells:
            seen.told = now
        keys = [key(name, it) for it in ("environment", "seen", "faults", "carrier")]
        found = await self._engine.run(_LOOK, keys, self._now() if tells else "")
        if found is None:
            self._seen.pop(name, None)
            return None
        raw, *flags = found
        for is_in, names in zip(flags, (self.with_faults, self.with_carrier), strict=True):
            names.add(name) if is_in else names.discard(name)
        if raw != seen.raw:
            seen.raw, seen.record = raw, _record(raw)
        return seen.record

    async def _read(self, name: str) -> tuple[bytes, _Record | None]:
        raw = await self._engine.call("GET", key(name, "environment"))
        return (raw, _record(raw)) if raw is not None else (b"", None)

    async def _change(self, name: str, change: Callable[[_Record], _Record]) -> _Record:
        for _ in range(ATTEMPTS):
            raw, record = await self._read(name)
            if record is None or record.going:
                raise EnvironmentNotFound
            changed = change(record)
            keys = [key(name, "environment"), key(name, "seen")]
            if await self._engine.run(_REPLACE, keys, raw, changed.dumped(), ""):
                return changed
        raise ServiceUnavailable


def _seen_seconds(idle_seconds: int) -> float:
    return min(SEEN_SECONDS, idle_seconds / 4) if idle_seconds else SEEN_SECONDS


def _token_key(digest: str) -> str:
    return f"{PREFIX}:token:{digest}"


def _record(raw: bytes) -> _Record:
    members: dict[str, Any] = orjson.loads(raw)
    lists = {name: tuple(members[name]) for name in ("tokens", "revoked", "rotated")}
    return _Record(Environment(**members["environment"]), going=members["going"], **lists)
