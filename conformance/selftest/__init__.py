"""The test of the kit itself: it must catch seeded faults, each by its own rule, and leave correct variants alone.

Every fault and variant is a miniature API, and every one is judged by the whole kit as any target is: the standard
profile, through pytest. Processes, two or more, share the work.
"""

import gc
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

from conformance import probes, runs
from conformance.client import FIRST, NO_PLAN, OTHER
from conformance.results import ExitCode, Report
from conformance.rules import RULES, Profile, Verdict
from conformance.selftest import faults, variants
from conformance.selftest.catalogue import FAULTS, VARIANTS, Fault, Variant
from conformance.selftest.miniature import FAILING, TOKENS, WORKING, Api
from conformance.session import Run

REFERENCE: Final = "reference"
RUN_ID: Final = "5e1f7e"  # always the same, and so are all requests
PROCESSES: Final = max(2, os.cpu_count() or 2)
FEW: Final = 100_000  # new objects between two searches for garbage: a run makes many and keeps few


@dataclass(frozen=True, slots=True)
class Trial:
    """What the kit said of one miniature API. `kind` is reference, fault or variant."""

    kind: str
    name: str
    failed: frozenset[str]
    warned: frozenset[str]
    silent: frozenset[str]  # not judged
    erred: frozenset[str]  # the kit itself failed
    requests: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the whole test gave: `misses` is a sentence for each thing that is not as it should be."""

    faults: int
    killed: int
    variants: int
    alarms: int
    requests: int  # of a run against the reference
    misses: tuple[str, ...]
    seconds: float

    def table(self) -> str:
        """Give the figures that are the same each time, as a Markdown table."""
        rules = sum(Profile.STANDARD.includes(rule.profile) for rule in RULES.values())
        rows = {
            "rules in the standard profile": str(rules),
            "seeded faults caught, each by the rule it breaks": f"{self.killed} of {self.faults}",
            "correct variants that raised an alarm": f"{self.alarms} of {self.variants}",
            "requests of a run against the reference": str(self.requests),
        }
        lines = [f"| {name} | {value} |" for name, value in rows.items()]
        return "\n".join(["| the kit, tested on itself | |", "|---|---|", *lines])


def main() -> int:
    """Run the test, print the table and every miss, and give the exit code: 0, or 4 where something was missed."""
    load()
    print(f"The kit is tried on {len(FAULTS)} faulty and {len(VARIANTS)} correct servers; this takes about a minute.")
    outcome = run()
    print(f"\n{outcome.table()}\n\n{outcome.seconds:.0f} seconds")
    for miss in outcome.misses:
        print(miss)
    return ExitCode.KIT_ERROR if outcome.misses else ExitCode.CONFORMS


def load() -> None:
    """Import every rule, fault and variant."""
    probes.load()
    faults.load()


def run(processes: int = PROCESSES) -> Outcome:
    """Try everything that was seeded, and compare."""
    load()
    started = time.monotonic()
    wanted = [(REFERENCE, ""), *(("fault", name) for name in FAULTS), *(("variant", name) for name in VARIANTS)]
    # Spawned: a fork of a process with threads, such as a test runner's, may hang.
    with get_context("spawn").Pool(processes, _get_ready) as pool:
        trials = list(pool.imap(attempt, wanted, chunksize=4))
    return judged(trials, time.monotonic() - started)


def _get_ready() -> None:
    load()
    gc.freeze()
    gc.set_threshold(FEW)


def attempt(wanted: tuple[str, str]) -> Trial:
    """Let the kit judge one miniature API."""
    from conformance.__main__ import judge

    kind, name = wanted
    api = Api()
    if kind != REFERENCE:
        (FAULTS if kind == "fault" else VARIANTS)[name].change(api)
    tokens = dict(zip((FIRST, OTHER, NO_PLAN), TOKENS, strict=True))
    lab = runs.make_lab(api, tokens, run_id=RUN_ID, working_domain=WORKING, failing_domain=FAILING)
    return _trial(kind, name, judge(Run(lab), name))


def _trial(kind: str, name: str, report: Report) -> Trial:
    def having(verdict: Verdict) -> frozenset[str]:
        return frozenset(one.rule.id for one in report.results if one.verdict is verdict)

    return Trial(
        kind,
        name,
        having(Verdict.FAIL),
        having(Verdict.WARN),
        having(Verdict.NOT_JUDGED),
        having(Verdict.KIT_ERROR),
        report.requests,
    )


def judged(trials: Iterable[Trial], seconds: float) -> Outcome:
    """Compare what the kit said with what it should have said."""
    misses: list[str] = []
    killed = alarms = requests = 0
    for trial in trials:
        found = list(_misses(trial))
        misses.extend(f"{trial.kind} {trial.name}".rstrip() + f": {miss}" for miss in found)
        if trial.kind == REFERENCE:
            requests = trial.requests
        elif trial.kind == "fault":
            killed += FAULTS[trial.name].caught_by(trial.failed | trial.warned)
        else:
            alarms += bool(found)
    return Outcome(len(FAULTS), killed, len(VARIANTS), alarms, requests, tuple(misses), seconds)


def _misses(trial: Trial) -> Iterator[str]:
    for rule in sorted(trial.erred):
        yield f"the kit failed in {rule}"
    if trial.kind == "fault":
        yield from _fault_misses(FAULTS[trial.name], trial)
    else:
        yield from _alarms(VARIANTS.get(trial.name), trial)


def _fault_misses(fault: Fault, trial: Trial) -> Iterator[str]:
    broken = trial.failed | trial.warned
    for rule in fault.rules:
        if rule not in broken:
            yield f"{rule} {'was not judged' if rule in trial.silent else 'did not see it'} ({fault.says})"
    for rule in sorted(trial.failed.difference(fault.rules, fault.also)):
        yield f"{rule} failed as well ({fault.says})"


def _alarms(variant: Variant | None, trial: Trial) -> Iterator[str]:
    says = f" ({variant.says})" if variant else ""
    warns, silent = (variant.warns, variant.silent) if variant else ((), ())
    for rule in sorted(trial.failed | trial.warned.difference(warns)):
        yield f"{rule} {'failed' if rule in trial.failed else 'warned'}{says}"
    for rule in sorted(trial.silent.difference(silent)):
        yield f"{rule} was not judged{says}"


__all__ = ["FAULTS", "VARIANTS", "Outcome", "Trial", "attempt", "judged", "load", "main", "run", "variants"]
