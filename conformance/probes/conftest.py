"""The fixtures that several sections share. Each is made when the first probe asks for it, and once a run."""

import pytest

from conformance.client import ABSENT
from conformance.lab import TRICKY, Lab, Sent


@pytest.fixture(scope="session")
def minimal(lab: Lab) -> Sent:
    """A trunk created with the five required fields alone; it stays through the run."""
    return Sent.of(lab.accept_create(port=ABSENT, transport=ABSENT))


@pytest.fixture(scope="session")
def full(lab: Lab) -> Sent:
    """A trunk created with every field, tricky texts and texts that look like other types; read, then left to whoever needs one."""
    answer = lab.create(
        lab.body(
            name=f"{TRICKY} {lab.name()}",
            provider_name="Carrier-X <&> \"é\" \U0001f4de",
            domain="1st-sip.x--y.carrier-x.com",
            username="0042",
            password=lab.canaries.password('"\\é<&>中'),
            port=5060,
            outbound_proxy="proxy-1.carrier-x.com",
            auth_realm="true",
            is_active=False,
        )
    )
    sent = Sent.of(lab.usable(answer, "a create with every field"))
    sent.read(lab)
    lab.keep_spare(answer)
    return sent
