"""`mockserver.journal`, `verification` and `har`: what is known of requests afterwards, and what must not be."""

import asyncio
import json
import threading

import httpx
import pytest

import mockserver
from mockserver import journal as module
from mockserver.inprocess import Misused
from mockserver.redaction import Seal

SECRET = "Zq7-hunter-9vX"
TOKEN = "talq_s0me-0ther-t0ken"
SEAL = Seal()


@pytest.fixture(scope="module")
def server():
    with mockserver.running() as mock:
        yield mock


@pytest.fixture
def own(server):
    """An environment of the test's own."""
    environment = server.environment()
    yield environment
    environment.close()


def call(own, method="POST", path="/sip-trunks", **options):
    headers = own.headers | options.pop("headers", {})
    return httpx.request(method, own.base_url + path, headers=headers, **options)


def trunk(**changes):
    fields = {
        "name": "Main",
        "provider_name": "carrier-x",
        "domain": "sip.carrier.example",
        "username": "user_42",
        "password": SECRET,
    }
    return fields | changes


def journal(own, **query):
    answer = httpx.get(f"{own.url}/_mock/journal", params={"environment": own.name, **query})
    assert answer.status_code == 200
    return answer


def test_entry_tells_what_was_sent_and_answered(own):
    """A request is in the journal with its operation, fields, answer and time, its secrets masked."""
    call(own, json=trunk(transport="udp"))
    (entry,) = journal(own).json()["data"]
    assert (entry["environment"], entry["operation"], entry["status"]) == (own.name, "create_sip_trunk", 201)
    assert (entry["method"], entry["path"]) == ("POST", "/api/v1/sip-trunks")
    assert entry["fields"] == trunk(transport="udp", password="***")
    assert entry["answer"]["body"]["data"]["port"] == 5060
    assert {"name": "authorization", "value": "***"} in entry["headers"]
    assert entry["broken"] == []
    assert entry["duration_ms"] > 0


def test_entry_names_the_rules_that_were_broken(own):
    """A broken field is there with the contract's words and rules, a broken body with the rules of its answer."""
    call(own, json=trunk(port=70000))
    call(own, content=b"{", headers={"Content-Type": "application/json"})
    fields, body = journal(own, status="4xx").json()["data"]
    says = "port must be an integer from 1 to 65535"
    assert fields["broken"] == [{"field": "port", "says": says, "rules": ["create.port.range", "create.port.type"]}]
    assert any(rule.startswith("body.") for rule in body["broken"][0]["rules"])
    assert (body["fields"], body["body_bytes"]) == (None, 1)


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"json": trunk()}, id="body"),
        pytest.param({"json": trunk(username=SECRET, name=f"x{SECRET}x")}, id="other-fields"),
        pytest.param({"json": trunk(password=[SECRET])}, id="list"),
        pytest.param({"json": trunk(password={"value": SECRET})}, id="object"),
        pytest.param({"json": trunk(name={"password": SECRET})}, id="nested"),
        pytest.param({"json": [{"password": SECRET}]}, id="not-an-object"),
        pytest.param({"json": SECRET}, id="text"),
        pytest.param({"json": trunk(pasword=SECRET, Password=SECRET, **{SECRET: 1})}, id="unknown-members"),
        pytest.param({"content": f'{{"password": "{SECRET}", "name"'.encode(), "headers": JSON}, id="broken-json"),
        pytest.param({"content": f'{{"password": "{SECRET}", "password": "x"}}'.encode(), "headers": JSON}, id="twice"),
        pytest.param({"content": json.dumps(trunk()).encode("utf-16"), "headers": JSON}, id="utf-16"),
        pytest.param({"data": {"password": SECRET}}, id="form"),
        pytest.param({"json": trunk(), "headers": {"X-Secret": SECRET, "Cookie": SECRET}}, id="headers"),
        pytest.param(
            {"json": trunk(), "headers": {"User-Agent": SECRET, "Idempotency-Key": SECRET}}, id="plain-headers"
        ),
        pytest.param({"path": f"/sip-trunks/{SECRET}", "method": "GET"}, id="path"),
        pytest.param({"path": f"/sip-trunks?password={SECRET}", "method": "GET"}, id="query"),
        pytest.param({"path": f"/{SECRET}/x", "method": "GET"}, id="unknown-path"),
        pytest.param({"json": trunk(name=TOKEN)}, id="token-in-a-field"),
        pytest.param({"json": trunk(), "headers": {"User-Agent": TOKEN}}, id="token-in-a-header"),
        pytest.param({"path": f"/sip-trunks/{TOKEN}", "method": "GET"}, id="token-in-the-path"),
        pytest.param({"path": f"/sip-trunks/%74alq_{TOKEN[5:]}", "method": "GET"}, id="token-percent-encoded"),
        pytest.param({"json": trunk(), "headers": {"Authorization": f"Bearer {TOKEN}"}}, id="unknown-token"),
        pytest.param({"json": trunk(), "headers": {"Authorization": f"Basic {SECRET}"}}, id="other-scheme"),
    ],
)
def test_secret_is_kept_in_no_place(own, request_):
    """A password or token is in no entry, in any form of the journal, wherever the client had put it."""
    call(own, **request_)
    call(own, "GET")
    shown = httpx.get(f"{own.url}/_mock/journal").text + httpx.get(f"{own.url}/_mock/journal?format=har").text
    kept = repr(asyncio.run(own._api.entries()))
    for text in (shown, kept, own.journal_text()):
        assert SECRET not in text
        assert TOKEN[5:] not in text
        assert own.token not in text


