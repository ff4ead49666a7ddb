"""`mockserver.edge`, `cycle`, `lingering`: what takes time, with the times made short; `test_hostile` has the rest."""

import asyncio
import contextlib
import socket

import pytest

from mockserver import edge, lingering
from mockserver.requests import REFUSAL
from mockserver.serving import Server

OK = b"HTTP/1.1 200 OK\r\n"
HOST = b"Host: x\r\n"
BOUNDS = {}


async def answering(scope, receive, send):
    """An app that waits for the whole body and answers with its size, or with the edge's refusal."""
    size, more = 0, True
    while more and REFUSAL not in scope:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    status, text = (scope[REFUSAL].status, b"refused") if REFUSAL in scope else (200, b"%d" % size)
    headers = [(b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def failing(_scope, _receive, _send):
    raise RuntimeError("a secret")


@pytest.fixture
def impatient(monkeypatch):
    """Let the edge lose its patience after a fifth of a second."""
    monkeypatch.setattr(edge, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 0.1)
    monkeypatch.setitem(BOUNDS, "request_seconds", 0.2)
    monkeypatch.setitem(BOUNDS, "idle_seconds", 0.2)
    monkeypatch.setitem(BOUNDS, "write_seconds", 0.2)


def talk(*steps, app=answering, max_body=1000, seconds=3):
    """Give what comes back: each step is bytes to send, or seconds to wait."""

    async def story():
        loop = asyncio.get_running_loop()
        server = Server(app, edge.Bounds(max_body=max_body, **BOUNDS), lambda: None)
        server.config.load()
        listening = await loop.create_server(
            lambda: edge.Edge(config=server.config, server_state=server.server_state, app_state={}, doors=server.doors),
            "127.0.0.1",
        )
        async with listening:
            reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
            came = asyncio.ensure_future(reader.read())
            with contextlib.suppress(ConnectionError):
                for step in steps:
                    if isinstance(step, bytes):
                        writer.write(step)
                        await writer.drain()
                    else:
                        await asyncio.sleep(step)
            try:
                return await asyncio.wait_for(came, seconds)
            finally:
                writer.close()
                with contextlib.suppress(ConnectionError):
                    await writer.wait_closed()

    return asyncio.run(story())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HT", id="line"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nX: ", id="head"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12", id="body"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n", id="chunk"),
    ],
)
def test_request_that_does_not_arrive_is_given_up(sent):
    """Whoever stops half way is told 408 and the connection closes."""
    came = talk(sent)
    assert came.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in came


