"""The kit's last report of each environment on a Redis server."""

from dataclasses import asdict

import orjson

from mockserver.engine import Engine, key
from mockserver.reports import Summary, restored


class RedisReports:
    """The reports on a server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def keep(self, environment: str, report: Summary) -> None:
        """Keep a report in place of the last one."""
        await self._engine.call("SET", key(environment, "report"), orjson.dumps(asdict(report)))

    async def get(self, environment: str) -> Summary | None:
        """Give the last report, if there was one."""
        kept = await self._engine.call("GET", key(environment, "report"))
        return None if kept is None else restored(orjson.loads(kept))

    async def forget(self, environment: str) -> None:
        """Forget it."""
        await self._engine.call("UNLINK", key(environment, "report"))
