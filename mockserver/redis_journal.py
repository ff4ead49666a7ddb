"""The journal on a Redis server: a stream for each environment, and a channel on which new requests are told.

A request is put there after it was answered, some milliseconds later, and sealed as a whole. Its number is the time at
which the server took it, in milliseconds, and its place in that one: it grows, and is the same for all replicas. While
the server cannot be used, the last `MOST_WAITING` wait; older ones are lost, which delays and refuses nothing.
"""

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import orjson

from mockserver.engine import NO_ENVIRONMENT, Engine, Script, key
from mockserver.errors import ServiceUnavailable
from mockserver.journal import EVERYTHING, NOBODY, QUEUE, SIZE, Entry, Kept, Reader, Selection, hand
from mockserver.redaction import BadKey, Seal

BATCH = 100  # requests that are put there, or fetched, at once
MOST_WAITING = 10_000
EXACT_BELOW = 200  # entries; a longer stream may have up to a hundred more than it should, and costs less
AGAIN_SECONDS = 1.0

_KEEP = Script("""
local stream, channel, box, most, exact = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local id = redis.call('XADD', stream, 'MAXLEN', exact, most, '*', 'e', box)
redis.call('PUBLISH', channel, id .. ' ' .. box)
""")

log = logging.getLogger("trunkmock.store")


