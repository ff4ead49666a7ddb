"""Faults in DIDs; what their fields may be is with the other fields."""

from collections.abc import Callable
from typing import Any

from conformance.selftest.catalogue import after, around, before, fault, noting, refusals, shown
from conformance.selftest.faults.create import wants
from conformance.selftest.miniature import Answer, Api, Request

Inner = Callable[..., Any]


@fault("did.accepted")
def did_is_202(api: Api) -> None:
    """A new DID is answered 202."""
    api.statuses["add-did"] = 202


@fault("did.accepted")
def no_american_numbers(api: Api) -> None:
    """US numbers are refused."""
    wants(api, "add-did", lambda values: values["country_code"] == "US")


@fault("did.members")
def did_without_trunk(api: Api) -> None:
    """A new DID is told without its trunk_id."""
    shown(api, "add-did", lambda did: did.pop("trunk_id"))


@fault("did.listed")
def did_is_listed_without_country(api: Api) -> None:
    """The list of DIDs does not tell country codes."""
    shown(api, "list-dids", lambda did: did.pop("country_code"))


@fault("did.listed", also=["isolation.nothing-changes", "did.refused-not-stored"])
def did_is_listed_twice(api: Api) -> None:
    """The list of DIDs has each twice."""
    after(
        api,
        "list-dids",
        lambda _request, answer: answer.document["data"].extend([*answer.data]) if answer.status == 200 else None,
    )


@fault("did.own-trunk-alone", also=["did.refused-not-stored", "isolation.nothing-changes"])
def dids_of_all_trunks(api: Api) -> None:
    """The list of DIDs has those of all trunks of the environment."""

    def all_of(request: Request, answer: Answer) -> None:
        if answer.status == 200:
            own = {trunk["id"] for trunk in api.own(request)}
            answer.document["data"] = [did for did in api.dids.values() if did["trunk_id"] in own]

    after(api, "list-dids", all_of)


@fault("did.number.unique", also=["did.own-trunk-alone", "did.number.free-again"])
def unique_on_a_trunk(api: Api) -> None:
    """A number may be on two trunks of an environment."""
    around(
        api, "is_taken", lambda _inner, trunk, number: any(did["number"] == number for did in api.dids_of(trunk["id"]))
    )


@fault("did.number.unique", also=["did.deleted"])
def unique_on_other_trunks(api: Api) -> None:
    """A number may be on a trunk twice."""
    around(
        api,
        "is_taken",
        lambda inner, trunk, number: (
            inner(trunk, number) and all(did["number"] != number for did in api.dids_of(trunk["id"]))
        ),
    )


@fault("did.number.unique-code")
def taken_number_under_another_code(api: Api) -> None:
    """A number that is there already is refused with the code CONFLICT."""
    refusals(
        api,
        lambda request, answer: (
            answer.document.update(code="CONFLICT") if request.operation == "add-did" and answer.status == 409 else None
        ),
    )


@fault("did.refused-not-stored")
def refused_did_is_stored(api: Api) -> None:
    """A DID that is refused for its number is stored all the same."""

    def store(request: Request, answer: Answer) -> None:
        if (
            request.operation == "add-did"
            and answer.document.get("errors")
            and api.trunks[request.trunk_id]["environment"] == request.environment
        ):
            did = {
                "id": api.new_id(),
                "number": "",
                "country_code": "US",
                "formatted_number": "",
                "trunk_id": request.trunk_id,
            }
            api.dids[did["id"]] = did

    refusals(api, store)


@fault("did.deleted", also=["delete.after-dids", "did.refused-not-stored"])
def did_stays(api: Api) -> None:
    """A DID that is deleted stays in the list."""
    around(api, "remove_did", lambda _inner, _did: None)


@fault("did.deleted")
def did_is_deleted_again(api: Api) -> None:
    """A DID can be deleted again."""
    gone: set[str] = set()
    noting(api, "remove_did", lambda did: gone.add(did["id"]))
    before(
        api,
        "delete-did",
        lambda request: api.deleted(request) if request.did_id in gone and request.trunk_id in api.trunks else None,
    )


@fault("did.delete.own-trunk-alone")
def did_is_deleted_through_another_trunk(api: Api) -> None:
    """A DID is deleted through any trunk's path."""
    around(api, "find_did", lambda inner, request: _any_did(api, request) or inner(request))


def _any_did(api: Api, request: Request) -> dict[str, Any] | None:
    api.find(request)
    did = api.dids.get(request.did_id)
    return did if did and api.trunks[did["trunk_id"]]["environment"] == request.environment else None


@fault("did.number.free-again")
def number_is_never_free(api: Api) -> None:
    """A number that was taken off its trunk stays taken."""
    gone: set[str] = set()
    noting(api, "remove_did", lambda did: gone.add(did["number"]))
    around(api, "is_taken", lambda inner, trunk, number: number in gone or inner(trunk, number))


@fault("did.listed", also=["delete.has-dids", "did.deleted", "did.delete.own-trunk-alone", "isolation.nothing-changes"])
def only_the_first_did_is_listed(api: Api) -> None:
    """The list of DIDs has the first alone."""
    around(api, "list_dids", lambda inner, request: _first_alone(inner(request)))


def _first_alone(answer: Answer) -> Answer:
    answer.document["data"] = answer.document["data"][:1]
    return answer


@fault("did.listed", also=["did.refused-not-stored"])
def no_dids_is_404(api: Api) -> None:
    """A list of DIDs without any is answered 404."""

    def tell(_request: Request, answer: Answer) -> Answer | None:
        if answer.status == 200 and not answer.document["data"]:
            return Answer(404, {"success": False, "message": "There are none.", "code": "NOT_FOUND"}, answer.headers)
        return None

    after(api, "list-dids", tell)


@fault("did.deleted", also=["delete.has-dids"])
def all_dids_are_deleted(api: Api) -> None:
    """The delete of a DID takes all DIDs of its trunk."""

    def clear(inner: Inner, did: dict[str, Any]) -> None:
        for one in api.dids_of(did["trunk_id"]):
            inner(one)

    around(api, "remove_did", clear)


@fault("did.number.longest", also=["did.listed", "answer.as-sent"])
def every_did_is_american(api: Api) -> None:
    """A new DID is told with the country code US."""
    shown(api, "add-did", lambda did: did.update(country_code="US"))
