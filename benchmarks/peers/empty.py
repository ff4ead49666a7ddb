"""The least that Starlette can do for a create: read JSON, answer with similar JSON, check, make and keep nothing."""

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def create(request: Request) -> Response:
    """Give back what came, less the password."""
    body = orjson.loads(await request.body())
    body.pop("password")
    body |= {"id": "3f0f6a0e-52c1-4c6e-9a35-0d1f6f2b7c11", "is_active": False, "is_verified": False}
    return Response(orjson.dumps({"success": True, "data": body}), 201, media_type="application/json")


app = Starlette(routes=[Route("/api/v1/sip-trunks", create, methods=["POST"])])
