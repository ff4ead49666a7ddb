"""The access log: one line a request. Beside `logging`, whose records cost more than the rest of a request together."""

import asyncio
import functools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Literal, NamedTuple

import orjson

from mockserver.redaction import scrub

LOGGER = "trunkmock.access"
LONGEST_PATH = 200
MOMENT_SECONDS = 0.02
PIPE_BYTES = 4096  # PIPE_BUF on Linux


class Entry(NamedTuple):
    """What is told of a request: nothing of its header fields, its query or its body."""

    time: float
    method: str
    path: str
    status: int
    duration_ms: float
    environment: str | None
    request_id: str
    client: str | None = None


class AccessLog:
    """Writes entries to a stream, those of a moment together."""

    def __init__(self, stream: BinaryIO, form: Literal["text", "json"]) -> None:
        self._stream = stream
        self._line: Callable[[Entry], str] = json_line if form == "json" else text_line
        self._lines: list[str] = []

    def __call__(self, entry: Entry) -> None:
        """Write an entry, soon."""
        if not self._lines:
            asyncio.get_running_loop().call_later(MOMENT_SECONDS, self.flush)
        self._lines.append(self._line(entry))

    def flush(self) -> None:
        """Write what has been collected."""
        lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            for piece in _pieces(line.encode() for line in lines):
                self._stream.write(piece)
                self._stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads the log any more; that is no reason to stop answering


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to pieces that a pipe takes whole, so that no line of another process gets into one."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > PIPE_BYTES:
            yield piece
            piece = b""
        piece += line
    yield piece


def text_line(entry: Entry) -> str:
    """Give the entry as the text log shows it."""
    return (
        f"{_stamp(int(entry.time))}.{int(entry.time % 1 * 1000):03d}Z INFO {LOGGER} "
        f"{entry.method} {_path(entry.path)} {entry.status} {entry.duration_ms:.2f} ms "
        f"{entry.environment or '-'} {entry.request_id}{f' {entry.client}' if entry.client else ''}\n"
    )


def json_line(entry: Entry) -> str:
    """Give the entry as one JSON object."""
    fields = {
        "time": f"{_stamp(int(entry.time))}.{int(entry.time % 1 * 1000):03d}Z",
        "level": "info",
        "logger": LOGGER,
        "method": entry.method,
        "path": _path(entry.path),
        "status": entry.status,
        "duration_ms": round(entry.duration_ms, 2),
        "environment": entry.environment,
        "request_id": entry.request_id,
    }
    if entry.client:
        fields["client"] = entry.client
    return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE).decode()


def _path(path: str) -> str:
    return scrub(path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}…")


@functools.lru_cache(maxsize=2)
def _stamp(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
