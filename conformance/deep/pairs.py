"""One-difference pairs: a request with one bad field is refused where the same with a good one is accepted.

And a good value in place of another is accepted too, and kept.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance import expect, model, strategies
from conformance.client import ABSENT, Answer, NotJudged
from conformance.deep.bench import Bench
from conformance.expect import Broken
from conformance.lab import Lab, did_path, trunk_path
from conformance.model import Departure, Trunk, depart
from conformance.strategies import Difference, Pair, Secret

# What must be refused


def refusals(bench: Bench) -> None:
    """Make valid requests bad in one field."""
    pairs = [pair for pair in strategies.pairs() if bench.open(pair.rule)]
    company: SearchStrategy[dict[str, Any]] = st.sampled_from(
        ({}, {"name": ""}, {"provider_name": "carrier-y"}, {"auth_realm": "carrier-y", "port": 5062})
    )
    examples = max(3, bench.share // len(pairs)) if pairs else 0
    for number, pair in enumerate(pairs):
        bench.say(pair.rule)
        beside = strategies.shapes() if pair.kind == "create" else company
        bench.each(number, st.tuples(pair.bad, beside), examples, partial(_REFUSE[pair.kind], bench, pair))


def _refuse_create(bench: Bench, pair: Pair, drawn: tuple[Any, dict[str, Any]]) -> None:
    bad, shape = drawn
    lab = bench.lab
    body = lab.body(**{**shape, pair.field: filled(bad, lab)})
    answer = bench.ask(lambda: lab.create(body, tags=("negative",)), look=False)
    if not is_accepted(answer):
        bench.see(answer)
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
        sent = f"{answer.where}, {told(pair.field, bad)}"
        raise Departure(pair.rule, Broken("400 or 422", expect.summary(answer), answer, control=control, sent=sent))


def _refuse_update(bench: Bench, pair: Pair, drawn: tuple[Any, dict[str, Any]]) -> None:
    bad, company = drawn
    lab, path = bench.lab, bench.trunk().path
    beside = {name: value or lab.name() for name, value in company.items() if name != pair.field}
    body = {**beside, pair.field: filled(bad, lab)}
    answer = bench.ask(lambda: lab.update(path, body, tags=("negative",)), look=False)
    if not is_accepted(answer):
        bench.see(answer)
        return
    good = lab.body(outbound_proxy="proxy.carrier-x.com", auth_realm="carrier-x", is_active=False)
    control = bench.ask(lambda: lab.update(path, {**beside, pair.field: good[pair.field]}))
    bench.doubt()
    _accepted_though(pair, bad, answer, control)


def _refuse_did(bench: Bench, pair: Pair, drawn: tuple[Any, dict[str, Any]]) -> None:
    bad, _company = drawn
    lab, path = bench.lab, bench.trunk().path

    def add(**changes: Any) -> Answer:
        fields = {"country_code": "US", "number": lab.number(), **changes}
        return lab.add_did(
            path,
            {name: value for name, value in fields.items() if value is not ABSENT},
            tags=("negative",) if changes else (),
        )

    answer = bench.ask(lambda: add(**{pair.field: filled(bad, lab)}), look=False)
    if not is_accepted(answer):
        bench.see(answer)
        return
    take_off(bench, path, answer)
    control = bench.ask(add)
    take_off(bench, path, control)
    _accepted_though(pair, bad, answer, control)


def take_off(bench: Bench, trunk: str, answer: Answer) -> None:
    """Delete the DID that an answer is about, if it made one."""
    path = did_path(trunk, answer)
    if path and answer.is_success:
        bench.guard(lambda: bench.lab.delete_did(path, actor=answer.actor), cleaning=True)


_REFUSE: Mapping[str, Callable[..., None]] = {"create": _refuse_create, "update": _refuse_update, "did": _refuse_did}


# What must be accepted, and kept


def differences(bench: Bench) -> None:
    """Give one field of a valid request another good value."""
    wanted = [one for one in strategies.differences() if bench.open(one.accepted) or bench.open(one.kept)]
    wanted.sort(key=lambda one: one.kind == "create")  # what the tables try less comes first
    examples = max(2, bench.share // (4 * len(wanted))) if wanted else 0
    for number, one in enumerate(wanted):
        bench.say(one.kept)
        judge = _accept_create if one.kind == "create" else _accept_update
        bench.each(1000 + number, one.good, examples, partial(judge, bench, one))


def _accept_create(bench: Bench, one: Difference, good: Any) -> None:
    lab = bench.lab

    def send() -> Answer:
        value = f"{lab.name()} {good}" if one.field == "name" else filled(good, lab)
        beside = {"port": ABSENT} if one.field == "transport" else {}
        return lab.create(lab.body(**{**beside, one.field: value}))

    answer = bench.ask(send)
    if answer.is_refusal:
        answer = _refused_twice(bench, one.accepted, told(one.field, good), send, lambda: lab.create())
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
    sent = _sent(answer)
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


def _sent(answer: Answer) -> dict[str, Any]:
    """Give the fields of a create or an update, as they were sent."""
    sent = json.loads(answer.request_body or b"{}")
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
    trunk = _active(bench)
    value = f"{bench.lab.name()} {good}" if one.field == "name" else filled(good, bench.lab)
    update(bench, trunk, {one.field: value})


def _active(bench: Bench) -> Trunk:
    """Give the trunk that updates are tried on, verified and active where the carrier allows it."""
    trunk = bench.trunk()
    if trunk.is_active or not bench.carrier_answers:
        return trunk
    if trunk.fields.get("domain") != bench.lab.domain:
        bench.doubt()
        trunk = bench.trunk()
    activate(bench, trunk)
    bench.carrier_answers = trunk.is_verified
    return trunk


def activate(bench: Bench, trunk: Trunk) -> None:
    """Verify a trunk, and activate it if that succeeds."""
    lab = bench.lab
    answer = bench.ask(lambda: lab.verify(trunk.path, actor=trunk.actor))
    model.verified(trunk, answer, bench.ask(lambda: lab.get(trunk.path, actor=trunk.actor)))
    if trunk.is_verified:
        update(bench, trunk, {"is_active": True})


def update(bench: Bench, trunk: Trunk, changes: Mapping[str, Any]) -> None:
    """Send a good update and judge it with the model."""
    lab = bench.lab
    tags = ("odd",) if model.may_be_refused(trunk, changes) else ()

    def send() -> Answer:
        return lab.update(trunk.path, dict(changes), actor=trunk.actor, tags=tags)

    try:
        answer = bench.ask(send)
        if answer.is_refusal and not model.may_be_refused(trunk, changes):
            answer = _refused_update(bench, trunk, changes, send)
        read = bench.ask(lambda: lab.get(trunk.path, actor=trunk.actor))
        if answer.is_refusal:
            model.unchanged(trunk, "update.refused-changes-nothing", answer, read)
        elif answer.is_success and read.is_success:
            model.updated(trunk, changes, answer, read)
        trunk.learn(read)
    except (Departure, NotJudged):
        bench.doubt()
        raise


def _refused_update(bench: Bench, trunk: Trunk, changes: Mapping[str, Any], send: Callable[[], Answer]) -> Answer:
    """Send again what was refused, beside a plain update; Departure by the rule of the field that is to blame."""
    words = ", ".join(told(name, value) for name, value in changes.items())
    name = {"name": bench.lab.name()}
    try:
        answer = _refused_twice(
            bench, _rule_of(changes), words, send, lambda: bench.lab.update(trunk.path, name, actor=trunk.actor)
        )
    except Departure:
        trunk.fields.update(name)
        for one, value in changes.items() if len(changes) > 1 else ():
            update(bench, trunk, {one: value})
        raise
    trunk.fields.update(name)
    return answer


def _rule_of(changes: Mapping[str, Any]) -> str:
    """Give the rule by which an update is accepted."""
    if len(changes) > 1:
        return "update.limits-accepted"
    [(name, value)] = changes.items()
    if name == "is_active":
        return "activation.verified" if value else "update.is_active.accepted"
    return "update.password.accepted" if name == "password" else f"update.{name}.changes"


def filled(value: Any, lab: Lab) -> Any:
    """Give a drawn value as it is sent."""
    return value.value(lab.canaries) if isinstance(value, Secret) else value


def told(field: str, value: Any) -> str:
    """Say a field's value in words."""
    if value is ABSENT:
        return f"without {field}"
    return f"{field} that is a {value.shape}" if isinstance(value, Secret) else f"{field} {expect.show(value)}"


def is_accepted(answer: Answer) -> bool:
    """Tell whether an answer accepts its request."""
    return answer.is_success and not expect.says_no(answer)
