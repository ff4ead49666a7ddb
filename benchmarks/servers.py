"""The servers that are measured: how each is started on one core, awaited and ended, and how much memory it takes."""

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import load
import psutil

HERE = Path(__file__).parent
ROOT = HERE.parent
PRISM = HERE / "prism" / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
CONTRACT = ROOT / "openapi" / "sip-trunks.yaml"
START_SECONDS = 60.0

_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


@dataclass(frozen=True, slots=True)
class Kind:
    """A server that can be started: the command takes the port at its end; `refusal` is its status for a bad body."""

    name: str
    title: str
    command: Sequence[str]
    base: str = "/api/v1"
    refusal: int = 422
    needs: str = ""
    creates_alone: bool = False

    @property
    def missing(self) -> str:
        """What it needs and is not there."""
        if self.needs == "prism":
            return "" if shutil.which("node") and PRISM.exists() else "not installed"
        return "" if not self.needs or importlib.util.find_spec(self.needs) else "not installed"


def _uvicorn(app: str) -> list[str]:
    quiet = ("--no-access-log", "--log-level=warning")
    return [
        *(sys.executable, "-m", "uvicorn", f"--app-dir={HERE / 'peers'}", app, "--http=httptools", "--loop=uvloop"),
        *(*quiet, "--port"),
    ]


_MOCK = (sys.executable, "-m", "mockserver")
_PRISM = ("node", str(PRISM), "mock", str(CONTRACT))

BARE = Kind("bare", "bare Starlette", _uvicorn("bare:app"))
MOCK = Kind("mock", "the mock", (*_MOCK, "--port"))
KINDS = {
    kind.name: kind
    for kind in (
        BARE,
        Kind("empty", "Starlette that does nothing", _uvicorn("empty:app"), creates_alone=True),
        MOCK,
        Kind("mock-quiet", "the mock, log and journal off", (*_MOCK, "--log-level=warning", "--journal=0", "--port")),
        Kind("fastapi", "FastAPI", _uvicorn("fast:app"), needs="fastapi"),
        Kind("connexion", "stock Connexion", _uvicorn("stock_connexion:app"), refusal=400),
        Kind("prism", "Prism", (*_PRISM, "--port"), base="", needs="prism"),
        Kind("prism-quiet", "Prism, log off", (*_PRISM, "--verboseLevel=silent", "--port"), base="", needs="prism"),
    )
}


@dataclass(slots=True)
class Server:
    """A running server. `start_seconds` is from the start of its process to its first 201."""

    kind: Kind
    address: load.Address
    process: "subprocess.Popen[bytes]"
    log: Path
    start_seconds: float = 0.0
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def root_url(self) -> str:
        """The address without the API's base."""
        return f"http://127.0.0.1:{self.address.port}"

    def rss(self) -> int:
        """Give the memory it has, in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def send(self, request: load.Request) -> Any:
        """Send a request once, and give the answer."""
        return load.call(self.address, self.fitting(request))

    def measure(self, request: load.Request, connections: int, seconds: float, tokens: int = 0) -> load.Sample:
        """Send a request again and again."""
        before = self._cpu_seconds()
        sample = load.measure(self.address, self.fitting(request), connections, seconds, tokens)
        return replace(sample, cpu_us=(self._cpu_seconds() - before) * 1e6 / (sample.rate * seconds))

    def _cpu_seconds(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def fitting(self, request: load.Request) -> load.Request:
        """Give the request with the status that this server has for a bad body."""
        return replace(request, expected=self.kind.refusal) if request.expected == load.INVALID.expected else request

    def fill(self, count: int, token: str = load.TOKEN) -> None:
        """Create so many trunks, four at a time."""
        shares = [len(range(number, count, 4)) for number in range(4)]
        load.drive(self.address, [load.times(load.CREATE.of(token), share) for share in shares if share])


@contextlib.contextmanager
def _on_core(number: int) -> Iterator[None]:
    """Let this process, and what it starts, run on one core, where there is more than one and the platform lets us."""
    if len(_CORES) < 2:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_CORES[number]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def generating() -> contextlib.AbstractContextManager[None]:
    """Keep this process, and what it starts, off the servers' core."""
    return _on_core(1)


@contextlib.contextmanager
def running(kind: Kind, *options: str, environ: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a server on its core, its output in a file, from its first 201 on."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        port = _free_port()
        with log.open("wb") as output, _on_core(0):
            began = time.perf_counter()
            process = subprocess.Popen(
                [*kind.command, str(port), *options],
                stdout=output,
                stderr=output,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
            )
        server = Server(kind, load.Address(port, kind.base), process, log)
        try:
            _await(server)
            server.start_seconds = time.perf_counter() - began
            yield server
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _await(server: Server) -> None:
    """Return at the first 201; RuntimeError with the end of the log if there is none."""
    end = time.monotonic() + START_SECONDS
    while server.process.poll() is None and time.monotonic() < end:
        try:
            server.send(load.CREATE)
        except OSError:
            time.sleep(0.001)
        else:
            return
    raise RuntimeError(f"{server.kind.title} did not start: {server.log.read_text('utf-8', 'replace')[-2000:]}")


def chosen(names: Sequence[str] | None, among: Iterable[str] = KINDS) -> list[Kind]:
    """Give those that were named, or all, as far as they are installed."""
    return [KINDS[name] for name in among if (names is None or name in names) and not KINDS[name].missing]


def machine(seconds: float) -> dict[str, Any]:
    """Give what figures depend on: the machine, the interpreter, the libraries, what sends for so many seconds."""
    libraries = ("uvicorn", "starlette", "connexion", "fastapi", "orjson", "httptools", "uvloop", "schemathesis")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "generator": load.generator(seconds),
        "pinned": len(_CORES) > 1,
        "libraries": {name: _version(name) for name in libraries},
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def today() -> str:
    """Give the date, in UTC."""
    return datetime.now(UTC).date().isoformat()
