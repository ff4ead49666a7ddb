"""`mockserver.bodies`: bytes to checked fields."""

import contextlib
import json
import string

import pytest
from clients import trunk
from hypothesis import given, settings
from hypothesis import strategies as st

import openapi
from mockserver.bodies import JsonBody, describe, parse
from mockserver.errors import BodyNotAnObject, InvalidJson, ValidationFailed
from mockserver.redaction import Seal, Sealed

SCHEMAS = openapi.load()["components"]["schemas"]
SEAL = Seal()


def flat(schema):
    """Follow the schema's `$ref`s."""
    if isinstance(schema, list):
        return [flat(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return flat(SCHEMAS[schema["$ref"].rpartition("/")[2]])
    return {key: flat(value) for key, value in schema.items()}


CREATE = JsonBody(flat(SCHEMAS["TrunkCreate"]), SEAL)
UPDATE = JsonBody(flat(SCHEMAS["TrunkUpdate"]), SEAL)
FIELDS = SCHEMAS["TrunkCreate"]["properties"].keys()

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)


def encoded(value, **options):
    return json.dumps(value, **options).encode("utf-8", "surrogatepass")


def twins(pairs):
    """Give a dict, or fail at a name that is there twice: the reference for `parse`."""
    if len(dict(pairs)) < len(pairs):
        raise ValueError
    return dict(pairs)


@settings(max_examples=60)
@given(documents.filter(lambda value: b"Infinity" not in encoded(value)), st.sampled_from([None, 1]), st.booleans())
def test_json_is_read_whatever_its_layout(value, indent, ascii_only):
    """Any JSON value is read as the standard library reads it, however it is laid out."""
    assert parse(encoded(value, indent=indent, ensure_ascii=ascii_only)) == value


@given(st.text(alphabet='{}[]":,\\ \n1a', max_size=30))
def test_text_that_looks_like_json_is_read_or_refused_as_the_reference_does(text):
    """Near-JSON is read if the reference reads it without finding a member twice, and refused if not."""
    try:
        expected = json.loads(text, object_pairs_hook=twins)
    except ValueError:
        with pytest.raises(InvalidJson):
            parse(text.encode())
    else:
        assert parse(text.encode()) == expected


members = st.sampled_from(['"a"', '"b"', '"\\u0061"', '"a:"', '"\\""'])
blanks = st.text(alphabet=" \t\n\r", max_size=2)
objects = st.recursive(
    st.sampled_from(["1", '"x"', '"\\":"', '":"', "[]", "{}"]),
    lambda inner: st.lists(st.tuples(members, blanks, inner), max_size=3).map(
        lambda items: "{" + ",".join(f"{name}{blank}:{value}" for name, blank, value in items) + "}"
    ),
    max_leaves=6,
)


@given(objects)
def test_member_that_is_there_twice_is_refused_and_no_other(text):
    """A name that stands twice in one object is found at any depth and in any spelling, and nothing else is."""
    try:
        json.loads(text, object_pairs_hook=twins)
    except ValueError:
        with pytest.raises(InvalidJson):
            parse(text.encode())
    else:
        parse(text.encode())


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw):
    """No bytes whatever bring about anything but a value or InvalidJson."""
    with contextlib.suppress(InvalidJson):
        parse(raw)


def test_refusal_of_a_body_does_not_hold_it():
    """The library's error quotes the document; the refusal is not chained to it."""
    with pytest.raises(InvalidJson) as caught:
        parse(b'{"password": "secret-password"')
    assert (caught.value.args, caught.value.__context__) == ((), None)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param('{"a": 1}'.encode("utf-16"), id="utf-16"),
        pytest.param(b'{"a": "\xff"}', id="not-utf-8"),
        pytest.param(b'"\\ud800"', id="lone-surrogate"),
        pytest.param(b'"\xed\xa0\x80"', id="encoded-surrogate"),
        pytest.param(b"[" * 30_000 + b"]" * 30_000, id="deep-array"),
        pytest.param(b'{"a":' * 9_000 + b"1" + b"}" * 9_000, id="deep-object"),
        pytest.param(b"1" * 10_000, id="integer-of-10000-digits"),
        pytest.param(b"1e400", id="float-out-of-range"),
        pytest.param(b"NaN", id="nan"),
        pytest.param(b"-Infinity", id="infinity"),
        pytest.param(b"{} {}", id="two-values"),
        pytest.param(b"{'a': 1}", id="single-quotes"),
        pytest.param(b'{"a": 1,}', id="comma-too-many"),
        pytest.param(b'"\x01"', id="raw-control-character"),
    ],
)
def test_what_is_not_json_in_utf_8_is_refused(raw):
    """What RFC 8259 does not allow, or nobody can use, is InvalidJson."""
    with pytest.raises(InvalidJson):
        parse(raw)


@pytest.mark.parametrize("raw", [b"null", b"[]", b'"text"', b"1", b"true"])
def test_json_that_is_no_object_is_refused(raw):
    """A body is an object."""
    with pytest.raises(BodyNotAnObject):
        CREATE.fields(raw)


