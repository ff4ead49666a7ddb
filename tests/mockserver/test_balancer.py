"""Two replicas over one Redis server, behind nginx: they conform, and what is broken loses nothing."""

import base64
import os
import time

import httpx
import pytest
from balancer import Balancer, Load, Replica, environments_file, ids, kit
from redis_server import RedisServer

KEY = base64.b64encode(bytes(range(32))).decode()
RETRYABLE = {502, 503, 504, "ReadError", "RemoteProtocolError", "ConnectError", "WriteError"}
ROUNDS = 3


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replicas")
    server = RedisServer(folder)
    env = os.environ | {"TRUNKMOCK_KEY": KEY, "TRUNKMOCK_STORE": server.url, "TRUNKMOCK_CONTROL_TOKEN": "s3cr3t"}
    options = [f"--environments={environments_file(folder)}", "--trusted-proxies=127.0.0.1"]
    found = [Replica(folder, number, *options, env=env) for number in range(2)]
    yield found
    for replica in found:
        replica.stop()
        assert "Traceback" not in replica.log.read_text("utf-8")
    server.stop()


@pytest.fixture(scope="module")
def balancer(replicas, tmp_path_factory):
    balancer = Balancer(tmp_path_factory.mktemp("nginx"), [it.port for it in replicas])
    yield balancer
    balancer.stop()


@pytest.fixture(scope="module")
def told(request):
    """A table of what was broken, printed at the end."""
    rows = []
    yield rows
    lines = ["", f"{'what was broken':34} {'times':>5} {'requests':>8} {'failed':>6} {'kept':>6} {'lost':>4}"]
    lines += [
        f"{what:34} {times:5} {count:8} {failed:6} {kept:6} {lost:4}" for what, times, count, failed, kept, lost in rows
    ]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n".join(lines))


def test_balanced_mock_conforms(balancer):
    """The kit finds nothing, whichever replica answers."""
    status, told = kit(balancer.base_url)
    assert status == 0, told
    assert "Conforms" in told


def test_balanced_mock_conforms_deeply(balancer):
    """Also to generated requests and a model of two environments."""
    status, told = kit(balancer.base_url, "--profile=deep", "--requests=600", "--minutes=2", "--seed=1")
    assert status == 0, told


def test_request_id_of_the_balancer_is_in_the_logs(balancer, replicas):
    """The client, nginx and the mock call a request the same."""
    answer = httpx.get(f"{balancer.base_url}/sip-trunks")
    request_id = answer.headers["x-request-id"]
    deadline = time.monotonic() + 5
    while not any(request_id in it.log.read_text("utf-8") for it in replicas):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_stream_comes_through_as_it_grows(balancer):
    """The journal's events are not held back."""
    with httpx.stream(
        "GET", f"{balancer.root_url}/_mock/journal/stream", headers={"Authorization": "Bearer s3cr3t"}, timeout=5
    ) as answer:
        assert next(answer.iter_lines()).startswith(":")


def under_load(balancer, told, what, breaks):
    """Break something under load, several times; give the failures that clients saw."""
    with Load(balancer.base_url, "talq_first") as load:
        for number in range(ROUNDS):
            time.sleep(0.5)
            breaks(number)
            time.sleep(0.5)
    lost = set(load.kept) - ids(balancer.base_url, "talq_first")
    told.append((what, ROUNDS, load.count + len(load.kept), len(load.failures), len(load.kept), len(lost)))
    assert not lost
    assert len(load.kept) > 20
    return load.failures


def test_killed_replica_loses_no_acknowledged_trunk(balancer, replicas, told):
    """`kill -9` under load: a client sees errors after which it may try again, and nothing that it was told is lost."""
    failures = under_load(balancer, told, "replica killed (kill -9)", lambda n: replicas[n % 2].kill())
    assert set(failures) <= RETRYABLE


def test_rolling_restart_fails_no_request(balancer, replicas, told):
    """SIGTERM, wait, start, one replica after the other: nobody notices."""
    failures = under_load(balancer, told, "replica restarted (SIGTERM)", lambda n: replicas[n % 2].restart())
    assert failures == []
