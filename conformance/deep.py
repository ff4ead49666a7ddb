"""The deep profile: one-difference pairs, a state machine beside our own model, and Schemathesis as a generator of requests.

Everything is sent with the kit's own client, so pacing, masks, canaries and clean-up hold as in any run. What is found becomes a
judgement on a rule that the kit has anyway, reduced by Hypothesis to one request and its control. Bounded by requests and
minutes; the same seed sends the same requests to the same server. Nothing is kept on disk.
Hypothesis and Schemathesis are imported by this module and those that only it imports.
"""

import inspect
import secrets
import string
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, Final, TypeVar
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, Verbosity, configuration, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.internal.conjecture import providers
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from hypothesis.strategies import SearchStrategy

from conformance import expect, model, strategies
from conformance.client import ABSENT, FIRST, OTHER, Answer, NotJudged, Stopped
from conformance.expect import Broken
from conformance.lab import LIKELY_FAILING_DOMAIN, Lab, did_path, entries, trunk_path
from conformance.listing import listed
from conformance.model import Departure, Trunk, depart
from conformance.probes import test_answers, test_create, test_redaction
from conformance.rules import RULES, Outcome
from conformance.session import Judgement, Run
from conformance.strategies import Difference, Pair, Secret

REQUESTS: Final = 2000
MINUTES: Final = 10.0
GROUND: Final = "create.accepted"  # nothing is explored without it
SILENCES: Final = 3  # requests in a row without an answer, after which no more are sent
REDUCING: Final = 60  # requests that go into the reduction of a finding, at most
REDUCING_A_LIFE: Final = 250
STEPS: Final = 12  # of a life
LISTS: Final = 4  # requests that one look at the list may cost

_SAFE = frozenset(string.ascii_letters + string.digits + "~-_")
_Given = TypeVar("_Given")


class _Over(BaseException):
    """The share of a part is used up. No Exception, so that Hypothesis lets it through."""


def explore(run: Run, limits: Mapping[str, Any]) -> None:
    """Send up to so many requests for so many minutes, and add what is found to the judgements of the run."""
    ground = run.judgements.get(GROUND)
    if run.lab.options.read_only or ground is not None and ground.outcome is not Outcome.KEPT:
        return
    run.lab.options = replace(run.lab.options, seed=run.lab.options.seed or secrets.randbelow(2**31 - 1) + 1)
    requests, minutes = limits.get("requests"), limits.get("minutes")
    bench = Bench(run, REQUESTS if requests is None else requests, MINUTES if minutes is None else minutes)
    try:
        with _alone():
            for share, part in ((0.4, _refusals), (0.35, _differences), (0.65, _lives), (1.0, _sweep)):
                if not bench.silent and not run.stopped:
                    bench.part(share, part)
    finally:
        bench.close()


