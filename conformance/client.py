"""Sends requests for one of several environments, at the pace that is allowed, and keeps every exchange of the run.

Answers are kept as they came for the probes, and searched for secrets as they come. `Answer.exchange` is their masked
form, the only one that a report gets. Everything that is made is noted before it is sent and deleted at the end. Knows
no rule.
"""

import base64
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final

from conformance import curl, results
from conformance.canaries import PASSWORD_MASK, Canaries, Hit
from conformance.transport import Headers, NoAnswer, Reply, Transport

FIRST: Final = "first"
OTHER: Final = "other"
NO_PLAN: Final = "no-plan"
NOBODY: Final = "nobody"
TOKEN_VARIABLES = {FIRST: "$TOKEN", OTHER: "$OTHER_TOKEN", NO_PLAN: "$NO_PLAN_TOKEN"}

JSON_TYPE = "application/json"
OWN_HEADERS = frozenset({"User-Agent", "Accept"})  # on every request, and of no interest
OTHER_NUMBER = "600000000000001"  # in a command, in place of a password that is a number
LONGEST_WAIT = 150.0  # seconds that one request waits for a rate limit in all
TRIES = 12  # of one request that is answered 429
KEPT_BODY = 4000  # characters of a body that a report shows

ABSENT: Final[Any] = object()


class NotJudged(Exception):
    """Something that a probe needs was not to be had; the text says what, and what would help."""


class Stopped(NotJudged):
    """The whole run cannot go on: the target no longer answers, or a budget is used up."""


