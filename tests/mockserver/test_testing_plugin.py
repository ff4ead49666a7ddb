"""`mockserver.testing`: the fixtures, as somebody's own test suite uses them."""

import re
import shutil
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path

import httpx
import pytest

from mockserver.scenarios import Scenarios

pytest_plugins = "pytester"

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")

CLIENT = '''
"""A client with a place for one bug each."""

import logging
import time

import httpx

TRUNK = {
    "name": "Main", "provider_name": "carrier-x", "domain": "sip.carrier.example",
    "username": "user_42", "password": "a-secret-password",
}


def create(mock, trunk, bug=None, tries=3):
    if bug == "logs-the-password":
        logging.getLogger("client").warning("sending %s", trunk)
    for _ in range(tries):
        answer = httpx.post(f"{mock.base_url}/sip-trunks", headers=mock.headers, json=trunk)
        if answer.status_code == 429:
            time.sleep(0 if bug == "ignores-retry-after" else int(answer.headers["retry-after"]))
        elif answer.status_code != 422 or bug != "retries-422":
            break
    return answer.json()


def verify(mock, trunk_id, bug=None):
    answer = httpx.post(f"{mock.base_url}/sip-trunks/{trunk_id}/verify", headers=mock.headers)
    return answer.status_code == 200 if bug == "believes-200" else answer.json()["success"]
'''

TESTS = """
import time

import pytest
from client import TRUNK, create, verify

BUG = {bug!r}


def test_refused_trunk_is_sent_once(trunkmock):
    assert create(trunkmock, TRUNK | {{"port": 0}}, BUG)["code"] == "VALIDATION_ERROR"
    trunkmock.assert_requested("create_sip_trunk", 1, broken=True)


def test_retry_after_is_heeded(trunkmock):
    trunkmock.fail_next(operation="create_sip_trunk", status=429, retry_after=1)
    assert create(trunkmock, TRUNK, BUG)["success"]
    first, second = trunkmock.requests
    assert second.time - first.time >= 1


def test_password_is_not_logged(trunkmock, caplog):
    create(trunkmock, TRUNK, BUG)
    assert TRUNK["password"] not in caplog.text


def test_failed_verify_is_a_failure(trunkmock):
    (trunk,) = trunkmock.seed(domain="auth-fail.carrier.example")
    assert verify(trunkmock, trunk["id"], BUG) is False
"""

PLUGINS = ("-p", "mockserver.testing", "-p", "xdist", "-p", "no:cacheprovider")
CATCHES = {
    "retries-422": "test_refused_trunk_is_sent_once",
    "ignores-retry-after": "test_retry_after_is_heeded",
    "logs-the-password": "test_password_is_not_logged",
    "believes-200": "test_failed_verify_is_a_failure",
}