def test_slip_of_the_pen_is_shown_by_name(own):
    """A member that is nearly one of the contract's is named, so that the typing error can be found."""
    call(own, json=trunk(pasword="x", prot=5060, zzz=1))
    assert own.requests[0].fields == trunk(password="***", pasword="***", prot="***") | {"***": "***"}


def test_journal_is_bounded():
    """Only the last entries of an environment are kept."""
    kept = empty_journal(size=3)
    for number in range(5):
        kept.keep(entry(number))
    assert [it.number for it in asyncio.run(kept.read())] == [2, 3, 4]


def test_journal_can_be_off(start_mock):
    """`--journal 0` keeps nothing."""
    mock = start_mock("--journal=0")
    assert httpx.get(f"{mock.base_url}/sip-trunks").status_code == 401
    assert httpx.get(f"{mock.root_url}/_mock/journal").json()["data"] == []


def entry(number, environment="one", operation="list_sip_trunks", status=200, time=0.0):
    request = SEAL.lock(b"/\n\n")
    return module.Kept(number, time, 1, environment, operation, "GET", request, 0, status, [], b"{}", "id")


def empty_journal(size=module.SIZE):
    kept = module.MemoryJournal(size)
    kept.reader = module.Reader([], {}, SEAL)
    return kept


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        ({"environment": "one"}, [1, 3]),
        ({"environment": "-"}, [4]),
        ({"operation": "create_sip_trunk"}, [3]),
        ({"status": "404"}, [2]),
        ({"status": "4xx"}, [2, 4]),
        ({"since": 20, "until": 30}, [2, 3]),
    ],
)
def test_entries_are_selected_and_cleared(selection, numbers):
    """Environment, operation, status and time say which entries are read, or forgotten."""
    kept = empty_journal()
    kept.keep(entry(1, time=10))
    kept.keep(entry(2, "two", status=404, time=20))
    kept.keep(entry(3, operation="create_sip_trunk", time=30))
    kept.keep(entry(4, None, None, 401, time=40))
    wanted = module.Selection(**selection)
    assert [it.number for it in asyncio.run(kept.read(wanted))] == numbers
    assert asyncio.run(kept.clear(wanted)) == len(numbers)
    assert [it.number for it in asyncio.run(kept.read())] == [
        number for number in (1, 2, 3, 4) if number not in numbers
    ]


def test_requests_are_forgotten_on_request(own):
    """DELETE takes the filters that GET takes."""
    call(own, "GET")
    call(own, "GET", "/sip-trunks/undefined")
    url = f"{own.url}/_mock/journal"
    gone = httpx.delete(url, params={"environment": own.name, "status": "404"})
    assert gone.json()["data"] == {"cleared": 1}
    assert [it.status for it in own.requests] == [200]


