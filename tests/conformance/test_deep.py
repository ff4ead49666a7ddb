import json
from dataclasses import replace

import kit
import pytest

from conformance import deep, model, probes, runs, strategies
from conformance.deep import bench, lives, pairs, sweep
from conformance.report import write
from conformance.results import ExitCode
from conformance.rules import RULES, Outcome, Profile
from conformance.session import Judgement, Run

probes.load()
PARTS = {"pairs": pairs.refusals, "good": pairs.differences, "lives": lives.explore, "sweep": sweep.explore}


class Faulty:
    """A transport to the mock that changes requests or answers on their way."""

    def __init__(self, base_url, change):
        self.transport = runs.HttpTransport(base_url)
        self.change = change

    def send(self, method, path, headers, body):
        return self.change(self.transport.send, method, path, headers, body)

    def close(self):
        self.transport.close()


def fields_of(body):
    try:
        fields = json.loads(body or b"")
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def ports_of_any_size(send, method, path, headers, body):
    """Take any integer for a port."""
    fields = fields_of(body)
    if method == "POST" and path == "/sip-trunks" and fields and type(fields.get("port")) is int:
        body = json.dumps({**fields, "port": min(max(fields["port"], 1), 65535)}).encode()
    return send(method, path, headers, body)


def long_updates_cut_short(send, method, path, headers, body):
    """Store only 100 characters of a name that is updated."""
    fields = fields_of(body)
    if method == "PUT" and fields and isinstance(fields.get("name"), str) and len(fields["name"]) <= 255:
        body = json.dumps({**fields, "name": fields["name"][:100].strip()}).encode()
    return send(method, path, headers, body)


def refused_updates_in_part(send, method, path, headers, body):
    """Store the name of an update that is refused for another field."""
    answer = send(method, path, headers, body)
    fields = fields_of(body)
    if method == "PUT" and answer.status == 422 and fields and isinstance(fields.get("name"), str):
        send(method, path, headers, json.dumps({"name": fields["name"]}).encode())
    return answer


def lists_of_numbers_crash(send, method, path, headers, body):
    """Fail on a new DID that is no object."""
    answer = send(method, path, headers, body)
    return (
        replace(answer, status=500)
        if path.endswith("/dids") and method == "POST" and fields_of(body) is None
        else answer
    )


def passwords_in_refusals(send, method, path, headers, body):
    """Quote the request in a refusal."""
    answer = send(method, path, headers, body)
    fields = fields_of(body)
    if answer.status != 422 or not fields:
        return answer
    document = {**json.loads(answer.body), "message": f"cannot be used: {fields.get('password')}"}
    return replace(answer, body=json.dumps(document).encode())


def verified_trunks_stay_inactive(send, method, path, headers, body):
    """Refuse every activation."""
    fields = fields_of(body)
    if method == "PUT" and fields and fields.get("is_active") is True:
        body = b'{"port": 0}'
    return send(method, path, headers, body)


@pytest.fixture
def explore(mock):
    """A function that explores the mock, with a fault in between and only some parts, and gives the run."""

    def start(*parts, change=None, seed=1, requests=300, minutes=10, run_id="abcdef", sent=None):
        tokens = {actor: token for actor, token in kit.TOKENS.items() if actor != "no-plan"}
        keep = (
            None if sent is None else lambda answer: sent.append((answer.actor, answer.operation, answer.request_body))
        )
        made = runs.make_lab(
            mock.base_url, tokens, profile=Profile.DEEP, seed=seed, run_id=run_id, on_answer=keep,
            working_domain="sip.carrier-x.com", failing_domain="auth-fail.carrier-x.com",
        )  # fmt: skip
        if change:
            made.client._transport = Faulty(mock.base_url, change)
        run = Run(made, Profile.DEEP, strict=True)
        run.judgements["create.accepted"] = Judgement(Outcome.KEPT)
        chosen = tuple((1.0 / (len(parts) - number), PARTS[part]) for number, part in enumerate(parts))
        with pytest.MonkeyPatch.context() as patch:
            if chosen:
                patch.setattr(deep, "PARTS", chosen)
            deep.explore(run, {"requests": requests, "minutes": minutes})
        made.client.close()
        return run

    return start


def broken(run):
    return {identity: it.broken for identity, it in run.judgements.items() if it.outcome is Outcome.BROKEN}


def bodies(answers):
    return [json.loads(answer.request_body) for answer in answers]


def test_mock_keeps_everything_that_is_explored(explore):
    """A correct server is explored in all parts without a finding, and nothing is left on it."""
    run = explore(requests=500)
    assert broken(run) == {}
    assert run.lab.client.made == []
    assert run.lab.leftovers == []
    kinds = {answer.operation for answer in run.lab.client.answers}
    assert len(kinds) >= 10


def test_bad_field_is_reduced_to_one_difference(explore):
    """A bad value that is accepted becomes the nearest bad value, beside the same request with a good one."""
    found = broken(explore("pairs", change=ports_of_any_size, requests=450))
    assert set(found) == {"create.port.range"}
    bad, good = bodies([*found["create.port.range"].answers, found["create.port.range"].control])
    assert {name for name in bad if bad[name] != good[name]} <= {"name", "password", "port"}
    assert bad["port"] in {0, 65536}


def test_changed_text_is_found_and_reduced(explore):
    """A good value that is not kept is found beside what was sent before it."""
    found = broken(explore("good", change=long_updates_cut_short, requests=400))
    sent, shown = found["update.name.changes"].answers[:1], found["update.name.changes"].answers[-1]
    assert len(bodies(sent)[0]["name"]) > 100
    assert len(shown.member("name")) <= 100


