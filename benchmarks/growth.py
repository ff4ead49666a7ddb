"""`make bench-growth`: what a request costs as trunks, environments and connections grow; two plots in `docs/`."""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import bench
import load
import plots
import servers
from servers import Kind, Server

RESULTS = servers.HERE / "results" / "growth.json"
CONNECTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
KINDS = ("mock", "bare")

Samples = dict[str, dict[str, list[dict[str, float]]]]


def by_connections(options: argparse.Namespace) -> Samples:
    """Create over more and more connections; fresh servers in each round."""
    found: Samples = {name: {} for name in KINDS}
    for order in bench.turns(servers.chosen(KINDS), options.rounds):
        with ExitStack() as stack:
            running = [stack.enter_context(servers.running(kind)) for kind in order]
            for connections in CONNECTIONS:
                for server in running:
                    sample = server.measure(load.CREATE, connections, options.seconds)
                    found[server.kind.name].setdefault(str(connections), []).append(asdict(sample))
    return found


def by_environments(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Create in all environments in turns, with more and more of them; and the memory of each after the start."""
    found: dict[str, dict[str, Any]] = {name: {} for name in KINDS}
    for count in [size for size in bench.SIZES if size <= options.most]:
        with ExitStack() as stack:
            running = [_with_environments(stack, kind, count) for kind in servers.chosen(KINDS)]
            rss = {server.kind.name: server.rss() for server in running}
            for order in bench.turns(running, options.rounds):
                for server in order:
                    sample = server.measure(load.CREATE, 16, options.seconds, tokens=count)
                    of_count = found[server.kind.name].setdefault(str(count), {"samples": []})
                    of_count["samples"].append(asdict(sample))
            for server in running:
                found[server.kind.name][str(count)] |= {"rss": rss[server.kind.name]}
    return found


def _with_environments(stack: ExitStack, kind: Kind, count: int) -> Server:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    if kind.name == "bare":
        return stack.enter_context(servers.running(kind, environ={"BENCHMARK_ENVIRONMENTS": str(count)}))
    path = Path(folder, "environments.toml")
    tokens = [load.TOKEN, *(f"talq_benchmark_{number}" for number in range(count))]
    path.write_text("".join(_environment(number, token) for number, token in enumerate(tokens)), "utf-8")
    return stack.enter_context(servers.running(kind, f"--environments={path}"))


def _environment(number: int, token: str) -> str:
    plan = 'plan = "enterprise"\nallow_custom_sip_trunks = true'
    return f'[[environments]]\nname = "e{number}"\ntoken = "{token}"\n{plan}\n'


def draw(recorded: Mapping[str, Any]) -> list[Path]:
    """Draw what was recorded, and give the files."""
    return [_draw_state(recorded["size"], recorded["environments"]), _draw_connections(recorded["connections"])]


def _draw_state(size: Mapping[str, Any], environments: Mapping[str, Any]) -> Path:
    figure, (trunks, lists, many) = plots.panels(3)
    sizes = size["sizes"]
    for name in KINDS:
        for request, marker in (("get", "o"), ("update", "^"), ("create and delete", "x")):
            rates = [statistics.median(size[name][str(count)][request]) for count in sizes]
            style = plots.STYLES[name] | {"marker": marker}
            trunks.plot(sizes, rates, label=f"{request}, {plots.TITLES[name]}", **style)
        each = [statistics.median(size[name][str(count)]["list_ms"]) * 1000 / count for count in sizes]
        lists.plot(sizes, each, label=plots.TITLES[name], **plots.STYLES[name])
        counts = [int(count) for count in environments[name]]
        rates = [_median(of_count["samples"], "rate") for of_count in environments[name].values()]
        many.plot(counts, rates, label=plots.TITLES[name], **plots.STYLES[name])
    plots.count(trunks, sizes)
    plots.count(lists, sizes)
    plots.count(many, counts)
    plots.label(trunks, "Requests on an environment", "trunks in it", "requests a second")
    trunks.legend(frameon=False, fontsize=6, loc="lower left")
    plots.label(lists, "Listing it", "trunks in it", "µs a trunk", log=True)
    plots.label(many, "Creates in all environments in turns", "environments", "creates a second")
    return plots.save(figure, "growth-state")


def _draw_connections(found: Samples) -> Path:
    figure, (rate, wait) = plots.panels(2)
    for name in KINDS:
        counts = [int(count) for count in found[name]]
        rates = [_median(samples, "rate") for samples in found[name].values()]
        rate.plot(counts, rates, label=plots.TITLES[name], **plots.STYLES[name])
        for key, says, alpha in (("p50_ms", "half", 0.5), ("p99_ms", "99 of 100", 1.0)):
            waits = [_median(samples, key) for samples in found[name].values()]
            wait.plot(counts, waits, label=f"{says}, {plots.TITLES[name]}", alpha=alpha, **plots.STYLES[name])
    plots.count(rate, CONNECTIONS)
    plots.count(wait, CONNECTIONS)
    plots.label(rate, "Valid creates", "connections", "creates a second")
    plots.label(wait, "Answered within", "connections", "ms", log=True)
    return plots.save(figure, "growth-connections")


def _median(samples: Sequence[Mapping[str, float]], key: str) -> float:
    return statistics.median(sample[key] for sample in samples)


def main() -> None:
    """Measure, keep the figures, draw."""
    parser = argparse.ArgumentParser(prog="growth.py", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--most", type=int, default=bench.SIZES[-1], help="trunks and environments")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw what was recorded last")
    options = parser.parse_args()
    if not options.draw:
        options.only, options.most_trunks = None, options.most
        with servers.generating():
            recorded = {
                "date": servers.today(),
                "machine": servers.machine(options.seconds),
                "connections": by_connections(options),
                "environments": by_environments(options),
                "size": bench.size(options),
            }
        options.json.write_text(json.dumps(recorded, indent=1) + "\n", "utf-8")
    for path in draw(json.loads(options.json.read_text("utf-8"))):
        print(path)


if __name__ == "__main__":
    main()
