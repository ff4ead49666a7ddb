"""`mockserver.control` and `control_api`: what a test may do to the mock, over HTTP."""

import asyncio
import time

import httpx
import openapi_spec_validator
import pytest

import mockserver
import openapi
from mockserver.control import Control
from mockserver.control_api import ControlApi
from mockserver.documents import Document
from mockserver.environments import BUILT_IN, Environment, MemoryEnvironments
from mockserver.errors import DidAlreadyExists
from mockserver.store import MemoryStore

DESCRIPTION = openapi.load_control()
SCHEMAS = DESCRIPTION["components"]["schemas"]
FIRST = next(iter(BUILT_IN))
LIVE = {
    "name": "Live",
    "password": "s3cr3t-of-the-seed",
    "is_verified": True,
    "is_active": True,
    "health_status": "healthy",
    "last_health_check_at": "2026-01-31T13:00:00+01:00",
    "dids": [{"number": "+12025550123", "country_code": "US", "in_use": True}],
}


def operations():
    for path, methods in DESCRIPTION["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield pytest.param(method, path, operation, id=operation["operationId"])


OPERATIONS = list(operations())
HARMLESS = [it for it in OPERATIONS if it.id not in ("stream_journal", "delete_environment", "reset_all")]


@pytest.fixture(scope="module")
def server():
    with mockserver.running() as mock:
        yield mock


@pytest.fixture(scope="module")
def controls(server):
    with httpx.Client(base_url=f"{server.url}/_mock") as http:
        yield http


@pytest.fixture
def own(server):
    """An environment of the test's own."""
    environment = server.environment()
    yield environment
    if environment.name in [it["name"] for it in httpx.get(f"{server.url}/_mock/environments").json()["data"]]:
        environment.close()


def path_of(environment):
    return f"/environments/{environment.name}"


def api(environment, method, path, **options):
    return httpx.request(method, environment.base_url + path, headers=environment.headers, **options)


def test_description_is_valid_openapi():
    """The controls' description is valid OpenAPI 3.0, with what it takes from the contract inside."""
    openapi_spec_validator.validate(DESCRIPTION)
    assert "Password" in SCHEMAS


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_operation_has_a_method_and_its_examples_fit(method, path, operation):
    """Every operation of the description is there, and takes its own examples."""
    assert callable(getattr(ControlApi, operation["operationId"]))
    body = operation.get("requestBody", {"content": {"application/json": {}}})["content"]["application/json"]
    for example in body.get("examples", {}).values():
        Document(body["schema"], SCHEMAS).check(example["value"])


def test_health_and_readiness_answer(controls, server):
    """Whoever waits for the mock can ask it."""
    assert controls.get("/health").json()["data"]["status"] == "ok"
    assert server.name in controls.get("/ready").json()["data"]["environments"]


def test_environment_is_made_used_and_removed(controls, server):
    """A new environment's token is told once, and is worth nothing when the environment is gone."""
    answer = controls.post("/environments", json={"name": "made", "plan": "standard", "requests_per_minute": 2})
    made = answer.json()["data"]
    assert (answer.status_code, made["plan"], made["requests_per_minute"]) == (201, "standard", 2)
    assert made["token"] not in controls.get("/environments").text
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert httpx.get(f"{server.base_url}/sip-trunks", headers=headers).headers["x-ratelimit-limit"] == "2"
    again = controls.post("/environments", json={"name": "made"})
    assert (again.status_code, again.json()["code"]) == (409, "ENVIRONMENT_ALREADY_EXISTS")
    assert controls.delete("/environments/made").json() == {"success": True}
    assert httpx.get(f"{server.base_url}/sip-trunks", headers=headers).status_code == 401
    assert controls.delete("/environments/made").json()["code"] == "ENVIRONMENT_NOT_FOUND"


def test_suspended_environment_keeps_what_it_has(controls, own):
    """Its requests are 403, and counted in its journal, until it may go on; nothing of it is lost."""
    own.seed()
    shown = controls.patch(path_of(own), json={"is_suspended": True}).json()["data"]
    assert (shown["is_suspended"], shown["trunks"]) == (True, 1)
    answer = api(own, "GET", "/sip-trunks")
    assert (answer.status_code, answer.json()["code"]) == (403, "ENVIRONMENT_SUSPENDED")
    assert httpx.get(f"{own.base_url}/sip-trunks", headers={"Authorization": "Bearer talq_x"}).status_code == 401
    assert controls.get(path_of(own)).json()["data"]["is_suspended"] is True
    controls.patch(path_of(own), json={"is_suspended": False})
    assert len(api(own, "GET", "/sip-trunks").json()["data"]) == 1
    assert [entry.code for entry in own.requests] == ["ENVIRONMENT_SUSPENDED", None]


def test_trunk_over_the_limit_is_refused(controls, own):
    """403 for one more than `max_trunks`, and another one fits as soon as one has gone."""
    controls.patch(path_of(own), json={"max_trunks": 1})
    (there,) = own.seed()
    new = {"name": "n", "provider_name": "p", "domain": "a.example", "username": "u", "password": "s3cr3t-2"}
    answer = api(own, "POST", "/sip-trunks", json=new)
    assert (answer.status_code, answer.json()["code"]) == (403, "TRUNK_LIMIT_REACHED")
    api(own, "DELETE", f"/sip-trunks/{there['id']}")
    assert api(own, "POST", "/sip-trunks", json=new).status_code == 201


def test_plan_brings_its_limit_along(controls, own):
    """A change of plan changes requests a minute, unless those are named as well."""
    for change, limit in [
        ({"plan": "standard"}, 100),
        ({"plan": "professional", "requests_per_minute": 7}, 7),
        ({"max_trunks": 3}, 7),
    ]:
        assert controls.patch(path_of(own), json=change).json()["data"]["requests_per_minute"] == limit
        assert api(own, "GET", "/sip-trunks").headers["x-ratelimit-limit"] == str(limit)


@pytest.mark.parametrize("change", [{}, {"name": "x"}, {"max_trunks": -1}, {"is_suspended": 1}, {"token": "talq_x"}])
def test_other_change_of_an_environment_is_refused(controls, own, change):
    """Only what the description names can be changed."""
    answer = controls.patch(path_of(own), json=change)
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")


def test_environment_tells_when_it_was_last_used(controls, own):
    """The time of the last request, by the real clock."""
    before = controls.get(path_of(own)).json()["data"]["last_seen_at"]
    api(own, "GET", "/sip-trunks")
    assert before < controls.get(path_of(own)).json()["data"]["last_seen_at"]


def test_environment_keeps_so_many_requests(controls, own):
    """The last ones, as many as its quota says, also if that becomes smaller; 0 is none."""
    for quota, left in [(3, [404, 404, 200]), (2, [404, 200]), (0, [])]:
        controls.patch(path_of(own), json={"journal_entries": quota})
        for path in ("/sip-trunks/x", "/sip-trunks/x", "/sip-trunks/x", "/sip-trunks"):
            api(own, "GET", path)
        assert [entry.status for entry in own.requests] == left


def test_environment_that_nobody_uses_goes_by_itself(controls):
    """After `idle_seconds` without a request it is gone."""
    controls.post("/environments", json={"name": "idle", "idle_seconds": 1})
    deadline = time.monotonic() + 15
    while controls.get("/environments/idle").status_code != 404:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_rotated_token_replaces_the_old_one(own):
    """After a rotation the old token is refused, and the journal still knows whose it was."""
    old = own.headers
    own.rotate_token()
    assert httpx.get(f"{own.base_url}/sip-trunks", headers=old).status_code == 401
    assert api(own, "GET", "/sip-trunks").status_code == 200
    assert [entry.status for entry in own.requests] == [401, 200]


def test_seed_puts_trunks_in_any_state(controls, own):
    """One call makes a verified, active trunk with a DID in use, and nothing tells its password."""
    answer = controls.post(f"{path_of(own)}/state", json={"trunks": [LIVE, {}]})
    live, usual = answer.json()["data"]["trunks"]
    assert answer.status_code == 201
    assert (live["is_active"], live["health_status"]) == (True, "healthy")
    assert live["last_health_check_at"] == "2026-01-31T12:00:00Z"
    assert (usual["is_verified"], usual["port"], usual["dids"]) == (False, 5061, [])
    assert api(own, "GET", f"/sip-trunks/{live['id']}").json()["data"].items() <= live.items()
    export = controls.get(f"{path_of(own)}/state")
    assert "password" not in export.text
    assert LIVE["password"] not in answer.text + export.text


def test_did_in_use_cannot_be_deleted(controls, own):
    """`DID_IN_USE` is to be seen once an active agent has the number, and gone when it has not."""
    (trunk,) = own.seed(dids=[{"number": "+12025550124", "country_code": "US"}])
    did = f"/trunks/{trunk['id']}/dids/{trunk['dids'][0]['id']}"
    assert controls.put(path_of(own) + did, json={"in_use": True}).json()["data"]["in_use"] is True
    delete = did.replace("/trunks", "/sip-trunks")
    assert api(own, "DELETE", delete).json()["code"] == "DID_IN_USE"
    controls.put(path_of(own) + did, json={"in_use": False})
    assert api(own, "DELETE", delete).status_code == 200


def test_export_can_be_seeded_again(controls, own):
    """What was exported gives the same state after a reset."""
    own.seed(LIVE)
    export = controls.get(f"{path_of(own)}/state").json()["data"]
    assert controls.post(f"{path_of(own)}/reset").status_code == 200
    assert own.state() == []
    assert controls.post(f"{path_of(own)}/state", json=export).json()["data"] == export


@pytest.mark.parametrize(
    ("trunks", "field"),
    [
        pytest.param([{"port": "13371337"}], "trunks.0.port", id="type"),
        pytest.param([{}, {"domain": "sip:13371337"}], "trunks.1.domain", id="rule"),
        pytest.param([{"password": [13371337]}], "trunks.0.password", id="password"),
        pytest.param([{"is_active": True}], "trunks.0.is_active", id="active-unverified"),
        pytest.param([{"dids": [{"number": "13371337", "country_code": "US"}]}], "trunks.0.dids.0.number", id="did"),
        pytest.param([{"dids": [{"number": "+1202"}]}], "trunks.0.dids.0.country_code", id="did-incomplete"),
        pytest.param([{"created_at": "13371337"}], "trunks.0.created_at", id="time"),
        pytest.param([{"x13371337": 1}], "trunks.0", id="unknown-member"),
        pytest.param([LIVE, LIVE], "trunks.1.dids.0.number", id="number-twice"),
        pytest.param("13371337", "trunks", id="no-list"),
    ],
)
def test_bad_seed_names_the_place_and_changes_nothing(controls, own, trunks, field):
    """A seed is taken as a whole or not at all; the refusal names the place and never what stood there."""
    answer = controls.post(f"{path_of(own)}/state", json={"trunks": trunks})
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")
    assert field in answer.json()["errors"]
    assert "13371337" not in answer.text
    assert own.state() == []


@pytest.mark.parametrize(("method", "path", "operation"), HARMLESS)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b'{"x": {"y": [1]}}', b"\xff", b"[" * 5000, b'{"a":1,"a":2}'], ids=repr
)
def test_hostile_body_is_never_a_5xx(controls, own, method, path, operation, body):
    """Whatever is sent to whichever operation, the answer is a success or the error envelope."""
    path = path.format(environment=own.name, trunk_id="%ff", phone_number_id="x")
    answer = controls.request(method, path, content=body[:4096], headers={"Content-Type": "application/json"})
    assert answer.status_code < 500
    if not answer.headers["content-type"].startswith("text/plain"):
        assert answer.json()["success"] is (answer.status_code < 400)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/journal?status=13371337", "status"),
        ("/journal?operation=13371337", "operation"),
        ("/journal?since=13371337", "since"),
        ("/journal?since=0001-01-01T00:00:00%2B23:00", "since"),
        ("/journal?format=13371337", "format"),
        ("/journal?x13371337=1", "query"),
        ("/health?x13371337=1", "query"),
    ],
)
def test_bad_query_names_the_parameter(controls, path, field):
    """A parameter that is no good is named, and not repeated."""
    answer = controls.get(path)
    assert (answer.status_code, list(answer.json()["errors"])) == (422, [field])
    assert "13371337" not in answer.text


