"""`mockserver.store`: what is kept, per environment, and what only a store can keep true."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)

from mockserver.engine import Engine
from mockserver.errors import (
    DidAlreadyExists,
    DidInUse,
    DidNotFound,
    TrunkAlreadyExists,
    TrunkHasDids,
    TrunkLimitReached,
    TrunkNotFound,
)
from mockserver.redaction import Sealed
from mockserver.redis_store import RedisStore
from mockserver.store import MemoryStore
from mockserver.trunks import Did, Trunk


@pytest.fixture(params=["memory", "redis", "redis-cluster"])
def open_store(request):
    """A function that gives an empty store, of each kind, and a function that closes it."""
    if request.param == "memory":
        return lambda: (MemoryStore(), lambda: asyncio.sleep(0))
    server = request.getfixturevalue("redis_server")

    def open_it():
        server.call("FLUSHALL")
        engine = Engine(server.url if request.param == "redis" else server.cluster_url)
        return RedisStore(engine), engine.close

    return open_it


@pytest.fixture
def kept(open_store):
    """A function that runs a story over an empty store."""

    def run(story):
        async def whole():
            store, close = open_store()
            try:
                return await story(store)
            finally:
                await close()

        return asyncio.run(whole())

    return run


def trunk(number, name="a"):
    return Trunk(
        f"t{number}", name, "p", "d.example", "u", Sealed(b"sealed \0\xff"), 5061, "tls", None, None, "t1", "t1"
    )


def did(trunk_id, number, *, in_use=False):
    return Did(f"did-{trunk_id}-{number}", trunk_id, number, "US", number, in_use)


def same(one, other):
    """Tell whether two trunks are the same; sealed passwords are if their bytes are."""
    return one._replace(password=one.password.box) == other._replace(password=other.password.box)


class Shelves(RuleBasedStateMachine):
    """The store beside dicts: two environments, whatever the order of calls."""

    trunks = Bundle("trunks")
    dids = Bundle("dids")
    environments = st.sampled_from(["one", "two"])
    numbers = st.sampled_from(["+12025550123", "+12025550124"])

    def __init__(self, open_store):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store, self.close = open_store()
        self.kept = {"one": {}, "two": {}}
        self.made = 0

    def call(self, refusal, method, *arguments):
        """Call the store, and expect the refusal if one is named."""
        if refusal is None:
            return self.loop.run_until_complete(getattr(self.store, method)(*arguments))
        with pytest.raises(refusal):
            self.loop.run_until_complete(getattr(self.store, method)(*arguments))
        return None

    def teardown(self):
        self.loop.run_until_complete(self.close())
        self.loop.close()

    def numbers_of(self, environment):
        return {number for dids in self.kept[environment].values() for number in dids.values()}

    @initialize(target=trunks)
    def one_trunk(self):
        return self.add_trunk("one")

    @rule(target=trunks, environment=environments)
    def add(self, environment):
        return self.add_trunk(environment)

    def add_trunk(self, environment):
        self.made += 1
        self.call(None, "add_trunk", environment, trunk(self.made))
        self.kept[environment][f"t{self.made}"] = {}
        return f"t{self.made}"

    @rule(target=dids, environment=environments, trunk_id=trunks, number=numbers)
    def add_a_did(self, environment, trunk_id, number):
        return self.add_did(environment, trunk_id, number)

    @rule(did=consumes(dids), trunk_id=trunks, number=numbers)
    def free_a_number_and_use_it_again(self, did, trunk_id, number):
        self.delete_did(*did)
        self.add_did(did[0], trunk_id, number)

    def add_did(self, environment, trunk_id, number):
        refusal = None
        if trunk_id not in self.kept[environment]:
            refusal = TrunkNotFound
        elif number in self.numbers_of(environment):
            refusal = DidAlreadyExists
        self.made += 1
        new = replace(did(trunk_id, number), id=f"did-{self.made}")
        self.call(refusal, "add_did", environment, new)
        if refusal:
            return multiple()
        self.kept[environment][trunk_id][new.id] = number
        return environment, trunk_id, new.id

    @rule(did=consumes(dids))
    def delete_did_where_it_is(self, did):
        self.delete_did(*did)

    @rule(did=dids, environment=environments, trunk_id=trunks)
    def delete_did_elsewhere(self, did, environment, trunk_id):
        self.delete_did(environment, trunk_id, did[2])

    def delete_did(self, environment, trunk_id, did_id):
        refusal = None
        if trunk_id not in self.kept[environment]:
            refusal = TrunkNotFound
        elif did_id not in self.kept[environment][trunk_id]:
            refusal = DidNotFound
        self.call(refusal, "delete_did", environment, trunk_id, did_id)
        if refusal is None:
            del self.kept[environment][trunk_id][did_id]

    @rule(environment=environments, trunk_id=trunks)
    def delete_trunk(self, environment, trunk_id):
        refusal = None
        if trunk_id not in self.kept[environment]:
            refusal = TrunkNotFound
        elif self.kept[environment][trunk_id]:
            refusal = TrunkHasDids
        self.call(refusal, "delete_trunk", environment, trunk_id)
        if refusal is None:
            del self.kept[environment][trunk_id]

    @rule(environment=environments)
    def list_all(self, environment):
        assert [it.id for it in self.call(None, "trunks", environment)] == list(self.kept[environment])
        for trunk_id, dids in self.kept[environment].items():
            assert [it.id for it in self.call(None, "dids", environment, trunk_id)] == list(dids)
            assert self.call(None, "trunk", environment, trunk_id).id == trunk_id

    @rule(environment=environments)
    def clear(self, environment):
        self.call(None, "clear", environment)
        self.kept[environment] = {}


def test_store_is_like_dicts(open_store):
    """Whatever is called in whatever order, a store has what dicts would have."""
    run_state_machine_as_test(
        lambda: Shelves(open_store), settings=settings(max_examples=40, stateful_step_count=25, deadline=None)
    )


def test_change_that_fails_keeps_nothing(kept):
    """A change that raises leaves the trunk as it was."""

    async def story(store):
        await store.add_trunk("one", trunk(1))

        def fail(_trunk):
            raise DidInUse

        with pytest.raises(DidInUse):
            await store.change_trunk("one", "t1", fail)
        return (await store.trunk("one", "t1")).name

    assert kept(story) == "a"


def test_change_is_kept_and_given(kept):
    """A change replaces the trunk in its place, and its result is the answer."""

    async def story(store):
        for number in (1, 2):
            await store.add_trunk("one", trunk(number))
        changed = await store.change_trunk("one", "t1", lambda _trunk: trunk(1, "b"))
        assert same(await store.trunk("one", "t1"), changed)
        return [it.name for it in await store.trunks("one")]

    assert kept(story) == ["b", "a"]


@pytest.mark.parametrize("call", ["trunk", "delete_trunk", "dids", "change_trunk"])
def test_unknown_trunk_is_not_found(kept, call):
    """A trunk of another environment is as unknown as one that never was."""

    async def story(store):
        await store.add_trunk("one", trunk(1))
        rest = [lambda it: it] if call == "change_trunk" else []
        await getattr(store, call)("two", "t1", *rest)

    with pytest.raises(TrunkNotFound):
        kept(story)


def test_number_in_use_stays(kept):
    """A DID that an active agent has cannot be deleted."""

    async def story(store):
        await store.add_trunk("one", trunk(1))
        await store.add_did("one", did("t1", "+12025550123", in_use=True))
        with pytest.raises(DidInUse):
            await store.delete_did("one", "t1", "did-t1-+12025550123")
        return len(await store.dids("one", "t1"))

    assert kept(story) == 1


def test_requests_are_counted_by_environment_and_minute(kept):
    """Each environment has its own count, which starts again with the minute."""

    async def story(store):
        calls = [("one", 7), ("one", 7), ("two", 7), ("one", 7), ("one", 8), ("two", 8)]
        return [await store.count_request(*call) for call in calls]

    assert kept(story) == [1, 2, 1, 3, 1, 1]


def test_everything_of_a_trunk_and_a_did_is_kept(kept):
    """What comes out is what went in, each field as it was, also text that is not ASCII."""
    full = Trunk(
        "t-1",
        "ä€😀",
        'p"\\',
        "d",
        "u",
        Sealed(bytes(range(256))),
        1,
        "udp",
        "o",
        "r",
        "c",
        "u",
        True,
        True,
        "h",
        "l",
        7,
    )

    async def story(store):
        await store.add_trunk("one", full)
        number = Did("d-1", "t-1", "+12025550123", "US", "+1 202-555-0123", True)
        await store.add_did("one", number)
        (listed,) = await store.trunks("one")
        assert same(listed, full)
        assert same(await store.trunk("one", "t-1"), full)
        assert list(await store.dids("one", "t-1")) == [number]
        assert await store.mark_did("one", "t-1", "d-1", in_use=False) == replace(number, in_use=False)
        assert list(await store.dids("one", "t-1")) == [replace(number, in_use=False)]
        await store.delete_did("one", "t-1", "d-1")

    kept(story)


def test_trunk_takes_the_place_of_no_other(kept):
    """An id stands for one trunk."""

    async def story(store):
        await store.add_trunk("one", trunk(1))
        with pytest.raises(TrunkAlreadyExists):
            await store.add_trunk("one", trunk(1, "b"))
        await store.add_trunk("two", trunk(1))
        return (await store.trunk("one", "t1")).name

    assert kept(story) == "a"


def test_limit_of_trunks_is_kept(kept):
    """Where only so many may be, the next one waits until one is deleted; 0 is no limit."""

    async def story(store):
        for number in (1, 2):
            await store.add_trunk("one", trunk(number), 2)
        with pytest.raises(TrunkLimitReached):
            await store.add_trunk("one", trunk(3), 2)
        await store.delete_trunk("one", "t1")
        await store.add_trunk("one", trunk(3), 2)
        await store.add_trunk("one", trunk(4), 0)
        return await store.count_trunks("one"), await store.count_trunks("two")

    assert kept(story) == (3, 0)


def test_store_tells_what_is_taken(kept):
    """Ids and numbers that are there already, and no others."""

    async def story(store):
        await store.add_trunk("one", trunk(1))
        await store.add_did("one", did("t1", "+12025550123"))
        assert await store.taken("one", [], []) == (set(), set())
        return await store.taken("one", ["t2", "t1"], ["+12025550123", "+12025550124"])

    assert kept(story) == ({"t1"}, {"+12025550123"})


def test_thousands_are_listed_oldest_first(kept):
    """More than fits into one piece comes as a whole, in order: trunks, and DIDs of a trunk."""

    async def story(store):
        for number in range(1201):
            await store.add_trunk("one", trunk(number))
            await store.add_did("one", replace(did("t0", f"+1{number}"), id=f"{-number % 1201}"))
        await store.delete_trunk("one", "t700")
        numbers = [it.number for it in await store.dids("one", "t0")]
        return [it.id for it in await store.trunks("one")], numbers

    ids, numbers = kept(story)
    assert ids == [f"t{number}" for number in range(1201) if number != 700]
    assert numbers == [f"+1{number}" for number in range(1201)]


def test_count_forgets_earlier_minutes_and_goes_with_a_clock_that_is_set_back(kept):
    """A minute counts from 1, whichever came before; `clear` forgets the count."""

    async def story(store):
        counts = [await store.count_request("one", minute) for minute in (7, 9, 9, 1_000_000, 3, 3)]
        await store.clear("one")
        return [*counts, await store.count_request("one", 3)]

    assert kept(story) == [1, 1, 2, 1, 1, 2, 1]
