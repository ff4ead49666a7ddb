"""The contract's statements as tables, one for each section: what it says, how well that is known, what rules judge it.

A fourth text is why no rule does, or what the rules leave open. A rule may be written as a pattern (`update.*.type`),
for the rules that one probe declares field by field. The ledger makes `Statement`s of this.
"""

from typing import Final

from conformance.rules import Level

DOCUMENTED, STANDARD, INFERRED = Level

Row = tuple[str, Level, str] | tuple[str, Level, str, str]

_EVERYWHERE: Final[tuple[Row, ...]] = (
    ("Paths stand below a base URL that ends in /api/v1.", DOCUMENTED, "create.accepted read.accepted path.unknown"),
    ("Requests and answers are JSON.", DOCUMENTED, "answer.json body.media-type.missing"),
    (
        "A success says success true and has data, and may have a message.",
        DOCUMENTED,
        "answer.success.form",
    ),
    (
        "A delete answers with a message; it needs no data.",
        DOCUMENTED,
        "delete.accepted did.deleted",
        "open: no data, or data that is null",
    ),
    (
        "What is refused is answered 4xx: neither a 2xx that says success false nor a redirect.",
        DOCUMENTED,
        "answer.refusal-is-4xx",
    ),
    (
        "A Verify that fails is the one exception: an answer with data, not an error.",
        DOCUMENTED,
        "verify.failed.members answer.refusal-is-4xx",
    ),
    (
        "An error says success false and has a message and a code.",
        DOCUMENTED,
        "answer.error.form",
        "open: flat, or inside a member error, since the pages show both",
    ),
    ("A code is written in capital letters and underscores.", INFERRED, "answer.error.code-form"),
    ("Every field has its type wherever it comes back.", DOCUMENTED, "answer.types"),
    ("What was last accepted for a field is what every later answer has.", DOCUMENTED, "answer.as-sent"),
    ("Rate limit headers are on every response of an environment.", DOCUMENTED, "answer.rate-limit-headers"),
    (
        "They are also on responses that belong to no environment.",
        INFERRED,
        "answer.rate-limit-headers.outside",
    ),
    (
        "The headers' names.",
        INFERRED,
        "",
        "open: any header that has ratelimit or rate-limit in its name, in any letter case",
    ),
    (
        "How many requests a minute a plan allows: 100, 1,000 or an agreed number.",
        DOCUMENTED,
        "",
        "not tried: using up a limit would take a service away from its other users",
    ),
    (
        "Who is over the limit is answered 429 with Retry-After.",
        INFERRED,
        "",
        "never judged: a 429 is waited out and the request repeated",
    ),
    ("A time is RFC 3339 in UTC, such as 2024-01-15T14:00:00Z.", DOCUMENTED, "answer.timestamps"),
    (
        "A time means what its name says.",
        DOCUMENTED,
        "create.created-at.now update.updated-at.now health.checked-at.now",
        "open: ten minutes either way, by the answer's Date or the kit's clock",
    ),
    ("created_at never moves.", DOCUMENTED, "answer.created-at.steady update.created-at.stays"),
    ("Whatever is sent, the server does not fail.", STANDARD, "answer.no-5xx body.odd-text.no-crash"),
)

_CREDENTIALS: Final[tuple[Row, ...]] = (
    (
        "Every operation needs an environment's token, as Authorization: Bearer talq_….",
        DOCUMENTED,
        "auth.required auth.other-scheme auth.prefix",
    ),
    ("No Authorization, or a blank one, is answered 401.", DOCUMENTED, "auth.required auth.blank"),
    ("Another scheme than Bearer is answered 401.", DOCUMENTED, "auth.other-scheme"),
    ("A token without talq_ at its front is answered 401.", DOCUMENTED, "auth.prefix"),
    ("A token that names no environment is answered 401.", DOCUMENTED, "auth.unknown-token auth.whole-token"),
    ("A 401 has a challenge in WWW-Authenticate.", STANDARD, "auth.challenge"),
    ("The scheme may be written bearer.", STANDARD, "auth.scheme-letter-case"),
    ("Credentials are judged before the body is.", INFERRED, "auth.before-body"),
    ("A plan without allow_custom_sip_trunks may not use the trunks.", DOCUMENTED, "plan.required"),
    ("It is answered 403, or 402.", INFERRED, "plan.status"),
)

