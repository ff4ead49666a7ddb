"""Faults in reading: one trunk, the list, and what is not there."""

from collections.abc import Callable
from typing import Any

from conformance.selftest.catalogue import after, around, fault, refusals, shown
from conformance.selftest.faults.create import stored
from conformance.selftest.miniature import Answer, Api, Request

Inner = Callable[..., Any]


@fault("read.accepted", also=["answer.as-sent"])
def proxy_is_forgotten(api: Api) -> None:
    """The outbound proxy of a create is forgotten."""
    stored(api, lambda _request, trunk: trunk.update(outbound_proxy=None))


@fault("read.members")
def read_without_health(api: Api) -> None:
    """A trunk that was never checked is read without health_status."""
    shown(api, "read", lambda trunk: trunk.pop("health_status") if trunk["health_status"] is None else None)


@fault("read.unset-null", also=["update.null.not-stored"])
def unset_realm_is_empty(api: Api) -> None:
    """A realm that was never set is an empty text."""
    shown(api, "read", lambda trunk: trunk.update(auth_realm=trunk["auth_realm"] or ""))


@fault("read.unchecked-null")
def checked_at_birth(api: Api) -> None:
    """last_health_check_at of a new trunk is the time of its create."""
    stored(api, lambda _request, trunk: trunk.update(last_health_check_at=trunk["created_at"]))


@fault("read.unknown")
def unknown_is_400(api: Api) -> None:
    """A trunk that never was is answered 400."""
    known: set[str] = set()

    def odd(request: Request, answer: Answer) -> None:
        known.update(api.trunks)
        if answer.status == 404 and request.trunk_id and request.trunk_id not in known:
            answer.status = 400

    api.on_answer.append(odd)


@fault("list.complete")
def list_lacks_the_newest(api: Api) -> None:
    """The list lacks the newest trunk once there are five."""
    around(api, "own", lambda inner, request: inner(request)[:-1] if len(inner(request)) > 4 else inner(request))


@fault("list.complete")
def list_has_a_trunk_twice(api: Api) -> None:
    """The list has the oldest trunk twice."""
    around(api, "own", lambda inner, request: inner(request)[:1] + inner(request))


@fault("list.shape")
def list_ends_with_null(api: Api) -> None:
    """The list ends with null."""
    after(api, "list", lambda _request, answer: answer.document["data"].append(None) if answer.status == 200 else None)


@fault("list.shape", also=["list.complete", "isolation.list"])
def list_in_an_object(api: Api) -> None:
    """The list is inside an object."""

    def wrap(_request: Request, answer: Answer) -> None:
        if answer.status == 200:
            answer.document["data"] = {"trunks": answer.document["data"]}

    after(api, "list", wrap)


@fault("list.entries")
def list_without_names(api: Api) -> None:
    """The list does not tell names."""
    shown(api, "list", lambda trunk: trunk.pop("name"))


@fault("list.up-to-date", also=["answer.verified-by-verify"])
def list_says_verified(api: Api) -> None:
    """The list says of every trunk that it is verified."""
    shown(api, "list", lambda trunk: trunk.update(is_verified=True))


@fault("answer.as-sent", "list.up-to-date")
def list_is_stale(api: Api) -> None:
    """The list tells the name that a trunk was created with."""
    names: dict[str, str] = {}
    stored(api, lambda _request, trunk: names.update({trunk["id"]: trunk["name"]}))
    shown(api, "list", lambda trunk: trunk.update(name=names[trunk["id"]]))


@fault("path.unknown")
def unknown_path_is_400(api: Api) -> None:
    """An unknown path is answered 400."""
    refusals(
        api,
        lambda request, answer: (
            setattr(answer, "status", 400) if answer.status == 404 and not request.operation else None
        ),
    )


@fault("method.unknown")
def put_lists(api: Api) -> None:
    """PUT on the list answers like GET."""
    around(api, "operations", lambda inner, request: _with_put(inner(request)))


def _with_put(found: dict[str, str]) -> dict[str, str]:
    return {**found, "PUT": "list"} if "list" in found.values() else found


@fault("method.allow")
def no_allow(api: Api) -> None:
    """A 405 has no Allow."""
    refusals(api, lambda _request, answer: answer.headers.pop("Allow", None))


@fault("list.verified-too")
def list_of_the_unverified(api: Api) -> None:
    """The list has only trunks that are not active."""
    around(api, "own", lambda inner, request: [trunk for trunk in inner(request) if not trunk["is_active"]])


@fault("answer.no-5xx")
def crashes_on_another_id(api: Api) -> None:
    """An id that is no UUID brings about a 500."""

    def crash(request: Request, answer: Answer) -> None:
        if answer.status == 404 and "no-such-id" in request.trunk_id:
            answer.status = 500

    after(api, "read", crash)


@fault("list.complete-at-end")
def list_without_what_has_numbers(api: Api) -> None:
    """The list lacks trunks that have DIDs."""

    def own(inner: Inner, request: Request) -> Any:
        return [one for one in inner(request) if request.operation != "list" or not api.dids_of(one["id"])]

    around(api, "own", own)


@fault("list.complete-at-end")
def list_has_the_changed_twice(api: Api) -> None:
    """A trunk that was updated stands twice in the list."""

    def own(inner: Inner, request: Request) -> Any:
        found = inner(request)
        again = [one for one in found if one["updated_at"] != one["created_at"] and request.operation == "list"]
        return found + again

    around(api, "own", own)


@fault("list.shape")
def empty_list_is_404(api: Api) -> None:
    """A list without a trunk is answered 404."""

    def tell(_request: Request, answer: Answer) -> Answer | None:
        if answer.status == 200 and not answer.document["data"]:
            return Answer(404, {"success": False, "message": "There are none.", "code": "NOT_FOUND"}, answer.headers)
        return None

    after(api, "list", tell)
