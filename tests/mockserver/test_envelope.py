"""What every answer has in common, over HTTP: envelope, headers, media types of requests, bodies that are no JSON."""

import json
import re

import httpx
import pytest
from clients import GONE, LIMIT_HEADERS, refused, trunk

JSON = {"Content-Type": "application/json"}


def statuses(api):
    """Give an answer of each status that a client can bring about."""
    path = api.create()
    api.number(path, "+12025550100")
    yield api.get(path)
    yield api.post("/sip-trunks", json=trunk())
    yield api.post("/sip-trunks", content=b"{", headers=JSON)
    yield httpx.get(f"{api.base_url}sip-trunks")
    yield api.get(f"/sip-trunks/{GONE}")
    yield api.get("/nothing")
    yield api.patch(path)
    yield api.delete(path)
    yield api.post("/sip-trunks", content=b"a" * 70_000, headers=JSON)
    yield api.post("/sip-trunks", content=b"{}")
    yield api.post("/sip-trunks", json={})
    yield httpx.get(str(api.base_url).replace("/api/v1/", "/docs"))


def test_every_answer_has_limits_and_an_id_of_its_own(first):
    """Rate limit headers and a request id are on every response, whatever its status."""
    answers = list(statuses(first))
    assert {it.status_code for it in answers} == {200, 201, 400, 401, 404, 405, 409, 413, 415, 422}
    for answer in answers:
        assert answer.headers.keys() >= LIMIT_HEADERS | {"x-request-id", "date", "content-length"}
        assert all(answer.headers[name].isdigit() for name in LIMIT_HEADERS)
    assert len({it.headers["x-request-id"] for it in answers}) == len(answers)


def test_every_refusal_is_the_flat_envelope(first):
    """A refusal is a 4xx in JSON with success, message and code, and nothing tells what software answers."""
    for answer in statuses(first):
        assert "server" not in answer.headers
        if answer.status_code >= 400:
            assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", refused(answer)[1])
            assert answer.headers["content-type"] == "application/json"


def test_answer_that_ends_the_connection_says_so(first):
    """After a body that nobody read, the connection is closed and the client told."""
    answer = first.post("/sip-trunks", content=b"a" * 70_000, headers=JSON)
    assert answer.headers["connection"] == "close"
    assert "connection" not in first.get("/sip-trunks").headers


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; profile=x",
    ],
)
def test_json_in_utf_8_is_accepted_as_it_may_be_declared(first, content_type):
    """Case, charset and parameters do not matter, and the body is checked all the same."""
    headers = {"Content-Type": content_type}
    assert first.post("/sip-trunks", content=json.dumps(trunk()), headers=headers).status_code == 201
    assert refused(first.post("/sip-trunks", content=b'{"port": 0}', headers=headers)) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param(None, id="missing"),
        pytest.param("", id="empty"),
        pytest.param("text/plain", id="text"),
        pytest.param("application/x-www-form-urlencoded", id="form"),
        pytest.param("multipart/form-data; boundary=x", id="multipart"),
        pytest.param("application/jsonx", id="longer-name"),
        pytest.param("application/vnd.api+json", id="other-json"),
        pytest.param("text/json", id="old-json"),
        pytest.param("application/json; charset=iso-8859-1", id="other-charset"),
        pytest.param("application/json; charset=klingon", id="unknown-charset"),
        pytest.param("application/json, text/plain", id="list"),
        pytest.param("*/*", id="range"),
        pytest.param(";;;===", id="junk"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("PUT", f"/{GONE}"), ("POST", f"/{GONE}/dids")])
def test_body_that_is_not_declared_as_json_is_refused(first, method, path, content_type):
    """All three operations with a body want `application/json`."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = first.request(method, f"/sip-trunks{path}", content=json.dumps(trunk()).encode(), headers=headers)
    assert refused(answer) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(("method", "end"), [("POST", "/verify"), ("GET", ""), ("GET", "/dids"), ("GET", "/health")])
def test_operation_without_a_body_ignores_one(first, method, end):
    """What has no body does not look at one."""
    path = first.create()
    answer = first.request(method, path + end, content=b"{", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
    ],
    ids=repr,
)
@pytest.mark.parametrize(("method", "end"), [("POST", ""), ("PUT", "/{id}"), ("POST", "/{id}/dids")])
def test_body_that_is_no_json_is_refused(first, method, end, content):
    """The parser's complaint is a fixed sentence."""
    path = first.create()
    target = "/sip-trunks" + end.format(id=path.rpartition("/")[2])
    answer = first.request(method, target, content=content, headers=JSON)
    assert refused(answer) == (400, "INVALID_JSON")
    assert answer.json()["message"] == "The request body is not valid JSON in UTF-8."


@pytest.mark.parametrize("value", [None, True, 1, "text", [], [{}]], ids=repr)
@pytest.mark.parametrize(("method", "end"), [("POST", ""), ("PUT", "/{id}"), ("POST", "/{id}/dids")])
def test_body_that_is_no_object_is_refused(first, method, end, value):
    """JSON of another type is read, and refused."""
    target = "/sip-trunks" + end.format(id=first.create().rpartition("/")[2])
    answer = (
        first.request(method, target, json=value)
        if value is not None
        else first.request(method, target, content=b"null", headers=JSON)
    )
    assert refused(answer) == (422, "VALIDATION_ERROR")


def test_body_may_be_as_large_as_the_limit(first):
    """65536 bytes are taken, one more is not."""
    room = 65536 - len(json.dumps(trunk(x="")))
    assert first.post("/sip-trunks", content=json.dumps(trunk(x="a" * room)), headers=JSON).status_code == 201
    answer = first.post("/sip-trunks", content=json.dumps(trunk(x="a" * (room + 1))), headers=JSON)
    assert refused(answer) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/sip-trunks", {"GET", "HEAD", "POST"}),
        (f"/sip-trunks/{GONE}", {"GET", "HEAD", "PUT", "DELETE"}),
        (f"/sip-trunks/{GONE}/verify", {"POST"}),
        (f"/sip-trunks/{GONE}/health", {"GET", "HEAD"}),
        (f"/sip-trunks/{GONE}/dids", {"GET", "HEAD", "POST"}),
        (f"/sip-trunks/{GONE}/dids/{GONE}", {"DELETE"}),
    ],
)
def test_unknown_method_is_told_what_is_allowed(first, path, allow):
    """405 with `Allow`; OPTIONS is such a method too."""
    for method in ("PATCH", "OPTIONS", "TRACE", "FOO"):
        answer = first.request(method, path)
        assert refused(answer) == (405, "METHOD_NOT_ALLOWED")
        assert set(answer.headers["allow"].split(", ")) == allow


def test_head_is_get_without_the_body(first):
    """HEAD has the headers of GET."""
    path = first.create()
    for target in ("/sip-trunks", path, f"{path}/dids"):
        head, get = first.head(target), first.get(target)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize(
    "path", ["/", "/sip-trunks/", "/sip-trunks//", "/Sip-Trunks", f"/sip-trunks/{GONE}/x", "/sip-trunks/a/b/c"]
)
def test_unknown_path_is_not_found_and_never_redirected(first, path):
    """No redirect carries a body away."""
    for method in ("GET", "POST"):
        assert refused(first.request(method, path, json=trunk())) == (404, "NOT_FOUND")
