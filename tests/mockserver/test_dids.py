"""The numbers of a trunk, over HTTP."""

import itertools

import pytest
from clients import GONE, refused

_fresh = itertools.count(10_000_000)
MEMBERS = {"id", "number", "country_code", "formatted_number"}


@pytest.fixture
def number():
    """A number that no trunk has yet."""
    return f"+1202{next(_fresh)}"


def listed(api, path):
    return api.get(f"{path}/dids").json()["data"]


def test_number_is_put_on_a_trunk(first, number):
    """201 with five members; the list shows four of them."""
    path = first.create()
    answer = first.number(path, number)
    data = answer.json()["data"]
    assert (answer.status_code, answer.json()["success"]) == (201, True)
    assert data.keys() == MEMBERS | {"trunk_id"}
    assert (data["number"], data["country_code"]) == (number, "US")
    assert data["trunk_id"] == path.rpartition("/")[2]
    data.pop("trunk_id")
    assert listed(first, path) == [data]


def test_number_is_written_for_people(first):
    """`formatted_number` is the international form."""
    path = first.create()
    assert first.number(path, "+442079460958", "GB").json()["data"]["formatted_number"] == "+44 20 7946 0958"


def test_numbers_are_listed_on_their_trunk_alone(first, number):
    """Oldest first, and on no other trunk."""
    path, other = first.create(), first.create()
    numbers = [f"{number}{digit}" for digit in "927"]
    for it in numbers:
        first.number(path, it)
    assert [it["number"] for it in listed(first, path)] == numbers
    assert listed(first, other) == []


@pytest.mark.parametrize("number", ["+12", "+123456789012345", "+99", "+31000000", "+999999999999999"])
def test_any_e164_number_is_accepted(second, number):
    """A plus sign and 2 to 15 digits, the first not 0, whether a country has such a number or not."""
    path = second.create()
    did = second.number(path, number).json()["data"]
    assert did["number"] == number
    assert second.delete(f"{path}/dids/{did['id']}").status_code == 200


BAD_NUMBERS = ["", "+", "+1", "12025550123", "0012025550123", "+02025550123", "+1234567890123456", "+1 202 555 0123"]
BAD_NUMBERS += ["+1-202-5550123", "+12025550123\n", " +12025550123", "++12025550123", "+1202555012a", "+١٢٣٤٥٦"]
BAD_NUMBERS += ["tel:+12025550123", None, 12025550123, True, [], {}]


@pytest.mark.parametrize("number", BAD_NUMBERS, ids=ascii)
def test_number_of_another_form_is_refused(first, number):
    """The refusal names the field, and nothing is stored."""
    path = first.create()
    answer = first.number(path, number)
    assert refused(answer) == (422, "VALIDATION_ERROR")
    assert answer.json()["errors"].keys() == {"number"}
    assert listed(first, path) == []


@pytest.mark.parametrize(
    "country",
    ["", "us", "Us", "USA", "U", "XX", "ZZ", "UK", "EU", " US", "US\n", "\uff35\uff33", None, 1, ["US"]],
    ids=ascii,
)
def test_country_code_of_another_form_is_refused(first, number, country):
    """ISO 3166-1 alpha-2 in upper case, and only codes that are assigned."""
    answer = first.number(first.create(), number, country)
    assert refused(answer) == (422, "VALIDATION_ERROR")
    assert answer.json()["errors"].keys() == {"country_code"}


@pytest.mark.parametrize("body", [{}, {"number": "+12025550123"}, {"country_code": "US"}], ids=repr)
def test_missing_member_is_named(first, body):
    """Both are required."""
    answer = first.post(f"{first.create()}/dids", json=body)
    assert refused(answer) == (422, "VALIDATION_ERROR")
    assert answer.json()["errors"].keys() == {"country_code", "number"} - body.keys()


def test_number_need_not_fit_its_country(first, number):
    """This mock's choice."""
    assert first.number(first.create(), number, "DE").status_code == 201


def test_number_is_on_one_trunk_of_an_environment(first, number):
    """The same number again is refused, on the same trunk and on another, whatever its country."""
    path, other = first.create(), first.create()
    first.number(path, number)
    for again in (first.number(path, number), first.number(other, number), first.number(other, number, "CA")):
        assert refused(again) == (409, "DID_ALREADY_EXISTS")
    assert (len(listed(first, path)), listed(first, other)) == (1, [])


def test_two_environments_may_have_the_same_number(first, second, number):
    """Another environment's numbers do not count."""
    assert first.number(first.create(), number).status_code == 201
    assert second.number(second.create(), number).status_code == 201


def test_deleted_number_is_gone_and_free_again(first, number):
    """A delete has a message and no data; a second one is 404; the number can go on another trunk, with another id."""
    path, other = first.create(), first.create()
    did = first.number(path, number).json()["data"]
    answer = first.delete(f"{path}/dids/{did['id']}")
    assert (answer.status_code, answer.json().keys()) == (200, {"success", "message"})
    assert refused(first.delete(f"{path}/dids/{did['id']}")) == (404, "DID_NOT_FOUND")
    assert listed(first, path) == []
    again = first.number(other, number)
    assert again.status_code == 201
    assert again.json()["data"]["id"] != did["id"]


def test_number_of_another_trunk_is_not_found(first, number):
    """A DID is deleted by way of its own trunk."""
    path, other = first.create(), first.create()
    did = first.number(path, number).json()["data"]
    for wrong in (f"{other}/dids/{did['id']}", f"{path}/dids/{GONE}", f"{path}/dids/{number}"):
        assert refused(first.delete(wrong)) == (404, "DID_NOT_FOUND")
    assert len(listed(first, path)) == 1


def test_trunk_with_numbers_cannot_be_deleted(first, number):
    """409 until the last number is gone; the refused delete leaves both."""
    path = first.create()
    did = first.number(path, number).json()["data"]
    assert refused(first.delete(path)) == (409, "TRUNK_HAS_DIDS")
    assert first.read(path)["id"] == did["trunk_id"]
    assert len(listed(first, path)) == 1
    first.delete(f"{path}/dids/{did['id']}")
    assert first.delete(path).status_code == 200


def test_update_and_verify_leave_the_numbers(first, number):
    """A trunk keeps its numbers through its life."""
    path = first.create()
    first.number(path, number)
    first.put(path, json={"domain": "sip.other.example"})
    first.post(f"{path}/verify")
    assert [it["number"] for it in listed(first, path)] == [number]
