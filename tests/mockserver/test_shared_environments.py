"""Environments that come and go while the mock runs, in memory and on a server: each test is for both."""

import asyncio
from dataclasses import replace

import pytest

from mockserver import redis_environments
from mockserver.engine import Engine
from mockserver.environments import MOST_ROTATED, Environment, MemoryEnvironments
from mockserver.errors import EnvironmentAlreadyExists, EnvironmentNotFound
from mockserver.redis_environments import RedisEnvironments

CI = Environment("ci", "standard", True, 100)
OTHER = Environment("other", "enterprise", False, 0, 5, 7, 0, True)


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


class Replicas:
    """Two replicas of the same environments; in memory, there is one, which is both."""

    def __init__(self, url):
        self.clock = Clock()
        self._engines = [Engine(url), Engine(url)] if url else []
        if url:
            self.here, self.there = (RedisEnvironments(engine, self.clock) for engine in self._engines)
        else:
            self.here = self.there = MemoryEnvironments((), self.clock)

    async def close(self):
        for engine in self._engines:
            await engine.close()


@pytest.fixture(params=["memory", "redis"])
def known(request):
    """A function that runs a story with two replicas that have no environments yet."""
    url = None
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        server.call("FLUSHALL")
        url = server.url

    def run(story):
        async def whole():
            replicas = Replicas(url)
            try:
                await story(replicas)
            finally:
                await replicas.close()

        asyncio.run(whole())

    return run


async def nothing():
    pass


def test_environment_is_there_for_all_at_once(known):
    """What one replica adds, the other finds, by name and by token, whole and in order."""

    async def story(it):
        await it.here.add("talq_other", OTHER)
        await it.here.add("talq_ci", CI)
        assert await it.there.names() == ["other", "ci"]
        assert await it.there.get("other") == OTHER
        assert await it.there.find(b"talq_ci") == CI
        assert await it.there.find(b"talq_c") is None
        assert await it.there.get("nobody") is None
        with pytest.raises(EnvironmentAlreadyExists):
            await it.there.add("talq_2", CI)
        assert await it.here.find(b"talq_2") is None

    known(story)


def test_change_holds_from_the_next_request_on(known):
    """A replica that has seen an environment sees at once that another one suspended it."""

    async def story(it):
        await it.here.add("talq_ci", CI)
        assert not (await it.there.find(b"talq_ci")).is_suspended
        changed = await it.here.change("ci", lambda environment: replace(environment, is_suspended=True))
        assert changed == replace(CI, is_suspended=True)
        assert await it.there.find(b"talq_ci") == await it.there.get("ci") == changed
        with pytest.raises(EnvironmentNotFound):
            await it.here.change("nobody", lambda environment: environment)

    known(story)


def test_rotated_token_is_gone_for_good(known):
    """Only the new one is good, a reset brings no old one back, and whose the last ones were is still known."""

    async def story(it):
        await it.here.add("talq_0", CI)
        await it.there.find(b"talq_0")
        for number in range(1, MOST_ROTATED + 3):
            await it.here.rotate("ci", f"talq_{number}")
        await it.here.restore("ci")
        found = [await it.there.find(b"talq_%d" % number) for number in range(MOST_ROTATED + 3)]
        assert found == [None] * (MOST_ROTATED + 2) + [CI]
        former = [await it.there.find_revoked(b"talq_%d" % number) for number in range(MOST_ROTATED + 3)]
        assert former == [None, None, *[CI] * MOST_ROTATED, None]
        with pytest.raises(EnvironmentNotFound):
            await it.here.rotate("nobody", "talq_x")
        assert await it.here.find(b"talq_x") is None

    known(story)


def test_revoked_token_comes_back_unless_it_was_rotated_meanwhile(known):
    """A revocation lasts until `restore`."""

    async def story(it):
        await it.here.add("talq_ci", CI)
        await it.there.revoke("ci")
        assert await it.here.find(b"talq_ci") is None
        assert await it.here.find_revoked(b"talq_ci") == CI
        await it.there.restore("ci")
        assert await it.here.find(b"talq_ci") == CI
        assert await it.here.find_revoked(b"talq_ci") is None
        await it.here.revoke("ci")
        await it.here.rotate("ci", "talq_2")
        await it.here.restore("ci")
        assert await it.there.find(b"talq_ci") is None

    known(story)


