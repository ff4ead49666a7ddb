"""Waiver files and what they do to a report."""

from datetime import date
from textwrap import dedent

import pytest
import samples

from conformance import waivers
from conformance.results import ExitCode, Waiver
from conformance.rules import Verdict

KNOWN = ("create.name.max-length", "create.port.range")
TODAY = date(2026, 1, 15)
WAIVED = Waiver("create.name.max-length", "Until release 2.4.", "2026-01-15", line=4)

GOOD = """\
# known faults

[[waivers]]
rule = "create.name.max-length"
reason = '''
[[waivers]]
is what this is.'''
expires = 2026-03-31

[[ waivers ]]
rule = "create.port.range"
reason = "Until release 2.4."
expires = "2026-03-31"
"""


def loaded(tmp_path, text):
    path = tmp_path / "waivers.toml"
    path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
    return waivers.load(path, KNOWN)


def test_file_gives_each_waiver_with_its_line(tmp_path):
    """Dates are TOML dates or texts, and a table's head inside a text of several lines is none."""
    found = loaded(tmp_path, GOOD)
    assert [(waiver.rule, waiver.expires, waiver.line) for waiver in found] == [
        ("create.name.max-length", "2026-03-31", 3),
        ("create.port.range", "2026-03-31", 10),
    ]
    assert found[0].reason == "[[waivers]]\nis what this is."
    assert found[0].file == str(tmp_path / "waivers.toml")


def test_empty_file_waives_nothing(tmp_path):
    """A file from which the last waiver was deleted is fine."""
    assert loaded(tmp_path, "# none\n") == ()


def table(**members):
    lines = {"rule": '"create.port.range"', "reason": '"Known."', "expires": "2026-03-31"} | members
    return "\n[[waivers]]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items() if value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param(table(until="1"), "line 2: a waiver has no 'until', only rule, reason, expires", id="unknown key"),
        pytest.param("strict = 1", "has 'strict', but may hold only", id="unknown key of the file"),
        pytest.param(table(reason=""), "line 2: a waiver needs a reason, as text", id="no reason"),
        pytest.param(table(reason="' '"), "line 2: a waiver needs a reason, as text", id="blank reason"),
        pytest.param(table(rule="7"), "line 2: a waiver needs a rule, as text", id="rule is no text"),
        pytest.param(
            table(rule="'create.port.rang'"),
            "line 2: there is no rule 'create.port.rang'; is it create.port.range?",
            id="unknown rule",
        ),
        pytest.param(table(rule="'zzz'"), "line 2: there is no rule 'zzz'$", id="rule like no other"),
        pytest.param(table() + table(), "line 7: line 2 waives create.port.range already", id="twice"),
        pytest.param(table(expires=""), "line 2: a waiver needs the date it expires", id="no date"),
        pytest.param(table(expires="'soon'"), "line 2: a waiver needs the date it expires", id="a word for a date"),
        pytest.param(table(expires="'2026-02-30'"), "needs the date it expires", id="a day that is none"),
        pytest.param(table(expires="'20260331'"), "needs the date it expires", id="date without hyphens"),
        pytest.param(table(expires="2026-03-31T00:00:00Z"), "needs the date it expires", id="date and time"),
        pytest.param("waivers = 7", "does not write each waiver as a table", id="no tables"),
        pytest.param("waivers = [{rule = 'x'}]", "does not write each waiver as a table", id="tables in a list"),
        pytest.param("[[waivers]\n", "is not TOML: ", id="not TOML"),
        pytest.param(b"\xff", "is not UTF-8 text", id="not text"),
    ],
)
def test_bad_file_is_one_sentence(text, sentence, tmp_path):
    """The message says what is wrong and in which line."""
    with pytest.raises(waivers.BadWaivers, match=sentence) as caught:
        loaded(tmp_path, text)
    assert "waivers.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_is_one_sentence(tmp_path):
    """A file that is not there waives nothing silently."""
    with pytest.raises(waivers.BadWaivers, match=r"cannot be read: No such file"):
        waivers.load(tmp_path / "waivers.toml", KNOWN)


def applied(verdict, waiver=WAIVED, today=TODAY):
    return waivers.apply(samples.report(samples.result(verdict)), [waiver], today)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.WARN])
def test_broken_rule_is_waived_through_the_day_its_waiver_expires(verdict):
    """The finding stays in the report, and the run conforms."""
    report = applied(verdict)
    assert report.results[0].verdict is Verdict.WAIVED
    assert report.results[0].waiver == WAIVED
    assert report.results[0].findings == (samples.FINDING,)
    assert report.exit_code is ExitCode.CONFORMS


def test_waived_rule_that_passes_fails_the_run_and_names_the_line():
    """A waiver that is not needed would hide the fault when it comes back."""
    report = applied(Verdict.PASS)
    assert report.problems == ("waivers.toml line 4: create.name.max-length passes now; delete this waiver",)
    assert report.exit_code is ExitCode.BROKEN


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.NOT_JUDGED])
def test_expired_waiver_waives_nothing_and_fails_the_run(verdict):
    """The day after, the rule counts again and the line is to be deleted."""
    report = applied(verdict, today=date(2026, 1, 16))
    assert report.results[0].verdict is verdict
    assert report.problems == (
        "waivers.toml line 4: create.name.max-length was waived until 2026-01-15; delete this waiver",
    )


@pytest.mark.parametrize("verdict", [Verdict.NOT_JUDGED, Verdict.KIT_ERROR])
def test_rule_that_was_not_judged_stays_so(verdict):
    """Nothing was learned of it, so its waiver is no problem."""
    report = applied(verdict)
    assert report.results[0].verdict is verdict
    assert report.problems == ()


def test_waiver_of_a_rule_that_was_not_run_is_no_problem():
    """A run of a few rules says nothing of the others."""
    report = waivers.apply(samples.report(problems=("first",)), [WAIVED], TODAY)
    assert report.problems == ("first",)
