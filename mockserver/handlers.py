"""One function per operationId of the contract: call the rules, keep the result, shape the answer.

Each takes the environment, then the body's checked fields where the operation has a body, then the path's parameters in
order, and gives an `Answer`. Refusals are raised.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar

from orjson import dumps

from mockserver import trunks
from mockserver.carrier import Carriers
from mockserver.e164 import international
from mockserver.environments import Environment
from mockserver.store import Store
from mockserver.trunks import Did, Finding, Trunk


class Answer(NamedTuple):
    """A success: its status, its body and, if it made something, the path of that relative to the API.

    The body is JSON, in pieces if it may be long: so nobody else has to wait while it is made or sent.
    """

    status: int
    body: bytes | list[bytes]
    location: str | None = None


Item = TypeVar("Item")

PIECE = 200  # members of a list that are shown at a time: well under a millisecond


class Handlers:
    """The operations over a store, a carrier, a clock (giving RFC 3339 in UTC) and a source of ids by environment."""

    def __init__(self, store: Store, carriers: Carriers, now: Callable[[], str], new_id: Callable[[str], str]) -> None:
        self._store = store
        self._carriers = carriers
        self._now = now
        self._new_id = new_id

    async def create_sip_trunk(self, environment: Environment, fields: Mapping[str, Any]) -> Answer:
        """Register a trunk."""
        trunk = trunks.create(fields, self._new_id(environment.name), self._now())
        await self._store.add_trunk(environment.name, trunk, environment.max_trunks)
        return Answer(201, dumps({"success": True, "data": _summary(trunk)}), f"/sip-trunks/{trunk.id}")

    async def list_sip_trunks(self, environment: Environment) -> Answer:
        """Give all trunks of the environment."""
        found = await self._store.trunks(environment.name)
        return Answer(200, await _listed(full, found))

    async def get_sip_trunk(self, environment: Environment, trunk_id: str) -> Answer:
        """Give one trunk."""
        return Answer(200, dumps({"success": True, "data": full(await self._store.trunk(environment.name, trunk_id))}))

    async def update_sip_trunk(self, environment: Environment, fields: Mapping[str, Any], trunk_id: str) -> Answer:
        """Change the fields that were sent, all or none."""
        now = self._now()
        trunk = await self._store.change_trunk(
            environment.name, trunk_id, lambda trunk: trunks.update(trunk, fields, now)
        )
        return Answer(200, dumps({"success": True, "data": full(trunk)}))

    async def delete_sip_trunk(self, environment: Environment, trunk_id: str) -> Answer:
        """Remove a trunk that has no DIDs."""
        await self._store.delete_trunk(environment.name, trunk_id)
        return Answer(200, dumps({"success": True, "message": "The SIP trunk was deleted."}))

    async def verify_sip_trunk(self, environment: Environment, trunk_id: str) -> Answer:
        """Let the carrier decide whether the trunk is verified."""
        trunk, finding = await self._check(environment, trunk_id, trunks.verify)
        data: dict[str, Any] = {"is_verified": trunk.is_verified, "health_status": trunk.health_status}
        if finding.error is None:
            data["last_health_check_at"] = trunk.last_health_check_at
        else:
            data["error"] = finding.error
        return Answer(200, dumps({"success": trunk.is_verified, "data": data}))

    async def get_sip_trunk_health(self, environment: Environment, trunk_id: str) -> Answer:
        """Ask the carrier how the trunk is, without touching its verification."""
        trunk, finding = await self._check(environment, trunk_id, trunks.check)
        data: dict[str, Any] = {
            "is_healthy": finding.error is None,
            "response_time_ms": finding.response_time_ms,
            "checked_at": trunk.last_health_check_at,
        }
        if finding.error is not None:
            data["error"] = finding.error
        return Answer(200, dumps({"success": True, "data": data}))

    async def list_sip_trunk_dids(self, environment: Environment, trunk_id: str) -> Answer:
        """Give the DIDs of a trunk."""
        found = await self._store.dids(environment.name, trunk_id)
        return Answer(200, await _listed(_did, found))

    async def add_sip_trunk_did(self, environment: Environment, fields: Mapping[str, Any], trunk_id: str) -> Answer:
        """Put a number on a trunk, unless the environment has it already."""
        number, country_code = fields["number"], fields["country_code"]
        did = Did(self._new_id(environment.name), trunk_id, number, country_code, international(number))
        await self._store.add_did(environment.name, did)
        return Answer(201, dumps({"success": True, "data": {**_did(did), "trunk_id": trunk_id}}))

    async def delete_sip_trunk_did(self, environment: Environment, trunk_id: str, phone_number_id: str) -> Answer:
        """Take a number off a trunk."""
        await self._store.delete_did(environment.name, trunk_id, phone_number_id)
        return Answer(200, dumps({"success": True, "message": "The DID was deleted."}))

    async def _check(
        self, environment: Environment, trunk_id: str, rule: Callable[[Trunk, Finding, str], Trunk]
    ) -> tuple[Trunk, Finding]:
        """Check with the carrier and keep what `rule` makes of it, in one atomic change."""
        now, findings = self._now(), []
        own: Finding | None = None
        domain = ""

        def change(trunk: Trunk) -> Trunk:
            if own is not None and trunk.domain != domain:
                raise _OtherDomain
            findings.append(own or self._carriers.usual(trunk.domain, trunk.checks))
            return rule(trunk, findings[-1], now)

        while True:
            if environment.name in self._carriers.by_environment:
                domain = (await self._store.trunk(environment.name, trunk_id)).domain
                own = await self._carriers.own(environment.name, domain)
            with contextlib.suppress(_OtherDomain):
                return await self._store.change_trunk(environment.name, trunk_id, change), findings[-1]


class _OtherDomain(Exception):
    """Somebody has pointed the trunk at another domain while the carrier was asked about the one before."""


async def _listed(show: Callable[[Item], dict[str, Any]], items: Collection[Item]) -> list[bytes]:
    """Give the answer to a list, letting others have their turn after each piece."""
    snapshot, pieces, before = list(items), [], b'{"success":true,"data":['
    for start in range(0, len(snapshot) or 1, PIECE):
        if start:
            await asyncio.sleep(0)
        pieces.append(before + dumps([show(item) for item in snapshot[start : start + PIECE]])[1:-1])
        before = b","
    pieces[-1] += b"]}"
    return pieces


def _summary(trunk: Trunk) -> dict[str, Any]:
    """Give the nine documented members of a new trunk."""
    return {
        "id": trunk.id,
        "name": trunk.name,
        "provider_name": trunk.provider_name,
        "domain": trunk.domain,
        "transport": trunk.transport,
        "port": trunk.port,
        "is_active": trunk.is_active,
        "is_verified": trunk.is_verified,
        "created_at": trunk.created_at,
    }


def full(trunk: Trunk) -> dict[str, Any]:
    """Give all that is told of a trunk. Members are picked one by one, so that a secret cannot slip in."""
    return {
        **_summary(trunk),
        "username": trunk.username,
        "outbound_proxy": trunk.outbound_proxy,
        "auth_realm": trunk.auth_realm,
        "health_status": trunk.health_status,
        "last_health_check_at": trunk.last_health_check_at,
        "updated_at": trunk.updated_at,
    }


def _did(did: Did) -> dict[str, Any]:
    return {
        "id": did.id,
        "number": did.number,
        "country_code": did.country_code,
        "formatted_number": did.formatted_number,
    }