@dataclass
class Answer:
    """An answer beside its request. `body` and headers are as they came, secrets included: for probes, not for
    reports.
    """

    number: int
    actor: str
    method: str
    path: str
    request_headers: Headers
    request_body: bytes | None
    status: int
    headers: Headers
    body: bytes
    duration_ms: float
    received: float  # seconds since the epoch, by the kit's clock
    operation: str = ""
    hits: tuple[Hit, ...] = ()
    tags: frozenset[str] = frozenset()  # what the kit knows of its own request

    @cached_property
    def json(self) -> Any:
        """The body as JSON, or None where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def data(self) -> Any:
        """The member `data`, or None."""
        return self.json.get("data") if isinstance(self.json, dict) else None

    def member(self, name: str) -> Any:
        """Give a member of an object in `data`, or None."""
        return self.data.get(name) if isinstance(self.data, dict) else None

    def header(self, name: str) -> str | None:
        """Give the first header field of a name, in any letter case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def is_success(self) -> bool:
        """Tell whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def is_refusal(self) -> bool:
        """Tell whether the status is 4xx."""
        return 400 <= self.status < 500

    @property
    def where(self) -> str:
        """What was asked, in short: `PUT /sip-trunks/{trunk_id}`."""
        return self.operation or f"{self.method} {self.path}"


@dataclass(slots=True)
class Pace:
    """When the next request may be sent. `rate` is requests a second; None sends at once."""

    rate: float | None = None
    sleep: Callable[[float], None] = time.sleep
    _next: float = 0.0
    _remaining: dict[str, int] = field(default_factory=dict)
    _closed_until: dict[str, float] = field(default_factory=dict)

    def wait(self, actor: str) -> None:
        """Wait until a request for this environment may go out."""
        now = time.monotonic()
        until = max(self._next, self._closed_until.pop(actor, 0.0))
        if until > now:
            self.sleep(until - now)
        if self.rate:
            self._next = max(now, until) + 1 / self.rate

    def learn(self, actor: str, reply: Reply) -> None:
        """Heed rate limit headers: a counter that was seen to reach 0 closes the environment until its reset."""
        named = {
            name.lower(): value
            for name, value in reply.headers
            if "ratelimit" in name.lower() or "rate-limit" in name.lower()
        }
        remaining = _integer(next((value for name, value in named.items() if name.endswith("remaining")), ""))
        if remaining is None:
            return
        before = self._remaining.get(actor, 0)
        self._remaining[actor] = remaining
        if remaining == 0 and before == 1 and reply.status != 429:
            seconds = _seconds_until(next((value for name, value in named.items() if name.endswith("reset")), ""))
            if seconds is not None and 0 < seconds <= 90:
                self._closed_until[actor] = time.monotonic() + seconds


class Client:
    """Talks to the target as one environment or another, and remembers everything."""

    def __init__(
        self,
        transport: Transport,
        base_url: str,
        tokens: dict[str, str],
        canaries: Canaries,
        *,
        pace: Pace | None = None,
        read_only: bool = False,
        on_answer: Callable[[Answer], None] | None = None,
    ) -> None:
        self._transport = transport
        self._base_url = base_url
        self._tokens = tokens
        self.canaries = canaries
        self._pace = pace or Pace()
        self._read_only = read_only
        self._on_answer = on_answer
        self.answers: list[Answer] = []
        self.made: list[tuple[str, str]] = []  # (actor, path) of what exists because of the kit, oldest first
        self.lost: list[
            tuple[str, str]
        ] = []  # (actor, path) of POSTs that may have made something without telling what
        self.paths: set[str] = set()  # of all that the kit ever made
        self.left: list[str] = []  # paths of what the last clean-up could not delete
        self.unanswered: list[Answer] = []  # requests on which the connection was closed, status 0
        self.withheld: set[str] = set()  # members that follow a password: not shown in any report
        self.requests = 0
        self.limit: int | None = None

    def has(self, actor: str) -> bool:
        """Tell whether there is a token for this environment."""
        return actor in self._tokens

    def authorization(self, actor: str) -> str | None:
        """Give the Authorization header of an environment."""
        token = self._tokens.get(actor)
        return f"Bearer {token}" if token is not None else None

    def token(self, actor: str) -> str:
        """Give the token of an environment."""
        return self._tokens[actor]

    def send(
        self,
        method: str,
        path: str,
        body: Any = ABSENT,
        *,
        actor: str = FIRST,
        operation: str = "",
        content_type: str | None = JSON_TYPE,
        authorization: Any = ABSENT,
        headers: Headers = (),
        tags: Iterable[str] = (),
    ) -> Answer:
        """Send a request and give its answer; a 429 is waited out. `body` is JSON unless it is bytes.

        Raises NotJudged when a read-only run may not send it, or when no answer came.
        """
        if self._read_only and method not in {"GET", "HEAD", "OPTIONS"}:
            raise NotJudged("the run is read-only (leave out --read-only)")
        if actor != NOBODY and not self.has(actor) and authorization is ABSENT:
            raise NotJudged(_no_token(actor))
        raw = (
            None
            if body is ABSENT
            else body
            if isinstance(body, bytes)
            else json.dumps(body, ensure_ascii=False).encode()
        )
        fields: list[tuple[str, str]] = [("User-Agent", "trunkcheck"), ("Accept", JSON_TYPE)]
        credentials = self.authorization(actor) if authorization is ABSENT else authorization
        if credentials is not None:
            fields.append(("Authorization", credentials))
        if raw is not None and content_type is not None:
            fields.append(("Content-Type", content_type))
        return self._exchange(actor, method, path, (*fields, *headers), raw, operation, frozenset(tags))

    def _exchange(
        self,
        actor: str,
        method: str,
        path: str,
        headers: Headers,
        body: bytes | None,
        operation: str,
        tags: frozenset[str],
    ) -> Answer:
        waited = 0.0
        for attempt in range(TRIES):
            answer = self._once(actor, method, path, headers, body, operation, tags)
            if answer.status == 401 and ("Authorization", self.authorization(actor)) in headers:
                self._see_whether_the_token_holds(actor)
            if answer.status != 429:
                return answer
            delay = _retry_delay(answer, attempt)
            if waited + delay > LONGEST_WAIT:
                break
            waited += delay
            self._pace.sleep(delay)
        raise NotJudged(f"the rate limit held for {waited:.0f} seconds (give --rate, or a token with a larger limit)")

    def _see_whether_the_token_holds(self, actor: str) -> None:
        """Ask for the list with a token that was just refused; Stopped or NotJudged when it is refused there too."""
        credentials = self.authorization(actor) or ""
        fields = (("User-Agent", "trunkcheck"), ("Accept", JSON_TYPE), ("Authorization", credentials))
        again = self._once(actor, "GET", "/sip-trunks", fields, None, "GET /sip-trunks", frozenset())
        if again.status == 401 and self.answers[-2].path != "/sip-trunks":
            sentence = f"the token was refused (401) from request {self.answers[-2].number} on"
            raise Stopped(sentence) if actor == FIRST else NotJudged(f"{sentence} ({TOKEN_VARIABLES[actor][1:]})")

    def _once(
        self,
        actor: str,
        method: str,
        path: str,
        headers: Headers,
        body: bytes | None,
        operation: str,
        tags: frozenset[str],
    ) -> Answer:
        if self.limit is not None and self.requests >= self.limit:
            raise Stopped(f"the budget of {self.limit} requests is used up")
        self._pace.wait(actor)
        self.requests += 1
        started = time.perf_counter()
        makes = method == "POST" and path.endswith(("/sip-trunks", "/dids"))
        if makes:
            self.lost.append((actor, path))  # until it is answered, also where Ctrl-C comes first
        try:
            reply = self._transport.send(method, path, headers, body)
        except NoAnswer as error:
            if error.dropped:
                number, duration_ms = len(self.answers), (time.perf_counter() - started) * 1000
                lost = Answer(
                    number,
                    actor,
                    method,
                    path,
                    headers,
                    body,
                    0,
                    (),
                    b"",
                    duration_ms,
                    time.time(),
                    operation,
                    tags=tags,
                )
                self.unanswered.append(lost)
            raise NotJudged(f"{operation or method + ' ' + path}: {error}") from None
        duration_ms = (time.perf_counter() - started) * 1000
        self._pace.learn(actor, reply)
        answer = Answer(
            len(self.answers) + 1, actor, method, path, headers, body, reply.status, reply.headers, reply.body,
            duration_ms, time.time(), operation, tuple(self.canaries.search(reply.body, reply.headers)), tags,
        )  # fmt: skip
        self.answers.append(answer)
        told = answer.is_refusal or (answer.is_success and answer.member("id") is not None)
        if makes and reply.tries == 1 and told:
            self.lost.remove((actor, path))
        if self._on_answer:
            self._on_answer(answer)
        return answer

    def pause(self, seconds: float) -> None:
        """Let time go by."""
        if seconds > 0:
            self._pace.sleep(seconds)

    def note_made(self, actor: str, path: str) -> None:
        """Remember something that exists because of the kit."""
        self.made.append((actor, path))
        self.paths.add(path)

    def note_gone(self, actor: str, path: str) -> None:
        """Forget something that is deleted, and all that was in it."""
        self.made = [(who, what) for who, what in self.made if who != actor or not (what + "/").startswith(path + "/")]

    def clean_up(self) -> list[str]:
        """Delete what the kit made, the newest first; give the paths of what would not go, which `left` has too.

        Ctrl-C is raised when all is done; pressed twice it ends the clean-up.
        """
        self.limit, self.left = None, []
        waiting, self.made, interrupts = self.made, [], 0
        while waiting and interrupts < 2:
            actor, path = waiting[-1]
            try:
                gone = self._delete(actor, path) or (actor == NOBODY and self._delete(FIRST, path))
            except KeyboardInterrupt:
                interrupts += 1
                continue
            if not gone:
                self.left.append(path)
            waiting.pop()
        self.left += [path for _, path in reversed(waiting)]
        if interrupts:
            raise KeyboardInterrupt
        return self.left

    def _delete(self, actor: str, path: str) -> bool:
        """Delete something, and tell whether it is gone."""
        try:
            answer = self.send("DELETE", path, actor=actor, operation="clean-up", tags=("clean-up",))
        except NotJudged:
            return False
        return answer.is_success or answer.status in {404, 410}

    def close(self) -> None:
        """Let go of the connection."""
        self._transport.close()

    def exchange(self, answer: Answer) -> results.Exchange:
        """Give the masked form of an answer and its request, for reports."""
        mask = self.canaries.mask
        response_headers, response_body = self._shown(answer)
        return results.Exchange(
            number=answer.number,
            actor=answer.actor,
            method=answer.method,
            path=mask(answer.path),
            request_headers=tuple((name, self._mask_header(value)) for name, value in answer.request_headers),
            request_body=None
            if answer.request_body is None
            else _short(mask(answer.request_body.decode("utf-8", "replace"))),
            status=answer.status or None,
            response_headers=response_headers,
            response_body=response_body,
            duration_ms=round(answer.duration_ms, 2),
            curl=self._curl(answer),
        )

    def _shown(self, answer: Answer) -> tuple[Headers, str]:
        """Give the answer's headers and body, masked; a part in which a secret came back is not shown at all."""
        hits = {hit.where: hit for hit in answer.hits}
        body_hit = next((hit for where, hit in hits.items() if not where.startswith(("header ", "a header"))), None)
        if body_hit:
            found = f"the {body_hit.secret} came back {body_hit.form}, at {body_hit.where}"
            body = f"({len(answer.body)} bytes, not shown: {found})"
        else:
            body = _short(self.canaries.mask(answer.body.decode("utf-8", "replace")))
        headers = []
        for name, value in answer.headers:
            hidden = f"header {name}" in hits or name.lower() in self.withheld
            shown = "(not shown: a secret came back here)" if hidden else self.canaries.mask(value)
            headers.append(
                ("(not shown)", "a secret came back in a header's name") if self.canaries.find(name) else (name, shown)
            )
        for member in self.withheld:
            body = re.sub(rf'("{re.escape(member)}"\s*:\s*)("(?:[^"\\]|\\.)*"|[^,}}\]]+)', r'\1"***"', body)
        return tuple(headers), body

    def _mask_header(self, value: str) -> str:
        """Give a header's value with a shell's expression in place of a token, whole or changed, or with `***`."""
        for actor, token in self._tokens.items():
            variable = TOKEN_VARIABLES.get(actor, "$TOKEN")
            value = _in_shell(value, token, variable[1:]) or value.replace(token, variable)
        value = self.canaries.mask(value)
        if self.canaries.find(value) or any(_shares(value, token) for token in self._tokens.values()):
            scheme, _, _ = value.partition(" ")
            return "***" if self.canaries.find(scheme) or not scheme.isalpha() else f"{scheme} ***"
        return value

    def _curl(self, answer: Answer) -> str:
        """Give a command that sends the request again; secrets are shell variables."""
        mask = self.canaries.mask
        headers = tuple(
            (name, self._mask_header(value)) for name, value in answer.request_headers if name not in OWN_HEADERS
        )
        body = None
        if answer.request_body is not None:  # bytes that are no UTF-8 stay as they are
            text = answer.request_body.decode("utf-8", "surrogateescape")
            for number in self.canaries.numbers:
                text = text.replace(number, OTHER_NUMBER)
            body = mask(text).encode("utf-8", "surrogateescape")
        return curl.command(answer.method, mask(self._base_url + answer.path), headers, body, PASSWORD_MASK)


