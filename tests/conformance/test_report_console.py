"""What the terminal shows."""

import io
from dataclasses import replace

import pytest
import samples
from rich.console import Console

from conformance.report.console import Progress, print_report
from conformance.results import ExitCode
from conformance.rules import Verdict

MIXED = r"""
Does not conform: 1 rule broken
4 of 6 rules judged: 1 pass, 1 fail, 1 warn, 1 waived, 2 not judged
https://sip.example/api/v1, standard profile, 212 requests in 3.4 s

FAIL  create.name.max-length  (documented)
      A name has at most 255 characters.        Create SIP Trunk, request body
      sent      POST /sip-trunks, name of 256 characters
      expected  400 or 422
      actual    201
      control   request 12, POST /sip-trunks answered 201: the same request, made valid
      again     trunkcheck https://sip.example/api/v1 --only create.name.max-length

# accepted
curl -sS -i -X POST https://sip.example/api/v1/sip-trunks \
  --data-binary '{"name": "short"}'

# breaks the rule
curl -sS -i -X POST https://sip.example/api/v1/sip-trunks \
  --data-binary '{"name": "nnn…"}'

WARN  create.name.blank  (inferred)
      A name of spaces is refused.        Create SIP Trunk, request body
      sent      POST /sip-trunks, name of 256 characters
      expected  400 or 422
      actual    201
      control   request 12, POST /sip-trunks answered 201: the same request, made valid
      again     trunkcheck https://sip.example/api/v1 --only create.name.blank

# accepted
curl -sS -i -X POST https://sip.example/api/v1/sip-trunks \
  --data-binary '{"name": "short"}'

# breaks the rule
curl -sS -i -X POST https://sip.example/api/v1/sip-trunks \
  --data-binary '{"name": "nnn…"}'

Waived
  create.port.range: waived until 2026-03-31: Ports are not checked until release 2.4.

Not judged: 2 rules
  no second token was given
      isolation.read, isolation.list

What would let more be judged
  give --other-token to judge isolation

Left behind on the target
  /sip-trunks/9
"""


def printed(report, **options):
    out = io.StringIO()
    print_report(report, Console(**{"file": out, "width": 100} | options))
    return out.getvalue()


def test_report_with_every_verdict_reads_as_a_whole():
    """The verdict and the counts, then each finding, then what was not judged and what is left."""
    assert printed(samples.mixed()) == MIXED.lstrip("\n")


def test_run_that_stopped_says_why():
    """A run without results prints its verdict and the sentence why it stopped."""
    report = samples.report(stopped=ExitCode.NOT_JUDGED, problems=("https://sip.example answers with HTML.",))
    assert printed(report).splitlines()[0] == "Could not be judged"
    assert "Problems of the run\n  https://sip.example answers with HTML.\n" in printed(report)


def test_kit_error_shows_its_reason_and_how_to_judge_again():
    """A rule whose probe broke has no finding, but a reason."""
    text = printed(samples.report(samples.result(Verdict.KIT_ERROR)))
    assert "KIT ERROR  create.name.max-length" in text
    assert "      reason    KeyError: 'data' in the probe\n" in text


@pytest.mark.parametrize("width", [20, 100])
def test_command_lines_are_never_wrapped(width):
    """What is longer than the terminal stays one line, so that it can be pasted."""
    curl = "curl -sS 'https://sip.example/api/v1/sip-trunks?" + "x" * 300 + "'\t--data 'a b'"
    report = samples.report(samples.result(Verdict.FAIL, findings=(finding(curl),)))
    assert curl in printed(report, width=width).splitlines()


def test_text_of_a_server_is_not_markup():
    """Square brackets, emoji names and links are printed as they came, also where colours are."""
    actual = "[bold red]500[/] :boom: [link=https://sip.example]x[/link]"
    report = samples.report(samples.result(Verdict.FAIL, findings=(finding("curl", actual=actual),)))
    assert actual in printed(report, force_terminal=True, color_system="truecolor")


def test_terminal_without_a_character_gets_an_escape():
    """A console that cannot show a character of an answer still gets the report."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_report(samples.mixed(), Console(file=out, width=100))
    out.flush()
    assert b'"nnn\\u2026"' in out.buffer.getvalue()


def finding(curl, **changes):
    sent = replace(samples.BREAKING, curl=curl)
    return replace(samples.FINDING, exchanges=(sent,), **changes)


def test_progress_is_silent_where_there_is_no_terminal():
    """A log file of a CI job holds no progress bar."""
    out = io.StringIO()
    with Progress(Console(file=out), 2) as progress:
        progress.say("create.name.max-length")
        progress.done(Verdict.FAIL)
    assert out.getvalue() == ""


def test_progress_on_a_terminal_shows_the_rule_and_the_findings_so_far():
    """Somebody who waits sees what is being judged and whether it looks bad."""
    out = io.StringIO()
    with Progress(Console(file=out, force_terminal=True, width=100), 2) as progress:
        progress.done(Verdict.FAIL)
        progress.say("create.[b]name")
    assert "1/2" in out.getvalue()
    assert "1 finding so far, create.[b]name" in out.getvalue()
