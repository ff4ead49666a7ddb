"""Request bodies: their media type, and what is no JSON, or JSON of the wrong kind.

Sources: *Create SIP Trunk*, request headers; RFC 8259 (JSON), RFC 9110, section 8.3 (media types).
"""

import json
from typing import Any

from conformance import expect
from conformance.client import Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import Lab
from conformance.rules import Level, Profile, rule

HEADERS = "Create SIP Trunk, request headers"
JSON_BODY = "/components/responses/InvalidJson"
NESTED = 100_000
DIGITS = 10_000


def _raw(fields: Any) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def _did(lab: Lab) -> dict[str, str]:
    return {"country_code": "US", "number": lab.number()}


@rule(
    "body.media-type.missing",
    Level.DOCUMENTED,
    "A request with a body must say that it is application/json.",
    source=HEADERS,
    sends="a create, an update and a new DID without Content-Type",
    accepts="any 4xx",
    contract="/components/responses/UnsupportedMediaType",
    needs=("create.accepted",),
)
def test_missing_content_type_is_refused(lab: Lab) -> None:
    create = lab.create(lab.body(), content_type=None, tags=("negative", "media-type"))
    lab.refuse(create, "create", "POST /sip-trunks without Content-Type", expected="4xx")
    update = lab.update(
        lab.main,
        {"name": lab.name(), "provider_name": "refused", "password": lab.canaries.password()},
        content_type=None,
        tags=("negative", "media-type"),
    )
    lab.refuse(update, "update", "PUT /sip-trunks/{trunk_id} without Content-Type", expected="4xx", cleanup=False)
    did = lab.add_did(lab.main, _did(lab), content_type=None, tags=("negative", "media-type"))
    lab.refuse(did, "did", "POST /sip-trunks/{trunk_id}/dids without Content-Type", expected="4xx", cleanup=False)


