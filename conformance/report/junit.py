"""A run as JUnit XML, which every CI system reads: one case per rule, and one for the run when the run had problems."""

from xml.etree import ElementTree as ET

from conformance.report import words
from conformance.results import Report, RuleResult
from conformance.rules import Verdict

_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


def render(report: Report) -> str:
    """Give the run as a JUnit document."""
    suites = ET.Element("testsuites", name="trunkcheck")
    suite = ET.SubElement(suites, "testsuite", name="trunkcheck", timestamp=words.one_line(report.started)[:19])
    about = {"target": report.target, "profile": report.profile, "run": report.run_id}
    _properties(suite, about | {"verdict": words.headline(report)})
    if report.problems or report.stopped is not None:
        _run(suite, report)
    for result in report.results:
        _case(suite, result)
    for element in (suites, suite):
        _count(element, suite, report.seconds)
    ET.indent(suites)
    return f"{_DECLARATION}\n{ET.tostring(suites, encoding='unicode')}\n"


def _case(suite: ET.Element, result: RuleResult) -> None:
    rule = result.rule
    case = _new_case(suite, rule.id.split(".")[0], rule.id, result.duration_ms / 1000)
    _properties(case, {"level": rule.level, "source": rule.source, "says": rule.says, "verdict": result.verdict})
    match result.verdict:
        case Verdict.FAIL:
            _outcome(case, "failure", rule.says, words.block(result), type=rule.level)
        case Verdict.KIT_ERROR:
            _outcome(case, "error", result.reason, words.block(result), type="kit error")
        case Verdict.NOT_JUDGED:
            _outcome(case, "skipped", result.reason)
        case Verdict.WAIVED:
            _outcome(case, "skipped", words.waived(result))
        case Verdict.WARN:
            ET.SubElement(case, "system-out").text = f"warning: {words.harmless(rule.says)}\n\n{words.block(result)}"


def _run(suite: ET.Element, report: Report) -> None:
    """Add a case that is red, so that a run that stopped or must not pass does not look green for want of failures."""
    case = _new_case(suite, "run", "run", 0)
    kind = "failure" if report.stopped is None else "error"
    message = words.headline(report) if report.stopped is not None else report.problems[0]
    _outcome(case, kind, message, "\n".join(report.problems), type="problem")


def _new_case(suite: ET.Element, classname: str, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(
        suite, "testcase", classname=words.one_line(classname), name=words.one_line(name), time=f"{seconds:.3f}"
    )


def _properties(parent: ET.Element, values: dict[str, str]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in values.items():
        ET.SubElement(properties, "property", name=name, value=words.one_line(value))


def _outcome(case: ET.Element, kind: str, message: str, text: str = "", **attributes: str) -> None:
    ET.SubElement(case, kind, attributes | {"message": words.one_line(message)}).text = words.harmless(text) or None


def _count(element: ET.Element, suite: ET.Element, seconds: float) -> None:
    element.set("tests", str(len(suite.findall("testcase"))))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    element.set("time", f"{seconds:.3f}")