def test_life_departs_from_the_model(explore):
    """A refused update that is stored in part is found by the state machine, with its request and the read after it."""
    found = broken(explore("lives", change=refused_updates_in_part, requests=700))
    shown = found["update.refused-changes-nothing"]
    assert [answer.method for answer in shown.answers] == ["PUT", "GET"]
    assert shown.answers[0].is_refusal
    assert "update" in shown.sent


@pytest.mark.parametrize("part", ["good", "lives"])
def test_refused_activation_is_found_beside_its_control(explore, part):
    """A good update that is refused twice, though a plain one is accepted, is found."""
    found = broken(explore(part, change=verified_trunks_stay_inactive, requests=300))
    assert set(found) == {"activation.verified"}
    assert found["activation.verified"].control.is_success


def test_crash_is_found_by_generated_requests(explore):
    """A body that Schemathesis makes up and that the server fails on is found beside an accepted request."""
    found = broken(explore("sweep", change=lists_of_numbers_crash, requests=500))
    assert set(found) == {"answer.no-5xx"}
    assert found["answer.no-5xx"].answers[-1].operation == "POST /sip-trunks/{trunk_id}/dids"


def test_leak_is_found_and_not_repeated(explore, tmp_path):
    """A password that comes back is found, and stands in no report."""
    run = explore("pairs", change=passwords_in_refusals)
    assert "redaction.password" in broken(run)
    report = runs.report(run, runs.now(), 1.0, "target")
    for name in ("json", "html"):
        write(report, name, tmp_path / name, lambda text: run.lab.canaries.find(text) and "a secret")
        assert run.lab.canaries.find((tmp_path / name).read_text("utf-8")) is None


def test_finding_is_reported_with_its_curl_commands(explore):
    """A finding has the exchanges of its pair, and the report the seed."""
    run = explore("pairs", change=ports_of_any_size, requests=450)
    report = runs.report(run, runs.now(), 1.0, "target")
    result = next(one for one in report.results if one.rule.id == "create.port.range")
    assert result.findings[0].exchanges[-1].curl.startswith("curl ")
    assert result.findings[0].control.status == 201
    assert report.seed == 1
    assert report.exit_code is ExitCode.BROKEN


def test_same_seed_sends_the_same_requests(explore):
    """What is sent follows from the seed, whatever was explored before in the process."""
    first, second, other = [], [], []
    explore("pairs", "lives", requests=250, sent=first)
    explore("pairs", "lives", requests=250, sent=second)
    explore("pairs", "lives", requests=250, sent=other, seed=2)
    assert first == second
    assert first != other


def test_seed_is_chosen_and_kept(explore):
    """Without a seed the run chooses one, and its report has it."""
    run = explore("pairs", seed=0, requests=20)
    assert runs.report(run, runs.now(), 1.0, "target").seed > 0


@pytest.mark.parametrize("requests", [0, 1, 7, 60, 200])
def test_requests_are_bounded(explore, requests):
    """No more is sent than allowed, the clean-up included."""
    run = explore("pairs", "good", "lives", requests=requests)
    assert run.lab.client.requests <= requests
    assert run.lab.leftovers == []
    assert run.stopped == ""


def test_minutes_are_bounded(explore):
    """When the time is up, nothing more is sent but what cleans up."""
    assert explore("pairs", "lives", minutes=0).lab.client.requests == 0


def test_nothing_is_explored_where_no_create_is_accepted(explore, mock):
    """A target that registers no trunk has nothing to explore."""
    made = runs.make_lab(mock.base_url, {"first": kit.TOKENS["first"]}, profile=Profile.DEEP)
    run = Run(made, Profile.DEEP)
    run.judgements["create.accepted"] = Judgement(Outcome.NOT_JUDGED, "no create was accepted")
    deep.explore(run, {})
    assert made.client.requests == 0
    made.client.close()


def test_nothing_is_printed_or_written(explore, tmp_path, monkeypatch, capfd):
    """Hypothesis neither prints its examples, which hold passwords, nor leaves a folder behind."""
    monkeypatch.chdir(tmp_path)
    explore("pairs", "lives", change=passwords_in_refusals, requests=200)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_rule_that_is_broken_already_is_left_alone(explore):
    """What the probes have found is not looked for again."""
    made = explore("pairs", change=ports_of_any_size, requests=100)
    made.judgements["create.port.range"] = Judgement(Outcome.BROKEN)
    assert not bench.Bench(made, 0, 1).open("create.port.range")


def test_every_rule_of_the_pairs_is_declared():
    """The strategies name rules that there are."""
    named = {pair.rule for pair in strategies.pairs()}
    named |= {rule for one in strategies.differences() for rule in (one.accepted, one.kept)}
    assert named <= RULES.keys()


def trunk(**changes):
    fields = {"name": "a", "domain": "sip.carrier-x.com", "username": "u", "transport": "tls", "port": 5061}
    return model.Trunk("first", "/sip-trunks/1", fields, None, **changes)


@pytest.mark.parametrize(
    ("changes", "refusable"),
    [
        ({"name": "b"}, False),
        ({"is_active": True}, False),
        ({"is_active": True, "username": "v"}, True),
        ({"is_active": True, "port": 1}, True),
        ({"auth_realm": None}, True),
        ({}, True),
    ],
)
def test_model_knows_which_updates_may_be_refused(changes, refusable):
    """A verified trunk's update may be refused where it is empty, unsets something, or activates what it changes."""
    assert model.may_be_refused(trunk(is_verified=True), changes) is refusable


def test_model_knows_what_takes_the_verification_away():
    """Another value of four fields does, the same value is left open, and a password is always another."""
    assert model.changed_by(trunk(), {"username": "u", "transport": "udp", "password": "p"}) == [
        "transport",
        "password",
    ]
    assert model.may_reset({"username": "u"})
    assert not model.may_reset({"name": "b", "provider_name": "c", "is_active": False})
