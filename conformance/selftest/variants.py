"""Correct servers, each on the unusual side of an open choice of the contract: the kit must find nothing wrong.

The choices are those of the ledger, and what else the rules accept; each is named once, in `CHOICES`.
"""

import json
import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs
from zlib import crc32

from conformance.selftest.catalogue import after, around, before, check, either, refusals, shown, variant
from conformance.selftest.miniature import (
    READ,
    TEXTS,
    Answer,
    Api,
    Bad,
    Check,
    Refused,
    Request,
    Trunk,
    text,
)

Inner = Callable[..., Any]

CHOICES: Final[Mapping[str, str]] = {
    "status.create": "The status of a create that is accepted.",
    "status.field": "The status of a field that is refused.",
    "error.form": "The form of an error.",
    "delete.data": "What stands in data after a delete.",
    "more": "More fields or headers than are documented.",
    "unknown-fields": "Request fields that are not known.",
    "id.form": "The form of an id.",
    "time.form": "How exact a time is and how UTC is written.",
    "is-active.unverified": "Activation before verification.",
    "port.fraction": "A port written 5061.0.",
    "name.counting": "How characters beyond the basic plane, and combining ones, are counted.",
    "text.limit": "A limit on the other texts.",
    "text.odd": "Control characters, NUL, lone surrogates, a member that stands twice, a byte order mark.",
    "text.white-space": "White space alone, or at the ends of a text.",
    "host.form": "A domain's letter case, a dot at its end, underscores.",
    "host.kind": "Addresses, names of one label, private and reserved hosts.",
    "host.numbers": "A dotted number that is no address.",
    "proxy.port": "An outbound proxy with a port.",
    "text.empty-optional": '"" for an optional text.',
    "null.optional": "null for an optional field.",
    "name.unique": "Two trunks of one name.",
    "reset.same-value": "An update with the value that is there already.",
    "reset.other-fields": "A change of port, outbound_proxy or auth_realm.",
    "update.empty": "An update without a field.",
    "status.failed-verify": "The status of a failed Verify.",
    "verify.failed-active": "An active trunk whose Verify fails.",
    "did.country": "A number that does not belong to its country code.",
    "did.environments": "The same number in two environments.",
    "list.pages": "The order and the paging of a list.",
    "path.order": "An unknown path without a token.",
    "method.unknown": "An unknown method.",
    "method.head": "HEAD and OPTIONS, and a preflight.",
    "auth.spaces": "More than one space behind Bearer.",
    "health.kept": "How long a health result is kept, and response_time_ms without a response.",
    "cors": "Headers for other origins.",
    # What else the rules accept.
    "status.refusal": "Which 4xx a refusal has, where the contract names none.",
    "status.foreign": "403 or 404 for another environment's trunk.",
    "status.plan": "Which 4xx an environment without the feature gets.",
    "error.order": "Whether a body is judged before its trunk is looked for.",
    "less": "In the list and after an update, only what is documented.",
    "limits": "Rate limits, quotas, and their headers.",
    "body.form": "How the JSON of an answer is written.",
}


# Statuses and the form of errors


@variant("status.create")
def created_is_200(api: Api) -> None:
    """What is made is answered 200."""
    api.statuses = {}


@variant("status.field")
def bad_field_is_400(api: Api) -> None:
    """A rejected field is answered 400."""
    refusals(api, lambda _request, answer: setattr(answer, "status", 400) if answer.status == 422 else None)


@variant("status.refusal")
def every_bad_body_is_422(api: Api) -> None:
    """Broken JSON, a wrong media type and a body that is too large are answered 422 as well."""
    refusals(api, lambda _request, answer: setattr(answer, "status", 422) if answer.status in {400, 413, 415} else None)


@variant("status.refusal", warns=["plan.status"])
def every_bad_body_is_400(api: Api) -> None:
    """Broken JSON, a wrong media type, a large body and a missing plan are all answered 400."""
    refusals(
        api, lambda _request, answer: setattr(answer, "status", 400) if answer.status in {403, 413, 415, 422} else None
    )


