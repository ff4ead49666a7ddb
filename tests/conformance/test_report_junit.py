"""The JUnit report."""

from xml.etree import ElementTree as ET

import pytest
import samples

from conformance.report import junit
from conformance.results import ExitCode
from conformance.rules import Verdict


def suite_of(report):
    return ET.fromstring(junit.render(report)).find("testsuite")


def outcomes(case):
    return [child.tag for child in case if child.tag != "properties"]


@pytest.mark.parametrize(
    ("verdict", "tags"),
    [
        (Verdict.PASS, []),
        (Verdict.FAIL, ["failure"]),
        (Verdict.KIT_ERROR, ["error"]),
        (Verdict.NOT_JUDGED, ["skipped"]),
        (Verdict.WAIVED, ["skipped"]),
        (Verdict.WARN, ["system-out"]),
    ],
)
def test_each_verdict_has_its_element(verdict, tags):
    """A warning is a passed case that says something; what was not judged or is waived is skipped."""
    assert outcomes(suite_of(samples.report(samples.result(verdict))).find("testcase")) == tags


def test_case_is_named_for_its_rule_and_carries_level_and_source():
    """The class is the first word of the id; the record of the rule is in the properties."""
    case = suite_of(samples.mixed()).findall("testcase")[1]
    assert (case.get("classname"), case.get("name"), case.get("time")) == ("create", "create.name.max-length", "0.004")
    assert {found.get("name"): found.get("value") for found in case.iter("property")} == {
        "level": "documented",
        "source": "Create SIP Trunk, request body",
        "says": "A name has at most 255 characters.",
        "verdict": "fail",
    }


def test_counts_are_those_of_the_cases():
    """The suite and the document count alike."""
    document = ET.fromstring(junit.render(samples.mixed()))
    for element in (document, document.find("testsuite")):
        counted = [element.get(name) for name in ("tests", "failures", "errors", "skipped", "time")]
        assert counted == ["6", "1", "0", "3", "3.420"]


def test_failure_holds_what_was_sent_and_both_commands():
    """Somebody who sees only the failure can send both requests again."""
    text = suite_of(samples.mixed()).find("testcase/failure").text
    for part in ("sent      POST /sip-trunks", "actual    201", samples.CONTROL.curl, samples.BREAKING.curl):
        assert part in text


@pytest.mark.parametrize(
    ("changes", "tag"),
    [
        ({"problems": ("delete line 4",)}, "failure"),
        ({"stopped": ExitCode.NOT_JUDGED, "problems": ("nobody answers",)}, "error"),
    ],
)
def test_run_that_may_not_pass_has_a_red_case_of_its_own(changes, tag):
    """Without it a run that stopped would be an empty suite, which CI systems show as green."""
    case = suite_of(samples.report(**changes)).find("testcase")
    assert case.get("name") == "run"
    assert case.find(tag).text == changes["problems"][0]