def test_carrier_answers_as_it_was_told(controls, own):
    """What Verify and Health find can be set for a domain, in turns, and for this environment alone."""
    (trunk,) = own.seed(domain="SIP.carrier.example")
    health = f"/sip-trunks/{trunk['id']}/health"
    told = {"domain": "sip.CARRIER.example", "answers": ["healthy", "timeout"]}
    assert controls.put(f"{path_of(own)}/carrier", json=told).status_code == 200
    found = [api(own, "GET", health).json()["data"] for _ in range(3)]
    assert [it["is_healthy"] for it in found] == [True, False, True]
    assert found[1]["error"] == "Connection timeout"
    controls.delete(f"{path_of(own)}/carrier")
    assert all(api(own, "GET", health).json()["data"]["is_healthy"] for _ in range(2))


def test_clock_stands_still_and_is_moved(trunkmock_server):
    """With a frozen clock times are known beforehand, and a used-up minute ends when the clock is moved."""
    limited = trunkmock_server.environment(requests_per_minute=1)
    trunkmock_server.move_clock(now="2026-01-31T12:00:00Z")
    (trunk,) = limited.seed()
    assert trunk["created_at"] == "2026-01-31T12:00:00Z"
    answers = [api(limited, "GET", "/sip-trunks") for _ in range(2)]
    assert [it.status_code for it in answers] == [200, 429]
    assert answers[1].headers["retry-after"] == "60"
    controls = f"{trunkmock_server.url}/_mock/clock"
    moved = httpx.post(controls, json={"advance_seconds": 60}).json()["data"]
    assert moved == {"now": "2026-01-31T12:01:00.000Z", "frozen": True}
    assert api(limited, "GET", "/sip-trunks").status_code == 200
    assert httpx.post(controls, json={"now": "yesterday"}).json()["errors"].keys() == {"now"}
    assert httpx.post(controls, json={"now": "9999-12-31T00:00:00Z", "advance_seconds": 1e7}).status_code == 422
    assert httpx.delete(controls).json()["data"]["frozen"] is False


