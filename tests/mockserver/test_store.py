"""`mockserver.store`: what is kept, per environment, and what only a store can keep true."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, multiple, rule

from mockserver.errors import DidAlreadyExists, DidInUse, DidNotFound, TrunkHasDids, TrunkNotFound
from mockserver.redaction import Sealed
from mockserver.store import MemoryStore
from mockserver.trunks import Did, Trunk


def trunk(number, name="a"):
    return Trunk(f"t{number}", name, "p", "d.example", "u", Sealed(b""), 5061, "tls", None, None, "t1", "t1")


def did(trunk_id, number, *, in_use=False):
    return Did(f"did-{trunk_id}-{number}", trunk_id, number, "US", number, in_use)


class Shelves(RuleBasedStateMachine):
    """The store beside dicts: two environments, whatever the order of calls."""

    trunks = Bundle("trunks")
    dids = Bundle("dids")
    environments = st.sampled_from(["one", "two"])
    numbers = st.sampled_from(["+12025550123", "+12025550124"])

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = MemoryStore()
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


TestShelves = Shelves.TestCase
TestShelves.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_change_that_fails_keeps_nothing():
    """A change that raises leaves the trunk as it was."""

    async def story():
        store = MemoryStore()
        await store.add_trunk("one", trunk(1))

        def fail(_trunk):
            raise DidInUse

        with pytest.raises(DidInUse):
            await store.change_trunk("one", "t1", fail)
        return (await store.trunk("one", "t1")).name

    assert asyncio.run(story()) == "a"


def test_change_is_kept_and_given():
    """A change replaces the trunk in its place, and its result is the answer."""

    async def story():
        store = MemoryStore()
        for number in (1, 2):
            await store.add_trunk("one", trunk(number))
        changed = await store.change_trunk("one", "t1", lambda _trunk: trunk(1, "b"))
        assert await store.trunk("one", "t1") is changed
        return [it.name for it in await store.trunks("one")]

    assert asyncio.run(story()) == ["b", "a"]


@pytest.mark.parametrize("call", ["trunk", "delete_trunk", "dids", "change_trunk"])
def test_unknown_trunk_is_not_found(call):
    """A trunk of another environment is as unknown as one that never was."""

    async def story():
        store = MemoryStore()
        await store.add_trunk("one", trunk(1))
        rest = [lambda it: it] if call == "change_trunk" else []
        await getattr(store, call)("two", "t1", *rest)

    with pytest.raises(TrunkNotFound):
        asyncio.run(story())


def test_number_in_use_stays():
    """A DID that an active agent has cannot be deleted."""

    async def story():
        store = MemoryStore()
        await store.add_trunk("one", trunk(1))
        await store.add_did("one", did("t1", "+12025550123", in_use=True))
        with pytest.raises(DidInUse):
            await store.delete_did("one", "t1", "did-t1-+12025550123")
        return len(await store.dids("one", "t1"))

    assert asyncio.run(story()) == 1


def test_requests_are_counted_by_environment_and_minute():
    """Each environment has its own count, which starts again with the minute."""

    async def story():
        store = MemoryStore()
        calls = [("one", 7), ("one", 7), ("two", 7), ("one", 7), ("one", 8), ("two", 8)]
        return [await store.count_request(*call) for call in calls]

    assert asyncio.run(story()) == [1, 2, 1, 3, 1, 1]
