"""The fixtures that several sections share. Each is made when the first probe asks for it, and once a run."""

import pytest

from conformance.client import ABSENT, Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import Lab, Sent
from conformance.probes.lives import failing, resets, unverified, verified
from conformance.probes.numbers import numbers
from conformance.values import TRICKY

__all__ = ["failing", "full", "minimal", "numbers", "resets", "unverified", "verified", "with_charset"]

WITH_CHARSET = "application/json; charset=utf-8"


@pytest.fixture(scope="session")
def minimal(lab: Lab, full: Sent) -> Sent:
    """A trunk created with the five required fields alone, after one with other values than the defaults; it stays."""
    try:
        return Sent.of(lab.accept_create(port=ABSENT, transport=ABSENT, username="0042"))
    except Broken as broken:
        lab.refused_minimal = broken  # for the one rule that is broken by it
        raise NotJudged("a create with the required fields alone was refused") from None


@pytest.fixture(scope="session")
def with_charset(lab: Lab) -> Answer:
    """The answer to a create whose media type has a charset, and which leaves the port out."""
    changes = {"port": ABSENT, "transport": "tls", "outbound_proxy": "proxy.carrier-x.com", "auth_realm": "carrier-x"}
    answer = lab.create(lab.body(**changes), content_type=WITH_CHARSET)
    lab.keep_spare(answer)
    return answer


@pytest.fixture(scope="session")
def full(lab: Lab) -> Sent:
    """A trunk created with every field, tricky texts and texts that look like other types; read, then left to whoever
    needs one.
    """
    special = {
        "domain": "1st-SIP.x--y.a.carrier-x.com",
        "transport": "udp",
        "port": 5061,
        "outbound_proxy": "proxy-1.carrier-x.com",
        "is_active": False,
        "password": lab.canaries.password('"\\é<&>中' + "x" * 64),  # more than the 72 bytes that bcrypt takes
    }
    tricky = {"provider_name": f"X {TRICKY}", "username": f"0 {TRICKY}", "auth_realm": TRICKY}
    answer = lab.create(lab.body(name=f"{TRICKY} {lab.name()}", **special, **tricky))
    if not answer.is_success:
        special["password"] = lab.canaries.password()
        answer = lab.create(lab.body(name=f"{TRICKY} {lab.name()}", auth_realm="carrier-x", **special))
    sent = Sent.of(lab.usable(answer, "a create with every field"))
    sent.read(lab)
    lab.keep_spare(answer)
    return sent
