"""`mockserver.routing`: from a method and a path to an operation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.errors import MethodNotAllowed, NotFound
from mockserver.routing import Operation, Routes


def operation(method, path):
    return Operation(f"{method} {path}", method, path, None, None, frozenset(), None)


OPERATIONS = """
GET /trunks
POST /trunks
GET /trunks/{id}
PUT /trunks/{id}
POST /trunks/{id}/verify
GET /trunks/{id}/dids
DELETE /trunks/{id}/dids/{did}
"""
ROUTES = Routes(operation(*line.split()) for line in OPERATIONS.strip().splitlines())
segments = st.text(st.characters(codec="utf-8", exclude_characters="/%"), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("method", "path", "found", "parameters"),
    [
        ("GET", "/trunks", "GET /trunks", []),
        ("HEAD", "/trunks", "GET /trunks", []),
        ("POST", "/trunks", "POST /trunks", []),
        ("GET", "/trunks/a", "GET /trunks/{id}", ["a"]),
        ("POST", "/trunks/verify/verify", "POST /trunks/{id}/verify", ["verify"]),
        ("DELETE", "/trunks/a/dids/b", "DELETE /trunks/{id}/dids/{did}", ["a", "b"]),
        ("GET", "/trunks/a%2Fb%20c", "GET /trunks/{id}", ["a/b c"]),
        ("GET", "/trunks/%ff%zz", "GET /trunks/{id}", ["\ufffd%zz"]),
    ],
)
def test_known_path_leads_to_its_operation(method, path, found, parameters):
    """A path's parameters come decoded and in order; HEAD goes where GET goes."""
    it, given_parameters = ROUTES.find(method, path)
    assert (it.operation_id, given_parameters) == (found, parameters)


@pytest.mark.parametrize(
    "path",
    ["", "/", "/trunks/", "/trunks//", "//trunks", "/Trunks", "/trunks/a/", "/trunks/a/b", "/trunks\n", "/trunk%73"],
)
def test_unknown_path_is_not_found(path):
    """A path is right as a whole; nothing is trimmed, folded or redirected."""
    with pytest.raises(NotFound):
        ROUTES.find("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PATCH", "/trunks", b"GET, HEAD, POST"),
        ("OPTIONS", "/trunks", b"GET, HEAD, POST"),
        ("get", "/trunks", b"GET, HEAD, POST"),
        ("POST", "/trunks/a", b"GET, HEAD, PUT"),
        ("HEAD", "/trunks/a/verify", b"POST"),
    ],
)
def test_other_method_is_told_what_is_allowed(method, path, allow):
    """405 names all methods of the path, HEAD included where GET is."""
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTES.find(method, path)
    assert caught.value.headers == ((b"allow", allow),)


@given(segments, segments)
def test_any_segment_may_be_a_parameter(trunk_id, did_id):
    """Whatever stands between two slashes is the parameter, line feeds and all."""
    assert ROUTES.find("DELETE", f"/trunks/{trunk_id}/dids/{did_id}")[1] == [trunk_id, did_id]
