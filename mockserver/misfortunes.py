"""What a fault does to an answer on its way out."""

import asyncio
from typing import Any

from mockserver.exchanges import Exchange
from mockserver.faults import Fault

RESET = "trunkmock.reset"
"""The type of the ASGI message that asks for a connection reset; only this mock's own edge understands it."""

PIECES = 10  # of an answer that drips


async def send(exchange: Exchange, fault: Fault, start: dict[str, Any], body: bytes) -> None:
    """Send an answer in the way that a fault has it."""
    # To HEAD there is no body that could be damaged.
    match "" if exchange.scope["method"] == "HEAD" and fault.transfer != "reset" else fault.transfer:
        case "reset":
            exchange.status = 0
            await exchange.send({"type": RESET})
        case "truncated":
            await exchange.send(start)
            await exchange.send(_part(body[: len(body) // 2], more=True))  # and no end
        case "drip":
            await exchange.send(start)
            await _drip(exchange, body, fault.drip_ms / 1000)
        case _:
            await exchange.send(start)
            await exchange.send(_part(body, more=False))


def malformed(body: bytes) -> bytes:
    """Give half of a body: what is left of an object without its end is no JSON."""
    return body[: len(body) // 2]


async def _drip(exchange: Exchange, body: bytes, seconds: float) -> None:
    size = max(1, -(-len(body) // PIECES))
    for at in range(0, len(body), size):
        await exchange.send(_part(body[at : at + size], more=True))
        await asyncio.sleep(seconds / PIECES)
    await exchange.send(_part(b"", more=False))


def _part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}
