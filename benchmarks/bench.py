"""`make bench`, or `python benchmarks/bench.py`: the mock beside its peers, and beside the bar it has to reach.

Each server runs on one core, the load on another. All that is compared is measured in turns, in rounds, the order
changing from round to round, and compared within its round: what else the machine does meets all of them alike.
"""

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import load
import servers
import table
from servers import Kind, Server

RESULTS = servers.HERE / "results" / "bench.json"
WARM_UP_SECONDS = 0.3
WARM_UP_REQUESTS = 20_000  # until the journal and every cache are full
PAUSE_SECONDS = 0.003  # of the client that sees how long the event loop is blocked
SIZES = (10, 1_000, 100_000)
FIXTURES = ("trunkmock", "trunkmock_server", "trunkmock_asgi")

Part = Callable[[argparse.Namespace], dict[str, Any]]


def turns(kinds: Sequence[Any], rounds: int) -> Iterator[list[Any]]:
    """Give the order of each round: everybody begins once, then again."""
    for number in range(rounds):
        start = number % len(kinds)
        yield [*kinds[start:], *kinds[:start]]


def requests(options: argparse.Namespace) -> dict[str, Any]:
    """Send each kind of request to each server; fresh servers in each round."""
    kinds = servers.chosen(options.only)
    samples: dict[str, dict[str, list[dict[str, float]]]] = {}
    for order in turns(kinds, options.rounds):
        with ExitStack() as stack:
            running = [stack.enter_context(servers.running(kind)) for kind in order]
            ids = {server.kind.name: server.send(load.CREATE)["data"]["id"] for server in running}
            for server in running:
                server.measure(load.CREATE, 4, min(WARM_UP_SECONDS, options.seconds))
            for name, request, connections in table.WORKLOADS:
                for server in running:
                    if server.kind.creates_alone and request != load.CREATE:
                        continue
                    wanted = request(ids[server.kind.name]) if callable(request) else request
                    sample = server.measure(wanted, connections, options.seconds)
                    samples.setdefault(name, {}).setdefault(server.kind.name, []).append(asdict(sample))
    return {"seconds": options.seconds, "samples": samples}


def start(options: argparse.Namespace) -> dict[str, Any]:
    """Start each server again and again: the time to the first 201, and the memory then."""
    kinds = [
        kind
        for kind in servers.chosen(options.only)
        if not kind.missing and kind.name != "empty" and not kind.name.endswith("-quiet")
    ]
    found: dict[str, dict[str, list[float]]] = {kind.name: {"seconds": [], "rss": []} for kind in kinds}
    for number, order in enumerate(turns(kinds, options.rounds + 1)):
        for kind in order:
            with servers.running(kind) as server:
                if number:  # the first round fills the caches of the file system
                    found[kind.name]["seconds"].append(server.start_seconds)
                    found[kind.name]["rss"].append(server.rss())
    return {"samples": found}


def size(options: argparse.Namespace) -> dict[str, Any]:
    """Give environments of 10, 1,000 and 100,000 trunks to the mock and the yardstick, and see what each costs."""
    kinds = servers.chosen(options.only, ("bare", "mock"))
    sizes = [count for count in SIZES if count <= options.most_trunks]
    found: dict[str, Any] = {"sizes": sizes}
    with ExitStack() as stack:
        running = [stack.enter_context(servers.running(kind, environ=_three_environments(kind))) for kind in kinds]
        for server in running:
            found[server.kind.name] = {"trunk_bytes": _fill(server, sizes)}
        for order in turns(running, options.rounds):
            for server in order:
                _measure_sizes(server, sizes, options.seconds, found[server.kind.name])
    return found


def _three_environments(kind: Kind) -> dict[str, str]:
    return {} if kind.name.startswith("mock") else {"BENCHMARK_ENVIRONMENTS": "3"}


def _fill(server: Server, sizes: Sequence[int]) -> float:
    """Fill one environment after the other, and give the memory that a trunk of the largest takes, in bytes."""
    for number, count in enumerate(sizes):
        server.tokens[str(count)] = token = _new_environment(server, number)
        head = min(count, 2000)  # until the journal is full
        server.fill(head, token)
        before = server.rss()
        server.fill(count - head, token)
    return (server.rss() - before) / max(1, count - head)


