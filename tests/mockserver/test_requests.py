"""`mockserver.requests`: credentials, media types, repeated headers, and the reading of a body."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.environments import Environment, MemoryEnvironments
from mockserver.errors import BadRequest, PayloadTooLarge, Unauthenticated, UnsupportedMediaType
from mockserver.requests import (
    REFUSAL,
    BearerTokens,
    ClientGone,
    check_media_type,
    media_type,
    read_body,
    single_headers,
)

CI = Environment("ci", "standard", True, 0)
TOKENS = BearerTokens(MemoryEnvironments([("talq_ci", CI)]))


@pytest.mark.parametrize(
    "header", [b"Bearer talq_ci", b"bearer talq_ci", b"BEARER talq_ci", b"Bearer   talq_ci"], ids=lambda it: it.decode()
)
def test_scheme_in_any_case_and_blanks_before_the_token_are_fine(header):
    """The scheme's case does not matter, nor does a second blank."""
    assert asyncio.run(TOKENS.environment(header)) is CI


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(None, id="absent"),
        pytest.param(b"", id="empty"),
        pytest.param(b"   ", id="blank"),
        pytest.param(b"Bearer", id="scheme-alone"),
        pytest.param(b"Bearer ", id="no-token"),
        pytest.param(b"talq_ci", id="no-scheme"),
        pytest.param(b"Basic dGFscV9jaQ==", id="basic"),
        pytest.param(b"Token talq_ci", id="other-scheme"),
        pytest.param(b"Bearer ci", id="no-prefix"),
        pytest.param(b"Bearer xalq_ci", id="other-prefix"),
        pytest.param(b"Bearer TALQ_ci", id="prefix-in-capitals"),
        pytest.param(b"Bearer talq_", id="prefix-alone"),
        pytest.param(b"Bearer talq_unknown", id="unknown"),
        pytest.param(b"Bearer talq_ci x", id="one-word-more"),
        pytest.param(b"Bearer talq_ci, Bearer talq_ci", id="list"),
        pytest.param(b"Bearer\ttalq_ci", id="tab"),
        pytest.param(b"Bearer talq_c\xff", id="not-ascii"),
        pytest.param(b'Bearer "talq_ci"', id="quoted"),
        pytest.param(b"Bearer talq_ci\n", id="line-feed"),
        pytest.param(b"Bearer talq_" + b"a" * 30_000, id="long"),
    ],
)
def test_other_credentials_are_refused(header):
    """Anything but the bearer scheme with a known token is Unauthenticated."""
    with pytest.raises(Unauthenticated) as caught:
        asyncio.run(TOKENS.environment(header))
    assert caught.value.args == ()


@given(st.binary(max_size=60))
def test_any_authorization_is_accepted_or_unauthenticated(header):
    """No bytes bring about anything else."""
    try:
        assert asyncio.run(TOKENS.environment(header)) is CI
    except Unauthenticated:
        assert header.lower().split() != [b"bearer", b"talq_ci"] or b"talq_ci" not in header


@pytest.mark.parametrize(
    ("declared", "found"),
    [
        (b"application/json", "application/json"),
        (b"Application/JSON", "application/json"),
        (b" application/json\t", "application/json"),
        (b"application/json; charset=utf-8", "application/json"),
        (b"application/json;charset=UTF-8", "application/json"),
        (b'application/json; charset="utf-8"', "application/json"),
        (b"application/json; charset=utf8", "application/json"),
        (b"application/json;", "application/json"),
        (b"application/json ; ; charset=utf-8 ; x=y", "application/json"),
        (b"application/problem+json", "application/problem+json"),
        (b"text/plain", "text/plain"),
        (b"application/json; charset=utf-16", None),
        (b"application/json; charset=klingon", None),
        (b"application/json; charset=utf-8; CHARSET=latin-1", None),
        (b"application/json; charset = utf-8", None),
        (b"application/json; charset=", None),
        (b"application/json; charset", None),
        (b"application/json, text/plain", None),
        (b"application/json x", None),
        (b"application", None),
        (b"", None),
        (b"\xff\xfe;;;===", None),
        (b"application/json\n", None),
        (b'application/json; x="', None),
    ],
    ids=lambda it: repr(it),
)
def test_media_type_is_read_as_rfc_9110_has_it(declared, found):
    """A media type is compared in lower case, and its charset has to be UTF-8."""
    assert media_type(declared) == found


