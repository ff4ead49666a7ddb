"""`make bench-profile`: where the microseconds of one request go, stage by stage.

py-spy looks at the loaded server from outside, a few hundred times a second, which slows it hardly; cProfile would
count calls and make the small functions look dear. Each sample is the stage's whose module is the innermost of the
mock's on the stack: what a stage calls in a library is its own. The shares are of the processor time of a request,
measured without py-spy just before.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import load
import servers
from servers import Server

RESULTS = servers.HERE / "results" / "profile.json"
REST = "event loop, sockets, the system"
STAGES = {
    "edge": "HTTP: reading the request",
    "cycle": "HTTP: body, head of the answer",
    "cycle.Cycle.send": "HTTP: the answer into the socket",
    "lingering": "HTTP: the answer into the socket",
    "app": "wiring, the answer's JSON and header fields",
    "routing": "finding the operation",
    "requests": "credentials, media type, body",
    "environments": "token to environment",
    "limits": "rate limit",
    "bodies": "checking the body",
    "redaction": "secrets: sealing them, looking for them",
    "handlers": "the operation",
    "trunks": "the operation",
    "store": "the operation",
    "carrier": "the operation",
    "clock": "id and time",
    "exchanges": "journal",
    "journal": "journal",
    "access_log": "access log",
    "errors": "the refusal",
}
_FRAME = re.compile(r"(.*) \((.*?)(?::\d+)?\)")
_PACKAGE = str(servers.ROOT / "mockserver")


def sampled(server: Server, request: load.Request, seconds: int, rate: int) -> Counter[tuple[str, str]]:
    """Count samples of the loaded server by module and function, both empty for what is none of the mock's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stacks")
        loading = threading.Thread(target=server.measure, args=(request, 16, seconds + 2))
        loading.start()
        command = [
            *(
                str(Path(sys.executable).with_name("py-spy")),
                "record",
                f"--pid={server.process.pid}",
                f"--duration={seconds}",
                f"--rate={rate}",
            ),
            *("--format=raw", "--full-filenames", f"--output={path}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        loading.join()
        if done.returncode:
            raise SystemExit(f"py-spy: {done.stderr.strip()} (macOS wants it run by root)")
        return count(path.read_text("utf-8").splitlines())


def count(lines: Iterable[str]) -> Counter[tuple[str, str]]:
    """Count stacks, one a line, outermost frame first, by the innermost module and function of the mock's."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        stack, _, number = line.rpartition(" ")
        found[_innermost(stack.split(";"))] += int(number)
    return found


def _innermost(frames: list[str]) -> tuple[str, str]:
    for frame in reversed(frames):
        match = _FRAME.fullmatch(frame)
        if match and match[2].startswith(_PACKAGE) and not match[2].endswith("__main__.py"):
            return Path(match[2]).stem, match[1]
    return "", ""


def by_stage(samples: Mapping[tuple[str, str], int], cpu_us: float) -> dict[str, float]:
    """Give the microseconds of each stage, the dearest first."""
    total: Counter[str] = Counter()
    for (module, function), number in samples.items():
        stage = STAGES.get(f"{module}.{function}") or STAGES.get(module, module)
        total[stage or REST] += number
    whole = total.total()
    return {stage: cpu_us * number / whole for stage, number in total.most_common()}


def text(recorded: Mapping[str, Any]) -> str:
    """Give the table in Markdown, a column for each recorded profile: shares, for a machine is not always as fast."""
    profiles = recorded.values()
    stages = list(dict.fromkeys(stage for profile in profiles for stage in profile["stages"]))
    lines = ["| % of what bare Starlette takes | " + " | ".join(recorded) + " |", "|---" * (len(recorded) + 1) + "|"]
    for stage in stages:
        lines.append(_row(stage, [100 * it["stages"].get(stage, 0) / it["bare_cpu_us"] for it in profiles], "{:.1f}"))
    lines.append(_row("**the mock**", [100 * it["cpu_us"] / it["bare_cpu_us"] for it in profiles]))
    lines.append(_row("the mock, µs", [it["cpu_us"] for it in profiles]))
    lines.append(_row("bare Starlette in the same run, µs", [it["bare_cpu_us"] for it in profiles]))
    return "\n".join(lines)


def _row(what: str, values: Iterable[float], form: str = "{:.0f}") -> str:
    return f"| {what} | " + " | ".join(map(form.format, values)) + " |"


def main() -> None:
    """Measure, keep the figures, print the table."""
    parser = argparse.ArgumentParser(prog="profile_request.py", description=__doc__)
    parser.add_argument("--of", default="create", choices=("create", "invalid", "get", "update", "verify"))
    parser.add_argument("--as", dest="name", default="now", help="column under which it is kept (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=300, help="samples a second")
    parser.add_argument("--functions", type=int, default=0, metavar="N", help="print the N dearest functions as well")
    parser.add_argument("--json", type=Path, default=RESULTS)
    options = parser.parse_args()
    with servers.generating(), servers.running(servers.MOCK) as server, servers.running(servers.BARE) as bare:
        trunk_id = server.send(load.CREATE)["data"]["id"]
        made = {"get": load.get, "update": load.update, "verify": load.verify}
        plain = {"create": load.CREATE, "invalid": load.INVALID}
        request = plain.get(options.of) or made[options.of](trunk_id)
        other = plain.get(options.of) or made[options.of](bare.send(load.CREATE)["data"]["id"])
        costs = [(server.measure(request, 16, 1).cpu_us, bare.measure(other, 16, 1).cpu_us) for _ in range(7)]
        cpu_us, bare_cpu_us = sorted(costs, key=lambda both: both[0] / both[1])[len(costs) // 2]
        samples = sampled(server, request, options.seconds, options.rate)
    recorded = json.loads(options.json.read_text("utf-8")) if options.json.exists() else {}
    stages = by_stage(samples, cpu_us)
    profile = {"date": servers.today(), "machine": servers.machine(1), "cpu_us": cpu_us, "bare_cpu_us": bare_cpu_us}
    recorded.setdefault(options.of, {})[options.name] = profile | {"stages": stages}
    options.json.write_text(json.dumps(recorded, indent=1) + "\n", "utf-8")
    print(text(recorded[options.of]))
    for (module, function), number in samples.most_common(options.functions):
        print(f"{cpu_us * number / samples.total():6.1f} µs  {module or REST} {function}")


if __name__ == "__main__":
    main()