_BODIES: Final[tuple[Row, ...]] = (
    (
        "A body must say that it is application/json.",
        DOCUMENTED,
        "body.media-type.missing body.media-type.other body.media-type.no-way-round",
    ),
    ("The media type may have a charset.", STANDARD, "body.media-type.charset"),
    ("The media type may be written in other letter case.", INFERRED, "body.media-type.letter-case"),
    ("A body that is not JSON in UTF-8 is refused.", STANDARD, "body.json.malformed"),
    ("So is one that is nested absurdly deep or has an unusable number.", STANDARD, "body.json.unusable"),
    ("JSON that is no object is refused.", DOCUMENTED, "body.json.not-an-object"),
    (
        "A field that breaks its rule is refused.",
        DOCUMENTED,
        "create.*.required create.*.type create.port.range create.name.max-length create.transport.values",
    ),
    ("It is answered 400 or 422.", INFERRED, "answer.error.status"),
    ("The refusal names the field.", INFERRED, "answer.error.names-field"),
    ("A body over the size limit is refused.", INFERRED, "body.too-large", "open: 413, 400 or 422; and the limit"),
    (
        "A refused request changes nothing.",
        DOCUMENTED,
        "create.refused-makes-nothing update.refused-changes-nothing did.refused-not-stored",
    ),
)

_ELSEWHERE: Final[tuple[Row, ...]] = (
    ("A trunk that does not exist is answered 404.", STANDARD, "read.unknown", "open: with a bad body also 422"),
    ("So is one that was deleted.", STANDARD, "delete.gone"),
    ("An unknown path is answered 404.", STANDARD, "path.unknown", "open: 401 where no token was sent"),
    ("An unknown method is answered 405 with Allow.", STANDARD, "method.unknown method.allow", "open: 404"),
    ("Both are answered in the error envelope.", INFERRED, "answer.outside.form"),
)

_ENVIRONMENTS: Final[tuple[Row, ...]] = (
    (
        "A token names one environment, and a trunk belongs to exactly one.",
        DOCUMENTED,
        "isolation.list isolation.both-ways",
    ),
    (
        "Another environment's trunk is not there, whatever is asked of it.",
        DOCUMENTED,
        "isolation.read isolation.update isolation.delete isolation.verify isolation.health isolation.list-dids "
        "isolation.add-did isolation.delete-did isolation.bad-update",
        "open: 404 or 403",
    ),
    ("Nothing that is tried on it changes it.", DOCUMENTED, "isolation.nothing-changes"),
)

_CREATE: Final[tuple[Row, ...]] = (
    (
        "The documented request registers a trunk, which is then there to be read.",
        DOCUMENTED,
        "create.accepted read.accepted",
        "open: 201 or 200",
    ),
    ("It answers id, name, provider_name, domain, transport, port, is_active, is_verified and created_at.",
     DOCUMENTED, "create.members", "open: more fields"),
    ("It has the values that were sent.", DOCUMENTED, "create.echo"),
    ("created_at is the time of the create.", DOCUMENTED, "create.created-at.now"),
    ("Five fields are required and enough.", DOCUMENTED, "create.*.required create.required-fields-alone"),
    ("All ten may be sent.", DOCUMENTED, "create.all-fields"),
)  # fmt: skip

_READING: Final[tuple[Row, ...]] = (
    (
        "The list has all trunks of the environment.",
        DOCUMENTED,
        "list.complete list.complete-at-end list.shape list.verified-too",
    ),
    ("It has no other's.", DOCUMENTED, "isolation.list"),
    ("What the list tells is what reading tells.", DOCUMENTED, "list.up-to-date"),
    ("An entry has at least id and name.", INFERRED, "list.entries"),
    ("A trunk that is read has the fields of the create and six more.", DOCUMENTED, "read.members read.accepted"),
    ("An outbound proxy and a realm that are not set are null.", DOCUMENTED, "read.unset-null"),
)

