"""One run while it lasts: the bench, which rules are wanted, and what was found so far. Light enough for every pytest
start.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from conformance.rules import LAST_SENDS, RULES, Outcome, Profile, Rule, cases_of

if TYPE_CHECKING:
    from conformance.expect import Broken


GROUND = "create.accepted"  # the rule on which most others stand


@dataclass
class Judgement:
    """What a probe found about its rule."""

    outcome: Outcome
    reason: str = ""
    broken: "Broken | None" = None
    seconds: float = 0.0


@dataclass
class Run:
    """One run: the bench, which rules are wanted, and what was found so far."""

    lab: Any  # lab.Lab; loaded late
    profile: Profile = Profile.STANDARD
    strict: bool = False
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    judgements: dict[str, Judgement] = field(default_factory=dict)
    on_rule: Callable[[Rule], None] | None = None
    on_judgement: Callable[[Rule, Judgement], None] | None = None
    stopped: str = ""
    rule: str = ""  # the id of the rule that is being judged
    own: bool = False  # inside somebody's own suite, without the command around it

    def __post_init__(self) -> None:
        if self.lab is not None:
            self.use(self.lab)

    def use(self, lab: Any) -> None:
        """Work on this bench from now on."""
        self.lab = lab
        lab.rule = self.rule
        lab.last_sends = [send for identity, send in LAST_SENDS if self.wants(RULES[identity])]
        if not self.only:
            self.lab.wants = lambda identity: self.wants(RULES[identity])
            self.lab.refusals.all_cases = lambda kind: cases_of(kind, self.lab, self.wants)

    def wants(self, rule: Rule) -> bool:
        """Tell whether a rule is to be judged in this run."""
        if self.only and not any(fnmatchcase(rule.id, glob) for glob in self.only):
            return False
        return self.profile.includes(rule.profile) and not any(fnmatchcase(rule.id, glob) for glob in self.skip)
