import pytest
from kit import Telling, judged, trunkcheck

from conformance import plan
from conformance.rules import RULES, Outcome, Profile

SERVERS = {
    "that-names-every-broken-field": lambda errors: errors,
    "that-names-only-the-first": lambda errors: dict([*errors.items()][:1]),
    "that-names-none": lambda _errors: {},
}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("profile", list(Profile))
def test_no_run_sends_more_than_was_planned(mock, profile, server):
    """The plan holds against servers that cost few requests and those that cost many; every operation is sent."""
    run = judged(mock.base_url, profile, Telling(mock.base_url, SERVERS[server]))
    broken = {id for id, found in run.judgements.items() if found.outcome is Outcome.BROKEN}
    assert broken <= {"answer.error.names-field"}
    assert run.lab.client.requests <= plan.MOST[profile], "raise plan.MOST, or send fewer requests"
    if server == "that-names-only-the-first":
        assert run.lab.client.requests > plan.MOST[profile] * 0.6, "lower plan.MOST, which is a wild guess"
    sent = {answer.operation for answer in run.lab.client.answers if answer.is_success}
    operations = {name for name in sent if name.partition(" ")[2].startswith("/sip-trunks")}
    assert len(operations) == 10 or profile is Profile.QUICK


@pytest.mark.parametrize(
    ("rate", "says"),
    [
        pytest.param(100 / 60, "at most 4 minutes at 100 requests a minute", id="the-documented-rate"),
        pytest.param(5.0, "at most 76 seconds at 300 requests a minute", id="seconds"),
        pytest.param(None, "at 100 requests a minute (--rate 100/m) 4 minutes", id="no-rate"),
    ],
)
def test_plan_states_requests_and_minutes(rate, says, monkeypatch):
    """The plan gives an upper bound of both, at the rate that was asked for."""
    monkeypatch.setitem(plan.MOST, Profile.STANDARD, 380)
    text = plan.text(Profile.STANDARD, _wanted(Profile.STANDARD), rate, None, None)
    assert "at most 380 requests" in text
    assert says in text


def test_plan_of_the_deep_profile_adds_its_budget():
    """The exploration's own limits are in the plan."""
    text = plan.text(Profile.DEEP, _wanted(Profile.DEEP), None, 500, 2.5)
    assert f"at most {plan.MOST[Profile.DEEP] + 500} requests" in text
    assert "500 requests or 2.5 minutes" in text


def test_plan_of_some_rules_says_that_it_is_fewer():
    """With --only the bound is still that of the profile, and said to be too high."""
    assert "so it will be fewer" in plan.text(Profile.QUICK, _wanted(Profile.QUICK)[:3], None, None, None)


def test_plan_sends_nothing():
    """`--plan` needs no target and no token."""
    result = trunkcheck("--plan", "--profile=quick", "--rate=60/m", token=None)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"at most {plan.MOST[Profile.QUICK]} requests" in result.stdout


def _wanted(profile):
    return [rule for rule in RULES.values() if profile.includes(rule.profile)]