_UPDATE: Final[tuple[Row, ...]] = (
    ("Any of the create's fields may be sent, alone or with others.", DOCUMENTED,
     "update.*.changes update.*.accepted update.limits-accepted"),
    ("Only the fields that are sent change.", DOCUMENTED,
     "update.only-sent-fields update.transport.keeps-port update.empty-changes-nothing update.null.not-stored"),
    ("The answer has at least id, is_active, is_verified and updated_at, as they are.", DOCUMENTED, "update.members"),
    ("updated_at is the time of the update.", DOCUMENTED, "update.updated-at.now"),
    ("No other trunk is touched.", DOCUMENTED, "update.others-untouched"),
    ("A refused update changes none of its fields.", DOCUMENTED, "update.refused-changes-nothing"),
    ("A field has the same rules as in a create.", DOCUMENTED,
     "update.*.type update.*.max-length update.password.not-empty update.port.range update.transport.values "
     "update.domain.host update.outbound-proxy.host"),
    ("A text is not empty in an update either.", INFERRED, "update.*.not-empty"),
)  # fmt: skip

_DELETE: Final[tuple[Row, ...]] = (
    ("A delete is answered 200 with a message.", DOCUMENTED, "delete.accepted"),
    ("A trunk with DIDs is not deleted: 409.", DOCUMENTED, "delete.has-dids delete.after-dids"),
    ("The code of that is TRUNK_HAS_DIDS.", INFERRED, "delete.has-dids-code"),
    ("A delete is for good: every operation on the trunk answers 404.", STANDARD, "delete.gone"),
    ("The trunk is gone from the list.", DOCUMENTED, "delete.not-listed"),
    ("No other trunk is touched.", DOCUMENTED, "delete.others-untouched"),
)

_CHECKS: Final[tuple[Row, ...]] = (
    ("A Verify that succeeds answers is_verified true, health_status healthy and last_health_check_at.", DOCUMENTED,
     "verify.members verify.agrees-with-health"),
    ("A Verify that fails answers success false, is_verified false, health_status unhealthy and an error.", DOCUMENTED,
     "verify.failed.members", "open: 200 or 422; the error's wording"),
    ("A health check answers is_healthy, response_time_ms and checked_at.", DOCUMENTED,
     "health.members health.checked-at.now"),
    ("An unhealthy one is still a success, with an error in it.", DOCUMENTED, "health.unhealthy"),
    ("A health check does not change is_verified.", DOCUMENTED, "health.leaves-verification"),
    ("A health check's result is kept for a short while.", DOCUMENTED, "",
     "open: a result of a moment ago or a new one; both look alike from outside"),
)  # fmt: skip

_DIDS: Final[tuple[Row, ...]] = (
    ("A number can be put on a trunk; the answer has id, number, country_code, formatted_number and trunk_id.",
     DOCUMENTED, "did.accepted did.members did.number.longest", "open: 201 or 200"),
    ("It is listed on its own trunk alone.", DOCUMENTED, "did.listed did.own-trunk-alone"),
    ("A number stands once in an environment: 409 the second time.", DOCUMENTED, "did.number.unique"),
    ("The code of that is DID_ALREADY_EXISTS.", INFERRED, "did.number.unique-code"),
    ("A refused DID is not stored.", DOCUMENTED, "did.refused-not-stored"),
    ("A number is E.164, and required.", DOCUMENTED, "did.number.form did.number.required did.number.longest"),
    ("A country code is two capital letters of ISO 3166-1, and required.", DOCUMENTED,
     "did.country.form did.country.required"),
    ("It is one that is assigned.", INFERRED, "did.country.assigned"),
    ("A DID can be taken off its trunk, and its number used again.", DOCUMENTED,
     "did.deleted did.number.free-again did.delete.own-trunk-alone"),
    ("A DID that an active agent uses is not deleted: 409 DID_IN_USE.", DOCUMENTED, "",
     "out of reach: none of these operations assigns a DID to an agent"),
)  # fmt: skip

