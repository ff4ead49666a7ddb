"""`mockserver.redis_store` from several replicas at once: what each sees could have happened in one order."""

import asyncio
import random
import time
from dataclasses import replace

import pytest
from linearizability import Call, order

from mockserver import trunks
from mockserver.engine import Engine, key
from mockserver.errors import Refusal
from mockserver.redaction import Sealed
from mockserver.redis_store import RedisStore, _dumped, _number
from mockserver.trunks import Did, Finding, Trunk

REPLICAS = 3
CLIENTS = 6  # two at each replica
CALLS = 7  # of each client
TRUNKS = ("a", "b")
NUMBERS = ("+12025550123", "+12025550124")
KINDS = ("read", "read", "rename", "move", "verify", "fail", "activate", "add", "delete", "put", "put", "take", "dids")


def fresh(trunk_id):
    return Trunk(trunk_id, "new", "p", "d", "u", Sealed(b"box"), 1, "tls", None, None, "t", "t")


def shown(trunk):
    return trunk.name, trunk.domain, trunk.is_verified, trunk.is_active, trunk.checks


def program(chance):
    """Give what each client calls."""
    return [
        [(chance.choice(KINDS), chance.choice(TRUNKS), chance.choice(NUMBERS), f"{client}-{n}") for n in range(CALLS)]
        for client in range(CLIENTS)
    ]


CHANGES = {
    "rename": lambda trunk, text: trunks.update(trunk, {"name": text}, "t"),
    "move": lambda trunk, text: trunks.update(trunk, {"domain": text}, "t"),
    "verify": lambda trunk, _: trunks.verify(trunk, Finding(1), "t"),
    "fail": lambda trunk, _: trunks.verify(trunk, Finding(1, "no"), "t"),
    "activate": lambda trunk, _: trunks.update(trunk, {"is_active": True}, "t"),
}


async def call(store, what):
    """Make a call, and give its answer as a value."""
    kind, trunk_id, number, text = what
    try:
        if kind in CHANGES:
            return shown(await store.change_trunk("one", trunk_id, lambda trunk: CHANGES[kind](trunk, text)))
        if kind == "read":
            return shown(await store.trunk("one", trunk_id))
        if kind == "add":
            return await store.add_trunk("one", fresh(trunk_id))
        if kind == "delete":
            return await store.delete_trunk("one", trunk_id)
        if kind == "put":
            return await store.add_did("one", Did(number, trunk_id, number, "US", ""))
        if kind == "take":
            return await store.delete_did("one", trunk_id, number)
        return tuple(did.number for did in await store.dids("one", trunk_id))
    except Refusal as refusal:
        return refusal.code


def model(state, what):
    """Do the same to an environment that is a tuple of (id, what is shown, numbers)."""
    kind, trunk_id, number, text = what
    kept = {name: (it, numbers) for name, it, numbers in state}
    if kind == "add":
        answer = "TRUNK_ALREADY_EXISTS" if trunk_id in kept else None
        kept.setdefault(trunk_id, (shown(fresh(trunk_id)), ()))
    elif trunk_id not in kept:
        return "TRUNK_NOT_FOUND", state
    else:
        answer, kept[trunk_id] = _done(kind, *kept[trunk_id], number, text, kept)
        if kept[trunk_id] is None:
            del kept[trunk_id]
    return answer, tuple(sorted((name, it, numbers) for name, (it, numbers) in kept.items()))


def _done(kind, it, numbers, number, text, kept):
    name, domain, is_verified, is_active, checks = it
    taken = [other for _, others in kept.values() for other in others]
    match kind:
        case "rename":
            it = (text, domain, is_verified, is_active, checks)
        case "move":
            it = (name, text, False, False, 0)
        case "verify":
            it = (name, domain, True, is_active, checks + 1)
        case "fail":
            it = (name, domain, False, False, checks + 1)
        case "activate" if not is_verified:
            return "TRUNK_NOT_VERIFIED", (it, numbers)
        case "activate":
            it = (name, domain, True, True, checks)
        case "delete":
            return ("TRUNK_HAS_DIDS", (it, numbers)) if numbers else (None, None)
        case "put" if number in taken:
            return "DID_ALREADY_EXISTS", (it, numbers)
        case "put":
            return None, (it, (*numbers, number))
        case "take" if number not in numbers:
            return "DID_NOT_FOUND", (it, numbers)
        case "take":
            return None, (it, tuple(other for other in numbers if other != number))
        case "dids":
            return numbers, (it, numbers)
    return it, (it, numbers)


