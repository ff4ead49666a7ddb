"""Isolation: another environment's trunk does not exist, whatever is asked of it.

Source: the page *Authentication*: a token names an environment, and every trunk belongs to exactly one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from conformance import expect
from conformance.client import OTHER, Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import Lab, did_path, entries, trunk_path
from conformance.listing import last_list, listed
from conformance.probes.lives import Life
from conformance.rules import Level, Profile, rule, rule_for_each

SOURCE = "Authentication: what an environment is"
NOT_FOUND = "/components/responses/TrunkNotFound"


@dataclass
class Foreign:
    """A trunk with a DID in the first environment, and what the other environment was told about it."""

    path: str
    before: Answer
    after: Answer
    dids_after: Answer
    did: Answer
    answers: Mapping[str, Answer]


@pytest.fixture(scope="session")
def own(lab: Lab) -> Answer:
    """A trunk of the other environment's own, which shows that its token works; it stays through the run."""
    created = lab.create(lab.body(transport="tls", port=5060), actor=OTHER)
    return lab.usable(created, "a create in the other environment")


@pytest.fixture(scope="session")
def foreign(lab: Lab, own: Answer, failing: Life) -> Foreign:
    """Everything that the other environment can try on a trunk that is not its own, each beside the owner's reads."""
    path = failing.path  # by now verified, where a carrier says yes
    before = lab.usable(lab.get(path), "reading the trunk")
    did = before if lab.brief else lab.add_did(path, {"country_code": "US", "number": lab.number()})
    how: dict[str, Any] = {"actor": OTHER, "tags": ("foreign",)}
    secret = lab.canaries.password('"\\é<&')
    tries: dict[str, Callable[[], Answer]] = {
        "read": lambda: lab.get(path, **how),
        "update": lambda: lab.update(path, {"name": lab.name(), "password": lab.canaries.password()}, **how),
        "verify": lambda: lab.verify(lab.main, **how),  # which is not verified, so that it would show
        "health": lambda: lab.health(path, **how),
        "list-dids": lambda: lab.dids(path, **how),
        "add-did": lambda: lab.add_did(path, {"country_code": "US", "number": lab.number()}, **how),
    }
    if there := None if lab.brief else did_path(path, did):
        tries["delete-did"] = lambda: lab.client.send(
            "DELETE", there, operation="DELETE /sip-trunks/{trunk_id}/dids/{phone_number_id}", **how
        )
        round_about = f"{trunk_path(own)}/dids/{there.rsplit('/', 1)[-1]}"
        tries["delete-did-by-way-of-its-own"] = lambda: lab.client.send(
            "DELETE", round_about, operation="DELETE /sip-trunks/{trunk_id}/dids/{phone_number_id}", **how
        )
    if not lab.brief:
        tries["update-refused"] = lambda: lab.update(path, {"port": 0, "password": secret}, **how)
    tries["delete"] = lambda: lab.client.send("DELETE", path, operation="DELETE /sip-trunks/{trunk_id}", **how)
    wanted = {name: send for name, send in tries.items() if not lab.brief or name in {"read", "update", "delete"}}
    answers = {name: send() for name, send in wanted.items()}
    return Foreign(path, before, lab.get(path), did if lab.brief else lab.dids(path), did, answers)


def _want_hidden(foreign: Foreign, name: str) -> None:
    if name not in foreign.answers:
        raise NotJudged(
            "the DID could not be added" if name.startswith("delete-did") else "the quick profile does not send it"
        )
    answer = foreign.answers[name]
    if answer.status >= 500:
        return
    allowed = (
        (403, 404, 400, 422)
        if name == "update-refused"
        else (403, 404, 422)
        if name in {"update", "add-did"}
        else (403, 404)
    )
    if answer.status not in allowed:
        raise Broken("404 or 403", expect.summary(answer), foreign.before, answer, control=foreign.before)


