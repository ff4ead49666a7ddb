"""`mockserver.carrier`: what a check of a domain finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.carrier import ERRORS, simulated

label = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
domains = st.lists(label, min_size=1, max_size=4).map(".".join)
ordinary = domains.filter(lambda domain: "flaky" not in domain and not any(word in domain for word in ERRORS))


@given(ordinary, st.integers(0, 100))
def test_ordinary_domain_is_healthy(domain, checks):
    """A domain without one of the words is fine, always, within a tenth of a second."""
    finding = simulated(domain, checks)
    assert finding.error is None
    assert 0 < finding.response_time_ms < 100


@given(ordinary, st.sampled_from(sorted(ERRORS)), label, st.integers(0, 100), st.booleans())
def test_domain_with_a_failing_label_fails_in_its_way(rest, word, part, checks, upper):
    """A label that contains one of the words fails, each time, whatever its letter case."""
    domain = f"{part}{word}.{rest}"
    finding = simulated(domain.upper() if upper else domain, checks)
    assert finding.error in {error for known, error in ERRORS.items() if known in domain}


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("auth-fail", "Authentication failed (401)"),
        ("timeout", "Connection timeout"),
        ("unreachable", "Host unreachable"),
        ("tls-error", "TLS handshake failed"),
    ],
)
def test_failing_label_has_its_message(word, error):
    """The first two messages are the documented ones."""
    assert simulated(f"{word}.carrier.example", 0).error == error


@given(st.integers(0, 50), st.integers(0, 100), ordinary)
def test_flaky_domain_fails_so_many_times(times, checks, rest):
    """`flaky-N` fails N times and then is healthy."""
    finding = simulated(f"Flaky-{times}.{rest}", checks)
    assert (finding.error is None) is (checks >= times)


@pytest.mark.parametrize("domain", ["flaky-2x.example", "xflaky-2.example", "flaky.example", "flaky-.example"])
def test_label_that_only_looks_flaky_is_ordinary(domain):
    """Nothing but a whole label `flaky-N` counts."""
    assert simulated(domain, 0).error is None


def test_time_out_takes_its_time():
    """A connection timeout is told with the seconds that it took."""
    assert simulated("timeout.example", 0).response_time_ms == 5000


@given(domains, st.integers(0, 5))
def test_finding_is_the_same_each_time(domain, checks):
    """The same question gets the same answer."""
    assert simulated(domain, checks) == simulated(domain, checks)
