"""`mockserver.trunks`: the rules of a trunk's life, as functions from value to value."""

import pytest
from clients import trunk as fields
from hypothesis import given
from hypothesis import strategies as st

from mockserver import trunks
from mockserver.errors import TrunkNotVerified
from mockserver.redaction import Sealed
from mockserver.trunks import Finding

NEW = trunks.create(fields(password=Sealed(b"1"), port=5061, transport="tls", is_active=False), "id-1", "t1")
VERIFIED = trunks.verify(NEW, Finding(20), "t2")
ACTIVE = trunks.update(VERIFIED, {"is_active": True}, "t3")
BAD, GOOD = Finding(20, "Connection timeout"), Finding(20)

connection = st.fixed_dictionaries(
    {},
    optional={
        "domain": st.just("sip.other.example"),
        "transport": st.sampled_from(["udp", "tcp", "tls"]),
        "username": st.just("user_43"),
        "password": st.just(Sealed(b"2")),
        "port": st.integers(1, 65535),
        "outbound_proxy": st.none() | st.just("proxy.example"),
        "auth_realm": st.none() | st.just("realm"),
    },
)
harmless = st.fixed_dictionaries(
    {}, optional={"name": st.just("Backup"), "provider_name": st.just("carrier-y"), "is_active": st.just(False)}
)
existing = st.sampled_from([NEW, VERIFIED, ACTIVE, trunks.verify(ACTIVE, BAD, "t4")])


def test_new_trunk_is_neither_verified_nor_active():
    """A trunk starts unverified, inactive and unchecked, with one time for both stamps."""
    assert (NEW.is_verified, NEW.is_active, NEW.health_status, NEW.last_health_check_at) == (False, False, None, None)
    assert NEW.created_at == NEW.updated_at == "t1"
    assert (NEW.outbound_proxy, NEW.auth_realm) == (None, None)


def test_new_trunk_cannot_be_active():
    """A create with `is_active: true` is refused."""
    with pytest.raises(TrunkNotVerified):
        trunks.create(fields(port=5061, transport="tls", is_active=True), "id-1", "t1")


def test_trunk_cannot_be_changed_in_place():
    """A trunk is a value."""
    with pytest.raises(AttributeError):
        NEW.is_active = True


@given(existing, connection, harmless)
def test_update_changes_the_fields_that_were_sent_and_no_other(trunk, changes, others):
    """Beside the sent fields, only the verification, what follows from it, and the time may move."""
    changed = trunks.update(trunk, changes | others, "t9")
    moved = {name for name in trunk._fields if getattr(changed, name) != getattr(trunk, name)}
    assert moved <= changes.keys() | others.keys() | {"is_verified", "is_active", "updated_at", "checks"}
    assert all(getattr(changed, name) == value for name, value in (changes | others).items())


@given(existing, connection.filter(bool), harmless)
def test_update_of_the_connection_resets_the_verification(trunk, changes, others):
    """Whoever points a trunk elsewhere has to verify it again, and it is not active until then."""
    changed = trunks.update(trunk, changes | others, "t9")
    assert (changed.is_verified, changed.is_active) == (False, False)


@pytest.mark.parametrize("field", sorted(trunks.CONNECTION_FIELDS | {"domain", "transport", "username", "password"}))
def test_each_field_of_the_connection_resets_by_itself(field):
    """Every one of them is enough."""
    assert not trunks.update(ACTIVE, {field: getattr(ACTIVE, field)}, "t9").is_verified


def test_fields_of_the_connection_are_these():
    """Four are documented to reset, three do by this mock's choice; name, provider and activity do not."""
    chosen = {"port", "outbound_proxy", "auth_realm"}
    assert {"domain", "transport", "username", "password"} | chosen == trunks.CONNECTION_FIELDS


@given(existing, harmless)
def test_update_of_name_provider_or_activity_leaves_the_verification_alone(trunk, changes):
    """`name`, `provider_name` and `is_active` say nothing about the connection."""
    assert trunks.update(trunk, changes, "t9").is_verified == trunk.is_verified


@given(existing, connection, harmless, st.booleans())
def test_no_update_makes_an_unverified_trunk_active(trunk, changes, others, is_active):
    """Either the trunk is verified afterwards, or it is not active, or the update is refused."""
    try:
        changed = trunks.update(trunk, changes | others | {"is_active": is_active}, "t9")
    except TrunkNotVerified:
        assert is_active
    else:
        assert changed.is_verified or not changed.is_active


def test_activation_with_a_change_of_the_connection_is_refused():
    """An update that resets the verification cannot activate in the same breath."""
    with pytest.raises(TrunkNotVerified):
        trunks.update(VERIFIED, {"is_active": True, "domain": "sip.other.example"}, "t9")


def test_update_without_a_field_changes_nothing():
    """An empty update leaves even the time of the last update."""
    assert trunks.update(ACTIVE, {}, "t9") is ACTIVE


def test_update_that_sends_the_same_value_again_resets():
    """This mock's choice: a sent connection field resets, whatever its value."""
    assert not trunks.update(VERIFIED, {"domain": VERIFIED.domain}, "t9").is_verified


def test_new_domain_starts_the_count_of_checks_again():
    """A simulated carrier counts a trunk's checks from its domain on."""
    assert (VERIFIED.checks, ACTIVE.checks) == (1, 1)
    assert trunks.update(VERIFIED, {"domain": "sip.other.example"}, "t9").checks == 0
    assert trunks.update(VERIFIED, {"port": 5062}, "t9").checks == 1


@given(existing, st.sampled_from([GOOD, BAD]))
def test_verify_follows_what_the_carrier_found(trunk, finding):
    """A good finding verifies; a bad one takes verification and activity."""
    changed = trunks.verify(trunk, finding, "t9")
    assert changed.is_verified is (finding is GOOD)
    assert changed.is_active is (trunk.is_active and finding is GOOD)
    assert changed.health_status == ("healthy" if finding is GOOD else "unhealthy")
    assert changed.last_health_check_at == "t9"


@given(existing, st.sampled_from([GOOD, BAD]))
def test_health_check_leaves_all_but_the_health_alone(trunk, finding):
    """A check keeps its result and its time, and nothing else moves."""
    checked = trunks.check(trunk, finding, "t9")
    assert checked.health_status == ("healthy" if finding is GOOD else "unhealthy")
    assert checked.checks == trunk.checks + 1
    health = {"health_status": None, "last_health_check_at": None, "checks": 0}
    assert checked._replace(**health) == trunk._replace(**health)


def test_trunk_prints_without_its_password():
    """No text form of a trunk shows the password."""
    assert "password=***" in repr(NEW)
