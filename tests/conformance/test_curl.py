import json
import os
import subprocess
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit import TOKENS, client, reply

from conformance import curl
from conformance.client import FIRST

SECRET = "$SIP_PASSWORD"
BODIES = {
    "json": b'{"name": "x"}',
    "empty": b"",
    "quotes": b"""{"a": "it's \\" `id` $HOME $(id) !! \\\\ %s %41"}""",
    "a-file-to-curl": b"@/etc/passwd",
    "a-line-feed-at-the-end": b'{"a": 1}\n',
    "other-alphabets": "{'a': 'Ω 中文 é 📞'}".encode(),
    "control-characters": bytes(range(32)) + b"\x7f\xc2\x85 -%d",
    "not-utf-8": b'{"name": "Caf\xe9 \xff\x00"}',
    "a-byte-order-mark": b"\xef\xbb\xbf{}",
    "nested": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a-million": b'{"name": "' + b"n" * 1_000_000 + b'", "password": "$SIP_PASSWORD"}',
    "a-long-pattern": b'{"name": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    "many-digits": b'{"port": ' + b"9" * 10_000 + b"}",
}


def dry_run(tmp_path, command, **variables):
    """Run a command with a curl that only writes down what it is given, and give its arguments and body."""
    fake = tmp_path / "curl"
    fake.write_text(
        "#!/bin/bash\n"
        f"printf '%s\\0' \"$@\" > {tmp_path}/arguments\n"
        f'case "$*" in *"@-"*) cat > {tmp_path}/body ;; esac\n'
    )
    fake.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    (tmp_path / "body").unlink(missing_ok=True)
    done = subprocess.run(
        ["bash", "-c", command], env={"PATH": path, **variables}, capture_output=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    arguments = (tmp_path / "arguments").read_bytes().split(b"\0")[:-1]
    body = None
    if b"--data-raw" in arguments:
        body = arguments[arguments.index(b"--data-raw") + 1]
    elif b"@-" in arguments:
        body = (tmp_path / "body").read_bytes()
    return arguments, body


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_command_sends_the_very_body(tmp_path, body):
    """What a shell makes of the command is the body that was sent, with the variable in place of the password."""
    command = curl.command("POST", "http://h/api", (("Content-Type", "application/json"),), body, SECRET)
    _, sent = dry_run(tmp_path, command, SIP_PASSWORD="it's $x \"")
    assert sent == body.replace(SECRET.encode(), b"it's $x \"")
    assert len(command) < 20_000


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_command_sends_any_bytes(tmp_path, body):
    """No byte is changed on its way through a shell."""
    _, sent = dry_run(tmp_path, curl.command("PUT", "http://h/api", (), body, SECRET), SIP_PASSWORD=SECRET)
    assert sent == body


def test_body_that_no_command_holds_is_said_to_be_so():
    """A large body without repetitions is not printed."""
    body = os.urandom(100_000)
    assert "a body of 100000 bytes, too many to print" in curl.command("POST", "http://h/", (), body, SECRET)


@pytest.mark.parametrize(
    ("method", "url", "flags"),
    [
        pytest.param("PUT", "http://h/a", [b"-X", b"PUT"], id="method"),
        pytest.param("HEAD", "http://h/a", [b"--head"], id="head"),
        pytest.param("GET", "http://h/a?page[number]=2", [b"--globoff"], id="brackets"),
        pytest.param("GET", "http://h/a/../b", [b"--path-as-is"], id="dots"),
        pytest.param("GET", "http://h/a;id&x='$(id)'", [b"http://h/a;id&x='$(id)'"], id="shell-characters"),
    ],
)
def test_command_has_the_flags_it_needs(tmp_path, method, url, flags):
    """Curl is told to leave alone what it would change."""
    arguments, body = dry_run(tmp_path, curl.command(method, url, (), None, SECRET))
    assert set(flags) <= set(arguments)
    assert url.encode() in arguments
    assert body is None


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        pytest.param("Bearer $TOKEN", b"A: Bearer talq_abc", id="token"),
        pytest.param("Bearer $TOKENS $HOME ${x} $(id) `id` \\ \" ' !", None, id="not-ours"),
        pytest.param("Bearer ${TOKEN%?}", b"A: Bearer talq_ab", id="cut-short"),
        pytest.param("Bearer ${TOKEN#talq_}", b"A: Bearer abc", id="without-prefix"),
        pytest.param("", b"A;", id="empty"),
        pytest.param("  ", b"A;", id="blank"),
    ],
)
def test_header_is_sent_as_it_was(tmp_path, value, sent):
    """Only what stands for a token is filled in."""
    arguments, _ = dry_run(tmp_path, curl.command("GET", "http://h/", (("A", value),), None, SECRET), TOKEN="talq_abc")
    assert arguments[arguments.index(b"-H") + 1] == (sent or f"A: {value}".encode())


