"""A state machine beside the model: the lives of trunks in two environments, each step compared with the model's."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial, wraps
from typing import Any, ClassVar, Final

from hypothesis import seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy

from conformance import expect, model, strategies
from conformance.client import FIRST, OTHER, Answer, NotJudged
from conformance.deep.bench import Bench, Over, configured
from conformance.deep.pairs import activate, filled, is_accepted, update
from conformance.lab import LIKELY_FAILING_DOMAIN, did_path, entries
from conformance.listing import listed
from conformance.model import Departure, Trunk, depart

REDUCING: Final = 250  # requests that go into the reduction of a finding, at most
STEPS: Final = 9  # of a life
LISTS: Final = 4  # requests that one look at the list may cost


def explore(bench: Bench) -> None:
    """Let trunks live, one life after another, until the share is used up."""
    for number in range(100):
        before = bench.client.requests
        Life.bench = bench
        with bench.hunt(REDUCING):
            machine = seed(f"{bench.seed} life {number}")(type("ALife", (Life,), {}))
            run_state_machine_as_test(machine, settings=configured(25, stateful_step_count=STEPS))
        if bench.client.requests == before:
            return


def _step(does: Callable[..., None]) -> Callable[..., None]:
    """Make a step of a life: it ends the life where it departs from the model in a way that is not being looked for."""

    @wraps(does)
    def step(self: "Life", **values: Any) -> None:
        if self.is_over or self.bench.is_reduced:
            return
        try:
            does(self, **values)
        except Departure as departure:
            self.is_over = True
            if self.bench.note(departure):
                raise
        except NotJudged:
            self.is_over = True

    return step


_SAME: Final = "the same again"
_WORKING: Final = "the working one"
_FAILING: Final = "the failing one"
_UPDATES: Final[Mapping[str, SearchStrategy[Any]]] = {
    "is_active": st.booleans(),
    "name": strategies.name_endings(),
    "provider_name": strategies.texts(),
    "domain": st.sampled_from((_WORKING, "sip2.carrier-x.com", _FAILING, _SAME)),
    "username": strategies.texts() | st.just(_SAME),
    "password": strategies.passwords(),
    "transport": strategies.transports() | st.just(_SAME),
    "port": strategies.ports(),
    "outbound_proxy": strategies.hosts() | st.none(),
    "auth_realm": strategies.texts() | st.none(),
}
_WHICH = st.integers(0, 5)
_CHANGES = st.lists(st.sampled_from(list(_UPDATES)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: _UPDATES[name] for name in names})
)
_BAD_UPDATES = [pair for pair in strategies.pairs() if pair.kind == "update"]
_BAD = st.sampled_from(range(len(_BAD_UPDATES))).flatmap(
    lambda number: st.tuples(st.just(number), _BAD_UPDATES[number].bad)
)
_FOREIGN = ("read", "update", "verify", "health", "list-dids", "add-did", "delete-did", "delete")
_GONE = ("read", "update", "verify", "health", "list-dids", "add-did", "delete")


class Life(RuleBasedStateMachine):
    """Trunks of two environments, and the model of each."""

    bench: ClassVar[Bench]

    def __init__(self) -> None:
        super().__init__()
        self.trunks: list[Trunk] = []
        self.deleted: list[tuple[Trunk, Answer]] = []
        self.numbers_added = 0
        self.is_over = False
        self.lab = self.bench.lab
        self.bench.story.clear()

    def _ask(self, word: str, send: Callable[[], Answer]) -> Answer:
        self.bench.story.append(word)
        return self.bench.ask(send)

    def _pick(self, which: int) -> Trunk:
        return self.trunks[which % len(self.trunks)]

    def _read(self, trunk: Trunk) -> Answer:
        return self.bench.ask(lambda: self.lab.get(trunk.path, actor=trunk.actor))

    @initialize(drawn=_CHANGES)
    @_step
    def begin(self, drawn: dict[str, Any]) -> None:
        """Create the first trunk, activate it, and change something."""
        self.bench.story.append("create")
        self.trunks.append(self.bench.create_trunk())
        self._activate(self.trunks[0], drawn)

    @precondition(lambda self: len(self.trunks) < 3)
    @rule(other=st.booleans(), shape=strategies.shapes())
    @_step
    def create(self, other: bool, shape: dict[str, Any]) -> None:
        """Create another, in one environment or the other."""
        actor = OTHER if other and self.bench.client.has(OTHER) else FIRST
        self.bench.story.append(f"create ({actor})")
        self.trunks.append(self.bench.create_trunk(actor, **shape))

    @precondition(lambda self: self.trunks)
    @rule(which=_WHICH, drawn=_CHANGES)
    @_step
    def change(self, which: int, drawn: dict[str, Any]) -> None:
        """Change some fields to other good values, or to the same."""
        self._change(self._pick(which), drawn)

    def _change(self, trunk: Trunk, drawn: Mapping[str, Any]) -> None:
        changes = {name: self._value(trunk, name, value) for name, value in drawn.items()}
        self.bench.story.append(f"update {' and '.join(drawn) or 'nothing'}")
        update(self.bench, trunk, changes)

    def _value(self, trunk: Trunk, name: str, value: Any) -> Any:
        if value == _SAME:
            return trunk.fields.get(name)
        if name == "domain":
            failing = self.lab.options.failing_domain or LIKELY_FAILING_DOMAIN
            return {_WORKING: self.lab.domain, _FAILING: failing}.get(value, value)
        return f"{self.lab.name()} {value}" if name == "name" else filled(value, self.lab)

    @precondition(lambda self: self.trunks)
    @rule(which=_WHICH, bad=_BAD)
    @_step
    def update_badly(self, which: int, bad: tuple[int, Any]) -> None:
        """Change a good field and a bad one together."""
        trunk, pair, value = self._pick(which), _BAD_UPDATES[bad[0]], bad[1]
        beside = (
            {"name": self.lab.name()} if pair.field != "name" else {"provider_name": f"carrier-{self.lab.name()[-1]}"}
        )
        body = {**beside, pair.field: filled(value, self.lab)}
        answer = self._ask(
            f"update {pair.field} badly",
            lambda: self.lab.update(trunk.path, body, actor=trunk.actor, tags=("negative",)),
        )
        read = self._read(trunk)
        if answer.is_refusal:
            model.unchanged(trunk, "update.refused-changes-nothing", answer, read)
        elif is_accepted(answer):
            self.is_over = True  # the pairs find that
        trunk.learn(read)

    @precondition(lambda self: self.trunks)
    @rule(which=_WHICH)
    @_step
    def verify(self, which: int) -> None:
        """Verify."""
        trunk = self._pick(which)
        answer = self._ask("verify", lambda: self.lab.verify(trunk.path, actor=trunk.actor))
        model.verified(trunk, answer, self._read(trunk))

    @precondition(lambda self: self.trunks)
    @rule(which=_WHICH, drawn=_CHANGES)
    @_step
    def activate(self, which: int, drawn: dict[str, Any]) -> None:
        """Verify on the working domain, activate, and change something of what is active."""
        self._activate(self._pick(which), drawn)

    def _activate(self, trunk: Trunk, drawn: Mapping[str, Any]) -> None:
        if trunk.fields.get("domain") != self.lab.domain:
            self._change(trunk, {"domain": _WORKING})
        self.bench.story += ["verify", "activate"]
        activate(self.bench, trunk)
        if drawn:
            self._change(trunk, drawn)

    @precondition(lambda self: not all(trunk.is_verified for trunk in self.trunks))
    @rule(times=st.integers(1, 3))
    @_step
    def insist(self, times: int) -> None:
        """Try to activate a trunk that is not verified, several times."""
        trunk = next(one for one in self.trunks if not one.is_verified)
        for _ in range(times):
            self._change(trunk, {"is_active": True})

    @precondition(lambda self: self.trunks)
    @rule(which=_WHICH)
    @_step
    def check_health(self, which: int) -> None:
        """Ask for the health, which changes neither verification nor activity."""
        trunk = self._pick(which)
        answer = self._ask("health", lambda: self.lab.health(trunk.path, actor=trunk.actor))
        model.unchanged(trunk, "health.leaves-verification", answer, self._read(trunk), fields_rule="answer.as-sent")

    @precondition(lambda self: self.trunks and self.numbers_added < 3)
    @rule(which=_WHICH)
    @_step
    def add_did(self, which: int) -> None:
        """Add a number, or one that is there already, which must be refused."""
        self.numbers_added += 1
        trunk = self._pick(which)
        taken = next((number for one in self.trunks if one.actor == trunk.actor for number in one.dids.values()), None)
        number = taken or self.lab.number()
        did = {"country_code": "US", "number": number}
        tags = ("taken",) if taken else ()
        answer = self._ask("add a DID", lambda: self.lab.add_did(trunk.path, did, actor=trunk.actor, tags=tags))
        if answer.is_success and taken:
            depart(
                "did.number.unique",
                "409",
                expect.summary(answer),
                answer,
                control=self.bench.accepted.get(answer.operation),
            )
        if answer.is_success and (path := did_path(trunk.path, answer)):
            trunk.dids[path] = number
        self._list_dids(trunk)

    def _list_dids(self, trunk: Trunk) -> None:
        answer = self.bench.ask(lambda: self.lab.dids(trunk.path, actor=trunk.actor))
        model.listed_dids(trunk, answer, [one for one in self.trunks if one is not trunk])

    @precondition(lambda self: any(trunk.dids for trunk in self.trunks))
    @rule(through_another=st.booleans())
    @_step
    def delete_did(self, through_another: bool) -> None:
        """Take a number off its trunk, or try to through another trunk's path."""
        trunk = next(one for one in self.trunks if one.dids)
        path, number = next(iter(trunk.dids.items()))
        another = next((one for one in self.trunks if one is not trunk and one.actor == trunk.actor), None)
        if through_another and another:
            wrong = f"{another.path}/dids/{path.rsplit('/', 1)[-1]}"
            operation = "DELETE /sip-trunks/{trunk_id}/dids/{phone_number_id}"
            answer = self._ask(
                "delete its DID through another trunk",
                lambda: self.bench.client.send("DELETE", wrong, actor=trunk.actor, operation=operation),
            )
            if answer.is_success:
                depart("did.delete.own-trunk-alone", "404", expect.summary(answer), trunk.shown, answer)
        else:
            answer = self._ask("delete its DID", lambda: self.lab.delete_did(path, actor=trunk.actor))
            if answer.is_success:
                del trunk.dids[path]
                trunk.lost_numbers.add(number)
        self._list_dids(trunk)

    @precondition(lambda self: len(self.trunks) > 1)
    @rule(which=_WHICH)
    @_step
    def delete(self, which: int) -> None:
        """Delete a trunk, which is refused while it has DIDs; then look at the others."""
        trunk = self._pick(which)
        answer = self._ask("delete", lambda: self.lab.delete(trunk.path, actor=trunk.actor))
        if answer.is_success and trunk.dids:
            depart("delete.has-dids", "409", expect.summary(answer), trunk.shown, answer)
        if answer.is_success:
            self.trunks.remove(trunk)
            self.deleted.append((trunk, answer))
            for other in self.trunks:
                model.unchanged(other, "delete.others-untouched", answer, self._read(other))
        else:
            rule_id = "delete.has-dids" if trunk.dids else "answer.as-sent"
            model.unchanged(trunk, rule_id, answer, self._read(trunk))

    @precondition(lambda self: self.deleted)
    @rule(which=_WHICH, operation=st.sampled_from(_GONE))
    @_step
    def use_deleted(self, which: int, operation: str) -> None:
        """Try an operation on a trunk that is deleted."""
        trunk, deleted = self.deleted[which % len(self.deleted)]
        model.absent(self._try(trunk, operation, trunk.actor, ("absent",)), deleted)

    @precondition(lambda self: self.trunks and self.bench.client.has(OTHER))
    @rule(which=_WHICH, operation=st.sampled_from(_FOREIGN))
    @_step
    def use_foreign(self, which: int, operation: str) -> None:
        """Try an operation with the token of the environment that the trunk does not belong to."""
        trunk = self._pick(which)
        if operation == "delete-did" and not trunk.dids:
            return
        answer = self._try(trunk, operation, OTHER if trunk.actor == FIRST else FIRST, ("foreign",))
        model.hidden(operation, answer, trunk.shown)
        model.unchanged(trunk, "isolation.nothing-changes", answer, self._read(trunk))
        if operation.endswith("-did"):
            self._list_dids(trunk)

    def _try(self, trunk: Trunk, operation: str, actor: str, tags: tuple[str, ...]) -> Answer:
        lab, path = self.lab, trunk.path
        did = next(iter(trunk.dids), f"{path}/dids/{path.rsplit('/', 1)[-1]}")
        number = {"country_code": "US", "number": lab.number()}
        how: dict[str, Any] = {"actor": actor, "tags": tags}
        tries: Mapping[str, Callable[[], Answer]] = {
            "read": lambda: lab.get(path, **how),
            "update": lambda: lab.update(path, {"name": lab.name(), "password": lab.canaries.password()}, **how),
            "verify": lambda: lab.verify(path, **how),
            "health": lambda: lab.health(path, **how),
            "list-dids": lambda: lab.dids(path, **how),
            "add-did": lambda: lab.add_did(path, number, **how),
            "delete-did": lambda: lab.delete_did(did, **how),
            "delete": lambda: lab.delete(path, **how),
        }
        return self._ask(f"{operation} ({', '.join(tags)})", tries[operation])

    @precondition(lambda self: self.trunks)
    @rule(other=st.booleans())
    @_step
    def look(self, other: bool) -> None:
        """Look at the list of one environment: its trunks as they are, none of the other's, none that is deleted."""
        actor = OTHER if other and self.bench.client.has(OTHER) else FIRST
        own = {trunk.identity: trunk for trunk in self.trunks if trunk.actor == actor}
        before = self.bench.client.requests
        found = self.bench.guard(lambda: listed(self.lab, actor, until=frozenset(own)), cost=LISTS)
        self.bench.story.append("list")
        self._judge_list(own, found)
        if self.bench.client.requests - before > LISTS:
            self.is_over = True  # a long list costs too much to be looked at often

    def _judge_list(self, own: Mapping[str, Trunk], found: Mapping[str, Answer]) -> None:
        for trunk in self.trunks:
            if trunk.identity in found and trunk.identity not in own:
                depart(
                    "isolation.list",
                    "no trunk of another environment",
                    "it is there",
                    trunk.shown,
                    found[trunk.identity],
                )
        for trunk, deleted in self.deleted:
            if trunk.identity in found and trunk.identity not in own:
                depart(
                    "delete.not-listed",
                    "a list without the deleted trunk",
                    "it is there",
                    deleted,
                    found[trunk.identity],
                )
        for identity, trunk in own.items():
            if identity not in found:
                pages = list(found.values())[-1:]
                depart("list.complete", "every trunk of the environment", "one is missing", trunk.shown, *pages)
            for entry in entries(found[identity]):
                if str(entry.get("id")) == identity:
                    self._judge_entry(trunk, entry, found[identity])

    def _judge_entry(self, trunk: Trunk, entry: Mapping[str, Any], page: Answer) -> None:
        for name in (*model.FIELDS, *(model.STATES if trunk.settled else ())):
            known = trunk.fields[name] if name in trunk.fields else getattr(trunk, name, None)
            if name in entry and known is not None and not model.same(name, entry[name], known):
                depart(
                    "list.up-to-date",
                    f"{name} {expect.show(known)}",
                    f"{name} {expect.show(entry[name])}",
                    trunk.shown,
                    page,
                )

    def teardown(self) -> None:
        """Delete what this life made."""
        for trunk in self.trunks:
            with suppress(NotJudged, Over):  # the clean-up at the end tries again
                self._remove(trunk)

    def _remove(self, trunk: Trunk) -> None:
        for path in list(trunk.dids):
            self.bench.guard(partial(self.lab.delete_did, path, actor=trunk.actor), cleaning=True)
        gone = self.bench.remove(trunk.path, trunk.actor)
        if gone is not None and gone.status == 409 and trunk.is_active:
            inactive = {"is_active": False}
            self.bench.guard(partial(self.lab.update, trunk.path, inactive, actor=trunk.actor), cleaning=True)
            self.bench.remove(trunk.path, trunk.actor)
