"""A mock of the SIP trunk API: the contract's operations over state in memory.

For tests in Python: `with mockserver.running() as mock:`, or the fixtures of `mockserver.testing`.
"""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockserver.inprocess import MockApp, MockServer


def running(**options: Any) -> "AbstractContextManager[MockServer]":
    """Run a mock on a free loopback port, in a thread, for as long as the block lasts; see `inprocess.running`."""
    from mockserver import inprocess

    return inprocess.running(**options)


def asgi(**options: Any) -> "MockApp":
    """Give a mock that is an ASGI app without a socket; see `inprocess.asgi`."""
    from mockserver import inprocess

    return inprocess.asgi(**options)