@variant("status.foreign")
def foreign_is_403(api: Api) -> None:
    """Another environment's trunk is answered 403."""
    refusals(
        api,
        lambda request, answer: (
            setattr(answer, "status", 403)
            if answer.status == 404
            and api.trunks.get(request.trunk_id, {}).get("environment") not in {None, request.environment}
            else None
        ),
    )


@variant("status.plan")
def plan_is_402(api: Api) -> None:
    """An environment without the feature is answered 402."""
    refusals(api, lambda request, answer: setattr(answer, "status", 402) if request.environment == "planless" else None)


@variant("status.failed-verify")
def failed_verify_is_422(api: Api) -> None:
    """A Verify that fails is answered 422."""
    after(
        api,
        "verify",
        lambda _request, answer: (
            setattr(answer, "status", 422)
            if answer.document["success"] is False and "data" in answer.document
            else None
        ),
    )


@variant("error.form")
def nested_errors(api: Api) -> None:
    """Errors are nested, with the fields as a list in details."""

    def nest(_request: Request, answer: Answer) -> Answer | None:
        if "code" not in answer.document:
            return None
        details = [{"field": name, "issue": one} for name, (one,) in answer.document.get("errors", {}).items()]
        error = {"code": answer.document["code"], "message": answer.document["message"], "details": details}
        return Answer(answer.status, {"success": False, "error": error}, answer.headers)

    refusals(api, nest)


@variant("error.form")
def errors_in_a_sentence(api: Api) -> None:
    """Errors have no map; the message is a sentence that names the fields."""

    def say(_request: Request, answer: Answer) -> None:
        errors = answer.document.pop("errors", {})
        if errors:
            answer.document["message"] = "; ".join(one for (one,) in errors.values())

    refusals(api, say)


@variant("error.form")
def first_error_alone(api: Api) -> None:
    """Only the first bad field is told."""

    def first(_request: Request, answer: Answer) -> None:
        if errors := answer.document.get("errors"):
            name = next(iter(errors))
            answer.document["errors"] = {name: errors[name]}

    refusals(api, first)


@variant("error.form", warns=["answer.error.names-field"])
def errors_without_fields(api: Api) -> None:
    """Errors do not tell which field was bad."""
    refusals(api, lambda _request, answer: answer.document.pop("errors", None))


@variant("error.form")
def errors_with_null_data(api: Api) -> None:
    """Errors have a member data that is null."""
    refusals(api, lambda _request, answer: answer.document.update(data=None) if "code" in answer.document else None)


@variant("error.form")
def problem_json(api: Api) -> None:
    """Errors are application/problem+json, other answers name their charset."""
    api.on_answer.append(lambda _request, answer: answer.headers.update(
        {"Content-Type": "application/problem+json" if answer.status >= 400 else "application/json; charset=utf-8"}
    ))  # fmt: skip


@variant("error.order")
def body_before_trunk(api: Api) -> None:
    """The body of an update or of a new DID is judged before its trunk is looked for."""

    def judge(inner: Inner, request: Request) -> Any:
        if request.operation in {"update", "add-did"} and not request.fields:
            api.checked(request, api.read_body(request))
        return inner(request)

    around(api, "find", judge)


@variant("delete.data")
def delete_with_null(api: Api) -> None:
    """A delete is answered with data that is null."""
    around(api, "deleted", lambda inner, request: Answer(200, {**inner(request).document, "data": None}))


# More and less than documented