@given(st.binary(max_size=40))
def test_any_content_type_is_read_or_not(declared):
    """No bytes make the parser fail, and none that are found are in capitals."""
    found = media_type(b"application/json" + declared)
    assert found is None or found == found.lower()


@given(st.text(';="\\ a', max_size=200))
def test_odd_parameters_take_no_time(text):
    """A parameter list is read in one pass, whatever quotes and blanks it has."""
    media_type(b"application/json;" + text.encode() * 50)


@pytest.mark.parametrize(
    ("encoding", "fine"), [(b"identity", True), (b"Identity", True), (b"gzip", False), (b"", False)]
)
def test_compressed_body_is_refused(encoding, fine):
    """Nothing is decompressed."""
    headers = {b"content-type": b"application/json", b"content-encoding": encoding}
    if fine:
        check_media_type(headers, frozenset({"application/json"}))
    else:
        with pytest.raises(UnsupportedMediaType):
            check_media_type(headers, frozenset({"application/json"}))


def test_missing_content_type_is_refused():
    """A body without a declared media type is not taken for JSON."""
    with pytest.raises(UnsupportedMediaType):
        check_media_type({}, frozenset({"application/json"}))


@pytest.mark.parametrize(
    ("name", "refusal"),
    [(b"authorization", Unauthenticated), (b"content-type", UnsupportedMediaType), (b"host", BadRequest)],
)
def test_header_that_must_not_be_repeated_is_refused(name, refusal):
    """Two credentials, two media types or two hosts leave nothing to go by."""
    with pytest.raises(refusal):
        single_headers([(name, b"a"), (b"accept", b"b"), (name, b"a")])


def test_other_headers_may_be_repeated():
    """What nobody here reads may come twice."""
    assert single_headers([(b"accept", b"a"), (b"accept", b"b")]) == {b"accept": b"b"}


def read(*messages, max_body=10, scope=None, **headers):
    """Give what `read_body` makes of these ASGI messages."""
    waiting = list(messages)

    async def receive():
        return waiting.pop(0)

    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return asyncio.run(read_body(scope or {}, receive, named, max_body))


def piece(body, *, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=6))
def test_body_is_put_together_up_to_the_limit(pieces):
    """A body in any number of pieces is read whole, or refused if it is larger than allowed."""
    messages = [piece(it) for it in pieces[:-1]] + [piece(pieces[-1], more=False)]
    whole = b"".join(pieces)
    if len(whole) <= 10:
        assert read(*messages) == whole
    else:
        with pytest.raises(PayloadTooLarge):
            read(*messages)


def test_declared_length_over_the_limit_is_refused_unread():
    """With a Content-Length that is too large, nothing is read; the limit itself is allowed."""
    with pytest.raises(PayloadTooLarge):
        read(content_length=b"11")
    assert read(piece(b"a" * 10, more=False), content_length=b"10") == b"a" * 10


def test_reading_stops_once_the_body_is_too_large():
    """Of a body without a declared length, no more is read than shows that it is too large."""
    with pytest.raises(PayloadTooLarge):
        read(piece(b"a" * 11))


def test_client_that_leaves_gets_no_answer():
    """A body that breaks off is not a body."""
    with pytest.raises(ClientGone):
        read(piece(b"a"), {"type": "http.disconnect"})
    with pytest.raises(ClientGone):
        read({"type": "http.disconnect"})


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"identity", b"chunked, chunked", b""])
def test_unknown_transfer_coding_is_refused(coding):
    """Only chunked can be undone."""
    with pytest.raises(BadRequest):
        read(piece(b"", more=False), transfer_encoding=coding)


def test_transfer_coding_is_known_in_any_case():
    """`Chunked` is chunked."""
    assert read(piece(b"a", more=False), transfer_encoding=b"Chunked") == b"a"


def test_refusal_of_the_edge_ends_the_reading():
    """What the edge found wrong meanwhile is raised as soon as the app wakes up."""
    with pytest.raises(BadRequest):
        read(piece(b"a"), scope={REFUSAL: BadRequest()})
