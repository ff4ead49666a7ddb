"""The JSON report and its schema."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import samples

import conformance.report
from conformance.report import json as report_json
from conformance.report import lines
from conformance.results import MODEL_VERSION, ExitCode
from conformance.rules import Verdict

SCHEMA = json.loads(Path(conformance.report.__file__).with_name("report.schema.json").read_text("utf-8"))


def rendered(report):
    return json.loads(report_json.render(report))


def test_schema_is_one_of_draft_2020_12_and_of_the_version_of_the_model():
    """A new version of the model needs a new schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema"]["const"] == MODEL_VERSION


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(samples.mixed(), id="every verdict"),
        pytest.param(samples.report(samples.result(Verdict.KIT_ERROR), seed=7), id="kit error"),
        pytest.param(samples.report(stopped=ExitCode.NOT_JUDGED, problems=("no answer",)), id="stopped"),
        pytest.param(samples.filled_with("\x00\u2028<é"), id="odd text"),
    ],
)
def test_report_fits_its_schema(report):
    """Every report that is written is one that the schema describes."""
    jsonschema.Draft202012Validator(SCHEMA).validate(rendered(report))


def test_report_says_the_exit_code_as_number_and_word():
    """A program compares the number, people read the word."""
    assert rendered(samples.mixed())["exit_code"] == {"number": 1, "word": "broken"}
    assert rendered(samples.report(stopped=ExitCode.KIT_ERROR))["stopped"] == "kit error"


def test_rule_says_where_the_contract_states_it():
    """The pointer, the file and the line of the contract stand beside each other."""
    assert rendered(samples.mixed())["rules"][1]["contract"] == {
        "pointer": "/components/schemas/Name",
        "file": "openapi/sip-trunks.yaml",
        "line": lines.line("/components/schemas/Name"),
    }


def test_request_that_was_not_answered_has_no_response():
    """A status of null would not say whether the headers are those of an answer."""
    silent = replace(samples.BREAKING, status=None)
    finding = replace(samples.FINDING, exchanges=(silent,))
    report = samples.report(samples.result(Verdict.FAIL, findings=(finding,)))
    assert rendered(report)["rules"][0]["findings"][0]["exchanges"][0]["response"] is None