@variant("more")
def more_of_everything(api: Api) -> None:
    """Every object has members that nobody documents, every answer headers that change each time."""

    def add(request: Request, answer: Answer) -> None:
        answer.headers |= {
            "X-Request-Id": f"{api.served:08x}", "ETag": f'"{api.served * 7919:x}"',
            "Set-Cookie": f"lb={api.served % 3}; Path=/",
            "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()), "Server": "miniature",
        }  # fmt: skip
        answer.document["request_id"] = f"{api.served:08x}"
        for entry in answer.data if answer.status < 300 else ():
            entry |= {
                "password_set": True,
                "environment": request.environment,
                "tags": [],
                "links": {"self": request.path},
            }

    api.on_answer.append(add)


@variant("more")
def messages_everywhere(api: Api) -> None:
    """Every success has a message, a create tells the whole trunk, a read an encrypted_password that is always ***."""
    api.shows["create"] = api.shows["list"] = READ
    shown(api, "read", lambda trunk: trunk.update(encrypted_password="***"))  # noqa: S106 - what a server would show
    api.on_answer.append(
        lambda _request, answer: answer.document.setdefault("message", "It is done.") if answer.status < 300 else None
    )


@variant("less")
def list_of_names(api: Api) -> None:
    """The list tells id and name alone."""
    api.shows["list"] = ("id", "name")


@variant("less")
def update_tells_little(api: Api) -> None:
    """An update answers with the four documented members and what was sent."""

    def cut(request: Request, answer: Answer) -> None:
        if answer.status == 200:
            shows = {"id", "is_active", "is_verified", "updated_at"} | request.fields.keys()
            answer.document["data"] = {name: value for name, value in answer.document["data"].items() if name in shows}

    after(api, "update", cut)


@variant("unknown-fields")
def unknown_fields_are_refused(api: Api) -> None:
    """Fields that are not documented are refused, and so are those that only the server makes."""

    def strict(inner: Inner, request: Request, fields: dict[str, Any]) -> Any:
        unknown = fields.keys() - api.checks[request.operation].keys()
        if unknown:
            raise Refused(422, "VALIDATION_ERROR", "Fields are bad.", dict.fromkeys(sorted(unknown), "is not known"))
        return inner(request, fields)

    around(api, "checked", strict)


# Ids and times


@variant("id.form")
def ids_of_digits(api: Api) -> None:
    """Ids are texts of digits."""
    around(api, "new_id", lambda inner: (inner(), str(1000 + api.made))[1])


@variant("id.form")
def ids_with_a_prefix(api: Api) -> None:
    """Ids have a prefix, and characters that a path must escape."""
    around(api, "new_id", lambda inner: (inner(), f"trunk: +é{api.made:05d}")[1])


@variant("time.form")
def times_with_fractions(api: Api) -> None:
    """Times have six digits of a fraction and end in +00:00."""
    around(api, "written", lambda inner, seconds: f"{inner(seconds)[:-1]}.{int(seconds % 1 * 10**6):06d}+00:00")


@variant("time.form")
def created_at_loses_its_fraction(api: Api) -> None:
    """A create tells created_at with a fraction, a read without."""
    shown(api, "create", lambda trunk: trunk.update(created_at=f"{trunk['created_at'][:-1]}.25Z"))


