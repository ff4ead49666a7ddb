"""Many at once, over HTTP: what must be true of one request after another is true of all together."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from clients import GONE, Api, trunk

WORKERS = 8


@pytest.fixture
def at_once(mock):
    """A function that calls `step(api, n)` for n from 0 to `times`, in eight threads, each with its own client."""
    apis = [Api(mock.base_url) for _ in range(WORKERS)]

    def run(step, times):
        def share(worker):
            return [step(apis[worker], number) for number in range(worker, times, WORKERS)]

        with ThreadPoolExecutor(WORKERS) as pool:
            return [answer for answers in pool.map(share, range(WORKERS)) for answer in answers]

    yield run
    for api in apis:
        api.close()


def codes(answers):
    found = [it.json().get("code", it.status_code) for it in answers]
    return {code: found.count(code) for code in found}


def test_each_create_makes_one_trunk(at_once, first):
    """As many trunks as answers, each with an id of its own, and each with its own fields."""
    answers = at_once(lambda api, n: api.post("/sip-trunks", json=trunk(name=f"many-{n}", port=1000 + n)), 80)
    made = {it.json()["data"]["id"]: it.json()["data"] for it in answers}
    listed = {it["id"]: it for it in first.get("/sip-trunks").json()["data"] if it["name"].startswith("many-")}
    assert listed.keys() == made.keys()
    assert len(made) == 80
    assert all(it["port"] == 1000 + int(it["name"].removeprefix("many-")) for it in listed.values())


def test_number_goes_to_one_trunk(at_once, first):
    """Of many who want one number, one gets it."""
    paths = [first.create() for _ in range(4)]
    answers = at_once(lambda api, n: api.number(paths[n % 4], "+12025550177"), 40)
    assert codes(answers) == {201: 1, "DID_ALREADY_EXISTS": 39}
    assert sum(len(first.get(f"{path}/dids").json()["data"]) for path in paths) == 1


def test_trunk_is_deleted_once(at_once, first):
    """Of many who delete a trunk, one does."""
    path = first.create()
    assert codes(at_once(lambda api, _: api.delete(path), 24)) == {200: 1, "TRUNK_NOT_FOUND": 23}


def test_number_is_deleted_once(at_once, first):
    """Of many who delete a number, one does, and it is free again."""
    path = first.create()
    did = first.number(path, "+12025550178").json()["data"]["id"]
    assert codes(at_once(lambda api, _: api.delete(f"{path}/dids/{did}"), 24)) == {200: 1, "DID_NOT_FOUND": 23}
    assert first.number(path, "+12025550178").status_code == 201


def test_trunk_and_its_numbers_go_in_the_right_order(at_once, first):
    """While some add a number, some take it off and some delete the trunk, no number is left without its trunk."""
    number = "+12025550179"
    for _ in range(4):
        path = first.create()

        def step(api, n, path=path):
            if n % 3 == 0:
                return api.number(path, number)
            if n % 3 == 1:
                dids = api.get(f"{path}/dids").json().get("data", [])
                return api.delete(f"{path}/dids/{dids[0]['id'] if dids else GONE}")
            return api.delete(path)

        answers = at_once(step, 48)
        assert codes(answers).keys() <= {
            200,
            201,
            "DID_ALREADY_EXISTS",
            "DID_NOT_FOUND",
            "TRUNK_NOT_FOUND",
            "TRUNK_HAS_DIDS",
        }
        deleted = first.get(path).status_code == 404
        for did in [] if deleted else first.get(f"{path}/dids").json()["data"]:
            assert first.delete(f"{path}/dids/{did['id']}").status_code == 200
        fresh = first.create()
        again = first.number(fresh, number)
        assert again.status_code == 201, "the number is free once its trunk has gone"
        first.delete(f"{fresh}/dids/{again.json()['data']['id']}")


def test_update_is_seen_as_a_whole(at_once, first):
    """Fields that are always sent together are never seen apart, and a refused update is never seen at all."""
    path = first.create(name="v0", provider_name="v0", port=1)

    def step(api, n):
        if n % 4 == 0:
            return api.put(path, json={"name": f"v{n}", "provider_name": f"v{n}", "port": n + 1})
        if n % 4 == 1:
            return api.put(path, json={"name": "never", "provider_name": "never", "port": 0})
        return api.get(path)

    for answer in at_once(step, 120):
        data = answer.json().get("data")
        if data is None:
            assert answer.status_code == 422
        else:
            assert data["name"] == data["provider_name"] == f"v{data['port'] - 1}"


def test_no_order_of_verify_update_and_activate_leaves_an_unverified_trunk_active(at_once, first):
    """Whatever comes in between, active implies verified."""
    path = first.create()

    def step(api, n):
        match n % 4:
            case 0:
                return api.post(f"{path}/verify")
            case 1:
                return api.put(path, json={"is_active": True})
            case 2:
                return api.put(path, json={"domain": f"sip{n}.carrier.example"})
            case _:
                return api.get(path)

    for answer in at_once(step, 160):
        data = answer.json().get("data", {})
        assert not data.get("is_active") or data["is_verified"]


def test_checks_are_counted_one_by_one(at_once, first):
    """A carrier that fails twenty checks fails exactly twenty of thirty, however they come."""
    path = first.create(domain="flaky-20.carrier.example")
    answers = at_once(lambda api, n: api.get(f"{path}/health"), 30)
    assert sum(it.json()["data"]["is_healthy"] for it in answers) == 10