def _new_environment(server: Server, number: int) -> str:
    if not server.kind.name.startswith("mock"):
        return f"talq_benchmark_{number}"
    address = load.Address(server.address.port, "/_mock")
    return str(load.call(address, load.Request("POST", "/environments", b"{}", 201))["data"]["token"])


def _measure_sizes(server: Server, sizes: Sequence[int], seconds: float, found: dict[str, Any]) -> None:
    for count in sizes:
        token = server.tokens[str(count)]
        trunk_id = server.send(load.LIST.of(token))["data"][count // 2]["id"]
        by_size = found.setdefault(str(count), {})

        def note(name: str, value: float, by_size: dict[str, list[float]] = by_size) -> None:
            by_size.setdefault(name, []).append(value)

        note("list_ms", statistics.median(_lists(server, token, threading.Event(), seconds)) * 1000)
        note("blocked_ms", _blocked(server, token, load.get(trunk_id).of(token), seconds) * 1000)
        for name, request in (("get", load.get(trunk_id)), ("update", load.update(trunk_id))):
            note(name, server.measure(request.of(token), 16, seconds).rate)
        pairs = load.drive(server.address, [load.create_and_delete(token) for _ in range(16)], seconds=seconds)
        note("create and delete", len(pairs) / seconds)


def _lists(server: Server, token: str, end: threading.Event, seconds: float) -> list[float]:
    """Have the list again and again, and give how long each took."""
    connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=60)
    took: list[float] = []
    stop = time.perf_counter() + seconds
    while not took or not (end.is_set() or time.perf_counter() > stop):
        began = time.perf_counter()
        connection.request("GET", f"{server.address.base}/sip-trunks", headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        while response.read(1 << 20):
            pass
        took.append(time.perf_counter() - began)
    connection.close()
    return took


def _blocked(server: Server, token: str, small: load.Request, seconds: float) -> float:
    """Give the longest that a small request waits, in seconds, while another client has lists made."""
    end = threading.Event()
    other = threading.Thread(target=_lists, args=(server, token, end, 3600.0))
    connection = http.client.HTTPConnection("127.0.0.1", server.address.port, timeout=60)
    headers = {"Authorization": f"Bearer {small.token}"}
    longest = 0.0
    other.start()
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        began = time.perf_counter()
        connection.request(small.method, server.address.base + small.path, headers=headers)
        connection.getresponse().read()
        longest = max(longest, time.perf_counter() - began)
        time.sleep(PAUSE_SECONDS)
    end.set()
    other.join()
    connection.close()
    return longest


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """Send many requests to the mock with never more than 16 trunks, and see whether it grows."""
    count = 1_000_000 if options.full else options.requests
    rss: list[int] = []
    sent = 0

    def note(times: Sequence[float]) -> None:
        nonlocal sent
        sent += len(times)
        if sent > WARM_UP_REQUESTS:
            rss.append(server.rss())

    with servers.running(servers.MOCK) as server:
        scripts = [load.lifecycle() for _ in range(16)]
        load.drive(server.address, scripts, requests=WARM_UP_REQUESTS + count, every=0.5, note=note)
        rss.append(server.rss())
    return {"requests": count, "rss": rss}


def fixture(options: argparse.Namespace) -> dict[str, Any]:
    """Run tests with each fixture of the pytest plugin, and give what set-up and tear-down took, in seconds."""
    return {name: _fixture_seconds(name, options.tests) for name in FIXTURES}


def _fixture_seconds(name: str, count: int) -> list[float]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "conftest.py").write_text(
            "seconds = {}\n"
            "def pytest_runtest_logreport(report):\n"
            "    assert report.passed\n"
            "    if report.when != 'call':\n"
            "        seconds[report.nodeid] = seconds.get(report.nodeid, 0) + report.duration\n"
            "def pytest_unconfigure():\n"
            "    print('seconds', list(seconds.values()))\n",
            "utf-8",
        )
        Path(folder, "test_it.py").write_text(
            f"import pytest\n@pytest.mark.parametrize('number', range({count}))\ndef test_it({name}, number): pass\n",
            "utf-8",
        )
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout.rpartition("seconds ")[2])
    return found


