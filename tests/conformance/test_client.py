import json
import time
from contextlib import suppress
from email.utils import formatdate

import pytest
from kit import TOKENS, client, reply

from conformance.client import FIRST, NOBODY, OTHER, NotJudged, Pace, Stopped
from conformance.transport import NoAnswer

LIST = "/sip-trunks"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param(("Retry-After", "7"), 7, id="seconds"),
        pytest.param(("retry-after", "0"), 0.05, id="at-once"),
        pytest.param(("X-RateLimit-Reset", "9"), 9, id="reset-in-seconds"),
        pytest.param(("X-RateLimit-Reset", lambda: str(int(time.time()) + 40)), 40, id="reset-as-a-time"),
        pytest.param(("Retry-After", lambda: formatdate(time.time() + 30, usegmt=True)), 30, id="a-date"),
        pytest.param(("Retry-After", "soon"), 0.25, id="nonsense"),
    ],
)
def test_429_is_waited_out_and_the_request_sent_again(header, seconds):
    """A rate limit delays a request; it never reaches a probe."""
    name, value = header
    kit = client(lambda *_: reply(429, None, (name, value() if callable(value) else value)), reply(200, []))
    assert kit.send("GET", LIST).status == 200
    (pause,) = kit.slept
    assert pause == pytest.approx(seconds, abs=2 if seconds > 10 else 0.01)
    assert [sent[:2] for sent in kit._transport.sent] == [("GET", LIST)] * 2


def test_429_without_end_is_not_judged():
    """A limit that holds longer than anybody waits makes a rule not judged, with what would help."""
    kit = client(reply(429, None, ("Retry-After", "60")))
    with pytest.raises(NotJudged, match=r"rate limit held for 120 seconds .give --rate"):
        kit.send("GET", LIST)
    assert kit.requests == 3


def test_429_that_asks_for_an_hour_is_not_waited_out():
    """A pause that is too long is not begun."""
    kit = client(reply(429, None, ("Retry-After", "3600")))
    with pytest.raises(NotJudged, match="held for 0 seconds"):
        kit.send("GET", LIST)
    assert kit.slept == []


def test_rate_spreads_requests():
    """At so many requests a second, each waits for its turn."""
    kit = client(reply(200, []), rate=2.0)
    for _ in range(4):
        kit.send("GET", LIST)
    assert kit.slept == pytest.approx([0.5, 1.0, 1.5], abs=0.1)


def test_counter_that_reaches_zero_closes_its_environment_until_the_reset():
    """Rate limit headers are heeded before a 429 comes, for the environment that they are about."""
    slept = []
    pace = Pace(None, slept.append)
    for left in ("2", "1", "0"):
        pace.learn(FIRST, reply(200, [], ("RateLimit-Remaining", left), ("RateLimit-Reset", "30")))
    pace.wait(OTHER)
    assert slept == []
    pace.wait(FIRST)
    assert slept == pytest.approx([30], abs=1)


def test_counter_that_always_says_zero_is_not_believed():
    """A header that never counted down stops nothing."""
    slept = []
    pace = Pace(None, slept.append)
    for _ in range(3):
        pace.learn(FIRST, reply(200, [], ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "30")))
        pace.wait(FIRST)
    assert slept == []


def test_no_answer_is_not_judged_and_says_why():
    """A request without an answer is no verdict."""
    with pytest.raises(NotJudged, match="GET /sip-trunks: no answer within 15 seconds"):
        client(NoAnswer("no answer within 15 seconds")).send("GET", LIST)


def test_token_that_is_refused_later_stops_the_run():
    """A 401 to the run's own token, also where the list is asked for, ends the run."""
    kit = client(reply(200, []), reply(401))
    kit.send("GET", LIST)
    with pytest.raises(Stopped, match=r"token was refused .401. from request 2 on"):
        kit.send("GET", f"{LIST}/1")


def test_401_of_one_operation_alone_is_an_answer():
    """Where the list still takes the token, a 401 is a fault for a probe to see."""
    kit = client(reply(401), reply(200, []))
    assert kit.send("GET", f"{LIST}/1").status == 401


def test_read_only_sends_nothing_that_changes_anything():
    """A read-only client asks, and does nothing else."""
    kit = client(reply(200, []), read_only=True)
    kit.send("GET", LIST)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        with pytest.raises(NotJudged, match="read-only"):
            kit.send(method, LIST)
    assert kit.requests == 1


def test_missing_token_says_which_option_gives_it():
    """What a second environment would judge says how to give one."""
    with pytest.raises(NotJudged, match="give --other-token"):
        client(reply(), tokens={FIRST: TOKENS[FIRST]}).send("GET", LIST, actor=OTHER)


def test_budget_of_requests_ends_the_run():
    """No request is sent beyond a limit."""
    kit = client(reply(200, []))
    kit.limit = 1
    kit.send("GET", LIST)
    with pytest.raises(Stopped, match="budget of 1 requests"):
        kit.send("GET", LIST)


