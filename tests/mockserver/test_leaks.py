"""No password and no token comes back or gets into a log, in any form, whatever a client does wrong."""

import base64
import copy
import itertools
import json
import pickle
import traceback
from urllib.parse import quote

import httpx
import pytest
from clients import GONE, exchange, raw, trunk
from hypothesis import given, settings
from hypothesis import strategies as st
from secret_forms import forms, leaks

import openapi
from mockserver import trunks
from mockserver.bodies import JsonBody
from mockserver.errors import Refusal
from mockserver.redaction import Seal

TOKENS = {"one": "talq_Zq9xWv7tRs5", "two": "talq_Yk8wUu6sQp4"}
WITHOUT = "talq_Xj7vTt5rPn3"
UNKNOWN = "talq_Wh6uSs4qNm2"
_numbers = itertools.count(1)


def fresh():
    """Give a password that nobody else has, with all that an encoder may trip over."""
    number = next(_numbers)
    return f"Qz{number:03d}kV!\"'<&>\\ %2B/é€😀 +x{number:03d}Jw#W"


class Recorder:
    """Sends requests and keeps every byte that comes back, and every password that went out."""

    def __init__(self, mock):
        self.mock = mock
        self.came = []
        self.passwords = []
        self.http = httpx.Client(base_url=mock.base_url)

    def password(self):
        self.passwords.append(fresh())
        return self.passwords[-1]

    def send(self, method, path, token=TOKENS["one"], **options):
        headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
        answer = self.http.request(method, path, headers=headers, **options)
        self.keep(answer)
        return answer

    def keep(self, answer):
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.multi_items())
        self.came.append(head.encode() + answer.content + answer.reason_phrase.encode())

    def talk(self, sent, **options):
        self.came.append(
            exchange(
                self.mock.port, sent.replace(b"talq_your_environment_token_here", TOKENS["one"].encode()), **options
            )
        )


def life(it):
    """A trunk's ordinary life, with a new password here and there."""
    created = it.send("POST", "/sip-trunks", json=trunk(password=it.password()))
    path = f"/sip-trunks/{created.json()['data']['id']}"
    for method, end in [("GET", ""), ("POST", "/verify"), ("GET", "/health"), ("GET", "/dids")]:
        assert it.send(method, path + end).status_code == 200
    assert it.send("PUT", path, json={"password": it.password()}).status_code == 200
    assert it.send("PUT", path, json={"is_active": True, "password": it.password()}).status_code == 422
    assert it.send("GET", "/sip-trunks").status_code == 200
    failing = it.send("POST", "/sip-trunks", json=trunk(domain="auth-fail.example", password=it.password()))
    assert it.send("POST", f"/sip-trunks/{failing.json()['data']['id']}/verify").json()["success"] is False
    return path


def wrong_values(it, path):
    """Passwords of every wrong type, and passwords in every wrong place."""
    wrappings = [
        lambda password: [password],
        lambda password: {password: password},
        lambda password: {"password": password},
        lambda password: [[[{"a": [password]}]]],
        lambda password: password + "\n",
        lambda password: password + "\0",
        lambda _: int("1337" + str(next(_numbers)) * 3),
        lambda _: float("1337" + str(next(_numbers)) * 3 + ".5"),
    ]
    for wrap in wrappings:
        for method, target in [("POST", "/sip-trunks"), ("PUT", path)]:
            value = wrap(it.password())
            it.passwords += [str(value)] if isinstance(value, int | float) else []
            assert it.send(method, target, json=trunk(password=value)).status_code == 422
    for field in trunk():
        assert it.send("PUT", path, json={field: it.password() + "\0"}).status_code == 422
    for field in ("port", "transport", "is_active", "outbound_proxy"):
        assert it.send("PUT", path, json={field: it.password()}).status_code == 422
    assert it.send("PUT", path, json={it.password(): it.password()}).status_code == 200
    for field in ("number", "country_code"):
        number = {"country_code": "US", "number": "+12025550123"} | {field: it.password()}
        assert it.send("POST", f"{path}/dids", json=number).status_code == 422


