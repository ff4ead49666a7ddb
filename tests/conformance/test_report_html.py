"""The HTML page."""

import re
from html.parser import HTMLParser

import pytest
import samples

from conformance.report import html
from conformance.results import ExitCode
from conformance.rules import Verdict

VOID = {"meta", "link", "br"}


class Outline(HTMLParser):
    """Keeps the tags of a page and checks that each is closed where it was opened."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open, self.attributes = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def sentence(page, says):
    """Give the part of the page that shows a sentence."""
    return next(part for part in page.split('<details class="sentence ')[1:] if says in part.split("</summary>")[0])


PAGE = html.render(samples.mixed(problems=("delete line 4",)), samples.STATEMENTS)


def test_page_is_whole_and_needs_nothing_else():
    """It starts with its doctype, every tag is closed, nothing is loaded and no script runs."""
    outline = Outline(PAGE)
    assert PAGE.startswith("<!DOCTYPE html>\n<html")
    assert outline.open == []
    assert not {"script", "img", "iframe"} & set(outline.tags)
    assert [value for name, value in outline.attributes if name in ("src", "href") and value[0] != "#"] == ["data:,"]


def test_page_says_the_verdict_and_the_run_in_its_head():
    """The verdict in words, the counts, the target, the profile, the requests and the time come first."""
    head = PAGE.split("<header")[1].split("</header>")[0]
    for part in ("Does not conform: 1 rule broken", "4 of 6 rules judged", "https://sip.example/api/v1", "standard",
                 "212 requests in 3.4 seconds", "1, broken"):  # fmt: skip
        assert part in head


@pytest.mark.parametrize(
    ("says", "verdict"),
    [
        ("Every request carries a token.", "pass"),
        ("A name has 1 to 255 characters.", "fail"),
        ("A port has a range.", "waived"),
        ("A password is stored encrypted.", "not testable"),
        ("Trunks belong to one environment.", "not judged"),
        ("A number can be added.", "not in this run"),
    ],
)
def test_sentence_has_the_worst_verdict_of_its_rules_as_colour_and_as_word(says, verdict):
    """Colour is never the only sign."""
    part = sentence(PAGE, says)
    assert part.startswith(verdict.replace(" ", "-"))
    assert f">{verdict}</span>" in part.split("</summary>")[0]


def test_only_what_needs_a_look_is_unfolded():
    """A page of a hundred kept sentences is a list; the broken ones are open."""
    assert sentence(PAGE, "A name has 1 to 255").split(">")[0].endswith(" open")
    assert not sentence(PAGE, "Every request carries").split(">")[0].endswith(" open")


def test_rule_without_a_sentence_has_a_section_of_its_own():
    """No rule is lost when the ledger does not name it."""
    assert "isolation.list" in PAGE.split("Rules beyond these sentences")[1]


def test_rule_of_two_sentences_is_shown_once_and_linked():
    """An anchor may stand on a page only once."""
    page = html.render(samples.mixed(), samples.STATEMENTS + samples.STATEMENTS)
    anchors = re.findall(r'id="(rule-\d+)"', page)
    assert len(anchors) == len(set(anchors)) == 6


def test_finding_shows_the_exchanges_what_would_conform_and_both_commands():
    """The control and the request that matters can be unfolded and sent again."""
    part = sentence(PAGE, "A name has 1 to 255")
    again = "trunkcheck https://sip.example/api/v1 --only"
    captions = ("Send it again: accepted", "Send it again: breaks the rule")
    exchanges = ("Control: request 12", "Breaks the rule: request 13")
    for text in ("400 or 422", "Bearer $TOKEN", again, *captions, *exchanges):
        assert text in part


def test_text_of_a_server_is_text():
    """Tags, entities and template signs in an answer are shown as they came."""
    hostile = "</pre><script>alert('x')</script>{{ 7 * 7 }}&amp;"
    page = html.render(samples.filled_with(hostile), samples.statements_filled_with(hostile))
    assert "<script" not in page
    assert "&lt;/pre&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;{{ 7 * 7 }}&amp;amp;" in page


def test_run_that_stopped_still_gives_a_page():
    """The page of a run without a single result says why."""
    page = html.render(samples.report(stopped=ExitCode.NOT_JUDGED, problems=("nobody answers",)), samples.STATEMENTS)
    assert "Could not be judged" in page
    assert "nobody answers" in page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_the_contrast_that_wcag_asks_for(scheme):
    """Text on the page and on raised ground, and words on their verdict's colour, reach 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    blocks = re.findall(r":root \{(.*?)\}", PAGE, re.DOTALL)
    colours = dict(re.findall(r"--(\w+): (#\w{6})", blocks[scheme == "dark"]))
    pairs = [(text, ground) for text in ("text", "soft", "link") for ground in ("page", "raised")]
    pairs += [("ink", verdict) for verdict in ("pass", "waived", "notjudged", "warn", "fail", "kiterror")]
    assert {pair: contrast(*map(colours.get, pair)) for pair in pairs if contrast(*map(colours.get, pair)) < 4.5} == {}


def contrast(one, other):
    """Give the contrast ratio of two colours as WCAG defines it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_verdict_has_a_colour():
    """A verdict that the style sheet does not know would have none."""
    for verdict in Verdict:
        assert f".{verdict.replace(' ', '-')} " in PAGE or f".{verdict.replace(' ', '-')}," in PAGE
