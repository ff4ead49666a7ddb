"""The shields.io badge."""

import json

import pytest
import samples

from conformance.report import badge
from conformance.results import ExitCode
from conformance.rules import Verdict


@pytest.mark.parametrize(
    ("report", "message", "color"),
    [
        pytest.param(
            samples.report(samples.result(Verdict.PASS)), "1 of 1 rule judged, none broken", "brightgreen", id="green"
        ),
        pytest.param(
            samples.report(samples.result(Verdict.PASS), samples.result(Verdict.NOT_JUDGED)),
            "1 of 2 rules judged, none broken",
            "yellow",
            id="not all judged",
        ),
        pytest.param(samples.mixed(), "1 rule broken", "red", id="broken"),
        pytest.param(samples.report(problems=("x",)), "waivers out of date", "red", id="only a problem"),
        pytest.param(samples.report(stopped=ExitCode.NOT_JUDGED), "not judged", "lightgrey", id="stopped"),
        pytest.param(samples.report(samples.result(Verdict.KIT_ERROR)), "kit error", "lightgrey", id="kit error"),
    ],
)
def test_badge_says_the_verdict(report, message, color):
    """Green is only what was judged as a whole and is kept."""
    made = json.loads(badge.render(report))
    assert (made["schemaVersion"], made["message"], made["color"]) == (1, message, color)
