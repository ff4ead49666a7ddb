"""The SARIF report."""

import json

import samples

from conformance.report import lines, sarif
from conformance.results import ExitCode
from conformance.rules import Verdict


def run_of(report):
    return json.loads(sarif.render(report))["runs"][0]


def test_broken_rules_are_results_at_their_level():
    """What passes or was not judged is no result; a waived rule is a suppressed note."""
    found = run_of(samples.mixed())["results"]
    assert [(result["ruleId"], result["level"], "suppressions" in result) for result in found] == [
        ("create.name.max-length", "error", False),
        ("create.port.range", "note", True),
        ("create.name.blank", "warning", False),
    ]


def test_result_points_to_the_line_of_the_contract():
    """The place is the contract file in the repository."""
    place = run_of(samples.mixed())["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "openapi/sip-trunks.yaml"
    assert place["region"] == {"startLine": lines.line("/components/schemas/Name")}


def test_fingerprint_stays_when_what_was_seen_changes():
    """The same broken rule is the same alert in the next run, and another rule is another."""
    first = run_of(samples.mixed())["results"]
    again = run_of(samples.report(samples.result(Verdict.FAIL, reason="other", findings=()), run_id="r-8"))["results"]
    assert first[0]["partialFingerprints"] == again[0]["partialFingerprints"]
    assert first[0]["partialFingerprints"] != first[1]["partialFingerprints"]


def test_rule_index_leads_to_the_rule():
    """The index of a result is that of its rule in the list of the tool."""
    run = run_of(samples.mixed())
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_what_is_no_finding_is_a_notification_of_the_run():
    """A kit error, a rule that was not judged and a problem say nothing of the target's faults."""
    report = samples.report(
        samples.result(Verdict.KIT_ERROR),
        samples.result(Verdict.NOT_JUDGED),
        problems=("no answer",),
        stopped=ExitCode.KIT_ERROR,
    )
    invocation = run_of(report)["invocations"][0]
    assert not invocation["executionSuccessful"]
    assert [found["level"] for found in invocation["toolExecutionNotifications"]] == ["error", "error", "note"]
