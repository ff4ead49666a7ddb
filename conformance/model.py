"""What the trunks of two environments must be after each operation, as far as the documents say so. Sends nothing.

Where the documents leave an effect open, what the server says is taken over: an update with the same value, or of port,
proxy or realm, may take the verification away or leave it; so may an empty one; a Verify that fails may turn an active
trunk off at once or later. What is certain is certain for every implementation, and raises `Departure` with its rule.
Sources: the pages *Update SIP Trunk*, *Verify SIP Trunk*, *SIP Trunk Health*, *Delete SIP Trunk*.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from conformance import expect
from conformance.client import Answer
from conformance.expect import Broken

RESETTING: Final = ("domain", "transport", "username", "password")  # documented to take the verification away
MAY_RESET: Final = ("port", "outbound_proxy", "auth_realm")
FIELDS: Final = ("name", "provider_name", "domain", "username", "port", "transport", "outbound_proxy", "auth_realm")
STATES: Final = ("is_verified", "is_active")


class Departure(Exception):
    """The target departs from the model, by a rule."""

    def __init__(self, rule: str, broken: Broken) -> None:
        super().__init__(rule)
        self.rule = rule
        self.broken = broken


def depart(rule: str, expected: str, actual: str, *answers: Answer, control: Answer | None = None) -> None:
    """Raise a departure."""
    raise Departure(rule, Broken(expected, actual, *answers, control=control))


@dataclass
class Trunk:
    """A trunk as it must be. `settled` is off while its verification is a matter of choice."""

    actor: str
    path: str
    fields: dict[str, Any]
    shown: Answer  # the last answer that showed it
    is_verified: bool = False
    is_active: bool = False
    settled: bool = True
    dids: dict[str, str] = field(default_factory=dict)  # the path of a DID, to its number
    lost_numbers: set[str] = field(default_factory=set)  # that were deleted or refused

    @property
    def identity(self) -> str:
        """Its id, as answers have it."""
        return unquote(self.path.rsplit("/", 1)[-1])

    def learn(self, answer: Answer) -> None:
        """Take over what the server says."""
        for name in FIELDS:
            if name in (answer.data or {}):
                self.fields[name] = answer.member(name)
        if isinstance(answer.member("is_verified"), bool) and isinstance(answer.member("is_active"), bool):
            self.is_verified, self.is_active = answer.member("is_verified"), answer.member("is_active")
        self.shown = answer


def same(name: str, found: Any, value: Any) -> bool:
    """Compare a field's values: hosts in any letter case, the rest as JSON does."""
    if name in {"domain", "outbound_proxy"} and isinstance(value, str):
        return expect.same_host(found, value)
    return expect.same(found, value)


def unchanged(trunk: Trunk, rule: str, cause: Answer | None, read: Answer, *, fields_rule: str = "") -> None:
    """Want the trunk to be as it was, after something that may not change it."""
    context = [cause] if cause is not None else [trunk.shown]
    if read.status in {404, 410}:
        depart(rule, "the trunk as it was", expect.summary(read), *context, read, control=trunk.shown)
    if not read.is_success:
        return
    for name in FIELDS:
        if name in trunk.fields and name in (read.data or {}) and not same(name, read.member(name), trunk.fields[name]):
            _differs(fields_rule or rule, name, trunk.fields[name], *context, read, control=trunk.shown)
    for name in STATES if trunk.settled else ():
        if not expect.same(read.member(name), getattr(trunk, name)):
            _differs(rule, name, getattr(trunk, name), *context, read, control=trunk.shown)


def _differs(rule: str, name: str, value: Any, *answers: Answer, control: Answer | None = None) -> None:
    depart(
        rule,
        f"{name} {expect.show(value)}",
        f"{name} {expect.show(answers[-1].member(name))}",
        *answers,
        control=control,
    )


def changed_by(trunk: Trunk, changes: Mapping[str, Any]) -> list[str]:
    """Give the fields whose change is documented to take the verification away."""
    return [
        name
        for name in RESETTING
        if name in changes and (name == "password" or not same(name, changes[name], trunk.fields.get(name)))
    ]


def may_reset(changes: Mapping[str, Any]) -> bool:
    """Tell whether an update may take the verification away as its author likes."""
    return not changes or any(name in changes for name in (*RESETTING, *MAY_RESET))


def may_be_refused(trunk: Trunk, changes: Mapping[str, Any]) -> bool:
    """Tell whether a correct implementation may refuse a good update of this trunk."""
    activates = changes.get("is_active") is True and not (
        trunk.is_verified and trunk.settled and not may_reset(changes)
    )
    return activates or not changes or None in changes.values()


def updated(trunk: Trunk, changes: Mapping[str, Any], answer: Answer, read: Answer) -> None:
    """Judge an accepted update by its own answer and by what is read after it, then learn."""
    for where in (answer, read):
        if where.is_success and isinstance(where.data, dict):
            _fields_after(trunk, changes, answer, where)
            if trunk.settled:
                _states_after(trunk, changes, answer, where)
    trunk.learn(read)


def _answers(answer: Answer, where: Answer) -> tuple[Answer, ...]:
    return (answer,) if where is answer else (answer, where)


