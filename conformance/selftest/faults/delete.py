"""Faults in a delete."""

from collections.abc import Callable
from typing import Any

from conformance.selftest.catalogue import after, around, before, fault, refusals
from conformance.selftest.faults.create import stored
from conformance.selftest.miniature import Answer, Api, Request, Trunk

Inner = Callable[..., Any]


def remembering(api: Api) -> dict[str, Trunk]:
    """Keep what is deleted."""
    graves: dict[str, Trunk] = {}

    def remove(inner: Inner, trunk: Trunk) -> None:
        graves[trunk["id"]] = trunk
        inner(trunk)

    around(api, "remove", remove)
    return graves


@fault("delete.accepted")
def delete_says_nothing(api: Api) -> None:
    """A delete is answered without a message."""
    after(api, "delete", lambda _request, answer: answer.document.pop("message") if answer.status == 200 else None)


@fault("delete.gone")
def deleted_is_healthy(api: Api) -> None:
    """Health of a deleted trunk is still told."""
    graves = remembering(api)

    def haunt(request: Request) -> Answer | None:
        if request.trunk_id not in graves:
            return None
        return api.succeed(request, {"is_healthy": True, "response_time_ms": 1, "checked_at": api.now()})

    before(api, "health", haunt)


@fault("delete.gone")
def deletes_again(api: Api) -> None:
    """A trunk can be deleted again."""
    graves = remembering(api)
    before(api, "delete", lambda request: api.deleted(request) if request.trunk_id in graves else None)


@fault("delete.not-listed")
def deleted_is_listed(api: Api) -> None:
    """A deleted trunk stays in the list."""
    graves = remembering(api)
    around(
        api,
        "own",
        lambda inner, request: (
            inner(request) + [one for one in graves.values() if one["environment"] == request.environment]
        ),
    )


@fault("delete.others-untouched", also=["did.accepted"])
def delete_takes_the_next(api: Api) -> None:
    """A delete also takes the trunk that was made next."""
    order: list[Trunk] = []
    stored(api, lambda _request, trunk: order.append(trunk))

    def remove(inner: Inner, trunk: Trunk) -> None:
        inner(trunk)
        following = order[order.index(trunk) + 1 :][:1]
        if following and following[0]["id"] in api.trunks and not api.dids_of(following[0]["id"]):
            inner(following[0])

    around(api, "remove", remove)


@fault("delete.has-dids")
def deletes_with_dids(api: Api) -> None:
    """A trunk with DIDs is deleted, and its DIDs with it."""

    def clear(request: Request) -> Answer | None:
        trunk = api.trunks.get(request.trunk_id)
        if trunk and trunk["environment"] == request.environment:
            for did in api.dids_of(request.trunk_id):
                api.remove_did(did)
        return None

    before(api, "delete", clear)


@fault("delete.has-dids")
def refused_delete_takes_the_dids(api: Api) -> None:
    """The delete of a trunk with DIDs is refused, and deletes its DIDs."""

    def clear(request: Request, answer: Answer) -> None:
        if answer.status == 409 and request.operation == "delete":
            for did in api.dids_of(request.trunk_id):
                api.remove_did(did)

    refusals(api, clear)


@fault("delete.has-dids-code")
def has_dids_under_another_code(api: Api) -> None:
    """The delete of a trunk with DIDs is refused with the code CONFLICT."""
    refusals(
        api,
        lambda request, answer: (
            answer.document.update(code="CONFLICT") if request.operation == "delete" and answer.status == 409 else None
        ),
    )


@fault("delete.after-dids")
def once_a_did_always_a_did(api: Api) -> None:
    """A trunk that has had a DID cannot be deleted."""
    had: list[dict[str, Any]] = []
    after(api, "add-did", lambda _request, answer: had.extend(answer.data) if answer.status == 201 else None)
    before(api, "delete", lambda request: _still(request, had))


def _still(request: Request, had: list[dict[str, Any]]) -> Answer | None:
    if any(did["trunk_id"] == request.trunk_id for did in had) and request.environment == "first":
        return Answer(409, {"success": False, "message": "The trunk has DIDs.", "code": "TRUNK_HAS_DIDS"})
    return None


@fault("delete.not-listed")
def verified_trunks_stay(api: Api) -> None:
    """The delete of a verified trunk is answered as done, and does nothing."""
    around(api, "remove", lambda inner, trunk: None if trunk["is_verified"] else inner(trunk))