class Bench:
    """The bench of the exploration: spends the budget, sees every answer, and keeps what is found, the smallest of each rule."""

    def __init__(self, run: Run, requests: int, minutes: float) -> None:
        self.run = run
        self.lab: Lab = run.lab
        self.client = run.lab.client
        self.seed: int = run.lab.options.seed
        self.found: dict[str, Broken] = {}
        self.accepted: dict[str, Answer] = {}  # the last success of each operation
        self.story: list[str] = []  # what the example at hand has sent
        self.hunted: str | None = None  # the rule whose finding is being reduced
        self.silent = False
        self.share = 0  # requests of the part at hand
        self._trunk: Trunk | None = None
        self._sizes: dict[str, tuple[int, int]] = {}
        self._reduced = 0  # the request after which reducing ends
        self._silences = 0
        self._started = len(self.client.answers)
        self._last = self._until = self.client.requests + requests
        self._end = self._deadline = time.monotonic() + 60 * minutes
        self._passive = _passive_probes()
        self.client.limit = self._last

    # The budget

    def part(self, share: float, explore: Callable[["Bench"], None]) -> None:
        """Explore with this share of what is left."""
        now = time.monotonic()
        self.share = int((self._last - self.client.requests) * share)
        self._until = self.client.requests + self.share
        self._deadline = now + (self._end - now) * share
        try:
            explore(self)
        except _Over:
            pass
        finally:
            self.hunted = None
            self._until, self._deadline = self._last, self._end
            self._forget()

    def guard(self, send: Callable[[], _Given], *, cost: int = 1, cleaning: bool = False) -> _Given:
        """Do what sends up to `cost` requests; what is left must do for the clean-up. NotJudged when no answer came."""
        owed = 0 if cleaning else len(self.client.made) + 1
        until, deadline = (self._last, float("inf")) if cleaning else (self._until, self._deadline)
        if self.client.requests + cost + owed > until or time.monotonic() >= deadline:
            raise _Over
        try:
            answer = send()
        except Stopped as error:
            if self.client.requests < self._last:
                self.run.stopped = str(error)
            raise _Over from None
        except NotJudged:
            self._silences += 1
            self.silent = self._silences >= SILENCES
            if self.silent:
                raise _Over from None
            raise
        self._silences = 0
        return answer

    def ask(self, send: Callable[[], Answer]) -> Answer:
        """Send one request; Departure when its answer breaks a rule that holds for every answer."""
        answer = self.guard(send)
        if answer.is_success:
            self.accepted[answer.operation] = answer
        self.see(answer)
        return answer

    def discard(self, answer: Answer) -> None:
        """Delete what a create made."""
        path = trunk_path(answer)
        if path and answer.is_success:
            self.remove(path, answer.actor)

    def remove(self, path: str, actor: str = FIRST) -> Answer | None:
        """Delete a trunk, unless the run is to keep what it made."""
        if self.lab.options.keep:
            return None
        return self.guard(lambda: self.lab.delete(path, actor=actor, tags=("clean-up",)), cleaning=True)

    # Findings

    def open(self, identity: str) -> bool:
        """Tell whether a finding on this rule would be news."""
        if identity == self.hunted:
            return True
        judged = self.run.judgements.get(identity)
        broken = judged is not None and judged.outcome in {Outcome.BROKEN, Outcome.KIT_ERROR}
        return identity in RULES and self.run.wants(RULES[identity]) and not broken and identity not in self.found

    def see(self, answer: Answer) -> None:
        """Judge one answer by the rules that hold for every answer."""
        known = SimpleNamespace(answers=[answer], unanswered=[], paths=self.client.paths)
        view = SimpleNamespace(client=known, controls={"create": self.accepted.get(answer.operation)})
        for identity, broken in self._broken_in(view):
            broken.control = broken.control or self.accepted.get(answer.operation)
            raise Departure(identity, broken)

    def _broken_in(self, lab: Any) -> Iterator[tuple[str, Broken]]:
        for identity, probe in self._passive.items():
            if self.open(identity):
                try:
                    probe(lab, *[None] * (len(inspect.signature(probe).parameters) - 1))
                except Broken as broken:
                    yield identity, broken
                except NotJudged:
                    pass

    def note(self, departure: Departure) -> bool:
        """Keep a finding if it is the smallest of its rule; tell whether it is the one that is being reduced."""
        if not self.open(departure.rule):
            return False
        if self.hunted is None:
            self.hunted = departure.rule
            self._reduced += self.client.requests
        broken = departure.broken
        size = (len(self.story), sum(len(answer.request_body or b"") for answer in broken.answers))
        if departure.rule not in self.found or size <= self._sizes[departure.rule]:
            if self.story:
                sent = broken.sent or broken.answers[-1].where
                broken.sent = self.client.canaries.mask(f"{sent}, after {', '.join(self.story)}")
            self.found[departure.rule], self._sizes[departure.rule] = broken, size
        return departure.rule == self.hunted

    @property
    def is_reduced(self) -> bool:
        """Tell whether enough was sent to reduce the finding at hand."""
        return self.hunted is not None and self.client.requests >= self._reduced

    @contextmanager
    def hunt(self, reducing: int) -> Iterator[None]:
        """Let Hypothesis look for a finding and reduce it; what it raises then says nothing more."""
        self.hunted, self._reduced = None, reducing
        try:
            yield
        except (Departure, HypothesisException):
            if self.hunted is None:
                raise
        finally:
            self.hunted = None
            self.story.clear()

    def each(self, number: int, values: SearchStrategy[_Given], examples: int, judge: Callable[[_Given], None]) -> None:
        """Judge as many values."""

        def attempt(value: _Given) -> None:
            if self.is_reduced:
                return
            try:
                judge(value)
            except Departure as departure:
                if self.note(departure):
                    raise
            except NotJudged:
                pass

        with self.hunt(REDUCING):
            seed(f"{self.seed} {number}")(_settings(examples)(given(values)(attempt)))()

    def say(self, identity: str) -> None:
        """Show what is being explored."""
        if self.run.on_rule and identity in RULES:
            self.run.on_rule(RULES[identity])

    # A trunk to update

    def trunk(self) -> Trunk:
        """Give the trunk that updates are tried on; a new one when the last is in doubt."""
        if self._trunk is None:
            self._trunk = self.create_trunk()
        return self._trunk

    def create_trunk(self, actor: str = FIRST, **changes: Any) -> Trunk:
        """Create a trunk and read it; NotJudged when it is not accepted."""
        made = self.lab.usable(self.ask(lambda: self.lab.create(self.lab.body(**changes), actor=actor)), "a create")
        path = trunk_path(made)
        if path is None:
            raise NotJudged("the create answered without an id")
        read = self.lab.usable(self.ask(lambda: self.lab.get(path, actor=actor)), "reading the new trunk")
        trunk = Trunk(actor, path, {}, read)
        trunk.learn(read)
        return trunk

    def _forget(self) -> None:
        trunk, self._trunk = self._trunk, None
        if trunk is not None:
            try:
                self.remove(trunk.path)
            except (_Over, NotJudged):
                pass  # the clean-up at the end tries again

    def doubt(self) -> None:
        """Let go of the trunk that updates are tried on."""
        self._forget()

    def close(self) -> None:
        """Delete what is left, look at all answers together, and hand the findings to the run."""
        if not self.lab.options.keep:
            self.lab.leftovers = [*self.lab.leftovers, *self.client.clean_up()]
        self.client.limit = None
        if len(self.client.answers) > self._started:
            for identity, broken in self._broken_in(self.lab):
                self.found.setdefault(identity, broken)
        for identity, broken in self.found.items():
            self.run.judgements[identity] = Judgement(Outcome.BROKEN, broken=broken)


