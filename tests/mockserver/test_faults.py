"""`mockserver.faults`, `misfortunes` and `scenarios`: how the mock misbehaves, and that it only does when told to."""

import asyncio
import contextlib
import time

import httpx
import pytest

import mockserver
from mockserver.faults import Fault, MemoryFaults, Preference, preference
from mockserver.inprocess import Misused
from mockserver.scenarios import BadScenario, Scenarios

TRUNK = {
    "name": "Main",
    "provider_name": "carrier-x",
    "domain": "sip.carrier.example",
    "username": "user_42",
    "password": "a-secret-password",
}


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


@pytest.fixture
def http(own):
    with httpx.Client(base_url=own.base_url, headers=own.headers) as client:
        yield client


FAULTS = [
    pytest.param({"status": 500}, id="500"),
    pytest.param({"status": 503, "retry_after": 2}, id="503"),
    pytest.param({"status": 429, "retry_after": 2}, id="429"),
    pytest.param({"status": 401}, id="401"),
    pytest.param({"status": 409, "code": "DID_IN_USE"}, id="other-code"),
    pytest.param({"status": 599}, id="unknown-status"),
    pytest.param({"delay_ms": 20}, id="delay"),
    pytest.param({"delay_ms": 1, "spread_ms": 20, "seed": 1}, id="spread"),
    pytest.param({"transfer": "reset"}, id="reset"),
    pytest.param({"transfer": "reset", "takes_effect": True}, id="reset-after"),
    pytest.param({"transfer": "truncated"}, id="truncated"),
    pytest.param({"transfer": "malformed"}, id="malformed"),
    pytest.param({"transfer": "drip", "drip_ms": 50}, id="drip"),
    pytest.param({"status": 500, "transfer": "truncated"}, id="500-truncated"),
    pytest.param({"status": 500, "takes_effect": True}, id="500-after"),
]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_the_next_request_is_served(own, http, fault, method):
    """One request meets the fault; the next one is answered as if nothing had been, over the same client."""
    own.fail_next(**fault)
    body = {"json": TRUNK} if method == "POST" else {}
    try:
        met = http.request(method, "/sip-trunks", **body)
    except httpx.TransportError:
        met = None
    after = http.post("/sip-trunks", json=TRUNK)
    assert met is not None or "transfer" in fault
    assert (after.status_code, after.json()["data"]["name"]) == (201, "Main")
    assert own.requests[0].misfortune
    assert own.requests[1].misfortune is None
    assert TRUNK["password"] not in repr(own.requests)


@pytest.mark.parametrize(
    ("fault", "raised"),
    [("reset", httpx.ReadError), ("truncated", httpx.RemoteProtocolError)],
)
def test_broken_connection_is_what_the_client_sees(own, http, fault, raised):
    """A reset is a reset to the client, and a truncated body ends before its length."""
    own.fail_next(transfer=fault)
    with pytest.raises(raised):
        http.get("/sip-trunks")


def test_malformed_answer_is_complete_but_no_json(own, http):
    """The status and the length are right; only the body is no JSON."""
    own.fail_next(transfer="malformed")
    answer = http.get("/sip-trunks")
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        answer.json()


def test_drip_is_slow_and_whole(own, http):
    """Everything comes, in pieces."""
    own.fail_next(transfer="drip", drip_ms=200)
    began = time.monotonic()
    assert http.get("/sip-trunks").json() == {"success": True, "data": []}
    assert time.monotonic() - began >= 0.1  # the last of ten pieces is waited for by nobody, and clocks are coarse


def test_status_has_the_documented_answer(own, http):
    """A fault's status is answered as the contract documents it for the operation, with its header fields."""
    own.fail_next(status=429, retry_after=7)
    limited = http.get("/sip-trunks")
    assert (limited.json()["code"], limited.headers["retry-after"]) == ("RATE_LIMITED", "7")
    own.fail_next(status=401)
    assert http.get("/sip-trunks").headers["www-authenticate"] == "Bearer"
    own.fail_next(status=503, code="DOWN_FOR_MAINTENANCE")
    assert http.get("/sip-trunks").json()["code"] == "DOWN_FOR_MAINTENANCE"