@rule(
    "body.media-type.other",
    Level.DOCUMENTED,
    "A body in another media type is refused, even when it could be read as JSON.",
    source=HEADERS,
    sends="a create, an update and a new DID as text/plain, as a form, as XML",
    accepts="any 4xx",
    contract="/components/responses/UnsupportedMediaType",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_other_media_type_is_refused(lab: Lab) -> None:
    form = "application/x-www-form-urlencoded"
    for media_type in lab.cases(
        ("text/plain", form), ("application/xml", "multipart/form-data", "application/octet-stream")
    ):
        answer = lab.create(lab.body(), content_type=media_type, tags=("negative", "media-type"))
        lab.refuse(answer, "create", f"POST /sip-trunks, JSON declared as {media_type}", expected="4xx")
        if lab.brief:
            return
    if lab.options.profile.includes(Profile.DEEP):
        fields = "&".join(f"{name}={value}" for name, value in lab.body(name="trunkcheck+form").items())
        answer = lab.create(fields.encode(), content_type=form, tags=("negative", "no-json"))
        lab.refuse(answer, "create", "POST /sip-trunks, a form", expected="4xx")
    for media_type in ("text/plain", form):
        body = {"name": lab.name(), "provider_name": "refused", "password": lab.canaries.password()}
        update = lab.update(lab.main, body, content_type=media_type, tags=("negative", "media-type"))
        lab.refuse(
            update,
            "update",
            f"PUT /sip-trunks/{{trunk_id}}, JSON declared as {media_type}",
            expected="4xx",
            cleanup=False,
        )
    did = lab.add_did(lab.main, _did(lab), content_type="text/plain", tags=("negative", "media-type"))
    lab.refuse(did, "did", "POST …/dids, JSON declared as text/plain", expected="4xx", cleanup=False)


@rule(
    "body.media-type.charset",
    Level.STANDARD,
    "application/json may carry a charset parameter.",
    source="RFC 9110, section 8.3.1",
    sends="a create as application/json; charset=utf-8; deep: an update too",
    accepts="201 or 200",
    contract="/paths/~1sip-trunks/post/requestBody",
    needs=("create.accepted",),
)
def test_charset_parameter_is_accepted(lab: Lab, with_charset: Answer) -> None:
    typed = "application/json; charset=utf-8"
    if not with_charset.is_success:
        lab.keep_spare(lab.accept(lambda: lab.create(content_type=typed), (200, 201), "create"))
    if lab.options.profile.includes(Profile.DEEP):
        lab.accept(lambda: lab.update(lab.main, {"name": lab.name()}, content_type=typed), (200,), "update")


@rule(
    "body.media-type.letter-case",
    Level.INFERRED,
    "The letter case of a media type does not matter.",
    source="RFC 9110, section 8.3.1; the pages are silent",
    sends="a create as Application/JSON",
    accepts="201 or 200",
    contract="/paths/~1sip-trunks/post/requestBody",
    profile=Profile.DEEP,
    needs=("create.accepted",),
)
def test_media_type_in_another_letter_case_is_accepted(lab: Lab) -> None:
    lab.keep_spare(lab.accept(lambda: lab.create(content_type="Application/JSON"), (200, 201), "create"))


@rule(
    "body.media-type.no-way-round",
    Level.DOCUMENTED,
    "No spelling of the media type takes a body past the field rules.",
    source=HEADERS,
    sends="a create with port 0, as Application/JSON and as application/json with a charset, UTF-8 or one that is none",
    accepts="any 4xx",
    contract="/paths/~1sip-trunks/post/requestBody",
    needs=("create.accepted",),
)
def test_odd_media_type_does_not_skip_validation(lab: Lab) -> None:
    for typed in lab.cases(
        ("Application/JSON", "application/json; charset=UTF-8", "application/json; charset=x-unknown"),
        ("application/json;charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"),
    ):
        for changes in lab.cases(({"port": 0},), ({"transport": "sctp"},)):
            answer = lab.create(lab.body(**changes), content_type=typed, tags=("negative", "media-type"))
            lab.refuse(answer, "create", f"POST /sip-trunks, {expect.show(changes)}, as {typed}", expected="4xx")


def _broken_documents(lab: Lab) -> dict[str, bytes]:
    """Give bodies that are not JSON, each of them a valid create but for that."""
    valid = _raw(lab.body(password=lab.canaries.password('"\\é<&>')))
    fields = lab.body()
    latin = json.dumps(lab.body(name="Café"), ensure_ascii=False).encode("latin-1")
    return {
        "cut short": valid[:-1],
        "empty": b"",
        "followed by more text": _raw(lab.body()) + b" x",
        "not UTF-8": latin,
        "with a comma too many": _raw(lab.body())[:-1] + b",}",
        "of two documents": _raw(lab.body()) + _raw(lab.body()),
        "with single quotes": repr(fields).encode(),
        "with an unquoted value": _raw(lab.body()).replace(b'"carrier-x"', b"carrier-x"),
        "with a comment": _raw(lab.body())[:-1] + b"/* */}",
    }


@rule(
    "body.json.malformed",
    Level.STANDARD,
    "A body that is not JSON is refused.",
    source="RFC 8259, sections 2 and 8.1",
    sends="creates cut short, empty, with text behind, in Latin-1, with a comma too many; updates cut short and empty",
    accepts="any 4xx",
    contract=JSON_BODY,
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_malformed_json_is_refused(lab: Lab) -> None:
    documents = _broken_documents(lab)
    for label in [*documents][:1] if lab.brief else lab.cases([*documents][:5], [*documents][5:]):
        raw = documents[label]
        answer = lab.create(raw, tags=("negative", "no-json"))
        lab.refuse(answer, "create", f"POST /sip-trunks, a body {label}", expected="4xx")
    if lab.brief:
        return
    raw = _raw({"provider_name": "refused", "password": lab.canaries.password()})[:-1]
    update = lab.update(lab.main, raw, tags=("negative", "no-json"))
    lab.refuse(update, "update", "PUT /sip-trunks/{trunk_id}, a body cut short", expected="4xx", cleanup=False)
    update = lab.update(lab.main, b"", tags=("negative", "no-json"))
    lab.refuse(update, "update", "PUT /sip-trunks/{trunk_id}, an empty body", expected="4xx", cleanup=False)
    if lab.options.profile.includes(Profile.DEEP):
        did = lab.add_did(lab.main, _raw(_did(lab))[:-1], tags=("negative", "no-json"))
        lab.refuse(did, "did", "POST …/dids, a body cut short", expected="4xx", cleanup=False)


@rule(
    "body.json.unusable",
    Level.STANDARD,
    "A number that is none, or a value nested absurdly deep, is refused.",
    source="RFC 8259, sections 6 and 9",
    sends="creates with port NaN, 1e999 and an integer of 10,000 digits, and a name nested 100,000 deep",
    accepts="any 4xx",
    contract=JSON_BODY,
    needs=("create.accepted",),
)
def test_unusable_numbers_and_nesting_are_refused(lab: Lab) -> None:
    for label, value in lab.cases(
        (("NaN", b"NaN"), ("an integer of 10,000 digits", b"9" * DIGITS), ("1e999", b"1e999")),
        (("Infinity", b"Infinity"),),
    ):
        raw = _raw(lab.body(port=987654321)).replace(b"987654321", value)
        answer = lab.create(raw, tags=("negative", "no-json"))
        lab.refuse(answer, "create", f"POST /sip-trunks, port {label}", expected="4xx")
    nested = b"[" * NESTED + b"]" * NESTED
    try:
        answer = lab.create(_raw(lab.body(name="@@")).replace(b'"@@"', nested), tags=("negative", "no-json", "large"))
    except NotJudged:
        return  # a server may close the connection on a body of this size
    lab.refuse(answer, "create", "POST /sip-trunks, a name nested 100,000 deep", expected="4xx")


@rule(
    "body.json.not-an-object",
    Level.DOCUMENTED,
    "A body that is JSON but no object is refused.",
    source="Create SIP Trunk, request body",
    sends="creates with null, a text, a number, true and a valid create in a list; updates with a list, an empty one, "
    "null; a new DID in a list",
    accepts="400 or 422",
    contract="/components/schemas/TrunkCreate/type",
    needs=("create.accepted",),
)
def test_body_that_is_no_object_is_refused(lab: Lab) -> None:
    for body in lab.cases((None, "text", [lab.body()], 42, True), ([], 1.5, False)):
        answer = lab.create(_raw(body), tags=("negative",))
        label = "a valid body in a list" if body and isinstance(body, list) else expect.show(body)
        lab.refuse(answer, "create", f"POST /sip-trunks, {label}")
    for body in lab.cases(
        ([{"provider_name": "refused", "password": lab.canaries.password()}], [], None), ("text", 42, True)
    ):
        update = lab.update(lab.main, _raw(body), tags=("negative",))
        lab.refuse(
            update, "update", f"PUT /sip-trunks/{{trunk_id}}, {'a list' if body else expect.show(body)}", cleanup=False
        )
    for body in lab.cases(([_did(lab)],), (None, "text", 42)):
        did = lab.add_did(lab.main, _raw(body), tags=("negative",))
        lab.refuse(did, "did", f"POST …/dids, {expect.show(body)}", cleanup=False)


@rule(
    "body.odd-text.no-crash",
    Level.STANDARD,
    "NUL, unpaired surrogates, members that stand twice, a byte order mark, very long texts: nothing breaks.",
    source="RFC 9110, section 15.6.1; RFC 8259, sections 4, 8.1 and 8.2",
    sends="creates with each of them, then GET of what was taken, and the list",
    accepts="2xx or 4xx",
    contract=JSON_BODY,
    needs=("create.accepted",),
)
def test_odd_text_breaks_nothing(lab: Lab) -> None:
    quoted = json.dumps(lab.name())[1:-1].encode()
    bodies = {
        "NUL": _raw(lab.body(name="@@")).replace(b"@@", quoted + b"\\u0000x"),
        "an unpaired surrogate": _raw(lab.body(name="@@")).replace(b"@@", quoted + b"2 \\ud800x"),
        "a byte order mark": b"\xef\xbb\xbf" + _raw(lab.body())[:-1] + b', "port": 5061}',
    }
    host = ".".join([*(letter * 60 for letter in "abcde"), "com"])  # longer than DNS allows; RFC 3261 sets no limit
    long = {"provider_name": "p" * 300, "username": "u" * 300, "auth_realm": "r" * 5000}
    apart = {
        "a domain of 300 characters": _raw(lab.body(domain=host)),
        "texts of 300 characters": _raw(lab.body(**long)),
    }
    together = "a domain and texts of 300 characters"
    bodies |= {together: _raw(lab.body(domain=host, **long)), "a port that no 32 bits hold": _raw(lab.body(port=2**31))}
    sent = list(bodies.items())
    for label, raw in sent:  # it grows
        answer = lab.create(raw, tags=("odd",))
        if label == together and answer.is_refusal:  # for one of them, perhaps: what of the other?
            sent += apart.items()
        if answer.is_success:
            if b"\\u" in raw:  # what was taken must come out again
                lab.client.send("GET", "/sip-trunks", operation="GET /sip-trunks")
            lab.discard(answer)
        elif not answer.is_refusal:
            raise Broken("2xx or 4xx", f"{answer.status} to {label}", answer)


@rule(
    "body.too-large",
    Level.INFERRED,
    "A body that is far too large is refused.",
    source="RFC 9110, section 15.5.14; the pages are silent",
    sends="POST /sip-trunks with a name of a million characters",
    accepts="413, 400 or 422",
    contract="/components/responses/PayloadTooLarge",
    needs=("create.accepted",),
)
def test_huge_body_is_refused(lab: Lab) -> None:
    try:
        secret = lab.canaries.password()
        answer = lab.create(
            {"password": secret, **lab.body(name="n" * 1_000_000, password=secret)}, tags=("negative", "large")
        )
    except NotJudged as error:
        raise NotJudged("the connection was closed on a body of a million bytes, which a server may do") from error
    lab.refuse(answer, "create", "POST /sip-trunks, a name of a million characters", expected="413, 400 or 422")
