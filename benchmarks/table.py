"""From recorded figures to tables in Markdown: the bar and what was reached, and the mock among its peers."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import load
from servers import KINDS

WORKLOADS: Sequence[tuple[str, load.Request | Callable[[str], load.Request], int]] = (
    ("get", load.get, 16),
    ("update", load.update, 16),
    ("verify", load.verify, 16),
    ("invalid create", load.INVALID, 16),
    ("create, 1 connection", load.CREATE, 1),
    ("create, 16 connections", load.CREATE, 16),
    ("create, 64 connections", load.CREATE, 64),
)
"""What is measured: its name, the request or what makes it from a trunk's id, and the number of connections."""

CREATES = [name for name, *_ in WORKLOADS if name.startswith("create")]

Parts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the bar. `spread` are the lowest and the highest of the rounds."""

    what: str
    measured: str
    bar: str
    is_met: bool


def ratios(some: Sequence[float], others: Sequence[float]) -> list[float]:
    """Give the ratio within each round."""
    return [a / b for a, b in zip(some, others, strict=True)]


def _spread(values: Sequence[float], digits: int = 2) -> str:
    """Give the median, and the lowest and the highest."""
    median = statistics.median(values)
    if len(values) == 1:
        return f"{median:.{digits}f}"
    return f"{median:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _rates(part: Parts, workload: str, server: str) -> list[float]:
    return [sample["rate"] for sample in part["samples"][workload].get(server, [])]


def rows(parts: Parts) -> list[Row]:
    """Give the bar, as far as it was measured."""
    makers = {"requests": _of_requests, "size": _of_size, "start": _of_start, "memory": _of_memory}
    makers |= {"fixture": _of_fixture, "kit": _of_kit}
    return [row for name, maker in makers.items() if name in parts for row in maker(parts[name])]


def _at_least(what: str, values: Sequence[float], bar: float, of: str = "bare") -> Row:
    return Row(what, f"{_spread(values)} of {of}", f"at least {bar:g}", statistics.median(values) >= bar)


def _at_most(what: str, values: Sequence[float], bar: float, unit: str, digits: int = 2) -> Row:
    return Row(what, f"{_spread(values, digits)} {unit}", f"at most {bar:g}", statistics.median(values) <= bar)


def _of_requests(part: Parts) -> Iterable[Row]:
    for server, bar, more in (("mock", 0.7, ""), ("mock-quiet", 0.95, ", access log and journal off")):
        for workload in CREATES:
            if rates := _rates(part, workload, server):
                yield _at_least(f"{workload}{more}", ratios(rates, _rates(part, workload, "bare")), bar)
    for workload in ("invalid create", "get", "update", "verify"):
        if rates := _rates(part, workload, "mock"):
            yield _at_least(workload, ratios(rates, _rates(part, workload, "bare")), 0.7)


def _of_size(part: Parts) -> Iterable[Row]:
    mock, bare, sizes = part["mock"], part.get("bare"), part["sizes"]
    each = {size: [took * 1000 / size for took in mock[str(size)]["list_ms"]] for size in sizes}
    for size, before in zip(sizes, [None, *sizes], strict=False):
        beside = ""
        if bare:
            beside = f", {_spread(ratios(mock[str(size)]['list_ms'], bare[str(size)]['list_ms']))} times bare"
        growth = 1.0
        if before is not None:
            growth = statistics.median(ratios(each[size], each[before]))
            beside = f", {growth:.2f} times that of {before:,}{beside}"
        measured = f"{_spread(each[size])} µs a trunk{beside}"
        yield Row(f"list of {size:,}", measured, "no slower a trunk than a shorter one", growth <= 1.1)
    blocked = [max(found) for found in zip(*(mock[str(size)]["blocked_ms"] for size in sizes), strict=True)]
    yield _at_most("longest wait of another client during lists", blocked, 50, "ms", 0)
    few, many = str(sizes[0]), str(sizes[-1])
    for name in ("get", "update", "create and delete"):
        slower = ratios(mock[few][name], mock[many][name])
        yield _at_most(f"{name} with {sizes[-1]:,} trunks", slower, 1.2, f"times as long as with {sizes[0]:,}")
    yield _at_most("memory of a trunk", [mock["trunk_bytes"]], 2000, "bytes", 0)


def _of_start(part: Parts) -> Iterable[Row]:
    samples = part["samples"]
    mock = samples["mock"]
    if "connexion" in samples:
        compared = ratios(mock["seconds"], samples["connexion"]["seconds"])
        took = f"{statistics.median(mock['seconds']):.2f} s, {_spread(compared)} of stock Connexion"
        yield Row("process start to first 201", took, "at most 1", statistics.median(compared) <= 1)
    yield _at_most("memory after start", [rss / 1e6 for rss in mock["rss"]], 75, "MB", 1)


def _of_memory(part: Parts) -> Iterable[Row]:
    grown = (part["rss"][-1] - part["rss"][0]) / 1e6
    what = f"growth over {part['requests']:,} requests, trunks bounded"
    yield Row(what, f"{grown:+.1f} MB", "at most 1 MB", grown <= 1)


def _of_fixture(part: Parts) -> Iterable[Row]:
    for name in ("trunkmock", "trunkmock_server", "trunkmock_asgi"):
        yield _at_most(f"fixture `{name}`, after the first", [it * 1000 for it in part[name][1:]], 20, "ms", 1)


def _of_kit(part: Parts) -> Iterable[Row]:
    own, stock = part["samples"]["trunkcheck"], part["samples"]["schemathesis"]
    for key, bar, digits, unit in (("seconds", 5, 1, "s"), ("requests", 300, 0, "requests")):
        theirs = statistics.median(it[key] for it in stock)
        measured = f"{_spread([it[key] for it in own], digits)} {unit}; stock Schemathesis {theirs:,.{digits}f}"
        is_met = statistics.median(it[key] for it in own) <= bar
        yield Row(f"`trunkcheck` standard, {unit}", measured, f"at most {bar}", is_met)


def text(recorded: dict[str, Any], earlier: dict[str, Any] | None = None) -> str:
    """Give both tables, and what they were made on; with a column for what was recorded earlier, if that is given."""
    machine, parts = recorded["machine"], recorded["parts"]
    days = sorted({part["date"] for part in parts.values()})
    lines = [
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}, "
        f"load by {machine['generator']}, {' to '.join(dict.fromkeys([days[0], days[-1]]))}.",
        "Medians of the rounds; in brackets the lowest and the highest.",
        "",
        *_bar(rows(parts), {it.what: it for it in rows(earlier["parts"])} if earlier else None),
    ]
    if "requests" in parts or "start" in parts:
        lines += ["", *_peers(parts.get("requests"), parts.get("start"))]
    return "\n".join(lines)


def _bar(found: Iterable[Row], earlier: Mapping[str, Row] | None) -> list[str]:
    columns = ["what", *(["before"] if earlier is not None else []), "measured", "the bar", "met"]
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for it in found:
        before = [] if earlier is None else [earlier[it.what].measured if it.what in earlier else ""]
        lines.append("| " + " | ".join([it.what, *before, it.measured, it.bar, "yes" if it.is_met else "no"]) + " |")
    return lines


def _peers(requests: Parts | None, start: Parts | None) -> list[str]:
    """Give the table of all servers: rates as shares of the yardstick's, cold start and memory."""
    names = [*CREATES, "invalid create", "get", "update", "verify"]
    heads = [*(names if requests else ()), *(("start", "memory") if start else ())]
    lines = ["| " + " | ".join(["share of bare", *heads]) + " |", "|---" * (len(heads) + 1) + "|"]
    for kind in KINDS.values():
        cells = [_share(requests, name, kind.name) for name in names] if requests else []
        if start:
            found = start["samples"].get(kind.name)
            cells += ["", ""] if found is None else _started(found)
        if not any(cells):
            continue
        lines.append("| " + " | ".join([kind.title, *cells]) + " |")
    return lines


def _share(part: Parts, workload: str, server: str) -> str:
    rates, bare = _rates(part, workload, server), _rates(part, workload, "bare")
    if not rates or not bare:
        return ""
    share = f"{statistics.median(ratios(rates, bare)):.2f}"
    return f"{share} ({statistics.median(bare):,.0f}/s)" if server == "bare" else share


def _started(found: dict[str, list[float]]) -> list[str]:
    return [f"{statistics.median(found['seconds']):.2f} s", f"{statistics.median(found['rss']) / 1e6:.0f} MB"]
