"""The life of one trunk, in steps that several sections look at: unverified, verified, changed, and pointed at a
failing carrier.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from conformance.client import Answer, NotJudged
from conformance.expect import same_host
from conformance.lab import LIKELY_FAILING_DOMAIN, Lab, path_of
from conformance.listing import listed

NEEDS_CARRIER = "give --working-domain with a host on which Verify succeeds"


@dataclass
class Life:
    """The steps of one trunk's life, by name; a step that could not be taken is missing, and `why` says why."""

    path: str
    steps: dict[str, Answer] = field(default_factory=dict)
    why: str = ""

    def step(self, name: str) -> Answer:
        """Give the answer of a step; NotJudged when the life did not get that far."""
        if name not in self.steps:
            raise NotJudged(self.why or "the trunk's life did not get that far")
        return self.steps[name]


@pytest.fixture(scope="session")
def unverified(lab: Lab) -> Life:
    """A trunk that is not verified: activated in vain, checked, and read after each."""
    life = Life(path_of(lab.take(to_verify=True)))
    life.steps["activate"] = lab.update(life.path, {"is_active": True}, tags=("odd",))
    life.steps["health"] = lab.health(life.path)
    life.steps["read after health"] = lab.get(life.path)
    return life


@pytest.fixture(scope="session")
def verified(lab: Lab, unverified: Life) -> Life:
    """The same trunk, verified, activated, changed and deactivated. Asks for a carrier that says yes."""
    life = Life(unverified.path)
    take: Callable[[str, Answer], Answer] = life.steps.setdefault
    if not is_yes(take("verify", lab.verify(life.path))):
        life.why = f"Verify did not succeed on {lab.domain} ({NEEDS_CARRIER})"
        lab.notes.add(f"Verify did not succeed on {lab.domain}: {NEEDS_CARRIER}.")
        return life
    take("read after verify", lab.get(life.path))
    take("activate", lab.update(life.path, {"is_active": True}))
    if lab.brief:
        take("read after health", lab.get(life.path))
        return life
    take("health", lab.health(life.path))
    take("read after health", lab.get(life.path))
    take("verify again", lab.verify(life.path))
    take("name", lab.update(life.path, {"name": lab.name()}))
    take("refused", lab.update(life.path, {"username": "refused", "port": 0}, tags=("negative",)))
    take("read after name", lab.get(life.path))
    if bystander := lab.spare(lambda made: same_host(made.member("domain"), lab.domain)):  # nobody touches it again
        lab.verify(path_of(bystander))
    take("provider_name", lab.update(life.path, {"provider_name": "carrier-z"}))
    take("read after provider_name", life.steps["provider_name"])
    identity = str(life.steps["read after verify"].member("id"))
    pages = listed(lab, until=frozenset({identity}))
    if identity in pages:
        take("listed", pages[identity])
    take("deactivate", lab.update(life.path, {"is_active": False}))
    take("read after deactivate", lab.get(life.path))
    return life


def is_yes(answer: Answer) -> bool:
    """Tell whether a Verify succeeded, going by anything that it says."""
    said = isinstance(answer.json, dict) and answer.json.get("success") is True
    return (
        answer.is_success
        and (said or answer.member("is_verified") is True)
        and answer.member("is_verified") is not False
    )


@pytest.fixture(scope="session")
def resets(lab: Lab, verified: Life) -> Life:
    """Changes of what was verified, each on the trunk verified and activated anew."""
    life = Life(verified.path, why=verified.why)
    if verified.why or lab.brief:
        return life
    if verified.step("read after deactivate").member("is_verified") is True:
        life.steps["username while inactive"] = lab.update(life.path, {"username": "user_41"})
    other = {"domain": "sip2.carrier-x.com" if lab.domain != "sip2.carrier-x.com" else "sip3.carrier-x.com"}
    carried = verified.step("read after verify").member("transport")
    together = {
        "username": "user_43",
        "password": lab.canaries.password(),
        "transport": "tls" if carried == "tcp" else "tcp",
        "is_active": True,
    }
    changes: dict[str, Any] = {
        "all and is_active": {**other, **together},
        "username": {"username": "user_44"},
        "password": {"password": lab.canaries.password()},
        "transport": {"transport": "udp" if carried != "udp" else "tls"},
        "domain": other,
    }
    for label, change in changes.items():
        before = life.steps.get("after all and is_active") if label == "username" else None
        if before is None or before.member("is_verified") is not True or before.member("is_active") is not True:
            if not is_yes(lab.verify(life.path)):
                life.why = "Verify succeeded at first, but not when it was repeated"
                return life
            before = lab.update(life.path, {"is_active": True})
        life.steps[f"before {label}"] = before
        life.steps[label] = lab.update(life.path, change)
        life.steps[f"after {label}"] = lab.get(life.path)
        if label == "all and is_active" and life.steps[label].is_success:
            lab.update(life.path, {"domain": lab.domain})
    return life


@pytest.fixture(scope="session")
def failing(lab: Lab, resets: Life) -> Life:
    """The same trunk moved to a domain that fails, verified and activated in vain, then moved back and verified."""
    life = Life(resets.path, why="the quick profile does not send it")
    if lab.brief:
        return life
    life.why = ""
    domain = lab.options.failing_domain or LIKELY_FAILING_DOMAIN
    moved = lab.update(life.path, {"domain": domain})
    if not moved.is_success:
        life.why = f"the trunk could not be moved to {domain} (give --failing-domain with a host on which Verify fails)"
        return life
    verify = lab.verify(life.path)
    if not lab.options.failing_domain and is_yes(verify):
        life.why = "no domain is known on which Verify fails (give --failing-domain)"
        lab.notes.add("No domain is known on which Verify fails: give --failing-domain.")
        return life
    life.steps["verify"] = verify
    life.steps["read after verify"] = lab.get(life.path)
    life.steps["health"] = lab.health(life.path)
    life.steps["activate"] = lab.update(life.path, {"is_active": True}, tags=("odd",))
    life.steps["read after activate"] = lab.get(life.path)
    lab.update(life.path, {"domain": lab.domain})
    life.steps["verify back"] = lab.verify(life.path)
    return life
