"""Several processes on one address: a supervisor that starts them, starts anew those that die, and passes signals on.

Each has a listening socket of its own, and the kernel spreads connections over them (SO_REUSEPORT). The supervisor
holds all of these open: what waits in the queue of a process that died is answered by the one that takes its place.
Processes are started afresh and never forked, so no two of them have the same keys or random numbers.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from mockserver.metrics import Metrics
from mockserver.options import EXIT_USAGE

READY_CHECK_SECONDS = 0.05
POST_SECONDS = 1.0  # how old what others have counted may be
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds before a process is started anew
LONG_LIFE = 10.0  # seconds, after which a process has started well
PATIENCE_SECONDS = 5.0  # with a process that should have ended

log = logging.getLogger("trunkmock")


class Board:
    """A directory in which each process leaves what it has counted, under its id."""

    def __init__(self, folder: Path, metrics: Metrics) -> None:
        self._folder = folder
        self._own = folder / f"{os.getpid()}.json"
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Leave the numbers of this process there, again and again, in the loop that runs."""
        self._task = asyncio.get_running_loop().create_task(self._post())

    async def _post(self) -> None:
        draft = self._own.with_suffix(".draft")
        while True:
            with contextlib.suppress(OSError):
                draft.write_text(json.dumps(self._metrics.counted()), "utf-8")
                draft.replace(self._own)
            await asyncio.sleep(POST_SECONDS)

    def others(self) -> list[dict[str, Any]]:
        """Give what the other processes have counted, those included that have died."""
        found = []
        for path in self._folder.glob("*.json"):
            if path != self._own:
                with contextlib.suppress(OSError, ValueError):
                    found.append(json.loads(path.read_text("utf-8")))
        return found


def bury(folder: Path, pid: int) -> None:
    """Keep what a process that died has counted, except that it has no requests and connections any more."""
    path = folder / f"{pid}.json"
    with contextlib.suppress(OSError, ValueError):
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"in_flight": 0, "connections": 0}), "utf-8")


class Supervisor:
    """Runs a process for each socket. `ready` is called with what the first one says once all of them answer."""

    def __init__(
        self,
        argv: Sequence[str],
        sockets: Sequence[socket.socket],
        drain_seconds: float,
        ready: Callable[[dict[str, Any]], None],
    ) -> None:
        self._argv = argv
        self._sockets = sockets
        self._drain_seconds = drain_seconds
        self._ready = ready
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._status = 0

    async def run(self) -> int:
        """Run until a signal comes; give the exit status."""
        loop = asyncio.get_running_loop()
        self._end: asyncio.Future[int] = loop.create_future()
        with tempfile.TemporaryDirectory(prefix="trunkmock-") as folder, self._signals(loop):
            self._folder = Path(folder)
            tasks = [asyncio.create_task(self._keep(place)) for place in range(len(self._sockets))]
            tasks.append(asyncio.create_task(self._await_ready()))
            number = await self._end
            await self._stop(number)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return self._status

    def end(self, number: int = signal.SIGTERM) -> None:
        """End as this signal says; a second one waits for nobody."""
        if not self._end.done():
            self._end.set_result(number)
        else:
            self._pass_on(number)

    @contextlib.contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.end, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def _keep(self, place: int) -> None:
        """Run a process in this place, again and again."""
        pause = SHORTEST_PAUSE
        while not self._end.done():
            began = time.monotonic()
            status = await self._run_one(place)
            if self._end.done():
                return
            if status == EXIT_USAGE and not self._ready_file(place).exists():
                self._status = EXIT_USAGE  # it has said why
                self.end(signal.SIGINT)
                return
            self._ready_file(place).unlink(missing_ok=True)
            pause = SHORTEST_PAUSE if time.monotonic() - began > LONG_LIFE else min(2 * pause, LONGEST_PAUSE)
            log.error("worker %d ended with status %d; another one takes its place", place + 1, status)
            await asyncio.sleep(pause)

    async def _run_one(self, place: int) -> int:
        number = self._sockets[place].fileno()
        own = [f"--socket={number}", f"--board={self._folder}", f"--ready-file={self._ready_file(place)}"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mockserver", *self._argv, *own, "--exit-with-stdin"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            pass_fds=(number,),
        )
        self._running[place] = process
        status = await process.wait()
        del self._running[place]
        bury(self._folder, process.pid)
        return status

    def _ready_file(self, place: int) -> Path:
        return self._folder / f"{place}.ready"

    async def _await_ready(self) -> None:
        files = [self._ready_file(place) for place in range(len(self._sockets))]
        while not all(file.exists() for file in files):
            await asyncio.sleep(READY_CHECK_SECONDS)
        self._ready(json.loads(files[0].read_text("utf-8")))

    async def _stop(self, number: int) -> None:
        """Let all processes end, and see to it that they do."""
        for sock in self._sockets:
            sock.close()  # else nobody would take what still comes
        self._pass_on(number)
        deadline = time.monotonic() + PATIENCE_SECONDS + (self._drain_seconds if number == signal.SIGTERM else 0)
        while self._running and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def _pass_on(self, number: int) -> None:
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
