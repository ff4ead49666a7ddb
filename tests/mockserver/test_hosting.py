"""A mock that others reach: TLS, proxies, pages of other origins, bounds on connections, and who did what."""

import datetime
import ipaddress
import json
import socket
import ssl
import subprocess
import sys
import time

import httpx
import pytest
from clients import FIRST, Api, exchange, raw, refused
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

OWN = {"name": "own", "token": "talq_own", "plan": "enterprise", "allow_custom_sip_trunks": True}
PREFLIGHT = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}


def write_key(path, encryption):
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, encryption))
    return key


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory):
    """A certificate for 127.0.0.1 and its key; another key; and one under a password."""
    folder = tmp_path_factory.mktemp("tls")
    key = write_key(folder / "key.pem", serialization.NoEncryption())
    write_key(folder / "other.pem", serialization.NoEncryption())
    write_key(folder / "locked.pem", serialization.BestAvailableEncryption(b"s3cr3t"))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "trunkmock")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "junk.pem").write_text("junk")
    return folder


def run(*options, **more):
    command = [sys.executable, "-m", "mockserver", "--port=0", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **more)


def test_api_is_served_over_tls(start_mock, tls_files):
    """With a certificate, the ready file and the banner say https, and TLS is at least 1.2."""
    mock = start_mock(f"--tls-cert={tls_files / 'cert.pem'}", f"--tls-key={tls_files / 'key.pem'}")
    assert mock.base_url.startswith("https://127.0.0.1:")
    assert f"API   {mock.base_url}\n" in mock.log.read_text("utf-8")
    trusting = ssl.create_default_context(cafile=tls_files / "cert.pem")
    headers = {"Authorization": f"Bearer {FIRST}"}
    with httpx.Client(verify=trusting, base_url=mock.base_url, headers=headers) as api:
        assert api.get("/sip-trunks").status_code == 200
        assert api.post("/sip-trunks", content=b"x" * 70_000).status_code in (413, 415)
        assert httpx.get(f"{mock.root_url}/_mock/health", verify=trusting).status_code == 200
    context = ssl.create_default_context(cafile=tls_files / "cert.pem")
    with (
        socket.create_connection(("127.0.0.1", mock.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        secure.sendall(b"junk\r\n\r\n")
        assert secure.recv(100).startswith(b"HTTP/1.1 400 ")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", mock.port), timeout=5) as plain, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(plain)
    assert "Traceback" not in mock.log.read_text("utf-8")


@pytest.mark.parametrize(
    ("certificate", "key", "says"),
    [
        pytest.param("cert.pem", None, "both or neither", id="no-key"),
        pytest.param("gone.pem", "key.pem", "cannot read", id="no-file"),
        pytest.param("cert.pem", ".", "cannot read", id="directory"),
        pytest.param("junk.pem", "key.pem", "must be a certificate and its private key", id="junk"),
        pytest.param("cert.pem", "other.pem", "is not the key of", id="other-key"),
        pytest.param("cert.pem", "locked.pem", "without a password", id="password"),
    ],
)
def test_bad_certificate_is_one_line_and_exit_2(tls_files, certificate, key, says):
    """The line names the file, and nobody is asked for a password."""
    options = [f"--tls-cert={tls_files / certificate}", *([f"--tls-key={tls_files / key}"] if key else [])]
    result = run(*options, stdin=subprocess.DEVNULL)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert says in line


@pytest.fixture(scope="module")
def proxied(mock_class, tmp_path_factory):
    """A mock that believes 127.0.0.1 and 192.0.2.0/24."""
    folder = tmp_path_factory.mktemp("proxied")
    file = folder / "environments.toml"
    file.write_text("\n".join(["[[environments]]", *(f"{name} = {json.dumps(it)}" for name, it in OWN.items())]))
    options = ["--trusted-proxies=127.0.0.1, 192.0.2.0/24", "--log-format=json", "--control-token=s3cr3t"]
    mock = mock_class(folder, f"--environments={file}", *options)
    yield mock
    assert mock.stop() == 0


def entry(mock, request_id):
    """Give the access log's entry of a request."""
    deadline = time.monotonic() + 5
    while True:
        for line in mock.log.read_text("utf-8").splitlines():
            if request_id in line and "trunkmock.access" in line:
                return json.loads(line)
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        pytest.param(["198.51.100.7"], "198.51.100.7", id="one"),
        pytest.param(["203.0.113.9, 198.51.100.7"], "198.51.100.7", id="what-the-client-made-up"),
        pytest.param(["203.0.113.9", "198.51.100.7"], "198.51.100.7", id="two-fields"),
        pytest.param(["198.51.100.7, 192.0.2.1,192.0.2.2"], "198.51.100.7", id="several-proxies"),
        pytest.param(["2001:db8::1"], "2001:db8::1", id="ipv6"),
        pytest.param(["198.51.100.7, <script>"], "127.0.0.1", id="no-address"),
        pytest.param(["198.51.100.7, junk, 192.0.2.1"], "192.0.2.1", id="no-address-further-left"),
        pytest.param([""], "127.0.0.1", id="empty"),
        pytest.param([], "127.0.0.1", id="none"),
    ],
)
def test_client_is_who_the_trusted_proxies_say(proxied, forwarded, client):
    """The first address from the right that is no proxy's; what stands left of it may be invented."""
    headers = [("X-Forwarded-For", it) for it in forwarded]
    answer = httpx.get(f"{proxied.base_url}/sip-trunks", headers=headers)
    assert entry(proxied, answer.headers["x-request-id"])["client"] == client


def test_request_id_of_a_proxy_is_kept(proxied):
    """It is on the answer and in the log; one that is no plain word is not taken."""
    answer = httpx.get(f"{proxied.base_url}/sip-trunks", headers={"X-Request-Id": "f00-Ba7"})
    assert answer.headers["x-request-id"] == "f00-Ba7"
    assert entry(proxied, "f00-Ba7")["status"] == 401
    for odd in ("a b", "x" * 65, 'a"b', "talq_{}"):
        answer = httpx.get(f"{proxied.base_url}/sip-trunks", headers={"X-Request-Id": odd})
        assert answer.headers["x-request-id"] != odd


def test_nobody_is_believed_who_is_not_trusted(start_mock, environments_file):
    """Without the option, these fields are like any other."""
    mock = start_mock("--log-format=json", f"--environments={environments_file(OWN)}")
    answer = httpx.get(
        f"{mock.base_url}/sip-trunks", headers={"X-Forwarded-For": "198.51.100.7", "X-Request-Id": "mine"}
    )
    assert answer.headers["x-request-id"] != "mine"
    assert "client" not in entry(mock, answer.headers["x-request-id"])


def test_mock_behind_a_proxy_is_not_on_loopback(proxied, start_mock, environments_file):
    """What comes through a proxy may come from anywhere: no public tokens, and no controls without a token."""
    result = run("--trusted-proxies=127.0.0.1")
    assert (result.returncode, "everybody knows the built-in tokens" in result.stderr) == (2, True)
    mock = start_mock("--trusted-proxies=127.0.0.1", f"--environments={environments_file(OWN)}")
    assert httpx.get(f"{mock.root_url}/_mock/health").status_code == 404
    assert httpx.get(f"{proxied.root_url}/_mock/health").status_code == 401


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--trusted-proxies=proxy.example", "must be addresses or networks"),
        ("--trusted-proxies=10.0.0.1/8", "must be addresses or networks"),
        ("--cors-origin=*", "must be an origin"),
        ("--cors-origin=https://app.example/", "must be an origin"),
        ("--cors-origin=null", "must be an origin"),
        ("--workers=0", "must be a whole number from 1"),
        ("--workers=2", "--store redis://"),
        ("--idle-timeout=0", "must be a whole number from 1"),
    ],
)
def test_bad_option_is_one_line_and_exit_2(option, says):
    """A list of anything is not taken for a list of nothing."""
    result = run(option)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert says in line


