"""JSON pointers to lines of the contract file."""

import pytest

import openapi
from conformance.report import lines


@pytest.mark.parametrize(
    ("pointer", "begins"),
    [
        pytest.param("/paths/~1sip-trunks/post", "    post:", id="escaped slash"),
        pytest.param("#/components/schemas/Name", "    Name:", id="with a leading #"),
        pytest.param("/tags/1", "  - {name: checks", id="item of a list"),
        pytest.param("/info/license/name", "  license: {name:", id="inside braces"),
    ],
)
def test_pointer_to_a_place_gives_the_line_where_its_name_stands(pointer, begins):
    """A pointer gives the line, counted from 1, on which the member's name is written."""
    written = openapi.PATH.read_text("utf-8").splitlines()
    assert written[lines.line(pointer) - 1].startswith(begins)


@pytest.mark.parametrize("pointer", ["/nowhere", "/tags/99", "/openapi/deeper", "/tags/-1", "/tags/²"])
def test_pointer_to_nothing_is_refused(pointer):
    """A place that the contract does not have is a LookupError."""
    with pytest.raises(LookupError, match="has nothing at"):
        lines.line(pointer)


def test_nearest_line_of_a_missing_place_is_that_of_the_place_around_it():
    """A report still points somewhere useful when the pointer leads nowhere."""
    assert lines.nearest_line("/components/schemas/Name/gone") == lines.line("/components/schemas/Name")
    assert lines.nearest_line("no pointer") == 1
