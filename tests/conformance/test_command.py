import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time

import pytest
import servers
from kit import ROOT, TOKENS, environment, trunkcheck

from conformance.client import FIRST, NO_PLAN, OTHER

TOKEN = TOKENS[FIRST]
OTHERS = {"TRUNKCHECK_OTHER_TOKEN": TOKENS[OTHER], "TRUNKCHECK_NO_PLAN_TOKEN": TOKENS[NO_PLAN]}
HERE = "http://127.0.0.1:1/api/v1"
ONE = "--only=create.accepted"
HTML = servers.says("<html>Hello</html>", "200 OK", "text/html")
REDIRECT = servers.says("", "302 Found", "text/html", "Location: https://x.example/login?next=1")
DOWN = servers.says("<h1>down</h1>", "503 Service Unavailable", "text/html")


def clear(result, code):
    """Want this exit code, no traceback, no verdict that is good, and no secret."""
    said = result.stdout + result.stderr
    assert result.returncode == code, said
    assert "Traceback" not in said
    assert "Conforms" not in said
    assert not any(token[5:] in said for token in TOKENS.values())
    return " ".join(said.split())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param([], "give a BASE_URL, or an app with --app", id="no-target"),
        pytest.param([HERE, "--app=a:b"], "give a BASE_URL, or an app with --app", id="two-targets"),
        pytest.param(["ftp://x.example/api/v1"], "must start with http:// or https://", id="scheme"),
        pytest.param(["x.example/api/v1"], "must start with http:// or https://", id="no-scheme"),
        pytest.param(["http://u:p@x.example/api/v1"], "must not hold a user or password", id="credentials"),
        pytest.param(["http://x.example:99999/api/v1"], "ort", id="port"),
        pytest.param(["http://[::1/api/v1"], "IPv6", id="brackets"),
        pytest.param(["http://x.example/api/v1?a=1"], "without ? or #", id="query"),
        pytest.param([HERE, "--token=talq_a\nb"], "has a line break, a space or another character", id="line-break"),
        pytest.param([HERE, "--token=talq_é"], "has a line break, a space or another character", id="not-ascii"),
        pytest.param([HERE, f"--other-token={TOKEN}"], "two of the tokens are the same", id="equal-tokens"),
        pytest.param([HERE, "--report=pdf=x"], "--report must be FORMAT=PATH with one of junit", id="report-format"),
        pytest.param([HERE, "--report=json"], "--report must be FORMAT=PATH", id="report-without-path"),
        pytest.param(
            [HERE, "--report=json=/dev/null/x.json"], "could not be written to /dev/null/x.json", id="report-path"
        ),
        pytest.param([HERE, "--report=json=/"], "could not be written to /: that is a folder", id="report-folder"),
        pytest.param([HERE, "--rate=fast"], "--rate must be a number and s, m or h, as in 100/m", id="rate"),
        pytest.param([HERE, "--rate=0/m"], "--rate must be", id="rate-of-nothing"),
        pytest.param([HERE, "--rate=-5/m"], "--rate must be", id="rate-below-nothing"),
        pytest.param([HERE, "--only=nothing.*"], "no rule is left to judge", id="only"),
        pytest.param([HERE, "--skip=*"], "no rule is left to judge", id="skip"),
        pytest.param([HERE, "--waive=/nowhere.toml"], "the waiver file /nowhere.toml cannot be read", id="no-waivers"),
        pytest.param([HERE, "--waive=pyproject.toml"], "may hold only [[waivers]] tables", id="other-toml"),
        pytest.param([HERE, "--profile=huge"], "invalid choice", id="profile"),
        pytest.param(["--app=no_such_module:app"], "no_such_module:app cannot be imported", id="app"),
        pytest.param(["--app=json:no_such_name"], "json:no_such_name cannot be imported", id="app-name"),
        pytest.param(["--app=json"], "json cannot be imported", id="app-without-name"),
        pytest.param(["--app=json:__doc__"], "is no ASGI app", id="app-that-is-none"),
        pytest.param(["--explain=create.name.max-lengt"], "is it create.name.max-length", id="explain"),
    ],
)
def test_wrong_use_is_a_sentence_and_exit_2(options, says):
    """What cannot be meant is said in a line, before anything is sent."""
    said = clear(trunkcheck(*options, cwd=ROOT), 2)
    assert says in said
    assert "b'" not in said