def test_clean_up_deletes_the_newest_first():
    """What stands on something else goes before it."""
    kit = client(reply(200))
    for path in ("/sip-trunks/1", "/sip-trunks/1/dids/2", "/sip-trunks/3"):
        kit.note_made(FIRST, path)
    assert kit.clean_up() == []
    assert [sent[1] for sent in kit._transport.sent] == ["/sip-trunks/3", "/sip-trunks/1/dids/2", "/sip-trunks/1"]


def test_what_would_not_go_is_listed():
    """A refused delete leaves something behind; one that is gone already does not."""
    kit = client(reply(409), reply(404), reply(500), NoAnswer("closed"))
    for number in range(4):
        kit.note_made(FIRST, f"/sip-trunks/{number}")
    assert kit.clean_up() == ["/sip-trunks/3", "/sip-trunks/1", "/sip-trunks/0"]


def test_ctrl_c_lets_the_clean_up_end_and_is_raised_then():
    """One Ctrl-C while deleting loses nothing."""
    kit = client(KeyboardInterrupt(), reply(200))
    kit.note_made(FIRST, "/sip-trunks/1")
    kit.note_made(FIRST, "/sip-trunks/2")
    with pytest.raises(KeyboardInterrupt):
        kit.clean_up()
    assert kit.left == []
    assert [sent[1] for sent in kit._transport.sent] == ["/sip-trunks/2", "/sip-trunks/2", "/sip-trunks/1"]


def test_second_ctrl_c_ends_the_clean_up_and_lists_the_rest():
    """Who presses twice is let go, and told what is left."""
    kit = client(KeyboardInterrupt())
    kit.note_made(FIRST, "/sip-trunks/1")
    kit.note_made(FIRST, "/sip-trunks/2")
    with pytest.raises(KeyboardInterrupt):
        kit.clean_up()
    assert kit.left == ["/sip-trunks/2", "/sip-trunks/1"]


def test_trunk_made_without_a_token_is_deleted_with_one():
    """Where a server made something for nobody, the run's own token may delete it."""
    kit = client(reply(401), reply(200))
    kit.note_made(NOBODY, "/sip-trunks/1")
    assert kit.clean_up() == []


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        pytest.param(reply(201, {"id": "1"}), 0, id="made-and-told"),
        pytest.param(reply(422), 0, id="refused"),
        pytest.param(reply(201), 1, id="made-without-an-id"),
        pytest.param(reply(500), 1, id="failed"),
        pytest.param(reply(201, {"id": "1"}, tries=2), 1, id="sent-twice"),
        pytest.param(NoAnswer("closed", dropped=True), 1, id="no-answer"),
        pytest.param(KeyboardInterrupt(), 1, id="interrupted"),
    ],
)
def test_create_that_may_have_made_something_is_remembered(answer, lost):
    """What a create made is looked for at the end unless the answer told of it."""
    kit = client(answer)
    with suppress(NotJudged, KeyboardInterrupt):
        kit.send("POST", LIST, {})
    assert len(kit.lost) == lost


def test_secrets_are_masked_in_an_exchange():
    """What a report gets shows variables, in headers, path and body."""
    kit = client(reply(200, {"id": "1"}))
    password = kit.canaries.password('"\\é')
    exchange = kit.exchange(kit.send("PUT", f"{LIST}/{password}", {"password": password}))
    shown = str(exchange)
    assert kit.canaries.find(shown) is None
    assert "Bearer $TOKEN" in shown
    assert '{"password": "$SIP_PASSWORD"}' in exchange.request_body


@pytest.mark.parametrize("form", [str, str.upper, lambda text: text[::-1], lambda text: text.encode().hex()])
def test_answer_in_which_a_secret_came_back_is_not_shown(form):
    """The place is told, the text is not: it may hold the secret in a form that no mask knows."""
    kit = client(lambda _m, _p, _h, body: reply(200, {"hint": form(json.loads(body)["password"])}))
    exchange = kit.exchange(kit.send("POST", LIST, {"password": kit.canaries.password()}))
    assert "not shown: the password came back" in exchange.response_body
    assert "$.data.hint" in exchange.response_body
    assert kit.canaries.find(str(exchange)) is None


def test_header_in_which_a_secret_came_back_is_not_shown():
    """Neither is a header, in its value or its name."""

    def answer(_method, _path, _headers, body):
        word = json.loads(body)["password"]
        return reply(200, {}, ("X-A", word.upper()), (f"X-{word}", "1"))

    kit = client(answer)
    exchange = kit.exchange(kit.send("POST", LIST, {"password": kit.canaries.password()}))
    assert kit.canaries.find(str(exchange)) is None
    assert ("X-A", "(not shown: a secret came back here)") in exchange.response_headers


def test_answers_are_read_with_care():
    """What is no JSON object has no data; names of headers have no letter case."""
    kit = client(reply(200, {"id": "1"}, ("X-Up", "a")), reply(200, [1]))
    one, other = kit.send("GET", LIST), kit.send("GET", LIST)
    assert (one.member("id"), one.header("x-up"), one.where) == ("1", "a", "GET /sip-trunks")
    assert (other.member("id"), other.data) == (None, [1])
