"""A trunk's life, over HTTP: update, verify, activate, health, delete."""

import time

import pytest
from clients import refused, trunk

OTHER = {
    "domain": "sip.other.example",
    "transport": "tcp",
    "username": "user_43",
    "password": "another-password",
    "port": 5099,
    "outbound_proxy": "proxy.example",
    "auth_realm": "realm",
    "name": "Backup",
    "provider_name": "carrier-y",
}
DOCUMENTED_RESETS = ["domain", "transport", "username", "password"]
CHOSEN_RESETS = ["port", "outbound_proxy", "auth_realm"]
STATE = ("is_verified", "is_active", "health_status")


def state(api, path):
    data = api.read(path)
    return tuple(data[name] for name in STATE)


@pytest.mark.parametrize("field", OTHER)
def test_update_changes_the_field_that_was_sent_and_no_other(first, field):
    """Every other member of the answer stays, but for the stamp and what the lifecycle says."""
    path = first.create(port=5061)
    before = first.read(path)
    answer = first.put(path, json={field: OTHER[field]})
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    after = first.read(path)
    assert answer.json()["data"] == after
    expected = before | {field: OTHER[field], "updated_at": after["updated_at"]}
    expected.pop("password", None)
    assert after == expected


def test_update_moves_its_stamp_and_no_other(first):
    """`updated_at` is the time of the update; `created_at` never moves."""
    path = first.create()
    before = first.read(path)
    time.sleep(1.1)
    after = first.put(path, json={"name": "Backup"}).json()["data"]
    assert after["created_at"] == before["created_at"] == before["updated_at"] < after["updated_at"]


def test_update_without_a_field_changes_nothing(first):
    """An empty object is accepted, and so is one with nothing but unknown members."""
    path = first.verified()
    before = first.read(path)
    for body in ({}, {"colour": "red"}):
        assert first.put(path, json=body).json() == {"success": True, "data": before}


def test_change_of_the_transport_alone_leaves_the_port(first):
    """Only the fields that are sent change; the default is for a create."""
    path = first.create(transport="tls")
    assert first.put(path, json={"transport": "udp"}).json()["data"]["port"] == 5061


@pytest.mark.parametrize("field", ["outbound_proxy", "auth_realm"])
def test_null_unsets_an_optional_text(first, field):
    """`null` takes away what was set."""
    path = first.create(**{field: OTHER[field]})
    assert first.read(path)[field] == OTHER[field]
    assert first.put(path, json={field: None}).json()["data"][field] is None


def test_rejected_update_changes_nothing(first):
    """One bad field among good ones keeps them all out."""
    path = first.verified()
    before = first.read(path)
    good = {name: value for name, value in OTHER.items() if name != "port"}
    assert refused(first.put(path, json={**good, "port": 0})) == (422, "VALIDATION_ERROR")
    assert refused(first.put(path, json={**good, "is_active": True})) == (422, "TRUNK_NOT_VERIFIED")
    assert first.read(path) == before


@pytest.mark.parametrize("field", [*DOCUMENTED_RESETS, *CHOSEN_RESETS])
def test_change_of_the_connection_resets_the_verification(first, field):
    """A trunk that points elsewhere is no longer verified, and so no longer active."""
    path = first.verified()
    data = first.put(path, json={field: OTHER[field]}).json()["data"]
    assert (data["is_verified"], data["is_active"]) == (False, False)
    assert refused(first.put(path, json={"is_active": True})) == (422, "TRUNK_NOT_VERIFIED")


@pytest.mark.parametrize("field", DOCUMENTED_RESETS)
def test_same_value_again_resets_too(first, field):
    """This mock's choice: what is sent counts as changed."""
    path = first.verified(transport="tls")
    data = first.put(path, json={field: trunk(transport="tls")[field]}).json()["data"]
    assert (data["is_verified"], data["is_active"]) == (False, False)


@pytest.mark.parametrize("change", [{"name": "Backup"}, {"provider_name": "carrier-y"}, {"is_active": False}], ids=repr)
def test_other_change_leaves_the_verification_alone(first, change):
    """`name`, `provider_name` and `is_active` say nothing about the connection."""
    path = first.verified()
    data = first.put(path, json=change).json()["data"]
    assert data["is_verified"] is True
    assert data["is_active"] is ("is_active" not in change)


def test_trunk_is_activated_once_it_is_verified(first):
    """Create, verify, activate, in this order."""
    path = first.create()
    assert refused(first.put(path, json={"is_active": True})) == (422, "TRUNK_NOT_VERIFIED")
    assert state(first, path) == (False, False, None)
    first.post(f"{path}/verify")
    assert state(first, path) == (True, False, "healthy")
    assert first.put(path, json={"is_active": True}).json()["data"]["is_active"] is True
    assert state(first, path) == (True, True, "healthy")


