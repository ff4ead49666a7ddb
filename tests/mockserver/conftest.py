import json
import time

import pytest
from clients import SECOND, Api
from hypothesis import HealthCheck, settings
from redis_server import ClusterNode

settings.register_profile(
    "mock", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("mock")


@pytest.fixture(scope="session")
def first(mock):
    """A client of the first built-in environment."""
    with Api(mock.base_url) as api:
        yield api


@pytest.fixture(scope="session")
def second(mock):
    """A client of the second built-in environment."""
    with Api(mock.base_url, SECOND) as api:
        yield api


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """A redis-server, a cluster of one; whoever uses it empties it first."""
    server = ClusterNode(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def log_of(mock):
    """A function that gives the session's log once a request's line is in it."""

    def read(request_id):
        deadline = time.monotonic() + 2
        while request_id not in (text := mock.log.read_text("utf-8")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return text

    return read


@pytest.fixture
def environments_file(tmp_path):
    """A function that writes an environments file from dicts and gives its path."""

    def write(*environments):
        lines = []
        for entry in environments:
            lines += ["[[environments]]", *(f"{key} = {json.dumps(value)}" for key, value in entry.items())]
        path = tmp_path / "environments.toml"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    return write
