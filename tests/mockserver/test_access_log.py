"""`mockserver.access_log`: one line for each request."""

import asyncio
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.access_log import MOMENT_SECONDS, AccessLog, Entry, json_line, text_line

ENTRY = Entry(1_700_000_000.25, "GET", "/api/v1/sip-trunks", 200, 1.234, "ci", "abc-1")
paths = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=300)


def test_text_line_has_all_that_is_told():
    """Time, level, logger, method, path, status, duration, environment, request id."""
    assert text_line(ENTRY) == (
        "2023-11-14T22:13:20.250Z INFO trunkmock.access GET /api/v1/sip-trunks 200 1.23 ms ci abc-1\n"
    )


def test_json_line_has_the_same():
    """The same, as one object."""
    assert json.loads(json_line(ENTRY)) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "logger": "trunkmock.access",
        "method": "GET",
        "path": "/api/v1/sip-trunks",
        "status": 200,
        "duration_ms": 1.23,
        "environment": "ci",
        "request_id": "abc-1",
    }


def test_nobody_is_a_dash_or_null():
    """A request without an environment says so."""
    nobody = Entry(0.0, "GET", "/x", 404, 0.0, None, "abc-1")
    assert " - abc-1\n" in text_line(nobody)
    assert json.loads(json_line(nobody))["environment"] is None


@given(paths, st.sampled_from([text_line, json_line]))
def test_any_path_makes_one_line_of_bounded_length(path, line):
    """A path never breaks a line, and a long one is cut."""
    text = line(Entry(0.0, "GET", path, 200, 0.0, None, "abc-1"))
    assert text.count("\n") == 1
    assert len(text) < 900


@pytest.mark.parametrize("line", [text_line, json_line])
def test_long_path_is_cut(line):
    """Of a path, two hundred characters are told."""
    text = line(Entry(0.0, "GET", "/" + "a" * 20_000, 404, 0.0, None, "abc-1"))
    assert text.count("a" * 199 + "…") == 1
    assert "a" * 200 not in text


@pytest.mark.parametrize("line", [text_line, json_line])
def test_token_in_a_path_is_masked(line):
    """Some clients put their token where it does not belong."""
    for path in ("/talq_secret", "/x?token=talq_secret", "/talq%5Fsecret/y"):
        assert "secret" not in line(Entry(0.0, "GET", path, 404, 0.0, None, "abc-1"))


def test_entries_of_one_moment_are_written_together():
    """Lines are kept for a moment, and none is lost or written twice."""
    stream = io.BytesIO()

    async def story():
        log = AccessLog(stream, "text")
        log(ENTRY)
        log(ENTRY)
        assert stream.getvalue() == b""
        await asyncio.sleep(2 * MOMENT_SECONDS)
        assert stream.getvalue().count(b"\n") == 2
        log(ENTRY)
        await asyncio.sleep(2 * MOMENT_SECONDS)

    asyncio.run(story())
    assert re.findall(rb"abc-1\n", stream.getvalue()) == [b"abc-1\n"] * 3


def test_stream_that_nobody_reads_does_not_stop_the_answers():
    """A log that cannot be written is given up without a word."""

    class Broken(io.BytesIO):
        def write(self, _data):
            raise BrokenPipeError

    async def story():
        AccessLog(Broken(), "json")(ENTRY)
        await asyncio.sleep(2 * MOMENT_SECONDS)

    asyncio.run(story())
