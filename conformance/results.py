"""The result of a run: one model, from which every report is made. Holds nothing secret: it is masked before it gets
here.
"""

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum

from conformance.rules import Profile, Rule, Verdict

MODEL_VERSION = 1


class ExitCode(IntEnum):
    """What the command ends with."""

    CONFORMS = 0
    BROKEN = 1
    USAGE = 2
    NOT_JUDGED = 3  # the target could not be judged: unreachable, token refused, no API
    KIT_ERROR = 4


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, masked: `$TOKEN` and `$SIP_PASSWORD` (or `***`) stand where secrets were."""

    number: int  # from 1, in the order of sending
    actor: str  # "first", "other", "no-plan" or "nobody": whose token was sent
    method: str
    path: str  # relative to the base URL, percent-encoded
    request_headers: tuple[tuple[str, str], ...]
    request_body: str | None
    status: int | None  # None when no answer came
    response_headers: tuple[tuple[str, str], ...]
    response_body: str
    duration_ms: float
    curl: str  # one command that sends it again; several lines


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a rule was broken."""

    sent: str  # in words: "POST /sip-trunks, name of 256 characters"
    expected: str
    actual: str
    exchanges: tuple[Exchange, ...]  # the request that matters, last
    control: Exchange | None = None  # the request that differs in one thing and was accepted


@dataclass(frozen=True, slots=True)
class Waiver:
    """A rule that is known to be broken and let through until a date. Read from a file."""

    rule: str
    reason: str
    expires: str  # YYYY-MM-DD; valid through that day
    line: int  # in the waiver file
    file: str = "waivers.toml"  # as it was named to the kit


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What became of one rule."""

    rule: Rule
    verdict: Verdict
    reason: str = ""  # why it was not judged, or what broke in the kit
    findings: tuple[Finding, ...] = ()
    waiver: Waiver | None = None
    duration_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run."""

    kit_version: str
    target: str  # base URL, without credentials
    profile: Profile
    strict: bool
    seed: int | None  # of the deep profile
    run_id: str
    started: str  # RFC 3339, UTC
    seconds: float
    requests: int
    results: tuple[RuleResult, ...]  # in the order of declaration
    leftovers: tuple[str, ...] = ()  # paths of what the kit made and could not delete
    problems: tuple[str, ...] = ()  # of the run itself: waivers to delete, the sentence why it stopped
    stopped: ExitCode | None = None  # set when the run could not go on
    notes: tuple[str, ...] = field(default=())  # for people: what would let more be judged

    def count(self) -> Counter[Verdict]:
        """Give how many rules there are of each verdict."""
        return Counter(result.verdict for result in self.results)

    @property
    def exit_code(self) -> ExitCode:
        """Give the exit code: a broken kit outweighs a broken rule, which outweighs a run that stopped."""
        verdicts = self.count()
        if verdicts[Verdict.KIT_ERROR] or self.stopped is ExitCode.KIT_ERROR:
            return ExitCode.KIT_ERROR
        if verdicts[Verdict.FAIL] or (self.problems and self.stopped is None):
            return ExitCode.BROKEN
        return self.stopped or ExitCode.CONFORMS
