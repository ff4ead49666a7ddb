"""The bench of the exploration: its budget, what it has found, and how Hypothesis is run on it."""

import inspect
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType, SimpleNamespace
from typing import Any, Final, TypeVar
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, Verbosity, configuration, given, seed, settings
from hypothesis.errors import Flaky
from hypothesis.internal.conjecture import providers
from hypothesis.strategies import SearchStrategy

from conformance.client import FIRST, Answer, NotJudged, Stopped
from conformance.expect import Broken
from conformance.lab import Lab, trunk_path
from conformance.model import Departure, Trunk
from conformance.probes import test_answers, test_create, test_redaction
from conformance.rules import RULES, Outcome
from conformance.session import Judgement, Run

TOGETHER: Final = ("answer.as-sent", "answer.created-at.steady", "create.id.unique")  # need more than one answer
SILENCES: Final = 3  # requests in a row without an answer, after which no more are sent
REDUCING: Final = 60  # requests that go into the reduction of a finding, at most

Given = TypeVar("Given")


class Over(BaseException):
    """The share of a part is used up. No Exception, so that Hypothesis lets it through."""


class Bench:
    """Spends the budget, sees every answer, and keeps what is found, the smallest of each rule."""

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
        self.carrier_answers = True  # as far as is known: Verify has not failed on the working domain
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
        except Over:
            pass
        finally:
            self.hunted = None
            self._until, self._deadline = self._last, self._end
            self._forget()

    def guard(self, send: Callable[[], Given], *, cost: int = 1, cleaning: bool = False) -> Given:
        """Do what sends up to `cost` requests; what is left must do for the clean-up. NotJudged when no answer came."""
        owed = 0 if cleaning else len(self.client.made) + 1
        until, deadline = (self._last, float("inf")) if cleaning else (self._until, self._deadline)
        if self.client.requests + cost + owed > until or time.monotonic() >= deadline:
            raise Over
        try:
            answer = send()
        except Stopped as error:
            if self.client.requests < self._last:
                self.run.stopped = str(error)
            raise Over from None
        except NotJudged:
            self._silences += 1
            self.silent = self._silences >= SILENCES
            if self.silent:
                raise Over from None
            raise
        self._silences = 0
        return answer

    def ask(self, send: Callable[[], Answer], *, look: bool = True) -> Answer:
        """Send one request and `look` whether its answer breaks a rule that holds for every answer."""
        answer = self.guard(send)
        if answer.is_success:
            self.accepted[answer.operation] = answer
        if look:
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
        view = self._view([answer], [], {"create": self.accepted.get(answer.operation)})
        for identity, broken in self._broken_in(view, but=TOGETHER):
            broken.control = broken.control or self.accepted.get(answer.operation)
            raise Departure(identity, broken)

    def _view(self, answers: list[Answer], unanswered: list[Answer], controls: Mapping[str, Answer | None]) -> Any:
        """Give what a probe that looks at answers alone needs of a bench."""
        known = SimpleNamespace(answers=answers, unanswered=unanswered, paths=self.client.paths)
        return SimpleNamespace(client=known, controls=controls)

    def _broken_in(
        self, lab: Any, but: Collection[str] = (), only: Collection[str] = ()
    ) -> Iterator[tuple[str, Broken]]:
        for identity, probe in self._passive.items():
            if only and identity not in only:
                continue
            if identity not in but and self.open(identity):
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
        broken.answers = tuple({id(answer): answer for answer in broken.answers}.values())
        size = (len(self.story), sum(len(answer.request_body or b"") for answer in broken.answers))
        if departure.rule not in self.found or size <= self._sizes[departure.rule]:
            story = f", after {', '.join(self.story)}" if self.story else ""
            broken.sent = self.client.canaries.mask((broken.sent or broken.answers[-1].where) + story)
            self.found[departure.rule], self._sizes[departure.rule] = broken, size
        return departure.rule == self.hunted

    @property
    def is_reduced(self) -> bool:
        """Tell whether enough was sent to reduce the finding at hand."""
        return self.hunted is not None and self.client.requests >= self._reduced

    @contextmanager
    def hunt(self, reducing: int) -> Iterator[None]:
        """Let Hypothesis look for a finding and reduce it; what it raises then says nothing more.

        A target that answers the same steps otherwise, or a reduction that was broken off, is flaky to Hypothesis.
        """
        self.hunted, self._reduced = None, reducing
        try:
            yield
        except (Departure, Flaky):
            pass
        finally:
            self.hunted = None
            self.story.clear()

    def each(self, number: int, values: SearchStrategy[Given], examples: int, judge: Callable[[Given], None]) -> None:
        """Judge as many values."""

        def attempt(value: Given) -> None:
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
            seed(f"{self.seed} {number}")(configured(examples)(given(values)(attempt)))()

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
            with suppress(Over, NotJudged):  # the clean-up at the end tries again
                self.remove(trunk.path)

    def doubt(self) -> None:
        """Let go of the trunk that updates are tried on."""
        self._forget()

    def close(self) -> None:
        """Delete what is left, look at all answers together, and hand the findings to the run."""
        if not self.lab.options.keep:
            self.lab.leftovers = [*self.lab.leftovers, *self.client.clean_up()]
        self.client.limit = None
        own = self._view(self.client.answers[self._started :], self.client.unanswered, self.lab.controls)
        for identity, broken in (*self._broken_in(own, but=TOGETHER), *self._broken_in(self.lab, only=TOGETHER)):
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


def configured(examples: int, **more: Any) -> settings:
    """Give the settings of a search: in silence, with nothing kept, one finding at a time."""
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
def alone() -> Iterator[None]:
    """Keep Hypothesis from leaving files behind, and from drawing what stands in modules that happen to be loaded."""
    before = configuration.storage_directory().home_directory
    with ExitStack() as stack:
        configuration.set_hypothesis_home_dir(stack.enter_context(tempfile.TemporaryDirectory(prefix="trunkcheck-")))
        stack.callback(configuration.set_hypothesis_home_dir, before)
        if hasattr(providers, "_get_local_constants") and hasattr(providers, "CONSTANTS_CACHE"):
            none = type(providers.GLOBAL_CONSTANTS)()
            providers.CONSTANTS_CACHE.cache.clear()
            stack.callback(providers.CONSTANTS_CACHE.cache.clear)
            stack.enter_context(patch.object(providers, "_get_local_constants", lambda: none))
        yield