def test_seeded_mock_makes_the_same_ids():
    """With a seed, ids come in the same order in every run, whatever happens in other environments."""

    def ids(mock):
        other = mock.environment(name="other")
        other.seed()
        return [trunk["id"] for trunk in mock.seed({}, {})]

    runs = [ids(mockserver.asgi(seed=7, name="one")) for _ in range(2)]
    assert runs[0] == runs[1]
    assert ids(mockserver.asgi(seed=8, name="one")) != runs[0]


def test_reset_begins_again(own):
    """A reset environment makes its seeded ids again, and has no faults, no state and no journal."""
    mock = mockserver.asgi(seed=7)
    (first,) = mock.seed()
    mock.fail_next()
    mock.reset()
    assert (mock.state(), mock.requests) == ([], [])
    assert mock.seed()[0]["id"] == first["id"]


def test_environments_have_their_own_of_everything(server, own):
    """State, faults, carrier and journal of one environment are nothing to another."""
    other = server.environment()
    other.seed()
    other.fail_next(None)
    other.carrier("timeout")
    assert api(other, "GET", "/sip-trunks").status_code == 503
    (trunk,) = own.seed()
    assert api(own, "GET", f"/sip-trunks/{trunk['id']}/health").json()["data"]["is_healthy"]
    assert len(own.state()) == len(own.requests) == len(other.requests) == 1
    other.close()


