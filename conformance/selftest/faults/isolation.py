"""Faults in isolation: holes in the wall between environments."""

from collections.abc import Callable
from functools import partial
from typing import Any

from conformance.selftest.catalogue import after, around, fault, refusals
from conformance.selftest.miniature import Answer, Api, Request, Trunk

Inner = Callable[..., Any]
CHANGES = "isolation.nothing-changes"
ALSO = {
    "update": (CHANGES, "answer.as-sent"),
    "add-did": (CHANGES,),
    "delete-did": (CHANGES,),
    "verify": ("answer.verified-by-verify",),
}


def hole(api: Api, operation: str) -> None:
    """Let an operation reach every environment's trunks."""

    def find(inner: Inner, request: Request) -> Trunk:
        trunk = api.trunks.get(request.trunk_id)
        if trunk and request.operation == operation and request.environment == "other":
            return trunk
        found: Trunk = inner(request)
        return found

    around(api, "find", find)


OPERATIONS = ("read", "update", "delete", "verify", "health", "list-dids", "add-did", "delete-did")
for operation in OPERATIONS:
    fault(
        f"isolation.{operation}",
        also=ALSO.get(operation, ()),
        name=f"other-environments-can-{operation}",
        says=f"Another environment's trunk can be reached by {operation}.",
    )(partial(hole, operation=operation))


def told(api: Api, operation: str) -> None:
    """Answer a foreign request as if it were done, and do nothing."""

    def pretend(request: Request, answer: Answer) -> Answer | None:
        if answer.status == 404 and request.trunk_id in api.trunks and request.operation == operation:
            return Answer(
                200, {"success": True, "message": "It is done.", "data": {"id": request.trunk_id}}, answer.headers
            )
        return None

    refusals(api, pretend)


for operation in ("delete", "add-did"):
    fault(
        f"isolation.{operation}",
        name=f"pretends-to-{operation}",
        says=f"On another environment's trunk, {operation} is answered as done, and does nothing.",
    )(partial(told, operation=operation))


@fault("isolation.nothing-changes")
def foreign_delete_is_done(api: Api) -> None:
    """The delete of another environment's trunk is answered 404, but takes its DIDs."""

    def clear(request: Request, answer: Answer) -> None:
        if request.operation == "delete" and answer.status == 404:
            for did in api.dids_of(request.trunk_id):
                api.remove_did(did)

    refusals(api, clear)


@fault("isolation.nothing-changes", also=["answer.as-sent"])
def foreign_update_is_done(api: Api) -> None:
    """An update of another environment's trunk is answered 404, but renames it."""

    def rename(request: Request, answer: Answer) -> None:
        if request.operation == "update" and answer.status == 404 and request.trunk_id in api.trunks:
            api.trunks[request.trunk_id]["name"] = "renamed"

    refusals(api, rename)


@fault("isolation.list")
def list_of_all(api: Api) -> None:
    """The list has the trunks of all environments."""
    around(api, "own", lambda inner, request: [*api.trunks.values()] if request.operation == "list" else inner(request))


@fault("isolation.both-ways")
def first_sees_all(api: Api) -> None:
    """The first environment can read the other one's trunks."""

    def find(inner: Inner, request: Request) -> Any:
        trunk = api.trunks.get(request.trunk_id)
        return trunk if trunk and request.operation == "read" and request.environment == "first" else inner(request)

    around(api, "find", find)


@fault("isolation.read", name="foreign-read-is-409")
def foreign_read_is_409(api: Api) -> None:
    """A foreign read is told apart from one of nothing, with 409."""

    def tell(request: Request, answer: Answer) -> None:
        if answer.status == 404 and request.trunk_id in api.trunks and request.environment == "other":
            answer.status = 409

    after(api, "read", tell)


@fault("isolation.bad-update")
def foreign_bad_update_is_409(api: Api) -> None:
    """A bad update of another environment's trunk is told apart from one of nothing, with 409."""

    def tell(request: Request, answer: Answer) -> None:
        bad = b'"port": 0' in request.body
        if bad and answer.status == 404 and request.trunk_id in api.trunks and request.environment == "other":
            answer.status = 409

    after(api, "update", tell)


@fault("isolation.delete-did", also=["isolation.nothing-changes"])
def dids_by_way_of_any_trunk(api: Api) -> None:
    """Another environment's DID can be deleted by way of a trunk of one's own."""

    def find_did(inner: Inner, request: Request) -> Any:
        trunk, did = api.find(request), api.dids.get(request.did_id)
        return did if did and trunk["environment"] == "other" else inner(request)

    around(api, "find_did", find_did)


@fault("answer.verified-by-verify", also=["isolation.nothing-changes"])
def foreign_verify_is_done(api: Api) -> None:
    """A Verify of another environment's trunk is answered 404, but done."""

    def do(request: Request, answer: Answer) -> None:
        trunk = api.trunks.get(request.trunk_id)
        if answer.status == 404 and trunk and trunk["environment"] != request.environment:
            api.keep_verified(trunk, {"is_verified": True, "health_status": "healthy"})

    after(api, "verify", do)
