"""`trunkmock doctor`: what is unsafe is said in plain words, and no secret is."""

import base64
import json
import os
import subprocess
import sys
from hashlib import sha256

import pytest
from redis_server import RedisServer, free_ports

KEY = base64.b64encode(sha256(b"one").digest()).decode()
COUNTED = base64.b64encode(bytes(range(32))).decode()
TOKEN = "a-control-token-that-is-l0ng"
OWN = {"name": "own", "token": "talq_0wn", "plan": "enterprise", "allow_custom_sip_trunks": True}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that keeps what it has."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--appendonly yes", "--appendfsync everysec", "--save ''")
    yield server
    server.stop()


def ask(*options, code=None, **variables):
    """Give what is said, by what it is about, after a look that no secret is in it."""
    names = {"key": "TRUNKMOCK_KEY", "token": "TRUNKMOCK_CONTROL_TOKEN"}
    env = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKMOCK_")}
    env |= {names[name]: value for name, value in variables.items()}
    command = [sys.executable, "-m", "mockserver", "doctor", *map(str, options)]
    done = subprocess.run([*command, "--json"], env=env, capture_output=True, text=True, timeout=60, check=False)
    told = json.loads(done.stdout)
    assert told["fine"] is (done.returncode == 0)
    assert done.returncode == (code if code is not None else done.returncode)
    assert all(bool(one["advice"]) is (one["state"] == "unsafe") for one in told["found"])
    for secret in ("s3cr3t", "talq_", *variables.values()):
        assert secret not in done.stdout + done.stderr
    return {one["about"]: (one["state"], one["says"]) for one in told["found"]}


def said(found, about):
    state, says = found[about]
    return f"{state}: {says}"


def test_plain_mock_is_fine():
    """A mock on a laptop, as it comes."""
    found = ask(code=0)
    assert "public" in said(found, "environments")
    assert said(found, "store").startswith("fine: in memory")


def test_hosted_mock_that_is_right_is_fine(server, environments_file):
    """A key, a control token, a store that keeps what it has, and files for nobody else."""
    file = environments_file(OWN)
    file.chmod(0o600)
    found = ask(f"--store={server.url}", f"--environments={file}", "--workers=2", key=KEY, token=TOKEN, code=0)
    assert said(found, "kept in a crash").startswith("fine: all but the last second")
    assert said(found, "clock") == "fine: the same as the store's"
    assert said(found, "key") == "fine: one key of 32 bytes"
    assert "maxmemory 0" in said(found, "full store")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("s3cr3t", "must be 32 bytes"),
        (COUNTED, "is no random key"),
        (base64.b64encode(bytes(32)).decode(), "is no random key"),
        (f"{KEY},{COUNTED}", "is no random key"),
    ],
)
def test_bad_key_is_unsafe(key, says):
    """Too short, or made up."""
    assert says in said(ask(key=key, code=1), "key")


def test_several_keys_are_counted(server):
    """Somebody is about to rotate them."""
    other = base64.b64encode(sha256(b"other").digest()).decode()
    assert "2 keys" in said(ask(f"--store={server.url}", key=f"{KEY},{other}", code=0), "key")


def test_missing_key_of_a_shared_store_is_unsafe(server):
    """The mock would not start."""
    assert "is not set" in said(ask(f"--store={server.url}", code=1), "key")


def test_store_that_nobody_can_reach_is_unsafe():
    """Its password is not told."""
    (port,) = free_ports(1)
    found = ask(f"--store=redis://:s3cr3t@127.0.0.1:{port}/0", key=KEY, code=1)
    assert "cannot be reached" in said(found, "store")
    assert "address must be" in said(ask("--store=s3cr3t", key=KEY, code=1), "store")


def test_settings_of_the_store_are_judged(server):
    """No persistence, or a policy that throws away, is unsafe."""
    before = {name: server.call("CONFIG", "GET", name)[1] for name in ("appendonly", "maxmemory", "maxmemory-policy")}
    try:
        server.call("CONFIG", "SET", "appendonly", "no")
        server.call("CONFIG", "SET", "maxmemory", "100mb")
        server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        found = ask(f"--store={server.url}", key=KEY, code=1)
        assert said(found, "kept in a crash").startswith("unsafe: nothing")
        assert "allkeys-lru" in said(found, "full store")
        server.call("CONFIG", "SET", "save", "3600 1")
        server.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        found = ask(f"--store={server.url}", key=KEY, code=1)
        assert "last snapshot" in said(found, "kept in a crash")
        assert said(found, "full store").startswith("fine: refuses")
    finally:
        server.call("CONFIG", "SET", "save", "")
        for name, value in before.items():
            server.call("CONFIG", "SET", name, value)


@pytest.mark.parametrize(
    ("options", "about", "says"),
    [
        (["--host=0.0.0.0"], "address", "built-in tokens"),
        (["--host=0.0.0.0", "--environments=FILE"], "address", "not encrypted"),
        (["--host=no.such.host.invalid"], "address", "no such host"),
        (["--trusted-proxies=0.0.0.0/0", "--environments=FILE"], "trusted proxies", "everybody may say"),
        (["--control-token=s3cr3t"], "control token", "other users of the machine see"),
        (["--environments=/nowhere"], "environments", "cannot be used"),
        (["--tls-cert=/nowhere", "--tls-key=/nowhere"], "certificate", "cannot be used"),
        (["--max-connections=1000000"], "open files", "too few"),
    ],
    ids=["built-in", "plain", "no-host", "all-trusted", "argument", "no-file", "no-certificate", "files"],
)
def test_unsafe_configuration_is_told(environments_file, options, about, says):
    """Each with what to do."""
    file = environments_file(OWN)
    file.chmod(0o600)
    found = ask(*[it.replace("FILE", str(file)) for it in options], code=1)
    assert said(found, about).startswith("unsafe: ")
    assert says in said(found, about)


def test_file_that_others_can_read_is_unsafe(environments_file):
    """It has tokens in it. A token of the documentation is told as well, without the token."""
    file = environments_file(OWN, OWN | {"name": "public", "token": "talq_your_environment_token_here"})
    file.chmod(0o644)
    found = ask(f"--environments={file}", code=1)
    assert "by others" in said(found, "files")
    assert "public has a token of the documentation" in said(found, "environments")


def test_short_control_token_is_unsafe():
    """It could be guessed."""
    assert "guessed" in said(ask(token="sh0rt", code=1), "control token")


def test_wrong_usage_is_exit_2():
    """One line, as of the mock itself."""
    command = [sys.executable, "-m", "mockserver", "doctor", "--colour"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_text_says_what_is_unsafe_and_what_to_do():
    """For people: one line for each, advice below it, a sum at the end."""
    command = [sys.executable, "-m", "mockserver", "doctor", "--host=0.0.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "unsafe  address: others can reach it" in done.stdout
    assert "        Name your own with --environments FILE" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("1 of ")