@pytest.mark.parametrize(("takes_effect", "left"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("fault", [{"status": 500}, {"transfer": "reset"}], ids=["status", "reset"])
def test_request_takes_effect_only_if_told(own, http, fault, takes_effect, left):
    """A failed create makes nothing, unless it was its answer that got lost."""
    own.fail_next(**fault, **({"takes_effect": True} if takes_effect else {}))
    with contextlib.suppress(httpx.ReadError):
        http.post("/sip-trunks", json=TRUNK)
    assert len(own.state()) == left


def test_fault_is_for_those_that_match(own, http):
    """Operation and field values say which requests meet a fault; others do not."""
    own.fail_next(operation="create_sip_trunk", where={"transport": "udp"}, status=503)
    assert http.get("/sip-trunks").status_code == 200
    assert http.post("/sip-trunks", json=TRUNK).status_code == 201
    assert http.post("/sip-trunks", json=TRUNK | {"transport": "udp"}).status_code == 503
    assert http.post("/sip-trunks", json=TRUNK | {"transport": "udp"}).status_code == 201


def test_fault_lets_some_pass_first(own, http):
    """`skip` requests are served, then `times` are not."""
    own.fail_next(2, skip=1)
    assert [http.get("/sip-trunks").status_code for _ in range(5)] == [200, 503, 503, 200, 200]


def test_probability_is_the_same_each_time():
    """With a seed, the same requests meet a fault in every run."""

    async def met():
        faults = MemoryFaults()
        await faults.add("one", Fault(probability=0.5, seed=3, status=500))
        return [await faults.meet("one", "list_sip_trunks", None) is not None for _ in range(40)]

    assert asyncio.run(met()) == asyncio.run(met())
    assert 10 < sum(asyncio.run(met())) < 30


def test_faults_come_one_after_the_other(own, http):
    """The oldest fault that fits is met first; those at work can be listed and taken away."""
    own.fail_next(status=500)
    own.fail_next(status=503)
    listed = httpx.get(f"{own.url}/_mock/environments/{own.name}/faults").json()["data"]
    assert [it["status"] for it in listed] == [500, 503]
    assert http.get("/sip-trunks").status_code == 500
    own.clear_faults()
    assert http.get("/sip-trunks").status_code == 200


def test_password_in_a_fault_is_not_shown(own):
    """A fault that asks for a password never matches one, and does not tell it."""
    own.fail_next(where={"password": TRUNK["password"]})
    assert TRUNK["password"] not in httpx.get(f"{own.url}/_mock/environments/{own.name}/faults").text


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 200},
        {"status": 503, "times": 0},
        {"retry_after": 1, "transfer": "drip"},
        {"transfer": "sideways"},
        {"takes_effect": True, "delay_ms": 1},
        {"probability": 2},
        {"operation": "no_such_operation"},
        {"nonsense": 1},
    ],
    ids=str,
)
def test_fault_that_makes_no_sense_is_refused(own, fault):
    """A fault is checked when it is asked for."""
    with pytest.raises(Misused):
        own.fail_next(**fault)


def test_revoked_token_is_refused_until_there_is_a_new_one(own, http):
    """The scenario takes the token away; a reset gives it back, unless it was rotated: that is for good."""
    old = own.headers
    own.scenario("token-rotated")
    assert [http.get("/sip-trunks").status_code for _ in range(2)] == [200, 401]
    own.reset()
    own.scenario("token-rotated")
    assert [http.get("/sip-trunks").status_code for _ in range(4)] == [200, 401, 401, 401]
    own.rotate_token()
    assert httpx.get(f"{own.base_url}/sip-trunks", headers=own.headers).status_code == 200
    own.reset()
    assert httpx.get(f"{own.base_url}/sip-trunks", headers=old).status_code == 401
    assert httpx.get(f"{own.base_url}/sip-trunks", headers=own.headers).status_code == 200


@pytest.mark.parametrize("name", Scenarios().names)
def test_scenario_has_a_description_and_starts(own, name):
    """Every scenario of the package can be started, and says in a sentence what it does."""
    assert Scenarios().get(name).description.endswith(".")
    own.scenario(name)
    own.scenario(None)
    assert httpx.get(f"{own.base_url}/sip-trunks", headers=own.headers).status_code == 200


