"""The words that all reports share."""

import pytest
import samples

from conformance.report import words
from conformance.results import ExitCode, Finding
from conformance.rules import Profile, Verdict


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        pytest.param(samples.report(samples.result(Verdict.PASS)), "Conforms", id="all pass"),
        pytest.param(
            samples.report(
                samples.result(Verdict.PASS),
                samples.result(Verdict.WARN),
                samples.result(Verdict.WAIVED),
                samples.result(Verdict.NOT_JUDGED),
            ),
            "Conforms, with 1 warning, 1 rule waived and 1 rule not judged",
            id="green with open ends",
        ),
        pytest.param(samples.report(samples.result(Verdict.NOT_JUDGED)), "Nothing was judged", id="nothing judged"),
        pytest.param(samples.mixed(), "Does not conform: 1 rule broken", id="broken"),
        pytest.param(
            samples.report(samples.result(Verdict.PASS), problems=("delete a waiver",)),
            "Does not pass: 1 problem with the run itself",
            id="only a problem",
        ),
        pytest.param(samples.report(stopped=ExitCode.NOT_JUDGED), "Could not be judged", id="stopped"),
        pytest.param(samples.report(stopped=ExitCode.USAGE), "Was not run: the command was wrong", id="usage"),
        pytest.param(
            samples.report(samples.result(Verdict.FAIL), samples.result(Verdict.KIT_ERROR)),
            "The kit itself failed; besides, 1 rule broken",
            id="kit error and broken rule",
        ),
    ],
)
def test_headline_says_the_verdict_and_what_it_leaves_open(report, sentence):
    """The first line of every report is the verdict, never green without saying what was not judged."""
    assert words.headline(report) == sentence


def test_counts_name_how_many_rules_were_judged():
    """A kit error and a rule that was not judged do not count as judged, a waived rule does."""
    report = samples.report(*samples.mixed().results, samples.result(Verdict.KIT_ERROR))
    assert words.counts(report) == "4 of 7 rules judged: 1 pass, 1 fail, 1 warn, 1 waived, 2 not judged, 1 kit error"


def test_harmless_text_shows_escapes_and_keeps_line_feeds():
    """A terminal escape, a carriage return, a change of direction and half a character are shown, not obeyed."""
    assert words.harmless("a\x1b[31m\r\n\tb\u202e\ud800é") == "a\\u001b[31m\\u000d\n\tb\\u202e\ufffdé"


def test_command_that_judges_again_repeats_the_options_that_matter():
    """The profile, the seed and strictness decide what a rule does, so they are in the command."""
    report = samples.mixed(profile=Profile.DEEP, seed=7, strict=True, target="https://sip.example/it's")
    assert words.again(report, samples.RULE) == (
        "trunkcheck 'https://sip.example/it'\"'\"'s' --only create.name.max-length --profile deep --seed 7 --strict"
    )


def test_finding_without_a_control_has_only_the_command_that_breaks_the_rule():
    """A rule about any request at all has nothing to compare with."""
    alone = Finding("GET /", "404", "500", (samples.BREAKING,))
    assert words.curls(alone) == [("breaks the rule", samples.BREAKING.curl)]