def test_good_verify_has_three_members(first):
    """`is_verified`, `health_status` and the time, which the trunk shows as well."""
    path = first.create()
    answer = first.post(f"{path}/verify")
    checked = first.read(path)["last_health_check_at"]
    data = {"is_verified": True, "health_status": "healthy", "last_health_check_at": checked}
    assert (answer.status_code, answer.json()) == (200, {"success": True, "data": data})


FAILURES = {
    "auth-fail": "Authentication failed (401)",
    "x-timeout-x": "Connection timeout",
    "unreachable": "Host unreachable",
    "tls-error1": "TLS handshake failed",
    "Auth-Fail": "Authentication failed (401)",
}
failures = pytest.mark.parametrize(("label", "error"), FAILURES.items())


@failures
def test_failed_verify_is_an_answer_and_no_error(first, label, error):
    """200 with `success: false`, three members, neither message nor code; the trunk stays unverified."""
    path = first.create(domain=f"{label}.carrier.example")
    answer = first.post(f"{path}/verify")
    data = {"is_verified": False, "health_status": "unhealthy", "error": error}
    assert (answer.status_code, answer.json()) == (200, {"success": False, "data": data})
    assert state(first, path) == (False, False, "unhealthy")


@failures
def test_unhealthy_trunk_is_told_with_its_error(first, label, error):
    """A health check succeeds even where the trunk does not."""
    path = first.create(domain=f"sip.{label}.example")
    answer = first.get(f"{path}/health")
    data = answer.json()["data"]
    assert (answer.status_code, answer.json()["success"]) == (200, True)
    assert data.keys() == {"is_healthy", "response_time_ms", "checked_at", "error"}
    assert (data["is_healthy"], data["error"]) == (False, error)


def test_health_check_leaves_the_verification_alone(first):
    """It shows in `health_status` and its time, and nowhere else."""
    path = first.create()
    before = first.read(path)
    data = first.get(f"{path}/health").json()["data"]
    assert data.keys() == {"is_healthy", "response_time_ms", "checked_at"}
    assert data["is_healthy"] is True
    assert type(data["response_time_ms"]) is int
    health = {"health_status": "healthy", "last_health_check_at": data["checked_at"]}
    assert first.read(path) == before | health


def test_flaky_carrier_fails_so_often_and_then_succeeds(first):
    """`flaky-2` fails two checks, of whichever kind; a new domain starts again."""
    path = first.create(domain="flaky-2.carrier.example")
    assert first.post(f"{path}/verify").json()["data"]["error"] == "Service unavailable (503)"
    assert first.get(f"{path}/health").json()["data"]["is_healthy"] is False
    assert first.post(f"{path}/verify").json()["success"] is True
    first.put(path, json={"domain": "flaky-1.carrier.example"})
    assert [first.post(f"{path}/verify").json()["success"] for _ in range(2)] == [False, True]


def test_failed_verify_of_an_active_trunk_turns_it_off(first):
    """A health check that fails does not, a verify that fails does, and a later good one does not turn it on."""
    path = first.create(domain="flaky-0.carrier.example")
    for step in (lambda: first.post(f"{path}/verify"), lambda: first.put(path, json={"is_active": True})):
        step()
    assert state(first, path) == (True, True, "healthy")
    first.put(path, json={"domain": "flaky-1.carrier.example"})
    assert state(first, path)[:2] == (False, False)
    first.post(f"{path}/verify")
    first.post(f"{path}/verify")
    assert state(first, path) == (True, False, "healthy")


def test_deleted_trunk_is_gone_for_every_operation(first):
    """Its answer has a message and no data; then 404, also for a second delete, and no other trunk is touched."""
    other, path = first.create(), first.create()
    kept = first.read(other)
    answer = first.delete(path)
    assert (answer.status_code, answer.json().keys()) == (200, {"success", "message"})
    assert answer.json()["success"] is True
    for method, end in [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/verify"),
        ("GET", "/health"),
        ("GET", "/dids"),
    ]:
        assert refused(first.request(method, path + end, json={})) == (404, "TRUNK_NOT_FOUND")
    assert refused(first.number(path, "+12025550198")) == (404, "TRUNK_NOT_FOUND")
    ids = {it["id"] for it in first.get("/sip-trunks").json()["data"]}
    assert path.rpartition("/")[2] not in ids
    assert first.read(other) == kept
