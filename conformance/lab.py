"""What probes share: valid requests, the trunks they work on, and the controls that make a refusal count.

A refusal proves a rule only if the same request with valid values is accepted in this run. So a refusal is first kept
as *pending*; the next accepted request of its kind confirms it, at the latest one that `close` sends for that purpose.
What no accepted request followed is not judged.
"""

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from conformance import expect
from conformance.canaries import Canaries
from conformance.client import ABSENT, FIRST, OTHER, Answer, Client, NotJudged
from conformance.expect import Broken
from conformance.refusals import Case, Refusals
from conformance.rules import Profile

TRUNKS: Final = "/sip-trunks"
CONTROL_EVERY = 200  # refusals that may wait for one control
DOCUMENTED_DOMAIN = "sip.carrier-x.com"  # the example of the API's own page: no implementation may refuse it
LIKELY_FAILING_DOMAIN = "auth-fail.carrier-x.com"  # what this project's mock takes for failing; others may not

# What ordinary trunks are registered with: ports that are another transport's default, and the ends of the range.
_ENDPOINTS = (("tls", 5061), ("tcp", 5061), ("udp", 5062), ("tls", 5060), ("tcp", 65535), ("udp", 1))

# Numbers that are valid in their country's plan: the part reserved for fiction of North American area codes.
_AREA_CODES = (
    202,
    206,
    212,
    213,
    214,
    215,
    303,
    305,
    312,
    313,
    404,
    412,
    415,
    503,
    504,
    512,
    602,
    612,
    617,
    702,
    713,
    808,
)


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked to do."""

    profile: Profile = Profile.STANDARD
    working_domain: str | None = None
    failing_domain: str | None = None
    read_only: bool = False
    keep: bool = False
    run_id: str = field(default_factory=lambda: secrets.token_hex(3))
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Pending:
    """A refusal that waits for its control. `live` is how many trunks the kit had at the time."""

    rule: str
    kind: str
    live: int


class Lab:
    """The bench on which probes work. Everything here may raise NotJudged."""

    def __init__(self, client: Client, canaries: Canaries, options: Options) -> None:
        self.client = client
        self.canaries = canaries
        self.options = options
        self.brief = options.profile is Profile.QUICK
        self.rule = ""  # the id of the rule that is being judged
        self.pending: list[Pending] = []
        self.unconfirmed: dict[str, str] = {}  # rules that no control followed, and why
        self.controls: dict[str, Answer] = {}  # the last accepted request of each kind
        self.notes: set[str] = set()
        self.last_sends: list[Callable[[Lab], None]] = []  # set by who knows the rules
        self.wants: Callable[[str], bool] = lambda _rule: False  # whether this run judges a rule; set by who knows
        self.refusals = Refusals(alone=options.profile is Profile.DEEP, brief=self.brief)
        self.refusals.senders = {"create": self._bad_create, "did": self._bad_did}
        self.refused_minimal: Broken | None = None  # what is wrong with a create that sends the required fields alone
        self.refused_documented: Answer | None = (
            None  # the documented create, where only another form of it was accepted
        )
        self._spare: list[Answer] = []  # trunks that positive probes made and nobody has touched since
        self._names = 0
        self._numbers = int(options.run_id, 16)
        self._live = 0
        self._closed = False
        self.leftovers: list[str] = []
        self.last_list: tuple[dict[str, Answer], list[str]] | None = None  # see `listing`

    # Valid requests

    def name(self) -> str:
        """Give a trunk name that nobody else has."""
        self._names += 1
        return f"trunkcheck {self.options.run_id} {self._names}"

    @property
    def domain(self) -> str:
        """The domain of ordinary trunks: the working one, or the documentation's."""
        return self.options.working_domain or DOCUMENTED_DOMAIN

    def body(self, **changes: Any) -> dict[str, Any]:
        """Give a valid create body (the documented seven fields), with changes; ABSENT leaves a field out."""
        name = self.name()
        transport, port = (
            _ENDPOINTS[self._names % len(_ENDPOINTS)] if self._names > 1 and not changes else _ENDPOINTS[0]
        )
        fields = {
            "name": name,
            "provider_name": "carrier-x",
            "domain": self.domain,
            "username": "user_42",
            "password": ABSENT if "password" in changes else self.canaries.password(),
            "port": port,
            "transport": transport,
            **changes,
        }
        return {name: value for name, value in fields.items() if value is not ABSENT}

    @cached_property
    def refused_number(self) -> str:
        """A number that this run sends in bad forms alone; always the same, since a case is known by its label."""
        return self.number()

    def number(self) -> str:
        """Give a US number that this run has not used."""
        self._numbers += 7
        area = _AREA_CODES[self._numbers // 100 % len(_AREA_CODES)]
        return f"+1{area}5550{100 + self._numbers % 100}"

    # Requests

    def create(self, body: Any = ABSENT, *, actor: str = FIRST, **how: Any) -> Answer:
        """Send a create; what it makes is noted for the clean-up."""
        fields = self.body() if body is ABSENT else body
        if isinstance(fields, dict) and isinstance(fields.get("password"), str):
            realms = [fields.get("domain"), fields.get("auth_realm")]
            context = [str(fields.get("username")), *(realm for realm in realms if isinstance(realm, str))]
            self.canaries.remember(fields["password"], *context)
        how.setdefault("operation", "POST /sip-trunks")
        answer = self.client.send("POST", TRUNKS, fields, actor=actor, **how)
        if (path := trunk_path(answer)) and answer.is_success:
            self.client.note_made(actor, path)
            self._live += actor == FIRST
            if actor == FIRST and "negative" not in how.get("tags", ()):
                self.confirm("create", answer)
        return answer

    def update(self, path: str, body: Any, *, actor: str = FIRST, **how: Any) -> Answer:
        """Send an update of a trunk."""
        answer = self.client.send("PUT", path, body, actor=actor, **{"operation": "PUT /sip-trunks/{trunk_id}", **how})
        if answer.is_success and actor == FIRST and not how.get("tags"):
            self.confirm("update", answer)
        return answer

    def get(self, path: str, *, actor: str = FIRST, **how: Any) -> Answer:
        """Read a trunk."""
        return self.client.send("GET", path, actor=actor, **{"operation": "GET /sip-trunks/{trunk_id}", **how})

    def verify(self, path: str, *, actor: str = FIRST, **how: Any) -> Answer:
        """Send a Verify."""
        how.setdefault("operation", "POST /sip-trunks/{trunk_id}/verify")
        return self.client.send("POST", f"{path}/verify", actor=actor, **how)

    def health(self, path: str, *, actor: str = FIRST, **how: Any) -> Answer:
        """Ask for a trunk's health."""
        how.setdefault("operation", "GET /sip-trunks/{trunk_id}/health")
        return self.client.send("GET", f"{path}/health", actor=actor, **how)

    def dids(self, path: str, *, actor: str = FIRST, **how: Any) -> Answer:
        """List a trunk's DIDs."""
        how.setdefault("operation", "GET /sip-trunks/{trunk_id}/dids")
        return self.client.send("GET", f"{path}/dids", actor=actor, **how)

    def add_did(self, path: str, body: Any, *, actor: str = FIRST, **how: Any) -> Answer:
        """Add a DID; what it makes is noted for the clean-up."""
        how.setdefault("operation", "POST /sip-trunks/{trunk_id}/dids")
        answer = self.client.send("POST", f"{path}/dids", body, actor=actor, **how)
        if answer.is_success and (identity := answer.member("id")) is not None:
            self.client.note_made(actor, f"{path}/dids/{quote(str(identity), safe='')}")
            if actor == FIRST and not how.get("tags"):
                self.confirm("did", answer)
        return answer

    def delete_did(self, path: str, *, actor: str = FIRST, **how: Any) -> Answer:
        """Delete a DID by its path."""
        how.setdefault("operation", "DELETE /sip-trunks/{trunk_id}/dids/{phone_number_id}")
        answer = self.client.send("DELETE", path, actor=actor, **how)
        if answer.is_success:
            self.client.note_gone(actor, path)
        return answer

    def delete(self, path: str, *, actor: str = FIRST, **how: Any) -> Answer:
        """Delete a trunk."""
        answer = self.client.send("DELETE", path, actor=actor, **{"operation": "DELETE /sip-trunks/{trunk_id}", **how})
        if answer.is_success and (actor, path) in self.client.made:
            self.client.note_gone(actor, path)
            self._live -= actor == FIRST
        return answer

    def discard(self, answer: Answer) -> None:
        """Delete what a create made, if it made something."""
        path = trunk_path(answer)
        if path and answer.is_success and not self.options.keep:
            self.delete(path, actor=answer.actor)

    # Trunks to work on

    def keep_spare(self, answer: Answer) -> None:
        """Leave a trunk that is no longer needed to the next probe that wants one of its own."""
        if answer.is_success and trunk_path(answer) and answer.member("is_verified") is False:
            self._spare.append(answer)

    def take(self, *, to_verify: bool = False) -> Answer:
        """Give a trunk that nobody else uses; NotJudged when none is to be had.

        One `to_verify` is on the working domain, not on udp and on a port that is no default, so that a change shows.
        """
        found = self.spare(self.is_on_working_domain if to_verify else lambda _answer: True)
        if found is None and to_verify:
            return self.usable(self.create(self.body(transport="tcp", port=5061)), "a create")
        return found or self.usable(self.create(), "a create")

    def spare(self, fits: Callable[[Answer], bool]) -> Answer | None:
        """Give a trunk that is no longer needed and fits, or None."""
        found = next(filter(fits, self._spare), None)
        if found is not None:
            self._spare.remove(found)
        return found

    def is_on_working_domain(self, answer: Answer) -> bool:
        """Tell whether a trunk can be verified, and its later changes of port and to udp show."""
        return (
            expect.same_host(answer.member("domain"), self.domain)
            and answer.member("transport") != "udp"
            and (answer.member("transport"), answer.member("port")) in _ENDPOINTS[1:]
        )

    def _let_go(self) -> bool:
        """Delete the spare trunks, for where there is a quota; tell whether there were any."""
        spare, self._spare = self._spare, []
        for answer in spare:
            self.discard(answer)
        return bool(spare)

    # Positives

    def accept(self, send: Callable[[], Answer], statuses: Iterable[int], kind: str) -> Answer:
        """Want a valid request to be accepted; refused twice, while its plain form is accepted, it is Broken."""
        answer = send()
        if not answer.is_success and self._let_go():
            answer = send()
        if answer.is_success:
            return answer
        if answer.status >= 500:
            raise NotJudged(f"{answer.where} answered {answer.status}, which another rule judges")
        control = self.control(kind)
        again = send()
        if again.is_success:
            return again
        raise Broken(" or ".join(map(str, statuses)), expect.summary(again), again, control=control)

    def accept_create(self, **changes: Any) -> Answer:
        """Create a trunk with valid values, which must be accepted; the caller discards it."""
        return self.accept(lambda: self.create(self.body(**changes)), (200, 201), "create")

    def accept_update(self, path: str, **changes: Any) -> Answer:
        """Update a trunk with valid values, which must be accepted."""
        return self.accept(lambda: self.update(path, changes), (200,), "update")

    def accept_update_or_answer(self, path: str, changes: Mapping[str, Any]) -> Answer:
        """Send an update that must be accepted; the refusal itself where it is not, for another probe to judge."""
        try:
            return self.accept_update(path, **changes)
        except Broken as broken:
            return broken.answers[-1]

    def usable(self, answer: Answer, what: str) -> Answer:
        """Give the answer if it is a success; otherwise nothing can be judged by it."""
        if not answer.is_success:
            raise NotJudged(f"{what} was refused ({expect.summary(answer)})")
        return answer

    # Negatives

    def refuse(
        self, answer: Answer, kind: str, label: str, *, expected: str = "400 or 422", cleanup: bool = True
    ) -> Answer:
        """Want a refusal. It counts once an accepted request of its kind has followed; an acceptance is Broken."""
        if answer.is_success and not expect.says_no(answer):
            if cleanup:
                self.discard(answer)
            raise Broken(expected, expect.summary(answer), answer, control=self.controls.get(kind), sent=label)
        if answer.is_refusal:
            self.pending.append(Pending(self.rule, kind, self._live))
            if sum(one.kind == kind for one in self.pending) >= CONTROL_EVERY:
                self._try_control(kind)
        return answer

    def cases(self, standard: Iterable[Any], deep: Iterable[Any] = ()) -> list[Any]:
        """Give the values that this run tries: the telling ones, and in the deep profile the others too."""
        return [*standard, *(deep if self.options.profile.includes(Profile.DEEP) else ())]

    def refuse_each(self, kind: str, cases: Iterable[Case]) -> None:
        """Want each case to be refused."""
        judged = False
        for case, answer in self.refusals.answers(kind, cases):
            judged = True
            self.refuse(answer, kind, f"{answer.where}, {case.label}", cleanup=kind == "create")
        if not judged:
            raise NotJudged("the quick profile sends too little for it (leave out --profile quick)")

    def _bad_create(self, changes: Mapping[str, Any]) -> Answer:
        return self.create(self.body(**changes), tags=("negative",))

    def _bad_did(self, changes: Mapping[str, Any]) -> Answer:
        fields = {"country_code": "US", "number": self.number(), **changes}
        answer = self.add_did(
            self.main, {name: value for name, value in fields.items() if value is not ABSENT}, tags=("negative",)
        )
        if answer.is_success and (path := did_path(self.main, answer)):
            self.delete_did(path)
        return answer

    def control(self, kind: str) -> Answer:
        """Send the plain valid request of a kind; NotJudged when it is refused."""
        answer = self.usable(self._controls[kind](), f"the control request ({kind})")
        self.confirm(kind, answer)
        return answer

    def confirm(self, kind: str, answer: Answer) -> None:
        """Let an accepted request confirm the refusals of its kind before it."""
        self.controls[kind] = answer
        live = self._live - (kind == "create")
        self.pending = [one for one in self.pending if one.kind != kind or (kind == "create" and one.live > live)]

    def _try_control(self, kind: str) -> None:
        try:
            self.control(kind)
        except NotJudged as error:
            for one in self.pending:
                if one.kind == kind:
                    self.unconfirmed[one.rule] = str(error)
            self.pending = [one for one in self.pending if one.kind != kind]

    @cached_property
    def _controls(self) -> dict[str, Callable[[], Answer]]:
        return {
            "create": self._control_create,
            "update": lambda: self.update(self.main, {"name": self.name()}),
            "did": self._control_did,
            "first": lambda: self.client.send("GET", TRUNKS, operation="GET /sip-trunks"),
            "other": lambda: self.client.send("GET", TRUNKS, actor=OTHER, operation="GET /sip-trunks"),
        }

    def _control_create(self) -> Answer:
        answer = self.create(self.body(port=5061))
        if answer.is_success:
            self.confirm("create", answer)
            self.discard(answer)
        return answer

    def _control_did(self) -> Answer:
        answer = self.add_did(self.main, {"country_code": "US", "number": self.number()})
        if answer.is_success and (path := did_path(self.main, answer)):
            self.delete_did(path)
        return answer

    # Shared trunks

    @cached_property
    def baseline(self) -> Answer:
        """The answer to the documented create; its trunk stays through the run. NotJudged when none is accepted."""
        tried = []
        for changes in (
            {},
            {"port": ABSENT, "transport": ABSENT},
            {"outbound_proxy": "proxy.carrier-x.com", "auth_realm": "carrier-x"},
        ):
            answer = self.create(self.body(**changes))
            tried.append(answer)
            if answer.is_success and not expect.says_no(answer):
                self.controls["create"] = answer
                self.refused_documented = tried[0] if len(tried) > 1 else None
                return answer
        self.notes.add(
            "Registering a trunk was refused, so hardly anything could be judged:"
            " see what the token's plan and quota allow."
        )
        raise NotJudged(f"no create was accepted ({expect.summary(tried[0])})")

    @cached_property
    def main(self) -> str:
        """The path of the trunk that stays through the run."""
        return path_of(self.baseline)

    def finish(self) -> None:
        """Send what belongs at the end of a run, then close. Does it once."""
        sends, self.last_sends = self.last_sends, []
        for send in sends if not self._closed else ():
            with suppress(NotJudged, Broken):
                send(self)
        self.close()

    def close(self) -> None:
        """Send the controls that are still owed, then delete everything that was made. Does it once, also after
        Ctrl-C.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._settle()
        finally:
            if not self.options.keep:
                self._clean_up()

    def _settle(self) -> None:
        for kind in dict.fromkeys(one.kind for one in self.pending):
            self._try_control(kind)
        for one in self.pending:
            self.unconfirmed[one.rule] = "no valid request was accepted while as many trunks were there"
        self.pending.clear()

    def _clean_up(self) -> None:
        from conformance import leftovers  # which needs the bench itself

        try:
            self.leftovers = leftovers.note(self)
        finally:
            try:
                self.client.clean_up()
            finally:
                self.leftovers += self.client.left
        if not self.brief and not self.options.read_only and self.client.paths:
            leftovers.look_again(self)


def trunk_path(answer: Answer) -> str | None:
    """Give the path of the trunk that an answer is about, or None."""
    identity = answer.member("id")
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        return None
    return f"{TRUNKS}/{quote(str(identity), safe='')}"


def did_path(trunk: str, answer: Answer) -> str | None:
    """Give the path of the DID that an answer is about, or None."""
    identity = answer.member("id")
    return None if identity is None else f"{trunk}/dids/{quote(str(identity), safe='')}"


def entries(answer: Answer) -> list[dict[str, Any]]:
    """Give the objects in a list that was answered; none where there is no list."""
    return [entry for entry in answer.data if isinstance(entry, dict)] if isinstance(answer.data, list) else []


def path_of(answer: Answer) -> str:
    """Give the path of the trunk that an answer is about; NotJudged where it has no id."""
    path = trunk_path(answer)
    if path is None:
        raise NotJudged("the create answered without an id")
    return path


class Sent:
    """A create that was accepted, and what it sent."""

    def __init__(self, answer: Answer, fields: Mapping[str, Any]) -> None:
        self.answer = answer
        self.fields = fields
        self._read: Answer | None = None

    @classmethod
    def of(cls, answer: Answer) -> "Sent":
        """Read what was sent from the answer's own request."""
        return cls(answer, json.loads(answer.request_body or b"{}"))

    def read(self, lab: Lab) -> Answer:
        """Read the trunk, once."""
        if self._read is None:
            self._read = lab.usable(lab.get(path_of(self.answer)), "reading the new trunk")
        return self._read


def assert_echo(sent: Sent, names: tuple[str, ...], answer: Answer | None = None) -> None:
    """Want the named fields to have the values that were sent."""
    where = answer or sent.answer
    for name in names:
        if name not in sent.fields:
            continue
        found, value = where.member(name), sent.fields[name]
        if name in {"domain", "outbound_proxy"} and expect.same_host(found, value):
            continue
        if not expect.same(found, value):
            raise Broken(f"{name} {expect.show(value)}", f"{name} {expect.show(found)}", where)