@pytest.fixture
def run(pytester, monkeypatch):
    """A function that runs a suite in a process of its own, with warnings as errors and no other plugins."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(tests, *options):
        pytester.makepyfile(client=CLIENT, test_it=textwrap.dedent(tests))
        return pytester.runpytest_subprocess(*PLUGINS, "-Werror", "-rA", *options)

    return run


def test_sound_client_passes(run):
    """A client without a bug passes the tests that catch the bugs."""
    run(TESTS.format(bug=None)).assert_outcomes(passed=4)


@pytest.mark.parametrize(("bug", "test"), CATCHES.items())
def test_bug_is_caught(run, bug, test):
    """Each bug that real clients have is found by one short test, and by no other."""
    result = run(TESTS.format(bug=bug))
    result.assert_outcomes(passed=3, failed=1)
    assert re.search(rf"^FAILED test_it.py::{test} ", result.stdout.str(), re.MULTILINE)


def test_report_of_a_failed_test_has_its_requests(run, pytester):
    """Whoever reads the report sees what the client sent, and neither password nor token."""
    result = run(
        """
        from client import TRUNK, create

        def test_fails(trunkmock):
            create(trunkmock, TRUNK | {"port": 0})
            with open("token", "w") as file:
                file.write(trunkmock.token)
            raise RuntimeError

        def test_passes(trunkmock):
            create(trunkmock, TRUNK | {"username": "of_another_test"})
        """,
        "--showlocals",
        "--tb=short",
    )
    shown = result.stdout.str()
    result.stdout.fnmatch_lines(["*- trunkmock environment-*", "*POST /api/v1/sip-trunks 422  VALIDATION_ERROR  sent*"])
    assert "'password': '***'" in shown
    assert "a-secret-password" not in shown
    assert (pytester.path / "token").read_text() not in shown
    assert "of_another_test" not in shown


def test_parallel_tests_see_only_their_own(run):
    """200 tests over four processes: each sees its own trunk, its own request and nothing else."""
    result = run(
        """
        import httpx
        import pytest

        @pytest.fixture(scope="session")
        def http():
            with httpx.Client() as http:
                yield http

        @pytest.mark.parametrize("number", range(200))
        def test_own(trunkmock, http, number):
            assert (trunkmock.requests, trunkmock.state()) == ([], [])
            trunkmock.seed(name=f"trunk {number}")
            trunkmock.fail_next(status=500, operation="delete_sip_trunk")
            answer = http.get(f"{trunkmock.base_url}/sip-trunks", headers=trunkmock.headers)
            assert [it["name"] for it in answer.json()["data"]] == [f"trunk {number}"]
            trunkmock.assert_requested("list_sip_trunks", 1)
            assert len(trunkmock.requests) == 1
        """,
        "-n4",
    )
    result.assert_outcomes(passed=200)


def test_fixture_is_cheap(run):
    """After the first test, getting an environment and giving it back takes less than 20 ms."""
    result = run(
        """
        import time
        import pytest

        BEGAN = []

        @pytest.fixture
        def before():
            BEGAN.append(time.process_time())

        @pytest.mark.parametrize("number", range(50))
        def test_it(before, trunkmock, number):
            pass

        def test_time():
            assert (BEGAN[-1] - BEGAN[1]) / 48 < 0.02
        """
    )
    result.assert_outcomes(passed=51)


def test_readme_example_works(run):
    """The README's test passes as it stands there."""
    (example,) = [it for it in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "trunkmock" in it]
    run(example).assert_outcomes(passed=1)


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_readme_commands_work(mock):
    """The README's commands for the controls succeed, one after the other."""
    (commands,) = [it for it in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "/_mock" in it]
    script = commands.replace("http://127.0.0.1:8080", mock.root_url)
    done = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count('"success":true')) == (0, 6), done
    httpx.delete(f"{mock.root_url}/_mock/environments/mine")


def test_readme_names_every_scenario():
    """The README lists the scenarios that there are."""
    assert all(f"`{name}`" in README for name in Scenarios().names)


def test_all_fixtures_are_there(run):
    """A private server and an app without a socket, beside the shared one."""
    result = run(
        """
        import asyncio
        import httpx

        def test_server(trunkmock_server):
            other = trunkmock_server.environment(plan="standard")
            answer = httpx.get(f"{other.base_url}/sip-trunks", headers=other.headers)
            assert answer.headers["x-ratelimit-limit"] == "100"
            trunkmock_server.move_clock(now="2026-01-31T12:00:00Z")

        def test_app(trunkmock_asgi):
            async def get():
                transport = httpx.ASGITransport(trunkmock_asgi.app)
                async with httpx.AsyncClient(transport=transport, headers=trunkmock_asgi.headers) as client:
                    return await client.get(f"{trunkmock_asgi.base_url}/sip-trunks")

            trunkmock_asgi.scenario("unavailable")
            assert asyncio.run(get()).status_code == 503

        def test_clock_of_the_shared_server_is_set_back(trunkmock):
            trunkmock.move_clock(now="2001-01-01T00:00:00Z")

        def test_clock_is_right_again(trunkmock):
            assert trunkmock.seed()[0]["created_at"] > "2020"
        """
    )
    result.assert_outcomes(passed=4)


def test_plugin_costs_nothing_where_it_is_not_used():
    """A suite that does not use the fixtures does not import the mock."""
    code = "import sys, mockserver.testing; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in loaded if name.startswith("mockserver")] == ["mockserver", "mockserver.testing"]
    assert not {"connexion", "uvicorn", "httpx"} & set(loaded)


def test_plugin_is_found_where_the_package_is_installed():
    """pytest finds the fixtures by the package's entry point."""
    (found,) = [it for it in entry_points(group="pytest11") if it.name == "trunkmock"]
    assert found.value == "mockserver.testing"