def test_good_body_gives_its_fields_with_defaults():
    """What is left out gets its default, except the two that have none."""
    fields = CREATE.fields(encoded(trunk()))
    assert isinstance(fields.pop("password"), Sealed)
    assert fields == trunk(password=...) | {"transport": "tls", "port": 5061, "is_active": False}


def test_update_gets_no_default():
    """Only what is sent is changed."""
    assert UPDATE.fields(b"{}") == {}
    assert UPDATE.fields(b'{"transport": "udp"}') == {"transport": "udp"}


@given(st.dictionaries(st.text(max_size=8).filter(lambda name: name not in FIELDS), scalars))
def test_unknown_members_are_ignored(others):
    """Members that the contract does not have never get to the rules."""
    body = encoded(trunk() | others).replace(b"Infinity", b"1")
    assert CREATE.fields(body).keys() == CREATE.fields(encoded(trunk())).keys()


@pytest.mark.parametrize(("transport", "port"), [("tls", 5061), ("udp", 5060), ("tcp", 5060)])
def test_port_left_out_follows_the_transport(transport, port):
    """Each transport has its default port, and an explicit one is kept."""
    assert CREATE.fields(encoded(trunk(transport=transport)))["port"] == port
    assert CREATE.fields(encoded(trunk(transport=transport, port=5099)))["port"] == 5099


@given(st.integers(1, 65535))
def test_port_written_as_a_float_becomes_an_integer(port):
    """`5061.0` counts as 5061, and is an integer from there on."""
    found = CREATE.fields(encoded(trunk(port=float(port))))["port"]
    assert (found, type(found)) == (port, int)


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1))
def test_password_is_sealed_when_it_has_been_read(password):
    """The fields hold the password sealed, and sealing loses nothing."""
    sealed = CREATE.fields(encoded(trunk(password=password)))["password"]
    assert SEAL.open(sealed) == password
    assert password.encode() not in sealed.box or len(password) < 3


WRONG = st.one_of(
    st.integers(min_value=65536, max_value=2**64 - 1),
    st.lists(scalars.filter(lambda value: value != float("inf")), max_size=2),
    st.fixed_dictionaries({}),
    st.just("\0"),
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), WRONG, min_size=1), st.sets(st.sampled_from(sorted(FIELDS))))
def test_all_broken_fields_are_named_and_no_other(broken, absent):
    """The refusal names each field that is broken or missing, and none that is fine."""
    body = {name: value for name, value in (trunk() | broken).items() if name in broken or name not in absent}
    with pytest.raises(ValidationFailed) as caught:
        CREATE.fields(encoded(body).replace(b"Infinity", b"1"))
    missing = set(SCHEMAS["TrunkCreate"]["required"]) - body.keys()
    assert caught.value.errors.keys() == broken.keys() | missing
    assert {name for name, (text,) in caught.value.errors.items() if " is required and " in text} == missing


@pytest.mark.parametrize("field", sorted(FIELDS))
@pytest.mark.parametrize("depth", [100, 254, 255, 256, 900])
def test_deep_value_is_refused_like_any_other_of_the_wrong_type(field, depth):
    """What JSON still allows, a field need not: at any depth the refusal names the field."""
    body = encoded(trunk() | {field: 0}).replace(b": 0", b": " + b"[" * depth + b"]" * depth)
    with pytest.raises(ValidationFailed) as caught:
        CREATE.fields(body)
    assert caught.value.errors.keys() == {field}


def test_deep_value_of_an_unknown_member_is_ignored():
    """Nobody looks at it."""
    body = encoded(trunk(x=0)).replace(b'"x": 0', b'"x": ' + b"[" * 900 + b"]" * 900)
    assert "x" not in CREATE.fields(body)


@given(st.sampled_from(sorted(FIELDS)), st.text(string.ascii_lowercase, min_size=12, max_size=20))
def test_refusal_never_repeats_a_value(field, value):
    """What was sent is in no message, whatever type it was wrapped in."""
    for wrapped in ([value], {value: value}, value + "\0"):
        with pytest.raises(ValidationFailed) as caught:
            CREATE.fields(encoded(trunk() | {field: wrapped}))
        assert value not in caught.value.payload().decode()
        assert caught.value.args == ()


def test_messages_are_made_of_the_field_and_its_rule():
    """Each message says what the field must be, in the contract's words."""
    with pytest.raises(ValidationFailed) as caught:
        CREATE.fields(b'{"port": 0, "transport": "TLS", "is_active": 1, "auth_realm": ""}')
    errors = {name: text for name, (text,) in caught.value.errors.items()}
    assert errors["port"] == "port must be an integer from 1 to 65535"
    assert errors["transport"] == "transport must be one of udp, tcp, tls"
    assert errors["is_active"] == "is_active must be true or false"
    assert errors["auth_realm"].startswith("auth_realm must be a non-empty string")
    assert errors["auth_realm"].endswith(", or null")
    assert errors["name"].startswith("name is required and must be a string of 1 to 255 characters")


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_has_words_for_its_rule(name):
    """A rule can be said of every field of the contract."""
    assert describe(CREATE_FLAT[name])


CREATE_FLAT = {
    name: {key: value for part in [*field.get("allOf", []), field] for key, value in part.items()}
    for name, field in flat(SCHEMAS["TrunkCreate"])["properties"].items()
}