def _passive_probes() -> dict[str, Callable[..., None]]:
    """Give the probes that send nothing and look at the answers alone, by their rules."""
    ids = ("create.id.unique", "redaction.password", "redaction.token", "redaction.no-member")
    found: dict[str, Callable[..., None]] = {}
    for module in (test_answers, test_create, test_redaction):
        for identity, probe in _declared(module):
            if identity.startswith("answer.") or identity in ids:
                found[identity] = probe
    return found


def _declared(module: ModuleType) -> Iterator[tuple[str, Callable[..., None]]]:
    for member in list(vars(module).values()):
        declared = getattr(member, "__dict__", {}).get("rule")
        if declared is not None and callable(member):
            yield declared.id, member


def _settings(examples: int, **more: Any) -> settings:
    return settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
        **more,
    )


@contextmanager
def _alone() -> Iterator[None]:
    """Keep Hypothesis from leaving files behind, and from drawing what stands in whatever modules happen to be loaded."""
    before = configuration.storage_directory().home_directory
    with ExitStack() as stack:
        configuration.set_hypothesis_home_dir(stack.enter_context(tempfile.TemporaryDirectory(prefix="trunkcheck-")))
        stack.callback(configuration.set_hypothesis_home_dir, before)
        if hasattr(providers, "_get_local_constants") and hasattr(providers, "CONSTANTS_CACHE"):
            none = providers.Constants()
            providers.CONSTANTS_CACHE.cache.clear()
            stack.callback(providers.CONSTANTS_CACHE.cache.clear)
            stack.enter_context(patch.object(providers, "_get_local_constants", lambda: none))
        yield


def _filled(value: Any, lab: Lab) -> Any:
    return value.value(lab.canaries) if isinstance(value, Secret) else value


