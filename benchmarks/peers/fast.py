"""The same operations on FastAPI as its documentation writes them: models, dependencies, its own error answers."""

from typing import Annotated, Any, Literal

import trunks
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

Text = Annotated[str, Field(min_length=1, max_length=255)]
Port = Annotated[int, Field(ge=1, le=65535)]
Transport = Literal["udp", "tcp", "tls"]


class TrunkCreate(BaseModel):
    """The body of a create."""

    name: Text
    provider_name: Text
    domain: Text
    username: Text
    password: Text
    port: Port | None = None
    transport: Transport | None = None


class TrunkUpdate(BaseModel):
    """The body of an update."""

    name: Text | None = None
    provider_name: Text | None = None
    domain: Text | None = None
    username: Text | None = None
    password: Text | None = None
    port: Port | None = None
    transport: Transport | None = None


app = FastAPI()


async def environment(
    credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())],
) -> dict[str, trunks.Trunk]:
    """Give the trunks of the environment that the token names."""
    found = trunks.environments.get(credentials.credentials)
    if found is None:
        raise HTTPException(401, "A valid token is required.")
    return found


Environment = Annotated[dict[str, trunks.Trunk], Depends(environment)]


async def find(trunk_id: str, kept: Environment) -> trunks.Trunk:
    """Give the trunk that the path names."""
    trunk = kept.get(trunk_id)
    if trunk is None:
        raise HTTPException(404, "There is no such SIP trunk.")
    return trunk


Found = Annotated[trunks.Trunk, Depends(find)]


@app.post("/api/v1/sip-trunks", status_code=201)
async def create(body: TrunkCreate, kept: Environment) -> dict[str, Any]:
    """Register a trunk."""
    return {"success": True, "data": trunks.create(kept, body.model_dump(exclude_unset=True))}


@app.get("/api/v1/sip-trunks")
async def list_all(kept: Environment) -> dict[str, Any]:
    """Give all trunks."""
    return {"success": True, "data": list(kept.values())}


@app.get("/api/v1/sip-trunks/{trunk_id}")
async def get(trunk: Found) -> dict[str, Any]:
    """Give one trunk."""
    return {"success": True, "data": trunk}


@app.put("/api/v1/sip-trunks/{trunk_id}")
async def update(trunk: Found, body: TrunkUpdate) -> dict[str, Any]:
    """Change some fields of a trunk."""
    return {"success": True, "data": trunks.update(trunk, body.model_dump(exclude_unset=True))}


@app.post("/api/v1/sip-trunks/{trunk_id}/verify")
async def verify(trunk: Found) -> dict[str, Any]:
    """Verify a trunk."""
    return {"success": True, "data": trunks.verify(trunk)}
