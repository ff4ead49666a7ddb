import json
import subprocess
import sys
import time

import pytest


class Mock:
    """A running mock: its process, and what its ready file says."""

    def __init__(self, folder, *options, env=None):
        self.ready_file = folder / "ready.json"
        self.log = folder / "log"
        command = [sys.executable, "-m", "mockserver", "--port=0", f"--ready-file={self.ready_file}", *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=env)
        deadline = time.monotonic() + 30
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.ready = json.loads(self.ready_file.read_text("utf-8"))
        self.base_url = self.ready["base_url"]
        self.root_url = self.base_url.removesuffix("/api/v1")
        self.port = int(self.root_url.rpartition(":")[2])

    def stop(self):
        self.process.terminate()
        return self.process.wait(10)


@pytest.fixture(scope="session")
def mock(tmp_path_factory):
    """A mock with the built-in environments, logging all it can; its log must be free of tracebacks at the end."""
    mock = Mock(tmp_path_factory.mktemp("mock"), "--log-level=debug")
    yield mock
    assert mock.stop() == 0
    assert "Traceback" not in mock.log.read_text("utf-8")


@pytest.fixture
def start_mock(tmp_path):
    """A function that starts a mock of one's own with more options."""
    started = []

    def start(*options, env=None):
        started.append(Mock(tmp_path, *options, env=env))
        return started[-1]

    yield start
    for mock in started:
        mock.process.kill()
        mock.process.wait()


@pytest.fixture(scope="session")
def mock_class():
    """What starts a mock of one's own: a folder and options in, a running mock out."""
    return Mock
