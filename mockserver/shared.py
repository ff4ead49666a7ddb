"""The parts of a mock that replicas share, on one server: opened, prepared, and sealed anew."""

from collections.abc import Iterable

import orjson

from mockserver.clock import Setting
from mockserver.engine import NO_ENVIRONMENT, Engine, key
from mockserver.environments import Environment
from mockserver.redaction import Seal, Sealed
from mockserver.redis_environments import RedisEnvironments
from mockserver.redis_journal import RedisJournal
from mockserver.redis_misbehaviour import RedisCarriers, RedisFaults
from mockserver.redis_reports import RedisReports
from mockserver.redis_store import RedisStore

_PROBE = key(NO_ENVIRONMENT, "sealed")
_CLOCK = key(NO_ENVIRONMENT, "clock")
_PROBE_TEXT = "trunkmock"


class RedisClockSettings:
    """How the clocks of all replicas are set."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self) -> Setting | None:
        """Give the setting that was told last, if there was one."""
        text = await self._engine.call("GET", _CLOCK)
        if text is None:
            return None
        offset, frozen = orjson.loads(text)
        return offset, frozen

    async def put(self, setting: Setting) -> None:
        """Tell a setting."""
        await self._engine.call("SET", _CLOCK, orjson.dumps(setting))


class Shared:
    """A mock's parts on a server; `names` are the environments that were there when it was prepared."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.names: list[str] = []
        self.new: list[str] = []
        """Those that were not there before."""
        self._engine = engine = Engine(url)
        self.store = RedisStore(engine)
        self.environments = RedisEnvironments(engine)
        self.times = engine.times
        self.clock_settings = RedisClockSettings(engine)
        self.carriers = RedisCarriers(engine, self.environments.with_carrier)
        self.reports = RedisReports(engine)

    def faults(self, seal: Seal) -> RedisFaults:
        """Give the faults."""
        return RedisFaults(self._engine, seal, self.environments.with_faults)

    def journal(self, seal: Seal, size: int) -> RedisJournal:
        """Give the journal, of so many requests of each environment."""
        return RedisJournal(self._engine, seal, self.environments.names, size)

    async def prepare(self, seal: Seal, registered: Iterable[tuple[bytes, Environment]]) -> None:
        """See that the server and the key can be used, and add those environments that are not there yet.

        Uses connections of its own, for those of `store` belong to another event loop. ServiceUnavailable, BadKey.
        """
        engine = Engine(self._url)
        try:
            await engine.check()
            await _check_key(engine, seal)
            environments = RedisEnvironments(engine)
            self.new = await environments.adopt(registered)
            self.names = await environments.names()
        finally:
            await engine.close()

    async def rekey(self, seal: Seal) -> int:
        """Seal every password anew under the first key, and tell how many were not yet; BadKey."""
        engine = Engine(self._url)
        try:
            await _check_key(engine, seal)
            store = RedisStore(engine)
            names = await RedisEnvironments(engine).names()
            count = sum([await store.reseal(name, seal.again) for name in names])
            await engine.call("SET", _PROBE, seal.close(_PROBE_TEXT).box)
        finally:
            await engine.close()
        return count


async def _check_key(engine: Engine, seal: Seal) -> None:
    """See that what is sealed on the server can be opened; BadKey."""
    await engine.call("SET", _PROBE, seal.close(_PROBE_TEXT).box, "NX")
    probe: bytes = await engine.call("GET", _PROBE)
    seal.open(Sealed(probe))
