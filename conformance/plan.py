"""What a run would send and how long it would take, said before anything is sent."""

import math
from collections.abc import Collection
from typing import Final

from conformance.rules import RULES, Profile, Rule

MOST: Final = {Profile.QUICK: 70, Profile.STANDARD: 380, Profile.DEEP: 730}
"""Requests of the rules' own probes at most, their clean-up included; tests/conformance/test_plan.py keeps it true.

It is what a server costs that names only the first broken field of a request: each bad value is then sent alone.
"""

EXPLORED: Final = 2000  # requests of the deep profile beyond the probes, unless it was told otherwise
EXPLORED_MINUTES: Final = 10.0
DOCUMENTED_RATE: Final = 100 / 60  # requests a second that the Standard plan allows
AN_ANSWER: Final = 0.05  # seconds that an answer of a server somewhere else may take


def most_requests(profile: Profile, requests: int | None = None) -> int:
    """Give how many requests a run of this profile sends at most; `requests` are those of deep's exploration."""
    explored = 0 if profile is not Profile.DEEP else EXPLORED if requests is None else requests
    return MOST[profile] + explored


def text(
    profile: Profile, wanted: Collection[Rule], rate: float | None, requests: int | None, minutes: float | None
) -> str:
    """Give the plan of a run: its rules, its requests and, at `rate` requests a second, its minutes at most."""
    most = most_requests(profile, requests)
    part = "" if len(wanted) == len(_of(profile)) else f" of the profile's {len(_of(profile))}, so it will be fewer"
    lines = [
        f"{profile} profile: {len(wanted)} rules{part}",
        f"at most {most} requests, those that clean up included; fewer where every broken field is named at once",
        _time(most, rate),
    ]
    if profile is Profile.DEEP:
        lines.append(
            f"{MOST[profile]} of them are the rules' own; the exploration behind them ends after"
            f" {most - MOST[profile]} requests or {_number(EXPLORED_MINUTES if minutes is None else minutes)} minutes"
        )
    lines.append("Nothing was sent. A 429 is waited out, and its request sent again, beyond this.")
    return "\n".join(lines)


def _of(profile: Profile) -> list[Rule]:
    return [rule for rule in RULES.values() if profile.includes(rule.profile)]


def _time(most: int, rate: float | None) -> str:
    if rate:
        return f"at most {_minutes(most / rate)} at {_number(rate * 60)} requests a minute"
    paced = f"at {_number(DOCUMENTED_RATE * 60)} requests a minute (--rate 100/m) {_minutes(most / DOCUMENTED_RATE)}"
    return f"without --rate about {_minutes(most * AN_ANSWER)} where an answer takes 50 ms; {paced}"


def _minutes(seconds: float) -> str:
    """Write a time for people, never shorter than it is."""
    if seconds < 90:
        count = math.ceil(seconds)
        return f"{count} second{'' if count == 1 else 's'}"
    return f"{math.ceil(seconds / 60)} minutes"


def _number(value: float) -> str:
    return f"{value:.10g}"