def test_missing_token_is_a_sentence_and_exit_2():
    """Without a token there is nothing to judge with."""
    said = clear(trunkcheck(HERE, token=None), 2)
    assert "a token is needed: --token, or the environment variable TRUNKCHECK_TOKEN" in said


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(HTML, "there is no SIP trunk API: GET /sip-trunks answered 200 with text/html", id="html"),
        pytest.param(servers.says("nope", "404 Not Found", "text/plain"), "there is no SIP trunk API", id="404"),
        pytest.param(servers.says('{"success": false}', "404 Not Found"), "BASE_URL ends in /api/v1", id="404-json"),
        pytest.param(REDIRECT, "it answers with a redirect to https://x.example/login;", id="redirect"),
        pytest.param(servers.says('{"success": false}', "401 Unauthorized"), "the token was refused (401)", id="token"),
        pytest.param(servers.says('{"success": false}', "403 Forbidden"), "may not use SIP trunks (403)", id="plan"),
        pytest.param(DOWN, "it is not available (503)", id="down"),
        pytest.param(servers.closes, "the connection was closed instead of answered", id="closes"),
        pytest.param(servers.gigabytes, "the answer is larger than 16 MiB", id="gigabytes"),
        pytest.param(servers.hangs, "no answer within 15 seconds", id="hangs"),
        pytest.param(servers.says("{}", "2000 OK"), "the connection was closed instead of answered", id="no-http"),
    ],
)  # fmt: skip
def test_target_that_cannot_be_judged_is_a_sentence_and_exit_3(answer, says):
    """Whatever answers there, it is said what is wrong, and that nothing was judged."""
    with servers.raw(answer) as url:
        said = clear(trunkcheck(url), 3)
    assert f"{url} could not be judged: " in said
    assert says in said


@pytest.mark.parametrize("body", [b"[]", b"{}", b'"x"', b'{"success": true, "data": []}'])
def test_target_that_always_says_the_same_is_no_pass(mock, body):
    """JSON of whatever kind is not taken for the API, or is found to be broken."""
    same = (200, [("Content-Type", "application/json")], body)
    with servers.relay(mock.base_url, lambda _number, _method, _path: same) as (url, _):
        result = trunkcheck(url)
    clear(result, 1)


def test_nobody_there_is_a_sentence_and_exit_3():
    """An address without a listener, and one without a host."""
    assert "nothing listens there (connection refused)" in clear(trunkcheck(HERE), 3)
    assert "it cannot be reached" in clear(trunkcheck("http://no.such.host.invalid/api/v1"), 3)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate that its own key has signed, for 127.0.0.1."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
    )
    made = builder.add_extension(names, critical=True).sign(key, hashes.SHA256())
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, form, plain)
    )
    return file