def broken_bodies(it, path):
    """Passwords in bodies that cannot be read, or are not looked at."""
    json_type = {"Content-Type": "application/json"}

    def body():
        return json.dumps(trunk(password=it.password()), ensure_ascii=False)

    breakages = [
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text[:-1] + ',"name":"b"}',
        lambda text: text[:-1] + ',"a":NaN}',
        lambda text: text.replace(": ", ":\x01"),
        lambda text: "\ufeff" + text,
        lambda text: text.encode("utf-16"),
        lambda text: text.encode() + b"\xff",
        lambda text: text.replace('"carrier-x"', '"\\ud800"'),
        lambda text: text.replace('"carrier-x"', "1" * 10_000),
        lambda text: text.replace('"carrier-x"', "[" * 5_000 + "]" * 5_000),
        lambda text: json.dumps(text),
        lambda text: f"[{text}]",
    ]
    for breakage in breakages:
        for method, target in [("POST", "/sip-trunks"), ("PUT", path)]:
            broken = breakage(body())
            content = broken if isinstance(broken, bytes) else broken.encode()
            assert it.send(method, target, content=content, headers=json_type).status_code in (400, 422)
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""):
        refused = it.send("POST", "/sip-trunks", content=body().encode(), headers={"Content-Type": media_type})
        assert refused.status_code == 415
    assert it.send("POST", "/sip-trunks", data={"password": it.password()}).status_code == 415
    large = (body()[:-1] + f',"x":"{"a" * 70_000}"}}').encode()
    assert it.send("POST", "/sip-trunks", content=large, headers=json_type).status_code == 413


def wrong_requests(it, path):
    """Good bodies where they are not wanted, from those who may not send them."""

    def sent():
        return {"json": trunk(password=it.password())}

    for token, status in [(UNKNOWN, 401), (TOKENS["one"] + "x", 401), ("", 401), (WITHOUT, 403)]:
        assert it.send("POST", "/sip-trunks", f"{token}" if token else "talq_", **sent()).status_code == status
    assert it.send("POST", "/sip-trunks", headers={"Authorization": f"Basic {UNKNOWN}"}, **sent()).status_code == 401
    assert it.send("PUT", path, TOKENS["two"], **sent()).status_code == 404
    assert it.send("PUT", f"/sip-trunks/{GONE}", **sent()).status_code == 404
    for method, target, status in [
        ("POST", "/nothing", 404),
        ("POST", "/sip-trunks/", 404),
        ("PATCH", path, 405),
        ("OPTIONS", path, 405),
        ("PUT", "/sip-trunks", 405),
        ("POST", f"{path}/verify", 200),
        ("DELETE", f"{path}/dids/{GONE}", 404),
        ("GET", f"{path}/health", 200),
    ]:
        assert it.send(method, target, **sent()).status_code == status
    query = {"password": it.password(), "token": TOKENS["one"]}
    assert it.send("GET", path, params=query).status_code == 200
    assert it.send("GET", f"/sip-trunks/{TOKENS['one']}").status_code == 404
    assert it.send("GET", f"/nothing/{quote(TOKENS['two'])}").status_code == 404
    for name in ("X-Request-Id", "X-Password", "User-Agent", "Cookie", "Referer", "Accept", "Host", "Traceparent"):
        it.send("GET", path, headers={name: quote(it.password())})