async def history(stores, calls_of, chance):
    """Let all clients make their calls at once, and give what came of each."""
    made = []

    async def client(number, calls):
        for what in calls:
            await asyncio.sleep(chance.random() * 0.002)
            began = time.monotonic()
            answer = await call(stores[number % len(stores)], what)
            made.append(Call(what, began, time.monotonic(), answer))

    await asyncio.gather(*(client(number, calls) for number, calls in enumerate(calls_of)))
    return made


def histories(server, kind, seeds):
    """Give a history for each seed, from three replicas whose store is of this kind."""

    async def story():
        engines = [Engine(server.url) for _ in range(REPLICAS)]
        try:
            for seed in seeds:
                server.call("FLUSHALL")
                chance = random.Random(seed)
                yield seed, await history([kind(engine) for engine in engines], program(chance), chance)
        finally:
            for engine in engines:
                await engine.close()

    async def collected():
        return [it async for it in story()]

    return asyncio.run(collected())


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_replicas_agree_on_an_order(redis_server, first):
    """Whatever six clients do at three replicas at once, one order explains every answer."""
    for seed, calls in histories(redis_server, RedisStore, range(first, first + 20)):
        assert len(calls) == CLIENTS * CALLS
        assert order(calls, model, ()) is not None, (seed, sorted(calls, key=lambda it: it.made))


class Careless(RedisStore):
    """A store that reads, changes and writes, without looking whether somebody else was there meanwhile."""

    async def change_trunk(self, environment, trunk_id, change):
        before = await self._kept(environment, trunk_id)
        changed = change(await self.trunk(environment, trunk_id))
        await self._engine.call(
            "HSET", key(environment, "trunks"), trunk_id, b"%d %b" % (_number(before), _dumped(changed))
        )
        return changed


def test_store_that_overwrites_is_found_out(redis_server):
    """The same search finds no order for a store with a lost update."""
    found = [seed for seed, calls in histories(redis_server, Careless, range(20)) if order(calls, model, ()) is None]
    assert found


def test_order_is_found_only_where_there_is_one():
    """The search itself: overlapping calls may swap, calls one after the other may not."""

    def register(state, what):
        return (None, what[1]) if what[0] == "write" else (state, state)

    write, read_old, read_new = ("write", 1), Call(("read",), 3, 4, 0), Call(("read",), 5, 6, 1)
    assert order([Call(write, 1, 2, None), read_new], register, 0)
    assert order([Call(write, 1, 2, None), read_old], register, 0) is None
    assert order([Call(write, 1, 9, None), read_old, read_new], register, 0) == [
        read_old,
        Call(write, 1, 9, None),
        read_new,
    ]
    back = [Call(write, 1, 9, None), replace(read_new, made=2, answered=2.5), read_old]
    assert order(back, register, 0) is None


def test_many_who_count_lose_nothing(redis_server):
    """Forty checks of one trunk at once, from three replicas, are forty."""

    async def story():
        redis_server.call("FLUSHALL")
        engines = [Engine(redis_server.url) for _ in range(REPLICAS)]
        stores = [RedisStore(engine) for engine in engines]
        await stores[0].add_trunk("one", fresh("a"))
        one = [stores[number % REPLICAS] for number in range(40)]
        await asyncio.gather(*(it.change_trunk("one", "a", lambda t: CHANGES["verify"](t, "")) for it in one))
        counts = await asyncio.gather(*(it.count_request("one", 7) for it in one))
        checks = (await stores[1].trunk("one", "a")).checks
        for engine in engines:
            await engine.close()
        return checks, sorted(counts)

    assert asyncio.run(story()) == (40, list(range(1, 41)))


def test_limit_of_trunks_holds_for_all_replicas_together(redis_server):
    """Of twenty who add a trunk where five may be, five do."""

    async def story():
        redis_server.call("FLUSHALL")
        engines = [Engine(redis_server.url) for _ in range(REPLICAS)]
        stores = [RedisStore(engine) for engine in engines]
        adds = (stores[number % REPLICAS].add_trunk("one", fresh(str(number)), 5) for number in range(20))
        done = await asyncio.gather(*adds, return_exceptions=True)
        for engine in engines:
            await engine.close()
        return [it.code for it in done if it]

    assert asyncio.run(story()) == ["TRUNK_LIMIT_REACHED"] * 15
