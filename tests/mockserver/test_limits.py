"""`mockserver.limits`: so many requests a minute, and the header fields that say so."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.environments import Environment
from mockserver.errors import RateLimited
from mockserver.limits import UNLIMITED, RateLimits
from mockserver.store import MemoryStore

LIMITED = Environment("ci", "standard", True, 3)
FREE = Environment("free", "enterprise", True, 0)


class Clock:
    def __init__(self, now=0.0):
        self.now = now

    def __call__(self):
        return self.now


def limits(clock):
    return RateLimits(MemoryStore(), clock)


def count(limits, environment=LIMITED):
    return {name.decode(): int(value) for name, value in asyncio.run(limits.count(environment))}


def test_each_request_leaves_one_less():
    """The fields count down to zero and name the end of the minute."""
    counted = limits(Clock(125.7))
    answers = [count(counted) for _ in range(3)]
    assert [it["x-ratelimit-remaining"] for it in answers] == [2, 1, 0]
    assert {it["x-ratelimit-limit"] for it in answers} == {3}
    assert {it["x-ratelimit-reset"] for it in answers} == {180}


@given(st.integers(0, 10**10), st.floats(0, 59.99))
def test_request_over_the_limit_is_told_how_long_to_wait(minute, second):
    """The fourth request of three is refused until the minute is over: 1 to 60 seconds, never 0."""
    clock = Clock(minute * 60 + second)
    counted = limits(clock)
    for _ in range(3):
        count(counted)
    with pytest.raises(RateLimited) as caught:
        count(counted)
    ((_, seconds),) = caught.value.headers
    assert 1 <= int(seconds) <= 60
    clock.now = int(clock.now) + int(seconds)
    assert count(counted)["x-ratelimit-remaining"] == 2


def test_refusal_says_that_nothing_is_left():
    """The fields of a refusal show the limit, 0 and the end of the minute."""
    fields = dict(limits(Clock(59.0)).used_up(LIMITED))
    assert fields == {b"x-ratelimit-limit": b"3", b"x-ratelimit-remaining": b"0", b"x-ratelimit-reset": b"60"}


def test_environments_do_not_share_their_minute():
    """What one uses up, the other still has."""
    counted, other = limits(Clock()), Environment("other", "standard", True, 3)
    for _ in range(3):
        count(counted)
    assert count(counted, other)["x-ratelimit-remaining"] == 2


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=6))
def test_unlimited_environment_is_never_refused(times):
    """Without a limit the fields show a large one, and the end of the minute that it is, also when the clock jumps."""
    clock = Clock()
    counted = limits(clock)
    for clock.now in times:
        fields = count(counted, FREE)
        assert (fields["x-ratelimit-limit"], fields["x-ratelimit-remaining"]) == (UNLIMITED, UNLIMITED)
        assert 0 < fields["x-ratelimit-reset"] - clock.now <= 60
