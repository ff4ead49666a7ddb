"""Create: what a new trunk needs, what its fields may be, what its defaults are, and what comes back.

Source: the page *Create SIP Trunk*, request body and response; for hosts RFC 3261, section 25.1.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest

from conformance import expect, values
from conformance.client import ABSENT, FIRST, Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import Lab, Sent, assert_echo, entries, trunk_path
from conformance.listing import last_list, sent_name
from conformance.refusals import Case, field_cases
from conformance.rules import Level, Profile, refuses, rule, rule_for_each
from conformance.values import TRICKY

BODY = "Create SIP Trunk, request body"
FIELD = "/components/schemas/TrunkCreate/properties/{field}"
CREATE = "/paths/~1sip-trunks/post"
CREATED = ("id", "name", "provider_name", "domain", "transport", "port", "is_active", "is_verified", "created_at")
REQUIRED = ("name", "provider_name", "domain", "username", "password")
LONGEST = values.NAME_LENGTH


@rule(
    "create.accepted",
    Level.DOCUMENTED,
    "The documented request registers a trunk.",
    source="Create SIP Trunk, examples",
    sends="POST /sip-trunks with the seven fields of the example",
    accepts="201 or 200",
    contract=f"{CREATE}/responses/201",
    profile=Profile.QUICK,
)
def test_documented_create_is_accepted(lab: Lab) -> None:
    expect.status_in(lab.baseline, (200, 201))
    if lab.refused_documented is not None:  # though another form of it was accepted
        again = lab.create()
        lab.keep_spare(again)
        if again.is_refusal:
            raise Broken("201 or 200", expect.summary(again), again, control=lab.baseline)


@rule(
    "create.members",
    Level.DOCUMENTED,
    "The answer to a create has the nine documented fields of the new trunk.",
    source="Create SIP Trunk, response",
    sends="POST /sip-trunks",
    accepts=", ".join(CREATED) + "; more are tolerated",
    contract="/components/schemas/TrunkSummary",
    profile=Profile.QUICK,
)
def test_create_answers_with_the_documented_members(lab: Lab) -> None:
    expect.members(lab.baseline, CREATED)


@rule(
    "create.echo",
    Level.DOCUMENTED,
    "The new trunk has the values that were sent.",
    source="Create SIP Trunk, response",
    sends="POST /sip-trunks",
    accepts="the values as sent; a domain in another letter case is tolerated",
    contract="/components/schemas/TrunkSummary",
    profile=Profile.QUICK,
)
def test_create_answers_with_what_was_sent(lab: Lab, full: Sent) -> None:
    for sent in (Sent.of(lab.baseline), full):
        assert_echo(sent, ("name", "provider_name", "domain", "transport", "port"))


@rule(
    "create.starts-unverified",
    Level.DOCUMENTED,
    "A new trunk is neither verified nor active.",
    source=f"{BODY}: is_active; response",
    sends="POST /sip-trunks, with and without is_active",
    accepts="is_verified false, is_active false",
    contract=f"{CREATE}/description",
    profile=Profile.QUICK,
)
def test_new_trunk_is_neither_verified_nor_active(lab: Lab, minimal: Sent, full: Sent) -> None:
    for answer in (lab.baseline, minimal.answer, full.answer, minimal.read(lab), full.read(lab)):
        expect.member_is(answer, "is_verified", False)
        expect.member_is(answer, "is_active", False)


@rule(
    "create.created-at.now",
    Level.DOCUMENTED,
    "created_at is the time of the create.",
    source="Create SIP Trunk, response",
    sends="POST /sip-trunks",
    accepts="a time within ten minutes of the Date header, or of the kit's clock where there is none",
    contract="/components/schemas/CreatedAt",
    profile=Profile.QUICK,
)
def test_created_at_is_the_time_of_the_create(lab: Lab, minimal: Sent) -> None:
    for answer in (lab.baseline, minimal.answer):
        expect.is_now(answer, "created_at")


@rule(
    "create.all-fields",
    Level.DOCUMENTED,
    "A create may send every documented field, with any printable text in the free ones.",
    source=BODY,
    sends="POST /sip-trunks with all ten fields",
    accepts="201 or 200",
    contract="/components/schemas/TrunkCreate",
    needs=("create.accepted",),
)
def test_create_with_every_field_is_accepted(lab: Lab, request: pytest.FixtureRequest) -> None:
    with suppress(NotJudged):
        if TRICKY in str(request.getfixturevalue("full").fields["username"]):
            return  # it had all that is sent below
    cases: Mapping[str, dict[str, Any]] = {
        "outbound_proxy": {"outbound_proxy": "proxy-1.carrier-x.com"},
        "auth_realm": {"auth_realm": "carrier-x"},
        "is_active false": {"is_active": False},
        "a name with quotes, markup and several scripts": {"name": f"{TRICKY} {lab.name()}"},
        "a username of digits": {"username": "0042"},
        "a domain of five labels, the first with a digit": {"domain": "1st-sip.x--y.a.carrier-x.com"},
    }
    together = lab.create(lab.body(**{name: value for case in cases.values() for name, value in case.items()}))
    lab.discard(together)
    if together.is_success:
        return
    for changes in cases.values():
        lab.discard(lab.accept_create(**changes))


@rule(
    "create.text.verbatim",
    Level.DOCUMENTED,
    "Text comes back as it was sent, character for character, and stays text.",
    source="Create SIP Trunk, examples (a name with a dash that is not ASCII)",
    sends="POST /sip-trunks with quotes, markup, escapes, several scripts, and texts that look like numbers; then GET",
    accepts="the same characters",
    contract="/components/schemas/Text",
    needs=("create.accepted",),
)
def test_text_comes_back_character_for_character(lab: Lab, full: Sent, minimal: Sent) -> None:
    assert_echo(full, ("name", "provider_name"))
    assert_echo(full, ("name", "provider_name", "username", "auth_realm"), full.read(lab))
    assert_echo(minimal, ("username",), minimal.read(lab))  # digits alone stay a text


@rule(
    "create.id.unique",
    Level.DOCUMENTED,
    "The server makes an id for each trunk, a text that no other trunk has.",
    source="Create SIP Trunk, response",
    sends="every create of the run",
    accepts="a text that is not empty, different each time",
    contract="/components/schemas/Id",
)
def test_ids_are_unique(lab: Lab, minimal: Sent, full: Sent) -> None:
    seen: dict[str, Answer] = {}
    for answer in [one for one in lab.client.answers if one.operation == "POST /sip-trunks" and one.is_success]:
        if expect.says_no(answer):
            continue  # a refusal with a wrong status: another rule judges that
        if _success(answer) and not isinstance(answer.member("id"), str):
            raise Broken("an id that is a text", f"id {expect.show(answer.member('id'))}", answer)
        if answer.member("id") in seen:
            raise Broken("a new id", "the id of an earlier trunk", seen[answer.member("id")], answer)
        seen[answer.member("id")] = answer


def _success(answer: Answer) -> bool:
    return isinstance(answer.json, dict) and answer.json.get("success") is True


@rule(
    "create.required-fields-alone",
    Level.DOCUMENTED,
    "The five required fields are enough.",
    source=BODY,
    sends="POST /sip-trunks with name, provider_name, domain, username and password",
    accepts="201 or 200",
    contract="/components/schemas/TrunkCreate/required",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_required_fields_are_enough(lab: Lab, request: pytest.FixtureRequest) -> None:
    try:
        minimal: Sent = request.getfixturevalue("minimal")
    except NotJudged:
        raise lab.refused_minimal or NotJudged("no create was accepted") from None
    expect.status_in(minimal.answer, (200, 201))


@rule(
    "create.transport.default",
    Level.DOCUMENTED,
    "A transport that is left out is tls.",
    source=f"{BODY}: transport",
    sends="POST /sip-trunks without transport, with and without a port, then GET",
    accepts="transport tls",
    contract="/components/schemas/TrunkCreate/properties/transport/default",
    profile=Profile.QUICK,
    needs=("create.required-fields-alone",),
)
def test_transport_is_tls_by_default(lab: Lab, minimal: Sent, variants: dict[str, Sent]) -> None:
    for answer in (minimal.answer, minimal.read(lab)):
        expect.member_is(answer, "transport", "tls")
    with_port = variants.get("5060 alone")
    if with_port and with_port.answer.is_success:
        expect.member_is(with_port.answer, "transport", "tls")


# Ports that are kept whatever the transport: the ends of the range, and another transport's default.
PORTS: Mapping[str, dict[str, Any]] = {
    "udp 1": {"transport": "udp", "port": 1},
    "tcp 65535": {"transport": "tcp", "port": 65535},
    "5060 alone": {"transport": ABSENT, "port": 5060},
}
PROXY = {"outbound_proxy": "proxy.carrier-x.com", "auth_realm": "carrier-x"}


@pytest.fixture(scope="session")
def variants(lab: Lab, with_charset: Answer) -> dict[str, Sent]:
    """Creates that differ in transport, port and the length of the name, each read where it matters.

    Each has something more, which is left out where it is refused: another rule judges it, or it is a matter of choice.
    """
    made: dict[str, Sent] = {}
    more: Mapping[str, dict[str, Any]] = {
        "udp": {"name": _long_name(lab, "é中")},
        "tcp": {"name": _long_name(lab, "n"), **PROXY},
        "tls": PROXY,
        "udp 1": {"trunkcheck_note": ["a field that nobody knows"]},
        "tcp 65535": {"domain": "[2001:db8::5060]"},
        "5060 alone": {"name": _short_name(lab)},
    }
    ports = {label: {"transport": label, "port": ABSENT} for label in ("udp", "tcp", "tls")}
    for label, changes in {**ports, **PORTS}.items():
        if lab.brief and label != "udp":
            continue
        answer = with_charset if label == "tls" else lab.create(lab.body(**{**changes, **more[label]}))
        if not answer.is_success:
            answer = lab.create(lab.body(**changes))
        if answer.is_success:
            made[label] = Sent.of(answer)
            if label in {"udp", "5060 alone"}:
                made[label].read(lab)
            if answer is not with_charset:
                lab.keep_spare(answer)
        else:
            made[label] = Sent(answer, {})
    return made


def _short_name(lab: Lab) -> str:
    """Give a name of one character that hardly anybody has."""
    return chr(0x4E00 + int(lab.options.run_id, 16) % 20_000)


def _long_name(lab: Lab, letters: str, length: int = LONGEST) -> str:
    return (lab.name() + " " + letters * length)[:length]


@rule(
    "create.port.default",
    Level.DOCUMENTED,
    "A port that is left out follows the transport: 5061 for tls, 5060 for udp and tcp.",
    source=f"{BODY}: port",
    sends="POST /sip-trunks without port, with each transport and without one",
    accepts="port 5061 for tls and without a transport, 5060 for udp and tcp",
    contract="/components/schemas/TrunkCreate/properties/port/x-default-by-transport",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_port_follows_the_transport(lab: Lab, minimal: Sent, variants: dict[str, Sent]) -> None:
    expect.member_is(minimal.answer, "port", 5061)
    expect.member_is(minimal.read(lab), "port", 5061)
    for label, port in (("udp", 5060), ("tcp", 5060), ("tls", 5061)):
        if label not in variants:
            continue
        answer = variants[label].answer
        if not answer.is_success:
            if not _is_taken(lab, label):
                continue  # with a port too: another rule judges that
            answer = lab.accept_create(transport=label, port=ABSENT)
            lab.discard(answer)
        expect.member_is(answer, "port", port, control=lab.baseline)
    if variants["udp"].answer.is_success:
        expect.member_is(variants["udp"].read(lab), "port", 5060)


def _is_taken(lab: Lab, transport: str) -> bool:
    """Tell whether a create with this transport and a port is accepted."""
    answer = lab.create(lab.body(transport=transport))
    lab.discard(answer)
    return answer.is_success


@rule(
    "create.port.kept",
    Level.DOCUMENTED,
    "A port that is sent is kept, whatever the transport.",
    source=f"{BODY}: port",
    sends="POST /sip-trunks with ports that are not the transport's default",
    accepts="the port that was sent",
    contract="/components/schemas/TrunkCreate/properties/port",
    needs=("create.accepted",),
)
def test_explicit_port_is_kept(lab: Lab, full: Sent, variants: dict[str, Sent]) -> None:
    expect.member_is(full.answer, "port", full.fields["port"])
    expect.member_is(full.read(lab), "port", full.fields["port"])
    for label in PORTS:
        if variants[label].answer.is_success:
            expect.member_is(variants[label].answer, "port", variants[label].fields["port"])
    if variants["5060 alone"].answer.is_success:
        expect.member_is(variants["5060 alone"].read(lab), "port", 5060)


@rule(
    "create.port.accepted",
    Level.DOCUMENTED,
    "Every port from 1 to 65535 is accepted, with every transport.",
    source=f"{BODY}: port",
    sends="POST /sip-trunks with port 1, 65535, and a port that is another transport's default",
    accepts="201 or 200",
    contract="/components/schemas/Port",
    needs=("create.accepted",),
)
def test_ports_at_the_ends_of_the_range_are_accepted(lab: Lab, variants: dict[str, Sent]) -> None:
    for label, changes in PORTS.items():
        transport = changes["transport"]
        if not variants[label].answer.is_success and (transport is ABSENT or _is_taken(lab, transport)):
            lab.discard(lab.accept_create(**changes))


@rule(
    "create.transport.accepted",
    Level.DOCUMENTED,
    "udp, tcp and tls are accepted and kept.",
    source=f"{BODY}: transport",
    sends="POST /sip-trunks with each transport",
    accepts="201 or 200, with that transport",
    contract="/components/schemas/Transport",
    needs=("create.accepted",),
)
def test_every_transport_is_accepted(lab: Lab, variants: dict[str, Sent]) -> None:
    for transport in ("udp", "tcp", "tls"):
        answer = variants[transport].answer
        if not answer.is_success:
            answer = lab.accept_create(transport=transport)
            lab.discard(answer)
        expect.member_is(answer, "transport", transport)


@rule(
    "create.null.default",
    Level.DOCUMENTED,
    "null for an optional field is refused, or counts as not sent: the default holds.",
    source=f"{BODY}: port, transport, is_active",
    sends="POST /sip-trunks with port, transport and is_active null",
    accepts="a 4xx, or a success with port 5061, transport tls and is_active false",
    contract="/components/schemas/TrunkCreate",
    needs=("create.accepted",),
)
def test_null_counts_as_not_sent(lab: Lab) -> None:
    names = ("port", "transport", "is_active")
    answers = [lab.create(lab.body(**dict.fromkeys(names)), tags=("odd",))]
    if answers[0].is_refusal:  # what the refusal does not name may be let through alone
        named = expect.named_fields(answers[0])
        unnamed = [name for name in names if name not in named]
        answers += [lab.create(lab.body(**{name: None}), tags=("odd",)) for name in unnamed[:1]]
    for answer in answers:
        lab.discard(answer)
        if answer.is_success and not expect.says_no(answer):
            for name, value in (("transport", "tls"), ("port", 5061), ("is_active", False)):
                expect.member_is(answer, name, value, control=lab.baseline)


@rule(
    "create.name.longest",
    Level.DOCUMENTED,
    "A name of 1 or of 255 characters is accepted and kept whole, also where a character takes several bytes.",
    source=f"{BODY}: name",
    sends="POST /sip-trunks, names of 255 ASCII and of 255 other characters, and of one",
    accepts="201 or 200, with the whole name",
    contract="/components/schemas/Name/maxLength",
    needs=("create.accepted",),
)
def test_name_of_255_characters_is_accepted(lab: Lab, variants: dict[str, Sent]) -> None:
    for label, letters in (("udp", "é中"), ("tcp", "n")):
        sent = variants[label]
        if len(sent.fields.get("name", "")) < LONGEST:
            answer = lab.accept_create(name=_long_name(lab, letters))
            lab.discard(answer)
            sent = Sent.of(answer)
        assert_echo(sent, ("name",))
    if variants["udp"].answer.is_success:
        assert_echo(variants["udp"], ("name",), variants["udp"].read(lab))
    short = _short_name(lab)
    if variants["5060 alone"].fields.get("name") != short:
        answer = lab.create(lab.body(name=short))
        if answer.status != 409:  # somebody has it, where names are unique
            lab.discard(answer if answer.is_success else lab.accept_create(name=short))


@rule(
    "create.name.max-length",
    Level.DOCUMENTED,
    "A name has at most 255 characters.",
    source=f"{BODY}: name",
    sends="POST /sip-trunks, names of 256 and 300 characters",
    accepts="400 or 422",
    contract="/components/schemas/Name/maxLength",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
@refuses("create")
def test_name_of_256_characters_is_refused(lab: Lab) -> list[Case]:
    return [
        Case("name of 256 characters", "name", _long_name(lab, "n", LONGEST + 1)),
        Case("name of 256 characters, not ASCII", "name", _long_name(lab, "é", LONGEST + 1)),
        Case("name of 300 characters", "name", _long_name(lab, "n", 300), rank=1),
        Case("name of 5,000 characters", "name", _long_name(lab, "n", 5000), rank=1),
    ]


@rule_for_each(
    REQUIRED,
    "create.{field}.required",
    Level.DOCUMENTED,
    "A create without {field} is refused.",
    source=f"{BODY}: {{field}}",
    sends="POST /sip-trunks without {field}, and with null",
    accepts="400 or 422",
    contract="/components/schemas/TrunkCreate/required",
    quick=("name", "domain", "password"),
    needs=("create.accepted",),
)
@refuses("create")
def test_required_field_cannot_be_left_out(lab: Lab, field: str) -> list[Case]:
    return [Case(f"without {field}", field, ABSENT), Case(f"{field} null", field, None)]


@rule_for_each(
    REQUIRED,
    "create.{field}.type",
    Level.DOCUMENTED,
    "{field} is a text; any other type is refused, not turned into one.",
    source=f"{BODY}: {{field}}",
    sends="POST /sip-trunks with {field} a number, true, a list, an object",
    accepts="400 or 422",
    contract=FIELD,
    needs=("create.accepted",),
)
@refuses("create")
def test_required_text_of_another_type_is_refused(lab: Lab, field: str) -> list[Case]:
    return values.wrong_types(lab.canaries, field)


@rule_for_each(
    ("outbound_proxy", "auth_realm"),
    "create.{field}.type",
    Level.DOCUMENTED,
    "{field} is a text; any other type is refused, not turned into one.",
    source=f"{BODY}: {{field}}",
    sends="POST /sip-trunks with {field} a number, true, a list, an object",
    accepts="400 or 422",
    contract=FIELD,
    needs=("create.accepted",),
)
@refuses("create")
def test_optional_text_of_another_type_is_refused(lab: Lab, field: str) -> list[Case]:
    return values.wrong_types(lab.canaries, field)


@rule_for_each(
    ("name", "provider_name", "username"),
    "create.{field}.not-empty",
    Level.INFERRED,
    "{field} is not empty.",
    source="The pages are silent; an empty text tells nothing",
    sends='POST /sip-trunks with {field} ""',
    accepts="400 or 422",
    contract=FIELD,
    needs=("create.accepted",),
)
@refuses("create")
def test_required_text_is_not_empty(lab: Lab, field: str) -> list[Case]:
    return field_cases(field, ("",))


@rule(
    "create.password.not-empty",
    Level.DOCUMENTED,
    "A password is not empty.",
    source=f"{BODY}: password",
    sends='POST /sip-trunks with password ""',
    accepts="400 or 422",
    contract="/components/schemas/Password",
    needs=("create.accepted",),
)
@refuses("create")
def test_password_is_not_empty(lab: Lab) -> list[Case]:
    return field_cases("password", ("",))


@rule(
    "create.port.range",
    Level.DOCUMENTED,
    "A port is from 1 to 65535.",
    source=f"{BODY}: port",
    sends="POST /sip-trunks with port 0, -1, 65536, 99999",
    accepts="400 or 422",
    contract="/components/schemas/Port",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
@refuses("create")
def test_port_outside_the_range_is_refused(lab: Lab) -> list[Case]:
    return values.ports_out_of_range()


@rule(
    "create.port.type",
    Level.DOCUMENTED,
    "A port is an integer: no text, boolean, fraction, list or object, and none is turned into one.",
    source=f"{BODY}: port",
    sends='POST /sip-trunks with port "5061", true, 5061.5, "", [5061], {}',
    accepts="400 or 422",
    contract="/components/schemas/Port",
    needs=("create.accepted",),
)
@refuses("create")
def test_port_of_another_type_is_refused(lab: Lab) -> list[Case]:
    return values.ports_of_other_types()


@rule(
    "create.transport.values",
    Level.DOCUMENTED,
    "A transport is udp, tcp or tls, in exactly this spelling.",
    source=f"{BODY}: transport",
    sends='POST /sip-trunks with transport "TLS", "Udp", "sctp", "ws", "", 1, true, ["tls"]',
    accepts="400 or 422",
    contract="/components/schemas/Transport",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
@refuses("create")
def test_other_transport_is_refused(lab: Lab) -> list[Case]:
    return values.other_transports()


@rule(
    "create.is-active.type",
    Level.DOCUMENTED,
    "is_active is true or false; a text or a number is refused, not turned into one.",
    source=f"{BODY}: is_active",
    sends='POST /sip-trunks with is_active "false", "true", 0, 1, "", []',
    accepts="400 or 422",
    contract="/components/schemas/IsActive",
    needs=("create.accepted",),
)
@refuses("create")
def test_is_active_of_another_type_is_refused(lab: Lab) -> list[Case]:
    return values.other_activities()


@rule(
    "create.domain.host",
    Level.STANDARD,
    "A domain is a host: a name, an IPv4 address or an IPv6 address in brackets, and nothing around it.",
    source="Create SIP Trunk, request body: domain; RFC 3261, section 25.1",
    sends="POST /sip-trunks with a scheme, a space, a path, a port, a user, empty labels, hyphens at a label's end",
    accepts="400 or 422",
    contract="/components/schemas/Host",
    needs=("create.accepted",),
)
@refuses("create")
def test_domain_that_is_no_host_is_refused(lab: Lab) -> list[Case]:
    return values.hosts("domain")


@rule(
    "create.outbound-proxy.host",
    Level.STANDARD,
    "An outbound proxy is a host; only a port behind it is a matter of choice.",
    source="Create SIP Trunk, request body: outbound_proxy; RFC 3261, section 25.1",
    sends="POST /sip-trunks with a space or a path in the outbound proxy",
    accepts="400 or 422",
    contract="/components/schemas/OutboundProxy",
    needs=("create.accepted",),
)
@refuses("create")
def test_outbound_proxy_that_is_no_host_is_refused(lab: Lab) -> list[Case]:
    return values.hosts("outbound_proxy")


@rule(
    "create.is-verified.server-made",
    Level.DOCUMENTED,
    "A create cannot make a trunk verified: only Verify does.",
    source="Verify SIP Trunk; Create SIP Trunk, notes",
    sends="POST /sip-trunks with is_verified true, then GET",
    accepts="a 4xx, or a success in which is_verified is false",
    contract="/components/schemas/IsVerified",
    needs=("create.accepted",),
)
def test_create_cannot_verify(lab: Lab, server_made: dict[str, Answer | None]) -> None:
    for answer in (server_made["verified"], server_made["verified, read"]):
        if answer is not None and answer.is_success:
            expect.member_is(answer, "is_verified", False)


@pytest.fixture(scope="session")
def server_made(lab: Lab) -> dict[str, Answer | None]:
    """Creates that send what only the server makes."""
    forged = "2001-01-01T00:00:00Z"
    verified = lab.create(
        lab.body(is_verified=True, health_status="healthy", last_health_check_at=forged), tags=("odd",)
    )
    read = lab.get(trunk_path(verified) or "") if trunk_path(verified) else None
    lab.discard(verified)
    made = None
    if lab.options.profile.includes(Profile.DEEP):
        made = lab.create(
            lab.body(id="00000000-0000-4000-8000-000000000001", created_at=forged, updated_at=forged), tags=("odd",)
        )
        lab.discard(made)
    return {"verified": verified, "verified, read": read, "made": made}


@rule(
    "create.server-made.ignored",
    Level.INFERRED,
    "What only the server makes never takes effect when a client sends it.",
    source="The pages are silent; the fields are not among a create's",
    sends="POST /sip-trunks with id, created_at, updated_at, health_status",
    accepts="a 4xx, or a success in which they are the server's",
    contract="/components/schemas/TrunkCreate",
    profile=Profile.DEEP,
    needs=("create.accepted",),
)
def test_server_made_fields_are_ignored(server_made: dict[str, Answer | None]) -> None:
    made, read = server_made["made"], server_made["verified, read"]
    if made is not None and made.is_success:
        if made.member("id") == "00000000-0000-4000-8000-000000000001":
            raise Broken("an id of the server's own", "the id that was sent", made)
        expect.is_now(made, "created_at")
    if read is not None and read.is_success and read.member("health_status") == "healthy":
        raise Broken("health_status null", "the value that was sent", read)


@rule(
    "create.refused-makes-nothing",
    Level.DOCUMENTED,
    "A refused create makes no trunk.",
    source="What a refusal is: the API's error pages",
    sends="the refused creates of the run, then GET /sip-trunks",
    accepts="no trunk of theirs in the list",
    contract="/paths/~1sip-trunks/get",
    needs=("create.accepted",),
)
def test_refused_create_makes_nothing(lab: Lab) -> None:
    creates = [one for one in lab.client.answers if one.operation == "POST /sip-trunks"]
    refused = [one for one in creates if one.is_refusal]
    made = {sent_name(one) for one in creates if one.is_success}  # a name may be refused for being there already
    if not refused:
        for changes in ({"port": 0}, {"transport": "sctp"}, {"name": _long_name(lab, "n", LONGEST + 1)}):
            refused.append(lab.create(lab.body(**changes), tags=("negative",)))
    last_list(lab)  # its answers are looked at below
    names = {name: one for one in refused if one.actor == FIRST and (name := sent_name(one)) and name not in made}
    for page in lab.client.answers:
        if page.operation == "GET /sip-trunks" and page.actor == FIRST:
            for entry in entries(page):
                if (answer := names.get(str(entry.get("name")))) and answer.number < page.number:
                    raise Broken("no trunk of that name in the list", "there is one", answer, page)
