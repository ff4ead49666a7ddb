import re
import subprocess
import sys

import pytest
import servers
from kit import TOKENS, environment

from conformance import probes
from conformance.client import FIRST, NO_PLAN, OTHER
from conformance.rules import RULES, Profile

OTHERS = {"TRUNKCHECK_OTHER_TOKEN": TOKENS[OTHER], "TRUNKCHECK_NO_PLAN_TOKEN": TOKENS[NO_PLAN]}
probes.load()
QUICK = sum(Profile.QUICK.includes(rule.profile) for rule in RULES.values())
PROBES = ("--pyargs", "conformance.probes", "--trunk-profile=quick")

SHUFFLED = """
import random
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    random.Random(7).shuffle(items)
"""
SHADOWED = """
import pytest

@pytest.fixture
def lab():
    raise RuntimeError("this is their lab")

@pytest.fixture(scope="session")
def minimal(lab):
    raise RuntimeError("this is their trunk")

@pytest.fixture(scope="session")
def full():
    raise RuntimeError("this is their trunk")

@pytest.fixture
def field():
    raise RuntimeError("this is their field")
"""
APP = "from mockserver.app import Settings, create_app\nfrom mockserver.environments import built_in\n"


def suite(folder, *options, token=TOKENS[FIRST], files=None, **variables):
    """Run pytest in a folder with these files, and give its result and its counts of outcomes."""
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--color=no", *options],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=environment(token, **variables),
    )  # fmt: skip
    counts = {kind: int(count) for count, kind in re.findall(r"(\d+) (\w+)", done.stdout.strip().rpartition("\n")[2])}
    return done, counts


