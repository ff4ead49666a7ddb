"""Faults and the carrier's answers on a Redis server: what a test asked for is so at every replica, and counted once.

- `faults`: a hash, of each fault its number to its members, sealed because a value that it waits for may be a secret,
  and `<number>/seen` and `<number>/met` to counts;
- `fault-number`: the last number given;
- `carrier`: a hash, `=<domain>` to its answers as JSON, `#<domain>` to how many of them were given.

Which environments have any is told to a replica with each look at an environment, see `RedisEnvironments`.
"""

import contextlib
import random
from collections.abc import Container, Mapping, Sequence
from typing import Any

import orjson

from mockserver.carrier import EVERY_DOMAIN, Carrier, Said, finding, said, simulated
from mockserver.engine import Engine, Script, key
from mockserver.faults import Active, Fault
from mockserver.redaction import BadKey, Seal
from mockserver.trunks import Finding

_ADD = Script("""
redis.call('HSET', KEYS[1], redis.call('INCR', KEYS[2]), ARGV[1])
""")
_COUNT_SEEN = Script("""
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
return redis.call('HINCRBY', KEYS[1], ARGV[1] .. '/seen', 1)
""")
# Gives 0 if others have met it as often as it was to be met.
_COUNT_MET = Script("""
local faults, number, times = KEYS[1], ARGV[1], tonumber(ARGV[2])
if redis.call('HEXISTS', faults, number) == 0 then return 0 end
local met = redis.call('HINCRBY', faults, number .. '/met', 1)
if times > 0 and met >= times then redis.call('HDEL', faults, number, number .. '/seen', number .. '/met') end
return met
""")
_NEXT_ANSWER = Script("""
local carrier, domain = KEYS[1], ARGV[1]
if redis.call('HEXISTS', carrier, '=' .. domain) == 0 then domain = ARGV[2] end
local answers = redis.call('HGET', carrier, '=' .. domain)
if not answers then return nil end
return {answers, redis.call('HINCRBY', carrier, '#' .. domain, 1)}
""")


class RedisFaults:
    """The faults on a server. With a seed, the same request meets one in every run, whichever replica has it."""

    def __init__(self, engine: Engine, seal: Seal, by_environment: Container[str]) -> None:
        self._engine = engine
        self._seal = seal
        self.by_environment = by_environment

    async def add(self, environment: str, fault: Fault) -> None:
        """Let matching requests of the environment go wrong."""
        await self._engine.run(_ADD, _keys(environment), self._seal.lock(orjson.dumps(fault.members())))

    async def active(self, environment: str) -> list[Active]:
        """Give the environment's faults, oldest first."""
        return [active for _, active in await self._numbered(environment)]

    async def clear(self, environment: str) -> None:
        """Let everything go right again."""
        await self._engine.call("UNLINK", *_keys(environment))

    async def meet(self, environment: str, operation_id: str, fields: Mapping[str, Any] | None) -> Active | None:
        """Give the fault that this request meets, if any; it counts for it, at whichever replica."""
        for number, active in await self._numbered(environment):
            fault = active.fault
            if not fault.matches(operation_id, fields):
                continue
            keys = [key(environment, "faults")]
            seen = await self._engine.run(_COUNT_SEEN, keys, number)
            chance = random.Random() if fault.seed is None else random.Random(f"{fault.seed}/{seen}")  # noqa: S311
            if seen <= fault.skip or chance.random() >= fault.probability:
                continue
            met = await self._engine.run(_COUNT_MET, keys, number, fault.times or 0)
            if met:
                return Active(fault, chance, seen, met)
        return None

    async def _numbered(self, environment: str) -> list[tuple[int, Active]]:
        kept = await self._engine.call("HGETALL", key(environment, "faults"))
        found = []
        for number in sorted(int(name) for name in kept if b"/" not in name):
            with contextlib.suppress(BadKey):  # sealed under one that is not there any more
                fault = Fault.of(orjson.loads(self._seal.unlock(kept[b"%d" % number])))
                met = int(kept.get(b"%d/met" % number, 0))
                found.append((number, Active(fault, random.Random(), met=met)))  # noqa: S311 - not for secrets
        return found


def _keys(environment: str) -> list[str]:
    return [key(environment, "faults"), key(environment, "fault-number")]


class RedisCarriers:
    """The carrier's settings on a server."""

    def __init__(self, engine: Engine, by_environment: Container[str], usual: Carrier = simulated) -> None:
        self._engine = engine
        self.by_environment = by_environment
        self.usual = usual

    async def own(self, environment: str, domain: str) -> Finding | None:
        """Give what a check finds, if the domain has answers of its own."""
        found = await self._engine.run(_NEXT_ANSWER, [key(environment, "carrier")], domain.lower(), EVERY_DOMAIN)
        if found is None:
            return None
        answers = orjson.loads(found[0])
        return finding(domain, answers[(found[1] - 1) % len(answers)])

    async def set(self, environment: str, domain: str, answers: Sequence[str]) -> None:
        """Let the checks of a domain find these, over and over."""
        fields = (f"={domain.lower()}", orjson.dumps(list(answers)), f"#{domain.lower()}", 0)
        await self._engine.call("HSET", key(environment, "carrier"), *fields)

    async def said(self, environment: str) -> list[Said]:
        """Give what was set in an environment; it is not used up by that."""
        kept = await self._engine.call("HGETALL", key(environment, "carrier"))
        domains = sorted(name[1:] for name in kept if name.startswith(b"="))
        return [said(it.decode(), orjson.loads(kept[b"=" + it]), int(kept.get(b"#" + it, 0))) for it in domains]

    async def reset(self, environment: str, domain: str | None = None) -> None:
        """Let the domains of the environment decide again, or this one; `EVERY_DOMAIN` is what was set for all."""
        if domain is None:
            await self._engine.call("UNLINK", key(environment, "carrier"))
        else:
            await self._engine.call("HDEL", key(environment, "carrier"), f"={domain.lower()}", f"#{domain.lower()}")
