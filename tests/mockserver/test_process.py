"""The process: options, environments file, rate limits, logs, ready file, and its end."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
from clients import FIRST, Api, refused, trunk

from mockserver.__main__ import main

CI = {"name": "ci", "token": "talq_ci", "plan": "standard", "allow_custom_sip_trunks": True}


@pytest.fixture
def refuses(monkeypatch, capsys):
    """A function that runs the command in this process and gives the one line that it ends with, after exit 2."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*options):
        with pytest.raises(SystemExit) as caught:
            main(["--port=0", *options])
        out, err = capsys.readouterr()
        (line,) = err.splitlines()
        assert (caught.value.code, out) == (2, "")
        assert line.startswith("trunkmock: ")
        return line

    return run


WITHOUT = {"allow_custom_sip_trunks": False}
LIMITED = [
    CI | {"requests_per_minute": 3},
    CI | {"name": "ci2", "token": "talq_ci2", "requests_per_minute": 3},
    CI | {"name": "other", "token": "talq_other", "requests_per_minute": 3},
    CI | {"name": "free", "token": "talq_free", "requests_per_minute": 0},
    CI | {"name": "no", "token": "talq_no", "requests_per_minute": 3} | WITHOUT,
    CI | {"name": "no2", "token": "talq_no2", "requests_per_minute": 3} | WITHOUT,
    CI | {"name": "standard", "token": "talq_standard"},
    CI | {"name": "professional", "token": "talq_professional", "plan": "professional"},
]


@pytest.fixture(scope="module")
def limited(mock, tmp_path_factory):
    """A mock on all addresses whose environments have all kinds of limits."""
    folder = tmp_path_factory.mktemp("limited")
    file = folder / "environments.toml"
    lines = []
    for entry in LIMITED:
        lines += ["[[environments]]", *(f"{key} = {json.dumps(value)}" for key, value in entry.items())]
    file.write_text("\n".join(lines))
    limited = type(mock)(folder, f"--environments={file}", "--host=0.0.0.0")
    yield limited
    assert limited.stop() == 0


@pytest.fixture(scope="module")
def quiet(mock, tmp_path_factory):
    """A mock that logs no requests and takes bodies of 400 bytes."""
    quiet = type(mock)(tmp_path_factory.mktemp("quiet"), "--log-level=warning", "--max-body=400")
    yield quiet
    assert quiet.stop() == 0


@pytest.mark.parametrize(
    ("option", "says"),
    [
        pytest.param("--port=-1", "must be a whole number from 0 to 65535", id="negative-port"),
        pytest.param("--port=x", "must be a whole number from 0 to 65535", id="port-no-number"),
        pytest.param("--port=\u0661", "must be a whole number", id="port-in-other-digits"),
        pytest.param("--max-body=0", "must be a whole number from 1 to", id="no-body"),
        pytest.param("--max-body=" + "9" * 5000, "must be a whole number", id="huge-body"),
        pytest.param("--log-format=xml", "invalid choice", id="log-format"),
        pytest.param("--colour", "unrecognized arguments", id="unknown-option"),
        pytest.param("extra", "unrecognized arguments", id="extra-argument"),
        pytest.param("--host=192.0.2.1", "--environments FILE", id="address-in-the-open"),
        pytest.param("--host=::", "--environments FILE", id="all-addresses"),
        pytest.param("--environments=.", "cannot read .: is a directory", id="directory-for-a-file"),
    ],
)
def test_bad_option_is_one_line_and_exit_2(refuses, option, says):
    """What cannot be done is said in one line, which tells how to get help or what to do."""
    assert says in refuses(option)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param("", "must have a list [[environments]] and nothing else", id="empty"),
        pytest.param('[[environments]]\ntoken = "talq_s3cr3t', "is not TOML (at", id="no-toml"),
        pytest.param('[[environments]]\nname = "a"\ntoken = "s3cr3t"', "token must be talq_ and", id="token"),
        pytest.param("a = " + "[" * 50_000, "is not TOML", id="deep"),
    ],
)
def test_bad_environments_file_is_one_line_and_exit_2(refuses, tmp_path, content, says):
    """The line names the file and its fault, and repeats nothing of it."""
    file = tmp_path / "environments.toml"
    file.write_text(content)
    line = refuses(f"--environments={file}")
    assert f"{file} {says}" in line or f"{file} environment 1: {says}" in line
    assert "s3cr3t" not in line


