"""`mockserver.app`: what cannot be brought about from outside."""

import asyncio
import json
import logging

import pytest
from clients import FIRST, LIMIT_HEADERS, trunk

import openapi
from mockserver.app import Settings, create_app, stamp
from mockserver.environments import built_in
from mockserver.redaction import TextFormatter


def ask(app, method, path, body=None, token=FIRST, messages=None):
    """Give status, headers and JSON of an answer by the app itself, without a server."""
    raw = b"" if body is None else json.dumps(body).encode()
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (b"host", b"x"),
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(raw)),
        ],
    }
    waiting = messages or [{"type": "http.request", "body": raw, "more_body": False}]
    sent = []

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    if not sent:
        return None
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, json.loads(sent[1]["body"])


def broken_carrier(domain, _checks):
    raise ValueError(f"cannot reach {domain} with secret-password")


def test_broken_mock_says_so_in_the_envelope_and_where_in_the_log(caplog):
    """500 in the same envelope, with the same headers; the log has the place, and not the error's message."""
    app = create_app(Settings(built_in(), carrier=broken_carrier))
    _, headers, _ = ask(app, "POST", "/api/v1/sip-trunks", trunk())
    with caplog.at_level(logging.DEBUG):
        status, fields, envelope = ask(app, "POST", headers["location"] + "/verify")
    assert (status, envelope["success"], envelope["code"]) == (500, False, "INTERNAL_ERROR")
    assert fields.keys() >= LIMIT_HEADERS | {"x-request-id"}
    lines = "\n".join(TextFormatter().format(record) for record in caplog.records if record.name == "trunkmock")
    assert "in broken_carrier" in lines
    assert "secret-password" not in lines + json.dumps(envelope)


def test_mock_goes_on_after_it_failed():
    """The next request is fine, and the trunk is as it was."""
    app = create_app(Settings(built_in(), carrier=broken_carrier))
    _, headers, _ = ask(app, "POST", "/api/v1/sip-trunks", trunk())
    ask(app, "POST", headers["location"] + "/verify")
    status, _, envelope = ask(app, "GET", headers["location"])
    assert (status, envelope["data"]["health_status"]) == (200, None)


def test_client_that_leaves_is_not_answered():
    """A request that breaks off gets nothing and changes nothing."""
    app = create_app(Settings(built_in()))
    gone = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    assert ask(app, "POST", "/api/v1/sip-trunks", trunk(), messages=gone) is None
    assert ask(app, "GET", "/api/v1/sip-trunks")[2]["data"] == []


def test_contract_is_taken_as_it_is_and_not_as_a_template():
    """Connexion renders a file that it loads; braces in a description are text, and what is not in it is not there."""
    contract = openapi.load()
    contract["info"]["description"] = "{{ 1 / 0 }} {% nonsense"
    contract["paths"] = {"/sip-trunks": contract["paths"]["/sip-trunks"]}
    app = create_app(Settings(built_in()), contract)
    assert ask(app, "GET", "/api/v1/sip-trunks")[0] == 200
    assert ask(app, "GET", "/api/v1/sip-trunks/x")[2]["code"] == "NOT_FOUND"


def test_web_socket_is_not_spoken():
    """Nothing is received and nothing sent."""

    async def never(*_):
        raise AssertionError

    asyncio.run(create_app(Settings(built_in()))({"type": "websocket", "path": "/", "headers": []}, never, never))


def test_each_app_has_trunks_and_ids_of_its_own():
    """Two apps share nothing, and their request ids differ."""
    one, two = (create_app(Settings(built_in())) for _ in range(2))
    _, headers, _ = ask(one, "POST", "/api/v1/sip-trunks", trunk())
    status, others, _ = ask(two, "GET", headers["location"])
    assert status == 404
    assert headers["x-request-id"] != others["x-request-id"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00Z"), (1705327200.999, "2024-01-15T14:00:00Z"), (4102444800, "2100-01-01T00:00:00Z")],
)
def test_times_are_rfc_3339_in_whole_seconds(seconds, text):
    """UTC, cut and not rounded."""
    assert stamp(lambda: seconds) == text


def test_limits_follow_the_clock_that_the_app_was_given():
    """The clock is a part like any other."""
    app = create_app(Settings(built_in(), clock=lambda: 30.0))
    _, headers, envelope = ask(app, "POST", "/api/v1/sip-trunks", trunk())
    assert headers["x-ratelimit-reset"] == "60"
    assert envelope["data"]["created_at"] == "1970-01-01T00:00:30Z"
