"""Whatever comes over the wire: an answer below 500 in two seconds, no leak, no traceback, and the next one is fine."""

import json
import re
import socket
import struct

import pytest
from clients import FIRST, GONE, LIMIT_HEADERS, SECOND, WITHOUT_FEATURE, exchange, raw, trunk

SECRET = "s3cr3t-pa55word"
LINE = b"POST /api/v1/sip-trunks HTTP/1.1\r\n"
HOST = b"Host: x\r\n"
CLOSE = b"Connection: close\r\n"
TOKEN = b"Authorization: Bearer %b\r\n" % FIRST.encode()
TYPE = b"Content-Type: application/json\r\n"
HEAD = LINE + HOST + CLOSE + TOKEN + TYPE
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def body(**changes):
    return json.dumps(trunk(**{"password": SECRET, **changes})).encode()


def post(content, *fields, extra=b""):
    """A create with this body; `fields` in place of the media type, `extra` beside it."""
    request = raw(b"POST", b"/api/v1/sip-trunks", *fields, body=content)
    return request.replace(CLOSE, CLOSE + extra, 1)


def inserted(text, **changes):
    """A create whose body has `text`, as it is, in place of `0`."""
    return post(body(**dict.fromkeys(changes, 0)).replace(b": 0", b": " + text, 1))


def get(path, method=b"GET", **options):
    return raw(method, path, **options)


def chunks(content, size=1):
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def ctype(value):
    return post(body(), b"Content-Type: " + value)


def auth(value):
    return post(body(), TYPE[:-2]).replace(TOKEN, b"Authorization: " + value + b"\r\n")


TRUNK = b"/api/v1/sip-trunks/"

