"""The store's server is killed, hangs, or is full: 503 in the envelope until it is back, and nothing to restart."""

import base64
import os
import time

import httpx
import pytest
from clients import Api, refused, trunk
from redis_server import RedisServer

KEY = base64.b64encode(bytes(range(32))).decode()
BOUND_SECONDS = (
    5.0  # for an answer while the server hangs; far more than the timeouts together, far less than a client's
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("server"), "--appendonly yes", "--appendfsync always", "--save ''")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shared(server, mock_class, tmp_path_factory):
    """A mock over the server; its log must be free of tracebacks at the end."""
    mock = mock_class(tmp_path_factory.mktemp("mock"), f"--store={server.url}", env=os.environ | {"TRUNKMOCK_KEY": KEY})
    yield mock
    assert mock.stop() == 0
    log = mock.log.read_text("utf-8")
    assert "the store's server cannot be used: " in log
    assert "Traceback" not in log
    assert " 500 " not in log


@pytest.fixture(scope="module")
def token(shared):
    made = httpx.post(f"{shared.root_url}/_mock/environments", json={"requests_per_minute": 1000}).json()
    return made["data"]["token"]


@pytest.fixture
def api(shared, token):
    with Api(shared.base_url, token) as api:
        yield api


def readiness(shared):
    """Give status and, of a refusal, the code of the readiness, and the status of the health."""
    answer = httpx.get(f"{shared.root_url}/_mock/ready", timeout=BOUND_SECONDS)
    health = httpx.get(f"{shared.root_url}/_mock/health", timeout=BOUND_SECONDS)
    return answer.status_code, answer.json().get("code"), health.status_code