def _told(field: str, value: Any) -> str:
    if value is ABSENT:
        return f"without {field}"
    return f"{field} that is a {value.shape}" if isinstance(value, Secret) else f"{field} {expect.show(value)}"


def _is_accepted(answer: Answer) -> bool:
    return answer.is_success and not expect.says_no(answer)


# One-difference pairs: what must be refused


def _refusals(bench: Bench) -> None:
    pairs = [pair for pair in strategies.pairs() if bench.open(pair.rule)]
    company = st.sampled_from(
        ({}, {"name": ""}, {"provider_name": "carrier-y"}, {"auth_realm": "carrier-y", "port": 5062})
    )
    for number, pair in enumerate(pairs):
        bench.say(pair.rule)
        beside = strategies.shapes() if pair.kind == "create" else company
        judge = _REFUSE[pair.kind]
        left = max(3, bench.share // len(pairs))

        def refuse(drawn: tuple[Any, dict[str, Any]], pair: Pair = pair, judge: Any = judge) -> None:
            judge(bench, pair, *drawn)

        bench.each(number, st.tuples(pair.bad, beside), left, refuse)


def _refuse_create(bench: Bench, pair: Pair, bad: Any, shape: Mapping[str, Any]) -> None:
    lab = bench.lab
    body = lab.body(**{**shape, pair.field: _filled(bad, lab)})
    answer = bench.ask(lambda: lab.create(body, tags=("negative",)))
    if not _is_accepted(answer):
        return
    bench.discard(answer)
    good = lab.body(outbound_proxy="proxy.carrier-x.com", auth_realm="carrier-x", is_active=False)
    control = bench.ask(
        lambda: lab.create({**body, "name": good["name"], "password": good["password"], pair.field: good[pair.field]})
    )
    bench.discard(control)
    _accepted_though(pair, bad, answer, control)


def _accepted_though(pair: Pair, bad: Any, answer: Answer, control: Answer) -> None:
    if control.is_success:
        sent = f"{answer.where}, {_told(pair.field, bad)}"
        raise Departure(pair.rule, Broken("400 or 422", expect.summary(answer), answer, control=control, sent=sent))


def _refuse_update(bench: Bench, pair: Pair, bad: Any, company: Mapping[str, Any]) -> None:
    lab, trunk = bench.lab, bench.trunk()
    beside = {name: value or lab.name() for name, value in company.items() if name != pair.field}
    answer = bench.ask(lambda: lab.update(trunk.path, {**beside, pair.field: _filled(bad, lab)}, tags=("negative",)))
    if not _is_accepted(answer):
        return
    good = lab.body(outbound_proxy="proxy.carrier-x.com", auth_realm="carrier-x", is_active=False)
    control = bench.ask(lambda: lab.update(trunk.path, {**beside, pair.field: good[pair.field]}))
    bench.doubt()
    _accepted_though(pair, bad, answer, control)


def _refuse_did(bench: Bench, pair: Pair, bad: Any, _company: Mapping[str, Any]) -> None:
    lab, path = bench.lab, bench.trunk().path

    def add(**changes: Any) -> Answer:
        fields = {"country_code": "US", "number": lab.number(), **changes}
        return lab.add_did(
            path,
            {name: value for name, value in fields.items() if value is not ABSENT},
            tags=("negative",) if changes else (),
        )

    answer = bench.ask(lambda: add(**{pair.field: _filled(bad, lab)}))
    if not _is_accepted(answer):
        return
    _take_off(bench, path, answer)
    control = bench.ask(add)
    _take_off(bench, path, control)
    _accepted_though(pair, bad, answer, control)


def _take_off(bench: Bench, trunk: str, answer: Answer) -> None:
    path = did_path(trunk, answer)
    if path and answer.is_success:
        bench.guard(lambda: bench.lab.delete_did(path, actor=answer.actor), cleaning=True)


_REFUSE: Mapping[str, Callable[..., None]] = {"create": _refuse_create, "update": _refuse_update, "did": _refuse_did}


# One-difference pairs: what must be accepted, and kept


def _differences(bench: Bench) -> None:
    wanted = [one for one in strategies.differences() if bench.open(one.accepted) or bench.open(one.kept)]
    for number, one in enumerate(wanted):
        bench.say(one.kept)
        judge = _accept_create if one.kind == "create" else _accept_update

        def accept(value: Any, one: Difference = one, judge: Any = judge) -> None:
            judge(bench, one, value)

        bench.each(1000 + number, one.good, max(3, bench.share // (3 * len(wanted))), accept)


def _accept_create(bench: Bench, one: Difference, good: Any) -> None:
    lab = bench.lab

    def send() -> Answer:
        value = f"{lab.name()} {good}" if one.field == "name" else _filled(good, lab)
        beside = {"port": ABSENT} if one.field == "transport" else {}
        return lab.create(lab.body(**{**beside, one.field: value}))

    answer = bench.ask(send)
    if answer.is_refusal:
        answer = _refused_twice(bench, one.accepted, _told(one.field, good), send, lambda: lab.create())
    path = trunk_path(answer)
    if not answer.is_success or path is None:
        return
    try:
        read = bench.ask(lambda: lab.get(path))
        for where in (answer, read):
            _want_kept(one, answer, where)
    finally:
        bench.discard(answer)


def _want_kept(one: Difference, answer: Answer, where: Answer) -> None:
    sent = expect_sent(answer)
    if not where.is_success or not isinstance(where.data, dict):
        return
    for name in model.FIELDS:
        if name in sent and name in where.data and not model.same(name, where.data[name], sent[name]):
            identity = one.kept if name == one.field else "create.echo"
            shown = () if where is answer else (answer,)
            depart(
                identity, f"{name} {expect.show(sent[name])}", f"{name} {expect.show(where.data[name])}", *shown, where
            )
    if "port" not in sent and "port" in where.data:
        port = 5061 if sent.get("transport", "tls") == "tls" else 5060
        if not expect.same(where.data["port"], port):
            depart("create.port.default", f"port {port}", f"port {expect.show(where.data['port'])}", answer, where)


def expect_sent(answer: Answer) -> dict[str, Any]:
    """Give the fields of a create or an update, as they were sent."""
    from json import loads

    sent = loads(answer.request_body or b"{}")
    return sent if isinstance(sent, dict) else {}


def _refused_twice(
    bench: Bench, identity: str, told: str, send: Callable[[], Answer], plain: Callable[[], Answer]
) -> Answer:
    """Send again what was refused, once its plain form was accepted; Departure when it is refused again."""
    control = bench.ask(plain)
    if control.operation == "POST /sip-trunks":
        bench.discard(control)
    if not control.is_success:
        raise NotJudged("the control was refused")
    again = bench.ask(send)
    if again.is_refusal:
        raise Departure(
            identity,
            Broken("it is accepted", expect.summary(again), again, control=control, sent=f"{again.where}, {told}"),
        )
    return again


def _accept_update(bench: Bench, one: Difference, good: Any) -> None:
    trunk = bench.trunk()
    value = f"{bench.lab.name()} {good}" if one.field == "name" else _filled(good, bench.lab)
    _update(bench, trunk, {one.field: value}, one.accepted)


def _update(bench: Bench, trunk: Trunk, changes: Mapping[str, Any], accepted: str) -> None:
    """Send a good update and judge it with the model."""
    lab = bench.lab
    tags = ("odd",) if model.may_be_refused(trunk, changes) else ()

    def send() -> Answer:
        return lab.update(trunk.path, dict(changes), actor=trunk.actor, tags=tags)

    try:
        answer = bench.ask(send)
        if answer.is_refusal and not model.may_be_refused(trunk, changes):
            told = ", ".join(_told(name, value) for name, value in changes.items())
            name = {"name": lab.name()}
            answer = _refused_twice(
                bench, accepted, told, send, lambda: lab.update(trunk.path, name, actor=trunk.actor)
            )
            trunk.fields.update(name)
        read = bench.ask(lambda: lab.get(trunk.path, actor=trunk.actor))
        if answer.is_refusal:
            model.unchanged(trunk, "update.refused-changes-nothing", answer, read)
        elif answer.is_success and read.is_success:
            model.updated(trunk, changes, answer, read)
        trunk.learn(read)
    except (Departure, NotJudged):
        bench.doubt()
        raise


# A state machine beside the model


def _lives(bench: Bench) -> None:
    for number in range(100):
        before = bench.client.requests
        Life.bench = bench
        with bench.hunt(REDUCING_A_LIFE):
            machine = seed(f"{bench.seed} life {number}")(type("ALife", (Life,), {}))
            run_state_machine_as_test(machine, settings=_settings(25, stateful_step_count=STEPS))
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
        self.is_over = False
        self.lab = self.bench.lab
        self.bench.story.clear()

    def _ask(self, word: str, send: Callable[[], Answer]) -> Answer:
        self.bench.story.append(word)
        return self.bench.ask(send)

    def _pick(self, which: int) -> Trunk:
        return self.trunks[which % len(self.trunks)]

    def _name(self, trunk: Trunk) -> str:
        return f"{'its' if trunk.actor == FIRST else 'the other'} trunk {self.trunks.index(trunk) + 1 if trunk in self.trunks else 0}"

    def _read(self, trunk: Trunk) -> Answer:
        return self.bench.ask(lambda: self.lab.get(trunk.path, actor=trunk.actor))

    @initialize()
    @_step
    def begin(self) -> None:
        """Create the first trunk."""
        self.bench.story.append("create")
        self.trunks.append(self.bench.create_trunk())

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
    def update(self, which: int, drawn: dict[str, Any]) -> None:
        """Change some fields to other good values, or to the same."""
        trunk = self._pick(which)
        changes = {name: self._value(trunk, name, value) for name, value in drawn.items()}
        self.bench.story.append(f"update {' and '.join(drawn) or 'nothing'}")
        resetting = [name for name in changes if name != "is_active"]
        accepted = f"update.{resetting[0]}.changes" if resetting else "activation.verified"
        _update(self.bench, trunk, changes, "update.password.accepted" if resetting[:1] == ["password"] else accepted)

    def _value(self, trunk: Trunk, name: str, value: Any) -> Any:
        if value == _SAME:
            return trunk.fields.get(name)
        if name == "domain":
            failing = self.lab.options.failing_domain or LIKELY_FAILING_DOMAIN
            return {_WORKING: self.lab.domain, _FAILING: failing}.get(value, value)
        return f"{self.lab.name()} {value}" if name == "name" else _filled(value, self.lab)

    @precondition(lambda self: self.trunks)
    @rule(which=_WHICH, bad=_BAD)
    @_step
    def update_badly(self, which: int, bad: tuple[int, Any]) -> None:
        """Change a good field and a bad one together."""
        trunk, pair, value = self._pick(which), _BAD_UPDATES[bad[0]], bad[1]
        beside = (
            {"name": self.lab.name()} if pair.field != "name" else {"provider_name": f"carrier-{self.lab.name()[-1]}"}
        )
        body = {**beside, pair.field: _filled(value, self.lab)}
        answer = self._ask(
            f"update {pair.field} badly",
            lambda: self.lab.update(trunk.path, body, actor=trunk.actor, tags=("negative",)),
        )
        read = self._read(trunk)
        if answer.is_refusal:
            model.unchanged(trunk, "update.refused-changes-nothing", answer, read)
        elif _is_accepted(answer):
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
    @rule(which=_WHICH)
    @_step
    def verify_and_activate(self, which: int) -> None:
        """Verify on the working domain, and activate."""
        trunk = self._pick(which)
        if trunk.fields.get("domain") != self.lab.domain:
            self.bench.story.append("update domain")
            _update(self.bench, trunk, {"domain": self.lab.domain}, "update.domain.changes")
        answer = self._ask("verify", lambda: self.lab.verify(trunk.path, actor=trunk.actor))
        model.verified(trunk, answer, self._read(trunk))
        self.bench.story.append("activate")
        _update(self.bench, trunk, {"is_active": True}, "activation.verified")

    @precondition(lambda self: self.trunks)
    @rule(which=_WHICH)
    @_step
    def check_health(self, which: int) -> None:
        """Ask for the health, which changes neither verification nor activity."""
        trunk = self._pick(which)
        answer = self._ask("health", lambda: self.lab.health(trunk.path, actor=trunk.actor))
        model.unchanged(trunk, "health.leaves-verification", answer, self._read(trunk), fields_rule="answer.as-sent")

    @precondition(lambda self: self.trunks)
    @rule(which=_WHICH)
    @_step
    def add_did(self, which: int) -> None:
        """Add a number, or one that is there already, which must be refused."""
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
    @rule(which=_WHICH, through_another=st.booleans())
    @_step
    def delete_did(self, which: int, through_another: bool) -> None:
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
        did = next(iter(trunk.dids), f"{path}/dids/{trunk.identity}")
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
            try:
                for path in trunk.dids:
                    self.bench.guard(
                        lambda path=path, trunk=trunk: self.lab.delete_did(path, actor=trunk.actor), cleaning=True
                    )
                gone = self.bench.remove(trunk.path, trunk.actor)
                if gone is not None and gone.status == 409 and trunk.is_active:
                    self.bench.guard(
                        lambda trunk=trunk: self.lab.update(trunk.path, {"is_active": False}, actor=trunk.actor),
                        cleaning=True,
                    )
                    self.bench.remove(trunk.path, trunk.actor)
            except (NotJudged, _Over):
                pass  # the clean-up at the end tries again


# Schemathesis as a generator of requests


def _sweep(bench: Bench) -> None:
    import schemathesis
    from schemathesis import GenerationMode

    import openapi

    bench.say("answer.no-5xx")
    schema = schemathesis.openapi.from_dict(openapi.load())
    sources = []
    for found in schema.get_all_operations():
        operation = found.ok()
        modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if operation.body else [GenerationMode.POSITIVE]
        sources += [operation.as_strategy(generation_mode=mode) for mode in modes]
    bench.each(2000, st.one_of(sources), max(10, bench.share), lambda case: _send_case(bench, case))


def _send_case(bench: Bench, case: Any) -> None:
    """Send what Schemathesis made up: its body, and its path with ids that nobody else's trunk can have."""
    lab = bench.lab
    method, template = str(case.method).upper(), str(case.path)
    drawn = {name: _made_up(lab, str(value)) for name, value in case.path_parameters.items()}
    own = method != "DELETE" and "trunk_id" in drawn and len(drawn["trunk_id"]) % 4 != 0
    if own:
        drawn["trunk_id"] = bench.trunk().identity
    path = template
    for name, value in drawn.items():
        path = path.replace(f"{{{name}}}", value)
    how: dict[str, Any] = {"operation": f"{method} {template}", "tags": ("odd", "packed", "no-json")}
    if case.media_type is None or method in {"GET", "DELETE"} or path.endswith("/verify"):
        bench.ask(lambda: bench.client.send(method, path, **how))
        return
    body = _with_canary(lab, case.body)
    if path == "/sip-trunks":
        answer = bench.ask(lambda: lab.create(body, **how))
        bench.discard(answer)
    elif path.endswith("/dids"):
        answer = bench.ask(lambda: lab.add_did(path.removesuffix("/dids"), body, **how))
        _take_off(bench, path.removesuffix("/dids"), answer)
    else:
        bench.ask(lambda: lab.update(path, body, **how))


def _made_up(lab: Lab, text: str) -> str:
    return f"trunkcheck-{lab.options.run_id}-" + "".join(character for character in text if character in _SAFE)


def _with_canary(lab: Lab, body: Any) -> Any:
    """Give a generated body whose password, if it has one, is one that the kit knows again."""
    if not isinstance(body, dict):
        return body if isinstance(body, bytes) or _is_json(body) else b""
    password = body.get("password", ABSENT)
    if isinstance(password, str) and password:
        return {**body, "password": lab.canaries.password(password[:40])}
    if isinstance(password, bool | None) or password is ABSENT or password == "":
        return body
    shape = "number" if isinstance(password, int | float) else "list" if isinstance(password, list) else "object"
    return {**body, "password": Secret(shape).value(lab.canaries)}


def _is_json(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | list)