def kit(options: argparse.Namespace) -> dict[str, Any]:
    """Judge the mock with the kit and with stock Schemathesis: seconds of the whole process, and requests."""
    found: dict[str, list[dict[str, float]]] = {}
    for order in turns(("trunkcheck", "schemathesis"), min(options.rounds, options.kit_rounds)):
        for name in order:
            with servers.running(servers.MOCK) as server, tempfile.TemporaryDirectory() as folder:
                before = _answered(server)
                began = time.perf_counter()
                told = _judge(name, server, folder)
                seconds = time.perf_counter() - began
                requests = _answered(server) - before
                if requests < 100:
                    raise RuntimeError(f"{name} judged nothing: {told}")
                found.setdefault(name, []).append({"seconds": seconds, "requests": requests})
    return {"samples": found}


def _judge(name: str, server: Server, folder: str) -> str:
    if name == "trunkcheck":
        command = [sys.executable, "-m", "conformance", f"{server.root_url}/api/v1"]
    else:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.root_url}/openapi.json"]
        command += ["--header", f"Authorization: Bearer {load.TOKEN}"]
    tokens = {
        "TRUNKCHECK_TOKEN": load.TOKEN,
        "TRUNKCHECK_OTHER_TOKEN": "talq_another_environment_token_here",
        "TRUNKCHECK_NO_PLAN_TOKEN": "talq_token_without_the_feature_here",
    }
    environ = {**os.environ, **tokens, "PYTHONPATH": str(servers.ROOT)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def _answered(server: Server) -> int:
    """Count what the mock has answered, by its own log, which it writes some milliseconds later."""
    time.sleep(0.2)
    return len(re.findall(r" INFO trunkmock\.access ", server.log.read_text("utf-8")))


PARTS: dict[str, Part] = {part.__name__: part for part in (requests, start, size, memory, fixture, kit)}


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if not set(names) <= set(known):
            raise argparse.ArgumentTypeError("must be names out of " + ",".join(known))
        return names

    return parse


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.py", description="Measure the mock beside its peers.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each server, each request and round")
    parser.add_argument("--only", metavar="NAMES", type=_names(servers.KINDS), help="of " + ",".join(servers.KINDS))
    parser.add_argument(
        "--parts", metavar="NAMES", default=list(PARTS), type=_names(PARTS), help="of " + ",".join(PARTS)
    )
    parser.add_argument("--full", action="store_true", help="a million requests instead of --requests, for the memory")
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--tests", type=int, default=30, help="with each fixture")
    parser.add_argument("--kit-rounds", type=int, default=3)
    parser.add_argument("--most-trunks", type=int, default=SIZES[-1])
    parser.add_argument("--json", type=Path, default=RESULTS, help="where the figures go (default: %(default)s)")
    parser.add_argument("--show", action="store_true", help="measure nothing, print what was recorded last")
    parser.add_argument("--beside", metavar="JSON", type=Path, help="show these earlier figures as well")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Measure, keep the figures, print the tables. Parts that are not measured anew stay as they were recorded."""
    options = _options(argv)
    recorded = json.loads(options.json.read_text("utf-8")) if options.json.exists() else {"parts": {}}
    if not options.show:
        with servers.generating():
            for name in options.parts:
                began = time.perf_counter()
                found = PARTS[name](options)
                recorded["parts"][name] = {"date": servers.today(), "rounds": options.rounds, **found}
                print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        recorded["machine"] = servers.machine(options.seconds)
        options.json.write_text(json.dumps(recorded, indent=1) + "\n", "utf-8")
    earlier = json.loads(options.beside.read_text("utf-8")) if options.beside else None
    print(table.text(recorded, earlier))


if __name__ == "__main__":
    main()