def _fields_after(trunk: Trunk, changes: Mapping[str, Any], answer: Answer, where: Answer) -> None:
    for name in FIELDS:
        if name not in where.data or name not in trunk.fields:
            continue
        found = where.member(name)
        before = trunk.fields[name]
        if name not in changes:
            if not same(name, found, before):
                rule = (
                    "update.transport.keeps-port"
                    if name == "port" and "transport" in changes
                    else "update.only-sent-fields"
                )
                _differs(rule, name, before, *_answers(answer, where), control=trunk.shown)
        elif changes[name] is None:
            unset = name in {"outbound_proxy", "auth_realm"} and found is None
            if not unset and not same(name, found, before):
                _differs("update.null.not-stored", name, before, *_answers(answer, where), control=trunk.shown)
        elif not same(name, found, changes[name]):
            _differs(f"update.{name}.changes", name, changes[name], *_answers(answer, where), control=trunk.shown)


def _states_after(trunk: Trunk, changes: Mapping[str, Any], answer: Answer, where: Answer) -> None:
    is_verified, is_active = where.member("is_verified"), where.member("is_active")
    if not isinstance(is_verified, bool) or not isinstance(is_active, bool):
        return  # another rule judges that
    resetting = changed_by(trunk, changes)
    said = _answers(answer, where)
    kept = next((name for name in ("name", "provider_name", "is_active") if name in changes), "name")
    if not trunk.is_verified and is_verified is True:
        _differs("update.is-verified.server-made", "is_verified", False, *said, control=trunk.shown)
    if trunk.is_verified and resetting and is_verified is not False:
        _differs(f"update.{resetting[0]}.resets-verification", "is_verified", False, *said, control=trunk.shown)
    if trunk.is_verified and not resetting and not may_reset(changes) and is_verified is not True:
        _differs(f"update.{kept}.keeps-verification", "is_verified", True, *said, control=trunk.shown)
    if is_active is True and is_verified is False:
        rule = f"update.{resetting[0]}.deactivates" if resetting and trunk.is_active else "activation.unverified.update"
        rule = "activation.with-a-change" if resetting and changes.get("is_active") else rule
        _differs(rule, "is_active", False, *said, control=trunk.shown)
    if is_verified is not True or may_reset(changes) or not trunk.is_verified:
        return
    wanted = changes["is_active"] if isinstance(changes.get("is_active"), bool) else trunk.is_active
    if not expect.same(is_active, wanted):
        rule = "activation.verified" if changes.get("is_active") is True else f"update.{kept}.keeps-verification"
        _differs(rule, "is_active", wanted, *said, control=trunk.shown)


def verified(trunk: Trunk, answer: Answer, read: Answer) -> None:
    """Judge a Verify by what is read after it, then learn."""
    if not read.is_success:
        return
    for name in FIELDS:
        if name in trunk.fields and name in (read.data or {}) and not same(name, read.member(name), trunk.fields[name]):
            _differs("answer.as-sent", name, trunk.fields[name], answer, read, control=trunk.shown)
    yes = answer.status == 200 and answer.member("is_verified") is True and not expect.says_no(answer)
    no = answer.status in {200, 422} and answer.member("is_verified") is False
    if yes:
        for name, value in (("is_verified", True), ("health_status", "healthy")):
            if not expect.same(read.member(name), value):
                _differs("verify.sets-verified", name, value, answer, read, control=trunk.shown)
        if not trunk.is_active and trunk.settled and read.member("is_active") is not False:
            _differs("verify.does-not-activate", "is_active", False, answer, read, control=trunk.shown)
    elif no and not trunk.is_verified and trunk.settled:
        for name in STATES:
            if read.member(name) is not False:
                _differs("verify.failed.unverified", name, False, answer, read, control=trunk.shown)
    trunk.settled = yes or (trunk.settled and not trunk.is_verified)
    trunk.learn(read)


def listed_dids(trunk: Trunk, answer: Answer, others: Iterable[Trunk]) -> None:
    """Judge a list of DIDs: none of another trunk, none that was deleted or refused, and its only one."""
    if not answer.is_success or not isinstance(answer.data, list):
        return
    numbers = [str(entry.get("number")) for entry in answer.data if isinstance(entry, dict)]
    for other in others:
        for number in other.dids.values():
            if number in numbers and number not in trunk.dids.values():
                depart("did.own-trunk-alone", "a list without the other trunk's DID", "it is there", answer)
    for number in trunk.lost_numbers:
        if number in numbers and number not in trunk.dids.values():
            depart("did.deleted", "a list without the deleted DID", "it is there", answer)
    for number in trunk.dids.values():
        if len(trunk.dids) == 1 and numbers.count(number) != 1:
            depart("did.listed", "its DID, once", f"{numbers.count(number)} times", trunk.shown, answer)


def hidden(operation: str, answer: Answer, owner_saw: Answer) -> None:
    """Want another environment's trunk not to be there for an operation."""
    allowed = (403, 404, 422, 400) if operation in {"update", "add-did"} else (403, 404)
    if answer.status < 500 and answer.status not in allowed:
        depart(f"isolation.{operation}", "404 or 403", expect.summary(answer), owner_saw, answer, control=owner_saw)


def absent(answer: Answer, deleted: Answer) -> None:
    """Want a deleted trunk not to be there."""
    allowed = (404, 410, 422) if answer.method in {"PUT", "POST"} else (404, 410)
    if answer.status < 500 and answer.status not in allowed:
        depart("delete.gone", "404", expect.summary(answer), deleted, answer)
