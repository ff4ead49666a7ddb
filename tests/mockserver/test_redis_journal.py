"""`mockserver.redis_journal`: what needs no mock in front of it, on one server and as in a cluster."""

import asyncio

import pytest

from mockserver import journal as module
from mockserver.bodies import JsonBody
from mockserver.engine import Engine
from mockserver.journal import Kept, Selection
from mockserver.redaction import Seal
from mockserver.redis_journal import RedisJournal

SEAL = Seal(bytes(32))


def kept(environment="one", operation="list_sip_trunks", status=200, time=0.0, **more):
    headers = [(b"x-a", "ä".encode())]
    return Kept(
        0, time, 1.5, environment, operation, "GET", SEAL.lock(b"/\n\n"), 0, status, headers, b"\xff{}", "id", **more
    )


class Journals:
    """Two replicas' journals of the same environments."""

    def __init__(self, url, size):
        self.engines = [Engine(url), Engine(url)]
        self.here, self.there = (RedisJournal(engine, SEAL, self.names, size) for engine in self.engines)
        self.here.reader = self.there.reader = module.Reader([], {}, SEAL)

    async def names(self):
        return ["one", "two"]

    async def close(self):
        for engine in self.engines:
            await engine.close()


@pytest.fixture(params=["redis", "redis-cluster"])
def journals(request, redis_server):
    """A function that runs a story with two replicas whose journal is empty."""
    redis_server.call("FLUSHALL")
    url = redis_server.url if request.param == "redis" else redis_server.cluster_url

    def run(story, size=module.SIZE):
        async def whole():
            it = Journals(url, size)
            try:
                await story(it)
            finally:
                await it.close()

        asyncio.run(whole())

    return run


def test_everything_of_a_request_is_kept(journals):
    """What the other replica reads is what was kept, except for the number, which the server gives."""

    async def story(it):
        full = kept(code="X", errors={"a": ["b"]}, misfortune={"status": 500}, is_faked=True)
        queue = await it.there.follow("one")
        it.here.keep(full)
        told = await asyncio.wait_for(queue.get(), 5)
        assert told == full._replace(number=told.number)
        (read,) = await it.there.read()
        assert read == it.there.open(told)
        await it.there.leave(queue)

    journals(story)


@pytest.mark.parametrize(
    ("selection", "operations"),
    [
        ({"environment": "one"}, ["a", "c"]),
        ({"environment": "-"}, ["d"]),
        ({"operation": "c"}, ["c"]),
        ({"status": "4xx"}, ["b", "d"]),
        ({"since": 20, "until": 30}, ["b", "c"]),
    ],
)
def test_entries_are_selected_and_cleared(journals, selection, operations):
    """Environment, operation, status and time say which entries are read, or forgotten, as in memory."""

    async def story(it):
        for one in (
            kept("one", "a", 200, 10),
            kept("two", "b", 404, 20),
            kept("one", "c", 200, 30),
            kept(None, "d", 401, 40),
        ):
            it.here.keep(one)
        wanted = Selection(**selection)
        assert [entry.operation for entry in await it.here.read(wanted)] == operations
        assert await it.there.clear(wanted) == len(operations)
        assert [entry.operation for entry in await it.here.read()] == [one for one in "abcd" if one not in operations]

    journals(story)


@pytest.mark.parametrize("size", [7, 250])
def test_oldest_go_first(journals, size):
    """So many are read at most, the last ones, in order, also if it takes several pages."""

    async def story(it):
        for number in range(400):
            it.here.keep(kept(time=float(number)))
        read = await it.here.read()
        assert [entry.time for entry in read] == [float(number) for number in range(400 - size, 400)]

    journals(story, size)


def test_entry_under_a_key_that_is_gone_is_passed_over(journals):
    """After a rotation of the key, old entries are unreadable, and the new ones are read all the same."""

    async def story(it):
        it.here.keep(kept(time=1.0))
        await it.here.read()
        it.there._seal = Seal(b"x" * 32)
        it.there.keep(kept(time=2.0))
        assert [entry.time for entry in await it.there.read()] == [2.0]

    journals(story)


def test_requests_wait_while_the_server_is_away(tmp_path):
    """What was answered while nothing could be put there is in the journal afterwards, and followers go on."""
    from redis_server import RedisServer

    server = RedisServer(tmp_path)

    async def story():
        it = Journals(server.url, 100)
        queue = await it.there.follow(None)
        server.kill()
        it.here.keep(kept(time=1.0))
        await asyncio.sleep(0.1)
        server.start()
        while not (read := await it.here.read()):
            await asyncio.sleep(0.05)
        deadline = asyncio.get_running_loop().time() + 10
        while queue.empty():
            assert asyncio.get_running_loop().time() < deadline
            it.here.keep(kept(time=2.0))
            await asyncio.sleep(0.2)
        await it.there.leave(queue)
        await it.close()
        return [entry.time for entry in read]

    try:
        assert asyncio.run(story()) == [1.0]
    finally:
        server.stop()


def test_secret_out_of_its_place_is_in_no_later_answer_at_another_replica(journals):
    """A password that was sent as a name as well is masked where a later answer repeats it, whoever reads it."""
    schema = {"properties": {"name": {"type": "string"}, "password": {"type": "string", "writeOnly": True}}}
    bodies = {"create_sip_trunk": JsonBody(schema, SEAL)}

    async def story(it):
        it.there.reader = module.Reader([], bodies, SEAL)
        sent = b'/\n\n{"name": "hunter-22", "password": "hunter-22"}'
        it.here.keep(kept(operation="create_sip_trunk", status=201)._replace(request=SEAL.lock(sent), answer=b"{}"))
        it.here.keep(kept(time=1.0)._replace(answer=b'{"name": "hunter-22"}'))
        await it.here.read()
        page, _ = await it.there.page("one", Selection("one"), 0, 10)
        for entries in (page, await it.there.read()):
            assert len(entries) == 2
            assert "hunter-22" not in repr(entries)

    journals(story)
