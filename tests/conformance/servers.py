"""Small servers for the kit's tests: what answers wrongly, slowly or not at all, and a relay that can break in."""

import http.client
import socket
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@contextmanager
def raw(answer, *, wrap=None):
    """Serve each connection with `answer(connection, request)`; give the base URL. `wrap` makes a socket a TLS one."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.05)
    stop = threading.Event()

    def talk(connection):
        with suppress(OSError), connection:
            connection.settimeout(20)
            speaking = wrap(connection) if wrap else connection
            with speaking:
                while not stop.is_set():
                    request = _request(speaking)
                    if not request or answer(speaking, request) == "close":
                        return

    def accept():
        while not stop.is_set():
            with suppress(TimeoutError):
                connection, _ = listening.accept()
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    scheme = "https" if wrap else "http"
    try:
        yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/api/v1"
    finally:
        stop.set()
        thread.join()
        listening.close()


def _request(connection):
    received = b""
    while b"\r\n\r\n" not in received and received[:1] != b"\x16":  # which begins TLS
        part = connection.recv(65536)
        if not part:
            return received
        received += part
    return received


def says(text, status="200 OK", kind="application/json", *more):
    """Give an `answer` that always says the same."""
    body = text.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more, "", ""]
    head = "\r\n".join(lines).encode()

    def answer(connection, _request):
        connection.sendall(head + body)

    return answer


def closes(_connection, _request):
    """Close the connection instead of answering."""
    return "close"


def hangs(_connection, _request):
    """Take the request and say nothing."""
    time.sleep(20)
    return "close"


def drips(connection, _request):
    """Send a body a byte at a time, without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\n \r\n")
        time.sleep(0.05)


def gigabytes(connection, _request):
    """Send a body without end, as fast as it is taken."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    while True:
        connection.sendall(chunk)


@contextmanager
def relay(base_url, break_in=lambda _number, _method, _path: None):
    """Stand before a server. `break_in` gives what is answered instead: a (status, headers, body), "drop" or None.

    "drop" lets the server answer, and closes the connection without passing the answer on.
    """
    target = urlsplit(base_url)
    seen = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self):
            with suppress(ConnectionError):
                super().handle_one_request()

        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                seen.append((self.command, self.path.removeprefix(target.path)))
                number = len(seen)
            instead = break_in(number, *seen[number - 1])
            status, headers, text = instead if isinstance(instead, tuple) else self._from_target(body)
            if instead == "drop":
                self.close_connection = True
                return
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def _from_target(self, body):
            upstream = http.client.HTTPConnection(target.hostname, target.port, timeout=20)
            upstream.request(self.command, self.path, body or None, dict(self.headers))
            answer = upstream.getresponse()
            found = answer.status, answer.getheaders(), answer.read()
            upstream.close()
            return found

        def log_message(self, *_):
            pass

        def __getattr__(self, name):
            if name.startswith("do_"):
                return self.pass_on
            raise AttributeError(name)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{target.path}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