def test_self_signed_certificate_is_a_sentence_and_exit_3(certificate):
    """A certificate that nobody vouches for is told; one that SSL_CERT_FILE vouches for is taken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    answer = servers.says('{"success": false}', "401 Unauthorized")
    with servers.raw(answer, wrap=lambda plain: context.wrap_socket(plain, server_side=True)) as url:
        assert "its TLS certificate is not trusted (self-signed certificate)" in clear(trunkcheck(url), 3)
        assert "the token was refused" in clear(trunkcheck(url, SSL_CERT_FILE=str(certificate)), 3)


def test_mock_conforms(mock, tmp_path):
    """A server that keeps the contract passes, is left as it was, and nothing is said on the error stream."""
    report = tmp_path / "made" / "report.json"
    result = trunkcheck(mock.base_url, "--strict", f"--report=json={report}", **OTHERS)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    assert result.stdout.startswith("Conforms\n")
    assert json.loads(report.read_text("utf-8"))["leftovers"] == []


def test_only_judges_what_it_is_told(mock):
    """A run of one rule judges that rule, and says so."""
    result = trunkcheck(mock.base_url, "--only=create.port.r*", "--only=auth.blank")
    assert result.returncode == 0, result.stdout
    assert "2 of 2 rules judged: 2 pass" in result.stdout


def test_read_only_sends_only_reads(mock):
    """A read-only run changes nothing, and does not call what it could not judge a pass."""
    with servers.relay(mock.base_url) as (url, seen):
        result = trunkcheck(url, "--read-only")
    assert {method for method, _ in seen} <= {"GET", "HEAD", "OPTIONS"}
    assert "Traceback" not in result.stdout + result.stderr
    assert "the run is read-only (leave out --read-only)" in " ".join(result.stdout.split())
    assert result.returncode in (0, 3)


def test_keep_leaves_the_trunks(mock):
    """With --keep what was made stays to be looked at."""
    with servers.relay(mock.base_url) as (url, seen):
        result = trunkcheck(url, "--keep", ONE)
    assert result.returncode == 0, result.stdout
    assert not [path for method, path in seen if method == "DELETE"]


def test_app_in_this_process_is_judged(tmp_path):
    """An ASGI app is imported from the working folder and judged without a port."""
    (tmp_path / "their_app.py").write_text(
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    headers = [(b'content-type', b'application/json'), (b'www-authenticate', b'Bearer')]\n"
        "    await send({'type': 'http.response.start', 'status': 401, 'headers': headers})\n"
        "    await send({'type': 'http.response.body', 'body': b'{}'})\n"
    )
    said = clear(trunkcheck("--app=their_app:app", cwd=tmp_path), 3)
    assert "their_app:app could not be judged: the token was refused (401)" in said


def test_token_that_expires_in_the_middle_is_exit_3(mock):
    """From then on nothing is judged, and what was made is listed, since it cannot be deleted any more."""
    body = b'{"success": false, "message": "m", "code": "UNAUTHENTICATED"}'
    refused = (401, [("Content-Type", "application/json"), ("WWW-Authenticate", "Bearer"), ("RateLimit", "1")], body)
    with servers.relay(mock.base_url, lambda number, _m, _p: refused if number > 25 else None) as (url, _):
        result = trunkcheck(url)
    said = clear(result, 3)
    assert "the token was refused (401) from request" in said
    assert "Left behind on the target" in said


def test_rate_limit_in_the_middle_is_waited_out(mock):
    """A burst of 429s changes no verdict."""
    body = b'{"success": false, "message": "m", "code": "RATE_LIMITED"}'
    limited = (429, [("Content-Type", "application/json"), ("Retry-After", "0"), ("RateLimit", "1")], body)
    with servers.relay(mock.base_url, lambda number, _m, _p: limited if number % 3 == 0 else None) as (url, _):
        result = trunkcheck(url, "--profile=quick", "--strict", **OTHERS)
    assert result.returncode == 0, result.stdout


def test_connections_that_are_dropped_leave_nothing_behind(mock):
    """Creates that are carried out but not answered are found and deleted."""
    before = _trunks(mock)

    def drop(number, method, path):
        return "drop" if method == "POST" and path == "/sip-trunks" and number in (30, 31, 45, 60) else None

    with servers.relay(mock.base_url, drop) as (url, _):
        result = trunkcheck(url)
    assert "Traceback" not in result.stdout + result.stderr
    assert _trunks(mock) == before


def _trunks(mock):
    import httpx

    answer = httpx.get(f"{mock.base_url}/sip-trunks", headers={"Authorization": f"Bearer {TOKEN}"})
    return {trunk["name"] for trunk in answer.json()["data"]}


def interrupted(url, number, after, *options, again=None):
    """Start a run, send it a signal after so many requests, and give its result."""
    command = [sys.executable, "-m", "conformance", url, *options]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    after.wait(30)
    run.send_signal(number)
    if again:
        again.wait(30)
        run.send_signal(number)
    out, err = run.communicate(timeout=60)
    return subprocess.CompletedProcess(command, run.returncode, out, err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", [1, 8, 40])
def test_interrupted_run_cleans_up_and_is_no_pass(mock, number, when):
    """Ctrl-C and SIGTERM end the run at once, and leave nothing behind."""
    reached = threading.Event()

    def slow(count, _method, _path):
        if count >= when:
            reached.set()
        if when <= count < when + 2:
            time.sleep(0.5)

    before = _trunks(mock)
    with servers.relay(mock.base_url, slow) as (url, seen):
        result = interrupted(url, number, reached)
    said = clear(result, 130 if number == signal.SIGINT and "trunkcheck: interrupted" in result.stderr else 3)
    assert "interrupted" in said
    assert len(seen) < when + 60
    assert _trunks(mock) == before


def test_interrupt_while_deleting_goes_on_deleting(mock):
    """The clean-up is not cut short by Ctrl-C, and the run is no pass."""
    deleting = threading.Event()

    def slow(count, method, _path):
        if method == "DELETE" and count > 40:
            deleting.set()
            time.sleep(0.1)

    before = _trunks(mock)
    with servers.relay(mock.base_url, slow) as (url, _):
        result = interrupted(url, signal.SIGINT, deleting)
    clear(result, 3)
    assert _trunks(mock) == before


def test_what_cannot_be_deleted_is_listed(mock):
    """A server that refuses deletes is broken, and what is left is named."""
    refused = (
        403,
        [("Content-Type", "application/json"), ("RateLimit", "1")],
        b'{"success": false, "message": "m", "code": "NO"}',
    )
    with servers.relay(mock.base_url, lambda _n, method, _p: refused if method == "DELETE" else None) as (url, _):
        said = " ".join(trunkcheck(url, ONE).stdout.split())
    assert "Left behind on the target /sip-trunks/" in said


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"PYTHONWARNINGS": "error"}, id="warnings-are-errors"),
        pytest.param({"PYTEST_ADDOPTS": "-x -n2 --no-such-option", "PYTEST_PLUGINS": "no_such_plugin"}, id="pytest"),
        pytest.param({"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}, id="ascii"),
        pytest.param({"COLUMNS": "20", "NO_COLOR": "1", "TERM": "dumb"}, id="narrow"),
        pytest.param({"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}, id="proxy"),
        pytest.param({"PYTHONOPTIMIZE": "2"}, id="without-asserts"),
        pytest.param({"CI": "true", "GITHUB_ACTIONS": "true", "FORCE_COLOR": "1"}, id="ci"),
    ],
)
def test_surroundings_do_not_bend_the_command(mock, tmp_path, variables):
    """Neither variables nor a hostile suite in the working folder change the verdict."""
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option -x\npython_files = check_*.py\n")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('not your conftest')\n")
    result = trunkcheck(mock.base_url, "--profile=quick", "--strict", cwd=tmp_path, **variables, **OTHERS)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    assert "Conforms" in result.stdout


def test_reader_that_goes_away_is_no_traceback():
    """`trunkcheck --list | head -1` ends quietly."""
    command = f"'{sys.executable}' -m conformance --list | head -1"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ)
    )
    assert (done.stdout, done.stderr) == ("Every operation\n", "")


def test_report_to_standard_output(mock):
    """`-` is a report's path too."""
    result = trunkcheck(mock.base_url, ONE, "--report=badge=-")
    assert result.returncode == 0
    assert '"schemaVersion"' in result.stdout
