"""What the tests of the mock say to it: over HTTP with httpx, and byte by byte over a socket."""

import socket
import time

import httpx

from mockserver.environments import BUILT_IN

FIRST, SECOND, WITHOUT_FEATURE = BUILT_IN
GONE = "00000000-0000-4000-8000-000000000000"  # the id of no trunk and no DID
LIMIT_HEADERS = {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}


def trunk(**changes):
    """A good request body with changes; `...` takes a field away."""
    fields = {
        "name": "Primary Carrier — US",
        "provider_name": "carrier-x",
        "domain": "sip.carrier.example",
        "username": "user_42",
        "password": "secret-password",
    }
    return {name: value for name, value in (fields | changes).items() if value is not ...}


class Api(httpx.Client):
    """A client of one environment."""

    def __init__(self, base_url, token=FIRST):
        super().__init__(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=10)

    def create(self, **changes):
        """Create a trunk and give its path."""
        answer = self.post("/sip-trunks", json=trunk(**changes))
        assert answer.status_code == 201, answer.text
        return f"/sip-trunks/{answer.json()['data']['id']}"

    def verified(self, **changes):
        """Create a trunk, verify it, make it active, and give its path."""
        path = self.create(**changes)
        assert self.post(f"{path}/verify").json()["success"]
        assert self.put(path, json={"is_active": True}).json()["data"]["is_active"]
        return path

    def read(self, path):
        """Give what is told of a trunk."""
        return self.get(path).json()["data"]

    def number(self, path, number, country_code="US"):
        """Put a number on a trunk and give the answer."""
        return self.post(f"{path}/dids", json={"country_code": country_code, "number": number})


def refused(answer):
    """Give status and code of a refusal, after a look at its envelope."""
    envelope = answer.json()
    assert envelope["success"] is False
    assert envelope["message"]
    assert envelope.keys() <= {"success", "message", "code", "errors"}
    return answer.status_code, envelope["code"]


def exchange(port, *pieces, pause=0.0, half_close=False, patience=2.0):
    """Send pieces, give all that comes back until the server closes; TimeoutError after `patience` seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        came = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server has said all it wants to; what it said is read below
        try:
            while piece := connection.recv(65536):
                came += piece
        except ConnectionResetError:
            pass
    return came


def raw(method=b"POST", path=b"/api/v1/sip-trunks", *fields, body=b"", token=FIRST):
    """Give the bytes of a request, with a Content-Length, that asks to close the connection."""
    lines = [
        b"%b %b HTTP/1.1" % (method, path),
        b"Host: x",
        b"Connection: close",
        b"Authorization: Bearer " + token.encode(),
        *(fields or [b"Content-Type: application/json"]),
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
