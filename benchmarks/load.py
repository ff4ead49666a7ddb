"""What is sent, and by what: wrk where it is installed, else a generator in Python, cheaper than what it measures.

`measure` sends one request again and again. `drive` lets scripts talk, each on a connection of its own, and always does
so in Python: a script needs the answer to know its next request.
"""

import http.client
import json
import selectors
import shutil
import socket
import subprocess
import time
from array import array
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httptools

LUA = Path(__file__).with_name("load.lua")
WRK = shutil.which("wrk")

TOKEN = "talq_your_environment_token_here"  # noqa: S105 - the mock's own, and public
TRUNK = {
    "name": "Primary Carrier — US",
    "provider_name": "carrier-x",
    "domain": "sip.carrier-x.example",
    "username": "user_42",
    "password": "secret-password",
    "port": 5061,
    "transport": "tls",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where an API is: a port of this machine, and the path of its base."""

    port: int
    base: str = "/api/v1"


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and the status with which it must be answered. The path is relative to the API's base."""

    method: str
    path: str
    body: bytes = b""
    expected: int = 200
    token: str = TOKEN

    def of(self, token: str) -> "Request":
        """Give the same request for another environment."""
        return replace(self, token=token)

    def encoded(self, base: str) -> bytes:
        """Give the request as it goes over the wire, with the header fields that wrk sends."""
        length = f"Content-Length: {len(self.body)}\r\n" if self.body or self.method in ("POST", "PUT") else ""
        head = (
            f"{self.method} {base}{self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {self.token}\r\n{length}\r\n"
        )
        return head.encode() + self.body


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


CREATE = Request("POST", "/sip-trunks", _json(TRUNK), 201)
INVALID = Request("POST", "/sip-trunks", _json({**TRUNK, "port": 70000, "transport": "sctp"}), 422)
LIST = Request("GET", "/sip-trunks")


def get(trunk_id: str) -> Request:
    """Give the request that reads a trunk."""
    return Request("GET", f"/sip-trunks/{trunk_id}")


def update(trunk_id: str) -> Request:
    """Give the request that changes two fields of a trunk."""
    return Request("PUT", f"/sip-trunks/{trunk_id}", _json({"name": "Primary Carrier — EU", "port": 5062}))


def verify(trunk_id: str) -> Request:
    """Give the request that verifies a trunk."""
    return Request("POST", f"/sip-trunks/{trunk_id}/verify")


def delete(trunk_id: str) -> Request:
    """Give the request that removes a trunk."""
    return Request("DELETE", f"/sip-trunks/{trunk_id}")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one stretch of load gave: requests a second, times in milliseconds, the server's CPU time for a request."""

    rate: float
    p50_ms: float
    p99_ms: float
    longest_ms: float
    cpu_us: float = 0.0


class Unexpected(RuntimeError):
    """An answer that is not the expected one: what was measured is not what was meant."""


def call(address: Address, request: Request) -> Any:
    """Send a request once, on a connection of its own, and give the answer's JSON; Unexpected."""
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=60)
    headers = {"Authorization": f"Bearer {request.token}", "Content-Type": "application/json"}
    try:
        connection.request(request.method, address.base + request.path, request.body or None, headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    _expect(request, response.status)
    return json.loads(body)


def _expect(request: Request, status: int) -> None:
    if status != request.expected:
        raise Unexpected(f"{request.method} {request.path} was answered with {status}, not {request.expected}")


def generator(seconds: float) -> str:
    """Say what `measure` sends with; wrk counts in whole seconds, less is for Python."""
    if WRK is None:
        return "Python (wrk is not installed)"
    return "wrk" if seconds >= 1 else "Python (too short for wrk)"


def measure(address: Address, request: Request, connections: int, seconds: float, tokens: int = 0) -> Sample:
    """Send a request again and again for that long; Unexpected if any answer is another than it must be.

    With `tokens`, that many environments have it in turns.
    """
    if WRK is None or seconds < 1:
        scripts = [again(request, number, tokens) for number in range(connections)]
        return summary(drive(address, scripts, seconds=seconds), seconds)
    call(address, request if not tokens else request.of("talq_benchmark_0"))
    command = [
        *(WRK, "--threads=1", f"--connections={connections}", f"--duration={round(seconds)}s", "--timeout=30s"),
        *("--script", str(LUA), f"http://127.0.0.1:{address.port}{address.base}{request.path}"),
        *("--", request.method, request.body.decode(), str(tokens) if tokens else request.token),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    refused = found["requests"] if request.expected >= 400 else 0
    if found["broken"] or found["refused"] != refused:
        raise Unexpected(f"{request.method} {request.path}: {done.stdout}")
    call(address, request if not tokens else request.of("talq_benchmark_0"))  # wrk sees no more than that it is a 4xx
    return Sample(found["requests"] / found["seconds"], found["p50_ms"], found["p99_ms"], found["longest_ms"])


Script = Generator[Request, bytes, None]
"""Gives requests, and is given the body of the answer to each; at its end, the connection is closed."""


def again(request: Request, first: int = 0, tokens: int = 0) -> Script:
    """Send a request for ever; with `tokens`, that many environments have it in turns."""
    turn = first
    while True:
        yield request.of(f"talq_benchmark_{turn % tokens}") if tokens else request
        turn += 1


def times(request: Request, count: int) -> Script:
    """Send a request so many times."""
    for _ in range(count):
        yield request


def lifecycle(token: str = TOKEN) -> Script:
    """Create, read, change, verify and remove one trunk after the other."""
    while True:
        trunk_id = json.loads((yield CREATE.of(token)))["data"]["id"]
        for request in (get(trunk_id), update(trunk_id), verify(trunk_id), get(trunk_id), delete(trunk_id)):
            yield request.of(token)


def create_and_delete(token: str) -> Script:
    """Create and remove one trunk after the other: creates that leave an environment as large as it was."""
    while True:
        trunk_id = json.loads((yield CREATE.of(token)))["data"]["id"]
        yield delete(trunk_id).of(token)


class _Talk:
    """A script on its connection."""

    def __init__(self, address: Address, script: Script) -> None:
        self._base = address.base
        self._script = script
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._is_complete = False
        self.request = next(script)
        self.socket = socket.create_connection(("127.0.0.1", address.port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._send()

    def _send(self) -> None:
        encoded = _encoded(self.request, self._base)
        self.began = time.perf_counter()
        self.socket.sendall(encoded)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._is_complete = True

    def read(self) -> bool:
        """Take what came; tell whether the answer is complete."""
        data = self.socket.recv(262144)
        if not data:
            raise Unexpected(f"{self.request.method} {self.request.path}: the server closed the connection")
        self._parser.feed_data(data)
        return self._is_complete

    def go_on(self) -> bool:
        """Send the script's next request; tell whether there is one."""
        _expect(self.request, self._parser.get_status_code())
        body, self._body, self._is_complete = b"".join(self._body), [], False
        try:
            self.request = self._script.send(body)
        except StopIteration:
            return False
        self._send()
        return True


_ENCODED: dict[tuple[Request, str], bytes] = {}


def _encoded(request: Request, base: str) -> bytes:
    """Give the request as bytes; those that come again and again are made once."""
    key = request, base
    found = _ENCODED.get(key)
    if found is None:
        if len(_ENCODED) > 1000:
            _ENCODED.clear()
        found = _ENCODED[key] = request.encoded(base)
    return found


def drive(
    address: Address,
    scripts: Sequence[Script],
    *,
    seconds: float = float("inf"),
    requests: float = float("inf"),
    every: float = float("inf"),
    note: Callable[["array[float]"], None] | None = None,
) -> "array[float]":
    """Let the scripts talk until they end, the time is up or so many are answered; give the times in seconds.

    With `note`, that is handed them every so many seconds, and they are not given again.
    """
    took, count = array("d"), 0
    with selectors.DefaultSelector() as selector:
        for script in scripts:
            talk = _Talk(address, script)
            selector.register(talk.socket, selectors.EVENT_READ, talk)
        now = time.perf_counter()
        end, due = now + seconds, now + every
        while selector.get_map() and count < requests and now < end:
            for key, _ in selector.select(1):
                talk = key.data
                if talk.read():
                    took.append(time.perf_counter() - talk.began)
                    count += 1
                    if not talk.go_on():
                        selector.unregister(talk.socket)
                        talk.socket.close()
            now = time.perf_counter()
            if note is not None and now >= due:
                note(took)
                took, due = array("d"), due + every
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return took


def summary(took: Sequence[float], seconds: float) -> Sample:
    """Give what the times of that many seconds come to; Unexpected if there are none."""
    if not took:
        raise Unexpected("nothing was answered in time")
    ordered = sorted(took)
    return Sample(
        len(ordered) / seconds,
        ordered[len(ordered) // 2] * 1000,
        ordered[int(len(ordered) * 0.99)] * 1000,
        ordered[-1] * 1000,
    )