def test_removed_environment_leaves_nothing(known):
    """Its tokens are good for nothing, its name is free, but not before it was emptied."""

    async def story(it):
        await it.here.add("talq_ci", CI)
        await it.here.rotate("ci", "talq_2")
        assert await it.there.find(b"talq_2")

        async def look():
            assert await it.there.find(b"talq_2") is None
            assert await it.there.get("ci") is None
            if it.here is not it.there:
                with pytest.raises(EnvironmentAlreadyExists):
                    await it.there.add("talq_3", CI)
                assert not await it.there.remove("ci", nothing)

        assert await it.here.remove("ci", look)
        assert await it.there.names() == []
        assert await it.there.find_revoked(b"talq_ci") is None
        assert not await it.here.remove("ci", nothing)
        await it.there.add("talq_2", OTHER)
        assert await it.here.find(b"talq_2") == OTHER

    known(story)


def test_idle_environment_is_removed_and_a_used_one_is_not(known):
    """Nobody's environment goes after its time; one in use stays, and so does one without such a time."""

    async def story(it):
        await it.here.add("talq_ci", replace(CI, idle_seconds=100))
        await it.here.add("talq_other", OTHER)
        it.clock.now += 90
        assert await it.there.find(b"talq_ci")
        assert await it.here.last_seen("ci") == it.clock.now
        it.clock.now += 90
        assert await it.here.idle() == []
        assert not await it.here.remove("ci", nothing, if_idle=True)
        it.clock.now += 90
        assert await it.here.idle() == ["ci"]
        assert not await it.there.remove("other", nothing, if_idle=True)
        assert await it.there.remove("ci", nothing, if_idle=True)
        assert await it.here.names() == ["other"]
        assert await it.here.last_seen("ci") is None

    known(story)


def test_removal_that_stopped_half_way_is_taken_up_again(redis_server):
    """If a replica dies while it empties an environment, another one may finish that a minute later."""
    redis_server.call("FLUSHALL")

    async def story():
        it = Replicas(redis_server.url)
        await it.here.add("talq_ci", CI)

        async def die():
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await it.here.remove("ci", die)
        assert await it.there.find(b"talq_ci") is None
        assert not await it.there.remove("ci", nothing)
        it.clock.now += redis_environments.GOING_SECONDS + 1
        assert await it.there.idle() == ["ci"]
        assert await it.there.remove("ci", nothing, if_idle=True)
        await it.there.add("talq_ci", CI)
        assert await it.here.find(b"talq_ci") == CI
        await it.close()

    asyncio.run(story())


def test_many_who_rotate_leave_one_token(redis_server):
    """Of twenty new tokens made at once, one is good in the end; the others are former ones, or forgotten."""
    redis_server.call("FLUSHALL")

    async def story():
        it = Replicas(redis_server.url)
        await it.here.add("talq_ci", CI)
        both = [it.here, it.there]
        tokens = [f"talq_{number}" for number in range(20)]
        await asyncio.gather(*(both[number % 2].rotate("ci", token) for number, token in enumerate(tokens)))
        good = [token for token in tokens if await it.here.find(token.encode())]
        await it.close()
        return len(good)

    assert asyncio.run(story()) == 1
    assert redis_server.call("DBSIZE") == 4 + 1 + MOST_ROTATED


def test_environments_of_a_file_are_added_once(redis_server):
    """A replica adds what is not there yet, and leaves alone what is."""
    redis_server.call("FLUSHALL")
    known = MemoryEnvironments([("talq_ci", CI), ("talq_other", OTHER)])

    async def story():
        it = Replicas(redis_server.url)
        await it.here.add("talq_before", replace(CI, max_trunks=1))
        assert await it.there.adopt(known.registered) == ["other"]
        assert await it.there.adopt(known.registered) == []
        assert await it.here.find(b"talq_other") == OTHER
        assert await it.here.find(b"talq_ci") is None
        await it.close()

    asyncio.run(story())
