"""`make bench-soak`: ten minutes at full load with never more than 16 trunks; memory and latency over time, plotted."""

import argparse
import json
import time
from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import load
import plots
import servers

RESULTS = servers.HERE / "results" / "soak.json"
CONNECTIONS = 16


def soak(minutes: float, every: float) -> list[dict[str, float]]:
    """Load the mock for so many minutes; give time, rate, p50, p99, longest wait and memory, every so many seconds."""
    points: list[dict[str, float]] = []
    with servers.running(servers.MOCK) as server:
        began = time.perf_counter()

        def note(times: "array[float]") -> None:
            found = load.summary(times, every)
            points.append(
                {
                    "minute": (time.perf_counter() - began) / 60,
                    "rate": found.rate,
                    "p50_ms": found.p50_ms,
                    "p99_ms": found.p99_ms,
                    "longest_ms": found.longest_ms,
                    "rss": server.rss(),
                }
            )

        scripts = [load.lifecycle() for _ in range(CONNECTIONS)]
        load.drive(server.address, scripts, seconds=minutes * 60 + every / 2, every=every, note=note)
    return points


def draw(recorded: Mapping[str, Any]) -> Path:
    """Draw what was recorded."""
    points = recorded["points"]
    minutes = [point["minute"] for point in points]
    figure, (waits, memory) = plots.panels(2)
    for key, says, color in (("p50_ms", "half", "#7fb2dc"), ("p99_ms", "99 of 100", "#0b5fa5")):
        waits.plot(minutes, [point[key] for point in points], label=says, color=color)
    memory.plot(minutes, [point["rss"] / 1e6 for point in points], color="#0b5fa5")
    millions = sum(point["rate"] for point in points) * recorded["every"] / 1e6
    plots.label(waits, "Answered within", "minutes", "ms")
    plots.label(memory, f"Memory over {millions:.1f} million requests", "minutes", "MB")
    return plots.save(figure, "soak")


def main() -> None:
    """Load, keep the figures, draw."""
    parser = argparse.ArgumentParser(prog="soak.py", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="between two points")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--draw", action="store_true", help="measure nothing, draw what was recorded last")
    options = parser.parse_args()
    if not options.draw:
        with servers.generating():
            points = soak(options.minutes, options.every)
            machine = servers.machine(0)
        recorded = {"date": servers.today(), "machine": machine, "every": options.every, "points": points}
        options.json.write_text(json.dumps(recorded, indent=1) + "\n", "utf-8")
    recorded = json.loads(options.json.read_text("utf-8"))
    first, last = recorded["points"][0], recorded["points"][-1]
    print(draw(recorded))
    for key, says in (("rss", "bytes of memory"), ("p99_ms", "ms for 99 of 100"), ("rate", "requests a second")):
        print(f"{says}: {first[key]:,.1f} at first, {last[key]:,.1f} at last")


if __name__ == "__main__":
    main()
