from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import client, reply

from conformance import expect
from conformance.expect import Broken
from conformance.transport import Reply

NOON = datetime(2024, 1, 15, 12, tzinfo=UTC)


def answer(status=200, document=None, *headers, body=None):
    sent = reply(status, document, *headers)
    return client(sent if body is None else Reply(status, sent.headers, body)).send("GET", "/sip-trunks/1")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2024-01-15T12:00:00Z", NOON, id="documented"),
        pytest.param("2024-01-15t12:00:00z", NOON, id="lower-case"),
        pytest.param("2024-01-15T12:00:00+00:00", NOON, id="offset"),
        pytest.param("2024-01-15T12:00:00-00:00", NOON, id="unknown-place"),
        pytest.param("2024-01-15T12:00:00.5Z", NOON + timedelta(milliseconds=500), id="fraction"),
        pytest.param("2024-01-15T12:00:00.123456789Z", NOON + timedelta(microseconds=123456), id="nanoseconds"),
        pytest.param("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC), id="leap-second"),
    ],
)
def test_time_of_rfc_3339_is_read(text, moment):
    """Every way of writing a time in UTC is taken."""
    assert expect.timestamp(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-15T12:00:00", "2024-01-15 12:00:00Z", "2024-01-15T12:00:00+01:00", "2024-01-15",
        "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z",
        "2024-01-15T24:00:00Z", "2024-01-15T12:00Z", "20240115T120000Z", "1705320000", "",
        "2024-01-15T12:00:00Z\n", "\uff12024-01-15T12:00:00Z", "2024-01-15T12:00:00.Z", 1705320000, None, True, [],
    ],
)  # fmt: skip
def test_other_times_are_not_taken(text):
    """Local times, other forms and impossible dates are no time of the contract."""
    assert expect.timestamp(text) is None


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1)))
def test_every_moment_is_read_as_it_is_written(moment):
    """Reading undoes writing."""
    assert expect.timestamp(moment.isoformat()) == moment


@given(st.text() | st.floats() | st.integers() | st.booleans() | st.none() | st.lists(st.integers()))
def test_reading_a_time_never_fails(value):
    """Whatever a server sends for a time, it is one or none."""
    expect.timestamp(value)


@pytest.mark.parametrize(("minutes", "holds"), [(0, True), (9, True), (-9, True), (11, False), (-11, False)])
def test_now_is_ten_minutes_around_the_server_s_clock(minutes, holds):
    """A time is held against the answer's Date, whatever the kit's own clock says."""
    date = ("Date", format_datetime(NOON, usegmt=True))
    shown = (NOON + timedelta(minutes=minutes)).isoformat()
    found = answer(200, {"created_at": shown}, date)
    if holds:
        expect.is_now(found, "created_at")
    else:
        with pytest.raises(Broken, match="within ten minutes"):
            expect.is_now(found, "created_at")


@pytest.mark.parametrize("date", [(), (("Date", "yesterday"),)], ids=["none", "nonsense"])
def test_without_a_date_the_kit_s_clock_counts(date):
    """A server without a usable Date is held against the kit's clock."""
    expect.is_now(answer(200, {"created_at": datetime.now(UTC).isoformat()}, *date), "created_at")


@pytest.mark.parametrize(
    ("found", "value", "alike"),
    [
        (1, 1, True), (1.0, 1, True), (True, 1, False), (1, True, False), ("1", 1, False), (None, None, True),
        (0, False, False), (True, True, True), ("a", "a", True),
    ],
)  # fmt: skip
def test_values_are_compared_as_json_does(found, value, alike):
    """A number is its value, however it is written, and never a boolean or a text."""
    assert expect.same(found, value) is alike


@pytest.mark.parametrize(
    ("found", "alike"),
    [
        ("sip.X.example", True),
        ("sip.x.example", True),
        ("sip.X.example.", False),
        ("SIP.X.EXAMPLE", False),
        (None, False),
    ],
)
def test_hosts_may_come_back_in_small_letters(found, alike):
    """A host may be folded to small letters, and nothing else."""
    assert expect.same_host(found, "sip.X.example") is alike


@pytest.mark.parametrize(
    ("value", "kind", "fits"),
    [
        (5060, "integer", True), (5060.0, "integer", True), (5060.5, "integer", False), (True, "integer", False),
        ("x", "string", True), (None, "string", False), (None, "string or null", True), (1, "boolean", False),
        (1.5, "number", True), (False, "number", False), ([], "array", True), ({}, "object", True),
    ],
)  # fmt: skip
def test_types_are_those_of_json(value, kind, fits):
    """A boolean is no number, and 5060.0 an integer."""
    assert expect.has_type(value, kind) is fits


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b'{"success": false, "message": "m", "code": "A_B"}', "A_B", id="flat"),
        pytest.param(b'{"success": false, "error": {"message": "m", "code": "A_B"}}', "A_B", id="nested"),
        pytest.param(b'{"success": false, "error": "x", "code": "A_B"}', "A_B", id="flat-with-an-error-text"),
        pytest.param(b"[]", None, id="list"),
        pytest.param(b"<html>", None, id="html"),
    ],
)
def test_code_is_found_in_both_forms(body, code):
    """An error is read flat or nested."""
    found = answer(422, body=body)
    assert expect.error_code(found) == code
    assert expect.summary(found) == (f"422 {code}" if code else "422")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        pytest.param(b'{"errors": {"name": ["x"], "port": ["y"]}}', {"name", "port"}, id="map"),
        pytest.param(b'{"errors": [{"field": "name"}, {"field": "port"}]}', {"name", "port"}, id="list-of-fields"),
        pytest.param(b'{"errors": [{"loc": ["body", "name"]}, {"pointer": "/port"}]}', {"name", "port"}, id="places"),
        pytest.param(b'{"error": {"details": {"body.name": 1, "path": "body.port"}}}', {"port"}, id="dotted"),
        pytest.param(b'{"message": "name and port are wrong"}', set(), id="in-a-sentence"),
    ],
)
def test_fields_that_an_error_names_by_themselves_are_found(body, named):
    """A field counts as named where it stands alone, not in the middle of a sentence."""
    assert expect.named_fields(answer(422, body=body)) & {"name", "port"} == named


def test_long_value_is_cut_for_people():
    """What is shown is never longer than a line or two."""
    assert len(expect.show("x" * 1000)) < 140
    assert expect.show({"a": "é"}) == '{"a": "é"}'


@pytest.mark.parametrize("document", [None, [], "x", 5])
def test_missing_members_are_broken_not_a_crash(document):
    """An answer without an object in data breaks a rule in a sentence."""
    with pytest.raises(Broken, match="an object in data"):
        expect.members(answer(200, document), ("id",))
