"""`mockserver.errors`: every refusal the mock can give."""

import pickle
import re
from http import HTTPStatus

import orjson
import pytest

from mockserver import errors
from mockserver.errors import MethodNotAllowed, RateLimited, Refusal, TrunkNotVerified, ValidationFailed

CODES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Refusal) and "code" in vars(kind)
]


@pytest.mark.parametrize("kind", CODES, ids=lambda kind: kind.__name__)
def test_every_refusal_is_a_code_with_a_message(kind):
    """A refusal has a status that HTTP knows, a code in capitals and a sentence."""
    assert 400 <= HTTPStatus(kind.status) < 500 or kind in (errors.InternalError, errors.ServiceUnavailable)
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", kind.code)
    assert kind.message.endswith(".")


def test_codes_are_not_used_for_two_things():
    """A code stands for one status."""
    assert len({kind.code for kind in CODES}) == len({(kind.code, kind.status) for kind in CODES})


def test_payload_is_the_flat_envelope():
    """The envelope has the three members that this resource's pages show."""
    refusal = errors.TrunkNotFound()
    envelope = orjson.loads(refusal.payload())
    assert envelope == {"success": False, "message": refusal.message, "code": "TRUNK_NOT_FOUND"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [(["a"], "The request breaks the rule of 1 field."), (["a", "b"], "The request breaks the rules of 2 fields.")],
)
def test_validation_says_how_many_fields_are_broken(fields, message):
    """The message counts, the map names."""
    envelope = orjson.loads(ValidationFailed({name: ["no"] for name in fields}).payload())
    assert envelope["message"] == message
    assert envelope["errors"] == {name: ["no"] for name in fields}
    assert envelope["code"] == "VALIDATION_ERROR"


def test_activation_guard_names_the_field():
    """TRUNK_NOT_VERIFIED points at `is_active`."""
    assert orjson.loads(TrunkNotVerified().payload())["errors"].keys() == {"is_active"}


def test_headers_say_what_can_be_done():
    """405 has `Allow`, 429 has `Retry-After`, 401 a challenge, and what ends the connection says so."""
    assert MethodNotAllowed(b"GET, HEAD").headers == ((b"allow", b"GET, HEAD"),)
    assert RateLimited(7).headers == ((b"retry-after", b"7"),)
    assert errors.Unauthenticated.headers == ((b"www-authenticate", b"Bearer"),)
    for kind in (errors.BadRequest, errors.PayloadTooLarge, errors.HeadersTooLarge, errors.RequestTimeout):
        assert (b"connection", b"close") in kind.headers


def test_refusal_holds_no_argument():
    """No refusal carries what was sent: its args are empty, and so is what a pickle of it repeats."""
    for refusal in (MethodNotAllowed(b"GET"), RateLimited(1), ValidationFailed({"a": ["no"]}), errors.InvalidJson()):
        assert refusal.args == ()
    assert pickle.loads(pickle.dumps(errors.InvalidJson())).args == ()
