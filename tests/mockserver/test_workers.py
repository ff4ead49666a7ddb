"""`--workers N`: several processes on one port, one of which may die; and how a mock ends that others rely on."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from clients import Api, refused, trunk
from redis_server import RedisServer

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


def env(server):
    return os.environ | {"TRUNKMOCK_KEY": KEY, "TRUNKMOCK_STORE": server.url}


@pytest.fixture
def together(server, start_mock, environments_file):
    """A function that starts a mock over the server, with two workers unless told otherwise."""
    own = {"name": "own", "token": "talq_own", "plan": "enterprise", "allow_custom_sip_trunks": True}

    def start(*options):
        return start_mock(f"--environments={environments_file(own)}", *(options or ["--workers=2"]), env=env(server))

    return start


def workers(mock):
    """Give the ids of the processes that a mock has started."""
    told = subprocess.run(["pgrep", "-P", str(mock.process.pid)], capture_output=True, text=True, check=False).stdout
    return set(map(int, told.split()))


def answering(mock):
    """Give which processes answer: each has request ids of its own."""
    ids = [httpx.get(f"{mock.root_url}/_mock/health").headers["x-request-id"] for _ in range(40)]
    return {it.partition("-")[0] for it in ids}


def sample(mock, name):
    """Give a metric's value."""
    text = httpx.get(f"{mock.root_url}/_mock/metrics").text
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), 0.0)


def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_all_workers_answer_on_one_port(together):
    """Once the ready file is there all of them do; they share trunks, and one of them tells what all have counted."""
    mock = together()
    assert len(workers(mock)) == 2
    assert mock.ready["pid"] == mock.process.pid
    assert mock.ready["environments"] == ["own"]
    assert len(answering(mock)) == 2
    created = []
    for _ in range(10):
        with Api(mock.base_url, "talq_own") as api:
            created.append(api.create())
            assert api.get(created[0]).status_code == 200
    name = 'trunkmock_requests_total{operation="create_sip_trunk",plan="enterprise",status="201"}'
    until(lambda: sample(mock, name) == 10)
    assert mock.log.read_text("utf-8").count("Ctrl-C ends it.") == 1
    started = workers(mock)
    assert mock.stop() == 0
    assert not mock.ready_file.exists()
    assert not [pid for pid in started if os.path.exists(f"/proc/{pid}")]  # noqa: PTH110


def test_worker_that_dies_is_replaced(together):
    """The others go on meanwhile, the counts of the dead stay, and a request that waited for it is answered."""
    mock = together()
    name = 'trunkmock_requests_total{operation="create_sip_trunk",plan="enterprise",status="201"}'
    with Api(mock.base_url, "talq_own") as api:
        for _ in range(4):
            api.create()
    until(lambda: sample(mock, name) == 4)
    time.sleep(1.2)  # the other one has to have told
    before = workers(mock)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: httpx.get(f"{mock.root_url}/_mock/health", timeout=60).status_code, range(16))
        )
    assert set(answers) == {200}
    until(lambda: len(workers(mock)) == 2)
    assert victim not in workers(mock)
    until(lambda: len(answering(mock)) == 2)
    assert sample(mock, name) == 4
    assert "another one takes its place" in mock.log.read_text("utf-8")
    assert mock.stop() == 0


def test_workers_end_with_their_supervisor(together):
    """Also if that could not tell them."""
    mock = together()
    started = workers(mock)
    mock.process.kill()
    mock.process.wait()
    until(lambda: not [pid for pid in started if os.path.exists(f"/proc/{pid}")])  # noqa: PTH110


def test_ctrl_c_ends_all_at_once(together):
    """Whoever is still talking."""
    mock = together()
    with socket.create_connection(("127.0.0.1", mock.port)) as idle:
        idle.sendall(b"GET / HT")
        mock.process.send_signal(signal.SIGINT)
        assert mock.process.wait(5) == 0


