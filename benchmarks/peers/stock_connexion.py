"""The same operations on stock Connexion: its own chain of middleware, driven by this project's contract.

It checks the token, and the body against the whole schema, and stops at the first broken field with 400. Operations
that nobody measures are answered with 501.
"""

import warnings
from typing import Any

import trunks

import openapi

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Connexion imports a test client that Starlette announces the end of
    from connexion import AsyncApp, ProblemException
    from connexion.resolver import RelativeResolver


def environment(token: str) -> dict[str, Any] | None:
    """Give Connexion the environment of a token, None for a token that nobody knows."""
    return {"sub": token} if token in trunks.environments else None


def find(token: str, trunk_id: str) -> trunks.Trunk:
    """Give the trunk that the path names."""
    trunk = trunks.environments[token].get(trunk_id)
    if trunk is None:
        raise ProblemException(status=404, title="There is no such SIP trunk.")
    return trunk


async def create_sip_trunk(body: dict[str, Any], user: str) -> tuple[dict[str, Any], int]:
    """Register a trunk."""
    return {"success": True, "data": trunks.create(trunks.environments[user], body)}, 201


async def list_sip_trunks(user: str) -> dict[str, Any]:
    """Give all trunks."""
    return {"success": True, "data": list(trunks.environments[user].values())}


async def get_sip_trunk(trunk_id: str, user: str) -> dict[str, Any]:
    """Give one trunk."""
    return {"success": True, "data": find(user, trunk_id)}


async def update_sip_trunk(trunk_id: str, body: dict[str, Any], user: str) -> dict[str, Any]:
    """Change some fields of a trunk."""
    return {"success": True, "data": trunks.update(find(user, trunk_id), body)}


async def verify_sip_trunk(trunk_id: str, user: str) -> dict[str, Any]:
    """Verify a trunk."""
    return {"success": True, "data": trunks.verify(find(user, trunk_id))}


contract = openapi.load()
contract["components"]["securitySchemes"]["bearerAuth"]["x-bearerInfoFunc"] = "stock_connexion.environment"
app = AsyncApp("stock_connexion")
app.add_api(contract, resolver=RelativeResolver("stock_connexion"), resolver_error=501)