def broken_http(it):
    """Passwords in what the HTTP server itself refuses, or never gets to the end of."""

    def body():
        return json.dumps(trunk(password=it.password())).encode()

    def good():
        return raw(b"POST", b"/api/v1/sip-trunks", body=body())

    it.talk(good().replace(b"HTTP/1.1", b"HTTP/9.9"))
    it.talk(good().replace(b"POST", b"FOO"))
    it.talk(good().replace(b"Host: x", b"Ho st: x"))
    it.talk(good().replace(b"Host: x\r\n", b""))
    it.talk(good().replace(b"Content-Length: ", b"Content-Length: x"))
    it.talk(good().replace(b"Content-Length: ", b"Transfer-Encoding: chunked\r\nX: "))
    it.talk(good().replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"))
    it.talk(good().replace(b"Host: x", b"Host: x\r\nX: " + quote(it.password()).encode() + b"a" * 50_000))
    it.talk(good().replace(b"Connection: close", b"Connection: Upgrade, close\r\nUpgrade: h2c"))
    it.talk(b"POST /api/v1/sip-trunks " + body() + b"\r\n\r\n")
    it.talk(body() + b"\r\n\r\n")
    it.talk(good()[:-3], half_close=True)
    it.talk(good().replace(b"sip-trunks HTTP", b"sip-trunks?" + quote(it.password()).encode() + b" HTTP"))


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_comes_back_or_is_logged(start_mock, environments_file, form):
    """Hundreds of requests with as many passwords: none is in an answer, in the log at DEBUG or on stderr."""
    entry = {"plan": "enterprise", "allow_custom_sip_trunks": True}
    file = environments_file(
        *({"name": name, "token": token} | entry for name, token in TOKENS.items()),
        {"name": "without", "token": WITHOUT} | entry | {"allow_custom_sip_trunks": False},
    )
    mock = start_mock(f"--environments={file}", "--log-level=debug", f"--log-format={form}")
    it = Recorder(mock)
    path = life(it)
    wrong_values(it, path)
    broken_bodies(it, path)
    wrong_requests(it, path)
    broken_http(it)
    assert it.send("DELETE", path).status_code == 200
    it.http.close()
    assert mock.stop() == 0
    logged = mock.log.read_bytes()
    assert len(it.passwords) > 100
    assert logged.count(b"trunkmock.access") >= len(it.came) - 5
    secrets = [*it.passwords, *TOKENS.values(), WITHOUT, UNKNOWN]
    tokens_as_sent = b"\n".join(it.came)
    assert leaks(tokens_as_sent, secrets) == []
    assert leaks(logged, secrets) == []
    assert b"Traceback" not in logged
    assert b" 500 " not in logged


@given(st.binary(max_size=20), st.binary(max_size=20), st.data())
def test_search_finds_every_form(before, after, data):
    """The search itself works: a secret in any form, with anything around it, is found."""
    secret = fresh()
    name = data.draw(st.sampled_from(sorted(forms(secret))))
    assert (secret, name) in leaks(before + forms(secret)[name] + after, [secret])


@given(st.binary(max_size=20), st.binary(max_size=20), st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
def test_search_finds_a_secret_inside_something_encoded(before, after, encode):
    """Base64 of a longer text is found at whatever alignment the secret has in it."""
    secret = fresh()
    assert leaks(encode(before + secret.encode() + after), [secret])


@settings(max_examples=20)
@given(st.text(max_size=200))
def test_search_finds_nothing_where_nothing_is(text):
    """Other text is no leak."""
    assert leaks(text.encode("utf-8", "surrogatepass"), [fresh()]) == []


def schema(name):
    schemas = openapi.load()["components"]["schemas"]

    def flat(node):
        if isinstance(node, list):
            return [flat(it) for it in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return flat(schemas[node["$ref"].rpartition("/")[2]])
        return {key: flat(value) for key, value in node.items()}

    return flat(schemas[name])


BODY = JsonBody(schema("TrunkCreate"), Seal())


def test_objects_that_hold_a_password_do_not_show_it():
    """Fields, a trunk, a store's dict: no text form, no pickle and no copy has the password in it."""
    secret = fresh()
    fields = BODY.fields(json.dumps(trunk(password=secret)).encode())
    made = trunks.create(fields, "id", "now")
    held = [fields, made, {"id": made}, (made, [fields["password"]])]
    for it in held:
        shown = [repr(it), str(it), f"{it}", repr(copy.deepcopy(it)), traceback.format_exception(ValueError(it))[-1]]
        assert leaks("".join(shown).encode(), [secret]) == []
        assert leaks(pickle.dumps(it), [secret]) == []


def broken_in_every_way(secret):
    yield json.dumps(trunk(password=[secret])).encode()
    yield json.dumps(trunk(password=secret + "\0")).encode()
    yield json.dumps(trunk(password=secret)).encode()[:-1]
    yield json.dumps(trunk(password=secret)).replace("carrier-x", "\\ud800").encode()
    yield json.dumps([secret]).encode()
    yield json.dumps(trunk(password=secret)).encode()[:-1] + b',"name":"b"}'


def test_refusal_of_a_body_holds_no_part_of_it():
    """Neither its arguments, nor its attributes, nor any error that it is chained to, nor its traceback."""
    secret = fresh()
    for body in broken_in_every_way(secret):
        with pytest.raises(Refusal) as caught:
            BODY.fields(body)
        error = caught.value
        shown = [
            repr(error),
            str(error),
            repr(error.args),
            repr(vars(error)),
            repr(error.__context__),
            repr(error.__cause__),
        ]
        shown += traceback.format_exception(error)
        assert leaks("".join(shown).encode() + error.payload(), [secret]) == []
