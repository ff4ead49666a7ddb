"""`mockserver.handlers`: what only a look from inside shows; the rest is tested over HTTP."""

import asyncio
import json

import pytest
from clients import trunk

from mockserver.carrier import MemoryCarriers
from mockserver.environments import Environment
from mockserver.errors import DidInUse
from mockserver.handlers import PIECE, Handlers
from mockserver.redaction import Sealed
from mockserver.store import MemoryStore
from mockserver.trunks import Did, Finding, create

CI = Environment("ci", "standard", True, 0)
FIELDS = trunk(password=Sealed(b"box"), port=5061, transport="tls", is_active=False)


def handlers(store=None, carrier=lambda *_: Finding(20)):
    """Give handlers whose first trunk has the id `a`."""
    ids = iter("abcdef")
    return Handlers(
        store or MemoryStore(), MemoryCarriers(carrier), lambda: "2024-01-15T14:00:00Z", lambda _: next(ids)
    )


def test_carrier_is_asked_once_with_domain_and_count():
    """Each check is one question, which names the checks that came before."""
    asked = []

    def carrier(*question):
        asked.append(question)
        return Finding(20)

    async def story():
        it = handlers(carrier=carrier)
        await it.create_sip_trunk(CI, FIELDS)
        await it.verify_sip_trunk(CI, "a")
        await it.get_sip_trunk_health(CI, "a")

    asyncio.run(story())
    assert asked == [("sip.carrier.example", 0), ("sip.carrier.example", 1)]


def test_number_that_an_agent_uses_cannot_be_deleted():
    """DID_IN_USE, which no operation can bring about, is what the handler passes on."""

    async def story():
        store = MemoryStore()
        it = handlers(store)
        await it.create_sip_trunk(CI, FIELDS)
        await store.add_did("ci", Did("d", "a", "+12025550123", "US", "", in_use=True))
        await it.delete_sip_trunk_did(CI, "a", "d")

    with pytest.raises(DidInUse):
        asyncio.run(story())


@pytest.mark.parametrize("many", [0, 1, PIECE, PIECE + 1, 3 * PIECE + 7])
def test_others_have_their_turn_while_a_long_list_is_made(many):
    """A list comes complete and in order, in pieces, and between two of them others go on."""
    turns = []

    async def others():
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    async def story():
        store, names = MemoryStore(), [f"trunk {number}" for number in range(many)]
        for name in names:
            await store.add_trunk("ci", create({**FIELDS, "name": name}, name, "2024-01-15T14:00:00Z"))
        other = asyncio.ensure_future(others())
        answer = await handlers(store).list_sip_trunks(CI)
        other.cancel()
        assert [it["name"] for it in json.loads(b"".join(answer.body))["data"]] == names
        return len(answer.body)

    pieces = asyncio.run(story())
    assert pieces == max(1, -(-many // PIECE))
    assert len(turns) >= pieces - 1


def test_answers_have_no_member_for_the_password():
    """Members are picked one by one; the sealed password is in none."""

    async def story():
        it = handlers()
        created = await it.create_sip_trunk(CI, FIELDS)
        updated = await it.update_sip_trunk(CI, {"password": Sealed(b"new")}, "a")
        return [created, updated, await it.get_sip_trunk(CI, "a"), await it.list_sip_trunks(CI)]

    for answer in asyncio.run(story()):
        assert "password" not in repr(answer)
        assert "***" not in repr(answer)