def test_port_that_is_taken_is_not_shared(together):
    """Two mocks with workers do not get half of each other's requests."""
    mock = together()
    command = [
        sys.executable,
        "-m",
        "mockserver",
        f"--port={mock.port}",
        "--workers=2",
        "--store=redis://127.0.0.1:1/0",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, "address already in use" in done.stderr) == (2, True)


def test_start_that_cannot_be_is_one_refusal(server):
    """It is not made by each worker, and nothing stays."""
    command = [sys.executable, "-m", "mockserver", "--port=0", "--workers=2", f"--store={server.url}"]
    without = {name: value for name, value in os.environ.items() if name != "TRUNKMOCK_KEY"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=without)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "TRUNKMOCK_KEY is required" in done.stderr


def test_request_in_flight_is_finished_before_the_end(together):
    """After SIGTERM nobody new is let in, what was asked is answered, as the last answer of its connection."""
    mock = together("--drain=20")
    found = {}

    def ask():
        with Api(mock.base_url, "talq_own") as api:
            found["slow"] = api.post("/sip-trunks", json=trunk(), headers={"Prefer": "wait=2"})

    asking = threading.Thread(target=ask)
    asking.start()
    with Api(mock.base_url, "talq_own") as idle, httpx.Client() as controls:
        assert idle.get("/sip-trunks").status_code == 200
        assert controls.get(f"{mock.root_url}/_mock/ready").status_code == 200
        time.sleep(0.5)
        mock.process.terminate()
        time.sleep(0.5)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{mock.base_url}/sip-trunks")
        ready = controls.get(f"{mock.root_url}/_mock/ready")
        assert refused(ready) == (503, "SERVICE_UNAVAILABLE")
        assert ready.headers["connection"] == "close"
        last = idle.get("/sip-trunks")
        assert (last.status_code, last.headers["connection"]) == (200, "close")
        asking.join(20)
        assert (found["slow"].status_code, found["slow"].headers["connection"]) == (201, "close")
        assert mock.process.wait(15) == 0


def test_streams_and_idle_connections_do_not_hold_up_the_end(together):
    """A stream ends at once, an idle connection after a moment in which nobody used it."""
    mock = together("--drain=60")
    with (
        httpx.Client() as idle,
        httpx.stream("GET", f"{mock.root_url}/_mock/journal/stream", timeout=10) as stream,
    ):
        idle.get(f"{mock.root_url}/_mock/health")
        lines = stream.iter_lines()
        next(lines)
        mock.process.terminate()
        assert not [line for line in lines if line.startswith("data")]
        assert mock.process.wait(20) == 0


@pytest.mark.parametrize("signals", [[signal.SIGTERM, signal.SIGTERM], [signal.SIGTERM, signal.SIGINT]])
def test_second_signal_waits_for_nobody(together, signals):
    """Whoever is in a hurry says so."""
    mock = together("--drain=600")
    with socket.create_connection(("127.0.0.1", mock.port)) as half:
        half.sendall(b"POST /api/v1/sip-trunks HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        for number in signals:
            time.sleep(0.3)
            assert mock.process.poll() is None
            mock.process.send_signal(number)
        assert mock.process.wait(10) == 0


def test_time_to_drain_is_bounded(together):
    """A request that never comes to its end is given up."""
    mock = together("--drain=1")
    with socket.create_connection(("127.0.0.1", mock.port)) as half:
        half.sendall(b"POST /api/v1/sip-trunks HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        time.sleep(0.3)
        mock.process.terminate()
        assert mock.process.wait(10) == 0


def test_log_of_several_workers_has_whole_lines(together):
    """What two processes write at the same time does not get mixed up."""
    mock = together("--workers=2", "--log-format=json")
    with httpx.Client() as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.get(f"{mock.base_url}/sip-trunks"), range(200)))
    assert mock.stop() == 0
    lines = [line for line in mock.log.read_text("utf-8").splitlines() if "trunkmock.access" in line]
    assert len([json.loads(line) for line in lines]) == 200