def _in_shell(value: str, token: str, name: str) -> str | None:
    """Give what a shell makes these credentials of, where they are one of the changes that the kit makes to a token."""
    scheme, _, credentials = value.rpartition(" ")
    bare = token.removeprefix("talq_")
    known = {
        token[:-1]: f"${{{name}%?}}",
        bare: f"${{{name}#talq_}}" if bare != token else f"${name}",
        base64.b64encode(f"{token}:".encode()).decode(): f"$(printf '%s:' \"${name}\" | base64 | tr -d '\\n')",
        "talq_" + bare.swapcase(): f"talq_$(printf '%s' \"${{{name}#talq_}}\" | tr 'a-zA-Z' 'A-Za-z')",
    }
    written = known.get(credentials)
    return written and f"{scheme} {written}".strip()


def _shares(value: str, token: str) -> bool:
    """Tell whether a text has a long part of a token in it."""
    secret = token.removeprefix("talq_").casefold()
    length = max(min(8, len(secret)), 4)
    return any(secret[start : start + length] in value.casefold() for start in range(len(secret) - length + 1))


def _short(text: str) -> str:
    return text if len(text) <= KEPT_BODY else f"{text[:KEPT_BODY]}… ({len(text)} characters)"


def _no_token(actor: str) -> str:
    option = {OTHER: "--other-token", NO_PLAN: "--no-plan-token"}.get(actor, "--token")
    return f"no token was given for it (give {option})"


def _integer(text: str) -> int | None:
    match = re.match(r"\s*(\d{1,12})", text)
    return int(match[1]) if match else None


def _seconds_until(text: str) -> float | None:
    """Read a reset header: seconds from now, or since the epoch (then larger than ten years of seconds)."""
    number = _integer(text)
    if number is None:
        return None
    return number - time.time() if number > 315_360_000 else float(number)


def _retry_delay(answer: Answer, attempt: int) -> float:
    """Give how long a 429 asks to wait, in seconds: Retry-After (RFC 9110, section 10.2.3), else a reset header, else
    a guess.
    """
    text = answer.header("retry-after") or ""
    if (seconds := _integer(text)) is not None:
        return min(max(float(seconds), 0.05), LONGEST_WAIT + 1)
    try:
        return max(parsedate_to_datetime(text).timestamp() - time.time(), 0.05)
    except (ValueError, TypeError):
        pass
    reset = next((value for name, value in answer.headers if name.lower().endswith("reset")), "")
    return max(_seconds_until(reset) or min(0.25 * 2**attempt, 30.0), 0.05)


def group_by_operation(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """Sort answers by their operation."""
    grouped: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        grouped[answer.operation].append(answer)
    return grouped