class RedisJournal:
    """The journal on a server. `names` gives the environments there are."""

    def __init__(self, engine: Engine, seal: Seal, names: Callable[[], Awaitable[list[str]]], size: int = SIZE) -> None:
        self._engine = engine
        self._seal = seal
        self._names = names
        self._size = size
        self.is_on = size > 0
        self.numbers: Iterator[int] = itertools.repeat(0)
        self.reader: Reader | None = None
        self._waiting: deque[tuple[Kept, int]] = deque(maxlen=MOST_WAITING)
        self._sending: asyncio.Task[None] | None = None
        self._followers: dict[asyncio.Queue[Kept], asyncio.Task[None]] = {}

    def keep(self, new: Kept, most: int | None = None) -> None:
        """Keep a request, soon, and no more than `most` of its environment; hand it to whoever follows, anywhere."""
        size = self._size if most is None or most > self._size else most
        if size:
            self._waiting.append((new, size))
            if self._sending is None or self._sending.done():
                self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            batch = list(itertools.islice(self._waiting, BATCH))
            try:
                await self._engine.run_all(_KEEP, [self._call(kept, size) for kept, size in batch])
            except ServiceUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            except Exception:
                log.exception("%d requests could not be put into the journal", len(batch))
            for one in batch:
                if self._waiting and self._waiting[0] is one:
                    self._waiting.popleft()

    def _call(self, kept: Kept, size: int) -> tuple[list[str], list[Any]]:
        stream = _stream(kept.environment or NOBODY)
        return [stream], [stream, self._seal.lock(_dumped(kept)), size, "=" if size < EXACT_BELOW else "~"]

    async def read(self, selection: Selection = EVERYTHING) -> list[Entry]:
        """Give the entries that fit, oldest first; those that other replicas have just answered may be missing."""
        found = sorted((kept for kept, _ in await self._select(selection)), key=lambda kept: (kept.number, kept.time))
        return [
            self.open(kept) for kept in found
        ]  # in this order: a secret out of its place is looked for from then on

    async def page(self, environment: str, selection: Selection, skip: int, most: int) -> tuple[list[Entry], int]:
        """Give some of an environment's entries that fit, newest first, and how many fit in all."""
        await self._settle()
        total = 0
        found: list[Kept] = []
        has_all = selection == EVERYTHING
        async for kept, _ in self._of(environment):
            if selection.fits(kept):
                if skip <= total < skip + most:
                    found.append(kept)
                total += 1
            if has_all and total >= skip + most:
                total = min(int(await self._engine.call("XLEN", _stream(environment))), self._size)
                break
        return [self.open(kept) for kept in reversed(found)][::-1], total

    async def find(self, environment: str, request_id: str) -> Entry | None:
        """Give one request of an environment."""
        await self._settle()
        async for kept, _ in self._of(environment):
            if kept.request_id == request_id:
                return self.open(kept)
        return None

    def open(self, kept: Kept) -> Entry:
        """Give what is kept of a request as it may be shown."""
        assert self.reader is not None  # noqa: S101 - whoever keeps has set it
        return self.reader.entry(kept)

    async def clear(self, selection: Selection = EVERYTHING) -> int:
        """Forget the entries that fit; tell how many they were."""
        if selection.environment and selection == Selection(selection.environment):
            await self._settle()
            count = int(await self._engine.call("XLEN", _stream(selection.environment)))
            await self._engine.call("UNLINK", _stream(selection.environment))
            return count
        found = await self._select(selection)
        by_stream: dict[str, list[bytes]] = {}
        for kept, place in found:
            by_stream.setdefault(_stream(kept.environment or NOBODY), []).append(place)
        for stream, places in by_stream.items():
            await self._engine.call("XDEL", stream, *places)
            if not await self._engine.call("XLEN", stream):
                await self._engine.call("UNLINK", stream)
        return len(found)

    async def follow(self, environment: str | None) -> asyncio.Queue[Kept]:
        """Give a queue that gets every new request, of one environment or of all, until `leave`."""
        queue: asyncio.Queue[Kept] = asyncio.Queue(QUEUE)
        told = self._engine.messages(_stream(environment or NO_ENVIRONMENT))
        await anext(told)  # from now on, nothing is missed
        self._followers[queue] = asyncio.get_running_loop().create_task(self._pass_on(told, queue))
        return queue

    async def leave(self, queue: asyncio.Queue[Kept]) -> None:
        """Put nothing more into the queue."""
        self._followers.pop(queue).cancel()

    async def _pass_on(self, told: AsyncGenerator[bytes, None], queue: asyncio.Queue[Kept]) -> None:
        async with contextlib.aclosing(told):
            async for message in told:
                place, _, box = message.partition(b" ")
                for kept in self._opened(place, box):
                    hand(kept, queue)

    async def _select(self, selection: Selection) -> list[tuple[Kept, bytes]]:
        """Give the requests that fit, and each one's place in its stream."""
        await self._settle()
        names = [selection.environment] if selection.environment else [*await self._names(), NOBODY]
        return [pair for name in names async for pair in self._of(name) if selection.fits(pair[0])]

    async def _settle(self) -> None:
        """Put there what still waits."""
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=AGAIN_SECONDS)

    async def _of(self, name: str) -> AsyncIterator[tuple[Kept, bytes]]:
        """Give the requests of an environment, the last one first, as many as there may be."""
        end, left = b"+", self._size
        while left > 0:
            page = await self._engine.call("XREVRANGE", _stream(name), end, "-", "COUNT", min(BATCH, left))
            for place, members in page:
                for kept in self._opened(place, members[b"e"]):
                    yield kept, place
            if len(page) < BATCH:
                return
            left -= len(page)
            end = b"(" + page[-1][0]

    def _opened(self, place: bytes, box: bytes) -> list[Kept]:
        """Give a request, or none if it was sealed under a key that is not there any more."""
        try:
            return [_kept(_number(place), self._seal.unlock(box))]
        except BadKey:
            return []


def _stream(environment: str) -> str:
    """Give the key of a stream, which is the name of its channel as well; `*` stands for all of them there."""
    return key(environment, "journal")


def _number(place: bytes) -> int:
    milliseconds, _, count = place.partition(b"-")
    return int(milliseconds) * 1000 + min(int(count), 999)


_PLAIN = ("time", "duration_ms", "environment", "operation", "method", "body_bytes", "status", "request_id", "code")


def _dumped(kept: Kept) -> bytes:
    members: dict[str, Any] = {name: getattr(kept, name) for name in _PLAIN}
    return orjson.dumps(
        {
            **members,
            "request": kept.request.decode("latin-1"),
            "answer_headers": [[name.decode("latin-1"), it.decode("latin-1")] for name, it in kept.answer_headers],
            "answer": kept.answer.decode("latin-1"),
            "errors": dict(kept.errors),
            "misfortune": kept.misfortune and dict(kept.misfortune),
            "is_faked": kept.is_faked,
        }
    )


def _kept(number: int, text: bytes) -> Kept:
    members = orjson.loads(text)
    members["request"] = members["request"].encode("latin-1")
    members["answer"] = members["answer"].encode("latin-1")
    headers = members["answer_headers"]
    members["answer_headers"] = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return Kept(number, **members)
