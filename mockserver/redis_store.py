"""The store on a Redis server, for several replicas of the mock at once.

What must be atomic is one Lua script. A change of a trunk is a function, which no script can run: the trunk is read,
changed here, and replaced if it is still what was read, else all that again.

An environment has few keys, whatever is in it:

- `trunks`: a hash, id to `<number> <fields as JSON>`; the number says how old it is;
- `dids`: a hash, `<trunk id>/<id>` to `<number> <in use, 0 or 1> <E.164 number> <fields as JSON>`;
- `dids-by-trunk`: the same `<trunk id>/<id>`, sorted, to find those of a trunk;
- `numbers`: the set of E.164 numbers;
- `requests`: a hash, minute to count;
- `made`: the last number given.
"""

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

import orjson

from mockserver.engine import Engine, Script, key
from mockserver.errors import (
    DidAlreadyExists,
    DidInUse,
    DidNotFound,
    ServiceUnavailable,
    TrunkAlreadyExists,
    TrunkHasDids,
    TrunkLimitReached,
    TrunkNotFound,
)
from mockserver.redaction import Sealed
from mockserver.trunks import Did, Trunk

PAGE = 500  # trunks or DIDs that are fetched at once
ATTEMPTS = 100  # to change a trunk that others change as well
LONGEST_PAUSE = 0.05  # seconds between two of them
COUNTED_SECONDS = 180  # how long a minute's count is kept

KEYS = ("trunks", "dids", "dids-by-trunk", "numbers", "requests", "made")

_PASSWORD = Trunk._fields.index("password") - 1  # its place among the fields after the id

_REFUSALS = {
    b"trunk not found": TrunkNotFound,
    b"trunk exists": TrunkAlreadyExists,
    b"trunk limit": TrunkLimitReached,
    b"trunk has dids": TrunkHasDids,
    b"did not found": DidNotFound,
    b"did exists": DidAlreadyExists,
    b"did in use": DidInUse,
}

# Each gives a text of `_REFUSALS`, or else anything but a text.
_ADD_TRUNK = Script("""
local trunks, made, id, fields, most = KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('HEXISTS', trunks, id) == 1 then return 'trunk exists' end
if most > 0 and redis.call('HLEN', trunks) >= most then return 'trunk limit' end
redis.call('HSET', trunks, id, redis.call('INCR', made) .. ' ' .. fields)
return 1
""")
# Gives 1, or what is there if that is not what was expected.
_REPLACE = Script("""
local trunks, id, before, after = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local now = redis.call('HGET', trunks, id)
if not now then return 'trunk not found' end
if now ~= before then return {now} end
redis.call('HSET', trunks, id, after)
return 1
""")
_DELETE_TRUNK = Script("""
local trunks, by_trunk, id = KEYS[1], KEYS[2], ARGV[1]
if redis.call('HEXISTS', trunks, id) == 0 then return 'trunk not found' end
local dids = redis.call('ZRANGEBYLEX', by_trunk, '[' .. id .. '/', '(' .. id .. '0', 'LIMIT', 0, 1)
if #dids > 0 then return 'trunk has dids' end
redis.call('HDEL', trunks, id)
return 1
""")
_ADD_DID = Script("""
local trunks, dids, by_trunk, numbers, made = unpack(KEYS)
local trunk_id, id, number, rest = unpack(ARGV)
if redis.call('HEXISTS', trunks, trunk_id) == 0 then return 'trunk not found' end
if redis.call('SADD', numbers, number) == 0 then return 'did exists' end
redis.call('HSET', dids, trunk_id .. '/' .. id, redis.call('INCR', made) .. ' ' .. rest)
redis.call('ZADD', by_trunk, 0, trunk_id .. '/' .. id)
return 1
""")
# Gives the names of a page after one, and what they stand for.
_DIDS = Script("""
local trunks, dids, by_trunk, trunk_id, after, page = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3]
if redis.call('HEXISTS', trunks, trunk_id) == 0 then return 'trunk not found' end
local names = redis.call('ZRANGEBYLEX', by_trunk, '(' .. after, '(' .. trunk_id .. '0', 'LIMIT', 0, page)
if #names == 0 then return {names, {}} end
return {names, redis.call('HMGET', dids, unpack(names))}
""")
_DELETE_DID = Script("""
local trunks, dids, by_trunk, numbers = unpack(KEYS)
local trunk_id, name = ARGV[1], ARGV[1] .. '/' .. ARGV[2]
if redis.call('HEXISTS', trunks, trunk_id) == 0 then return 'trunk not found' end
local did = redis.call('HGET', dids, name)
if not did then return 'did not found' end
local in_use, number = string.match(did, '^%d+ (%d) (%S+) ')
if in_use == '1' then return 'did in use' end
redis.call('HDEL', dids, name)
redis.call('ZREM', by_trunk, name)
redis.call('SREM', numbers, number)
return 1
""")
_MARK_DID = Script("""
local trunks, dids, trunk_id, name, in_use = KEYS[1], KEYS[2], ARGV[1], ARGV[1] .. '/' .. ARGV[2], ARGV[3]
if redis.call('HEXISTS', trunks, trunk_id) == 0 then return 'trunk not found' end
local did = redis.call('HGET', dids, name)
if not did then return 'did not found' end
local made, rest = string.match(did, '^(%d+) %d (.*)$')
did = made .. ' ' .. in_use .. ' ' .. rest
redis.call('HSET', dids, name, did)
return {did}
""")
# Replicas whose clocks differ a little may still count in the minute before, or already in the next.
_COUNT = Script("""
local requests, minute = KEYS[1], ARGV[1]
local count = redis.call('HINCRBY', requests, minute, 1)
if count == 1 then
    for _, other in ipairs(redis.call('HKEYS', requests)) do
        if math.abs(tonumber(other) - tonumber(minute)) > 1 then redis.call('HDEL', requests, other) end
    end
    redis.call('EXPIRE', requests, ARGV[2])
end
return count
""")


