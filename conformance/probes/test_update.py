"""Update: only what is sent changes, all of it or nothing, under the same rules as in a create.

Source: the page *Update SIP Trunk*.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from conformance import expect, values
from conformance.client import ABSENT, FIRST, Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import Lab, Sent, path_of
from conformance.listing import sent_name
from conformance.probes.stamps import stamps
from conformance.refusals import Case, field_cases
from conformance.rules import Level, Profile, refuses, rule, rule_for_each

PAGE = "Update SIP Trunk"
PUT = "/paths/~1sip-trunks~1{trunk_id}/put"
FIELD = "/components/schemas/TrunkUpdate/properties/{field}"
VISIBLE = (
    "name",
    "provider_name",
    "domain",
    "username",
    "port",
    "transport",
    "outbound_proxy",
    "auth_realm",
    "is_active",
)
STEADY = (*VISIBLE, "is_verified", "created_at", "id")
LONGEST = values.NAME_LENGTH

pytestmark = pytest.mark.usefixtures("subject")


@dataclass
class Subject:
    """A trunk that is updated, what it should be by now, and every refused update with the valid field that it carried
    along.
    """

    path: str
    known: dict[str, Any]
    carried: list[tuple[Answer, str, Any]] = field(default_factory=list)
    turn: int = 0
    updated_at: datetime | None = None

    def read(self, lab: Lab) -> Answer:
        """Read it."""
        return lab.usable(lab.get(self.path), "reading the trunk")

    def difference(self, answer: Answer, but: Collection[str] = ()) -> tuple[str, Any] | None:
        """Give the first field that is not as it should be, and its value."""
        for name in STEADY:
            if name in but or name not in self.known:
                continue
            found, value = answer.member(name), self.known[name]
            if name in {"domain", "outbound_proxy"} and isinstance(value, str) and expect.same_host(found, value):
                continue
            if not expect.same(found, value):
                return name, found
        return None

    def learn(self, answer: Answer) -> None:
        """Take what the server says now for what the trunk is."""
        self.known = {name: answer.member(name) for name in STEADY if name in (answer.data or {})}
        self.updated_at = expect.timestamp(answer.member("updated_at"))


@pytest.fixture(scope="session")
def subject(lab: Lab) -> Subject:
    """A trunk that only this section changes."""
    found = lab.spare(lambda answer: answer.member("transport") != "tcp")  # so that tcp is a change
    subject = Subject(path_of(found or lab.take()), {})
    subject.learn(subject.read(lab))
    lab.refusals.senders["update"] = lambda changes: refused_update(lab, subject, changes)
    return subject


PLAIN = {
    "auth_realm": "carrier-y",
    "provider_name": "carrier-y",
    "username": "user_45",
}


@dataclass
class Change:
    """One update of a single field: its answer, the trunk before it and after it."""

    name: str
    value: Any
    before: dict[str, Any]
    answer: Answer
    after: Answer
    difference: tuple[str, Any] | None


@pytest.fixture(scope="session")
def changes(lab: Lab, subject: Subject) -> dict[str, Change]:
    """Updates of one field each, one after the other, the trunk read after every few."""
    sent: dict[str, Any] = {
        "outbound_proxy": "2nd-proxy.carrier-x.com",
        "auth_realm": values.TRICKY,
        "port": 65535,
        "name": (f"{lab.name()} {values.TRICKY_BASIC} " + "é" * LONGEST)[:LONGEST],
        "transport": "tcp" if subject.known.get("transport") != "tcp" else "udp",
        "provider_name": f"X {values.TRICKY}",
        "username": f"0 {values.TRICKY}",
        "password": lab.canaries.password('"\\é<&>' + "x" * 64),
        "domain": "2nd-sip.carrier-x.com",
        "is_active": False,
    }
    made: dict[str, Change] = {}
    names = list(sent)
    for pair in (names[:3], names[3:6], names[6:]):  # one read for updates of fields that are far apart
        before = dict(subject.known)
        answers = []
        for name in pair:
            answer = lab.update(subject.path, {name: sent[name]})
            if answer.is_refusal:  # a server may be narrower about what these texts hold; plain ones it takes
                sent[name] = lab.canaries.password() if name == "password" else PLAIN.get(name, sent[name])
                answer = lab.accept_update_or_answer(subject.path, {name: sent[name]})
            answers.append(answer)
        after = subject.read(lab)
        for name, answer in zip(pair, answers, strict=True):
            but = (*pair, "port") if "transport" in pair else pair  # whose effect on the port has a rule of its own
            made[name] = Change(name, sent[name], before, answer, after, subject.difference(after, but))
        subject.learn(after)
    return made


@rule_for_each(
    ("name", "provider_name", "domain", "username", "port", "transport", "outbound_proxy", "auth_realm"),
    "update.{field}.changes",
    Level.DOCUMENTED,
    "An update of {field} alone is accepted, and the trunk has the new value.",
    source=PAGE,
    sends="PUT with {field} alone, then GET",
    accepts="200, the new value in the answer and in GET",
    contract=FIELD,
    profile=Profile.STANDARD,
    needs=("read.accepted",),
)
def test_update_of_one_field_takes_effect(changes: dict[str, Change], field: str) -> None:
    change = changes[field]
    expect.status_in(change.answer, (200,))
    for answer in (change.answer, change.after):
        found = answer.member(field)
        host = field in {"domain", "outbound_proxy"} and expect.same_host(found, change.value)
        if not host and not expect.same(found, change.value):
            raise Broken(f"{field} {expect.show(change.value)}", f"{field} {expect.show(found)}", change.answer, answer)


@rule_for_each(
    ("password", "is_active"),
    "update.{field}.accepted",
    Level.DOCUMENTED,
    "An update of {field} alone is accepted.",
    source=PAGE,
    sends="PUT with {field} alone (is_active false)",
    accepts="200",
    contract=FIELD,
    needs=("read.accepted",),
)
def test_update_of_one_field_is_accepted(changes: dict[str, Change], field: str) -> None:
    expect.status_in(changes[field].answer, (200,))


@rule(
    "update.only-sent-fields",
    Level.DOCUMENTED,
    "Only the fields that are sent change.",
    source=PAGE,
    sends="ten updates of one field each, the trunk read after every third",
    accepts="every other field as it was",
    contract=f"{PUT}/description",
    needs=("read.accepted",),
)
def test_other_fields_stay(changes: dict[str, Change]) -> None:
    for change in changes.values():
        if change.difference:
            name, found = change.difference
            raise Broken(
                f"{name} {expect.show(change.before[name])}",
                f"{name} {expect.show(found)}",
                change.answer,
                change.after,
            )


@rule(
    "update.transport.keeps-port",
    Level.DOCUMENTED,
    "A change of the transport alone leaves the port alone.",
    source=PAGE,
    sends="PUT with transport alone, then GET",
    accepts="the port as it was",
    contract=f"{PUT}/description",
    profile=Profile.STANDARD,
    needs=("read.accepted",),
)
def test_change_of_transport_leaves_the_port(lab: Lab, subject: Subject, changes: dict[str, Change]) -> None:
    change = changes["transport"]
    for answer in (change.answer, change.after):
        if "port" in (answer.data or {}):
            expect.member_is(answer, "port", change.before["port"], change.answer)
    # The same with a port that was the default of the old transport.
    default = lab.spare(_has_default_port) or lab.usable(lab.create(lab.body(port=ABSENT, transport="udp")), "a create")
    changed = lab.usable(lab.update(path_of(default), {"transport": "tls"}), "an update of the transport")
    after = lab.usable(lab.get(path_of(default)), "reading the trunk")
    lab.keep_spare(default)
    expect.member_is(after, "port", default.member("port"), default, changed)


def _has_default_port(made: Answer) -> bool:
    """Tell whether a trunk has the default port of its transport, which is not that of tls."""
    return "port" not in Sent.of(made).fields and made.member("transport") in {"udp", "tcp"}


@rule(
    "update.members",
    Level.DOCUMENTED,
    "The answer to an update has id, is_active, is_verified and updated_at, as they are.",
    source="Update SIP Trunk, response",
    sends="PUT with one field",
    accepts="these four members; more are tolerated",
    contract=f"{PUT}/responses/200",
    profile=Profile.STANDARD,
    needs=("read.accepted",),
)
def test_update_answers_with_the_documented_members(changes: dict[str, Change]) -> None:
    for change in changes.values():
        if change.answer.is_success:
            expect.members(change.answer, ("id", "is_active", "is_verified", "updated_at"))
            for name in ("id", "is_active", "is_verified"):
                expect.member_is(change.answer, name, change.after.member(name))


@rule(
    "update.updated-at.now",
    Level.DOCUMENTED,
    "updated_at is the time of the update.",
    source="Update SIP Trunk, response",
    sends="every PUT of the run with another name, and what is read after it",
    accepts="a time within ten minutes of the Date header, or of the kit's clock; none before the time that the "
    "server gave an earlier create",
    contract="/components/schemas/Trunk/properties/updated_at",
    needs=("read.accepted",),
)
def test_updated_at_is_the_time_of_the_update(lab: Lab, changes: dict[str, Change]) -> None:
    for change in (changes["name"], changes["domain"]):
        if change.answer.is_success:
            expect.is_now(change.answer, "updated_at")
            expect.is_now(change.after, "updated_at")
    for method in ("PUT", "GET"):
        for stamp in stamps(lab, method):
            stamp.want_current()


@rule(
    "update.created-at.stays",
    Level.DOCUMENTED,
    "created_at never moves.",
    source="Create SIP Trunk, response",
    sends="PUT with one field, then GET",
    accepts="the time as it was, in whatever way it is written",
    contract="/components/schemas/CreatedAt",
    needs=("read.accepted",),
)
def test_created_at_stays(changes: dict[str, Change]) -> None:
    first, *_, last = changes.values()
    created = expect.timestamp(first.before.get("created_at"))
    for answer in (first.after, last.after):
        if created and expect.timestamp(answer.member("created_at")) != created:
            raise Broken(f"created_at {created:%Y-%m-%dT%H:%M:%SZ}", expect.show(answer.member("created_at")), answer)


# What an update refuses

_CARRIED: Mapping[str, Any] = {
    "name": "trunkcheck {0} carried {1}",
    "provider_name": "carried {1}",
    "auth_realm": "carried {1}",
    "username": "carried-{1}",
    "port": 20000,
    "outbound_proxy": "carried-{1}.carrier-x.com",
}


def refused_update(lab: Lab, subject: Subject, changes: Mapping[str, Any]) -> Answer:
    """Send an update that must be refused. It carries a valid change of another field along, before the bad one or
    behind it.
    """
    subject.turn += 1
    names = [name for name in _CARRIED if name not in changes]
    carried: dict[str, Any] = {}
    if names:
        name = names[subject.turn % len(names)]
        template = _CARRIED[name]
        carried[name] = (
            template + subject.turn if isinstance(template, int) else template.format(lab.options.run_id, subject.turn)
        )
    body = {**carried, **changes} if subject.turn % 2 else {**changes, **carried}
    answer = lab.update(subject.path, body, tags=("negative",))
    if answer.is_success:
        subject.learn(subject.read(lab))
    elif answer.is_refusal:
        subject.carried.extend((answer, name, value) for name, value in carried.items())
    return answer


def _name_of(length: int) -> str:
    return "n" * length


@rule(
    "update.name.max-length",
    Level.DOCUMENTED,
    "A name has at most 255 characters, in an update too.",
    source=f"{PAGE}; Create SIP Trunk, request body: name",
    sends="PUT with a name of 256 characters",
    accepts="400 or 422",
    contract="/components/schemas/Name/maxLength",
    profile=Profile.QUICK,
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_a_name_of_256_characters_is_refused(lab: Lab) -> list[Case]:
    return [
        Case("name of 256 characters", "name", _name_of(LONGEST + 1)),
        Case("name of 256 characters, not ASCII", "name", "é" * (LONGEST + 1), rank=1),
    ]


@rule_for_each(
    ("name", "provider_name", "domain", "username", "password", "outbound_proxy", "auth_realm"),
    "update.{field}.type",
    Level.DOCUMENTED,
    "{field} is a text in an update too; any other type is refused.",
    source=PAGE,
    sends="PUT with {field} a number, true, a list, an object",
    accepts="400 or 422",
    contract=FIELD,
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_a_text_of_another_type_is_refused(lab: Lab, field: str) -> list[Case]:
    return values.wrong_types(lab.canaries, field)


@rule(
    "update.password.not-empty",
    Level.DOCUMENTED,
    "A password is not empty, in an update too.",
    source=f"{PAGE}; Create SIP Trunk, request body: password",
    sends='PUT with password ""',
    accepts="400 or 422",
    contract="/components/schemas/Password",
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_an_empty_password_is_refused(lab: Lab) -> list[Case]:
    return field_cases("password", ("",))


@rule_for_each(
    ("name", "provider_name", "username"),
    "update.{field}.not-empty",
    Level.INFERRED,
    "{field} is not empty, in an update too.",
    source="The pages are silent; an empty text tells nothing",
    sends='PUT with {field} ""',
    accepts="400 or 422",
    contract=FIELD,
    profile=Profile.DEEP,
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_an_empty_text_is_refused(lab: Lab, field: str) -> list[Case]:
    return field_cases(field, ("",))


@rule(
    "update.domain.host",
    Level.STANDARD,
    "A domain is a host in an update too.",
    source=f"{PAGE}; RFC 3261, section 25.1",
    sends="PUT with a scheme, a space, a path, a port, an empty label in the domain",
    accepts="400 or 422",
    contract="/components/schemas/Host",
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_a_domain_that_is_no_host_is_refused(lab: Lab) -> list[Case]:
    return values.hosts("domain")


@rule(
    "update.outbound-proxy.host",
    Level.STANDARD,
    "An outbound proxy is a host in an update too.",
    source=f"{PAGE}; RFC 3261, section 25.1",
    sends="PUT with a space in the outbound proxy",
    accepts="400 or 422",
    contract="/components/schemas/OutboundProxy",
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_an_outbound_proxy_that_is_no_host_is_refused(lab: Lab) -> list[Case]:
    return values.hosts("outbound_proxy")


@rule(
    "update.port.range",
    Level.DOCUMENTED,
    "A port is from 1 to 65535, in an update too.",
    source=f"{PAGE}; Create SIP Trunk, request body: port",
    sends="PUT with port 0, 65536, -1",
    accepts="400 or 422",
    contract="/components/schemas/Port",
    profile=Profile.QUICK,
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_a_port_outside_the_range_is_refused(lab: Lab) -> list[Case]:
    return values.ports_out_of_range(update=True)


@rule(
    "update.port.type",
    Level.DOCUMENTED,
    "A port is an integer, in an update too.",
    source=f"{PAGE}; Create SIP Trunk, request body: port",
    sends='PUT with port "5061", true, 5061.5, [5061]',
    accepts="400 or 422",
    contract="/components/schemas/Port",
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_a_port_of_another_type_is_refused(lab: Lab) -> list[Case]:
    return values.ports_of_other_types()


@rule(
    "update.transport.values",
    Level.DOCUMENTED,
    "A transport is udp, tcp or tls, in an update too.",
    source=f"{PAGE}; Create SIP Trunk, request body: transport",
    sends='PUT with transport "TLS", "sctp", 1, ""',
    accepts="400 or 422",
    contract="/components/schemas/Transport",
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_another_transport_is_refused(lab: Lab) -> list[Case]:
    return values.other_transports()


@rule(
    "update.is-active.type",
    Level.DOCUMENTED,
    "is_active is true or false, in an update too.",
    source=f"{PAGE}; Create SIP Trunk, request body: is_active",
    sends='PUT with is_active "false", 0, "true", 1',
    accepts="400 or 422",
    contract="/components/schemas/IsActive",
    needs=("read.accepted",),
)
@refuses("update")
def test_update_with_is_active_of_another_type_is_refused(lab: Lab) -> list[Case]:
    return values.other_activities()


@rule(
    "update.refused-changes-nothing",
    Level.DOCUMENTED,
    "A refused update changes nothing, not even the fields in it that were valid.",
    source="Update SIP Trunk; what a refusal is: the API's error pages",
    sends="the refused updates of the run, each with a valid field beside the bad one, then GET",
    accepts="the trunk as it was",
    contract=f"{PUT}/description",
    profile=Profile.QUICK,
    needs=("read.accepted",),
)
def test_refused_update_changes_nothing(lab: Lab, subject: Subject) -> None:
    if not subject.carried:
        for changes in ({"port": 0}, {"transport": "sctp"}, {"name": _name_of(LONGEST + 1)}):
            refused_update(lab, subject, changes)
    if not subject.carried:
        raise NotJudged("no update was refused")
    last = lab.update(subject.path, _good_around_bad(lab), tags=("negative",))
    _no_refused_name_came_back(lab)
    _no_refusal_took_a_verification(lab)
    after = subject.read(lab)
    moved = expect.timestamp(after.member("updated_at"))
    if last.is_refusal and moved and subject.updated_at and abs((moved - subject.updated_at).total_seconds()) >= 1:
        raise Broken(
            f"updated_at {subject.updated_at:%Y-%m-%dT%H:%M:%SZ}", f"updated_at {moved:%Y-%m-%dT%H:%M:%SZ}", last, after
        )
    if difference := subject.difference(after):
        name, found = difference
        guilty = next(
            (one for one, carried, value in reversed(subject.carried) if carried == name and value == found),
            subject.carried[-1][0],
        )
        raise Broken(f"{name} {expect.show(subject.known.get(name))}", f"{name} {expect.show(found)}", guilty, after)


def _good_around_bad(lab: Lab) -> dict[str, Any]:
    """Give an update with good fields before and behind the bad one, as they are written and in the alphabet."""
    return {
        "auth_realm": "refused",
        "name": f"{lab.name()} refused",
        "domain": "refused.carrier-x.com",
        "password": lab.canaries.password("é"),
        "port": "x",
        "provider_name": "refused",
        "username": "refused",
    }


def _no_refusal_took_a_verification(lab: Lab) -> None:
    """Want a trunk that was verified and active before a refused update to be so behind it."""
    shown: dict[str, Answer] = {}
    refused: dict[str, Answer] = {}
    for answer in lab.client.answers:
        if answer.method == "PUT" and answer.is_refusal and answer.actor == FIRST and answer.path in shown:
            refused[answer.path] = answer
        elif answer.operation.endswith("/sip-trunks/{trunk_id}") and answer.is_success and answer.actor == FIRST:
            for name in ("is_verified", "is_active") if answer.method == "GET" and answer.path in refused else ():
                before = shown[answer.path]
                if before.member(name) is True and answer.member(name) is False:
                    raise Broken(f"{name} true", f"{name} false", before, refused[answer.path], answer)
            shown[answer.path] = answer
            refused.pop(answer.path, None)
        elif answer.method != "GET":
            shown.pop(answer.path.removesuffix("/verify"), None)
            refused.pop(answer.path.removesuffix("/verify"), None)


def _no_refused_name_came_back(lab: Lab) -> None:
    """Want no trunk to have a name that only a refused update gave it, also one refused for its media type or its
    JSON.
    """
    reads = [one for one in lab.client.answers if one.path == lab.main and one.method == "GET"]
    updates = [one for one in lab.client.answers if one.path == lab.main and one.method == "PUT" and one.is_refusal]
    if updates and reads and reads[-1].number < updates[-1].number and not lab.brief:
        lab.get(lab.main)
    refused: dict[tuple[str, str], Answer] = {}
    for answer in lab.client.answers:
        if answer.method == "PUT" and answer.is_refusal and (name := sent_name(answer)):
            refused[answer.path, name] = answer
        elif answer.method == "GET" and (answer.path, str(answer.member("name"))) in refused:
            guilty = refused[answer.path, str(answer.member("name"))]
            raise Broken("the name as it was", "the name of the refused update", guilty, answer)


@rule(
    "update.empty-changes-nothing",
    Level.DOCUMENTED,
    "An update without a field is refused, or changes no field.",
    source=PAGE,
    sends="PUT with {} while every optional field has a value, then GET",
    accepts="a 4xx, or a success that leaves every field as it was",
    contract=f"{PUT}/requestBody",
    needs=("read.accepted",),
)
def test_empty_update_changes_nothing(lab: Lab, subject: Subject) -> None:
    answer = lab.update(subject.path, {}, tags=("odd",))
    after = subject.read(lab)
    difference = subject.difference(after)
    subject.learn(after)
    if difference:
        raise Broken(f"{difference[0]} as it was", f"{difference[0]} {expect.show(difference[1])}", answer, after)


@rule(
    "update.null.not-stored",
    Level.DOCUMENTED,
    "null is never stored: it is refused, or counts as not sent, or unsets an optional text.",
    source=f"{PAGE}; Create SIP Trunk, request body",
    sends="PUT with every field null but the password, those apart that a refusal does not name, then GET",
    accepts="a 4xx, or a success that leaves the field as it was; for an outbound proxy or a realm also null",
    contract="/components/schemas/TrunkUpdate",
    needs=("read.accepted",),
)
def test_null_is_not_stored(lab: Lab, subject: Subject) -> None:
    names = VISIBLE
    sent = [lab.update(subject.path, dict.fromkeys(names), tags=("odd",))]
    if sent[0].is_refusal:  # what the refusal does not name may be let through alone
        named = expect.named_fields(sent[0])
        unnamed = [name for name in names if name not in named]
        if len(unnamed) > 3 and not lab.options.profile.includes(Profile.DEEP):
            unnamed = ["name", "username", "auth_realm", "is_active"]
        sent += [lab.update(subject.path, {name: None}, tags=("odd",)) for name in unnamed]
    after = subject.read(lab)
    unset = [name for name in ("auth_realm", "outbound_proxy") if name in names and after.member(name) is None]
    difference = subject.difference(after, but=unset)
    subject.learn(after)
    if difference:
        name, found = difference
        guilty = next((one for one in reversed(sent) if name in json.loads(one.request_body or b"{}")), sent[-1])
        raise Broken(
            f"a 4xx, or {name} as it was", f"{summary_of(guilty)}, and {name} {expect.show(found)}", guilty, after
        )


def summary_of(answer: Answer) -> str:
    """Say in short what an answer was."""
    return expect.summary(answer)


@rule(
    "update.is-verified.server-made",
    Level.DOCUMENTED,
    "An update cannot make a trunk verified: only Verify does.",
    source="Verify SIP Trunk",
    sends="PUT with is_verified true, and with health_status and created_at, then GET",
    accepts="a 4xx, or a success in which is_verified stays false",
    contract="/components/schemas/IsVerified",
    needs=("read.accepted",),
)
def test_update_cannot_verify(lab: Lab, subject: Subject) -> None:
    answer = lab.update(subject.path, {"name": lab.name(), "is_verified": True}, tags=("odd",))
    after = subject.read(lab)
    subject.learn(after)
    for one in (answer, after):
        if one.is_success and one.member("is_verified") is True:
            raise Broken("is_verified false", "is_verified true", answer, after)


@rule(
    "update.server-made.ignored",
    Level.INFERRED,
    "What only the server makes never takes effect when an update sends it.",
    source="The pages are silent; the fields are not among an update's",
    profile=Profile.DEEP,
    sends="PUT with id, created_at and health_status, then GET",
    accepts="a 4xx, or a success in which they are as they were",
    contract="/components/schemas/TrunkUpdate",
    needs=("read.accepted",),
)
def test_server_made_fields_are_ignored_in_an_update(lab: Lab, subject: Subject) -> None:
    forged = {
        "id": "00000000-0000-4000-8000-000000000002",
        "created_at": "2001-01-01T00:00:00Z",
        "health_status": "healthy",
    }
    answer = lab.update(subject.path, {"name": lab.name(), **forged}, tags=("odd",))
    after = subject.read(lab)
    subject.learn(after)
    for name, value in forged.items():
        if answer.is_success and expect.same(after.member(name), value):
            raise Broken(f"{name} as it was", f"{name} {expect.show(value)}", answer, after)


@rule(
    "update.limits-accepted",
    Level.DOCUMENTED,
    "An update accepts names of 1 and of 255 characters, and every port from 1 to 65535.",
    source=f"{PAGE}; Create SIP Trunk, request body",
    sends="PUT with a long name and port 65535; PUT of four fields together, with a short name and port 1",
    accepts="200, with that value",
    contract="/components/schemas/TrunkUpdate",
    needs=("read.accepted",),
)
def test_update_accepts_the_limits(lab: Lab, subject: Subject, changes: dict[str, Change]) -> None:
    expect.status_in(changes["name"].answer, (200,))
    expect.member_is(changes["name"].after, "name", changes["name"].value, changes["name"].answer)
    # Four fields at once, among them the other end of the range beside a transport with a default of its own.
    other = "udp" if changes["transport"].value == "tcp" else "tcp"
    together = {"transport": other, "port": 1, "name": _astral_name(lab), "provider_name": "carrier-w"}
    answer = lab.accept_update(subject.path, **together)
    after = subject.read(lab)
    subject.learn(after)
    for name, value in together.items():
        if name in (answer.data or {}):  # an answer that leaves it out is judged field by field
            expect.member_is(answer, name, value)
        expect.member_is(after, name, value, answer)


def _astral_name(lab: Lab) -> str:
    """Give a name of one character, beyond the basic plane, that hardly anybody has."""
    return chr(0x20000 + int(lab.options.run_id, 16) % 40_000)


@rule(
    "update.others-untouched",
    Level.DOCUMENTED,
    "An update of one trunk touches no other.",
    source=PAGE,
    sends="the updates of the run, then GET of a trunk that none of them named",
    accepts="that trunk as it was",
    contract=f"{PUT}/description",
    needs=("read.accepted",),
)
def test_update_touches_no_other_trunk(lab: Lab, minimal: Sent, changes: dict[str, Change]) -> None:
    before = minimal.read(lab)
    after = lab.usable(lab.get(path_of(minimal.answer)), "reading the other trunk")
    for name in STEADY:
        if not expect.same(after.member(name), before.member(name)):
            raise Broken(
                f"{name} {expect.show(before.member(name))}", f"{name} {expect.show(after.member(name))}", before, after
            )
