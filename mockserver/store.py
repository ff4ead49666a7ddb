"""Where trunks and DIDs are kept, per environment: the interface, and the store in memory.

A store knows no rule of the API beyond what only it can keep atomically: a trunk with DIDs stays, a number stands once
in an environment. A change of a trunk is a function from old value to new; a store may run it again if somebody else
was faster, and keeps nothing if it raises.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Protocol

from mockserver.errors import (
    DidAlreadyExists,
    DidInUse,
    DidNotFound,
    TrunkAlreadyExists,
    TrunkHasDids,
    TrunkLimitReached,
    TrunkNotFound,
)
from mockserver.trunks import Did, Trunk


class Store(Protocol):
    """Every method names the environment first, and sees nothing of another one."""

    async def add_trunk(self, environment: str, trunk: Trunk, most: int = 0) -> None:
        """Keep a new trunk, of so many at most, 0 for any number; TrunkAlreadyExists, TrunkLimitReached."""

    async def trunk(self, environment: str, trunk_id: str) -> Trunk:
        """Give a trunk; TrunkNotFound."""

    async def trunks(self, environment: str) -> Collection[Trunk]:
        """Give all trunks, oldest first."""

    async def change_trunk(self, environment: str, trunk_id: str, change: Callable[[Trunk], Trunk]) -> Trunk:
        """Replace a trunk by what `change` makes of it, atomically, and give that; TrunkNotFound."""

    async def delete_trunk(self, environment: str, trunk_id: str) -> None:
        """Forget a trunk; TrunkNotFound, TrunkHasDids."""

    async def add_did(self, environment: str, did: Did) -> None:
        """Keep a new DID; TrunkNotFound, DidAlreadyExists."""

    async def dids(self, environment: str, trunk_id: str) -> Collection[Did]:
        """Give the DIDs of a trunk, oldest first; TrunkNotFound."""

    async def delete_did(self, environment: str, trunk_id: str, did_id: str) -> None:
        """Forget a DID; TrunkNotFound, DidNotFound, DidInUse."""

    async def mark_did(self, environment: str, trunk_id: str, did_id: str, *, in_use: bool) -> Did:
        """Say whether an active agent uses a DID; TrunkNotFound, DidNotFound."""

    async def clear(self, environment: str) -> None:
        """Forget everything of an environment, its request count included."""

    async def count_request(self, environment: str, minute: int) -> int:
        """Count a request in this minute (since the epoch), and give how many there were, this one included."""

    async def count_trunks(self, environment: str) -> int:
        """Give how many trunks there are."""

    async def count_dids(self, environment: str) -> int:
        """Give how many DIDs there are, on all trunks."""

    async def taken(
        self, environment: str, trunk_ids: Collection[str], numbers: Collection[str]
    ) -> tuple[set[str], set[str]]:
        """Give which of these ids of trunks, and which of these numbers, there are already."""

    async def check(self) -> None:
        """See that the store can be used; ServiceUnavailable, which every other method may raise as well."""


@dataclass(slots=True)
class _Shelf:
    """What one environment has. Dicts keep the order of creation."""

    trunks: dict[str, Trunk] = field(default_factory=dict)
    dids: dict[str, dict[str, Did]] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)

    def trunk(self, trunk_id: str) -> Trunk:
        try:
            return self.trunks[trunk_id]
        except KeyError:
            raise TrunkNotFound from None

    def did(self, trunk_id: str, did_id: str) -> Did:
        self.trunk(trunk_id)
        did = self.dids.get(trunk_id, {}).get(did_id)
        if did is None:
            raise DidNotFound
        return did


class MemoryStore:
    """The store in memory. No method waits for anything, so each is atomic in one event loop."""

    def __init__(self) -> None:
        self._shelves: dict[str, _Shelf] = {}
        self._minute = 0
        self._requests: Counter[str] = Counter()

    def _shelf(self, environment: str) -> _Shelf:
        shelf = self._shelves.get(environment)
        if shelf is None:
            shelf = self._shelves[environment] = _Shelf()
        return shelf

    async def add_trunk(self, environment: str, trunk: Trunk, most: int = 0) -> None:
        """Keep a new trunk; TrunkAlreadyExists, TrunkLimitReached."""
        kept = self._shelf(environment).trunks
        if trunk.id in kept:
            raise TrunkAlreadyExists
        if most and len(kept) >= most:
            raise TrunkLimitReached
        kept[trunk.id] = trunk

    async def trunk(self, environment: str, trunk_id: str) -> Trunk:
        """Give a trunk; TrunkNotFound."""
        return self._shelf(environment).trunk(trunk_id)

    async def trunks(self, environment: str) -> Collection[Trunk]:
        """Give all trunks, oldest first."""
        return self._shelf(environment).trunks.values()

    async def change_trunk(self, environment: str, trunk_id: str, change: Callable[[Trunk], Trunk]) -> Trunk:
        """Replace a trunk by what `change` makes of it, and give that; TrunkNotFound."""
        shelf = self._shelf(environment)
        changed = change(shelf.trunk(trunk_id))
        shelf.trunks[trunk_id] = changed
        return changed

    async def delete_trunk(self, environment: str, trunk_id: str) -> None:
        """Forget a trunk; TrunkNotFound, TrunkHasDids."""
        shelf = self._shelf(environment)
        shelf.trunk(trunk_id)
        if shelf.dids.get(trunk_id):
            raise TrunkHasDids
        del shelf.trunks[trunk_id]
        shelf.dids.pop(trunk_id, None)

    async def add_did(self, environment: str, did: Did) -> None:
        """Keep a new DID; TrunkNotFound, DidAlreadyExists."""
        shelf = self._shelf(environment)
        shelf.trunk(did.trunk_id)
        if did.number in shelf.numbers:
            raise DidAlreadyExists
        shelf.numbers.add(did.number)
        shelf.dids.setdefault(did.trunk_id, {})[did.id] = did

    async def dids(self, environment: str, trunk_id: str) -> Collection[Did]:
        """Give the DIDs of a trunk, oldest first; TrunkNotFound."""
        shelf = self._shelf(environment)
        shelf.trunk(trunk_id)
        return shelf.dids.get(trunk_id, {}).values()

    async def delete_did(self, environment: str, trunk_id: str, did_id: str) -> None:
        """Forget a DID; TrunkNotFound, DidNotFound, DidInUse."""
        shelf = self._shelf(environment)
        did = shelf.did(trunk_id, did_id)
        if did.in_use:
            raise DidInUse
        del shelf.dids[trunk_id][did_id]
        shelf.numbers.discard(did.number)

    async def mark_did(self, environment: str, trunk_id: str, did_id: str, *, in_use: bool) -> Did:
        """Say whether an active agent uses a DID; TrunkNotFound, DidNotFound."""
        shelf = self._shelf(environment)
        did = shelf.dids[trunk_id][did_id] = replace(shelf.did(trunk_id, did_id), in_use=in_use)
        return did

    async def clear(self, environment: str) -> None:
        """Forget everything of an environment, its request count included."""
        self._shelves.pop(environment, None)
        self._requests.pop(environment, None)

    async def count_request(self, environment: str, minute: int) -> int:
        """Count a request in this minute, and give how many there were; earlier minutes are forgotten."""
        if minute != self._minute:
            self._minute = minute
            self._requests.clear()
        self._requests[environment] += 1
        return self._requests[environment]

    async def count_trunks(self, environment: str) -> int:
        """Give how many trunks there are."""
        return len(self._shelf(environment).trunks)

    async def count_dids(self, environment: str) -> int:
        """Give how many DIDs there are, on all trunks."""
        return len(self._shelf(environment).numbers)

    async def taken(
        self, environment: str, trunk_ids: Collection[str], numbers: Collection[str]
    ) -> tuple[set[str], set[str]]:
        """Give which of these ids of trunks, and which of these numbers, there are already."""
        shelf = self._shelf(environment)
        return {it for it in trunk_ids if it in shelf.trunks}, shelf.numbers.intersection(numbers)

    async def check(self) -> None:
        """Memory can always be used."""