def test_own_tokens_may_be_reached_from_elsewhere(limited):
    """With an environments file, any address will do."""
    assert limited.base_url.startswith("http://localhost:")
    with Api(f"http://127.0.0.1:{limited.port}/api/v1", "talq_free") as api:
        assert api.get("/sip-trunks").status_code == 200


def test_built_in_tokens_are_good_for_nothing_with_a_file(limited):
    """The file replaces them, and no token is shown."""
    with Api(limited.base_url) as api:
        assert api.get("/sip-trunks").status_code == 401
    assert "talq_" not in limited.log.read_text("utf-8")


def test_ready_file_says_where_who_and_for_whom(quiet):
    """It is there as a whole once the mock answers."""
    assert quiet.ready == {
        "base_url": f"http://127.0.0.1:{quiet.port}/api/v1",
        "pid": quiet.process.pid,
        "environments": ["first", "second", "without-feature"],
    }
    assert [it.name for it in quiet.ready_file.parent.glob("ready*")] == ["ready.json"]


def test_ready_file_of_an_earlier_run_is_taken_away(tmp_path):
    """Whoever waits for the file does not get to read an old one, also when the start fails."""
    stale = tmp_path / "ready.json"
    stale.write_text("{}")
    command = [sys.executable, "-m", "mockserver", "--port=0", f"--ready-file={stale}"]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"TRUNKMOCK_KEY": "s3cr3t"})
    assert (result.returncode, result.stderr) == (2, "trunkmock: TRUNKMOCK_KEY must be 32 bytes in base64\n")
    assert not stale.exists()


def test_banner_shows_addresses_tokens_and_a_command(quiet):
    """Everything that one needs to begin."""
    banner = quiet.log.read_text("utf-8")
    for text in (quiet.base_url, f"{quiet.root_url}/docs", FIRST, "curl -X POST", "Not affiliated with Talkover"):
        assert text in banner
    assert banner.count("talq_") == 4


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_command_of_the_banner_is_answered(quiet):
    """Pasted into a shell, it creates the documented trunk."""
    command = quiet.log.read_text("utf-8").partition("Try:\n")[2].partition("Ctrl-C")[0]
    result = subprocess.run(["sh", "-c", command.replace("curl", "curl -s", 1)], capture_output=True, check=True)
    assert json.loads(result.stdout)["data"]["name"] == "Primary Carrier — US"


def test_smaller_limit_for_bodies_is_kept(quiet):
    """`--max-body` is in bytes, and inclusive."""
    headers = {"Content-Type": "application/json"}
    with Api(quiet.base_url) as api:
        for size, status in [(400, 422), (401, 413)]:
            content = b'{"name":"' + b"a" * (size - 11) + b'"}'
            assert refused(api.post("/sip-trunks", content=content, headers=headers))[0] == status


def test_quiet_log_has_no_access_lines(quiet):
    """Above `info`, requests are not logged."""
    with Api(quiet.base_url) as api:
        api.get("/sip-trunks")
    time.sleep(0.1)
    assert "trunkmock.access" not in quiet.log.read_text("utf-8")


ACCESS = r"\S+Z INFO trunkmock\.access (\S+) (\S+) (\d+) \d+\.\d\d ms (\S+) ([0-9a-f]{8}-\d+)"


def test_text_log_has_one_line_for_each_request_and_ctrl_c_ends_it(start_mock):
    """Method, path, status, duration, environment and the request id of the answer; then exit 0, and no ready file."""
    mock = start_mock("--log-format=text")
    with Api(mock.base_url) as api:
        answers = [api.post("/sip-trunks?x=1", json=trunk()), api.get("/nothing"), api.get("/sip-trunks")]
    mock.process.send_signal(signal.SIGINT)
    assert mock.process.wait(10) == 0
    assert not mock.ready_file.exists()
    text = mock.log.read_text("utf-8")
    lines = [line for line in text.splitlines() if "trunkmock.access" in line]
    ids = [it.headers["x-request-id"] for it in answers]
    assert [re.fullmatch(ACCESS, line).groups() for line in lines] == [
        ("POST", "/api/v1/sip-trunks", "201", "first", ids[0]),
        ("GET", "/api/v1/nothing", "404", "-", ids[1]),
        ("GET", "/api/v1/sip-trunks", "200", "first", ids[2]),
    ]
    assert text.endswith(lines[-1] + "\n")


