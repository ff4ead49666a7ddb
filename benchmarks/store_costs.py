"""`python benchmarks/store_costs.py`: what a trunk costs on a Redis server, what a request asks of it, and two workers.

Starts a redis-server of its own on a loopback port. Memory is the growth of `used_memory`; operations are those of
`commandstats`: a script is one, and what it does as well. Throughput is measured in turns. Takes about a minute.
"""

import argparse
import base64
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import redis
from load import CREATE, TRUNK, Address, measure

TRUNKS = 5_000
DIDS = 5_000
ENVIRONMENTS = 300
REQUESTS = 500
TOKEN = "talq_store_costs"  # noqa: S105 - the benchmark's own
ENVIRONMENT = f"""[[environments]]
name = "costs"
token = "{TOKEN}"
plan = "enterprise"
allow_custom_sip_trunks = true
"""


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[redis.Redis]:
    """Run a redis-server without persistence, and give a client of it."""
    port = _free_port()
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("redis-server is not on the PATH: make services")
    words = f"--port {port} --bind 127.0.0.1 --dir {folder} --appendonly no --save".split()
    process = subprocess.Popen([program, *words, ""], stdout=subprocess.DEVNULL)
    client = redis.Redis(port=port)
    try:
        for _ in range(200):
            with contextlib.suppress(redis.ConnectionError):
                client.ping()
                break
            time.sleep(0.05)
        yield client
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def mock(folder: Path, server: redis.Redis, *options: str) -> Iterator[int]:
    """Run a mock over the server, and give its port once it answers."""
    port = _free_port()
    ready, file = folder / f"ready-{port}.json", folder / "environments.toml"
    file.write_text(ENVIRONMENT)
    redis_port = server.connection_pool.connection_kwargs["port"]
    env = os.environ | {"TRUNKMOCK_KEY": base64.b64encode(bytes(range(32))).decode()}
    options = (*options, f"--port={port}", f"--ready-file={ready}", f"--environments={file}", "--log-level=warning")
    command = [sys.executable, "-m", "mockserver", f"--store=redis://127.0.0.1:{redis_port}/0", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env)
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit("the mock did not start")
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _told(server: redis.Redis, section: str, name: str) -> int:
    told: Any = server.info(section)
    return int(told[name])


def memory(server: redis.Redis, api: httpx.Client, controls: httpx.Client) -> None:
    """Print what things cost in memory."""

    def cost(what: str, count: int, requests: Iterator[tuple[httpx.Client, str, dict[str, Any]]]) -> None:
        before = _told(server, "memory", "used_memory")
        for client, path, body in requests:
            client.post(path, json=body).raise_for_status()
        grown = (_told(server, "memory", "used_memory") - before) / count
        print(f"{what:34} {grown:8.0f} bytes")

    trunk = TRUNK
    cost("a trunk", TRUNKS, ((api, "/sip-trunks", trunk) for _ in range(TRUNKS)))
    path = f"/sip-trunks/{api.post('/sip-trunks', json=trunk).json()['data']['id']}/dids"
    numbers = (f"+1202555{number:04}" for number in range(DIDS))
    cost("a DID", DIDS, ((api, path, {"country_code": "US", "number": it}) for it in numbers))
    made = ((controls, "/environments", {"name": f"e{number}"}) for number in range(ENVIRONMENTS))
    cost("an empty environment", ENVIRONMENTS, made)


def operations(server: redis.Redis, api: httpx.Client) -> None:
    """Print what each request asks of the server: commands, scripts, and time of its processor."""
    trunk = TRUNK
    path = f"/sip-trunks/{api.post('/sip-trunks', json=trunk).json()['data']['id']}"
    for what, method, target, body in (
        ("create a trunk", "POST", "/sip-trunks", trunk),
        ("get a trunk", "GET", path, None),
        ("update a trunk", "PUT", path, {"name": "x"}),
        ("verify a trunk", "POST", f"{path}/verify", None),
        ("list its DIDs", "GET", f"{path}/dids", None),
    ):
        before, began = _calls(server), _cpu_seconds(server)
        for _ in range(REQUESTS):
            api.request(method, target, json=body).raise_for_status()
        time.sleep(0.5)  # what is written afterwards belongs to it
        after, taken = _calls(server), _cpu_seconds(server) - began
        scripts = sum(after.get(name, 0) - before.get(name, 0) for name in ("evalsha", "eval"))
        total = sum(after.values()) - sum(before.values()) - 1
        micros = taken / REQUESTS * 1e6
        print(f"{what:34} {total / REQUESTS:8.1f} commands, {scripts / REQUESTS:.1f} of them scripts, {micros:4.0f} µs")


def _calls(server: redis.Redis) -> dict[str, int]:
    told: Any = server.info("commandstats")
    return {name.removeprefix("cmdstat_"): it["calls"] for name, it in told.items()}


def _cpu_seconds(server: redis.Redis) -> float:
    told: Any = server.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def throughput(folder: Path, server: redis.Redis, rounds: int) -> None:
    """Print creates a second with one and two workers, in turns, and the ratio."""
    with mock(folder, server) as one, mock(folder, server, "--workers=2") as two:
        rates: dict[int, list[float]] = {one: [], two: []}
        create = CREATE.of(TOKEN)
        for port in rates:
            measure(Address(port), create, 16, 1)
        for _ in range(rounds):
            for port, found in rates.items():
                found.append(measure(Address(port), create, 16, 1).rate)
    ratio = statistics.median(b / a for a, b in zip(rates[one], rates[two], strict=True))
    print(f"{'1 worker':34} {statistics.median(rates[one]):8.0f} creates/s")
    print(f"{'2 workers':34} {statistics.median(rates[two]):8.0f} creates/s   {ratio:.2f} of one worker")


def main() -> None:
    """Measure all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, engine(Path(name)) as server:
        folder = Path(name)
        with mock(folder, server, "--journal=0") as port:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            with (
                httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers) as api,
                httpx.Client(base_url=f"http://127.0.0.1:{port}/_mock") as controls,
            ):
                operations(server, api)  # first: whoever looks after many environments sends commands, too
                memory(server, api, controls)
        throughput(folder, server, options.rounds)


if __name__ == "__main__":
    main()
