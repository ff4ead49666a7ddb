"""Faults in how bodies are read."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from conformance.selftest.catalogue import after, around, check, fault
from conformance.selftest.miniature import Answer, Api, Refused, Request

Inner = Callable[..., Any]


@fault("body.media-type.missing")
def no_media_type_is_json(api: Api) -> None:
    """A body without a media type is taken for JSON."""
    api.media_types.add("")


@fault("body.media-type.other")
def any_text_is_json(api: Api) -> None:
    """A body in text/plain is read as JSON."""
    api.media_types.add("text/plain")


@fault("body.media-type.other")
def form_is_json(api: Api) -> None:
    """A body that is declared as a form is read as JSON."""
    api.media_types.add("application/x-www-form-urlencoded")


@fault("body.media-type.charset")
def no_charset(api: Api) -> None:
    """application/json with a charset is refused."""

    def strict(inner: Inner, request: Request) -> None:
        if "charset=utf-8" in request.media_type:
            raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json.")
        inner(request)

    around(api, "check_media_type", strict)


@fault("body.media-type.no-way-round")
def checks_only_plain_json(api: Api) -> None:
    """Fields are checked only where the media type is spelled application/json."""

    def checked(inner: Inner, request: Request, fields: dict[str, Any]) -> Any:
        return inner(request, fields) if request.media_type.startswith("application/json") else dict(fields)

    around(api, "checked", checked)


@fault("body.media-type.no-way-round")
def a_charset_skips_checks(api: Api) -> None:
    """Fields are not checked where the media type is application/json; charset=UTF-8."""

    def checked(inner: Inner, request: Request, fields: dict[str, Any]) -> Any:
        return dict(fields) if "charset=UTF-8" in request.media_type else inner(request, fields)

    around(api, "checked", checked)


@fault("body.json.malformed")
def reads_the_first_document(api: Api) -> None:
    """What stands behind the JSON is not looked at."""
    around(api, "parse", lambda inner, body: inner(body) if not body else _first(inner, body))


def _first(inner: Inner, body: bytes) -> Any:
    try:
        return inner(body)
    except json.JSONDecodeError:
        return json.JSONDecoder().raw_decode(body.decode())[0]


@fault("body.json.malformed")
def completes_what_is_cut_short(api: Api) -> None:
    """A missing brace at the end is filled in."""
    around(
        api,
        "parse",
        lambda inner, body: (
            inner(body + b"}") if body.startswith(b"{") and not body.endswith((b"}", b"x")) else inner(body)
        ),
    )


@fault("body.json.malformed")
def latin_is_taken(api: Api) -> None:
    """A body in Latin-1 is read all the same."""
    around(
        api,
        "parse",
        lambda _inner, body: json.loads(body.decode("latin-1")) if not _is_utf8(body) else json.loads(body),
    )


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


@fault("body.json.unusable")
def nan_is_no_port(api: Api) -> None:
    """NaN as a port counts as none."""
    around(api, "parse", lambda _inner, body: json.loads(body.decode(), parse_constant=lambda _text: 5061))


@fault("body.json.not-an-object")
def unwraps_a_list(api: Api) -> None:
    """A body that is a list is taken for its first entry."""

    def parse(inner: Inner, body: bytes) -> Any:
        document = inner(body)
        return document[0] if isinstance(document, list) and document else document

    around(api, "parse", parse)


@fault("body.json.not-an-object")
def a_list_changes_nothing(api: Api) -> None:
    """An update with a list is accepted, and changes nothing."""

    def parse(inner: Inner, body: bytes) -> Any:
        document = inner(body)
        return {} if isinstance(document, list) else document

    around(api, "parse", parse)


@fault("body.json.not-an-object")
def nothing_is_an_empty_object(api: Api) -> None:
    """An empty list, as a body, is taken for an empty object."""
    around(api, "parse", lambda inner, body: {} if body == b"[]" else inner(body))


@fault("body.json.not-an-object")
def null_is_an_empty_object(api: Api) -> None:
    """null, as a body, is taken for an empty object."""
    around(api, "parse", lambda inner, body: {} if body == b"null" else inner(body))


def crashing_on(api: Api, body: bytes) -> None:
    """Answer 500 to a body."""

    def parse(inner: Inner, found: bytes) -> Any:
        if found == body:
            raise Refused(500, "INTERNAL", "It broke.")
        return inner(found)

    around(api, "parse", parse)


for body in (b"42", b"true"):
    fault(
        "answer.no-5xx",
        name=f"crashes-on-{body.decode()}",
        says=f"A body that is {body.decode()} alone brings about a 500.",
    )(partial(crashing_on, body=body))


@fault("body.odd-text.no-crash", also=["answer.no-5xx"])
def crashes_on_nul(api: Api) -> None:
    """A NUL in a name brings about a 500."""

    def crash(request: Request, answer: Answer) -> None:
        if answer.status == 422 and b"\\u0000" in request.body:
            answer.status = 500

    after(api, "create", crash)


@fault("body.odd-text.no-crash", also=["answer.no-5xx"])
def crashes_on_a_large_port(api: Api) -> None:
    """A port that no 32 bits hold brings about a 500."""

    def crash(request: Request, answer: Answer) -> None:
        if answer.status == 422 and request.fields.get("port") == 2**31:
            answer.status = 500

    after(api, "create", crash)


@fault("body.too-large")
def cuts_what_is_too_large(api: Api) -> None:
    """A name of many thousand characters is cut to 255."""
    api.most_bytes = 10**8
    check(
        api,
        "create",
        "name",
        lambda inner, value: inner(value[:255] if isinstance(value, str) and len(value) > 9999 else value),
    )


@fault("body.json.malformed")
def a_comma_too_many(api: Api) -> None:
    """A comma behind the last member is taken."""
    around(api, "parse", lambda inner, body: inner(body[:-2] + b"}" if body.endswith(b",}") else body))


@fault("body.json.malformed")
def nothing_is_no_change(api: Api) -> None:
    """An update without a body is accepted, and changes nothing."""
    around(api, "parse", lambda inner, body: inner(body or b"{}"))


@fault("answer.no-5xx")
def crashes_on_infinity(api: Api) -> None:
    """A number that is too large for a float brings about a 500."""

    def parse(inner: Inner, body: bytes) -> Any:
        if b"1e999" in body:
            raise Refused(500, "INTERNAL", "It broke.")
        return inner(body)

    around(api, "parse", parse)


@fault("answer.no-5xx")
def crashes_on_a_charset(api: Api) -> None:
    """A charset that is not known brings about a 500."""

    def strict(inner: Inner, request: Request) -> None:
        if "x-unknown" in request.media_type:
            raise Refused(500, "INTERNAL", "It broke.")
        inner(request)

    around(api, "check_media_type", strict)


def crashing_where(api: Api, field: str, when: Callable[[Any], bool]) -> None:
    """Answer 500 to a create with a field's value."""

    def crash(inner: Inner, request: Request, fields: dict[str, Any]) -> Any:
        if request.operation == "create" and field in fields and when(fields[field]):
            raise Refused(500, "INTERNAL", "It broke.")
        return inner(request, fields)

    around(api, "checked", crash)


CRASHES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "a password of more than 72 bytes": ("password", lambda value: isinstance(value, str) and len(value) > 72),
    "an IPv6 address as a domain": ("domain", lambda value: isinstance(value, str) and value.startswith("[")),
    "a field that nobody knows": ("trunkcheck_note", lambda _value: True),
}
for what, (field, when) in CRASHES.items():
    fault(
        "answer.no-5xx", name=f"crashes-on-{what.replace(' ', '-')}", says=f"A create with {what} brings about a 500."
    )(partial(crashing_where, field=field, when=when))