# What is sent, and the statuses of all answers to it, in order.
BODIES = {
    "good": (post(body()), [201]),
    "charset-unknown": (ctype(b"application/json; charset=klingon"), [415]),
    "charset-latin": (ctype(b"application/json; charset=latin-1"), [415]),
    "charset-twice": (ctype(b"application/json; charset=utf-8; charset=utf-16"), [415]),
    "charset-quoted": (ctype(b'application/json; charset="UTF-8"'), [201]),
    "charset-unclosed-quote": (ctype(b'application/json; charset="utf-8'), [415]),
    "type-in-capitals-is-checked": (
        post(body(port="x"), b"Content-Type: Application/JSON"),
        [422],
    ),
    "type-missing": (post(body(), b"X-Other: a"), [415]),
    "type-empty": (ctype(b""), [415]),
    "type-twice": (post(body(), TYPE[:-2], extra=TYPE), [415]),
    "type-list": (ctype(b"application/json, text/plain"), [415]),
    "type-junk": (ctype(b"\xff\xfe;;;==="), [415]),
    "type-of-30-kB": (ctype(b"application/json; x=" + b"a" * 30_000), [201]),
    "compressed": (post(body(), extra=b"Content-Encoding: gzip\r\n"), [415]),
    "not-utf-8": (post(body().replace(b"carrier-x", b"\xff\xfe")), [400]),
    "utf-16": (post(body().decode().encode("utf-16")), [400]),
    "utf-7": (post(b"+AHs-}"), [400]),
    "byte-order-mark": (post(b"\xef\xbb\xbf" + body()), [400]),
    "lone-surrogate": (inserted(b'"\\ud800"', name=0), [400]),
    "lone-surrogate-in-password": (inserted(b'"%b\\udfff"' % SECRET.encode(), password=0), [400]),
    "lone-surrogate-in-a-name": (post(body()[:-1] + b',"\\udfff":1}'), [400]),
    "encoded-surrogate": (inserted(b'"\xed\xa0\x80"', name=0), [400]),
    "surrogate-pair": (inserted(b'"\\ud83d\\ude00"', name=0), [201]),
    "overlong-utf-8": (inserted(b'"\xc0\xaf"', name=0), [400]),
    "domain-with-line-feed": (post(body(domain="sip.carrier.example\n")), [422]),
    "domain-with-nul": (post(body(domain="sip.carrier.example\0")), [422]),
    "domain-of-60-kB": (post(body(domain="a" * 60_000)), [201]),
    "domain-of-labels": (post(body(domain="a." * 30_000)), [201]),
    "domain-of-hyphens": (post(body(domain="a" + "-" * 60_000)), [422]),
    "domain-nearly-ipv6": (post(body(domain="[" + "1:" * 20_000 + "]")), [422]),
    "name-of-blanks": (post(body(name=" " * 60_000)), [422]),
    "nul": (post(body(name="a\0b")), [422]),
    "raw-control-character": (inserted(b'"a\x01b"', name=0), [400]),
    "array-100000-deep": (post(b"[" * 100_000 + b"]" * 100_000), [413]),
    "array-30000-deep": (post(b"[" * 30_000 + b"]" * 30_000), [400]),
    "array-30000-deep-unclosed": (post(b"[" * 60_000), [400]),
    "array-30000-deep-in-a-field": (inserted(b"[" * 30_000 + b"]" * 30_000, name=0), [400]),
    "array-900-deep": (inserted(b"[" * 900 + b"]" * 900, name=0), [422]),
    "object-9000-deep": (post(b'{"a":' * 9_000 + b"1" + b"}" * 9_000), [400]),
    "integer-of-10000-digits": (inserted(b"1" * 10_000, port=0), [400]),
    "negative-integer-of-10000-digits": (inserted(b"-" + b"1" * 10_000, port=0), [400]),
    "integer-2-to-the-64": (inserted(b"18446744073709551616", port=0), [422]),
    "float-out-of-range": (inserted(b"1e400", port=0), [400]),
    "float-of-10000-digits": (inserted(b"0." + b"1" * 10_000, port=0), [422]),
    "exponent-of-10000-digits": (inserted(b"1e" + b"1" * 10_000, port=0), [400]),
    "negative-zero": (inserted(b"-0.0", port=0), [422]),
    "fraction": (inserted(b"5061.5", port=0), [422]),
    "integer-as-float": (inserted(b"5.061e3", port=0), [201]),
    "nan": (inserted(b"NaN", port=0), [400]),
    "infinity": (inserted(b"-Infinity", port=0), [400]),
    "duplicate-key": (post(body()[:-1] + b',"name":"b"}'), [400]),
    "duplicate-password": (post(body()[:-1] + b',"password":"b"}'), [400]),
    "duplicate-key-escaped": (post(body()[:-1] + b',"\\u006eame":"b"}'), [400]),
    "duplicate-key-inside": (post(body()[:-1] + b',"x":{"a":1,"a" :2}}'), [400]),
    "duplicate-key-with-blanks": (post(body()[:-1] + b',"name" \n:"b"}'), [400]),
    "hash-collisions": (post(b"{" + b",".join(b'"%d":0' % (2**61 * n) for n in range(2000)) + b"}"), [422]),
    "proto-key": (post(body()[:-1] + b',"__proto__":{"port":1},"constructor":1}'), [201]),
    "empty": (post(b""), [400]),
    "null": (post(b"null"), [422]),
    "array": (post(b"[]"), [422]),
    "string": (post(json.dumps(SECRET).encode()), [422]),
    "form": (post(b"password=" + SECRET.encode()), [400]),
    "xml": (post(b"<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"), [400]),
    "template": (post(body(name="{{ 7 * 7 }} ${7*7} {% raw %}")), [201]),
    "something-after": (post(body() + b"x"), [400]),
    "password-number": (post(body(password=13371337)), [422]),
    "password-list": (post(body(password=[SECRET])), [422]),
    "password-object": (post(body(password={SECRET: SECRET})), [422]),
    "password-with-line-feed": (post(body(password=SECRET + "\n")), [422]),
    "password-as-a-key": (post(body()[:-1] + b',"%b":1}' % SECRET.encode()), [201]),
    "password-in-every-field": (post(json.dumps(dict.fromkeys(trunk(), SECRET + "\0")).encode()), [422]),
}
SIZES = {
    "exactly-the-limit": (post(body(x="")[:-2] + b"a" * (65536 - len(body(x=""))) + b'"}'), [201]),
    "one-byte-more": (post(body(x="")[:-2] + b"a" * (65537 - len(body(x=""))) + b'"}'), [413]),
    "half-a-megabyte": (post(b"a" * 500_000), [413]),
    "5-megabytes": (post(b"a" * 5_000_000), [413]),
    "5-megabytes-without-a-token": (
        auth(b"Bearer x")[:-1].replace(b"Length: ", b"Length: 4999") + b"a" * 99_999,
        [401],
    ),
    "10-gigabytes-declared": (HEAD + b"Content-Length: 9999999999\r\n\r\n{}", [413]),
    "length-too-large-for-64-bits": (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}", [400]),
    "length-negative": (HEAD + b"Content-Length: -1\r\n\r\n{}", [400]),
    "length-signed": (HEAD + b"Content-Length: +2\r\n\r\n{}", [400]),
    "length-empty": (HEAD + b"Content-Length: \r\n\r\n", [400]),
    "length-no-number": (HEAD + b"Content-Length: 1x\r\n\r\n{}", [400]),
    "length-list": (HEAD + b"Content-Length: 2, 2\r\n\r\n{}", [400]),
    "length-twice": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", [400]),
    "length-and-chunked": (HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [400]),
    "no-length-and-no-coding": (HEAD + b"\r\n", [400]),
    "chunked": (CHUNKED + chunks(body()), [201]),
    "chunked-with-trailers": (CHUNKED + chunks(body(), 50)[:-2] + b"Authorization: x\r\nX: y\r\n\r\n", [201]),
    "chunked-with-extensions": (CHUNKED + b'2;a=b;c="d"\r\n{}\r\n0\r\n\r\n', [422]),
    "chunked-in-capitals": (CHUNKED.replace(b"chunked", b"Chunked") + chunks(body(), 99), [201]),
    "chunked-twice": (CHUNKED.replace(b"chunked", b"chunked, chunked") + chunks(b"{}"), [400]),
    "chunked-in-two-fields": (CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(b"{}"), [400]),
    "chunked-and-compressed": (CHUNKED.replace(b"chunked", b"gzip, chunked") + chunks(b"{}"), [400]),
    "compressed-transfer": (CHUNKED.replace(b"chunked", b"gzip") + b"abc", [400]),
    "identity-transfer": (CHUNKED.replace(b"chunked", b"identity") + b"abc", [400]),
    "chunk-size-no-number": (CHUNKED + b"zz\r\n{}\r\n", [400]),
    "chunk-size-negative": (CHUNKED + b"-1\r\n{}\r\n", [400]),
    "chunk-size-too-large-for-64-bits": (CHUNKED + b"fffffffffffffffff\r\n{}\r\n", [400]),
    "chunk-longer-than-it-says": (CHUNKED + b"1\r\n{}\r\n0\r\n\r\n", [400]),
    "chunks-over-the-limit": (CHUNKED + chunks(b"a" * 131_072, 65_535), [413]),
    "chunks-of-one-byte-over-the-limit": (CHUNKED + chunks(b"a" * 66_000), [413]),
    "chunked-100-megabytes": ([CHUNKED] + [b"10000\r\n" + b"a" * 65536 + b"\r\n"] * 1600, [413]),
    "chunk-extensions-without-end": ([CHUNKED + b"2;"] + [b"a" * 65536] * 100, [413]),
    "trailers-without-end": ([CHUNKED + b"2\r\n{}\r\n0\r\n"] + [b"X: " + b"a" * 60_000 + b"\r\n"] * 100, [413]),
    "get-with-a-body": (get(b"/api/v1/sip-trunks/x", body=b"{" * 1000), [404]),
    "delete-with-a-body": (get(TRUNK + b"x", b"DELETE", body=body()), [404]),
    "verify-with-a-body": (get(TRUNK + b"x/verify", b"POST", body=b"x" * 1000), [404]),
}
HEADS = {
    "credentials-twice": (post(body(), TYPE[:-2], extra=TOKEN), [401]),
    "credentials-empty": (auth(b""), [401]),
    "credentials-blank": (auth(b"Bearer "), [401]),
    "credentials-basic": (auth(b"Basic dGVzdDp0ZXN0"), [401]),
    "credentials-not-ascii": (auth(b"Bearer talq_\xff\xfe"), [401]),
    "credentials-of-30-kB": (auth(b"Bearer talq_" + b"a" * 30_000), [401]),
    "credentials-with-a-tab": (auth(b"Bearer\t" + FIRST.encode()), [401]),
    "credentials-with-nul": (auth(b"Bearer talq_a\0"), [400]),
    "credentials-with-password": (auth(b"Digest username=u, password=" + SECRET.encode()), [401]),
    "credentials-folded": (auth(b"Bearer\r\n " + FIRST.encode()), [400]),
    "credentials-many-blanks": (auth(b"bearer     " + FIRST.encode()), [201]),
    "credentials-without-the-feature": (auth(b"Bearer " + WITHOUT_FEATURE.encode()), [403]),
    "header-of-100-kB": (LINE + HOST + b"X: " + b"a" * 100_000 + b"\r\n\r\n", [431]),
    "header-of-100-kB-unended": (LINE + HOST + b"X: " + b"a" * 100_000, [431]),
    "header-of-10-MB-in-pieces": ([LINE + HOST + b"X: "] + [b"a" * 65536] * 160, [431]),
    "header-name-of-100-kB": (LINE + HOST + b"a" * 100_000 + b": 1\r\n\r\n", [431]),
    "20000-headers": (LINE + HOST + b"X: a\r\n" * 20_000 + b"\r\n", [431]),
    "target-of-100-kB": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", [431]),
    "header-name-with-a-blank": (LINE + HOST + b"X y: 1\r\n\r\n", [400]),
    "header-name-empty": (LINE + HOST + b": 1\r\n\r\n", [400]),
    "header-without-a-colon": (LINE + HOST + b"Xy\r\n\r\n", [400]),
    "header-with-nul": (LINE + HOST + b"X: a\0b\r\n\r\n", [400]),
    "header-with-carriage-return": (LINE + HOST + b"X: a\rb\r\n\r\n", [400]),
    "line-feeds-alone": (b"GET /docs HTTP/1.1\nHost: x\n\n", [400]),
    "no-host": (LINE + CLOSE + TOKEN + TYPE + b"Content-Length: 2\r\n\r\n{}", [400]),
    "two-hosts": (HEAD + HOST + b"Content-Length: 2\r\n\r\n{}", [400]),
    "expect-100": (post(body(), extra=b"Expect: 100-continue\r\n"), [100, 201]),
    "expect-100-without-a-token": (auth(b"x").replace(CLOSE, CLOSE + b"Expect: 100-continue\r\n"), [401]),
    "expect-something-else": (post(body(), extra=b"Expect: 200-maybe\r\n"), [201]),
    "upgrade-to-h2c": (
        post(body()).replace(
            CLOSE, b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        ),
        [201],
    ),
    "upgrade-to-websocket": (
        get(b"/api/v1/sip-trunks/x").replace(CLOSE, b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n"),
        [404],
    ),
    "upgrade-chunked": (
        CHUNKED.replace(CLOSE, b"Connection: Upgrade, close\r\nUpgrade: h2c\r\n") + chunks(body(), 40),
        [201],
    ),
    "version-1.0": (b"GET /docs/start.js HTTP/1.0\r\n\r\n", [200]),
    "version-1.0-keep-alive": (b"GET /docs/start.js HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", [200]),
    "version-3.7": (b"GET / HTTP/3.7\r\nHost: x\r\n\r\n", [400]),
    "version-junk": (b"GET / HTTP/x\r\nHost: x\r\n\r\n", [400]),
    "http-2-preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
    "tls": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]),
    "smtp": (b"EHLO x\r\n\r\n", [400]),
    "sip": (b"OPTIONS sip:x SIP/2.0\r\n\r\n", [400]),
    "nul-bytes": (b"\0" * 1000, [400]),
    "line-feeds-before": (b"\r\n\r\n" + get(b"/nothing"), [404]),
}
TARGETS = {
    "trailing-slash": (get(TRUNK, b"POST", body=body()), [404]),
    "double-slash": (get(b"//api/v1/sip-trunks", b"POST", body=body()), [404]),
    "absolute-form": (get(b"http://other.example/api/v1/sip-trunks", b"POST", body=body()), [201]),
    "absolute-form-without-a-path": (get(b"http://other.example"), [400]),
    "absolute-form-junk": (get(b"http://[::1"), [400]),
    "asterisk": (get(b"*", b"OPTIONS"), [404]),
    "authority-form": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", [400]),
    "query-junk": (get(b"/api/v1/sip-trunks?x=%ff&%zz&password=" + SECRET.encode(), b"POST", body=body()), [201]),
    "fragment": (get(b"/api/v1/sip-trunks#x", b"POST", body=body()), [201]),
    "encoded-letter": (get(b"/api/v1/sip%2Dtrunks"), [404]),
    "percent-junk": (get(TRUNK + b"%zz%ff%00%"), [404]),
    "percent-nul": (get(TRUNK + b"%00"), [404]),
    "percent-line-feed": (get(TRUNK + b"%0d%0aX-Evil:%201"), [404]),
    "percent-slash": (get(TRUNK + b"a%2Fb"), [404]),
    "percent-surrogate": (get(TRUNK + b"%ed%a0%80/verify", b"POST"), [404]),
    "dots": (get(b"/api/v1/../../etc/passwd"), [404]),
    "dots-below-docs": (get(b"/docs/../../etc/passwd"), [404]),
    "encoded-dots-below-docs": (get(b"/docs/%2e%2e%2f__init__.py"), [404]),
    "dots-as-an-id": (get(TRUNK + b"../../verify", b"POST"), [404]),
    "not-ascii": (get(TRUNK + "é".encode()), [400]),
    "nul": (get(TRUNK + b"\0"), [400]),
    "blank": (get(TRUNK + b"a b"), [400]),
    "backslash": (get(TRUNK + b"a\\b"), [404]),
    "token-in-the-path": (get(TRUNK + FIRST.encode()), [404]),
    "id-of-20-kB": (get(TRUNK + b"a" * 20_000), [404]),
    "no-path": (b"GET HTTP/1.1\r\nHost: x\r\n\r\n", [400]),
    "relative-path": (get(b"api/v1/sip-trunks"), [400]),
    "head": (get(b"/api/v1/sip-trunks", b"HEAD"), [200]),
    "head-of-nothing": (get(b"/nothing", b"HEAD"), [404]),
    "head-of-post": (get(TRUNK + b"x/verify", b"HEAD"), [405]),
    "options": (get(b"/api/v1/sip-trunks", b"OPTIONS"), [405]),
    "preflight": (get(b"/api/v1/sip-trunks", b"OPTIONS").replace(CLOSE, CLOSE + b"Origin: http://x\r\n"), [405]),
    "patch": (get(TRUNK + GONE.encode(), b"PATCH", body=body()), [405]),
    "trace": (get(b"/api/v1/sip-trunks", b"TRACE"), [405]),
    "unknown-method": (b"FOO /api/v1/sip-trunks HTTP/1.1\r\n" + HOST + b"\r\n", [405]),
    "unknown-method-of-nothing": (b"FOO /nothing HTTP/1.1\r\n" + HOST + b"\r\n", [404]),
    "unknown-method-with-a-body": (b"FOO /api/v1/sip-trunks HTTP/1.1\r\n" + HOST + TOKEN + b"\r\n" + body(), [405]),
    "method-in-small-letters": (b"get /api/v1/sip-trunks HTTP/1.1\r\n" + HOST + b"\r\n", [405]),
    "method-of-10-kB": (b"A" * 10_000 + b" / HTTP/1.1\r\n\r\n", [400]),
    "post-to-docs": (get(b"/docs", b"POST", body=body()), [405]),
}
KEPT = post(body()).replace(CLOSE, b"")
SEQUENCES = {
    "pipelined": (KEPT * 2 + post(b""), [201, 201, 400]),
    "pipelined-then-junk": (KEPT * 2 + b"junk\r\n\r\n", [201, 201, 400]),
    "pipelined-then-unknown-method": (KEPT + b"FOO /docs/start.js HTTP/1.1\r\n" + HOST + b"\r\n", [201, 400]),
    "page-then-unknown-method": (
        get(b"/docs/start.js").replace(CLOSE, b"") + b"FOO /docs/start.js HTTP/1.1\r\n" + HOST + b"\r\n",
        [200, 400],
    ),
    "body-like-a-request-then-unknown-method": (
        [post(b"GET /docs HTTP/1.1\r\n").replace(CLOSE, b"")[:-20], b"GET /docs HTTP/1.1\r\nFOO / HTTP/1.1\r\n\r\n"],
        [400, 400],
    ),
    "too-large-then-good": (post(b"a" * 70_000).replace(CLOSE, b"") + KEPT, [413]),
    "refused-then-good": (post(b"{").replace(CLOSE, b"") + post(body()), [400, 201]),
    "smuggled": (CHUNKED.replace(CLOSE, b"") + b"2\r\n{}\r\n0\r\n\r\n" + get(b"/nothing"), [422, 404]),
    "byte-by-byte": ([bytes([byte]) for byte in post(body())], [201]),
    "in-two-halves": ([post(body())[:150], post(body())[150:]], [201]),
    "bad-chunk-later": ([CHUNKED + b"2\r\n{}\r\n", b"zz\r\n"], [400]),
}
HALVES = {
    "nothing": (b"", []),
    "half-a-line": (b"POST /api", []),
    "half-a-head": (LINE + HOST + b"Content-Le", []),
    "half-a-body": (post(body())[:-5], []),
    "half-a-chunk": (CHUNKED + b"ff\r\n{", []),
    "http-0.9": (b"GET /\r\n", []),
    "all-of-it": (post(body()).replace(CLOSE, b""), [201]),
    "good-then-half": (KEPT + post(body())[:-5], [201]),
}


