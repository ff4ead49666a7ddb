import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest


def run(*options, **env):
    command = [sys.executable, "-m", "mockserver", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, env={**os.environ, **env}, check=False)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--port=70000"], "must be a whole number from 0 to 65535", id="port"),
        pytest.param(["--log-level=loud"], "invalid choice", id="log-level"),
        pytest.param(["--max-body=x"], "must be a whole number", id="max-body"),
        pytest.param(["--environments=/nowhere.toml"], "cannot read /nowhere.toml: no such file", id="no-file"),
        pytest.param(["--ready-file=/nowhere/ready"], "cannot write /nowhere/ready: no such file", id="ready-file"),
        pytest.param(["--host=0.0.0.0"], "--environments FILE", id="built-in-tokens-in-the-open"),
        pytest.param(["--host=no.such.host.invalid"], "no such host", id="host"),
    ],
)
def test_bad_option_is_one_line_and_exit_2(options, says):
    """What cannot be done is said in one line."""
    result = run("--port=0", *options)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert says in result.stderr


def test_taken_port_is_one_line_and_exit_2():
    """A port that somebody has is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(f"--port={taken.getsockname()[1]}")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "address already in use" in result.stderr


def test_bad_key_is_one_line_and_exit_2():
    """A key that is none is refused, and not repeated."""
    result = run("--port=0", TRUNKMOCK_KEY="s3cr3t")
    assert (result.returncode, result.stderr) == (2, "trunkmock: TRUNKMOCK_KEY must be 32 bytes in base64\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_at_once_with_exit_0(start_mock, number):
    """Ctrl-C and SIGTERM end the mock, also while somebody is half way through a request."""
    mock = start_mock()
    with socket.create_connection(("127.0.0.1", mock.port)) as connection:
        connection.sendall(b"POST /api/v1/sip-trunks HTTP/1.1\r\nContent-Le")
        mock.process.send_signal(number)
        assert mock.process.wait(2) == 0
    assert not mock.ready_file.exists()


def test_own_environments_replace_the_built_in_ones(start_mock, tmp_path):
    """A TOML file names the environments, and their limits are kept."""
    file = tmp_path / "environments.toml"
    file.write_text(
        '[[environments]]\nname = "ci"\ntoken = "talq_ci"\nplan = "standard"\n'
        "allow_custom_sip_trunks = true\nrequests_per_minute = 1\n"
    )
    mock = start_mock(f"--environments={file}")
    assert mock.ready["environments"] == ["ci"]
    assert "talq_" not in mock.log.read_text()
    url, headers = f"{mock.base_url}/sip-trunks", {"Authorization": "Bearer talq_ci"}
    answers = [httpx.get(url, headers=headers) for _ in range(3)]
    refused = answers[-1]
    assert (refused.status_code, refused.json()["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining"] == "0"