@pytest.fixture(scope="module")
def crossed(mock_class, tmp_path_factory):
    """A mock that lets pages of two origins use it."""
    mock = mock_class(
        tmp_path_factory.mktemp("crossed"), "--cors-origin=https://app.example", "--cors-origin=http://localhost:3000"
    )
    yield mock
    assert mock.stop() == 0


def test_preflight_of_a_known_origin_is_answered(crossed):
    """The browser learns what it may send, without a token."""
    answer = httpx.options(f"{crossed.base_url}/sip-trunks", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["vary"] == "Origin"


def test_answers_are_shown_to_pages_of_known_origins_alone(crossed):
    """Success or refusal; the answer says that it depends on the origin either way."""
    with Api(crossed.base_url) as api:
        for path, status in (("/sip-trunks", 200), ("/nothing", 404)):
            known = api.get(path, headers={"Origin": "http://localhost:3000"})
            assert known.status_code == status
            assert known.headers["access-control-allow-origin"] == "http://localhost:3000"
            assert "X-Request-Id" in known.headers["access-control-expose-headers"]
            for origin in ("https://app.example.evil", "https://APP.example", "null", "http://localhost"):
                other = api.get(path, headers={"Origin": origin})
                assert "access-control-allow-origin" not in other.headers
                assert other.headers["vary"] == "Origin"


def test_preflight_of_another_origin_is_refused(crossed, mock):
    """As is every one where no origin was named, and there is then no such field at all."""
    for server, headers in ((crossed, PREFLIGHT | {"Origin": "https://evil.example"}), (mock, PREFLIGHT)):
        answer = httpx.options(f"{server.base_url}/sip-trunks", headers=headers)
        assert refused(answer) == (405, "METHOD_NOT_ALLOWED")
        assert not [name for name in answer.headers if name.startswith("access-control")]
    with Api(mock.base_url) as api:
        assert "vary" not in api.get("/sip-trunks", headers={"Origin": "https://app.example"}).headers


def test_controls_are_for_no_other_origin(crossed):
    """A page that may use the API may not steer the mock."""
    answer = httpx.get(f"{crossed.root_url}/_mock/health", headers={"Origin": "https://app.example"})
    assert refused(answer) == (403, "FROM_ANOTHER_SITE")
    assert "access-control-allow-origin" not in answer.headers


def test_connection_beyond_the_most_is_told_so(start_mock):
    """503 in the envelope, with Retry-After, and the connection ends; when one goes, there is room again."""
    mock = start_mock("--max-connections=2")
    with Api(mock.base_url) as one, Api(mock.base_url) as two:
        assert {api.get("/sip-trunks").status_code for api in (one, two)} == {200}
        came = exchange(mock.port)
        head, _, body = came.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"\r\nretry-after: 1\r\n" in head
        assert b"\r\nconnection: close" in head
        assert json.loads(body)["code"] == "SERVICE_UNAVAILABLE"
        assert one.get("/sip-trunks").status_code == 200
    deadline = time.monotonic() + 5
    while not exchange(mock.port, raw(b"GET")).startswith(b"HTTP/1.1 200 "):
        assert time.monotonic() < deadline


def test_size_of_a_head_is_an_option(start_mock):
    """More than that is 431."""
    mock = start_mock("--max-head=2000")
    with Api(mock.base_url) as api:
        assert api.get("/sip-trunks", headers={"X": "a" * 1500}).status_code == 200
        assert refused(api.get("/sip-trunks", headers={"X": "a" * 2500})) == (431, "HEADERS_TOO_LARGE")


def audited(mock):
    """Give the entries of the audit log."""
    lines = [json.loads(line) for line in mock.log.read_text("utf-8").splitlines() if line.startswith("{")]
    kept = ("by", "address", "operation", "environment", "status")
    return [tuple(it[name] for name in kept) for it in lines if it["logger"] == "trunkmock.audit"]


def test_control_actions_are_in_the_audit_log(start_mock):
    """Who, from where, what, on which environment, and what came of it; whoever only looks is not, unless refused."""
    mock = start_mock("--log-format=json", "--control-token=s3cr3t-token")
    good, bad = {"Authorization": "Bearer s3cr3t-token"}, {"Authorization": "Bearer talq_wr0ng"}
    with httpx.Client(base_url=f"{mock.root_url}/_mock", headers=good) as controls:
        made = controls.post("/environments", json={"name": "mine"})
        controls.get("/environments")
        controls.post("/environments", json={"plan": "none"})
        controls.patch("/environments/mine", json={"is_suspended": True})
        controls.post("/environments/a%0Ab/token")
        controls.get("/journal", headers=bad)
        controls.delete("/environments/mine", headers=bad)
        last = controls.delete("/environments/mine")
    assert entry(mock, last.headers["x-request-id"])
    assert audited(mock) == [
        ("token", "127.0.0.1", "create_environment", "mine", 201),
        ("token", "127.0.0.1", "create_environment", "-", 422),
        ("token", "127.0.0.1", "change_environment", "mine", 200),
        ("token", "127.0.0.1", "rotate_token", "?", 404),
        ("nobody", "127.0.0.1", "-", "-", 401),
        ("nobody", "127.0.0.1", "-", "-", 401),
        ("token", "127.0.0.1", "delete_environment", "mine", 200),
    ]
    log = mock.log.read_text("utf-8")
    for secret in ("s3cr3t-token", "talq_wr0ng", made.json()["data"]["token"]):
        assert secret not in log
    assert made.headers["x-request-id"] in [
        json.loads(line)["request_id"] for line in log.splitlines() if "trunkmock.audit" in line
    ]


def test_audit_log_without_a_token_says_loopback(start_mock):
    """And its text form is one line."""
    mock = start_mock()
    request_id = httpx.delete(f"{mock.root_url}/_mock/clock").headers["x-request-id"]
    assert f"INFO trunkmock.audit loopback 127.0.0.1 reset_clock - 200 {request_id}\n" in mock.log.read_text("utf-8")
