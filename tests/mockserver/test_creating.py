"""Create and read, over HTTP: the documented answer, defaults, and every field's rule at its edge."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from clients import GONE, refused, trunk

SUMMARY = {"id", "name", "provider_name", "domain", "transport", "port", "is_active", "is_verified", "created_at"}
MORE = {"username", "outbound_proxy", "auth_realm", "health_status", "last_health_check_at", "updated_at"}
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"

GOOD = {
    "name": [
        "a",
        "a" * 255,
        "é" * 255,
        "😀" * 255,
        " leading and trailing ",
        "a/b\\c\"d'e<f>&",
        "Primary Carrier — US",
        "\u202e",
    ],
    "provider_name": ["a", "a" * 2000, "ünï", " x "],
    "username": ["a", "user@host:1", "a" * 2000, "日本"],
    "password": ["a", " a ", "a" * 2000, "pä§§", '"}\\', "talq_x", "***"],
    "domain": [
        "a",
        "carrier",
        "sip.carrier.example",
        "SIP.Carrier.Example",
        "sip.carrier.example.",
        "xn--bcher-kva.example",
        "1.2.3.example",
        "a--b.example",
        "192.0.2.1",
        "999.999.999.999",
        "[2001:db8::1]",
        "[::]",
        "[::ffff:192.0.2.1]",
        "[1:2:3:4:5:6:7:8]",
    ],
    "outbound_proxy": [None, "proxy.example", "192.0.2.1", "[::1]"],
    "auth_realm": [None, "realm", "a b — c"],
    "transport": ["udp", "tcp", "tls"],
    "port": [1, 5060, 65535, 5061.0, 1e3],
    "is_active": [False],
}
NO_TEXT = [1, 1.5, True, [], {}, ["a"]]
BAD = {
    "name": ["", "a" * 256, "é" * 256, "😀" * 256, " ", "\u3000\u2003", "a\0b", "a\n", "\x7f", "\x85", None, *NO_TEXT],
    "provider_name": ["", "   ", "\t", "a\0", None, *NO_TEXT],
    "username": ["", " ", "a\r\nb", None, *NO_TEXT],
    "password": ["", " ", "a\0", "a\n", None, *NO_TEXT],
    "domain": [
        "",
        " ",
        "sip:carrier.example",
        "https://carrier.example",
        "carrier.example/path",
        "carrier.example:5060",
        "user@carrier.example",
        "carrier example",
        " carrier.example",
        "carrier.example ",
        "carrier.example\n",
        "carrier.example\r\n",
        "carrier_x.example",
        "-carrier.example",
        "carrier-.example",
        ".carrier.example",
        "carrier..example",
        "..",
        ".",
        "bücher.example",
        "carrier.example?x",
        "carrier.example\0",
        "2001:db8::1",
        "[2001:db8::1",
        "[2001:db8::1]:5061",
        "[1:2:3]",
        "[::1::2]",
        "[g::1]",
        "[]",
        "[::192.0.2.256]",
        None,
        *NO_TEXT,
    ],
    "outbound_proxy": [
        "",
        " ",
        "sip:proxy.example",
        "proxy.example:5060",
        "proxy.example\n",
        "proxy example",
        *NO_TEXT,
    ],
    "auth_realm": ["", " ", "a\nb", *NO_TEXT],
    "transport": ["", "TLS", "Udp", " tcp", "tcp\n", "sctp", "ws", None, 1, True, [], ["tls"], {}],
    "port": [
        0,
        -1,
        65536,
        5061.5,
        2**31,
        2**63,
        2**64 - 1,
        -(2**63),
        1e18,
        True,
        False,
        "5061",
        "",
        None,
        [],
        [5061],
        {},
    ],
    "is_active": ["", "true", 0, 1, 1.0, None, [], {}],
}
good = pytest.mark.parametrize(
    ("field", "value"), [(name, it) for name, values in GOOD.items() for it in values], ids=ascii
)
bad = pytest.mark.parametrize(
    ("field", "value"), [(name, it) for name, values in BAD.items() for it in values], ids=ascii
)


def test_documented_request_gets_the_documented_answer(first):
    """201, the nine members, a Location; and then the trunk can be read there."""
    answer = first.post("/sip-trunks", json=trunk(port=5061, transport="tls"))
    assert (answer.status_code, answer.json()["success"]) == (201, True)
    data = answer.json()["data"]
    assert data.keys() == SUMMARY
    sent = trunk(port=5061, transport="tls", username=..., password=...)
    assert {name: data[name] for name in sent} == sent
    assert (data["is_active"], data["is_verified"]) == (False, False)
    assert answer.headers["location"] == f"/api/v1/sip-trunks/{data['id']}"


def test_trunk_is_read_with_all_its_members(first):
    """A read has fifteen members; what is unset is null."""
    created = first.post("/sip-trunks", json=trunk()).json()["data"]
    data = first.read(f"/sip-trunks/{created['id']}")
    assert data.keys() == SUMMARY | MORE
    assert data.items() >= created.items()
    unset = {"outbound_proxy", "auth_realm", "health_status", "last_health_check_at"}
    assert {name for name, value in data.items() if value is None} == unset
    assert data["username"] == "user_42"


def test_ids_are_uuids_and_times_are_now(first):
    """An id is a UUID; both stamps are the time of the request, in UTC and whole seconds."""
    data = first.read(first.create())
    assert str(uuid.UUID(data["id"])) == data["id"]
    assert data["created_at"] == data["updated_at"]
    assert re.fullmatch(STAMP, data["created_at"])
    assert abs(datetime.fromisoformat(data["created_at"]) - datetime.now(UTC)) < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("sent", "transport", "port"),
    [
        ({}, "tls", 5061),
        ({"transport": "tls"}, "tls", 5061),
        ({"transport": "udp"}, "udp", 5060),
        ({"transport": "tcp"}, "tcp", 5060),
        ({"port": 5060}, "tls", 5060),
        ({"transport": "udp", "port": 5061}, "udp", 5061),
        ({"transport": "tcp", "port": 1}, "tcp", 1),
    ],
    ids=repr,
)
def test_port_left_out_follows_the_transport(first, sent, transport, port):
    """Defaults by transport, and an explicit port is kept whatever the transport."""
    data = first.read(first.create(**sent))
    assert (data["transport"], data["port"]) == (transport, port)


@good
def test_good_value_comes_back_as_it_was_sent(first, field, value):
    """Whatever a field may be is kept, character for character, by create and by update."""
    created, updated = first.create(**{field: value}), first.create()
    answer = first.put(updated, json={field: value})
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    for data in (first.read(created), first.read(updated), answer.json()["data"]):
        assert field == "password" or data[field] == value
        assert field != "port" or type(data[field]) is int
        assert "password" not in data


@bad
def test_bad_value_is_refused_by_its_field_and_nothing_changes(first, field, value):
    """The refusal names the field and no other, its text does not depend on the value, and no trunk comes of it."""
    path = first.create()
    before = first.get("/sip-trunks").json()
    body = trunk(**{field: value})
    create = first.post("/sip-trunks", json=body)
    update = first.put(path, json={"name": "Backup", field: value})
    for answer in (create, update):
        assert refused(answer) == (422, "VALIDATION_ERROR")
        assert answer.json()["errors"].keys() == {field}
        assert answer.json()["errors"][field][0].startswith(f"{field} ")
    assert first.get("/sip-trunks").json() == before


@pytest.mark.parametrize("field", ["name", "provider_name", "domain", "username", "password"])
def test_required_field_left_out_is_named(first, field):
    """Five fields are required."""
    answer = first.post("/sip-trunks", json=trunk(**{field: ...}))
    assert refused(answer) == (422, "VALIDATION_ERROR")
    (text,) = answer.json()["errors"][field]
    assert text.startswith(f"{field} is required and must be ")


def test_all_broken_fields_are_named_at_once(first):
    """A refusal lists everything that is wrong, absent fields included."""
    answer = first.post("/sip-trunks", json={name: values[0] for name, values in BAD.items() if name != "username"})
    assert answer.json()["errors"].keys() == BAD.keys()
    assert answer.json()["message"] == f"The request breaks the rules of {len(BAD)} fields."


def test_new_trunk_that_was_to_be_active_is_refused(first):
    """An unverified trunk is never active, and the refused one is not made."""
    before = first.get("/sip-trunks").json()
    answer = first.post("/sip-trunks", json=trunk(is_active=True))
    assert refused(answer) == (422, "TRUNK_NOT_VERIFIED")
    assert answer.json()["errors"].keys() == {"is_active"}
    assert first.get("/sip-trunks").json() == before


def test_server_made_and_unknown_members_never_take_effect(first):
    """What only the server makes is ignored in a request, by create and by update."""
    made = {
        "id": GONE,
        "is_verified": True,
        "health_status": "healthy",
        "last_health_check_at": "2020-01-01T00:00:00Z",
        "created_at": "2020-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
        "checks": 7,
        "colour": {"deep": ["red"]},
    }
    path = first.create(**made)
    assert first.put(path, json=made).status_code == 200
    data = first.read(path)
    assert not {name for name in made.keys() & data.keys() if data[name] == made[name]}
    assert "colour" not in data


def test_two_trunks_may_share_a_name(first):
    """A name is no key."""
    assert first.create(name="Twin") != first.create(name="Twin")


def test_list_has_all_trunks_oldest_first(second):
    """The list has every trunk as a read shows it, in the order of creation."""
    paths = [second.create(name=name) for name in "zamb"]
    second.put(paths[1], json={"name": "changed"})
    answer = second.get("/sip-trunks")
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert answer.json()["data"][-4:] == [second.read(path) for path in paths]


@pytest.mark.parametrize("trunk_id", [GONE, "x", "%00", "a%2Fb", "%ff", "null", "'; --", "a" * 2000])
def test_unknown_trunk_is_not_found(first, trunk_id):
    """An id that is none is as unknown as one that never was, in every operation."""
    path = f"/sip-trunks/{trunk_id}"
    for method, end in [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/verify"),
        ("GET", "/health"),
        ("GET", "/dids"),
    ]:
        assert refused(first.request(method, path + end, json={})) == (404, "TRUNK_NOT_FOUND")
    assert refused(first.number(path, "+12025550199")) == (404, "TRUNK_NOT_FOUND")
    assert refused(first.delete(f"{path}/dids/{GONE}")) == (404, "TRUNK_NOT_FOUND")
