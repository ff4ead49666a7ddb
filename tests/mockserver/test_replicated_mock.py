"""Several mocks over one Redis server: what one is told, all know; no secret is on the server; and what is refused."""

import base64
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest
from clients import Api, refused, trunk
from redis_server import RedisServer
from secret_forms import forms

KEY = base64.b64encode(bytes(range(32))).decode()
NEW_KEY = base64.b64encode(bytes(range(32, 64))).decode()


def with_key(*keys):
    return os.environ | {"TRUNKMOCK_KEY": ",".join(keys or (KEY,))}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server of the module's own: nobody empties it."""
    server = RedisServer(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def replicas(server, mock_class, tmp_path_factory):
    """Two mocks over it."""
    found = [
        mock_class(tmp_path_factory.mktemp("replica"), f"--store={server.url}", "--log-level=debug", env=with_key())
        for _ in range(2)
    ]
    yield found
    for mock in found:
        assert mock.stop() == 0
        assert "Traceback" not in mock.log.read_text("utf-8")


class Controls(httpx.Client):
    """The controls of a mock."""

    def __init__(self, mock):
        super().__init__(base_url=f"{mock.root_url}/_mock", timeout=10)

    def make(self, **wanted):
        """Make an environment, and give its name and token."""
        answer = self.post("/environments", json=wanted)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["name"], answer.json()["data"]["token"]


@pytest.fixture
def controls(replicas):
    with Controls(replicas[0]) as here, Controls(replicas[1]) as there:
        yield here, there


@pytest.fixture
def apis(replicas, controls):
    """A client of one environment at each replica, and the environment's name."""
    name, token = controls[0].make()
    with Api(replicas[0].base_url, token) as here, Api(replicas[1].base_url, token) as there:
        yield here, there, name


def test_trunk_made_at_one_replica_is_there_at_the_other(apis):
    """Create, read, update, verify, DIDs and delete, at whichever replica."""
    here, there, _ = apis
    path = here.create(name="ä€😀")
    assert there.read(path)["name"] == "ä€😀"
    assert there.post(f"{path}/verify").json()["success"]
    assert here.put(path, json={"is_active": True}).json()["data"]["is_active"]
    assert there.read(path)["is_active"]
    assert here.number(path, "+12025550123").status_code == 201
    assert refused(there.number(path, "+12025550123")) == (409, "DID_ALREADY_EXISTS")
    assert refused(there.delete(path)) == (409, "TRUNK_HAS_DIDS")
    (did,) = there.get(f"{path}/dids").json()["data"]
    assert there.delete(f"{path}/dids/{did['id']}").status_code == 200
    assert here.delete(path).status_code == 200
    assert refused(there.get(path)) == (404, "TRUNK_NOT_FOUND")


def test_limit_counts_the_requests_of_all_replicas(replicas, controls):
    """So many a minute, wherever they are sent."""
    for _ in range(2):  # a minute may end in between
        _, token = controls[0].make(requests_per_minute=4)
        with Api(replicas[0].base_url, token) as here, Api(replicas[1].base_url, token) as there:
            answers = [api.get("/sip-trunks") for api in (here, there) * 3]
        if len({it.headers["x-ratelimit-reset"] for it in answers}) == 1:
            break
    assert [it.status_code for it in answers] == [200] * 4 + [429] * 2


def test_environment_is_suspended_rotated_and_deleted_everywhere_at_once(apis, controls, replicas):
    """What an operator does at one replica holds for the next request at the other."""
    here, there, name = apis
    path = there.create()
    assert controls[0].patch(f"/environments/{name}", json={"is_suspended": True}).status_code == 200
    assert refused(there.get(path)) == (403, "ENVIRONMENT_SUSPENDED")
    assert controls[1].patch(f"/environments/{name}", json={"is_suspended": False}).status_code == 200
    assert here.get(path).status_code == 200
    token = controls[0].post(f"/environments/{name}/token").json()["data"]["token"]
    assert refused(there.get(path)) == (401, "UNAUTHENTICATED")
    with Api(replicas[1].base_url, token) as rotated:
        assert rotated.get(path).status_code == 200
        assert controls[0].delete(f"/environments/{name}").status_code == 200
        assert rotated.get(path).status_code == 401
    assert name not in [it["name"] for it in controls[1].get("/environments").json()["data"]]
    assert controls[1].delete(f"/environments/{name}").status_code == 404


def test_environment_of_the_same_name_starts_empty(controls, replicas):
    """What was deleted does not come back with its name."""
    for _ in range(2):
        name, token = controls[0].make(name="again")
        with Api(replicas[1].base_url, token) as api:
            assert api.get("/sip-trunks").json()["data"] == []
            api.create()
        assert controls[1].delete(f"/environments/{name}").status_code == 200


def test_idle_environment_goes_by_itself(controls):
    """After its time without a request an environment is gone, with all it had."""
    name, _ = controls[0].make(idle_seconds=1)
    deadline = time.monotonic() + 15
    while controls[1].get(f"/environments/{name}").status_code != 404:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_journal_tells_of_all_replicas(apis, controls):
    """Requests at either are in it, in order, each once, and a verification counts them all."""
    here, there, name = apis
    for number in range(6):
        (here, there)[number % 2].post("/sip-trunks", json=trunk(name=f"n{number}", port=number))
    deadline = time.monotonic() + 5
    while len(read := controls[0].get("/journal", params={"environment": name}).json()["data"]) < 6:
        assert time.monotonic() < deadline
    assert [it["fields"]["name"] for it in read] == [f"n{number}" for number in range(6)]
    assert [it["status"] for it in read] == [422] + [201] * 5
    assert [it["fields"]["password"] for it in read] == ["***"] * 6
    assert read[0]["broken"][0]["field"] == "port"
    numbers = [it["number"] for it in read]
    assert numbers == sorted(set(numbers))
    assert controls[1].get("/journal", params={"environment": name}).json()["data"] == read
    wanted = [{"operation": "create_sip_trunk", "count": 6}, {"status": 422, "count": 1}]
    assert controls[1].post("/journal/verify", json={"environment": name, "expect": wanted}).status_code == 200
    gone = controls[1].delete("/journal", params={"environment": name, "status": "422"}).json()["data"]
    assert gone == {"cleared": 1}
    assert len(controls[0].get("/journal", params={"environment": name}).json()["data"]) == 5
    assert controls[0].post(f"/environments/{name}/reset").status_code == 200
    assert controls[1].get("/journal", params={"environment": name}).json()["data"] == []


def test_journal_keeps_so_many(controls, replicas):
    """An environment with a quota has the last ones, with one of 0 none; nobody's are there, too."""
    for quota, left in [(3, ["n3", "n4", "n5"]), (0, [])]:
        name, token = controls[0].make(journal_entries=quota)
        with Api(replicas[0].base_url, token) as api:
            for number in range(6):
                api.post("/sip-trunks", json=trunk(name=f"n{number}"))
        read = controls[0].get("/journal", params={"environment": name}).json()["data"]
        assert [it["fields"]["name"] for it in read] == left
    before = len(controls[0].get("/journal", params={"environment": "-"}).json()["data"])
    httpx.get(f"{replicas[0].base_url}/sip-trunks")
    assert len(controls[0].get("/journal", params={"environment": "-"}).json()["data"]) == before + 1
    assert len(controls[0].get("/journal").json()["data"]) >= before + 4


@pytest.mark.parametrize("of_all", [False, True], ids=["of-one", "of-all"])
def test_live_view_has_what_another_replica_answered(apis, controls, of_all):
    """Whoever follows the journal at one replica sees the requests that the other one gets."""
    here, _, name = apis
    query = {} if of_all else {"environment": name}
    with controls[1].stream("GET", "/journal/stream", params=query) as stream:
        lines = stream.iter_lines()
        next(lines)
        here.post("/sip-trunks", json=trunk(name="live"))
        told = next(json.loads(it[6:]) for it in lines if it.startswith("data: ") and name in it)
    assert (told["environment"], told["fields"]["name"], told["fields"]["password"]) == (name, "live", "***")


def test_fault_is_met_so_many_times_in_all(apis, controls):
    """`times` and `skip` count the requests of all replicas, also of those at once."""
    here, there, name = apis
    path = f"/environments/{name}/faults"
    controls[0].post(path, json={"skip": 1, "times": 2, "status": 500})
    assert [api.get("/sip-trunks").status_code for api in (here, there) * 3] == [200, 500, 500, 200, 200, 200]
    controls[0].post(path, json={"times": 10, "status": 503})
    with ThreadPoolExecutor(8) as pool:
        codes = [it.status_code for it in pool.map(lambda n: (here, there)[n % 2].get("/sip-trunks"), range(40))]
    assert (codes.count(503), codes.count(200)) == (10, 30)
    assert controls[1].get(path).json()["data"] == []
    controls[0].post(path, json={"operations": ["create_sip_trunk"], "where": {"name": "x"}, "status": 500})
    assert here.get("/sip-trunks").status_code == there.post("/sip-trunks", json=trunk()).status_code - 1 == 200
    assert there.post("/sip-trunks", json=trunk(name="x")).status_code == 500
    assert [it["met"] for it in controls[1].get(path).json()["data"]] == [1]
    controls[1].delete(path)
    assert here.post("/sip-trunks", json=trunk(name="x")).status_code == 201


def test_seeded_fault_is_the_same_each_time(controls, replicas):
    """With a seed, the same requests meet a fault, whichever replica has them."""
    met = []
    for _ in range(2):
        name, token = controls[0].make()
        controls[0].post(f"/environments/{name}/faults", json={"probability": 0.5, "seed": 3, "status": 500})
        with Api(replicas[0].base_url, token) as here, Api(replicas[1].base_url, token) as there:
            met.append([(here, there)[len(met)].get("/sip-trunks").status_code for _ in range(20)])
    assert met[0] == met[1]
    assert set(met[0]) == {200, 500}


def test_clock_is_set_for_all(controls):
    """Where it stands still, every replica's does, soon, and so it is when it goes on."""
    for method, body, is_frozen in [("POST", {"now": "2026-01-31T12:00:00Z"}, True), ("DELETE", None, False)]:
        assert controls[0].request(method, "/clock", json=body).status_code == 200
        deadline = time.monotonic() + 10
        while (shown := controls[1].get("/clock").json()["data"])["frozen"] is not is_frozen:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert (shown["now"] == "2026-01-31T12:00:00.000Z") is is_frozen
    controls[0].post("/clock", json={"now": "2026-01-31T12:00:00Z"})
    moved = controls[1].post("/clock", json={"advance_seconds": 60}).json()["data"]
    assert moved == {"now": "2026-01-31T12:01:00.000Z", "frozen": True}
    controls[1].delete("/clock")
    assert controls[1].get("/clock").json()["data"]["frozen"] is False


def test_scenario_and_carrier_hold_at_both(apis, controls):
    """What the carrier finds goes on from one replica to the other, and a scenario ends everywhere."""
    here, there, name = apis
    path = here.create()
    controls[0].put(f"/environments/{name}/carrier", json={"answers": ["timeout", "healthy", "unreachable"]})
    found = [api.post(f"{path}/verify").json()["data"].get("error") for api in (here, there) * 2]
    assert found == ["Connection timeout", None, "Host unreachable", "Connection timeout"]
    controls[1].put(f"/environments/{name}/carrier", json={"domain": "SIP.carrier.example", "answers": ["auth-fail"]})
    assert here.get(f"{path}/health").json()["data"]["error"] == "Authentication failed (401)"
    controls[1].delete(f"/environments/{name}/carrier")
    assert here.post(f"{path}/verify").json()["success"]
    controls[0].put(f"/environments/{name}/scenario", json={"name": "unavailable"})
    assert there.get("/sip-trunks").status_code == 503
    controls[1].delete(f"/environments/{name}/scenario")
    assert here.get("/sip-trunks").status_code == 200


def dump(server):
    """Give every key and every value that the server has."""
    found = []
    for key in server.call("KEYS", "*"):
        kind = server.call("TYPE", key).decode()
        command = {
            "string": ("GET", key),
            "hash": ("HGETALL", key),
            "set": ("SMEMBERS", key),
            "zset": ("ZRANGE", key, 0, -1),
            "list": ("LRANGE", key, 0, -1),
            "stream": ("XRANGE", key, "-", "+"),
        }[kind]
        found.append(f"{key!r} {server.call(*command)!r}")
    assert found
    return "\n".join(found).encode() + b"".join(server.call("DUMP", key) or b"" for key in server.call("KEYS", "*"))


def test_dump_of_the_server_has_no_password_and_no_token(server, controls, replicas):
    """After a life with many passwords and tokens, none is there in any form, except digests of the tokens."""
    secrets, tokens = [], []
    for number in range(3):
        name, token = controls[0].make()
        tokens += [token, controls[1].post(f"/environments/{name}/token").json()["data"]["token"]]
        with Api(replicas[number % 2].base_url, tokens[-1]) as api:
            for each in range(3):
                secrets += [f"Qz{number}{each}kV!é€+x%2F{number}JwW", f"Hn{number}{each}bT?ü~{number}LmPq"]
                path = api.create(password=secrets[-2])
                api.put(path, json={"password": secrets[-1]})
                api.post("/sip-trunks", json=trunk(name=secrets[-1], password=[secrets[-1]]))
                api.get(f"/sip-trunks/{tokens[-1]}")
                api.get("/sip-trunks", headers={"User-Agent": quote(secrets[-1]), "Cookie": quote(secrets[-2])})
            api.post(f"{path}/verify")
            api.number(path, "+12025550123")
            where = {"password": secrets[-1], "name": tokens[-1]}
            controls[0].post(f"/environments/{name}/faults", json={"where": where, "status": 500})
    assert len(controls[0].get("/journal").json()["data"]) > 30
    kept = dump(server)
    shown = [(secret, form) for secret in secrets for form, text in forms(secret).items() if text in kept]
    digests = {"sha256"}
    shown += [
        (it, form)
        for it in tokens
        for form, text in forms(it).items()
        if text in kept and form not in digests | {"beginning"}
    ]
    assert shown == []
    assert b"talq" not in kept


def run(*arguments, env=None):
    command = [sys.executable, "-m", "mockserver", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env or with_key(), timeout=30)


def test_start_without_a_key_is_refused(server):
    """One line says what is missing."""
    env = {name: value for name, value in os.environ.items() if name != "TRUNKMOCK_KEY"}
    result = run(f"--store={server.url}", "--port=0", env=env)
    says = (
        "trunkmock: TRUNKMOCK_KEY is required with a store that replicas share: 32 bytes in base64, the same for each\n"
    )
    assert (result.returncode, result.stderr) == (2, says)


@pytest.mark.parametrize(
    ("options", "keys", "says"),
    [
        pytest.param(
            ["--store=redis://:s3cr3t@127.0.0.1:1/0"], [KEY], "the store's server cannot be used", id="nobody-there"
        ),
        pytest.param(
            ["--store=http://s3cr3t"], [KEY], "argument --store: must be an address like redis://", id="scheme"
        ),
        pytest.param(["--store=redis://h:s3cr3t/0"], [KEY], "argument --store: must be an address", id="port"),
        pytest.param([], [NEW_KEY], "TRUNKMOCK_KEY has not the key under which", id="other-key"),
        pytest.param([], [KEY, "s3cr3t"], "TRUNKMOCK_KEY must be 32 bytes in base64", id="bad-key"),
        pytest.param(["--seed=1"], [KEY], "argument --seed: replicas that share", id="seed"),
    ],
)
def test_start_that_cannot_be_is_refused_without_a_secret(server, replicas, options, keys, says):
    """The last line tells what is wrong, and repeats nothing."""
    result = run(f"--store={server.url}", "--port=0", *options, env=with_key(*keys))
    assert result.returncode == 2
    assert says in result.stderr.splitlines()[-1]
    assert "s3cr3t" not in result.stderr
    assert "Traceback" not in result.stderr


def test_redis_package_is_imported_only_with_its_store():
    """A mock with its state in memory does not need it."""
    code = "import sys, mockserver.__main__, mockserver.inprocess; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_keys_are_rotated_without_a_pause(tmp_path, mock_class):
    """Both keys everywhere, then `rekey`, then the new key alone: at no time a mock that cannot start, nothing lost."""
    server = RedisServer(tmp_path)
    try:
        folders = [tmp_path / name for name in ("old", "both", "new")]
        for folder in folders:
            folder.mkdir()
        old = mock_class(folders[0], f"--store={server.url}", env=with_key(KEY))
        with Controls(old) as controls:
            _, token = controls.make()
        with Api(old.base_url, token) as api:
            paths = [api.create(password=f"Qz-kV!é€{number}-JwW") for number in range(3)]
        both = mock_class(folders[1], f"--store={server.url}", env=with_key(NEW_KEY, KEY))
        old.stop()
        with Api(both.base_url, token) as api:
            paths.append(api.create(password="Hn-bT?ü~-LmPq"))
        early = run("--store=" + server.url, "--port=0", env=with_key(NEW_KEY))
        assert "TRUNKMOCK_KEY has not the key" in early.stderr
        rekeyed = run("rekey", f"--store={server.url}", env=with_key(NEW_KEY, KEY))
        assert (rekeyed.returncode, rekeyed.stdout) == (0, "3 passwords sealed anew\n"), rekeyed.stderr
        again = run("rekey", f"--store={server.url}", env=with_key(NEW_KEY, KEY))
        assert again.stdout == "0 passwords sealed anew\n"
        new = mock_class(folders[2], f"--store={server.url}", env=with_key(NEW_KEY))
        both.stop()
        with Api(new.base_url, token) as api:
            assert [it["id"] for it in api.get("/sip-trunks").json()["data"]] == [it.rpartition("/")[2] for it in paths]
        refusal = run("rekey", f"--store={server.url}", env=with_key(KEY))
        assert (refusal.returncode, "TRUNKMOCK_KEY has not" in refusal.stderr) == (2, True)
        new.stop()
    finally:
        server.stop()


def test_rekey_of_memory_is_refused():
    """What is in memory goes with its process."""
    result = run("rekey")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert re.search("--store is required", result.stderr)


def test_page_shows_the_same_at_every_replica(replicas):
    """Who signed in at one replica sees at the other what was sent, said and uploaded at the first, and no secret."""
    first, second = replicas
    with Controls(first) as controls:
        name, token = controls.make(name="seen-everywhere")
        headers = {"Authorization": f"Bearer {token}"}
        with Api(first.base_url, token) as api:
            path = api.create(domain="sip.page.example", password="pa55-of-the-page")
            api.number(path, "+12025550199")
            broken = api.post("/sip-trunks", json={"port": 0}).headers["x-request-id"]
        said = {"domain": "sip.page.example", "answers": ["timeout", "healthy"]}
        controls.put(f"/environments/{name}/carrier", json=said).raise_for_status()
        rule = {"id": "a.b", "level": "documented", "says": "It is so.", "source": "A page", "verdict": "fail"}
        report = {
            "schema": 1,
            "target": "x",
            "profile": "quick",
            "started": "now",
            "requests": 1,
            "verdict": "Does not conform",
            "exit_code": {"number": 1, "word": "broken"},
            "counts": {"rules": 1},
            "rules": [{**rule, "findings": []}],
        }
        controls.put(f"/environments/{name}/report", json=report, headers=headers).raise_for_status()
        controls.put(f"/environments/{name}/scenario", json={"name": "slow"}).raise_for_status()
        controls.put(f"/environments/{name}/carrier", json=said).raise_for_status()
    with httpx.Client(base_url=f"{first.root_url}/_mock/ui") as browser:
        form = re.search(r'name="form_token" value="([^"]+)"', browser.get("/sign-in").text)[1]
        assert browser.post("/sign-in", data={"form_token": form, "token": token}).status_code == 303
        cookies = {"Cookie": f"trunkmock_session={browser.cookies['trunkmock_session']}"}
    page = f"{second.root_url}/_mock/ui/environments/{name}"
    texts = {it: httpx.get(f"{page}/{it}", headers=cookies).text for it in ("requests", "trunks", "carrier", "report")}
    texts["one"] = httpx.get(f"{page}/requests/{broken}", headers=cookies).text
    assert "3 requests are kept" in texts["requests"]
    assert "Scenario: slow" in texts["requests"]
    assert "+1 202-555-0199" in texts["trunks"]
    assert "Connection timeout, then Healthy" in texts["carrier"]
    assert "It is so." in texts["report"]
    assert "port must be an integer from 1 to 65535" in texts["one"]
    assert "pa55-of-the-page" not in "".join(texts.values())
    overview = httpx.get(f"{second.root_url}/_mock/ui/environments").text
    counts = overview.partition(f"/{name}/requests")[2].partition("</li>")[0]
    assert re.findall(r"<dd>(\w+)", counts)[:3] == ["1", "1", "3"]
    with Controls(second) as controls:
        controls.delete(f"/environments/{name}/carrier?domain=sip.page.example").raise_for_status()
    with Controls(first) as controls:
        assert controls.get(f"/environments/{name}/carrier").json()["data"] == []
        controls.patch(f"/environments/{name}", json={"is_suspended": True}).raise_for_status()
    assert "Sign out" not in httpx.get(f"{page}/trunks", headers=cookies).text
