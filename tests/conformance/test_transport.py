import asyncio
import gzip
import time

import pytest
import servers

from conformance.transport import MAX_ANSWER, AsgiTransport, HttpTransport, NoAnswer


def send(base_url, timeout=0.5, method="GET", body=None):
    """Send one request and give the answer, or the sentence that says why there is none."""
    transport = HttpTransport(base_url, timeout=timeout)
    try:
        return transport.send(method, "/sip-trunks", (("Accept", "*/*"),), body)
    except NoAnswer as error:
        return str(error)
    finally:
        transport.close()


def test_answer_comes_untouched():
    """Status, header fields in their letter case, even twice, and the body are as they came."""
    with servers.raw(servers.says("{}", "418 I'm a teapot", "a/b", "X-A: 1", "x-a: 2")) as url:
        answer = send(url)
    assert (answer.status, answer.body, answer.tries) == (418, b"{}", 1)
    assert [pair for pair in answer.headers if pair[0].lower() == "x-a"] == [("X-A", "1"), ("x-a", "2")]


def test_redirect_is_not_followed():
    """A redirect is an answer like any other."""
    with servers.raw(servers.says("", "302 Found", "text/html", "Location: http://192.0.2.1/")) as url:
        assert send(url).status == 302


def test_connection_that_was_closed_meanwhile_is_opened_anew():
    """A kept connection that the server lets go of is no fault: the request is sent again, and that is told."""
    answer = servers.says("{}")
    connections = []

    def once_each(connection, request):
        if connection in connections:
            return "close"
        connections.append(connection)
        return answer(connection, request)

    with servers.raw(once_each) as url:
        transport = HttpTransport(url, timeout=2)
        tries = [transport.send("GET", "/x", (), None).tries for _ in range(3)]
        transport.close()
    assert tries == [1, 2, 2]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param(servers.closes, "the connection was closed instead of answered", id="closes"),
        pytest.param(servers.hangs, "no answer within 0.5 seconds", id="hangs"),
        pytest.param(servers.drips, "the answer was not complete after 1 seconds", id="drips"),
        pytest.param(servers.gigabytes, "the answer is larger than 16 MiB", id="gigabytes"),
        pytest.param(servers.says("{}", "2000 OK"), "the connection was closed instead of answered", id="no-http"),
    ],
)
def test_what_does_not_answer_is_told_in_a_sentence(answer, says):
    """Whatever a server does, it ends soon and in a sentence."""
    started = time.monotonic()
    with servers.raw(answer) as url:
        assert send(url) == says
    assert time.monotonic() - started < 15


def test_small_body_that_unpacks_to_gigabytes_is_cut():
    """A compressed body counts by what comes out of it."""
    packed = gzip.compress(b" " * (MAX_ANSWER + 2))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    with servers.raw(lambda connection, _request: connection.sendall(head + packed)) as url:
        assert send(url, timeout=5) == "the answer is larger than 16 MiB"


def test_nobody_there_is_told_in_a_sentence():
    """A port without a listener, and a host without an address."""
    with servers.raw(servers.closes) as url:
        pass
    assert send(url) == "nothing listens there (connection refused)"
    assert send("http://no.such.host.invalid/api/v1", timeout=5) == "it cannot be reached"


def test_plain_http_behind_https_is_told_in_a_sentence():
    """TLS to a server that speaks none is not a traceback."""
    with servers.raw(servers.says("{}")) as url:
        assert send(url.replace("http:", "https:")) == "it does not speak TLS as expected"


def asgi(app, timeout=0.5):
    transport = AsgiTransport(app, timeout=timeout)
    try:
        return transport.send("POST", "/sip-trunks/%2F?a=1", (("Authorization", "Bearer x"),), b"{}")
    finally:
        transport.close()


async def echo(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("no lifespan here")
    message = await receive()
    shown = f"{scope['method']} {scope['path']} {scope['raw_path']} {scope['query_string']} {message['body']}"
    await send({"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"1")]})
    await send({"type": "http.response.body", "body": shown.encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"!"})


def test_app_is_called_with_the_request():
    """An ASGI app gets the request as a server would give it, and its answer's parts are put together."""
    answer = asgi(echo)
    assert (answer.status, answer.headers) == (201, (("x-a", "1"),))
    assert answer.body == b"POST /api/v1/sip-trunks// b'/api/v1/sip-trunks/%2F' b'a=1' b'{}'!"


def test_app_that_raises_or_says_nothing_answers_500():
    """What a server would make a 500 of is one."""

    async def raises(scope, _receive, _send):
        raise ValueError(scope)

    async def silent(_scope, _receive, _send):
        pass

    assert [asgi(app).status for app in (raises, silent)] == [500, 500]


def test_app_that_hangs_is_told_in_a_sentence():
    """An app that never answers ends like a server that never does."""

    async def hangs(scope, _receive, _send):
        await asyncio.sleep(0 if scope["type"] == "lifespan" else 30)

    with pytest.raises(NoAnswer, match="no answer within"):
        asgi(hangs)


def test_app_is_told_that_it_starts_and_ends():
    """An app that takes lifespan events gets both."""
    events = []

    async def app(scope, receive, send):
        if scope["type"] != "lifespan":
            return await echo(scope, receive, send)
        for kind in ("startup", "shutdown"):
            events.append((await receive())["type"])
            await send({"type": f"lifespan.{kind}.complete"})
        return None

    asgi(app)
    assert events == ["lifespan.startup", "lifespan.shutdown"]
