import json

import pytest
from kit import client, reply

from conformance.refusals import Case, Refusals, field_cases

FIELDS = ("name", "port", "domain")


class Bad:
    """A server's answers to bad creates: it refuses every field whose value is "bad", and names what `tells` leaves."""

    def __init__(self, tells, takes=()):
        self._tells = tells
        self._takes = takes
        self.sent = []
        self._client = client(self._answer)

    def _answer(self, _method, _path, _headers, body):
        bad = [name for name, value in json.loads(body).items() if value not in self._takes]
        named = self._tells(bad)
        return _refusal(named) if bad else reply(201, {"id": "1"})

    def __call__(self, changes):
        self.sent.append(dict(changes))
        return self._client.send("POST", "/sip-trunks", dict(changes))


def _refusal(named):
    answer = reply(422)
    body = json.dumps({"success": False, "message": "no", "code": "X", "errors": {name: ["no"] for name in named}})
    return type(answer)(422, answer.headers, body.encode())


def refusals(server, cases, **how):
    made = Refusals(**how)
    made.senders = {"create": server}
    made.all_cases = lambda _kind: cases
    return made


def cases(telling=("a",), more=("b",)):
    return [case for field in FIELDS for case in field_cases(field, telling, more)]


def everything(bad):
    return bad


def first(bad):
    return bad[:1]


def test_one_request_shows_many_fields():
    """A refusal that names each field shows that each value is enough."""
    server = Bad(everything)
    asked = cases()
    found = list(refusals(server, asked).answers("create", asked))
    assert [case.label for case, _ in found] == [case.label for case in asked]
    assert server.sent == [dict.fromkeys(FIELDS, "a"), dict.fromkeys(FIELDS, "b")]


def test_value_that_was_not_named_is_sent_alone():
    """A field that a packed refusal is silent about has still to be judged."""
    server = Bad(everything, takes=("b",))
    asked = [*cases(), *field_cases("transport", ("a", "c"))]
    answers = {case.label: answer for case, answer in refusals(server, asked).answers("create", asked)}
    assert answers['name "b"'].is_success
    assert answers['name "a"'].is_refusal
    assert [changes for changes in server.sent if len(changes) == 1] == [{field: "b"} for field in FIELDS]


def test_server_that_names_only_the_first_field_gets_each_telling_value_alone():
    """Where packing shows nothing, the telling cases are sent by themselves, and the others left to deep."""
    server = Bad(first)
    asked = cases()
    found = [case.label for case, _ in refusals(server, asked).answers("create", asked)]
    assert found == ['name "a"', 'port "a"', 'domain "a"']
    assert server.sent[1:] == [{field: "a"} for field in FIELDS]


def test_deep_sends_every_case_alone():
    """Nothing is packed where no request is too many."""
    server = Bad(everything)
    asked = cases()
    assert len(list(refusals(server, asked, alone=True).answers("create", asked))) == 6
    assert all(len(changes) == 1 for changes in server.sent)


def test_packed_request_that_is_accepted_shows_nothing():
    """A server that takes them all is asked about each value."""
    server = Bad(everything, takes=("a", "b"))
    asked = cases()
    found = list(refusals(server, asked).answers("create", asked))
    assert all(answer.is_success for _, answer in found)
    assert {"name": "a"} in server.sent


def test_case_that_must_be_alone_is_never_packed():
    """What a server does with one bad field alone is looked at."""
    server = Bad(everything)
    asked = [Case("x", "name", "a", alone=True), *cases()]
    list(refusals(server, asked).answers("create", asked))
    assert {"name": "a"} in server.sent


@pytest.mark.parametrize("tells", [everything, first])
def test_no_request_is_sent_twice(tells):
    """Asking for the same cases again sends only what was not sent packed."""
    server = Bad(tells)
    asked = cases()
    made = refusals(server, asked)
    list(made.answers("create", asked))
    packed = [changes for changes in server.sent if len(changes) > 1]
    list(made.answers("create", asked))
    assert [changes for changes in server.sent if len(changes) > 1] == packed
