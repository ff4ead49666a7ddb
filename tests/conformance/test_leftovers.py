import json
import threading

import pytest
from kit import TOKENS, Script, reply

from conformance import runs
from conformance.client import FIRST, NotJudged
from conformance.transport import NoAnswer


class Trunks:
    """A tiny server that keeps what it makes, and loses the answers that it is told to lose."""

    def __init__(self):
        self.trunks = {"theirs": {"id": "theirs", "name": "Somebody's own"}}
        self.dids = {}
        self.lose = lambda _method, _path: None
        self.lock = threading.Lock()

    def __call__(self, method, path, _headers, body):
        answer = self._answer(method, path.partition("?")[0].split("/")[2:], body)
        lost = self.lose(method, path)
        if lost:
            raise lost
        return answer

    def _answer(self, method, where, body):
        if method == "POST" and not where:
            made = {"id": f"t{len(self.trunks)}", **json.loads(body)}
            self.trunks[made["id"]] = made
            return reply(201, made)
        if method == "POST":
            self.dids[f"d{len(self.dids)}"] = where[0]
            return reply(201, {"id": f"d{len(self.dids) - 1}"})
        if method == "GET":
            numbers = [{"id": did} for did, trunk in self.dids.items() if where and trunk == where[0]]
            return reply(200, numbers if where else [*self.trunks.values()])
        gone = self.dids.pop(where[2], None) if len(where) > 1 else None
        if len(where) == 1 and where[0] not in self.dids.values():
            gone = self.trunks.pop(where[0], None)
        return reply(200 if gone else 409)


@pytest.fixture
def server():
    return Trunks()


@pytest.fixture
def lab(server):
    """A bench on the tiny server."""
    made = runs.make_lab("http://127.0.0.1:1/api/v1", {FIRST: TOKENS[FIRST]})
    made.client.close()
    made.client._transport = Script(server)
    return made


@pytest.mark.parametrize("loss", [NoAnswer("closed", dropped=True), KeyboardInterrupt()], ids=["no-answer", "ctrl-c"])
def test_trunk_whose_create_got_no_answer_is_deleted(server, lab, loss):
    """It is found in the list by the run's name, and nobody else's trunk is touched."""
    lab.create()
    server.lose = lambda method, _path: loss if method == "POST" else None
    with pytest.raises((NotJudged, KeyboardInterrupt)):
        lab.create()
    lab.close()
    assert server.trunks.keys() == {"theirs"}
    assert lab.leftovers == []


def test_number_whose_post_got_no_answer_is_deleted(server, lab):
    """It would keep its trunk from being deleted."""
    path = f"/sip-trunks/{lab.create().member('id')}"
    server.lose = lambda method, _path: NoAnswer("closed") if method == "POST" else None
    with pytest.raises(NotJudged):
        lab.add_did(path, {"country_code": "US", "number": lab.number()})
    lab.close()
    assert (server.trunks.keys(), server.dids) == ({"theirs"}, {})


def test_trunk_that_was_seen_in_a_list_is_deleted(server, lab):
    """A trunk that a refused create made all the same is known from a list that the run saw."""
    server.trunks["odd"] = {"id": "odd", "name": f"x {lab.name()} y"}
    lab.client.send("GET", "/sip-trunks", operation="GET /sip-trunks")
    lab.close()
    assert server.trunks.keys() == {"theirs"}


def test_what_cannot_be_looked_for_is_said(server, lab):
    """Where even the list gets no answer, people are told what to look for."""
    server.lose = lambda _method, _path: NoAnswer("closed")
    with pytest.raises(NotJudged):
        lab.create()
    lab.close()
    assert lab.leftovers == [f"/sip-trunks (whatever has trunkcheck {lab.options.run_id} in its name)"]


def test_nothing_is_looked_for_without_need(server, lab):
    """A run whose creates were all answered sends its deletes, and looks once whether anything is left."""
    lab.create()
    before = lab.client.requests
    lab.close()
    assert lab.client.requests == before + 2
    assert lab.leftovers == []


def test_keep_leaves_everything(server):
    """With --keep nothing is deleted, and nothing is called left behind."""
    lab = runs.make_lab("http://127.0.0.1:1/api/v1", {FIRST: TOKENS[FIRST]}, keep=True)
    lab.client.close()
    lab.client._transport = Script(server)
    lab.create()
    lab.close()
    assert (len(server.trunks), lab.leftovers) == (2, [])
