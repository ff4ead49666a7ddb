"""Delete: a trunk that is gone is gone everywhere, and nothing else is.

Source: the page *Delete SIP Trunk*; RFC 9110, section 15.5.5 for 404.
"""

from dataclasses import dataclass
from urllib.parse import unquote

import pytest

from conformance import expect
from conformance.client import FIRST, Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import Lab, Sent, did_path, entries, path_of
from conformance.listing import listed
from conformance.probes.numbers import Numbers
from conformance.probes.test_read import want_absent
from conformance.rules import Level, Profile, rule

PAGE = "Delete SIP Trunk"
DELETE = "/paths/~1sip-trunks~1{trunk_id}/delete"


@dataclass
class Gone:
    """A trunk that was read and then deleted."""

    path: str
    identity: str
    answer: Answer


@pytest.fixture(scope="session")
def gone(lab: Lab) -> Gone:
    """A trunk of its own, read and deleted."""
    made = lab.take()
    path = path_of(made)
    lab.usable(lab.get(path), "reading the trunk")
    return Gone(path, str(made.member("id")), lab.delete(path))


@rule(
    "delete.accepted",
    Level.DOCUMENTED,
    "A trunk without DIDs can be deleted.",
    source=PAGE,
    sends="DELETE /sip-trunks/{trunk_id}",
    accepts="200 with success true and a message; data absent or null",
    contract=f"{DELETE}/responses/200",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_delete_is_accepted(gone: Gone) -> None:
    expect.status_in(gone.answer, (200,))
    document = gone.answer.json
    if not isinstance(document, dict) or not isinstance(document.get("message"), str) or not document["message"]:
        raise Broken("a message", "none", gone.answer)


@rule(
    "delete.gone",
    Level.STANDARD,
    "After a delete every operation on the trunk answers 404.",
    source=f"{PAGE} (“permanently”); RFC 9110, section 15.5.5",
    sends="GET, PUT, DELETE, Verify, Health and the DIDs of a deleted trunk",
    accepts="404; for a create of a DID or an update also 422",
    contract="/components/responses/TrunkNotFound",
    profile=Profile.QUICK,
    needs=("delete.accepted",),
)
def test_deleted_trunk_answers_404(lab: Lab, gone: Gone) -> None:
    lab.usable(gone.answer, "the delete")
    did = {"country_code": "US", "number": lab.number()}
    want_absent(lab.get(gone.path, tags=("absent",)), gone.answer)
    if lab.brief:
        return
    for answer in (
        lab.update(gone.path, {"name": lab.name()}, tags=("absent",)),
        lab.verify(gone.path, tags=("absent",)),
        lab.health(gone.path, tags=("absent",)),
        lab.dids(gone.path, tags=("absent",)),
        lab.add_did(gone.path, did, tags=("absent",)),
        lab.delete_did(f"{gone.path}/dids/{gone.identity}", tags=("absent",)),
        lab.delete(gone.path, tags=("absent",)),
    ):
        want_absent(answer, gone.answer)


@rule(
    "delete.not-listed",
    Level.DOCUMENTED,
    "A deleted trunk is gone from the list.",
    source=PAGE,
    sends="every list of the run that came after a DELETE",
    accepts="a list without it",
    contract="/paths/~1sip-trunks/get",
    needs=("delete.accepted",),
)
def test_deleted_trunk_is_not_listed(lab: Lab, gone: Gone) -> None:
    deletes: dict[str, Answer] = {}
    lists = 0
    for answer in lab.client.answers:
        of_trunk = answer.method == "DELETE" and answer.path.count("/") == 2
        if of_trunk and answer.is_success and answer.actor == FIRST and not expect.says_no(answer):
            deletes[unquote(answer.path.rsplit("/", 1)[-1])] = answer
        elif answer.operation == "GET /sip-trunks" and answer.actor == FIRST and deletes:
            lists += 1
            for identity in deletes.keys() & {str(entry.get("id")) for entry in entries(answer)}:
                raise Broken("a list without the deleted trunk", "it is still there", deletes[identity], answer)
    if not lists and (found := listed(lab)) and gone.identity in found:
        raise Broken("a list without the deleted trunk", "it is still there", gone.answer, found[gone.identity])


@rule(
    "delete.others-untouched",
    Level.DOCUMENTED,
    "A delete removes no other trunk.",
    source=PAGE,
    sends="DELETE of one trunk, then GET of two others",
    accepts="200",
    contract=f"{DELETE}/description",
    needs=("delete.accepted",),
)
def test_delete_removes_no_other_trunk(lab: Lab, minimal: Sent, gone: Gone) -> None:
    lab.usable(gone.answer, "the delete")
    for path in (lab.main, path_of(minimal.answer)):
        answer = lab.get(path)
        if answer.status == 404:
            raise Broken("200", "404: the other trunk is gone", gone.answer, answer)


@dataclass
class WithDid:
    """What became of a trunk with a DID: its delete, its DIDs after that, its delete once they were gone."""

    did: Answer
    early: Answer
    dids: Answer
    late: Answer | None


@pytest.fixture(scope="session")
def with_did(lab: Lab, numbers: Numbers) -> WithDid:
    """A trunk that nobody needs any more, deleted while it has a DID and again when it has none."""
    if numbers.older is not None and numbers.older.is_success and numbers.again.is_refusal:
        path, did = numbers.path, numbers.older
    else:
        path = path_of(lab.take())
        did = lab.usable(lab.add_did(path, {"country_code": "US", "number": lab.number()}), "adding a DID")
    early = lab.client.send("DELETE", path, operation="DELETE /sip-trunks/{trunk_id}")
    dids = lab.dids(path)
    late = None
    if not early.is_success and (there := did_path(path, did)):
        if (gone := lab.delete_did(there)).status != 404:  # the early delete may have taken it
            lab.usable(gone, "deleting the DID")
        late = lab.delete(path)
    return WithDid(did, early, dids, late)


@rule(
    "delete.has-dids",
    Level.DOCUMENTED,
    "A trunk that has DIDs cannot be deleted, and keeps them.",
    source=f"{PAGE}: 409 TRUNK_HAS_DIDS",
    sends="DELETE of a trunk with a DID, then GET of both",
    accepts="409; the trunk and its DID still there",
    contract=f"{DELETE}/responses/409",
    needs=("delete.accepted", "did.accepted"),
)
def test_trunk_with_dids_is_not_deleted(with_did: WithDid) -> None:
    expect.status_in(with_did.early, (409,), with_did.did)
    if with_did.dids.status == 404:
        raise Broken("the trunk still there", "404", with_did.early, with_did.dids)
    if isinstance(with_did.dids.data, list) and with_did.did.member("id") not in [
        one.get("id") for one in entries(with_did.dids)
    ]:
        raise Broken("the DID still there", "it is gone", with_did.early, with_did.dids)


@rule(
    "delete.has-dids-code",
    Level.INFERRED,
    "The delete of a trunk that has DIDs is refused with the code TRUNK_HAS_DIDS.",
    source=f"{PAGE}: 409 TRUNK_HAS_DIDS; how firm the codes are, the pages do not say",
    sends="DELETE of a trunk with a DID",
    accepts="the code TRUNK_HAS_DIDS",
    contract=f"{DELETE}/responses/409",
    needs=("delete.has-dids",),
)
def test_delete_of_a_trunk_with_dids_has_its_code(with_did: WithDid) -> None:
    expect.code_is(with_did.early, "TRUNK_HAS_DIDS")


@rule(
    "delete.after-dids",
    Level.DOCUMENTED,
    "Once its DIDs are gone, the trunk can be deleted.",
    source=PAGE,
    sends="DELETE of the DID, then of its trunk",
    accepts="200",
    contract=f"{DELETE}/responses/200",
    needs=("delete.has-dids",),
)
def test_trunk_without_its_dids_is_deleted(with_did: WithDid) -> None:
    if with_did.late is None:
        raise NotJudged("the trunk was deleted while it had DIDs")
    expect.status_in(with_did.late, (200,))