def statuses(own, count):
    return [httpx.get(f"{own.base_url}/sip-trunks", headers=own.headers).status_code for _ in range(count)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rate-limited", [429, 429, 200, 200]),
        ("rate-limited-for-good", [429, 429, 429, 429]),
        ("unavailable", [503, 503, 503, 200]),
        ("eventual-500", [200, 200, 500, 500]),
    ],
)
def test_scenario_does_what_it_says(own, server, name, expected):
    """A scenario's answers come in its order, to its environment alone."""
    other = server.environment()
    own.scenario(name)
    assert statuses(own, 4) == expected
    assert statuses(other, 1) == [200]
    other.close()


def test_flapping_carrier_flaps(own, http):
    """The carrier answers every second time."""
    own.scenario("flapping-carrier")
    (trunk,) = own.seed()
    found = [http.post(f"/sip-trunks/{trunk['id']}/verify").json()["success"] for _ in range(4)]
    assert found == [True, False, True, False]


def test_own_scenarios_stand_beside_those_of_the_package(tmp_path):
    """A directory of one's own adds scenarios, and may replace one."""
    (tmp_path / "mine.toml").write_text('description = "Mine."\n[[faults]]\nstatus = 418\n')
    (tmp_path / "slow.toml").write_text('description = "Slower."\n')
    mock = mockserver.asgi(scenarios=tmp_path, scenario="mine")
    assert Scenarios(tmp_path).get("slow").description == "Slower."
    assert "rate-limited" in Scenarios(tmp_path).names

    async def get():
        transport = httpx.ASGITransport(mock.app)
        async with httpx.AsyncClient(transport=transport, base_url=mock.base_url, headers=mock.headers) as client:
            return await client.get("/sip-trunks")

    assert asyncio.run(get()).status_code == 418


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("description = ", "is not TOML"),
        ("[[faults]]\nstatus = 500", "description is required"),
        ('description = "x"\n[[faults]]\nstatus = 200', "faults.0.status must be"),
        ('description = "x"\n[[faults]]\ntimes = 1', "is required"),
        ('description = "x"\n[[carrier]]\nanswers = ["ill"]', "carrier.0.answers.0 must be one of"),
    ],
)
def test_bad_scenario_is_named(tmp_path, text, says):
    """A file that is no good is refused at the start, with its name and the place."""
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(BadScenario, match=says) as refused:
        Scenarios(tmp_path)
    assert "bad.toml" in str(refused.value)


def test_preference_for_an_error_is_honoured(http):
    """`Prefer: code=…` gives the operation's documented error, and says so."""
    answer = http.post("/sip-trunks", json=TRUNK, headers={"Prefer": "code=429"})
    assert (answer.status_code, answer.json()["code"]) == (429, "RATE_LIMITED")
    assert answer.headers["preference-applied"] == "code=429"
    assert http.get("/sip-trunks").json()["data"] == []


def test_preference_to_wait_is_honoured(own, http):
    """`Prefer: wait=…` delays the answer by so many seconds."""
    began = time.monotonic()
    answer = http.get("/sip-trunks", headers={"Prefer": "respond-async, wait=1"})
    assert time.monotonic() - began >= 1
    assert (answer.status_code, answer.headers["preference-applied"]) == (200, "wait=1")


@pytest.mark.parametrize("value", ["code=200", "code=418", "code=x", "wait=100000", "", "handling=strict; code=429"])
def test_preference_that_cannot_be_is_ignored(http, value):
    """What is not documented for the operation, or not understood, is not applied (RFC 7240, section 2)."""
    answer = http.get("/sip-trunks", headers={"Prefer": value})
    assert answer.status_code == 200
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"code=409"], Preference(409)),
        ([b'wait="2", CODE = 422; x=y'], Preference(422, 2)),
        ([b"code=409", b"code=422, wait=1"], Preference(409, 1)),
        ([b"wait=61"], Preference()),
        ([b"\xff\x00,,;=,code"], Preference()),
    ],
    ids=str,
)
def test_preference_is_read(values, expected):
    """The first of two wins, quotes and parameters do not matter, nonsense is nothing."""
    assert preference(values) == expected


def test_credentials_come_before_preferences(own):
    """Without a token, no preference is heard."""
    assert httpx.get(f"{own.base_url}/sip-trunks", headers={"Prefer": "code=429"}).status_code == 401


def test_preferences_can_be_switched_off(start_mock):
    """`--no-prefer` leaves them unheard."""
    mock = start_mock("--no-prefer")
    headers = {"Authorization": "Bearer talq_your_environment_token_here", "Prefer": "code=429"}
    assert httpx.get(f"{mock.base_url}/sip-trunks", headers=headers).status_code == 200
