"""A load generator that costs less than what it measures: prepared bytes over non-blocking sockets and one selector."""

import selectors
import socket
import time


def run(port: int, request: bytes, connections: int, seconds: float) -> tuple[int, list[float]]:
    """Send the request again and again over that many connections; give the answers counted and their times in seconds.

    Raises RuntimeError at the first answer that is not a 2xx.
    """
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, [time.perf_counter(), b""])
        connection.send(request)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(1):
            began, before = key.data
            answer = before + key.fileobj.recv(65536)  # type: ignore[union-attr]
            if not _is_complete(answer):
                key.data[1] = answer
                continue
            if answer[9:10] != b"2":
                raise RuntimeError(f"answered {answer[:60]!r}")
            times.append(now - began)
            key.data[:] = time.perf_counter(), b""
            key.fileobj.send(request)  # type: ignore[union-attr]
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    selector.close()
    return len(times), times


def _is_complete(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        if not answer:
            raise RuntimeError("the server closed the connection")
        return False
    at = answer.find(b"content-length: ") + 16
    return len(answer) >= head + 4 + int(answer[at : answer.index(b"\r", at)])
