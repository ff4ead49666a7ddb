"""Reading: one trunk, the list of all, and what answers where there is nothing.

Sources: the page *Get SIP Trunk*; for the list what an environment is (Authentication); RFC 9110 for 404 and 405.
"""

from urllib.parse import quote, unquote

from conformance import expect
from conformance.client import ABSENT, FIRST, Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import TRUNKS, Lab, Sent, assert_echo, entries, trunk_path
from conformance.listing import last_list, listed, trunks_there
from conformance.probes.test_create import CREATED
from conformance.rules import Level, Profile, rule

TRUNK = "/components/schemas/Trunk"
READ = (*CREATED, "username", "outbound_proxy", "auth_realm", "health_status", "last_health_check_at", "updated_at")


@rule(
    "read.accepted",
    Level.DOCUMENTED,
    "A trunk can be read once it is registered, with the values that were sent.",
    source="Get SIP Trunk",
    sends="GET /sip-trunks/{trunk_id}",
    accepts="200 with the values as sent",
    contract="/paths/~1sip-trunks~1{trunk_id}/get",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_new_trunk_can_be_read(lab: Lab, minimal: Sent, full: Sent) -> None:
    fields = ("name", "provider_name", "domain", "username", "port", "transport", "outbound_proxy", "auth_realm")
    for sent, answer in ((minimal, minimal.read(lab)), (full, full.read(lab))):
        expect.status_in(answer, (200,))
        if sent.answer.member("id") != answer.member("id"):
            raise Broken("the id of the trunk", expect.show(answer.member("id")), sent.answer, answer)
        assert_echo(sent, fields, answer)


@rule(
    "read.members",
    Level.DOCUMENTED,
    "A trunk that is read has all fifteen documented fields.",
    source="Get SIP Trunk, response",
    sends="GET /sip-trunks/{trunk_id}",
    accepts=", ".join(READ) + "; more are tolerated",
    contract=f"{TRUNK}/required",
    profile=Profile.QUICK,
    needs=("read.accepted",),
)
def test_read_trunk_has_the_documented_members(lab: Lab, minimal: Sent, full: Sent) -> None:
    for answer in (minimal.read(lab), full.read(lab)):
        expect.members(answer, READ)


@rule(
    "read.unset-null",
    Level.DOCUMENTED,
    "An outbound proxy and a realm that were never set are null.",
    source="Get SIP Trunk, response",
    sends="POST /sip-trunks without them, then GET",
    accepts="null",
    contract="/components/schemas/OutboundProxy",
    needs=("read.accepted",),
)
def test_unset_fields_are_null(lab: Lab, minimal: Sent) -> None:
    expect.member_is(minimal.read(lab), "outbound_proxy", None)
    expect.member_is(minimal.read(lab), "auth_realm", None)


@rule(
    "read.unchecked-null",
    Level.INFERRED,
    "Before any check, health_status and last_health_check_at are null.",
    source="The pages are silent; there is nothing to tell",
    sends="POST /sip-trunks, then GET",
    accepts="null",
    contract=f"{TRUNK}/properties/health_status",
    needs=("read.accepted",),
)
def test_unchecked_trunk_has_no_health(lab: Lab, minimal: Sent) -> None:
    expect.member_is(minimal.read(lab), "health_status", None)
    expect.member_is(minimal.read(lab), "last_health_check_at", None)


@rule(
    "read.unknown",
    Level.STANDARD,
    "A trunk that does not exist answers 404.",
    source="RFC 9110, section 15.5.5",
    sends="GET of an id that names no trunk, and of one in no form of the server's; deep: all operations",
    accepts="404; for a create of a DID or an update also 422; for an id in another form any 4xx",
    contract="/components/responses/TrunkNotFound",
    needs=("create.accepted",),
)
def test_unknown_trunk_answers_404(lab: Lab) -> None:
    # Deleted trunks are asked for with all operations, by another rule.
    path = unknown_path(lab)
    answer = lab.get(path, tags=("absent",))
    if answer.is_success and unquote(path.rsplit("/", 1)[-1]) in listed(lab):
        raise NotJudged("the id that was made up names a trunk of somebody else's")
    want_absent(answer)
    odd = lab.get(f"{TRUNKS}/trunkcheck-knows-no-such-id", tags=("absent",))
    if odd.is_success:
        raise Broken("404", expect.summary(odd), odd)
    if lab.options.profile.includes(Profile.DEEP):
        want_absent(lab.update(path, {"name": lab.name()}, tags=("absent",)))
        want_absent(lab.delete(path, tags=("absent",)))
        want_absent(lab.dids(path, tags=("absent",)))
        want_absent(lab.verify(path, tags=("absent",)))
        want_absent(lab.health(path, tags=("absent",)))
        want_absent(lab.add_did(path, {"country_code": "US", "number": lab.number()}, tags=("absent",)))
        want_absent(lab.delete_did(f"{path}/dids/{path.rsplit('/', 1)[-1]}", tags=("absent",)))


def unknown_path(lab: Lab) -> str:
    """Give the path of a trunk that does not exist, with an id in the shape of the server's own."""
    identity = str(lab.baseline.member("id"))
    if identity.isdigit():
        return f"{TRUNKS}/{int(identity) + 7_000_000}"
    # Each character for another of its kind, within hexadecimal digits and within Crockford's base 32.
    kinds = "0123456789 abcdef ghjkmnpqrstvwxyz ABCDEFGHJKMNPQRSTVWXYZ"
    pairs = {ord(one): other for kind in kinds.split() for one, other in zip(kind, kind[1:] + kind[0], strict=True)}
    return f"{TRUNKS}/{quote(identity[:-4] + identity[-4:].translate(pairs), safe='')}"


def want_absent(answer: Answer, *context: Answer) -> None:
    """Want 404; a write may be refused for its body first."""
    if answer.status >= 500:
        return  # another rule judges it
    expect.status_in(
        answer, (404, 422) if answer.method in {"PUT", "POST"} and answer.request_body else (404,), *context
    )


@rule(
    "list.complete",
    Level.DOCUMENTED,
    "The list has every trunk of the environment, each once.",
    source="Authentication: what an environment is",
    sends="GET /sip-trunks, all its pages, after creates",
    accepts="the ids of all trunks that were made, in any order",
    contract="/paths/~1sip-trunks/get",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_list_has_every_trunk(lab: Lab, minimal: Sent) -> None:
    made = [
        one
        for one in lab.client.answers
        if one.operation == "POST /sip-trunks" and one.actor == FIRST and one.is_success
    ]
    there = {path for actor, path in lab.client.made if actor == FIRST}
    wanted = {str(one.member("id")): one for one in made if trunk_path(one) in there}
    found = listed(lab, until=frozenset(wanted))
    for identity, created in wanted.items():
        if identity not in found:
            raise Broken("the new trunk in the list", "it is not there", created, _last_list(lab))
        page = found[identity]
        if sum(str(entry.get("id")) == identity for entry in entries(page)) > 1:
            raise Broken("the trunk once", "it is there twice", created, page)
    if lab.brief:
        return
    # Whether two trunks may have the same name is left open; it must not matter here.
    later = lab.create(lab.body(name=minimal.fields["name"]), tags=("odd",))
    if not later.is_success:
        later = lab.create()
    if (identity := later.member("id")) is not None and later.is_success:
        again = listed(lab, until=frozenset({str(identity)}))
        lab.keep_spare(later)
        if str(identity) not in again:
            raise Broken("the newest trunk in the list", "it is not there", later, _last_list(lab))


def _last_list(lab: Lab) -> Answer:
    return next(one for one in reversed(lab.client.answers) if one.operation == "GET /sip-trunks")


@rule(
    "list.complete-at-end",
    Level.DOCUMENTED,
    "The list has every trunk, once, whatever became of it: changed, checked, with DIDs.",
    source="Authentication: what an environment is",
    sends="GET /sip-trunks, all its pages, when nearly everything else was sent",
    accepts="the ids of all trunks that are there, in any order",
    contract="/paths/~1sip-trunks/get",
    needs=("list.complete", "list.shape"),
)
def test_list_still_has_every_trunk(lab: Lab) -> None:
    found, there = last_list(lab)
    pages = {page.number: page for page in found.values()}.values()
    for identity in set(there).intersection(trunks_there(lab)):
        if identity not in found:
            read = lab.get(f"{TRUNKS}/{quote(identity, safe='')}")
            if read.is_success:
                raise Broken("every trunk in the list", "one that can be read is not there", read, *pages)
        elif sum(str(entry.get("id")) == identity for page in pages for entry in entries(page)) > 1:
            raise Broken("every trunk in the list once", "one is there twice", found[identity])


@rule(
    "list.shape",
    Level.DOCUMENTED,
    "The list is a JSON array in data.",
    source="The API's common answer form; GET /sip-trunks",
    sends="GET /sip-trunks",
    accepts="200 with an array of objects",
    contract="/paths/~1sip-trunks/get/responses/200",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_list_is_an_array(lab: Lab) -> None:
    lists = [
        one
        for one in lab.client.answers
        if one.operation == "GET /sip-trunks" and one.actor == FIRST and one.is_success
    ]
    empty = next((one for one in lab.client.answers[:1] if one.path == TRUNKS and one.method == "GET"), None)
    if empty is not None and lists and empty.status < 500:
        expect.status_in(empty, (200,))  # the first request of a run, when there may have been no trunk yet
    answer = lists[-1] if lists else lab.client.send("GET", TRUNKS, operation="GET /sip-trunks")
    expect.status_in(answer, (200,))
    if not isinstance(answer.data, list) or not all(isinstance(entry, dict) for entry in answer.data):
        raise Broken("an array of objects in data", "something else", answer)


@rule(
    "list.entries",
    Level.INFERRED,
    "An entry of the list has at least the id and the name of its trunk, as they are.",
    source="The pages do not show an entry",
    sends="GET /sip-trunks",
    accepts="id and name",
    contract="/paths/~1sip-trunks/get/responses/200",
    needs=("list.complete",),
)
def test_list_entries_name_their_trunk(lab: Lab, minimal: Sent) -> None:
    identity = str(minimal.answer.member("id"))
    lists = [one for one in lab.client.answers if one.operation == "GET /sip-trunks" and one.actor == FIRST]
    shown = [(page, entry) for page in lists for entry in entries(page) if str(entry.get("id")) == identity]
    if not shown:
        raise NotJudged("the trunk is not in the list")
    page, entry = shown[-1]
    if entry.get("name") != minimal.fields["name"]:
        raise Broken(f"name {expect.show(minimal.fields['name'])}", f"name {expect.show(entry.get('name'))}", page)


@rule(
    "list.up-to-date",
    Level.DOCUMENTED,
    "What the list tells of a trunk is what reading it tells, also after an update.",
    source="Get SIP Trunk; Authentication: what an environment is",
    sends="PUT with another name, then GET /sip-trunks/{trunk_id} and GET /sip-trunks",
    accepts="the same value in each documented field that an entry has",
    contract="/paths/~1sip-trunks/get",
    needs=("list.complete", "read.accepted"),
)
def test_list_and_read_agree(lab: Lab) -> None:
    identity = str(lab.baseline.member("id"))
    lab.update(lab.main, {"name": lab.name()})  # should it be refused, the list is judged as it is
    read = lab.usable(lab.get(lab.main), "reading the trunk")
    page = listed(lab, until=frozenset({identity})).get(identity)
    if page is None:
        raise NotJudged("the trunk is not in the list")
    entry = next(entry for entry in entries(page) if str(entry.get("id")) == identity)
    for name in CREATED:
        if (
            name in entry
            and name in (read.data or {})
            and name != "created_at"
            and not expect.same(entry[name], read.member(name))
        ):
            raise Broken(f"{name} {expect.show(read.member(name))}", f"{name} {expect.show(entry[name])}", read, page)


@rule(
    "path.unknown",
    Level.STANDARD,
    "A path that the API does not have answers 404.",
    source="RFC 9110, section 15.5.5",
    sends="POST of a body to /sip-trunks-unknown",
    accepts="404",
    contract="/components/responses/NotFound",
    needs=("create.accepted",),
)
def test_unknown_path_answers_404(lab: Lab) -> None:
    for method in lab.cases(("POST",), ("GET",)):
        body = lab.body() if method == "POST" else ABSENT
        answer = lab.client.send(method, "/sip-trunks-unknown", body, operation="unknown path", tags=("outside",))
        expect.status_in(answer, (404,))


@rule(
    "method.unknown",
    Level.STANDARD,
    "A method that a path does not have answers 405, or 404.",
    source="RFC 9110, section 15.5.6",
    sends="PUT /sip-trunks",
    accepts="405 or 404",
    contract="/components/responses/MethodNotAllowed",
    needs=("create.accepted",),
)
def test_unknown_method_is_refused(lab: Lab) -> None:
    lab.baseline  # noqa: B018 - its trunk is named below
    for path in lab.cases((TRUNKS,), (f"{lab.main}/verify",)):
        answer = lab.client.send("PUT", path, lab.body(), operation="unknown method", tags=("outside",))
        expect.status_in(answer, (404, 405))


@rule(
    "method.allow",
    Level.STANDARD,
    "A 405 says in Allow which methods there are.",
    source="RFC 9110, section 15.5.6",
    sends="every request of the run that was answered 405",
    accepts="a header Allow",
    contract="/components/headers/Allow",
    needs=("method.unknown",),
)
def test_405_says_what_is_allowed(lab: Lab) -> None:
    seen = [one for one in lab.client.answers if one.status == 405]
    if not seen:
        raise NotJudged("nothing answered 405, which is allowed")
    for answer in seen:
        if answer.header("allow") is None:
            raise Broken("a header Allow", "none", answer)
