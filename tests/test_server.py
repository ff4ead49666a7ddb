import json
import re
import socket

import httpx
import pytest

from mockserver.environments import BUILT_IN

FIRST, SECOND, WITHOUT_FEATURE = BUILT_IN
TRUNK = {
    "name": "Primary Carrier — US",
    "provider_name": "carrier-x",
    "domain": "sip.carrier-x.com",
    "username": "user_42",
    "password": "secret-password",
    "port": 5061,
    "transport": "tls",
}
HEAD = (
    b"Host: x\r\nConnection: close\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\n" % FIRST.encode()
)


def client(mock, token=FIRST):
    return httpx.Client(base_url=mock.base_url, headers={"Authorization": f"Bearer {token}"})


def call(mock, method, path, token=FIRST, **options):
    with client(mock, token) as http:
        return http.request(method, path, **options)


def talk(mock, sent):
    """Send bytes, give all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", mock.port), timeout=5) as connection:
        connection.sendall(sent)
        came = b""
        while piece := connection.recv(65536):
            came += piece
    return came


def test_documented_request_gets_the_documented_answer(mock):
    """The request of the documentation page gets a 201 with its nine fields."""
    answer = call(mock, "POST", "/sip-trunks", json=TRUNK)
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert data.keys() == {*TRUNK, "id", "is_active", "is_verified", "created_at"} - {"username", "password"}
    assert data["name"] == TRUNK["name"]


def test_lifecycle(mock):
    """A trunk is created, verified, activated, changed and deleted."""
    with client(mock) as http:
        path = http.post("/sip-trunks", json=TRUNK).headers["location"].removeprefix("/api/v1")
        assert http.put(path, json={"is_active": True}).json()["code"] == "TRUNK_NOT_VERIFIED"
        assert http.post(f"{path}/verify").json()["data"]["is_verified"] is True
        assert http.put(path, json={"is_active": True}).json()["data"]["is_active"] is True
        moved = http.put(path, json={"domain": "auth-fail.carrier.example"}).json()["data"]
        assert (moved["is_active"], moved["is_verified"], moved["port"]) == (False, False, 5061)
        assert http.post(f"{path}/verify").json()["data"]["error"] == "Authentication failed (401)"
        did = http.post(f"{path}/dids", json={"country_code": "US", "number": "+12025550123"}).json()["data"]
        assert did["formatted_number"] == "+1 202-555-0123"
        assert http.delete(path).json()["code"] == "TRUNK_HAS_DIDS"
        assert http.delete(f"{path}/dids/{did['id']}").json()["success"] is True
        assert "data" not in http.delete(path).json()
        assert http.get(path).status_code == 404


def test_environments_do_not_see_each_other(mock):
    """Another environment's trunk is not there."""
    path = call(mock, "POST", "/sip-trunks", json=TRUNK).headers["location"].removeprefix("/api/v1")
    with client(mock, SECOND) as other:
        for method, target in [("GET", path), ("PUT", path), ("DELETE", path), ("POST", f"{path}/verify")]:
            answer = other.request(method, target, json={"name": "x"})
            assert (answer.status_code, answer.json()["code"]) == (404, "TRUNK_NOT_FOUND")


def test_all_broken_fields_are_named_and_no_value(mock):
    """A refusal names every broken field with its rule, and nothing that was sent."""
    broken = {"name": 13371337, "domain": "13371337 x", "port": "13371337", "password": [13371337], "transport": "TLS"}
    answer = call(mock, "POST", "/sip-trunks", json=broken)
    assert answer.status_code == 422
    assert answer.json()["errors"].keys() == {*broken, "provider_name", "username"}
    assert answer.json()["errors"]["port"] == ["port must be an integer from 1 to 65535"]
    assert "13371337" not in answer.text


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01", 400, "BAD_REQUEST", id="tls"),
        pytest.param(b"GET /docs HTTP/1.1\r\nX: " + b"a" * 100_000, 431, "HEADERS_TOO_LARGE", id="header-of-100-kB"),
        pytest.param(b"FOO /api/v1/sip-trunks HTTP/1.1\r\n\r\n", 405, "METHOD_NOT_ALLOWED", id="unknown-method"),
        pytest.param(b"GET /api/v1/sip-trunks/ HTTP/1.1\r\n" + HEAD + b"\r\n", 404, "NOT_FOUND", id="trailing-slash"),
        pytest.param(
            b"POST /api/v1/sip-trunks HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            "BAD_REQUEST",
            id="bad-chunk",
        ),
        pytest.param(
            b"POST /api/v1/sip-trunks HTTP/1.1\r\n" + HEAD + b"Content-Length: 900000\r\n\r\n" + b"a" * 900_000,
            413,
            "PAYLOAD_TOO_LARGE",
            id="large-body",
        ),
        pytest.param(
            b"POST /api/v1/sip-trunks HTTP/1.1\r\n" + HEAD + b'Content-Length: 10\r\n\r\n{"a":NaN }',
            400,
            "INVALID_JSON",
            id="nan",
        ),
    ],
)
def test_hostile_request_is_refused_in_the_envelope(mock, sent, status, code):
    """Whatever is wrong, the answer is the error envelope with the headers that every answer has."""
    head, _, body = talk(mock, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert (json.loads(body)["success"], json.loads(body)["code"]) == (False, code)
    assert b"x-ratelimit-limit: " in head
    assert b"x-request-id: " in head


def test_offer_to_upgrade_keeps_the_body(mock):
    """A client that offers h2c with its POST, as Java's does, is answered in HTTP/1.1."""
    body = json.dumps(TRUNK).encode()
    offer = HEAD.replace(b"close", b"Upgrade, HTTP2-Settings, close") + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    request = b"POST /api/v1/sip-trunks HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (offer, len(body), body)
    assert talk(mock, request).startswith(b"HTTP/1.1 201 ")


def test_pages_are_from_this_machine(mock):
    """The contract and Swagger UI are served, and the page loads nothing from elsewhere."""
    assert httpx.get(f"{mock.root_url}/openapi.json").json()["openapi"] == "3.0.3"
    assert "openapi: 3.0.3" in httpx.get(f"{mock.root_url}/openapi.yaml").text
    page = httpx.get(f"{mock.root_url}/docs").text
    assert "//" not in page
    for asset in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert httpx.get(f"{mock.root_url}/{asset}").status_code == 200


def test_plan_without_the_feature_is_refused(mock):
    """The third built-in environment may not use trunks."""
    answer = call(mock, "GET", "/sip-trunks", WITHOUT_FEATURE)
    assert (answer.status_code, answer.json()["code"]) == (403, "FEATURE_NOT_AVAILABLE")