def cases(*tables):
    return [pytest.param(*case, id=name) for table in tables for name, case in table.items()]


def looked_through(came):
    """Give the statuses of the answers, after a look at their heads and for what must not be there."""
    assert SECRET.encode() not in came
    assert FIRST.encode() not in came
    assert b"Traceback" not in came
    assert b"etc/passwd" not in came
    heads = re.findall(rb"HTTP/1\.1 (\d{3}) [^\r]*\r\n(?:\r\n|(.*?)\r\n\r\n)", came, re.DOTALL)
    for status, head in heads:
        names = {line.partition(b":")[0].lower().decode() for line in head.split(b"\r\n")}
        assert status == b"100" or names >= LIMIT_HEADERS | {"x-request-id"}, head
        assert "x-evil" not in names
    return [int(status) for status, _ in heads]


@pytest.fixture
def all_is_well(mock, first, log_of):
    """See at the end that the next request is answered, and that the log has neither secrets nor tracebacks since."""
    begin = mock.log.stat().st_size
    yield
    answer = first.get("/nothing")
    assert answer.status_code == 404
    since = log_of(answer.headers["x-request-id"]).encode()[begin:].decode()
    assert not [word for word in (SECRET, FIRST, "Traceback", "Error", " 500 ") if word in since]


@pytest.mark.parametrize(("sent", "statuses"), cases(BODIES, SIZES, HEADS, TARGETS, SEQUENCES))
@pytest.mark.usefixtures("all_is_well")
def test_hostile_request_is_answered_and_forgotten(mock, sent, statuses):
    """The connection closes within two seconds after the expected answers, which are below 500 and leak nothing."""
    pieces = [sent] if isinstance(sent, bytes) else sent
    came = exchange(mock.port, *pieces)
    assert looked_through(came) == statuses
    if statuses[-1] >= 400 and not pieces[0].startswith(b"HEAD"):
        assert json.loads(came.rpartition(b"\r\n\r\n")[2])["success"] is False


@pytest.mark.parametrize(("sent", "statuses"), cases(HALVES))
@pytest.mark.usefixtures("all_is_well")
def test_client_that_stops_half_way_is_let_go(mock, sent, statuses):
    """Who says no more gets the answers that are due, and the connection closes."""
    assert looked_through(exchange(mock.port, sent, half_close=True)) == statuses


@pytest.mark.parametrize("size", [0, 1, 30, 100, 200, 330])
@pytest.mark.usefixtures("all_is_well")
def test_client_that_disappears_is_let_go(mock, size):
    """Who hangs up in the middle, or before the answer, leaves no trace."""
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", mock.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no good-bye
            connection.sendall(post(body())[:size])


def test_refused_request_makes_no_trunk(mock, second):
    """Nothing in the tables that is refused leaves a trunk behind."""
    before = second.get("/sip-trunks").json()
    for table in (BODIES, SIZES, HEADS):
        for sent, statuses in table.values():
            if isinstance(sent, bytes) and len(sent) < 10_000 and statuses[-1] >= 400:
                exchange(mock.port, sent.replace(FIRST.encode(), SECOND.encode()))
    assert second.get("/sip-trunks").json() == before
