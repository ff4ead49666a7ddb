"""What the pages tell of the mock, read through its controls."""

import contextlib
from dataclasses import dataclass
from typing import Any

from mockserver.carrier import EVERY_DOMAIN, finding
from mockserver.control import Control
from mockserver.control_api import ControlApi
from mockserver.environments import Environment
from mockserver.errors import EnvironmentNotFound
from mockserver.handlers import full
from mockserver.journal import EVERYTHING, NOBODY, Entry, Selection
from mockserver.trunks import Did, Trunk

PAGE = 50  # entries or trunks on a page


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above each page of an environment; of requests that named none there is no `environment`."""

    name: str
    environment: Environment | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """An environment at a glance. `requests` are those that the journal still has; `last_seen` is of the newest."""

    environment: Environment
    trunks: int
    dids: int
    requests: int
    last_seen: float | None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: its items, which page it is, how many there are, and how many items there are in all."""

    items: list[Any]
    number: int
    count: int
    total: int


def page_of(items: list[Any], number: int) -> Page:
    """Give the page of this number, from 1, or the nearest that there is."""
    number = _nearest(number, len(items))
    return Page(items[(number - 1) * PAGE : number * PAGE], number, pages(len(items)), len(items))


def pages(total: int) -> int:
    """Give how many pages so many items make."""
    return max(1, -(-total // PAGE))


def _nearest(number: int, total: int) -> int:
    return min(max(1, number), pages(total))


class State:
    """Reads from one mock."""

    def __init__(self, api: ControlApi, control: Control) -> None:
        self._api = api
        self._control = control

    async def do(self, operation_id: str, *arguments: str, body: Any = None, **query: str) -> Any:
        """Carry out an operation of the controls; a Refusal."""
        return await self._api.call(operation_id, *arguments, body=body, **query)

    async def head(self, name: str) -> Head:
        """Give what stands above an environment's pages; EnvironmentNotFound."""
        return Head(name) if name == NOBODY else Head(name, await self._control.environment(name))

    async def overviews(self) -> list[Overview]:
        """Give all environments."""
        found = []
        for name in await self._control.environment_names():
            with contextlib.suppress(EnvironmentNotFound):  # somebody has removed it meanwhile
                found.append(await self._overview(name))
        return found

    async def _overview(self, name: str) -> Overview:
        newest, count = await self._control.journal.page(name, EVERYTHING, 0, 1)
        return Overview(
            await self._control.environment(name),
            await self._control.store.count_trunks(name),
            await self._control.store.count_dids(name),
            count,
            newest[0].time if newest else None,
        )

    async def trunks(self, name: str, number: int) -> Page:
        """Give a page of trunks, oldest first, each as the API tells it, with its DIDs."""
        page = page_of(list(await self._control.store.trunks(name)), number)
        items = [(full(trunk), list(await self._dids(name, trunk))) for trunk in page.items]
        return Page(items, page.number, page.count, page.total)

    async def checks(self, name: str) -> list[dict[str, Any]]:
        """Tell for each domain of the environment's trunks what the next Verify or Health check finds."""
        carriers = self._control.carriers
        said = {it.domain: it.next for it in await carriers.said(name)}
        found: dict[str, dict[str, Any]] = {}
        for trunk in await self._control.store.trunks(name):
            domain = trunk.domain.lower()
            if domain not in found:
                answer = said.get(domain) or said.get(EVERY_DOMAIN)
                coming = finding(domain, answer) if answer else carriers.usual(domain, trunk.checks)
                found[domain] = {"domain": domain, "error": coming.error, "trunks": 0}
            found[domain]["trunks"] += 1
        return list(found.values())

    async def entries(self, name: str, number: int, show: str = "all", operation: str = "") -> Page:
        """Give a page of an environment's journal (`-` is that of requests that named none), newest first.

        `show` is `all`, or an outcome of `Selection`.
        """
        wanted = Selection(operation=operation or None, outcome=None if show == "all" else show)
        journal, number = self._control.journal, max(1, number)
        found, total = await journal.page(name, wanted, (number - 1) * PAGE, PAGE)
        if not found and total:  # there are fewer
            number = pages(total)
            found, total = await journal.page(name, wanted, (number - 1) * PAGE, PAGE)
        return Page(found, number, pages(total), total)

    async def newest(self, name: str) -> str:
        """Give the id of an environment's last request, or nothing."""
        found, _ = await self._control.journal.page(name, EVERYTHING, 0, 1)
        return found[0].request_id if found else ""

    async def count(self, name: str) -> int:
        """Give how many requests of an environment are kept."""
        return (await self._control.journal.page(name, EVERYTHING, 0, 0))[1]

    async def entry(self, name: str, request_id: str) -> Entry | None:
        """Give one request of an environment."""
        return await self._control.journal.find(name, request_id)

    async def exists(self, name: str) -> bool:
        """Tell whether there is such an environment, or it is the place of requests without one."""
        return name == NOBODY or await self._control.environments.get(name) is not None

    async def _dids(self, name: str, trunk: Trunk) -> list[Did]:
        return list(await self._control.store.dids(name, trunk.id))