@variant("time.form")
def coarse_clock(api: Api) -> None:
    """The clock counts whole minutes, and a Date header says so."""
    around(api, "written", lambda inner, seconds: inner(seconds // 60 * 60))


@variant("time.form")
def updated_at_by_the_minute(api: Api) -> None:
    """updated_at is of a clock that counts whole minutes, unlike created_at."""
    around(
        api,
        "change",
        lambda inner, trunk, values: (inner(trunk, values), trunk.update(updated_at=f"{api.now()[:17]}00Z")),
    )


@variant("time.form")
def idle_updates_keep_updated_at(api: Api) -> None:
    """An update that changes nothing leaves updated_at alone."""

    def keep(inner: Inner, trunk: Trunk, values: dict[str, Any]) -> None:
        was, idle = trunk["updated_at"], all(trunk[name] == value for name, value in values.items())
        inner(trunk, values)
        if idle:
            trunk["updated_at"] = was

    around(api, "change", keep)


@variant("time.form")
def another_clock(api: Api) -> None:
    """The server's clock is five hours behind, and its Date header with it."""
    around(api, "written", lambda inner, seconds: inner(seconds - 18000))
    api.on_answer.append(
        lambda _request, answer: answer.headers.update(
            {"Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() - 18000))}
        )
    )


@variant("time.form")
def never_updated(api: Api) -> None:
    """updated_at is null until the first update."""
    around(api, "new_trunk", lambda inner, request, values: {**inner(request, values), "updated_at": None})


# What fields may be


@variant("is-active.unverified")
def activity_waits(api: Api) -> None:
    """Activation of an unverified trunk is accepted, and it stays inactive."""
    around(api, "want_startable", lambda _inner, _values: None)
    around(api, "want_activatable", lambda _inner, _trunk, _values: None)
    around(api, "new_trunk", lambda inner, request, values: {**inner(request, values), "is_active": False})

    def keep(inner: Inner, trunk: Trunk, values: dict[str, Any]) -> None:
        inner(trunk, values)
        trunk["is_active"] = trunk["is_active"] and trunk["is_verified"]

    around(api, "change", keep)


@variant("port.fraction")
def ports_are_not_fractions(api: Api) -> None:
    """5061.0 is no port."""
    for operation in ("create", "update"):
        check(api, operation, "port", lambda inner, value: inner(str(value) if isinstance(value, float) else value))


def limited(api: Api, fields: tuple[str, ...], count: Callable[[str], int]) -> None:
    """Limit texts to 255 of whatever is counted."""

    def limit(inner: Check, value: Any) -> Any:
        if isinstance(value, str) and count(value) > 255:
            raise Bad("must have at most 255 characters")
        return inner(value)

    for operation in ("create", "update"):
        for field in fields:
            check(api, operation, field, limit)


@variant("name.counting")
def counts_utf16(api: Api) -> None:
    """A name has at most 255 UTF-16 code units."""
    limited(api, ("name",), lambda value: len(value.encode("utf-16-le", "surrogatepass")) // 2)


@variant("name.counting")
def counts_composed(api: Api) -> None:
    """A name's characters are counted after composition, and without combining marks."""
    for operation in ("create", "update"):
        inner = api.checks[operation]["name"]
        api.checks[operation]["name"] = either(inner, _composed)


def _composed(value: Any) -> str:
    if sum(not unicodedata.combining(one) for one in text(value)) > 255:
        raise Bad("must have at most 255 characters")
    return str(value)


@variant("text.limit")
def every_text_has_255(api: Api) -> None:
    """Every text has at most 255 characters."""
    limited(api, TEXTS, len)


@variant("text.odd")
def odd_text_is_taken(api: Api) -> None:
    """Control characters and unpaired surrogates are taken and come back escaped."""
    for operation in ("create", "update"):
        for field in ("name", "provider_name", "username", "password", "auth_realm"):
            check(api, operation, field, lambda inner, value: (inner(_printable(value)), value)[1])
    around(api, "write", lambda _inner, document: json.dumps(document).encode())


def _printable(value: Any) -> Any:
    return re.sub("[\x00-\x1f\ud800-\udfff]", "?", value) if isinstance(value, str) else value


@variant("text.odd")
def odd_text_is_replaced(api: Api) -> None:
    """Unpaired surrogates become U+FFFD, control characters disappear, a byte order mark is skipped."""
    for operation in ("create", "update"):
        for field in ("name", "provider_name", "username", "password", "auth_realm"):
            check(api, operation, field, lambda inner, value: inner(_replaced(value)))
    around(api, "parse", lambda inner, body: inner(body.removeprefix(b"\xef\xbb\xbf")))


def _replaced(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return re.sub("[\x00-\x1f]", "", re.sub("[\ud800-\udfff]", "\ufffd", value))


@variant("text.odd")
def repeated_members_are_refused(api: Api) -> None:
    """A member that stands twice is refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    around(api, "parse", lambda inner, body: (inner(body), json.loads(body, object_pairs_hook=once))[1])


@variant("text.white-space")
def white_space_is_trimmed(api: Api) -> None:
    """White space around a text is dropped, and so white space alone is refused."""
    for operation in ("create", "update"):
        for field in TEXTS:
            check(api, operation, field, lambda inner, value: inner(value.strip() if isinstance(value, str) else value))


@variant("text.white-space")
def white_space_is_refused(api: Api) -> None:
    """White space around a text is refused."""

    def strict(inner: Check, value: Any) -> Any:
        if isinstance(value, str) and value != value.strip():
            raise Bad("must have no white space around it")
        return inner(value)

    for operation in ("create", "update"):
        for field in TEXTS:
            check(api, operation, field, strict)


@variant("host.form")
def hosts_are_lowered(api: Api) -> None:
    """Hosts are kept in small letters and without a dot at the end."""
    for operation in ("create", "update"):
        for field in ("domain", "outbound_proxy"):
            check(api, operation, field, lambda inner, value: _lowered(inner(value)))


def _lowered(value: Any) -> Any:
    return value.lower().rstrip(".") if isinstance(value, str) else value


@variant("host.form")
def hosts_with_underscores(api: Api) -> None:
    """Underscores in a host are taken."""
    for operation in ("create", "update"):
        for field in ("domain", "outbound_proxy"):
            check(api, operation, field, _with_underscores)


def _with_underscores(inner: Check, value: Any) -> Any:
    inner(value.replace("_", "x") if isinstance(value, str) else value)
    return value


@variant("host.kind")
def only_public_names(api: Api) -> None:
    """Only names of several labels under a top-level domain that is not reserved are taken, no addresses."""

    def public(inner: Check, value: Any) -> Any:
        labels = str(inner(value) or "a.com").split(".")
        if (
            len(labels) < 2
            or not labels[-1].isalpha()
            or labels[-1] in {"example", "test", "invalid", "localhost", "local"}
        ):
            raise Bad("must be a public host name")
        return value

    for operation in ("create", "update"):
        for field in ("domain", "outbound_proxy"):
            check(api, operation, field, public)


@variant("host.numbers", "host.form")
def short_hosts(api: Api) -> None:
    """A host has at most 253 characters, as in DNS, and dotted numbers must be an address."""

    def short(inner: Check, value: Any) -> Any:
        numbers = str(inner(value)).split(".")
        if len(str(value)) > 253 or (all(one.isdigit() for one in numbers) and any(int(one) > 255 for one in numbers)):
            raise Bad("must be a host")
        return value

    for operation in ("create", "update"):
        for field in ("domain", "outbound_proxy"):
            check(api, operation, field, short)


@variant("proxy.port")
def proxies_with_a_port(api: Api) -> None:
    """An outbound proxy may have a port."""
    for operation in ("create", "update"):
        check(api, operation, "outbound_proxy", _with_port)


def _with_port(inner: Check, value: Any) -> Any:
    inner(re.sub(r":\d{1,5}$", "", value) if isinstance(value, str) else value)
    return value


@variant("text.empty-optional")
def empty_is_unset(api: Api) -> None:
    """An empty outbound proxy or realm counts as unset."""
    for operation in ("create", "update"):
        for field in ("outbound_proxy", "auth_realm"):
            check(api, operation, field, lambda inner, value: None if value == "" else inner(value))


@variant("null.optional")
def null_is_refused(api: Api) -> None:
    """null is refused everywhere."""

    def strict(inner: Check, value: Any) -> Any:
        if value is None:
            raise Bad("must not be null")
        return inner(value)

    for operation in ("create", "update"):
        for field in ("outbound_proxy", "auth_realm"):
            check(api, operation, field, strict)


@variant("null.optional")
def null_is_not_sent(api: Api) -> None:
    """A field that is null counts as not sent; a create still needs the required ones."""

    def without(inner: Inner, request: Request, fields: dict[str, Any]) -> Any:
        return inner(request, {name: value for name, value in fields.items() if value is not None})

    around(api, "checked", without)


# Names, resets, Verify and Health


@variant("name.unique")
def names_are_unique(api: Api) -> None:
    """Two trunks of an environment cannot have the same name."""

    def unique(inner: Inner, request: Request, fields: dict[str, Any]) -> Any:
        values = inner(request, fields)
        if any(one["name"] == values.get("name") and one["id"] != request.trunk_id for one in api.own(request)):
            raise Refused(409, "NAME_TAKEN", "There is a trunk of this name.")
        return values

    around(api, "checked", unique)


@variant("reset.same-value")
def same_value_keeps(api: Api) -> None:
    """The same value again does not reset the verification."""
    around(
        api,
        "loses",
        lambda _inner, trunk, values: any(trunk[name] != values[name] for name in api.resets & values.keys()),
    )


@variant("reset.other-fields")
def everything_technical_resets(api: Api) -> None:
    """A change of port, outbound proxy or realm resets the verification too, and the health with it."""
    api.resets |= {"port", "outbound_proxy", "auth_realm"}
    around(
        api,
        "unverify",
        lambda inner, trunk, values: (
            inner(trunk, values),
            trunk.update(health_status=None, last_health_check_at=None),
        ),
    )


@variant("update.empty")
def empty_update_is_refused(api: Api) -> None:
    """An update without a field is refused."""

    def some(inner: Inner, request: Request, fields: dict[str, Any]) -> Any:
        values = inner(request, fields)
        if request.operation == "update" and not values:
            raise Refused(400, "NOTHING_TO_CHANGE", "Nothing is to be changed.")
        return values

    around(api, "checked", some)


@variant("verify.failed-active")
def failed_verify_is_seen_when_read(api: Api) -> None:
    """A Verify that fails leaves is_active as it was; that the trunk is inactive shows whenever it is read."""
    around(api, "keep_verified", lambda _inner, trunk, found: trunk.update(found))
    around(api, "show", lambda inner, operation, trunk: _shown_inactive(inner(operation, trunk), trunk))


def _shown_inactive(shows: dict[str, Any], trunk: Trunk) -> dict[str, Any]:
    return {**shows, "is_active": shows["is_active"] and trunk["is_verified"]} if "is_active" in shows else shows


@variant("health.kept")
def health_is_cached(api: Api) -> None:
    """A health check is kept for a minute, whatever changes meanwhile."""
    kept: dict[str, dict[str, Any]] = {}

    def cached(request: Request, answer: Answer) -> Answer | None:
        if answer.status != 200:
            return None
        found = kept.setdefault(request.trunk_id, answer.document["data"])
        return Answer(200, {"success": True, "data": found}, answer.headers)

    after(api, "health", cached)


@variant("health.kept")
def no_duration_of_no_response(api: Api) -> None:
    """Where nothing answered, response_time_ms is null; else it has a fraction."""
    shown(api, "health", lambda data: data.update(response_time_ms=12.5 if data["is_healthy"] else None))


@variant("health.kept")
def health_does_not_touch_the_trunk(api: Api) -> None:
    """A health check changes nothing on the trunk, not even its health_status."""

    def untouched(inner: Inner, request: Request) -> Any:
        trunk = api.find(request)
        before_it = dict(trunk)
        answer = inner(request)
        trunk.update(before_it)
        return answer

    around(api, "health", untouched)


# DIDs


@variant("did.country")
def numbers_of_their_country(api: Api) -> None:
    """A number must begin with the calling code of its country."""
    codes = {"US": "+1", "CA": "+1", "DE": "+49", "GB": "+44", "FR": "+33"}

    def fits(inner: Inner, request: Request, fields: dict[str, Any]) -> Any:
        values = inner(request, fields)
        if request.operation == "add-did" and not values["number"].startswith(codes.get(values["country_code"], "+")):
            raise Refused(422, "VALIDATION_ERROR", "Fields are bad.", {"number": "number is of another country"})
        return values

    around(api, "checked", fits)


@variant("did.environments")
def numbers_are_unique_everywhere(api: Api) -> None:
    """A number can be in one environment only."""
    around(api, "is_taken", lambda _inner, _trunk, number: any(did["number"] == number for did in api.dids.values()))


# The list


@variant("list.pages")
def newest_first(api: Api) -> None:
    """The list begins with the newest trunk."""
    around(api, "own", lambda inner, request: inner(request)[::-1])


@variant("list.pages")
def in_no_order(api: Api) -> None:
    """The list is in another order each time."""
    around(
        api,
        "own",
        lambda inner, request: sorted(inner(request), key=lambda trunk: crc32(f"{trunk['id']} {api.served}".encode())),
    )


def paged(api: Api, page: Callable[[Request, list[Any]], tuple[list[Any], dict[str, Any], dict[str, str]]]) -> None:
    """Cut the list into pages: `page` gives the entries, more members of the answer, and headers."""

    def cut(request: Request, answer: Answer) -> Answer | None:
        if answer.status != 200:
            return None
        entries, members, headers = page(request, answer.document["data"])
        return Answer(200, {"success": True, "data": entries, **members}, {**answer.headers, **headers})

    after(api, "list", cut)


def _asked(request: Request, name: str, otherwise: int) -> int:
    found = parse_qs(request.query).get(name, [""])[0]
    return int(found) if found.isdigit() else otherwise


@variant("list.pages")
def numbered_pages(api: Api) -> None:
    """The list comes in pages of four, with page and total_pages in meta."""

    def page(request: Request, entries: list[Any]) -> tuple[list[Any], dict[str, Any], dict[str, str]]:
        number = _asked(request, "page", 1)
        meta = {"page": number, "per_page": 4, "total": len(entries), "total_pages": -(-len(entries) // 4)}
        return entries[number * 4 - 4 : number * 4], {"meta": meta}, {}

    paged(api, page)


@variant("list.pages")
def pages_by_cursor(api: Api) -> None:
    """The list comes in pages of four, with next_cursor."""

    def page(request: Request, entries: list[Any]) -> tuple[list[Any], dict[str, Any], dict[str, str]]:
        start = _asked(request, "cursor", 0)
        more = start + 4 < len(entries)
        return entries[start : start + 4], {"has_more": more, "next_cursor": str(start + 4) if more else None}, {}

    paged(api, page)


@variant("list.pages")
def pages_by_link(api: Api) -> None:
    """The list comes in pages of four, with a Link to the next."""

    def page(request: Request, entries: list[Any]) -> tuple[list[Any], dict[str, Any], dict[str, str]]:
        start = _asked(request, "offset", 0)
        link = f'</api/v1/sip-trunks?offset={start + 4}>; rel="next"'
        return entries[start : start + 4], {}, {"Link": link} if start + 4 < len(entries) else {}

    paged(api, page)


@variant("list.pages")
def pages_in_silence(api: Api) -> None:
    """The list comes in pages of ten, asked for with offset, and does not say that there is more."""

    def page(request: Request, entries: list[Any]) -> tuple[list[Any], dict[str, Any], dict[str, str]]:
        start = _asked(request, "offset", 0)
        return entries[start : start + 10], {}, {}

    paged(api, page)


# Paths, methods, credentials, limits


@variant("path.order")
def credentials_before_paths(api: Api) -> None:
    """Without a valid token an unknown path is answered 401."""
    around(api, "route", lambda inner, request: (api.authenticate(request), inner(request)))


@variant("method.unknown", silent=["method.allow"])
def unknown_method_is_404(api: Api) -> None:
    """An unknown method is answered 404."""
    refusals(api, lambda _request, answer: setattr(answer, "status", 404) if answer.status == 405 else None)


@variant("method.head", "cors")
def head_and_options(api: Api) -> None:
    """HEAD is answered like GET, OPTIONS with 204, and every answer has cross-origin headers."""

    def more(inner: Inner, request: Request) -> dict[str, str]:
        found: dict[str, str] = inner(request)
        return {**found, "HEAD": found["GET"]} if "GET" in found else found

    around(api, "operations", more)
    around(api, "respond", lambda inner, request: Answer(204, b"") if request.method == "OPTIONS" else inner(request))
    api.on_answer.append(lambda _request, answer: answer.headers.update({"Access-Control-Allow-Origin": "*"}))


@variant("auth.spaces")
def one_space_alone(api: Api) -> None:
    """Exactly one space stands between Bearer and the token."""

    def strict(inner: Inner, request: Request) -> Any:
        if "  " in request.headers.get("authorization", ""):
            raise Refused(401, "UNAUTHENTICATED", "A valid token is needed.")
        return inner(request)

    around(api, "authenticate", strict)


@variant("auth.spaces")
def challenge_with_a_realm(api: Api) -> None:
    """The challenge has a realm and an error."""
    refusals(
        api,
        lambda _request, answer: (
            answer.headers.update({"WWW-Authenticate": 'Bearer realm="trunks", error="invalid_token"'})
            if answer.status == 401
            else None
        ),
    )


@variant("auth.spaces")
def several_challenges(api: Api) -> None:
    """A 401 has a challenge of Basic beside that of Bearer."""
    challenges = 'Basic realm="trunks", Bearer realm="trunks"'
    refusals(
        api,
        lambda _request, answer: (
            answer.headers.update({"WWW-Authenticate": challenges}) if answer.status == 401 else None
        ),
    )


@variant("status.refusal", "id.form")
def other_ids_are_422(api: Api) -> None:
    """An id that is no UUID is answered 422, as where the path's parameter has that type."""

    def typed(inner: Inner, request: Request) -> Any:
        if not re.fullmatch(r"[0-9a-f-]{36}", request.trunk_id):
            raise Refused(422, "VALIDATION_ERROR", "The id is no UUID.")
        return inner(request)

    around(api, "find", typed)


@variant("limits", warns=["answer.rate-limit-headers.outside"])
def limits_of_an_environment(api: Api) -> None:
    """Rate limit headers have the names of the IETF draft, and only the answers of an environment have them."""
    around(api, "limits", lambda _inner, request: {"ratelimit": '"default";r=50;t=30'} if request.environment else {})


@variant("limits")
def counts_down(api: Api) -> None:
    """The limit counts down; every 60th request of a minute is one too many, and must be sent again."""

    def limit(inner: Inner, request: Request) -> Any:
        answer: Answer = inner(request)
        answer.headers["X-RateLimit-Remaining"] = str(60 - api.served % 60)
        return answer

    around(api, "respond", limit)

    def refuse(request: Request) -> Answer | None:
        if api.served % 60:
            return None
        refused = Refused(429, "RATE_LIMITED", "There were too many requests.")
        answer = api.refuse(request, refused)
        answer.headers["Retry-After"] = "0"
        return answer

    api.on_request.append(refuse)


@variant("limits")
def twelve_trunks(api: Api) -> None:
    """An environment may have twelve trunks at a time."""

    def room(request: Request) -> Answer | None:
        if len(api.own(request)) < 12:
            return None
        return api.refuse(request, Refused(409, "TRUNK_LIMIT_REACHED", "There are twelve trunks already."))

    before(api, "create", room)


@variant("body.form")
def pretty_and_ascii(api: Api) -> None:
    """Answers are indented, sorted, in ASCII, and escape slashes."""
    around(
        api,
        "write",
        lambda _inner, document: json.dumps(document, indent=2, sort_keys=True).replace("/", "\\/").encode(),
    )
