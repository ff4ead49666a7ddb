"""`mockserver.inprocess`, and what harnesses in other languages use: a mock for the time of a block, or of a parent."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

import mockserver
from mockserver.inprocess import Misused

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_mock_runs_for_the_time_of_a_block():
    """It answers within the block and is gone after it; what it saw can still be read."""
    with mockserver.running() as mock:
        assert httpx.get(f"{mock.base_url}/sip-trunks", headers=mock.headers).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(mock.url)
    assert [entry.operation for entry in mock.requests] == ["list_sip_trunks"]
    assert "trunkmock" not in {thread.name for thread in threading.enumerate()}


def test_mock_starts_fast():
    """After the first one, whose modules have to be read, a mock starts in a fraction of a second."""
    times = []
    for _ in range(3):
        began = time.process_time()
        with mockserver.running():
            times.append(time.process_time() - began)
    assert min(times) < 0.5


def test_error_in_the_block_ends_the_mock():
    """The server does not outlive a block that raises."""
    with pytest.raises(KeyError), mockserver.running() as mock:
        raise KeyError
    with pytest.raises(httpx.ConnectError):
        httpx.get(mock.url)


def test_mocks_run_beside_each_other():
    """Two mocks share nothing."""
    with mockserver.running() as one, mockserver.running() as other:
        one.seed()
        assert (len(one.state()), other.state()) == (1, [])
        assert httpx.get(f"{other.base_url}/sip-trunks", headers=one.headers).status_code == 401


def test_garbage_collector_of_the_process_is_left_alone():
    """Only the command tunes the garbage collector; here it is the test's."""
    import gc

    before = gc.get_threshold(), gc.get_freeze_count()
    with mockserver.running():
        assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_token_is_in_no_repr():
    """What a failing test prints of its mock has no token in it."""
    mock = mockserver.asgi()
    assert mock.token not in repr(mock)
    assert mock.name in repr(mock)


def test_misuse_says_what_is_wrong():
    """A field that is no good is named; its value is not repeated."""
    mock = mockserver.asgi()
    with pytest.raises(Misused, match=r"trunks\.0\.port must be an integer from 1 to 65535"):
        mock.seed(port=0)
    with pytest.raises(Misused, match="name must be one of carrier-down"):
        mock.scenario("no-such")
    with pytest.raises(Misused, match="no such SIP trunk"):
        mock.mark_did("x", "y")


def test_app_needs_no_socket():
    """Through `httpx.ASGITransport` a client under test gets answers and faults as from a server."""
    mock = mockserver.asgi()

    async def talk():
        transport = httpx.ASGITransport(mock.app)
        async with httpx.AsyncClient(transport=transport, base_url=mock.base_url, headers=mock.headers) as client:
            for transfer, raised in [("reset", httpx.ReadError), ("truncated", httpx.RemoteProtocolError)]:
                mock.fail_next(transfer=transfer)
                with pytest.raises(raised):
                    await client.get("/sip-trunks")
            mock.fail_next(transfer="drip", drip_ms=20)
            return [(await client.get("/sip-trunks")).json() for _ in range(2)]

    assert asyncio.run(talk()) == [{"success": True, "data": []}] * 2
    mock.assert_requested("list_sip_trunks", 4)


def test_mock_ends_with_its_stdin(tmp_path):
    """`--exit-with-stdin`: when whoever started it is gone, so is the mock."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "mockserver", "--port=0", f"--ready-file={ready}", "--exit-with-stdin"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)
    deadline = time.monotonic() + 20
    while not ready.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(5) == 0
    assert not ready.exists()


def example(*command):
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=env,
        cwd=EXAMPLES,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output
    return output


def has_node():
    node = shutil.which("node")
    version = node and subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return bool(version) and int(version.strip().lstrip("v").split(".")[0]) >= 18


@pytest.mark.skipif(not has_node(), reason="needs node 18 or newer")
def test_example_in_javascript_works():
    """The example for node's own test runner passes."""
    assert "fail 0" in example("node", "--test", "javascript/")


@pytest.mark.skipif(not (shutil.which("curl") and os.name == "posix"), reason="needs curl and sh")
def test_example_in_shell_works():
    """The example in shell passes, and leaves no mock behind."""
    assert "ok" in example("sh", "shell/test.sh")