def test_page_of_another_site_is_refused(controls, server):
    """Without a token, neither a page of another site nor one under a name of its own gets at the controls."""
    assert controls.get("/health", headers={"Origin": server.url}).status_code == 200
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        answer = controls.post("/reset", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "FROM_ANOTHER_SITE")


def test_controls_have_their_own_pages(server):
    """The controls' description is served beside the contract's, with a Swagger UI of its own."""
    assert httpx.get(f"{server.url}/_mock/openapi.json").json() == DESCRIPTION
    assert "mock's own controls" in httpx.get(f"{server.url}/_mock/openapi.yaml").text
    assert "swagger-ui" in httpx.get(f"{server.url}/_mock/docs").text
    assert httpx.get(f"{server.url}/_mock/docs/start.js").status_code == 200


def test_unknown_path_and_method_are_refused_as_in_the_api(controls):
    """The controls have the same envelope as the API, 404 and 405 included."""
    assert controls.get("/nothing").json()["code"] == "NOT_FOUND"
    refused = controls.put("/reset")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert controls.post("/environments", content=b"{}").status_code == 415


@pytest.fixture
def open_environments(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        '[[environments]]\nname = "ci"\ntoken = "talq_ci"\nplan = "enterprise"\nallow_custom_sip_trunks = true\n'
    )
    return f"--environments={path}"