def test_har_has_what_browsers_need(own):
    """The journal as HAR 1.2: a request with its masked body, its answer, its times."""
    call(own, json=trunk())
    log = journal(own, format="har").json()["log"]
    (one,) = log["entries"]
    assert log["version"] == "1.2"
    assert one["request"]["url"] == f"{own.base_url}/sip-trunks"
    assert json.loads(one["request"]["postData"]["text"])["password"] == "***"
    assert (one["response"]["status"], one["response"]["content"]["mimeType"]) == (201, "application/json")
    assert {"send", "wait", "receive"} == one["timings"].keys()


def test_stream_tells_of_requests_as_they_come(own):
    """Whoever follows the journal gets each entry of the environment as an event."""
    seen, is_following = [], threading.Event()

    def follow():
        with httpx.stream("GET", f"{own.url}/_mock/journal/stream?environment={own.name}") as stream:
            for line in stream.iter_lines():
                is_following.set()
                if line.startswith("data: "):
                    seen.append(json.loads(line[6:]))
                    return

    thread = threading.Thread(target=follow)
    thread.start()
    assert is_following.wait(5)
    call(own, json=trunk())
    thread.join(5)
    assert [it["operation"] for it in seen] == ["create_sip_trunk"]
    assert SECRET not in json.dumps(seen)


def verify(own, *expectations):
    body = {"environment": own.name, "expect": list(expectations)}
    return httpx.post(f"{own.url}/_mock/journal/verify", json=body)


def test_verification_is_one_call(own):
    """Exactly 2 creates over UDP and none with a broken body: one call says so."""
    for name in ("a", "b"):
        call(own, json=trunk(name=name, transport="udp"))
    wanted = [
        {"operation": "create_sip_trunk", "fields": {"transport": "udp"}, "count": 2},
        {"operation": "create_sip_trunk", "broken": True, "count": 0},
    ]
    assert verify(own, *wanted).json() == {"success": True}
    call(own, json=trunk(port=0))
    missed = verify(own, *wanted)
    assert (missed.status_code, missed.json()["code"]) == (409, "EXPECTATION_MISSED")
    (miss,) = missed.json()["data"]["missed"]
    assert (miss["expectation"], miss["found"], miss["nearest"]["status"]) == (1, 1, 422)


def test_miss_names_the_nearest_request_and_what_differs(own):
    """Of the requests that do not fit, the one with the fewest differences is shown with them."""
    call(own, "GET")
    call(own, json=trunk(transport="tcp", port=5062))
    missed = verify(own, {"operation": "create_sip_trunk", "fields": {"transport": "udp", "port": 5062}})
    nearest = missed.json()["data"]["missed"][0]["nearest"]
    assert nearest["operation"] == "create_sip_trunk"
    assert nearest["differs"] == [{"what": "fields.transport", "expected": "udp", "actual": "tcp"}]
    assert "fields.transport is 'tcp', not 'udp'" in missed.json()["message"]


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ({"fields": {"password": "***"}}, True),
        ({"fields": {"port": True}}, False),
        ({"headers": {"Content-Type": "application/json"}}, True),
        ({"status": 201, "method": "POST", "path": "/api/v1/sip-trunks"}, True),
        ({"code": "VALIDATION_ERROR"}, False),
        ({"at_most": 1}, True),
        ({"at_least": 2}, False),
        ({"fault": False, "count": 1}, True),
    ],
    ids=str,
)
def test_expectation(own, expected, holds):
    """Every member of an expectation counts."""
    call(own, json=trunk(port=1))
    assert (verify(own, expected).status_code == 200) is holds


def test_password_cannot_be_expected(own):
    """No password is kept, so none can be compared; the refusal does not repeat it."""
    answer = verify(own, {"fields": {"password": SECRET}})
    assert answer.json()["errors"].keys() == {"expect.0.fields.password"}
    assert SECRET not in answer.text
    with pytest.raises(Misused, match=r"must be \*\*\*"):
        own.assert_requested(fields={"password": SECRET})