@pytest.mark.parametrize(
    ("settings", "conftest", "options"),
    [
        pytest.param("python_files = check_*.py\npython_functions = check_*", "", [], id="other-names"),
        pytest.param("filterwarnings = error", "", [], id="warnings-are-errors"),
        pytest.param("addopts = -x --strict-markers --strict-config", "", [], id="strict"),
        pytest.param("addopts = -x -n2", "", [], id="two-workers"),
        pytest.param("addopts = --dist=loadfile", "", ["-n2"], id="two-workers-by-file"),
        pytest.param("", SHUFFLED, ["-n2"], id="shuffled-and-two-workers"),
        pytest.param("", SHADOWED, [], id="fixtures-of-the-same-names"),
        pytest.param("", "", ["--import-mode=importlib", "--assert=plain", "-vv"], id="other-import-and-output"),
    ],
)
def test_hostile_suite_does_not_bend_the_probes(mock, tmp_path, settings, conftest, options):
    """A server that keeps the contract passes every probe, whatever the suite around them is like."""
    files = {"pytest.ini": f"[pytest]\n{settings}\n", "conftest.py": conftest}
    done, counts = suite(tmp_path, *PROBES, f"--trunk-url={mock.base_url}", *options, files=files, **OTHERS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts["passed"] == QUICK
    assert not counts.keys() & {"skipped", "failed", "error", "errors", "warning", "warnings"}


def test_variables_do_not_bend_the_probes(mock, tmp_path):
    """PYTEST_ADDOPTS is the suite's own affair, and changes no verdict."""
    done, counts = suite(tmp_path, *PROBES, f"--trunk-url={mock.base_url}", PYTEST_ADDOPTS="-x -n2 -W error", **OTHERS)
    assert (done.returncode, counts.get("passed")) == (0, QUICK), done.stdout


def broken_mock(mock):
    """Stand before the mock, and let the list of trunks be empty and every 401 lack its challenge."""

    def empty(_number, method, path):
        if method == "GET" and path == "/sip-trunks":
            return 200, [("Content-Type", "application/json"), ("RateLimit", "1")], b'{"success": true, "data": []}'
        return None

    return servers.relay(mock.base_url, empty)


def test_broken_rule_is_a_failed_test_with_its_sentence(mock, tmp_path):
    """What is broken fails, with rule, source, expected and actual, and without a traceback."""
    with broken_mock(mock) as (url, _):
        done, counts = suite(tmp_path, *PROBES, f"--trunk-url={url}", **OTHERS)
    assert done.returncode == 1
    assert counts["failed"] >= 1
    assert "list.complete (documented)" in done.stdout
    assert re.search(r"expected  .*\n\s+actual    ", done.stdout)
    assert "Traceback" not in done.stdout
    assert not any(token[5:] in done.stdout for token in TOKENS.values())


@pytest.mark.parametrize(
    ("url", "token", "says"),
    [
        pytest.param("http://127.0.0.1:1/api/v1", TOKENS[FIRST], "nothing listens there", id="nobody-there"),
        pytest.param("http://127.0.0.1:1/api/v1", None, "a token is needed", id="no-token"),
        pytest.param("127.0.0.1:1/api/v1", TOKENS[FIRST], "must start with http:// or https://", id="no-url"),
    ],
)
def test_target_that_cannot_be_judged_is_an_error_not_green(tmp_path, url, token, says):
    """Where nothing could be judged, the suite is red, and says why once."""
    done, counts = suite(tmp_path, *PROBES, f"--trunk-url={url}", token=token)
    assert (done.returncode, counts.get("error")) == (1, 1), done.stdout
    assert says in done.stdout
    assert "passed" not in counts


def test_token_that_expires_is_a_failure_not_green(mock, tmp_path):
    """A run that had to stop is red."""
    body = b'{"success": false, "message": "m", "code": "UNAUTHENTICATED"}'
    refused = (401, [("Content-Type", "application/json"), ("WWW-Authenticate", "Bearer"), ("RateLimit", "1")], body)
    with servers.relay(mock.base_url, lambda number, _m, _p: refused if number > 20 else None) as (url, _):
        done, _ = suite(tmp_path, *PROBES, f"--trunk-url={url}")
    assert done.returncode == 1, done.stdout
    assert "the token was refused (401) from request" in done.stdout


def test_creates_that_are_all_refused_are_a_failure_not_green(mock, tmp_path):
    """A quota that is used up judges nothing, and is red."""
    full = (
        403,
        [("Content-Type", "application/json"), ("RateLimit", "1")],
        b'{"success": false, "message": "m", "code": "QUOTA"}',
    )

    def refuse(_number, method, path):
        return full if method == "POST" and path == "/sip-trunks" else None

    with servers.relay(mock.base_url, refuse) as (url, _):
        done, _ = suite(tmp_path, *PROBES, f"--trunk-url={url}")
    assert done.returncode == 1, done.stdout
    assert "no create was accepted (403 QUOTA)" in done.stdout


def test_without_a_target_the_probes_are_skipped(tmp_path):
    """Who only has the kit installed sees nothing of it."""
    done, counts = suite(tmp_path, *PROBES)
    assert done.returncode == 0
    assert counts["skipped"] == QUICK
    done, counts = suite(tmp_path, files={"test_own.py": "def test_own(): pass\n"})
    assert counts["passed"] == 1
    assert "trunkcheck" not in done.stdout.partition("plugins:")[2].partition("\n")[2]


def test_whole_package_may_be_named(mock, tmp_path):
    """`--pyargs conformance` collects the probes and nothing else."""
    done, counts = suite(
        tmp_path, "--pyargs", "conformance", "--trunk-profile=quick", f"--trunk-url={mock.base_url}", **OTHERS
    )
    assert (done.returncode, counts.get("passed")) == (0, QUICK), done.stdout


def test_one_line_makes_the_contract_part_of_a_suite(mock, tmp_path):
    """The probes stand beside a suite's own tests; the target comes from its configuration."""
    files = {
        "test_contract.py": "from conformance.suite import *\n",
        "test_own.py": "def test_own(): pass\n",
        "pytest.ini": f"[pytest]\ntrunk_url = {mock.base_url}\n",
        "conftest.py": SHADOWED,
    }
    done, counts = suite(tmp_path, "--trunk-profile=quick", files=files, **OTHERS)
    assert (done.returncode, counts.get("passed")) == (0, QUICK + 1), done.stdout
    assert f"{QUICK} of {QUICK} rules judged, 0 broken" in done.stdout


def test_fixture_may_give_an_app_and_its_tokens(tmp_path):
    """An ASGI app of the suite's own is judged in its process, with tokens that are no secret."""
    contract = (
        "import pytest\n"
        "from conformance.suite import *\n"
        f"{APP}\n"
        "@pytest.fixture(scope='session')\n"
        "def trunk_target():\n"
        "    app = create_app(Settings(built_in()))\n"
        f"    return Target(app, {TOKENS[FIRST]!r}, {TOKENS[OTHER]!r}, {TOKENS[NO_PLAN]!r})\n"
    )
    files = {"test_contract.py": contract, "pytest.ini": "[pytest]\nfilterwarnings = error\n"}
    done, counts = suite(tmp_path, "--trunk-profile=quick", token=None, files=files)
    assert (done.returncode, counts.get("passed")) == (0, QUICK), done.stdout + done.stderr


def test_app_may_be_named_on_the_command_line(tmp_path):
    """`--trunk-app module:name` judges an app that the working folder has."""
    files = {"their.py": f"{APP}app = create_app(Settings(built_in()))\n"}
    done, counts = suite(tmp_path, *PROBES, "--trunk-app=their:app", files=files, **OTHERS)
    assert (done.returncode, counts.get("passed")) == (0, QUICK), done.stdout


def test_broken_inferred_rule_is_told_in_the_summary(mock, tmp_path):
    """It passes, since it only warns, but not in silence; with --trunk-strict it fails."""

    def bare(_number, _method, path):
        known = path == "/sip-trunks" or path.startswith("/sip-trunks/")
        return None if known else (404, [("Content-Type", "text/plain")], b"nothing here")

    with servers.relay(mock.base_url, bare) as (url, _):
        asked = ("--pyargs", "conformance.probes", f"--trunk-url={url}", "-k", "outside_the_operations or unknown_path")
        lenient, _ = suite(tmp_path, *asked)
        strict, _ = suite(tmp_path, *asked, "--trunk-strict")
    assert (lenient.returncode, strict.returncode) == (0, 1), lenient.stdout + strict.stdout
    assert "warning: answer.outside.form (inferred): expected the error envelope" in lenient.stdout


def test_object_that_only_looks_like_a_probe_is_left_alone():
    """A module, or anything else with a member called `rules`, in somebody's test file is no probe."""
    from types import SimpleNamespace

    from conformance import plugin, rules

    assert plugin._rules_of(SimpleNamespace(rules=rules)) == {}
    assert plugin._rules_of(SimpleNamespace(rule="of thumb")) == {}