def test_controls_are_off_in_the_open(start_mock, open_environments):
    """Listening on every address without a control token, the mock has no controls."""
    mock = start_mock("--host=0.0.0.0", open_environments)
    for path in ("/_mock/health", "/_mock/docs", "/_mock/openapi.json"):
        assert httpx.get(mock.root_url + path).status_code == 404


def test_control_token_is_required(start_mock, open_environments):
    """With a control token, it is required; an environment's token is no substitute, and neither is logged."""
    mock = start_mock("--host=0.0.0.0", "--control-token=let-me-in", "--log-level=debug", open_environments)
    url = f"{mock.root_url}/_mock/environments"
    for headers in ({}, {"Authorization": "Bearer talq_ci"}, {"Authorization": "Bearer let-me-i"}):
        refused = httpx.get(url, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "CONTROL_TOKEN_REQUIRED")
    assert httpx.get(url, headers={"Authorization": "Bearer let-me-in"}).status_code == 200
    assert "let-me-in" not in mock.log.read_text()


def test_options_steer_from_the_start(start_mock):
    """`--seed`, `--clock` and `--scenario` hold from the first request on."""

    def run():
        mock = start_mock("--seed=5", "--clock=2026-01-31T12:00:00Z", "--scenario=unavailable")
        with httpx.Client(base_url=mock.base_url, headers={"Authorization": f"Bearer {FIRST}"}) as http:
            statuses = [http.get("/sip-trunks").status_code for _ in range(4)]
            seeded = httpx.post(f"{mock.root_url}/_mock/environments/first/state", json={"trunks": [{}]})
            created = seeded.json()["data"]["trunks"][0]
        mock.stop()
        return statuses, created["id"], created["created_at"]

    first = run()
    assert (first[0], first[2]) == ([503, 503, 503, 200], "2026-01-31T12:00:00Z")
    assert run() == first


def test_seed_that_somebody_was_faster_with_adds_nothing():
    """If a number is taken between the look and the addition, all of the seed is taken away again."""

    class Late(MemoryStore):
        async def taken(self, environment, trunk_ids, numbers):
            return set(), set()

    async def story():
        store = Late()
        control = Control(MemoryEnvironments([("talq_a", Environment("a", "standard", True, 0))]), store)
        before = await control.seed("a", [{"dids": [{"number": "+12025550123", "country_code": "US"}]}])
        twice = [
            {"number": number, "country_code": "US", "in_use": True} for number in ("+12025550124", "+12025550123")
        ]
        with pytest.raises(DidAlreadyExists):
            await control.seed("a", [{}, {"dids": twice}])
        assert await control.export("a") == before
        return await MemoryStore.taken(store, "a", [], ["+12025550124"])

    assert asyncio.run(story()) == (set(), set())
