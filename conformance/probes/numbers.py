"""DIDs in steps that several sections look at: a number's whole life beside an older one and another trunk."""

import json
from dataclasses import dataclass

import pytest

from conformance.client import Answer
from conformance.lab import Lab, did_path, path_of


@dataclass
class Numbers:
    """Two trunks, a DID on the first, and what became of it."""

    path: str
    second: str
    number: str
    added: Answer
    listed: Answer
    again: Answer
    on_other: Answer
    other_list: Answer  # of the second trunk, after it was refused the number
    older: Answer | None = None  # another DID on the first trunk, a German one of 15 digits, added before
    wrong_trunk: Answer | None = None
    after_wrong: Answer | None = None
    deleted: Answer | None = None
    after_delete: Answer | None = None
    deleted_twice: Answer | None = None
    reused: Answer | None = None


@pytest.fixture(scope="session")
def numbers(lab: Lab) -> Numbers:
    """A DID's whole life on a trunk of its own, beside an older DID and another trunk."""
    path, second = path_of(lab.take()), lab.main if lab.brief else path_of(lab.take())
    older = None if lab.brief else lab.add_did(path, {"country_code": "DE", "number": f"+49211{digits(lab)}"})
    added = _add(lab, path)
    number = str(json.loads(added.request_body or b"{}")["number"])
    did = {"country_code": "US", "number": number}
    if lab.brief:
        return Numbers(path, path, number, added, added, added, added, added)
    found = Numbers(
        path, second, number, added,
        lab.dids(path), lab.add_did(path, did, tags=("taken",)), lab.add_did(second, did, tags=("taken",)),
        lab.dids(second), older,
    )  # fmt: skip
    if there := did_path(path, added):
        identity = there.rsplit("/", 1)[-1]
        found.wrong_trunk = lab.client.send(
            "DELETE", f"{second}/dids/{identity}", operation="DELETE /sip-trunks/{trunk_id}/dids/{phone_number_id}"
        )
        found.after_wrong = lab.dids(path)
        found.deleted = lab.delete_did(there)
        found.after_delete = lab.dids(path)
        found.deleted_twice = lab.client.send(
            "DELETE", there, operation="DELETE /sip-trunks/{trunk_id}/dids/{phone_number_id}"
        )
        found.reused = lab.add_did(second, did)
    return found


def _add(lab: Lab, path: str) -> Answer:
    """Add a number that the environment does not have; a number that is taken already is left to its owner."""
    for _ in range(4):
        answer = lab.add_did(path, {"country_code": "US", "number": lab.number()})
        if answer.status != 409:
            return answer
    return answer


def digits(lab: Lab) -> str:
    """Give ten digits that this run alone uses, as far as possible."""
    return f"{int(lab.options.run_id, 16) % 10**9 + 10**9:010d}"