def test_json_log_has_one_object_for_each_line_and_sigterm_ends_it(start_mock):
    """What follows the banner is JSON, and whoever is still talking, in whatever state, nobody is waited for."""
    mock = start_mock("--log-format=json", "--log-level=debug")
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(Api(mock.base_url))
        answer = api.get("/sip-trunks")
        for sent in (b"", b"GET / HT", b"POST /api/v1/sip-trunks HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"):
            stack.enter_context(socket.create_connection(("127.0.0.1", mock.port))).sendall(sent)
        mock.process.terminate()
        assert mock.process.wait(5) == 0
    text = mock.log.read_text("utf-8")
    entries = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    access = next(it for it in entries if it.get("request_id") == answer.headers["x-request-id"])
    assert 0 < access.pop("duration_ms") < 5000
    assert access.pop("time").endswith("Z")
    assert access == {
        "level": "info",
        "logger": "trunkmock.access",
        "method": "GET",
        "path": "/api/v1/sip-trunks",
        "status": 200,
        "environment": "first",
        "request_id": answer.headers["x-request-id"],
    }
    assert "Traceback" not in text


def test_signal_before_it_is_ready_ends_it_quietly():
    """Also while it is still starting."""
    command = [sys.executable, "-c", "import runpy, sys; sys.argv[1:] = ['--port=0']; print('up', flush=True);"]
    command[-1] += "runpy.run_module('mockserver', run_name='__main__')"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        time.sleep(0.3)
        process.terminate()
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) in [(0, b""), (-signal.SIGTERM, b"")]


def limits(answer):
    return tuple(int(answer.headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset"))


def burst(mock, *tokens):
    """Give four answers that one environment got within one minute: the second has its turn if a minute ended."""
    for token in tokens:
        with Api(mock.base_url, token) as api:
            answers = [api.get("/sip-trunks"), api.post("/sip-trunks", json={}), api.get("/sip-trunks/x")]
            answers.append(api.post("/sip-trunks", json=trunk()))
        if len({limits(it)[2] for it in answers}) == 1:
            return answers
    raise AssertionError("two minutes ended in no time")


def test_limit_counts_down_and_then_refuses(limited):
    """Limit, remaining and reset on every answer; then 429 with Retry-After, and no other environment is touched."""
    *answers, late = burst(limited, "talq_ci", "talq_ci2")
    assert [limits(it)[:2] for it in answers] == [(3, 2), (3, 1), (3, 0)]
    assert refused(late) == (429, "RATE_LIMITED")
    limit, remaining, reset = limits(late)
    assert (limit, remaining) == (3, 0)
    assert 0 <= reset - time.time() + 5 <= 65
    assert 1 <= int(late.headers["retry-after"]) <= 60
    with Api(limited.base_url, "talq_other") as other:
        assert limits(other.get("/sip-trunks"))[:2] == (3, 2)


def test_plan_without_the_feature_is_limited_too(limited):
    """A 403 counts."""
    assert [it.status_code for it in burst(limited, "talq_no", "talq_no2")] == [403, 403, 403, 429]


def test_request_without_a_token_counts_for_nobody(limited):
    """What names no environment uses up no limit."""
    for _ in range(5):
        assert httpx.get(f"{limited.base_url}/sip-trunks").status_code == 401


@pytest.mark.parametrize(("token", "limit"), [("talq_standard", 100), ("talq_professional", 1000)])
def test_limit_follows_the_plan(limited, token, limit):
    """100 a minute on Standard, 1,000 on Professional."""
    with Api(limited.base_url, token) as api:
        assert limits(api.get("/sip-trunks"))[0] == limit


def test_environment_without_a_limit_is_never_refused(limited):
    """0 is unlimited, and the headers are there all the same."""
    with Api(limited.base_url, "talq_free") as api:
        answers = [api.get("/sip-trunks") for _ in range(150)]
    assert {it.status_code for it in answers} == {200}
    assert len({limits(it)[:2] for it in answers}) == 1


def test_full_log_pipe_or_closed_stderr_does_not_stop_the_answers(tmp_path):
    """A mock whose output nobody reads any more goes on answering."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "mockserver", "--port=0", f"--ready-file={ready}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while not ready.exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.stdout.close()
        process.stderr.close()
        with Api(json.loads(ready.read_text())["base_url"]) as api:
            assert {api.get("/sip-trunks").status_code for _ in range(20)} == {200}
    finally:
        process.terminate()
        assert process.wait(10) == 0