@pytest.mark.usefixtures("impatient")
def test_request_that_arrives_by_drops_is_given_up():
    """The time is for the whole request: another byte now and then does not buy more."""
    drops = [step for _ in range(30) for step in (b"a", 0.02)]
    assert talk(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n", *drops).startswith(b"HTTP/1.1 408 ")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["at-once", "after-a-request"])
def test_idle_connection_is_closed_without_a_word(sent):
    """Whoever says nothing more is let go."""
    assert talk(sent).count(b"HTTP/1.1") == (1 if sent else 0)


@pytest.mark.usefixtures("impatient")
def test_connection_that_is_used_stays():
    """Each request starts the wait again."""
    one = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
    assert talk(*[step for _ in range(4) for step in (one, 0.12)]).count(OK) == 4


@pytest.mark.usefixtures("impatient")
def test_app_may_take_longer_than_a_client():
    """The times are for requests, not for answers."""

    async def slow(scope, receive, send):
        await asyncio.sleep(0.5)
        await answering(scope, receive, send)

    assert talk(b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", app=slow).startswith(OK)


def test_app_that_fails_closes_the_connection(caplog):
    """Nothing is answered by the edge itself, and the client does not wait."""
    assert talk(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", app=failing) == b""
    assert "the app failed" in caplog.text


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000, 600_000])
def test_body_of_any_size_gets_to_the_app_whole(size):
    """Reading pauses while the app is behind, and goes on; nothing is lost."""
    head = b"POST / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size
    assert talk(head + b"a" * size, max_body=1_000_000).endswith(b"\r\n\r\n%d" % size)


def test_pipelined_requests_are_answered_in_order():
    """Each answer follows its request, whatever came together."""
    requests = [b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % n + b"a" * n for n in range(1, 20)]
    last = b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    came = talk(b"".join([*requests, last]))
    assert [int(part.partition(b"HTTP/")[0]) for part in came.split(b"\r\n\r\n")[1:]] == [*range(1, 20), 0]


def test_request_on_the_wire_is_bounded_beyond_its_body():
    """Chunks of one byte cost six each; what is padded further than that is refused."""
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    padding = b"1;" + b"a" * 200 + b"\r\na\r\n"
    assert talk(head, *[padding * 100] * 10).startswith(b"HTTP/1.1 413 ")


def test_head_may_be_as_large_as_the_limit():
    """About 32768 bytes are taken, more is 431, whether they come at once or not."""
    start = b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"X: "
    for size, status in [(32_700, b"200"), (32_900, b"431")]:
        head = start + b"a" * (size - len(start) - 4) + b"\r\n\r\n"
        for pieces in ([head], [head[:9_000], 0.05, head[9_000:]]):
            assert talk(*pieces).startswith(b"HTTP/1.1 " + status)


@pytest.mark.usefixtures("impatient")
def test_client_that_goes_on_sending_gets_to_read_the_refusal():
    """After a refusal the connection lingers, so that the answer is not lost with what was not read."""
    sent = b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000
    assert talk(sent, *[b"a" * 50_000] * 20).startswith(b"HTTP/1.1 431 ")


@pytest.mark.usefixtures("impatient")
def test_client_that_never_stops_sending_is_cut_off(monkeypatch):
    """What is still sent after a refusal is dropped, up to a limit."""
    monkeypatch.setattr(lingering, "LINGER_SECONDS", 60)
    monkeypatch.setattr(lingering, "LINGER_BYTES", 100_000)
    talk(b"junk\r\n\r\n", *[b"a" * 50_000, 0.01] * 20, seconds=2)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_connection_is_kept_as_the_version_has_it(version):
    """HTTP/1.1 keeps it unless told otherwise, HTTP/1.0 does not."""
    one = b"GET / HTTP/" + version + b"\r\n" + HOST + b"\r\n"
    last = b"GET / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    assert talk(one, 0.05, last).count(OK) == (2 if version == b"1.1" else 1)


def test_head_has_no_body():
    """The length is told, the body kept back."""
    came = talk(b"HEAD / HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    assert came.startswith(OK)
    assert b"content-length: 1\r\n" in came
    assert came.endswith(b"\r\n\r\n")


PIPELINED = 120
LARGE = b"a" * 100_000


def deaf(*, seconds, app, requests=PIPELINED):
    """Send requests, read nothing for a while; give how many were started meanwhile, and all that comes after it."""

    async def story():
        loop = asyncio.get_running_loop()
        server = Server(app, edge.Bounds(**BOUNDS), lambda: None)
        server.config.load()
        listening = await loop.create_server(
            lambda: edge.Edge(config=server.config, server_state=server.server_state, app_state={}, doors=server.doors),
            "127.0.0.1",
        )
        async with listening:
            sock = socket.create_connection(listening.sockets[0].getsockname())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            sock.setblocking(False)
            await loop.sock_sendall(sock, (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") * requests)
            await asyncio.sleep(seconds)
            started, size = app.started, 0
            with contextlib.suppress(ConnectionError, TimeoutError):
                while size < requests * len(LARGE):
                    piece = await asyncio.wait_for(loop.sock_recv(sock, 1 << 20), 1)
                    if not piece:
                        break
                    size += len(piece)
            sock.close()
            return started, size

    return asyncio.run(story())


class Large:
    """An app that gives a large answer, and counts."""

    def __init__(self):
        self.started = 0

    async def __call__(self, scope, receive, send):
        self.started += 1
        headers = [(b"content-length", b"%d" % len(LARGE))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": LARGE})


def test_requests_of_a_client_that_does_not_read_wait():
    """Answers do not pile up; when it reads, it gets all of them."""
    started, size = deaf(seconds=0.3, app=Large())
    assert started < PIPELINED / 2
    assert size >= PIPELINED * len(LARGE)


@pytest.mark.usefixtures("impatient")
def test_client_that_does_not_read_is_cut_off():
    """After some time without a sign of reading the connection goes, and what was not read with it."""
    _, size = deaf(seconds=0.8, app=Large())
    assert size < PIPELINED * len(LARGE)
