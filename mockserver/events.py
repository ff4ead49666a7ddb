"""Server-sent events (WHATWG HTML, section 9.2): the journal as it grows."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from mockserver.exchanges import Exchange
from mockserver.journal import Entry, Headers, Journal
from mockserver.requests import ENDLESS

PING_SECONDS = 15.0

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"connection", b"close"),  # the end of the connection is the end of the stream
]


async def stream(
    exchange: Exchange, headers: Headers, journal: Journal, environment: str | None, show: Callable[[Entry], Any]
) -> None:
    """Send every new entry, of one environment or of all, until the client is gone."""
    queue = await journal.follow(environment)
    gone = asyncio.ensure_future(_until_gone(exchange))
    try:
        exchange.status = 200
        exchange.scope[ENDLESS] = True
        await exchange.send({"type": "http.response.start", "status": 200, "headers": HEADERS + headers})
        await _send(exchange, b": the journal, as it grows\n\n")
        while not gone.done():
            new = asyncio.ensure_future(queue.get())
            done, _ = await asyncio.wait({gone, new}, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if new in done:
                entry = journal.open(new.result())
                await _send(exchange, b"id: %d\ndata: %b\n\n" % (entry.number, orjson.dumps(show(entry))))
            else:
                new.cancel()
                await _send(exchange, b": still here\n\n")
    finally:
        gone.cancel()
        await journal.leave(queue)


async def _send(exchange: Exchange, body: bytes) -> None:
    await exchange.send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(exchange: Exchange) -> None:
    while (await exchange.receive())["type"] != "http.disconnect":
        pass
