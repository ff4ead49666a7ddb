"""Fixtures for pytest; they are there wherever this package is installed, and cost nothing until they are asked for.

- `trunkmock`: an environment of the test's own, on one server for the whole (worker) process;
- `trunkmock_server`: a server of the test's own;
- `trunkmock_asgi`: a mock without a socket, for `httpx.ASGITransport(trunkmock_asgi.app)`.

When a test fails, the requests that it made are in the report, without any password or token.
"""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mockserver.inprocess import MockApp, MockEnvironment, MockServer

_USED: pytest.StashKey[list[Any]] = pytest.StashKey()


@pytest.fixture(scope="session")
def _trunkmock_shared() -> "Iterator[MockServer]":
    import mockserver

    with mockserver.running() as mock:
        yield mock


@pytest.fixture
def trunkmock(request: pytest.FixtureRequest, _trunkmock_shared: "MockServer") -> "Iterator[MockEnvironment]":
    """An environment of a running mock that no other test sees: `base_url`, `token`, `requests`, `seed(…)`, …"""
    environment = _trunkmock_shared.environment()
    _note(request, environment)
    yield environment
    environment.close()
    _trunkmock_shared.reset_clock()


@pytest.fixture
def trunkmock_server(request: pytest.FixtureRequest) -> "Iterator[MockServer]":
    """A running mock of the test's own, with one environment and a function for more."""
    import mockserver

    with mockserver.running() as mock:
        _note(request, mock)
        yield mock


@pytest.fixture
def trunkmock_asgi(request: pytest.FixtureRequest) -> "MockApp":
    """A mock without a socket: `app` is for `httpx.ASGITransport`, `base_url` for its client."""
    import mockserver

    mock = mockserver.asgi()
    _note(request, mock)
    return mock


def _note(request: pytest.FixtureRequest, environment: Any) -> None:
    request.node.stash.setdefault(_USED, []).append(environment)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the requests of a test that failed to its report."""
    report = yield
    if report.failed and report.when == "call":
        for environment in item.stash.get(_USED, []):
            report.sections.append((f"trunkmock {environment.name}", environment.journal_text()))
    return report
