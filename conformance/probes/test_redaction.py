"""Redaction: a password never comes back, whole, in part, or in any other form, from any operation.

Two ways of looking. Every answer of the run is searched for every password in all the forms that `canaries` knows. And
*twins*, requests that differ in the password alone, show any value that follows the password, whatever was done to it.

Source: the page *Create SIP Trunk*: “never returned in responses after creation”, and what write-only means.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from conformance.canaries import leaves
from conformance.client import ABSENT, Answer, NotJudged
from conformance.expect import Broken, says_no, timestamp
from conformance.lab import TRUNKS, Lab, path_of
from conformance.probes.stamps import let_a_second_go_by
from conformance.rules import Level, Profile, rule, sends_last

SOURCE = "Create SIP Trunk, notes and request body: password"
TOKEN = "token"  # noqa: S105 - a kind of secret
PASSWORD = "/components/schemas/Password"  # noqa: S105 - a pointer
FOLLOWS = (0, 1, 0)  # which of two passwords each of three twins has
AGAIN = (1, 0, 1, 1, 0, 0)  # and where something followed them: no server alternates in this order
_PASSING = {"date", "content-date", "age", "expires", "last-modified", "keep-alive"}


@dataclass
class Twins:
    """Requests of a kind that differ in the password alone."""

    kind: str
    rounds: list[list[Answer]] = field(default_factory=list)


@sends_last("redaction.password")
def odd_places(lab: Lab) -> None:
    """Send passwords where they are refused, or where a server may not expect them."""
    lab.usable(lab.baseline, "the create")
    if lab.brief:
        return
    lab.discard(lab.create(b'{"password": ' + lab.canaries.password().encode() + b"}", tags=("negative", "no-json")))
    if not lab.options.profile.includes(Profile.DEEP):
        return
    broken = json.dumps(lab.body(password=lab.canaries.password('"\\é<&>')), ensure_ascii=False).encode()
    lab.discard(lab.create(broken[:-2], tags=("negative", "no-json")))
    lab.discard(lab.create(broken.replace(b'"port"', b"port"), tags=("negative", "no-json")))
    lab.discard(lab.create(lab.body(password=[[[{"value": lab.canaries.password('"\\é<&>')}]]]), tags=("negative",)))
    lab.discard(lab.create(lab.body(password={lab.canaries.password(): lab.canaries.password()}), tags=("negative",)))
    lab.discard(lab.create(lab.canaries.password().encode(), tags=("negative", "no-json")))
    lab.discard(lab.create({"name": lab.canaries.password(), "password": lab.canaries.password()}, tags=("negative",)))


@rule(
    "redaction.password",
    Level.DOCUMENTED,
    "A password never comes back, in any form, from any operation.",
    source=SOURCE,
    sends="every request of the run; passwords also where they are refused: of other types, in broken JSON",
    accepts="answers without it: plain, escaped, encoded, hashed, reversed, or cut to its ends",
    contract=PASSWORD,
    profile=Profile.QUICK,
)
def test_no_password_comes_back(lab: Lab) -> None:
    for answer in lab.client.answers:
        for hit in answer.hits:
            if hit.secret != TOKEN:
                raise Broken("no password", f"a password {hit.form}, in {hit.where}", answer)


@rule(
    "redaction.token",
    Level.INFERRED,
    "A bearer token never comes back either.",
    source="The pages are silent; a credential is nobody's to repeat",
    sends="every request of the run",
    accepts="answers without it",
    contract="/components/securitySchemes/bearerAuth",
)
def test_no_token_comes_back(lab: Lab) -> None:
    for answer in lab.client.answers:
        for hit in answer.hits:
            if hit.secret == TOKEN:
                raise Broken("no token", f"a token {hit.form}, in {hit.where}", answer)


@rule(
    "redaction.no-member",
    Level.DOCUMENTED,
    "No member called password comes back, whatever its value.",
    source=SOURCE,
    sends="every request of the run that was answered 2xx",
    accepts="answers without such a member; another name with a value that is always the same is tolerated",
    contract=PASSWORD,
    profile=Profile.QUICK,
)
def test_no_member_is_called_password(lab: Lab) -> None:
    for answer in lab.client.answers:
        refused = answer.is_refusal or says_no(answer)  # a refusal may name the field, in its map of errors
        if answer.is_success and not refused and b"assword" in answer.body.lower().replace(b"PASSWORD", b"password"):
            for path in _member_paths(answer.json):
                if path.rsplit(".", 1)[-1].casefold() == "password":
                    raise Broken("no member called password", path, answer)
        error = answer.json if refused and isinstance(answer.json, dict) else {}
        data = error.get("data")
        if isinstance(data, dict) and "password" in data:
            raise Broken("no member called password", "$.data.password", answer)


def _member_paths(value: object, path: str = "$") -> Iterator[str]:
    """Give the path of every member of every object."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield f"{path}.{name}"
            yield from _member_paths(member, f"{path}.{name}")
    elif isinstance(value, list):
        for member in value:
            yield from _member_paths(member, path)