@rule_for_each(
    ("read", "update", "delete", "verify", "health", "list-dids", "add-did", "delete-did"),
    "isolation.{field}",
    Level.DOCUMENTED,
    "Another environment's trunk is not there for this operation: {field}.",
    source=SOURCE,
    sends="the operation on a trunk of the first environment, with the other one's token; delete-did also by its own",
    accepts="404 or 403",
    contract=NOT_FOUND,
    quick=("read", "update", "delete"),
    needs=("create.accepted",),
)
def test_foreign_trunk_is_hidden(foreign: Foreign, field: str) -> None:
    _want_hidden(foreign, field)
    if field == "delete-did":
        _want_hidden(foreign, "delete-did-by-way-of-its-own")


@rule(
    "isolation.bad-update",
    Level.DOCUMENTED,
    "A bad update of another environment's trunk tells nothing of it either.",
    source=SOURCE,
    sends="PUT with port 0 on a trunk of the first environment, with the other one's token",
    accepts="404, 403, 400 or 422",
    contract=NOT_FOUND,
    needs=("create.accepted",),
)
def test_bad_update_of_a_foreign_trunk_is_refused(foreign: Foreign) -> None:
    _want_hidden(foreign, "update-refused")


@rule(
    "isolation.nothing-changes",
    Level.DOCUMENTED,
    "Nothing that another environment tries changes a trunk or its DIDs.",
    source=SOURCE,
    sends="eight operations with the other environment's token, then GET by the owner",
    accepts="the trunk and its DIDs as they were",
    contract="/paths/~1sip-trunks~1{trunk_id}/get",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_foreign_requests_change_nothing(foreign: Foreign) -> None:
    after = foreign.after
    if after.status == 404:
        raise Broken("the trunk still there", "404 for its owner", foreign.answers["delete"], after)
    for name in ("name", "port", "is_verified", "is_active", "health_status", "updated_at"):
        if after.is_success and not expect.same(after.member(name), foreign.before.member(name)):
            raise Broken(
                f"{name} {expect.show(foreign.before.member(name))}",
                f"{name} {expect.show(after.member(name))}",
                foreign.before,
                after,
            )
    if foreign.did.method == "POST" and foreign.did.is_success and isinstance(foreign.dids_after.data, list):
        ids = [entry.get("id") for entry in entries(foreign.dids_after)]
        if ids != [foreign.did.member("id")]:
            raise Broken("the one DID of the owner", f"{len(ids)} DIDs", foreign.did, foreign.dids_after)


@rule(
    "isolation.list",
    Level.DOCUMENTED,
    "The list has no trunk of another environment.",
    source=SOURCE,
    sends="GET /sip-trunks with either token, all pages",
    accepts="none of the other's trunks",
    contract="/paths/~1sip-trunks/get",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_list_has_no_foreign_trunk(lab: Lab, own: Answer) -> None:
    mine, theirs = str(lab.baseline.member("id")), str(own.member("id"))
    if mine == theirs:
        raise Broken("different ids", "the same id in two environments", lab.baseline, own)
    others = listed(lab, OTHER, until=frozenset({theirs}), whole=True)
    if mine in others:
        raise Broken("no trunk of the first environment", "its trunk is there", lab.baseline, others[mine])
    if theirs not in others:
        raise Broken("the environment's own trunk in its list", "it is not there", own)
    first, _ = last_list(lab)
    if theirs in first:
        raise Broken("no trunk of the other environment", "its trunk is there", own, first[theirs])


@rule(
    "isolation.both-ways",
    Level.DOCUMENTED,
    "The first environment does not see the other one's trunk either.",
    source=SOURCE,
    sends="GET of the other environment's trunk with the first one's token",
    accepts="404 or 403",
    contract=NOT_FOUND,
    needs=("create.accepted",),
)
def test_isolation_holds_both_ways(lab: Lab, own: Answer) -> None:
    path = trunk_path(own) or ""
    foreign_read = lab.get(path, tags=("foreign",))
    if foreign_read.status < 500:
        expect.status_in(foreign_read, (403, 404), own)
