"""Trunks and DIDs as values, and the rules of their life as functions from value to value.

No HTTP, no storage, no clock: ids and times are handed in, and what a carrier found arrives as a `Finding`. Times are
RFC 3339 texts in UTC. Sources are the API's pages *Create*, *Update*, *Verify* and *Health of a SIP trunk*.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from mockserver.errors import TrunkNotVerified
from mockserver.redaction import Sealed

# A change of these is a change of what was verified. The first four are documented, the others this mock's choice.
CONNECTION_FIELDS = frozenset({"domain", "transport", "username", "password", "port", "outbound_proxy", "auth_realm"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check of a carrier found: how long it took in milliseconds, and what went wrong, if anything."""

    response_time_ms: int
    error: str | None = None


class Trunk(NamedTuple):  # made in a fifth of the time that a frozen dataclass takes
    """A trunk. `checks` counts the carrier checks since it was pointed at its domain."""

    id: str
    name: str
    provider_name: str
    domain: str
    username: str
    password: Sealed
    port: int
    transport: str
    outbound_proxy: str | None
    auth_realm: str | None
    created_at: str
    updated_at: str
    is_active: bool = False
    is_verified: bool = False
    health_status: str | None = None
    last_health_check_at: str | None = None
    checks: int = 0


@dataclass(frozen=True, slots=True)
class Did:
    """A phone number on a trunk; `in_use` while an active agent has it."""

    id: str
    trunk_id: str
    number: str
    country_code: str
    formatted_number: str
    in_use: bool = False


def create(fields: Mapping[str, Any], trunk_id: str, now: str) -> Trunk:
    """Give a new trunk from checked fields with their defaults; TrunkNotVerified if it was to be active at once."""
    if fields["is_active"]:
        raise TrunkNotVerified
    return Trunk(
        trunk_id,
        fields["name"],
        fields["provider_name"],
        fields["domain"],
        fields["username"],
        fields["password"],
        fields["port"],
        fields["transport"],
        fields.get("outbound_proxy"),
        fields.get("auth_realm"),
        now,
        now,
    )


def update(trunk: Trunk, fields: Mapping[str, Any], now: str) -> Trunk:
    """Give the trunk with the sent fields changed; TrunkNotVerified if it was to be active without verification.

    Losing the verification takes `is_active` along; with no field sent, the trunk stays as it is.
    """
    if not fields:
        return trunk
    is_verified = trunk.is_verified and CONNECTION_FIELDS.isdisjoint(fields)
    if fields.get("is_active") and not is_verified:
        raise TrunkNotVerified
    is_active = fields.get("is_active", trunk.is_active) and is_verified
    checks = 0 if "domain" in fields else trunk.checks
    changed = {**fields, "is_active": is_active, "is_verified": is_verified, "updated_at": now, "checks": checks}
    return trunk._replace(**changed)


def verify(trunk: Trunk, finding: Finding, now: str) -> Trunk:
    """Give the trunk after a Verify: verified if the carrier accepted it, else neither verified nor active."""
    checked = check(trunk, finding, now)
    is_verified = finding.error is None
    return checked._replace(is_verified=is_verified, is_active=checked.is_active and is_verified)


def check(trunk: Trunk, finding: Finding, now: str) -> Trunk:
    """Give the trunk after a Health check, which leaves the verification alone."""
    health_status = "unhealthy" if finding.error else "healthy"
    return trunk._replace(health_status=health_status, last_health_check_at=now, checks=trunk.checks + 1)