@pytest.mark.parametrize("form", ["whole", "cut", "bare", "swapped", "basic", "longer"])
def test_changed_token_is_shown_as_what_a_shell_makes_of_it(tmp_path, form):
    """A token that was changed is sent again as it was, and stands in no report, not even in part."""
    import base64

    token = "talq_aBc123dEf456ghi789"
    sent = {
        "whole": f"Bearer {token}",
        "cut": f"Bearer {token[:-1]}",
        "bare": f"Bearer {token[5:]}",
        "swapped": f"Bearer talq_{token[5:].swapcase()}",
        "basic": "Basic " + base64.b64encode(f"{token}:".encode()).decode(),
        "longer": f"Bearer {token}x",
    }[form]
    kit = client(reply(), tokens={FIRST: token})
    exchange = kit.exchange(kit.send("GET", "/sip-trunks", actor="nobody", authorization=sent))
    arguments, _ = dry_run(tmp_path, exchange.curl, TOKEN=token)
    assert f"Authorization: {sent}".encode() in arguments or form == "longer"
    shown = exchange.curl + str(exchange.request_headers)
    assert not any(token[5:][start : start + 6].casefold() in shown.casefold() for start in range(len(token) - 11))


def test_credentials_of_unknown_form_are_not_shown():
    """What holds a long part of a token and is nothing known is masked."""
    kit = client(reply(), tokens={FIRST: "talq_aBc123dEf456ghi789"})
    exchange = kit.exchange(kit.send("GET", "/x", actor="nobody", authorization="Bearer x123dEf456ghi7"))
    assert ("Authorization", "Bearer ***") in exchange.request_headers


@pytest.mark.parametrize("extra", ["", '"\\é<&>中', "'$(id)`%s"])
def test_finding_runs_as_pasted_against_a_server(mock, extra):
    """The command of an exchange, with the variables set, is answered as the exchange was."""
    kit = client(reply(), tokens=TOKENS)
    kit._base_url = mock.base_url
    fields = {"name": "again", "provider_name": "x", "domain": "sip.x.example", "username": "u", "port": 5061}
    body = json.dumps({**fields, "password": kit.canaries.password(extra)}, ensure_ascii=extra == "").encode()
    exchange = kit.exchange(kit.send("POST", "/sip-trunks", body))
    assert _pasted(exchange.curl) == 201
    refused = kit.exchange(kit.send("POST", "/sip-trunks", b'{"name": "\xff\x01' + body))
    assert _pasted(refused.curl) == 400
    blank = kit.exchange(kit.send("GET", "/sip-trunks", actor="nobody", authorization=""))
    assert _pasted(blank.curl) == 401
    missing = kit.exchange(kit.send("POST", "/sip-trunks", body, content_type=None))
    assert _pasted(missing.curl) == 415


def _pasted(command):
    """Run a command as it stands, and give the status it got."""
    variables = {"TOKEN": TOKENS[FIRST], "SIP_PASSWORD": "a-password", "PATH": os.environ["PATH"], "NO_PROXY": "*"}
    done = subprocess.run(["bash", "-c", command], env=variables, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[1])


def test_number_that_is_a_password_is_another_number_in_a_command(mock):
    """The refused number stays a number, so that the command is refused for the same reason."""
    kit = client(reply(), tokens=TOKENS)
    number = kit.canaries.number()
    exchange = kit.exchange(kit.send("POST", "/sip-trunks", {"password": number}))
    assert str(number) not in exchange.curl
    assert json.loads(exchange.curl.rpartition("--data-raw ")[2].strip("'")) == {"password": 600000000000001}
    assert urlsplit(mock.base_url).hostname == "127.0.0.1"