_FIELDS: Final[tuple[Row, ...]] = (
    ("name has at most 255 characters, not bytes.", DOCUMENTED,
     "create.name.max-length create.name.longest update.name.max-length update.limits-accepted"),
    ("name, provider_name and username are not empty.", INFERRED,
     "create.name.not-empty create.provider_name.not-empty create.username.not-empty update.name.not-empty "
     "update.provider_name.not-empty update.username.not-empty"),
    ("A text field takes texts alone.", DOCUMENTED, "create.*.type update.*.type"),
    ("name, provider_name, domain, username and password are required.", DOCUMENTED, "create.*.required"),
    ("domain is a host: a name, an IPv4 or a bracketed IPv6 address, with nothing around it.", STANDARD,
     "create.domain.host update.domain.host"),
    ("outbound_proxy is a host.", STANDARD, "create.outbound-proxy.host update.outbound-proxy.host",
     "open: a port behind it"),
    ("null for outbound_proxy or auth_realm means that it is not set.", INFERRED, "",
     "open: refused, unset or counted as not sent"),
    ("null is no value of any other field: it is refused, or counts as not sent.", DOCUMENTED,
     "create.null.default update.null.not-stored create.*.required"),
    ("password is not empty.", DOCUMENTED, "create.password.not-empty update.password.not-empty"),
    ("password is stored encrypted.", DOCUMENTED, "",
     "out of reach: how a server stores something is not seen from outside"),
    ("password goes in and never comes out.", DOCUMENTED, "redaction.password redaction.no-member"),
    ("port is an integer from 1 to 65535; neither a boolean, a text nor a fraction is one.", DOCUMENTED,
     "create.port.range create.port.type create.port.accepted update.port.range update.port.type"),
    ("port left out is 5061 for tls and 5060 for udp and tcp.", DOCUMENTED, "create.port.default"),
    ("port that is sent is kept, whatever the transport.", DOCUMENTED, "create.port.kept"),
    ("transport is udp, tcp or tls, in exactly these letters.", DOCUMENTED,
     "create.transport.values create.transport.accepted update.transport.values"),
    ("transport left out is tls.", DOCUMENTED, "create.transport.default"),
    ("is_active is a boolean, and false when it is left out.", DOCUMENTED,
     "create.is-active.type update.is-active.type create.starts-unverified"),
    ("id is made by the server and unique.", DOCUMENTED, "create.id.unique", "open: a UUID or not"),
    ("is_verified is false after a create.", DOCUMENTED, "create.starts-unverified"),
    ("Only Verify sets is_verified.", DOCUMENTED,
     "create.is-verified.server-made update.is-verified.server-made health.leaves-verification "
     "answer.verified-by-verify"),
    ("health_status is healthy or unhealthy.", DOCUMENTED,
     "answer.types verify.sets-verified verify.failed.unverified"),
    ("health_status and last_health_check_at are null before any check.", INFERRED, "read.unchecked-null"),
    ("Text comes back as it was sent, character for character.", DOCUMENTED, "create.text.verbatim"),
    ("What only the server makes never takes effect in a request.", INFERRED,
     "create.server-made.ignored update.server-made.ignored", "open: ignored or refused"),
)  # fmt: skip

_LIFECYCLE: Final[tuple[Row, ...]] = (
    ("A trunk is created, then verified, then activated.", DOCUMENTED,
     "verify.sets-verified activation.verified verify.does-not-activate"),
    ("A trunk that is active can be turned off.", DOCUMENTED, "activation.off"),
    ("An unverified trunk is never active.", DOCUMENTED,
     "activation.unverified.create activation.unverified.update activation.with-a-change "
     "answer.unverified-never-active",
     "open: refused, or accepted with is_active false"),
    ("Another domain, transport, username or password takes the verification away.", DOCUMENTED,
     "update.*.resets-verification"),
    ("A trunk that loses its verification is no longer active.", DOCUMENTED, "update.*.deactivates"),
    ("Another name, provider_name or is_active leaves the verification alone.", DOCUMENTED,
     "update.*.keeps-verification"),
    ("Another transport leaves the port alone.", DOCUMENTED, "update.transport.keeps-port"),
    ("A Verify that fails leaves the trunk unverified and not active.", DOCUMENTED, "verify.failed.unverified"),
    ("A later Verify can succeed.", INFERRED, "verify.after-failure"),
    ("A delete is the end: the trunk is nowhere any more.", DOCUMENTED, "delete.gone delete.not-listed"),
)  # fmt: skip

