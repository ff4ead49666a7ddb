"""GitHub workflow commands."""

import samples

from conformance.report import annotations, lines
from conformance.rules import Verdict


def test_broken_rule_marks_its_line_of_the_contract():
    """File, line and title are properties; the sentence and the finding are the message."""
    place = f"file=openapi/sip-trunks.yaml,line={lines.line('/components/schemas/Name')}"
    command = annotations.render(samples.report(samples.result(Verdict.FAIL)))
    assert command.startswith(
        f"::error {place},title=create.name.max-length (documented)::A name has at most 255 characters. "
    )
    assert command.count("\n") == 1


def test_each_verdict_has_its_kind_of_command():
    """Errors, a warning and a waiver have a place; what was not judged is one notice."""
    commands = annotations.render(samples.mixed(problems=("delete line 4",))).splitlines()
    assert [command.split(" ")[0] for command in commands] == [
        "::error", "::error", "::warning", "::notice", "::warning", "::notice",
    ]  # fmt: skip


def test_text_of_a_server_cannot_be_a_command_or_end_a_property():
    """Percent signs and line ends are escaped in messages, colons and commas in properties too."""
    report = samples.report(samples.result(Verdict.FAIL, "a,b:c", says="100%\r\n::set-output name=x::y"))
    command = annotations.render(report)
    assert "title=a%2Cb%3Ac (documented)::100%25\\u000d%0A::set-output name=x::y" in command
    assert command.count("\n") == 1


def test_run_that_conforms_prints_nothing():
    """No news is no command."""
    assert annotations.render(samples.report(samples.result(Verdict.PASS))) == ""
