"""Two environments, over HTTP: neither sees or touches what the other has."""

import pytest
from clients import GONE, refused, trunk

OPERATIONS = [
    ("GET", "{path}", None),
    ("PUT", "{path}", {"name": "stolen"}),
    ("PUT", "{path}", {}),
    ("PUT", "{path}", {"is_active": True}),
    ("DELETE", "{path}", None),
    ("POST", "{path}/verify", None),
    ("GET", "{path}/health", None),
    ("GET", "{path}/dids", None),
    ("POST", "{path}/dids", {"country_code": "US", "number": "+12025559999"}),
    ("DELETE", "{path}/dids/{did}", None),
    ("DELETE", "{path}/dids/" + GONE, None),
]


@pytest.fixture(scope="module")
def foreign(first):
    """A trunk of the first environment, with a number: its path, the number's id and all that is told of both."""
    path = first.create()
    did = first.number(path, "+12025558888").json()["data"]["id"]

    def told():
        return first.get("/sip-trunks").json(), first.get(f"{path}/dids").json()

    return path, did, told


@pytest.mark.parametrize(("method", "target", "body"), OPERATIONS)
def test_trunk_of_another_environment_is_not_there(foreign, second, method, target, body):
    """404 as for a trunk that never was, and nothing of it changes."""
    path, did, told = foreign
    before = told()
    answer = second.request(method, target.format(path=path, did=did), json=body)
    never = second.request(method, target.format(path=f"/sip-trunks/{GONE}", did=did), json=body)
    assert refused(answer) == (404, "TRUNK_NOT_FOUND")
    assert answer.content == never.content
    assert told() == before


def test_list_has_no_trunk_of_another_environment(foreign, first, second):
    """No trunk is in both lists."""
    second.create()
    ids = [{it["id"] for it in api.get("/sip-trunks").json()["data"]} for api in (first, second)]
    assert all(ids)
    assert not ids[0] & ids[1]


def test_number_of_another_environment_cannot_be_deleted(foreign, second):
    """Not by way of one's own trunk either."""
    _, did, told = foreign
    before = told()
    assert refused(second.delete(f"{second.create()}/dids/{did}")) == (404, "DID_NOT_FOUND")
    assert told() == before


def test_body_cannot_name_an_environment(foreign, second):
    """Only the token says whose a trunk is."""
    _, _, told = foreign
    before = told()
    second.post("/sip-trunks", json=trunk(environment="first", environment_id="first"))
    assert told() == before
