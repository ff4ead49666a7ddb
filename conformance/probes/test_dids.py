"""DIDs: the phone numbers that a trunk carries.

Source: the page *SIP Trunk DIDs*; ITU-T E.164 and ISO 3166-1 alpha-2 for their form.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from conformance import expect
from conformance.client import ABSENT, Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import Lab, did_path
from conformance.probes.numbers import Numbers, digits
from conformance.refusals import Case, alone_first, field_cases
from conformance.rules import Level, Profile, refuses, rule

PAGE = "SIP Trunk DIDs"
ADD = "/paths/~1sip-trunks~1{trunk_id}~1dids/post"
MEMBERS = ("id", "number", "country_code", "formatted_number")


@rule(
    "did.accepted",
    Level.DOCUMENTED,
    "A number can be put on a trunk.",
    source=PAGE,
    sends="POST /sip-trunks/{trunk_id}/dids with country_code US and a US number",
    accepts="201 or 200, with id, number, country_code, formatted_number and trunk_id",
    contract=f"{ADD}/responses/201",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_number_is_accepted(lab: Lab, numbers: Numbers) -> None:
    if numbers.added.status in {402, 403}:
        raise NotJudged(f"the environment may have no DIDs ({expect.summary(numbers.added)})")
    if numbers.added.is_refusal:
        lab.control("update")
    if numbers.added.status == 404 and not lab.get(numbers.path).is_success:
        raise NotJudged("the trunk was gone before its first DID came, which another rule judges")
    expect.status_in(numbers.added, (200, 201))


@rule(
    "did.members",
    Level.DOCUMENTED,
    "The answer has the DID as it was sent, with its id, a formatted number and its trunk.",
    source=PAGE,
    sends="POST /sip-trunks/{trunk_id}/dids",
    accepts="id, number, country_code, formatted_number, trunk_id",
    contract="/components/schemas/DidOnTrunk",
    needs=("did.accepted",),
)
def test_new_did_has_the_documented_members(lab: Lab, numbers: Numbers) -> None:
    added = lab.usable(numbers.added, "adding a DID")
    expect.members(added, (*MEMBERS, "trunk_id"))
    expect.member_is(added, "number", numbers.number)
    expect.member_is(added, "country_code", "US")
    if str(added.member("trunk_id")) != _identity(numbers.path):
        raise Broken("the id of its trunk in trunk_id", expect.show(added.member("trunk_id")), added)
    for name in ("id", "formatted_number"):
        if not isinstance(added.member(name), str) or not added.member(name):
            raise Broken(f"a text in {name}", expect.show(added.member(name)), added)


def _identity(path: str) -> str:
    return unquote(path.rsplit("/", 1)[-1])


def _on(answer: Answer | None, number: str) -> list[Mapping[str, Any]]:
    """Give the entries of a list of DIDs that have this number; NotJudged when there is no such list."""
    if answer is None or not answer.is_success:
        raise NotJudged("the DIDs could not be listed")
    if not isinstance(answer.data, list):
        raise Broken("a list in data", "something else", answer)
    return [entry for entry in answer.data if isinstance(entry, dict) and entry.get("number") == number]


@rule(
    "did.listed",
    Level.DOCUMENTED,
    "A DID stands in its trunk's list, once, as it was added.",
    source=PAGE,
    sends="POST of two numbers on a trunk, then GET /sip-trunks/{trunk_id}/dids of that and of a trunk without any",
    accepts="200 with id, number, country_code and formatted_number of each; 200 with an empty list",
    contract="/paths/~1sip-trunks~1{trunk_id}~1dids/get/responses/200",
    profile=Profile.STANDARD,
    needs=("did.accepted",),
)
def test_did_is_listed(lab: Lab, numbers: Numbers) -> None:
    added = lab.usable(numbers.added, "adding a DID")
    expect.status_in(numbers.listed, (200,))
    entries = _on(numbers.listed, numbers.number)
    if len(entries) != 1:
        raise Broken("the new DID once", f"{len(entries)} times", added, numbers.listed)
    for name in MEMBERS:
        if name not in entries[0] or not expect.same(entries[0][name], added.member(name)):
            raise Broken(
                f"{name} {expect.show(added.member(name))}", expect.show(entries[0].get(name)), added, numbers.listed
            )
    older = numbers.older
    if older is not None and older.is_success:
        if not _on(numbers.listed, str(older.member("number"))):
            raise Broken("the older DID too", "it is not there", older, numbers.listed)
        for name in ("id", "formatted_number"):
            if older.member(name) == added.member(name):
                raise Broken(f"another {name} for another number", expect.show(added.member(name)), older, added)
    if numbers.on_other.status == 409 and numbers.other_list.status < 500:
        expect.status_in(numbers.other_list, (200,))


@rule(
    "did.own-trunk-alone",
    Level.DOCUMENTED,
    "A DID is listed on its own trunk alone.",
    source=PAGE,
    sends="POST on one trunk, the same refused on another, GET on that",
    accepts="a list without it",
    contract="/paths/~1sip-trunks~1{trunk_id}~1dids/get",
    needs=("did.accepted",),
)
def test_did_is_not_listed_on_another_trunk(lab: Lab, numbers: Numbers) -> None:
    lab.usable(numbers.added, "adding a DID")
    if numbers.on_other.is_success:
        raise NotJudged("the number was taken on the other trunk too, which another rule judges")
    if _on(numbers.other_list, numbers.number):
        raise Broken("a list without the other trunk's DID", "it is there", numbers.added, numbers.other_list)


@rule(
    "did.number.unique",
    Level.DOCUMENTED,
    "A number stands once in an environment.",
    source=f"{PAGE}: 409 DID_ALREADY_EXISTS",
    sends="POST of the same number on the same trunk and on another",
    accepts="409",
    contract=f"{ADD}/responses/409",
    needs=("did.accepted",),
)
def test_number_stands_once_in_an_environment(lab: Lab, numbers: Numbers) -> None:
    lab.usable(numbers.added, "adding a DID")
    for answer in (numbers.again, numbers.on_other):
        if answer.status < 500:
            expect.status_in(answer, (409,), numbers.added)


@rule(
    "did.number.unique-code",
    Level.INFERRED,
    "A number that is there already is refused with the code DID_ALREADY_EXISTS.",
    source=f"{PAGE}: 409 DID_ALREADY_EXISTS; how firm the codes are, the pages do not say",
    sends="POST of the same number on the same trunk and on another",
    accepts="the code DID_ALREADY_EXISTS",
    contract=f"{ADD}/responses/409",
    needs=("did.number.unique",),
)
def test_number_that_is_there_has_its_code(lab: Lab, numbers: Numbers) -> None:
    lab.usable(numbers.added, "adding a DID")
    for answer in (numbers.again, numbers.on_other):
        expect.code_is(answer, "DID_ALREADY_EXISTS")


@rule(
    "did.refused-not-stored",
    Level.DOCUMENTED,
    "A refused DID is not stored.",
    source=f"{PAGE}; what a refusal is: the API's error pages",
    sends="the refused numbers of the run, then GET of the list",
    accepts="a list without them",
    contract=f"{ADD}/description",
    needs=("did.accepted",),
)
def test_refused_did_is_not_stored(lab: Lab, numbers: Numbers) -> None:
    lab.usable(numbers.added, "adding a DID")
    if numbers.again.is_refusal and len(_on(numbers.after_wrong, numbers.number)) > 1:
        raise Broken("the number once", "it is there twice", numbers.again)
    after = lab.usable(lab.dids(lab.main), "listing the DIDs")
    refused = [
        one
        for one in lab.client.answers
        if "negative" in one.tags and one.operation.endswith("/dids") and one.is_refusal
    ]
    if isinstance(after.data, list) and after.data:
        raise Broken("an empty list", f"{len(after.data)} entries", *refused[-1:], after)


@rule(
    "did.deleted",
    Level.DOCUMENTED,
    "A DID can be taken off its trunk, and is gone then.",
    source=PAGE,
    sends="DELETE of the DID, GET of the list, DELETE again",
    accepts="200 with a message; a list without it; 404 the second time",
    contract="/paths/~1sip-trunks~1{trunk_id}~1dids~1{phone_number_id}/delete",
    needs=("did.accepted",),
)
def test_did_can_be_deleted(lab: Lab, numbers: Numbers) -> None:
    lab.usable(numbers.added, "adding a DID")
    if numbers.deleted is None or numbers.deleted_twice is None:
        raise NotJudged("the new DID had no id")
    if numbers.wrong_trunk is not None and numbers.wrong_trunk.is_success and numbers.deleted.status == 404:
        raise NotJudged("it was deleted through another trunk, which another rule judges")
    expect.status_in(numbers.deleted, (200,))
    if not isinstance(numbers.deleted.json, dict) or not isinstance(numbers.deleted.json.get("message"), str):
        raise Broken("a message", "none", numbers.deleted)
    older = numbers.older
    if older is not None and older.is_success and not _on(numbers.after_delete, str(older.member("number"))):
        raise Broken(
            "the other DID still on its trunk",
            "it is gone",
            numbers.deleted,
            *([numbers.after_delete] if numbers.after_delete else []),
        )
    if _on(numbers.after_delete, numbers.number):
        raise Broken(
            "a list without the DID",
            "it is still there",
            numbers.deleted,
            *([numbers.after_delete] if numbers.after_delete else []),
        )
    expect.status_in(numbers.deleted_twice, (404,), numbers.deleted)


@rule(
    "did.delete.own-trunk-alone",
    Level.DOCUMENTED,
    "A DID cannot be deleted through another trunk's path.",
    source=f"{PAGE}: the path names the trunk that the DID is on",
    sends="DELETE /sip-trunks/{another trunk}/dids/{phone_number_id}, then GET of the list",
    accepts="404, and the DID still on its trunk",
    contract="/paths/~1sip-trunks~1{trunk_id}~1dids~1{phone_number_id}/delete/responses/404",
    needs=("did.accepted",),
)
def test_did_is_not_deleted_through_another_trunk(lab: Lab, numbers: Numbers) -> None:
    lab.usable(numbers.added, "adding a DID")
    if numbers.wrong_trunk is None:
        raise NotJudged("the new DID had no id")
    if numbers.wrong_trunk.status < 500:
        expect.status_in(numbers.wrong_trunk, (404,), numbers.added)
    if not _on(numbers.after_wrong, numbers.number):
        raise Broken("the DID still on its trunk", "it is gone", numbers.wrong_trunk)


@rule(
    "did.number.free-again",
    Level.DOCUMENTED,
    "A number that was taken off a trunk can be used again.",
    source=f"{PAGE}: the number is refused while it is in the environment",
    sends="POST of a deleted DID's number on another trunk",
    accepts="201 or 200",
    contract=f"{ADD}/responses/201",
    needs=("did.deleted",),
)
def test_deleted_number_can_be_used_again(lab: Lab, numbers: Numbers) -> None:
    lab.usable(numbers.added, "adding a DID")
    if numbers.reused is None or numbers.deleted is None or not numbers.deleted.is_success:
        raise NotJudged("the DID was not deleted")
    if numbers.again.is_success or numbers.on_other.is_success:
        raise NotJudged("the number was on another trunk or twice on its own, which another rule judges")
    if numbers.reused.status == 409:
        raise Broken("201 or 200", expect.summary(numbers.reused), numbers.deleted, numbers.reused)


@rule(
    "did.number.form",
    Level.DOCUMENTED,
    "A number is E.164: a plus sign and 2 to 15 digits, the first not 0.",
    source=f"{PAGE}; ITU-T E.164",
    sends="POST …/dids without the plus, with 0 first, with 1 and with 16 digits, with letters, spaces, hyphens",
    accepts="400 or 422",
    contract="/components/schemas/Number",
    needs=("did.accepted",),
)
@refuses("did")
def test_number_that_is_not_e164_is_refused(lab: Lab) -> list[Case]:
    plain = lab.refused_number
    eastern = "+1" + plain[2:].translate({ord("0") + digit: 0x0660 + digit for digit in range(10)})
    spaced = f"{plain[:5]} {plain[5:8]} {plain[8:]}"
    telling = (plain[1:], "+02025550123", "+1202555012345678"[:17], "+1", spaced, f"{plain[:-1]}x", eastern)
    hyphened = f"{plain[:5]}-{plain[5:8]}-{plain[8:]}"
    more = (hyphened, "00" + plain[1:], "+", f"+{plain}")
    rest = (f"tel:{plain}", f"{plain};ext=1", f"({plain[:5]}){plain[5:]}", "+1.2025550123")
    return alone_first(field_cases("number", telling, more, rest))


@rule(
    "did.number.required",
    Level.DOCUMENTED,
    "A new DID needs a number, a text.",
    source=PAGE,
    sends='POST …/dids without number, with null, "", an integer, a list',
    accepts="400 or 422",
    contract="/components/schemas/DidCreate",
    needs=("did.accepted",),
)
@refuses("did")
def test_number_is_required(lab: Lab) -> list[Case]:
    return [
        Case("without number", "number", ABSENT),
        *field_cases("number", (None, int(lab.refused_number[1:]), [lab.refused_number]), ("", True, {}), (1.5,)),
    ]


@rule(
    "did.country.form",
    Level.DOCUMENTED,
    "A country code is two capital letters, as in ISO 3166-1 alpha-2.",
    source=PAGE,
    sends='POST …/dids with country_code "us", "USA", "U", "1", "+1"',
    accepts="400 or 422",
    contract="/components/schemas/CountryCode",
    needs=("did.accepted",),
)
@refuses("did")
def test_country_code_of_another_form_is_refused(lab: Lab) -> list[Case]:
    return alone_first(field_cases("country_code", ("us", "USA"), ("U1", "U", "1", "Us", "U ", "+1", "840")))


@rule(
    "did.country.assigned",
    Level.INFERRED,
    "A country code is one that ISO 3166-1 assigns.",
    source="ISO 3166-1 alpha-2; the pages do not say how far it is checked",
    sends='POST …/dids with country_code "ZZ"',
    accepts="400 or 422",
    contract="/components/schemas/CountryCode/enum",
    needs=("did.accepted",),
)
@refuses("did")
def test_unassigned_country_code_is_refused(lab: Lab) -> list[Case]:
    return field_cases("country_code", ("ZZ",))


@rule(
    "did.country.required",
    Level.DOCUMENTED,
    "A new DID needs a country code, a text.",
    source=PAGE,
    sends='POST …/dids without country_code, with null, "", 1, a list',
    accepts="400 or 422",
    contract="/components/schemas/DidCreate",
    needs=("did.accepted",),
)
@refuses("did")
def test_country_code_is_required(lab: Lab) -> list[Case]:
    return [
        Case("without country_code", "country_code", ABSENT),
        *field_cases("country_code", (None, 1), ("", ["US"], True, {})),
    ]


@rule(
    "did.number.longest",
    Level.DOCUMENTED,
    "A number of 15 digits is accepted where the country has such numbers.",
    source=f"{PAGE}; ITU-T E.164",
    sends="POST …/dids with country_code DE and a German number of 15 digits",
    accepts="201 or 200",
    contract="/components/schemas/Number",
    needs=("did.accepted",),
)
def test_number_of_15_digits_is_accepted(lab: Lab, numbers: Numbers) -> None:
    number = f"+49211{digits(lab)}"

    def send() -> Answer:
        return lab.add_did(lab.main, {"country_code": "DE", "number": number})

    answer = numbers.older or send()
    if answer.status not in {200, 201, 409}:
        answer = lab.accept(send, (200, 201), "did")
        if answer.is_success and (path := did_path(lab.main, answer)):
            lab.delete_did(path)
    if answer.is_success:
        expect.member_is(answer, "number", number)
        expect.member_is(answer, "country_code", "DE")
