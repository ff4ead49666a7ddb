"""Faults in the form of answers."""

from collections.abc import Callable, Mapping
from typing import Any

from conformance.selftest.catalogue import after, around, fault, refusals, shown
from conformance.selftest.miniature import Answer, Api, Refused, Request, Trunk

Inner = Callable[..., Any]


@fault("answer.no-5xx")
def crashes_on_a_list(api: Api) -> None:
    """An update whose body is a list brings about a 500."""

    def crash(_request: Request, answer: Answer) -> None:
        if answer.status == 422 and "object" in answer.document["message"]:
            answer.status = 500

    after(api, "update", crash)


@fault("answer.refusal-is-4xx")
def refuses_with_200(api: Api) -> None:
    """A create with a bad field is answered 200 with success false."""
    after(api, "create", lambda _request, answer: setattr(answer, "status", 200) if answer.status == 422 else None)


@fault("answer.refusal-is-4xx", also=["auth.required"])
def redirects_to_a_login(api: Api) -> None:
    """A DID list without a valid token is answered with a redirect."""
    after(api, "list-dids", lambda _request, answer: setattr(answer, "status", 302) if answer.status == 401 else None)


@fault("answer.json")
def errors_say_html(api: Api) -> None:
    """Errors say that they are HTML."""
    refusals(api, lambda _request, answer: answer.headers.update({"Content-Type": "text/html"}))


@fault("answer.json")
def byte_order_mark(api: Api) -> None:
    """The list starts with a byte order mark."""

    def mark(_request: Request, answer: Answer) -> None:
        answer.headers["Content-Type"] = "application/json"
        answer.document = "\ufeff".encode() + api.write(answer.document)

    after(api, "list-dids", mark)


@fault("answer.success.form")
def success_says_ok(api: Api) -> None:
    """A read says "ok" where success should be true."""
    after(api, "read", lambda _request, answer: answer.document.update(success="ok") if answer.status == 200 else None)


@fault("answer.error.form")
def unknown_trunk_without_a_code(api: Api) -> None:
    """A 404 has no code."""
    refusals(api, lambda _request, answer: answer.document.pop("code") if answer.status == 404 else None)


@fault("answer.error.form")
def error_without_success(api: Api) -> None:
    """A refused credential is answered without success false."""
    refusals(api, lambda _request, answer: answer.document.pop("success") if answer.status == 401 else None)


@fault("answer.error.code-form", also=["did.number.unique-code", "delete.has-dids-code"])
def codes_in_words(api: Api) -> None:
    """Codes are written in small letters, with spaces."""
    refusals(
        api, lambda _request, answer: answer.document.update(code=answer.document["code"].lower().replace("_", " "))
    )


@fault("answer.error.status")
def bad_field_is_409(api: Api) -> None:
    """A bad field is answered 409."""
    around(api, "checked", lambda inner, request, fields: _with_status(inner, request, fields, 409))


def _with_status(inner: object, request: Request, fields: object, status: int) -> object:
    try:
        return inner(request, fields)  # type: ignore[operator]
    except Refused as refused:
        refused.status = status
        raise


@fault("answer.error.names-field")
def errors_name_no_field(api: Api) -> None:
    """A bad field is answered without its name."""
    refusals(api, lambda _request, answer: answer.document.pop("errors", None))


@fault("answer.outside.form")
def plain_404(api: Api) -> None:
    """An unknown path is answered in plain text."""

    def plain(request: Request, answer: Answer) -> Answer | None:
        return None if request.operation else Answer(answer.status, b"not found", answer.headers)

    refusals(api, plain)


@fault("answer.types")
def port_as_text(api: Api) -> None:
    """Verify tells the port as a text."""
    shown(api, "verify", lambda data: data.update(port="5061"))


@fault("answer.timestamps")
def time_without_a_zone(api: Api) -> None:
    """The list tells created_at without a zone."""
    shown(api, "list", lambda trunk: trunk.update(created_at=trunk["created_at"].removesuffix("Z")))


@fault("answer.created-at.steady")
def list_in_local_time(api: Api) -> None:
    """The list tells created_at in local time, marked as UTC."""
    shown(api, "list", lambda trunk: trunk.update(created_at=_an_hour_early(trunk["created_at"])))


def _an_hour_early(moment: str) -> str:
    return f"{moment[:11]}{(int(moment[11:13]) - 1) % 24:02d}{moment[13:]}"


@fault("answer.unverified-never-active", also=["list.up-to-date"])
def list_says_active(api: Api) -> None:
    """The list tells every trunk as active."""
    shown(api, "list", lambda trunk: trunk.update(is_active=True))


@fault("answer.rate-limit-headers")
def errors_without_limits(api: Api) -> None:
    """A 404 has no rate limit headers."""
    refusals(api, lambda _request, answer: _drop_limits(answer) if answer.status == 404 else None)


@fault("answer.rate-limit-headers.outside")
def strangers_without_limits(api: Api) -> None:
    """A 401 has no rate limit headers."""
    refusals(api, lambda _request, answer: _drop_limits(answer) if answer.status == 401 else None)


def _drop_limits(answer: Answer) -> None:
    answer.headers = {name: value for name, value in answer.headers.items() if "RateLimit" not in name}


@fault("answer.as-sent")
def verify_changes_the_username(api: Api) -> None:
    """A Verify writes the username in capital letters."""

    def keep(inner: object, trunk: dict[str, str], found: object) -> None:
        inner(trunk, found)  # type: ignore[operator]
        trunk["username"] = trunk["username"].upper()

    around(api, "keep_verified", keep)


@fault("answer.json")
def utf_16(api: Api) -> None:
    """Answers are written in UTF-16."""
    around(api, "write", lambda inner, document: inner(document).decode().encode("utf-16"))


@fault("answer.json")
def not_a_number(api: Api) -> None:
    """A health check tells NaN milliseconds."""
    shown(api, "health", lambda data: data.update(response_time_ms=float("nan")))


@fault("answer.verified-by-verify", also=["list.up-to-date"])
def verify_verifies_all(api: Api) -> None:
    """Verify verifies every trunk of the same domain."""

    def spread(_inner: Inner, trunk: Trunk, found: Mapping[str, Any]) -> None:
        for other in api.trunks.values():
            if other["environment"] == trunk["environment"] and other["domain"] == trunk["domain"]:
                other.update(found)

    around(api, "keep_verified", spread)


@fault("answer.verified-by-verify")
def a_reset_resets_all(api: Api) -> None:
    """A change that takes the verification away takes it from every trunk of the environment."""

    def spread(inner: Inner, trunk: Trunk, values: Mapping[str, Any]) -> None:
        for other in api.trunks.values():
            if other["environment"] == trunk["environment"]:
                inner(other, values)

    around(api, "unverify", spread)