class RedisStore:
    """The store on a Redis server. Passwords are sealed before they come here, and go there like that."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def add_trunk(self, environment: str, trunk: Trunk, most: int = 0) -> None:
        """Keep a new trunk; TrunkAlreadyExists, TrunkLimitReached."""
        await self._run(_ADD_TRUNK, environment, ("trunks", "made"), trunk.id, _dumped(trunk), most)

    async def trunk(self, environment: str, trunk_id: str) -> Trunk:
        """Give a trunk; TrunkNotFound."""
        return _trunk(trunk_id, await self._kept(environment, trunk_id))

    async def trunks(self, environment: str) -> Collection[Trunk]:
        """Give all trunks, oldest first. What is added or deleted meanwhile may be among them or not."""
        found = {trunk_id: pair async for page in self.pages(environment) for trunk_id, pair in page.items()}
        return [trunk for _, trunk in sorted(found.values(), key=lambda pair: pair[0])]

    async def pages(self, environment: str) -> AsyncIterator[dict[str, tuple[int, Trunk]]]:
        """Give all trunks by id, with the number that says how old each is, some at a time, one perhaps twice."""
        cursor: Any = 0
        while True:
            cursor, page = await self._engine.call("HSCAN", key(environment, "trunks"), cursor, "COUNT", PAGE)
            yield {(trunk_id := raw.decode()): (_number(kept), _trunk(trunk_id, kept)) for raw, kept in page.items()}
            if not int(cursor):
                return

    async def change_trunk(self, environment: str, trunk_id: str, change: Callable[[Trunk], Trunk]) -> Trunk:
        """Replace a trunk by what `change` makes of it, and give that; TrunkNotFound.

        ServiceUnavailable, with nothing changed, if others are faster too often.
        """
        before = await self._kept(environment, trunk_id)
        for attempt in range(ATTEMPTS):
            trunk = _trunk(trunk_id, before)
            changed = change(trunk)
            if changed is trunk:
                return trunk
            after = b"%d %b" % (_number(before), _dumped(changed))
            answer = await self._run(_REPLACE, environment, ("trunks",), trunk_id, before, after)
            if answer == 1:
                return changed
            (before,) = answer
            await asyncio.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.001 * 2**attempt)))  # noqa: S311 - no secret
        raise ServiceUnavailable

    async def delete_trunk(self, environment: str, trunk_id: str) -> None:
        """Forget a trunk; TrunkNotFound, TrunkHasDids."""
        await self._run(_DELETE_TRUNK, environment, ("trunks", "dids-by-trunk"), trunk_id)

    async def add_did(self, environment: str, did: Did) -> None:
        """Keep a new DID; TrunkNotFound, DidAlreadyExists."""
        rest = b"%d %b %b" % (
            did.in_use,
            did.number.encode(),
            orjson.dumps([did.country_code, did.formatted_number]),
        )
        keys = ("trunks", "dids", "dids-by-trunk", "numbers", "made")
        await self._run(_ADD_DID, environment, keys, did.trunk_id, did.id, did.number, rest)

    async def dids(self, environment: str, trunk_id: str) -> Collection[Did]:
        """Give the DIDs of a trunk, oldest first; TrunkNotFound."""
        found: list[tuple[int, Did]] = []
        keys, after = ("trunks", "dids", "dids-by-trunk"), f"{trunk_id}/".encode()
        while True:
            names, kept = await self._run(_DIDS, environment, keys, trunk_id, after, PAGE)
            found += [(_number(it), _did(name.decode(), it)) for name, it in zip(names, kept, strict=True)]
            if len(names) < PAGE:
                return [did for _, did in sorted(found, key=lambda pair: pair[0])]
            after = names[-1]

    async def delete_did(self, environment: str, trunk_id: str, did_id: str) -> None:
        """Forget a DID; TrunkNotFound, DidNotFound, DidInUse."""
        keys = ("trunks", "dids", "dids-by-trunk", "numbers")
        await self._run(_DELETE_DID, environment, keys, trunk_id, did_id)

    async def mark_did(self, environment: str, trunk_id: str, did_id: str, *, in_use: bool) -> Did:
        """Say whether an active agent uses a DID; TrunkNotFound, DidNotFound."""
        (kept,) = await self._run(_MARK_DID, environment, ("trunks", "dids"), trunk_id, did_id, int(in_use))
        return _did(f"{trunk_id}/{did_id}", kept)

    async def clear(self, environment: str) -> None:
        """Forget everything of an environment, its request count included."""
        await self._engine.call("UNLINK", *(key(environment, name) for name in KEYS))

    async def count_request(self, environment: str, minute: int) -> int:
        """Count a request in this minute, and give how many there were."""
        return int(await self._run(_COUNT, environment, ("requests",), minute, COUNTED_SECONDS))

    async def count_trunks(self, environment: str) -> int:
        """Give how many trunks there are."""
        return int(await self._engine.call("HLEN", key(environment, "trunks")))

    async def count_dids(self, environment: str) -> int:
        """Give how many DIDs there are, on all trunks."""
        return int(await self._engine.call("SCARD", key(environment, "numbers")))

    async def taken(
        self, environment: str, trunk_ids: Collection[str], numbers: Collection[str]
    ) -> tuple[set[str], set[str]]:
        """Give which of these ids of trunks, and which of these numbers, there are already."""
        found = []
        for command, name, asked in (("HMGET", "trunks", trunk_ids), ("SMISMEMBER", "numbers", numbers)):
            told = await self._engine.call(command, key(environment, name), *asked) if asked else []
            found.append({one for one, is_there in zip(asked, told, strict=True) if is_there})
        return found[0], found[1]

    async def check(self) -> None:
        """See that the server can be used; ServiceUnavailable."""
        await self._engine.check()

    async def reseal(self, environment: str, again: Callable[[Sealed], Sealed]) -> int:
        """Replace every sealed password by what `again` makes of it; tell how many it changed."""
        count = 0

        def change(trunk: Trunk) -> Trunk:
            sealed = again(trunk.password)
            return trunk if sealed is trunk.password else trunk._replace(password=sealed)

        async for page in self.pages(environment):
            for trunk_id, (_, trunk) in page.items():
                if change(trunk) is not trunk:
                    await self.change_trunk(environment, trunk_id, change)
                    count += 1
        return count

    async def _kept(self, environment: str, trunk_id: str) -> bytes:
        kept: bytes | None = await self._engine.call("HGET", key(environment, "trunks"), trunk_id)
        if kept is None:
            raise TrunkNotFound
        return kept

    async def _run(self, script: Script, environment: str, names: tuple[str, ...], *arguments: Any) -> Any:
        answer = await self._engine.run(script, [key(environment, name) for name in names], *arguments)
        if isinstance(answer, bytes):
            raise _REFUSALS[answer]
        return answer


def _number(kept: bytes) -> int:
    return int(kept.partition(b" ")[0])


def _dumped(trunk: Trunk) -> bytes:
    values: list[Any] = list(trunk[1:])
    values[_PASSWORD] = base64.b64encode(trunk.password.box).decode()
    return orjson.dumps(values)


def _trunk(trunk_id: str, kept: bytes) -> Trunk:
    values = orjson.loads(kept.partition(b" ")[2])
    values[_PASSWORD] = Sealed(base64.b64decode(values[_PASSWORD]))
    return Trunk(trunk_id, *values)


def _did(name: str, kept: bytes) -> Did:
    trunk_id, _, did_id = name.partition("/")
    _, in_use, number, rest = kept.split(b" ", 3)
    country_code, formatted_number = orjson.loads(rest)
    return Did(did_id, trunk_id, number.decode(), country_code, formatted_number, in_use == b"1")
