"""What holds for every answer, whatever was asked: judged on all exchanges of the run, after everything else was sent.

Sources: the pages' common answer form, *Introduction* (errors, rate limits), RFC 9110, RFC 8259, RFC 3339.
"""

import json
from collections.abc import Iterator
from urllib.parse import quote

from conformance import expect
from conformance.canaries import leaves
from conformance.client import NOBODY, Answer, NotJudged
from conformance.expect import TRUNK_TIMES, TRUNK_TYPES, Broken
from conformance.lab import Lab, entries, trunk_path
from conformance.rules import Level, Profile, rule

INTRODUCTION = "Introduction: the common answer form"
ERROR = "/components/schemas/Error"
VERIFY = "POST /sip-trunks/{trunk_id}/verify"


def on_operations(lab: Lab) -> Iterator[Answer]:
    """Give the answers of the ten operations; not those on other paths and methods, nor a wait for a rate limit."""
    for answer in lab.client.answers:
        if (
            answer.status != 429
            and "outside" not in answer.tags
            and (answer.operation.partition(" ")[0] in {"GET", "POST", "PUT", "DELETE"})
        ):
            yield answer


def successes(lab: Lab) -> Iterator[Answer]:
    """Give the 2xx answers of the ten operations, except a Verify that failed."""
    for answer in on_operations(lab):
        if answer.is_success and not (answer.operation == VERIFY and expect.says_no(answer)):
            yield answer


@rule(
    "answer.no-5xx",
    Level.STANDARD,
    "Nothing that a client sends brings about a 5xx.",
    source="RFC 9110, section 15.6: a 5xx says that the server failed",
    sends="every request of the run",
    accepts="2xx or 4xx",
    contract=ERROR,
    profile=Profile.QUICK,
)
def test_no_request_brings_about_a_5xx(lab: Lab) -> None:
    for answer in lab.client.answers:
        if answer.status >= 500:
            raise Broken("2xx or 4xx", str(answer.status), answer, control=lab.controls.get("create"))
    for answer in lab.client.unanswered:
        if "large" not in answer.tags and lab.client.answers and lab.client.answers[-1].number > answer.number:
            raise Broken("an answer", "the connection was closed, twice", answer)


@rule(
    "answer.refusal-is-4xx",
    Level.DOCUMENTED,
    "A refusal is a 4xx, never a 2xx with success false, never a redirect; a failed Verify alone is an answer.",
    source=INTRODUCTION,
    sends="every request of the run",
    accepts="2xx with success true, or 4xx",
    contract=ERROR,
    profile=Profile.QUICK,
)
def test_refusals_are_4xx(lab: Lab) -> None:
    for answer in on_operations(lab):
        if 300 <= answer.status < 400:
            raise Broken("2xx or 4xx", str(answer.status), answer)
        if answer.is_success and expect.says_no(answer) and answer.operation != VERIFY:
            raise Broken("a 4xx", f"{answer.status} with success false", answer)


