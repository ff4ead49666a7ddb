"""`python benchmarks/throughput.py`: creates a second, the mock beside a bare Starlette app, in turns.

Both run on uvicorn with httptools and uvloop, without an access log; the mock once more with its own, and once without
its journal. Prints the median
of each and the ratio of the mock to the bare app. Loopback only; takes about half a minute.
"""

import argparse
import contextlib
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from load import run

HERE = Path(__file__).parent
BODY = json.dumps(
    {
        "name": "Primary Carrier — US",
        "provider_name": "carrier-x",
        "domain": "sip.carrier-x.example",
        "username": "user_42",
        "password": "secret-password",
        "port": 5061,
        "transport": "tls",
    },
    ensure_ascii=False,
).encode()
REQUEST = (
    b"POST /api/v1/sip-trunks HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n"
    b"Authorization: Bearer talq_your_environment_token_here\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


@contextlib.contextmanager
def server(*command: str) -> Iterator[int]:
    """Run a server on a free port, and give that once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([sys.executable, *command, "--port", str(port)], stdout=log, stderr=log, cwd=HERE)
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(5)


def _wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError("the server did not start")


def main() -> None:
    """Measure in turns, print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each server in each round")
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    bare = ("-m", "uvicorn", "bare:app", "--http=httptools", "--loop=uvloop", "--no-access-log", "--log-level=warning")
    with (
        server(*bare) as bare_port,
        server("-m", "mockserver", "--log-level=warning", "--journal=0") as plain_port,
        server("-m", "mockserver", "--log-level=warning") as quiet_port,
        server("-m", "mockserver") as logging_port,
    ):
        ports = {
            "bare Starlette": bare_port,
            "mock without journal": plain_port,
            "mock": quiet_port,
            "mock with access log": logging_port,
        }
        rates: dict[str, list[float]] = {name: [] for name in ports}
        for port in ports.values():
            run(port, REQUEST, options.connections, 0.5)
        for _ in range(options.rounds):
            for name, port in ports.items():
                count, _ = run(port, REQUEST, options.connections, options.seconds)
                rates[name].append(count / options.seconds)
    for name, found in rates.items():
        ratio = statistics.median(a / b for a, b in zip(found, rates["bare Starlette"], strict=True))
        print(f"{name:22} {statistics.median(found):8.0f} creates/s   {ratio:.2f} of bare")


if __name__ == "__main__":
    main()