@rule(
    "redaction.twins",
    Level.DOCUMENTED,
    "Nothing in any answer follows the password: no part of it, no digest, no mask that keeps its length.",
    source=SOURCE,
    sends="creates and updates that differ in the password and the name, and what is read after each; suspects twice",
    accepts="answers in which nothing changes with the password and changes back with it",
    contract=PASSWORD,
    needs=("create.accepted",),
)
def test_nothing_follows_the_password(lab: Lab) -> None:
    if lab.wants("update.updated-at.now"):
        let_a_second_go_by(lab)
    for kind in (_created, _updated, _refused):
        suspects = _followers(_twins(lab, kind))
        if suspects:
            again = _followers(_twins(lab, kind, order=AGAIN))
            for place in suspects:
                if place in again:
                    name = place.rsplit(".", 1)[-1].removeprefix("header ")
                    lab.client.withheld.add(name)
                    raise Broken("a value that does not follow the password", f"{place} follows it", *suspects[place])


def _twins(
    lab: Lab, kind: Callable[[Lab, str], list[Answer]], order: Sequence[int] = FOLLOWS
) -> list[tuple[int, list[Answer]]]:
    """Send the requests of a kind once for each twin."""
    pair = (lab.canaries.twin(3), lab.canaries.twin(12))
    return [(which, kind(lab, pair[which])) for which in order]


def _created(lab: Lab, password: str) -> list[Answer]:
    made = lab.create(lab.body(password=password, transport="tcp", port=5061))
    if not made.is_success:
        raise NotJudged("a create was refused")
    answers = [made]
    if lab.options.profile.includes(Profile.DEEP):
        answers += [lab.get(path_of(made)), lab.health(path_of(made))]
    lab.discard(made)
    return answers


def _updated(lab: Lab, password: str) -> list[Answer]:
    update = lab.update(lab.main, {"password": password, "name": lab.name()})
    if not update.is_success:
        raise NotJudged("an update was refused")
    answers = [update, lab.get(lab.main), lab.client.send("GET", TRUNKS, operation="GET /sip-trunks")]
    if lab.options.profile.includes(Profile.DEEP):
        answers += [lab.verify(lab.main), lab.health(lab.main)]
    return answers


def _refused(lab: Lab, password: str) -> list[Answer]:
    refused = lab.create(lab.body(password=password, name=ABSENT, port="x"), tags=("negative",))
    lab.discard(refused)
    return [refused]


def _followers(rounds: list[tuple[int, list[Answer]]]) -> dict[str, tuple[Answer, Answer]]:
    """Give the places whose values follow the password, each with two answers that show it."""
    found: dict[str, tuple[Answer, Answer]] = {}
    for number in range(min(len(answers) for _, answers in rounds)):
        shown = [(which, answers[number], _values(answers[number])) for which, answers in rounds]
        for place in set.intersection(*(set(values) for _, _, values in shown)):
            by_password: dict[int, set[str]] = {0: set(), 1: set()}
            for which, _, values in shown:
                by_password[which].add(values[place])
            if len(by_password[0]) == len(by_password[1]) == 1 and by_password[0] != by_password[1]:
                first = next(answer for which, answer, _ in shown if which == 0)
                found[place] = (first, next(answer for which, answer, _ in shown if which == 1))
            elif _is_sealed_anew(place, [values[place] for _, _, values in shown]):
                found[place] = (shown[0][1], shown[1][1])
    return found


def _is_sealed_anew(place: str, values: list[str]) -> bool:
    """Tell whether a member named for the password is another long text each time: encrypted or hashed with a salt of
    its own.
    """
    name = place.rsplit(".", 1)[-1].casefold()
    long = all(len(value) >= 14 and value.startswith('"') and timestamp(value.strip('"')) is None for value in values)
    return "passw" in name and not name.endswith("_at") and long and len(set(values)) == len(values)


def _values(answer: Answer) -> dict[str, str]:
    """Give every value in an answer by its place: leaves of the body, header fields, the status."""
    values = {f"header {name.lower()}": value for name, value in answer.headers if name.lower() not in _PASSING}
    values.pop("header content-length", None)
    values["status"] = str(answer.status)
    if answer.json is None:
        values["body"] = answer.body.decode("utf-8", "replace")
        return values
    document = answer.json
    if isinstance(answer.data, list):  # an entry is known by its id, wherever in the list it stands
        document = {str(entry["id"]): entry for entry in answer.data if isinstance(entry, dict) and "id" in entry}
    values.update((path, json.dumps(leaf)) for path, leaf in leaves(document))
    return values
