"""`make bench-company`: how long a well-behaved client waits beside others that behave badly."""

import argparse
import contextlib
import json
import multiprocessing
import os
import resource
import selectors
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bench
import load
import servers
from servers import Server

RESULTS = servers.HERE / "results" / "company.json"
SLOW_CLIENTS = 50
IDLE_CONNECTIONS = 1000
FLOODING = 4
FLOOD_BYTES = 100_000
FILES = 8192

Misbehaviour = Callable[[int, Any], None]


def slow(port: int, ready: Any) -> None:
    """Send a create a byte a second, over each of 50 connections."""
    encoded = load.CREATE.encoded("/api/v1")
    places: dict[socket.socket, int] = {_connection(port): 0 for _ in range(SLOW_CLIENTS)}
    ready.set()
    while True:
        for sock, place in list(places.items()):
            try:
                sock.send(encoded[place : place + 1])
                places[sock] = place + 1
            except OSError:  # it took too long for the server
                sock.close()
                del places[sock]
                places[_connection(port)] = 0
            time.sleep(1 / SLOW_CLIENTS)


def idle(port: int, ready: Any) -> None:
    """Hold 1,000 connections and say nothing."""
    kept = [_connection(port) for _ in range(IDLE_CONNECTIONS)]
    ready.set()
    while kept:
        time.sleep(60)


def flood(port: int, ready: Any) -> None:
    """Send bodies of 100 kB over four connections, as fast as they are answered; a new one where it is closed."""
    body = load.CREATE.body.replace(b"Primary", b"P" * FLOOD_BYTES)
    encoded = load.Request("POST", "/sip-trunks", body).encoded("/api/v1")
    os.nice(10)  # what it takes of the generator's core is not to be seen as the server's slowness
    with selectors.DefaultSelector() as selector:
        for _ in range(FLOODING):
            selector.register(_sending(port, encoded), selectors.EVENT_READ)
        ready.set()
        while True:
            for key, _ in selector.select():
                sock: Any = key.fileobj
                try:
                    if sock.recv(65536):
                        sock.sendall(encoded)
                        continue
                except OSError:
                    pass
                selector.unregister(sock)
                sock.close()
                selector.register(_sending(port, encoded), selectors.EVENT_READ)


def _connection(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def _sending(port: int, encoded: bytes) -> socket.socket:
    sock = _connection(port)
    with contextlib.suppress(OSError):  # refused before all of it was sent
        sock.sendall(encoded)
    return sock


COMPANY: Mapping[str, Misbehaviour | None] = {
    "alone": None,
    f"beside {SLOW_CLIENTS} clients that send a byte a second": slow,
    f"beside {IDLE_CONNECTIONS:,} idle connections": idle,
    f"beside a flood of bodies of {FLOOD_BYTES // 1000} kB": flood,
}


@contextlib.contextmanager
def _beside(misbehaviour: Misbehaviour | None, port: int) -> Iterator[None]:
    if misbehaviour is None:
        yield
        return
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=misbehaviour, args=(port, ready), daemon=True)
    process.start()
    try:
        if not ready.wait(30):
            raise RuntimeError(f"{misbehaviour.__name__} did not begin")
        yield
    finally:
        process.kill()
        process.join()


def _well_behaved(server: Server, seconds: float) -> dict[str, float]:
    """Create, read, change, verify and remove a trunk, one request after the other, and tell how long it waited."""
    found = load.summary(load.drive(server.address, [load.lifecycle()], seconds=seconds), seconds)
    return {"p50_ms": found.p50_ms, "p99_ms": found.p99_ms, "longest_ms": found.longest_ms}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure each company with each server, in turns."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for order in bench.turns(servers.chosen(("mock", "bare")), options.rounds):
        for says, misbehaviour in COMPANY.items():
            for kind in order:
                with servers.running(kind) as server, _beside(misbehaviour, server.address.port):
                    samples = found.setdefault(kind.name, {}).setdefault(says, [])
                    samples.append(_well_behaved(server, options.seconds))
    return found


def text(found: Mapping[str, Any]) -> str:
    """Give the table in Markdown: medians of the rounds."""
    lines = [
        "| a well-behaved client | the mock: p50 | p99 | longest | bare Starlette: p50 | p99 | longest |",
        "|---|---|---|---|---|---|---|",
    ]
    for says in COMPANY:
        cells = [
            f"{statistics.median(sample[key] for sample in found[name][says]):.2f} ms"
            for name in ("mock", "bare")
            for key in ("p50_ms", "p99_ms", "longest_ms")
        ]
        lines.append("| " + " | ".join([says, *cells]) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, keep the figures, print the table."""
    parser = argparse.ArgumentParser(prog="company.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))  # the servers have it from here
    with servers.generating():
        found = measure(options)
        recorded = {"date": servers.today(), "machine": servers.machine(0), "samples": found}
    options.json.write_text(json.dumps(recorded, indent=1) + "\n", "utf-8")
    print(text(found))


if __name__ == "__main__":
    main()
