"""The Redis server (or Valkey) behind a shared store: its address, its keys, its scripts, and how it fails.

Every key of an environment carries its name as hash tag, `trunkmock:{name}:…`, so that a cluster keeps them in one
place and a script may use several. What belongs to no environment has the tag `{*}`, which no environment has as name.

Whatever the server does not do within `TIMEOUT_SECONDS` is a `ServiceUnavailable`. Nothing is tried again here: a
change whose answer was lost may have been made.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisClusterException, RedisError, ResponseError

from mockserver.errors import ServiceUnavailable
from mockserver.metrics import Times

PREFIX = "trunkmock"
NO_ENVIRONMENT = "*"
TIMEOUT_SECONDS = 1.0  # for a connection, and for an answer
CONNECTIONS = 64  # requests beyond them wait for one
CLUSTER_CONNECTIONS = 1000  # to each node; beyond them, nobody waits
COMPLAINT_SECONDS = 10.0  # between two log lines about the same misery

# Words with which the server begins an error that says that it cannot now, and not that it was asked nonsense.
_CANNOT = frozenset(
    (
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOPERM",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
    )
)

FAILURES = (RedisError, RedisClusterException, OSError)

log = logging.getLogger("trunkmock.store")


class BadAddress(ValueError):
    """No address of a server or a cluster. Never quotes it: it may have a password in it."""


def key(environment: str, name: str) -> str:
    """Give the key of something that an environment has."""
    return f"{PREFIX}:{{{environment}}}:{name}"


class Script:
    """A Lua script, which the server runs as one step. Says how many keys it takes by their names."""

    def __init__(self, lua: str) -> None:
        self.lua = lua


class Engine:
    """A client of the server. Belongs to one event loop, connects when it is first used."""

    def __init__(self, url: str) -> None:
        self._client = _client(url)
        self._scripts: dict[Script, AsyncScript] = {}
        self._quiet_until = 0.0
        self.times = Times()

    async def call(self, *command: Any) -> Any:
        """Give what a command gives; ServiceUnavailable."""
        began = time.perf_counter()
        try:
            return await self._client.execute_command(*command)
        except FAILURES as error:
            raise self._refusal(error) from None
        finally:
            self.times.add(time.perf_counter() - began)

    async def run(self, script: Script, keys: Sequence[str], *arguments: Any) -> Any:
        """Give what a script gives; ServiceUnavailable."""
        began = time.perf_counter()
        try:
            return await self._registered(script)(keys, arguments)
        except FAILURES as error:
            raise self._refusal(error) from None
        finally:
            self.times.add(time.perf_counter() - began)

    async def run_all(self, script: Script, calls: Sequence[tuple[Sequence[str], Sequence[Any]]]) -> None:
        """Run a script with each of these keys and arguments, in one go; ServiceUnavailable."""
        if isinstance(self._client, RedisCluster):  # whose pipelines take no scripts
            for keys, arguments in calls:
                await self.run(script, keys, *arguments)
            return
        began = time.perf_counter()
        try:
            async with self._client.pipeline(transaction=False) as pipe:
                for keys, arguments in calls:
                    await self._registered(script)(keys, arguments, client=pipe)
                await pipe.execute()
        except FAILURES as error:
            raise self._refusal(error) from None
        finally:
            self.times.add(time.perf_counter() - began)

    def _registered(self, script: Script) -> AsyncScript:
        registered = self._scripts.get(script)
        if registered is None:
            registered = self._scripts[script] = self._client.register_script(script.lua)
        return registered

    async def messages(self, channels: str) -> AsyncGenerator[bytes, None]:
        """Give nothing as soon as somebody listens, and then each message of the channels that the pattern fits.

        ServiceUnavailable at the beginning. Later it listens again after a failure; what was told meanwhile is lost.
        """
        is_new = True
        while True:
            try:
                if isinstance(self._client, RedisCluster):
                    await self._client.initialize()  # a subscription does not do that by itself
                async with self._client.pubsub() as pubsub:
                    await pubsub.psubscribe(channels)
                    while True:
                        message = await pubsub.get_message(timeout=TIMEOUT_SECONDS)
                        if message and message["type"] == "pmessage":
                            yield message["data"]
                        elif message and is_new:
                            is_new = False
                            yield b""
            except FAILURES as error:
                refusal = self._refusal(error)
                if is_new:
                    raise refusal from None
                await asyncio.sleep(TIMEOUT_SECONDS)

    def _refusal(self, error: Exception) -> Exception:
        """Give what a failure is to the client; the log gets the kind of it alone, for the text may quote a value."""
        self.times.failures += 1
        kind = type(error).__name__
        if isinstance(error, ResponseError):
            word = getattr(error, "status_code", None) or str(error).partition(" ")[0]
            if word not in _CANNOT:
                return RuntimeError(f"the store's server refused a command: {kind}")
            kind = word
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + COMPLAINT_SECONDS
            log.error("the store's server cannot be used: %s", kind)
        return ServiceUnavailable()

    async def check(self) -> None:
        """See that the server answers and can be written to; ServiceUnavailable."""
        await self.call("SET", key(NO_ENVIRONMENT, "check"), "1", "EX", 60)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
        if isinstance(self._client, Redis):
            await self._client.connection_pool.disconnect()


def _client(url: str) -> Redis | RedisCluster:
    """Give a client that has not connected yet; BadAddress."""
    scheme, mark, rest = url.partition("+cluster://")
    limits: dict[str, Any] = {
        "protocol": 2,
        "max_connections": CONNECTIONS,
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    try:
        if mark:
            limits["max_connections"] = CLUSTER_CONNECTIONS
            return RedisCluster.from_url(f"{scheme}://{rest}", **limits)
        return Redis(connection_pool=BlockingConnectionPool.from_url(url, timeout=TIMEOUT_SECONDS, **limits))
    except (ValueError, TypeError, AttributeError, RedisClusterException):
        raise BadAddress(
            "must be an address like redis://host:6379/0, rediss://…, unix:///path or redis+cluster://host:6379"
        ) from None
