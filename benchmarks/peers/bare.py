"""The yardstick: the API's everyday operations on bare Starlette with orjson, by hand.

It looks up the token, checks the fields one by one (presence, type, length, range) and names every broken one. It seals
no password, knows no carrier, no rate limit, no request id, no journal and no log, and asks nothing of a header field
but the token.
"""

from typing import Any

import orjson
import trunks
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TEXTS = ("name", "provider_name", "domain", "username", "password")
LONGEST = 255


class Refused(Exception):
    """A request that is answered with an error: its status, and the members of the answer."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        self.status = status
        self.members = {"success": False, "message": message, "code": code, **more}


def answer(status: int, members: dict[str, Any]) -> Response:
    """Give a JSON response."""
    return Response(orjson.dumps(members), status, media_type="application/json")


async def refuse(_request: Request, refused: Exception) -> Response:
    """Answer with the error."""
    assert isinstance(refused, Refused)  # noqa: S101 - it is registered for these alone
    return answer(refused.status, refused.members)


def environment(request: Request) -> dict[str, trunks.Trunk]:
    """Give the trunks of the environment that the token names."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    found = trunks.environments.get(token) if scheme == "Bearer" else None
    if found is None:
        raise Refused(401, "UNAUTHENTICATED", "A valid token is required.")
    return found


def find(request: Request) -> trunks.Trunk:
    """Give the trunk that the path names."""
    trunk = environment(request).get(request.path_params["trunk_id"])
    if trunk is None:
        raise Refused(404, "TRUNK_NOT_FOUND", "There is no such SIP trunk.")
    return trunk


async def fields(request: Request, *, required: bool) -> dict[str, Any]:
    """Read the body, and check it."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Refused(400, "INVALID_JSON", "The body must be JSON.") from None
    if not isinstance(body, dict):
        raise Refused(422, "VALIDATION_ERROR", "The body must be an object.")
    errors: dict[str, list[str]] = {}
    for name in TEXTS:
        if required or name in body:
            value = body.get(name)
            if not isinstance(value, str) or not 1 <= len(value) <= LONGEST:
                errors[name] = [f"{name} must be a string of 1 to {LONGEST} characters"]
    port = body.get("port", 5061)
    if type(port) is not int or not 1 <= port <= 65535:
        errors["port"] = ["port must be an integer from 1 to 65535"]
    if body.get("transport", "tls") not in ("udp", "tcp", "tls"):
        errors["transport"] = ["transport must be one of udp, tcp, tls"]
    if errors:
        message = f"The request breaks the rules of {len(errors)} fields."
        raise Refused(422, "VALIDATION_ERROR", message, errors=errors)
    return body


async def create(request: Request) -> Response:
    """Register a trunk."""
    kept = environment(request)
    return answer(201, {"success": True, "data": trunks.create(kept, await fields(request, required=True))})


async def list_all(request: Request) -> Response:
    """Give all trunks."""
    return answer(200, {"success": True, "data": list(environment(request).values())})


async def get(request: Request) -> Response:
    """Give one trunk."""
    return answer(200, {"success": True, "data": find(request)})


async def update(request: Request) -> Response:
    """Change some fields of a trunk."""
    trunk = find(request)
    return answer(200, {"success": True, "data": trunks.update(trunk, await fields(request, required=False))})


async def verify(request: Request) -> Response:
    """Verify a trunk."""
    return answer(200, {"success": True, "data": trunks.verify(find(request))})


async def delete(request: Request) -> Response:
    """Remove a trunk."""
    trunk_id = find(request)["id"]
    del environment(request)[trunk_id], trunks.passwords[trunk_id]
    return answer(200, {"success": True, "message": "The SIP trunk was deleted."})


BASE = "/api/v1/sip-trunks"
app = Starlette(
    routes=[
        Route(BASE, create, methods=["POST"]),
        Route(BASE, list_all, methods=["GET"]),
        Route(BASE + "/{trunk_id}", get, methods=["GET"]),
        Route(BASE + "/{trunk_id}", update, methods=["PUT"]),
        Route(BASE + "/{trunk_id}", delete, methods=["DELETE"]),
        Route(BASE + "/{trunk_id}/verify", verify, methods=["POST"]),
    ],
    exception_handlers={Refused: refuse},
)
