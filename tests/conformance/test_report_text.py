"""Arbitrary text in every field of a report."""

import io
import json
import re
from xml.etree import ElementTree as ET

import pytest
import samples
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from test_report_html import Outline

from conformance.report import FORMATS, console, html

TEXTS = st.text(st.characters(codec=None), min_size=1)  # half characters too
NASTY = [
    "\x00\x1b[31m\x9b1m",
    "]]>&<!--",
    "</pre></details><script>",
    "[bold]:x:[/]",
    "::error::\r\n%",
    "\ud800",
    "`````\n#",
]


def with_nasty_ones(test):
    for text in NASTY:
        test = example(text)(test)
    return given(TEXTS)(test)


@with_nasty_ones
def test_any_text_gives_valid_xml(text):
    """The JUnit report parses and can be encoded, whatever a server sent."""
    ET.fromstring(FORMATS["junit"](samples.filled_with(text)).encode())


@pytest.mark.parametrize("format", ["json", "sarif", "badge"])
@with_nasty_ones
def test_any_text_gives_valid_json_without_control_characters(format, text):
    """JSON parses, can be encoded and could be shown in a terminal."""
    written = FORMATS[format](samples.filled_with(text))
    json.loads(written.encode())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", written)


@with_nasty_ones
def test_any_text_leaves_the_tags_of_the_page_as_they_are(text):
    """The page has the same tags as with a harmless word."""
    page = html.render(samples.filled_with(text), samples.statements_filled_with(text))
    plain = html.render(samples.filled_with("word"), samples.statements_filled_with("word"))
    page.encode()
    assert Outline(page).tags == Outline(plain).tags


@pytest.mark.parametrize("format", ["markdown", "github", "annotations"])
@with_nasty_ones
def test_any_text_can_be_written_as_lines(format, text):
    """The texts for GitHub can be encoded and hold no control characters but line feeds and tabs."""
    written = FORMATS[format](samples.filled_with(text))
    written.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", written)


@with_nasty_ones
def test_any_text_prints_without_terminal_escapes(text):
    """A terminal without colours gets no escape at all, so every one would be the server's."""
    out = io.StringIO()
    console.print_report(samples.filled_with(text), Console(file=out, width=80))
    out.getvalue().encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", out.getvalue())