@rule(
    "answer.json",
    Level.DOCUMENTED,
    "Every answer is JSON, and says so.",
    source="Introduction: JSON in, JSON out; RFC 8259, section 8.1",
    sends="every request of the run",
    accepts="a JSON object in UTF-8; application/json or another type ending in +json",
    contract="/paths/~1sip-trunks/post/responses/201",
    profile=Profile.QUICK,
)
def test_every_answer_is_json(lab: Lab) -> None:
    for answer in on_operations(lab):
        if answer.status >= 500 or 300 <= answer.status < 400:
            continue
        media_type = (answer.header("content-type") or "").partition(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise Broken("a media type of JSON", media_type or "no Content-Type", answer)
        if not isinstance(answer.json, dict):
            raise Broken("a JSON object", "something else", answer)
        if not _is_strict(answer.body):
            raise Broken("JSON in UTF-8, with numbers that JSON has", "another encoding, or NaN or Infinity", answer)
        if answer.body.startswith(b"\xef\xbb\xbf"):
            raise Broken("JSON without a byte order mark", "one with it", answer)


def _is_strict(body: bytes) -> bool:
    """Tell whether JSON that could be read is as RFC 8259 wants it, which the reader does not."""
    try:
        body.decode()
        if b"NaN" in body or b"Infinity" in body:
            json.loads(body, parse_constant=_no_number)
    except ValueError:
        return False
    return True


def _no_number(_text: str) -> None:
    raise ValueError


@rule(
    "answer.success.form",
    Level.DOCUMENTED,
    "A success has success true and, except after a delete, data.",
    source=INTRODUCTION,
    sends="every request of the run that was answered 2xx",
    accepts='{"success": true, "data": …}, more members tolerated',
    contract="/components/schemas/TrunkAnswer",
    profile=Profile.QUICK,
)
def test_successes_have_their_form(lab: Lab) -> None:
    for answer in successes(lab):
        if not isinstance(answer.json, dict) or expect.says_no(answer):
            continue  # no JSON, or a refusal with a wrong status: other rules judge that
        if answer.json.get("success") is not True:
            raise Broken("success true", f"success {expect.show(answer.json.get('success'))}", answer)
        if answer.method != "DELETE" and answer.json.get("data") is None:
            raise Broken("data", "none", answer)


@rule(
    "answer.error.form",
    Level.DOCUMENTED,
    "An error has success false, a message and a code, flat or inside error.",
    source=f"{INTRODUCTION}; the error examples of the SIP trunk pages",
    sends="every request of the run that was answered 4xx",
    accepts="success false with message and code, flat or nested",
    contract=ERROR,
    profile=Profile.QUICK,
)
def test_errors_have_their_form(lab: Lab) -> None:
    for answer in on_operations(lab):
        if not answer.is_refusal or (answer.operation == VERIFY and isinstance(answer.data, dict)):
            continue
        want_error(answer)


def want_error(answer: Answer) -> None:
    """Want the error envelope."""
    if not isinstance(answer.json, dict):
        return  # no JSON: another rule judges that
    if answer.json.get("success") is not False:
        raise Broken("success false", f"success {expect.show(answer.json.get('success'))}", answer)
    error = expect.error_object(answer)
    for name in ("message", "code"):
        found = error.get(name) or answer.json.get(name)
        if not isinstance(found, str) or not found:
            raise Broken(f"a {name}", f"{name} {expect.show(found)}", answer)


@rule(
    "answer.error.code-form",
    Level.INFERRED,
    "An error's code is in capital letters and underscores.",
    source="The error examples of the SIP trunk pages",
    sends="every request of the run that was answered 4xx",
    accepts="UPPER_SNAKE",
    contract=f"{ERROR}/properties/code",
)
def test_error_codes_have_their_form(lab: Lab) -> None:
    for answer in on_operations(lab):
        code = expect.error_code(answer)
        if (
            answer.is_refusal
            and code
            and not (isinstance(code, str) and code.isascii() and code == code.upper() and " " not in code)
        ):
            raise Broken("a code such as VALIDATION_ERROR", expect.show(code), answer)


@rule(
    "answer.error.status",
    Level.INFERRED,
    "A body that breaks a field rule is answered 400 or 422.",
    source="The pages do not give the status",
    sends="the refused creates, updates and DIDs of the run",
    accepts="400 or 422; 413 and 415 where they fit",
    contract="/components/responses/TrunkRefused",
)
def test_broken_fields_have_their_status(lab: Lab) -> None:
    for answer in on_operations(lab):
        fields = "negative" in answer.tags and answer.tags.isdisjoint({"no-json", "media-type", "large"})
        if fields and answer.actor == "first" and answer.is_refusal and answer.status not in {401, 402, 403}:
            expect.status_in(answer, (400, 422, 413, 415))


@rule(
    "answer.error.names-field",
    Level.INFERRED,
    "A refusal of a field names it.",
    source="The pages do not show a validation error",
    sends="creates that lack one required field",
    accepts="an answer in which the field's name stands",
    contract="/components/responses/TrunkRefused",
    needs=("create.accepted",),
)
def test_refusal_names_the_field(lab: Lab) -> None:
    for answer in on_operations(lab):
        if (
            answer.operation != "POST /sip-trunks"
            or answer.status not in {400, 422}
            or "no-json" in answer.tags
            or answer.actor != "first"
        ):
            continue
        try:
            sent = json.loads(answer.request_body or b"")
        except (ValueError, RecursionError):
            continue
        if not isinstance(sent, dict) or "packed" in answer.tags or not sent:
            continue
        missing = [name for name in ("name", "provider_name", "domain", "username", "password") if name not in sent]
        for name in missing if len(missing) == 1 else ():
            if name.encode() not in answer.body:
                raise Broken(f"an error that names {name}", "one that does not", answer)


@rule(
    "answer.outside.form",
    Level.INFERRED,
    "Unknown paths and methods are answered in the error envelope too.",
    source=INTRODUCTION,
    sends="requests for an unknown path and with unknown methods",
    accepts="success false with message and code",
    contract="/components/responses/NotFound",
)
def test_errors_outside_the_operations_have_the_form(lab: Lab) -> None:
    seen = [one for one in lab.client.answers if "outside" in one.tags and one.is_refusal and one.status != 429]
    for answer in seen:
        if not isinstance(answer.json, dict):
            raise Broken("the error envelope", "no JSON object", answer)
        want_error(answer)
    if not seen:
        raise NotJudged("no unknown path or method was tried")


@rule(
    "answer.types",
    Level.DOCUMENTED,
    "Every documented field has its documented type wherever it comes back.",
    source="Get SIP Trunk, response; Create SIP Trunk, response",
    sends="every request of the run that was answered with a trunk",
    accepts="texts, integers and booleans as documented; null where a field may be unset",
    contract="/components/schemas/Trunk",
    profile=Profile.QUICK,
)
def test_fields_have_their_types(lab: Lab) -> None:
    for answer, trunk in trunks(lab):
        for name, kind in TRUNK_TYPES.items():
            if name in trunk and not expect.has_type(trunk[name], kind):
                raise Broken(f"{name}: {kind}", f"{name} {expect.show(trunk[name])}", answer)
        if trunk.get("health_status", None) not in (None, "healthy", "unhealthy"):
            raise Broken("health_status healthy, unhealthy or null", expect.show(trunk["health_status"]), answer)


def trunks(lab: Lab) -> Iterator[tuple[Answer, dict[str, object]]]:
    """Give every object with an answer about a trunk: of a create, a read, an update, a Verify, the list."""
    for answer in successes(lab):
        if "/dids" in answer.path or answer.path.endswith("/health"):
            continue
        entries = answer.data if isinstance(answer.data, list) else [answer.data]
        for entry in entries:
            if isinstance(entry, dict):
                yield answer, entry


@rule(
    "answer.timestamps",
    Level.DOCUMENTED,
    "A time is RFC 3339 in UTC, such as 2024-01-15T14:00:00Z.",
    source="Create SIP Trunk, response; RFC 3339, section 5.6",
    sends="every request of the run whose answer has a time",
    accepts="Z or +00:00, with or without a fraction of a second; null where there was no check or change",
    contract="/components/schemas/Timestamp",
    profile=Profile.QUICK,
)
def test_times_are_rfc_3339(lab: Lab) -> None:
    for answer in successes(lab):
        for path, leaf in leaves(answer.data):
            name = path.rsplit(".", 1)[-1]
            if name not in TRUNK_TIMES or (leaf is None and name in {"last_health_check_at", "updated_at"}):
                continue
            if expect.timestamp(leaf) is None:
                raise Broken("a time such as 2024-01-15T14:00:00Z", f"{name} {expect.show(leaf)}", answer)


@rule(
    "answer.created-at.steady",
    Level.DOCUMENTED,
    "created_at of a trunk is the same in every answer.",
    source="Create SIP Trunk, response; Get SIP Trunk, response",
    sends="every request of the run that was answered with created_at",
    accepts="the same second each time, however it is written",
    contract="/components/schemas/CreatedAt",
)
def test_created_at_is_the_same_everywhere(lab: Lab) -> None:
    first: dict[str, tuple[Answer, object]] = {}
    for answer, trunk in trunks(lab):
        moment = expect.timestamp(trunk.get("created_at"))
        if moment is None or not isinstance(trunk.get("id"), str):
            continue
        before, known = first.setdefault(f"{answer.actor} {trunk['id']}", (answer, moment))
        if abs((moment - known).total_seconds()) >= 1.0:  # type: ignore[operator]
            raise Broken(
                f"created_at {expect.show(known)}", f"created_at {expect.show(trunk['created_at'])}", before, answer
            )


@rule(
    "answer.unverified-never-active",
    Level.DOCUMENTED,
    "No answer shows a trunk that is active and not verified.",
    source="Create SIP Trunk: you must verify before activating",
    sends="every request of the run that was answered with a trunk",
    accepts="is_active false wherever is_verified is false",
    contract="/components/schemas/IsActive",
    profile=Profile.QUICK,
)
def test_no_answer_shows_an_active_unverified_trunk(lab: Lab) -> None:
    ours = {path.rsplit("/", 1)[-1] for path in lab.client.paths}
    for answer, trunk in trunks(lab):
        if str(trunk.get("id")) in ours and trunk.get("is_active") is True and trunk.get("is_verified") is False:
            raise Broken("is_active false", "is_active true, is_verified false", answer)


@rule(
    "answer.verified-by-verify",
    Level.DOCUMENTED,
    "A trunk is verified by a Verify of its own and nothing else, and keeps that whatever happens to other trunks.",
    source="Verify SIP Trunk; Update SIP Trunk",
    sends="every request of the run that was answered with a trunk that the kit made",
    accepts="is_verified false before a Verify of that trunk; true from one that succeeded to an update or a Verify",
    contract="/components/schemas/IsVerified",
)
def test_verification_is_each_trunks_own(lab: Lab) -> None:
    known: dict[tuple[str, str], tuple[bool, Answer]] = {}
    for answer in on_operations(lab):
        path = trunk_path(answer) if answer.operation == "POST /sip-trunks" else answer.path.removesuffix("/verify")
        key = (answer.actor, path or "")
        if answer.operation == "POST /sip-trunks" and answer.is_success and answer.member("is_verified") is False:
            known[key] = (False, answer)
        elif key in known and not (answer.method == "GET" or answer.is_refusal):
            said = answer.member("is_verified")
            if answer.operation == VERIFY and answer.is_success and said is True and not expect.says_no(answer):
                known[key] = (True, answer)
            elif answer.operation == VERIFY or known[key][0] or "odd" in answer.tags:
                del known[key]  # a matter of other rules, or of choice
        for identity, entry in _shown_trunks(answer):
            is_verified, by = known.get((answer.actor, identity), (entry.get("is_verified"), answer))
            if entry.get("is_verified") is (not is_verified):
                raise Broken(
                    f"is_verified {expect.show(is_verified)}", f"is_verified {expect.show(not is_verified)}", by, answer
                )


@rule(
    "answer.rate-limit-headers",
    Level.DOCUMENTED,
    "Rate limit headers are on every response of an environment.",
    source="Introduction: rate limits",
    sends="every request of the run that had a valid token",
    accepts="any header with ratelimit or rate-limit in its name",
    contract="/components/headers/RateLimitLimit",
    profile=Profile.QUICK,
)
def test_rate_limit_headers_are_everywhere(lab: Lab) -> None:
    for answer in on_operations(lab):
        if (
            answer.actor != NOBODY
            and answer.status not in {401, 413, 431}
            and answer.status < 500
            and not _has_rate_limit(answer)
        ):
            if "no-json" in answer.tags or "large" in answer.tags:
                continue
            raise Broken("a rate limit header", "none", answer)


def _has_rate_limit(answer: Answer) -> bool:
    names = [name.lower() for name, _ in answer.headers]
    return any("ratelimit" in name or "rate-limit" in name for name in names)


@rule(
    "answer.rate-limit-headers.outside",
    Level.INFERRED,
    "Rate limit headers are also on answers that belong to no environment or operation.",
    source="Introduction: rate limits (“every response”, though a limit belongs to an environment)",
    sends="requests without a valid token, for unknown paths, with unusable bodies",
    accepts="any header with ratelimit or rate-limit in its name",
    contract="/components/headers/RateLimitLimit",
)
def test_rate_limit_headers_are_on_other_answers(lab: Lab) -> None:
    for answer in lab.client.answers:
        if answer.status not in {413, 431} and answer.status < 500 and not _has_rate_limit(answer):
            raise Broken("a rate limit header", "none", answer)


@rule(
    "answer.as-sent",
    Level.DOCUMENTED,
    "Wherever a trunk comes back, its fields have the values that were last accepted for them.",
    source="Create SIP Trunk, response; Get SIP Trunk; Update SIP Trunk (only the fields that are sent change)",
    sends="every request of the run that was answered with a trunk that the kit made",
    accepts="the values as sent; hosts in another letter case are tolerated",
    contract="/components/schemas/Trunk",
    profile=Profile.QUICK,
)
def test_trunks_come_back_as_sent(lab: Lab) -> None:
    known: dict[tuple[str, str], dict[str, tuple[object, Answer]]] = {}
    for answer in on_operations(lab):
        if "clean-up" in answer.tags:
            continue
        sent = _sent_fields(answer)
        path = trunk_path(answer) if answer.operation == "POST /sip-trunks" else answer.path
        if sent is not None and path and answer.is_success and not expect.says_no(answer):
            fresh: dict[str, tuple[object, Answer]] = {}
            fields = fresh if answer.method == "POST" else known.get((answer.actor, path), fresh)
            known[answer.actor, path] = fields
            ordinary = answer.tags.isdisjoint({"negative", "odd", "foreign", "absent"})
            for name, value in sent.items():
                fields.pop(name, None)
                if ordinary and name in AS_SENT:
                    fields[name] = (value, answer)
        for identity, entry in _shown_trunks(answer):
            for name, (value, by) in known.get((answer.actor, identity), {}).items():
                if name in entry and not _as_sent(name, entry[name], value):
                    raise Broken(f"{name} {expect.show(value)}", f"{name} {expect.show(entry[name])}", by, answer)


AS_SENT = frozenset(
    {"name", "provider_name", "domain", "username", "transport", "port", "outbound_proxy", "auth_realm"}
)


def _sent_fields(answer: Answer) -> dict[str, object] | None:
    """Give the fields that a create or an update sent."""
    if answer.operation not in {"POST /sip-trunks", "PUT /sip-trunks/{trunk_id}"}:
        return None
    try:
        sent = json.loads(answer.request_body or b"")
    except (ValueError, RecursionError):
        return None
    return sent if isinstance(sent, dict) else None


def _shown_trunks(answer: Answer) -> Iterator[tuple[str, dict[str, object]]]:
    """Give each trunk that an answer shows, by its path."""
    if not answer.is_success or answer.operation.partition(" ")[2] not in {"/sip-trunks", "/sip-trunks/{trunk_id}"}:
        return
    for entry in entries(answer) or [answer.data]:
        if isinstance(entry, dict) and isinstance(entry.get("id"), str | int):
            yield f"/sip-trunks/{quote(str(entry['id']), safe='')}", entry


def _as_sent(name: str, found: object, value: object) -> bool:
    if name in {"domain", "outbound_proxy"} and isinstance(value, str):
        return expect.same_host(found, value)
    return expect.same(found, value)