def until_ready(shared):
    deadline = time.monotonic() + 20
    while readiness(shared) != (200, None, 200):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def assert_unavailable(shared, api, path):
    """Every operation is refused with 503 and Retry-After, within the bound, and the mock is not ready."""
    api.timeout = BOUND_SECONDS
    did = {"country_code": "US", "number": "+12025550123"}
    for method, target, body in [
        ("POST", "/sip-trunks", trunk()),
        ("GET", "/sip-trunks", None),
        ("GET", path, None),
        ("PUT", path, {"name": "never"}),
        ("DELETE", path, None),
        ("POST", f"{path}/verify", None),
        ("GET", f"{path}/health", None),
        ("POST", f"{path}/dids", did),
        ("GET", f"{path}/dids", None),
        ("DELETE", f"{path}/dids/x", None),
    ]:
        answer = api.request(method, target, json=body)
        assert refused(answer) == (503, "SERVICE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        assert {"x-ratelimit-limit", "x-request-id"} <= set(answer.headers)
    assert readiness(shared) == (503, "SERVICE_UNAVAILABLE", 200)
    unknown = api.get("/sip-trunks", headers={"Authorization": "Bearer talq_unknown"})
    assert refused(unknown) == (503, "SERVICE_UNAVAILABLE")
    assert refused(api.get("/sip-trunks", headers={"Authorization": "Basic x"})) == (401, "UNAUTHENTICATED")


def test_killed_server_is_503_until_it_is_back(server, shared, api):
    """Nothing needs a restart, and what was acknowledged is there again."""
    path = api.create(name="before")
    assert readiness(shared) == (200, None, 200)
    server.kill()
    assert_unavailable(shared, api, path)
    server.start()
    until_ready(shared)
    assert api.read(path)["name"] == "before"
    assert api.put(path, json={"name": "after"}).json()["data"]["name"] == "after"


def test_hanging_server_is_503_within_bounds_until_it_goes_on(server, shared, api):
    """A server that keeps its connections and says nothing holds up no answer for long."""
    path = api.create(name="before")
    server.pause()
    try:
        assert_unavailable(shared, api, path)
    finally:
        server.resume()
    until_ready(shared)
    assert api.read(path)["name"] in ("before", "never"), "an update whose answer was lost may have been made"


def test_full_server_is_503_and_loses_nothing(server, shared, api):
    """A server that takes no more is not to be used, and what it has can still be read afterwards."""
    path = api.create(name="before")
    server.call("CONFIG", "SET", "maxmemory", "1")
    try:
        assert refused(api.post("/sip-trunks", json=trunk())) == (503, "SERVICE_UNAVAILABLE")
        assert readiness(shared)[:2] == (503, "SERVICE_UNAVAILABLE")
    finally:
        server.call("CONFIG", "SET", "maxmemory", "0")
    until_ready(shared)
    assert api.read(path)["name"] == "before"


def test_server_that_has_become_a_replica_is_503(server, shared, api):
    """After a failover the old primary takes no writes."""
    server.call("REPLICAOF", "127.0.0.1", "1")
    try:
        assert refused(api.post("/sip-trunks", json=trunk())) == (503, "SERVICE_UNAVAILABLE")
        assert readiness(shared)[:2] == (503, "SERVICE_UNAVAILABLE")
    finally:
        server.call("REPLICAOF", "NO", "ONE")
    until_ready(shared)
    assert api.post("/sip-trunks", json=trunk()).status_code == 201


def test_forgotten_scripts_are_sent_again(server, api):
    """Nobody notices that a server has been told to forget its scripts."""
    path = api.create()
    server.call("SCRIPT", "FLUSH")
    assert api.put(path, json={"name": "after"}).status_code == 200
    assert api.delete(path).status_code == 200
    assert api.post("/sip-trunks", json=trunk()).status_code == 201


def test_client_that_goes_on_trying_loses_nothing(server, shared, api):
    """While the server is killed and started again and again, each trunk that was acknowledged stays."""
    kept = []
    for _ in range(3):
        kept += [api.create() for _ in range(20)]
        server.kill()
        assert refused(api.post("/sip-trunks", json=trunk()))[0] == 503
        server.start()
        until_ready(shared)
    there = {it["id"] for it in api.get("/sip-trunks").json()["data"]}
    assert {path.rpartition("/")[2] for path in kept} <= there


@pytest.mark.parametrize(
    ("options", "has_first", "has_second"),
    [
        pytest.param(["--save ''", "--appendonly no"], False, False, id="none"),
        pytest.param(["--save 3600 1000000", "--appendonly no"], True, False, id="rdb"),
        pytest.param(["--save ''", "--appendonly yes", "--appendfsync everysec"], True, True, id="aof-everysec"),
        pytest.param(["--save ''", "--appendonly yes", "--appendfsync always"], True, True, id="aof-always"),
    ],
)
def test_persistence_decides_what_outlives_a_crash(tmp_path, mock_class, options, has_first, has_second):
    """A trunk before a snapshot, one after it, and then the end: of the process, not of the machine."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder, *options)
    mock = None
    try:
        file = tmp_path / "environments.toml"
        file.write_text('[[environments]]\nname="a"\ntoken="talq_a"\nplan="enterprise"\nallow_custom_sip_trunks=true\n')
        arguments = [f"--store={server.url}", f"--environments={file}"]
        mock = mock_class(tmp_path, *arguments, env=os.environ | {"TRUNKMOCK_KEY": KEY})
        with Api(mock.base_url, "talq_a") as api:
            paths = [api.create()]
            if options[0] != "--save ''":
                server.call("SAVE")
            paths.append(api.create())
            while server.call("INFO", "persistence").get("aof_buffer_length"):
                time.sleep(0.01)  # with everysec, what is acknowledged may wait for a moment before it is written
            server.kill()
            server.start()
            until_ready(mock)
            found = [api.get(path).status_code for path in paths]
            gone = 401 if not has_first else 404  # without any persistence the environment has gone as well
            assert found == [200 if has_first else gone, 200 if has_second else gone]
    finally:
        if mock:
            mock.stop()
        server.stop()
