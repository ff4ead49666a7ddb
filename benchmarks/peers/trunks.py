"""What the peers written in Python have in common: trunks by hand, as dicts in a dict."""

import os
import time
import uuid
from typing import Any

Trunk = dict[str, Any]

TOKEN = "talq_your_environment_token_here"  # noqa: S105 - the documentation's own
PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
SUMMARY = ("id", "name", "provider_name", "domain", "transport", "port", "is_active", "is_verified", "created_at")
KEEPING_VERIFICATION = {"name", "provider_name", "is_active"}

# One environment, and as many more as this variable says.
environments: dict[str, dict[str, Trunk]] = {TOKEN: {}}
for number in range(int(os.environ.get("BENCHMARK_ENVIRONMENTS", "0"))):
    environments[f"talq_benchmark_{number}"] = {}
passwords: dict[str, str] = {}


def create(trunks: dict[str, Trunk], fields: dict[str, Any]) -> Trunk:
    """Keep a new trunk, and give what a create shows of it."""
    trunk_id, now, transport = str(uuid.uuid4()), _now(), fields.get("transport", "tls")
    trunk = {
        "id": trunk_id,
        "name": fields["name"],
        "provider_name": fields["provider_name"],
        "domain": fields["domain"],
        "username": fields["username"],
        "transport": transport,
        "port": fields.get("port", PORTS[transport]),
        "outbound_proxy": fields.get("outbound_proxy"),
        "auth_realm": fields.get("auth_realm"),
        "is_active": False,
        "is_verified": False,
        "health_status": None,
        "last_health_check_at": None,
        "created_at": now,
        "updated_at": now,
    }
    trunks[trunk_id] = trunk
    passwords[trunk_id] = fields["password"]
    return {name: trunk[name] for name in SUMMARY}


def update(trunk: Trunk, fields: dict[str, Any]) -> Trunk:
    """Change the fields that were sent; a new place or new credentials want a new verification."""
    if "password" in fields:
        passwords[trunk["id"]] = fields["password"]
    if not fields.keys() <= KEEPING_VERIFICATION:
        trunk["is_verified"] = trunk["is_active"] = False
    trunk.update({name: value for name, value in fields.items() if name in trunk and name != "id"})
    trunk["updated_at"] = _now()
    return trunk


def verify(trunk: Trunk) -> Trunk:
    """Find the trunk healthy, whatever its domain, and give what a verify shows of it."""
    trunk["is_verified"] = True
    trunk["health_status"] = "healthy"
    trunk["last_health_check_at"] = _now()
    return {name: trunk[name] for name in ("is_verified", "health_status", "last_health_check_at")}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