_REDACTION: Final[tuple[Row, ...]] = (
    ("A password never comes back from any operation: not in data, an error, a header, a list or after an update.",
     DOCUMENTED, "redaction.password"),
    ("Nor does one that was refused, of whatever type.", DOCUMENTED, "redaction.password"),
    ("Nor does it encoded, hashed or in part.", DOCUMENTED, "redaction.password redaction.twins"),
    ("No member called password comes back, whatever its value.", DOCUMENTED, "redaction.no-member"),
    ("What does not depend on the password, such as a fixed mask, may come back.", DOCUMENTED, "",
     "open: a fixed text under another name, or a yes or no"),
    ("A bearer token does not come back.", INFERRED, "redaction.token"),
    ("A server's logs, files and messages to others hold no password either.", DOCUMENTED, "",
     "out of reach: only answers are seen from outside"),
)  # fmt: skip


def _open(says: str, tolerated: str) -> Row:
    return (says, INFERRED, "", f"open: {tolerated}")


_CHOICES: Final[tuple[Row, ...]] = (
    _open("The status of a create that is accepted.", "200 or 201"),
    _open("The status of a field that is refused.", "400 or 422; another 4xx is a warning"),
    _open("The form of an error.",
          "flat or nested, with or without a map of fields, application/json or another +json"),
    _open("What stands in data after a delete.", "nothing, or null"),
    _open("More fields or headers than are documented.", "any, except a password"),
    _open("Request fields that are not known.", "ignored or refused"),
    _open("The form of an id.", "any text"),
    _open("How exact a time is and how UTC is written.", "fractions or whole seconds, a coarse clock, Z or +00:00"),
    _open("Activation before verification.", "refused, or accepted and kept false"),
    _open("A port written 5061.0.", "accepted as 5061, or refused"),
    _open("How characters beyond the basic plane, and combining ones, are counted.",
          "any count under which 255 letters of the basic plane fit and 256 of ASCII do not"),
    _open("A limit on the other texts.", "none, or 255 characters"),
    _open("Control characters, NUL, lone surrogates, a member that stands twice, a byte order mark.",
          "accepted, refused or replaced, as long as nothing breaks"),
    _open("White space alone, or at the ends of a text.", "accepted, trimmed or refused; within a text it is kept"),
    _open("A domain's letter case, a dot at its end, underscores.", "kept, lowered, dropped or refused"),
    _open("Addresses, names of one label, private and reserved hosts.", "accepted or refused"),
    _open("A dotted number that is no address.", "taken for a name, or refused"),
    _open("An outbound proxy with a port.", "accepted or refused"),
    _open('"" for an optional text.', "unset, kept or refused"),
    _open("null for an optional field.", "refused, unset or counted as not sent"),
    _open("Two trunks of one name.", "accepted, or 409"),
    _open("An update with the value that is there already.", "the verification stays or goes"),
    _open("A change of port, outbound_proxy or auth_realm.", "the verification stays or goes"),
    _open("An update without a field.", "accepted and nothing changed, or refused"),
    _open("The status of a failed Verify.", "200 or 422"),
    _open("An active trunk whose Verify fails.", "inactive at once, or once it is read"),
    _open("A number that does not belong to its country code.", "accepted or refused"),
    _open("The same number in two environments.", "accepted or refused"),
    _open("The order and the paging of a list.", "any; pages are followed"),
    _open("An unknown path without a token.", "401 or 404"),
    _open("An unknown method.", "404 or 405"),
    _open("HEAD and OPTIONS, and a preflight.", "anything but a 5xx"),
    _open("More than one space behind Bearer.", "accepted or refused"),
    _open("How long a health result is kept, and response_time_ms without a response.", "any while; a number or null"),
    _open("Headers for other origins.", "there or not"),
)  # fmt: skip

SECTIONS: Final[dict[str, tuple[Row, ...]]] = {
    "Every operation": _EVERYWHERE,
    "Credentials and plans": _CREDENTIALS,
    "Request bodies": _BODIES,
    "What is not there": _ELSEWHERE,
    "Environments": _ENVIRONMENTS,
    "Create": _CREATE,
    "List and read": _READING,
    "Update": _UPDATE,
    "Delete": _DELETE,
    "Verify and health": _CHECKS,
    "DIDs": _DIDS,
    "Fields of a trunk": _FIELDS,
    "Lifecycle": _LIFECYCLE,
    "Redaction": _REDACTION,
    "Open choices": _CHOICES,
}
