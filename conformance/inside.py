"""The kit inside somebody's own pytest suite: what is judged there, and what keeps that suite from bending the probes.

The plugin loads this only once there are probes to run. What can go wrong is a failed test with one sentence: a target
that cannot be judged must not look like one that was.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from conformance.client import FIRST, NO_PLAN, OTHER
from conformance.rules import RULES, Level, Outcome
from conformance.session import Run

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

GROUP: Final = "trunkcheck"  # of pytest-xdist: all probes share one bench, so that one worker must have them all


@dataclass(frozen=True, slots=True)
class Target:
    """What is judged: a base URL or an ASGI app, and the tokens of its environments.

    A token that is left out comes from the environment variable that the command takes it from.
    """

    at: Any
    token: str | None = None
    other_token: str | None = None
    no_plan_token: str | None = None
    working_domain: str | None = None
    failing_domain: str | None = None


def open_bench(run: Run, target: Any) -> None:
    """Give the run a bench for a `Target`, a base URL or an ASGI app; the test fails where nothing can be judged."""
    from conformance import runs

    given = target if isinstance(target, Target) else Target(target)
    own = {FIRST: given.token, OTHER: given.other_token, NO_PLAN: given.no_plan_token}
    tokens = runs.tokens_of_environment(os.environ) | {actor: token for actor, token in own.items() if token}
    domains: dict[str, Any] = {"working_domain": given.working_domain, "failing_domain": given.failing_domain}
    lab, sentence = None, ""
    try:
        lab = runs.make_lab(given.at, tokens, profile=run.profile, **domains)
        runs.knock(lab)
    except ValueError as error:
        sentence = str(error)
    except runs.NoTarget as error:
        sentence = f"{given.at if isinstance(given.at, str) else 'the app'} could not be judged: {error}"
    if lab is None or sentence:
        run.stopped = sentence
        if lab is not None:
            lab.client.close()
        pytest.fail(f"trunkcheck: {sentence}", pytrace=False)
    run.use(lab)


def group(items: Iterable[pytest.Item]) -> None:
    """Keep the probes together where pytest-xdist spreads tests."""
    for item in items:
        if item.config.pluginmanager.hasplugin("xdist"):
            item.add_marker(pytest.mark.xdist_group(GROUP))


def shield(items: Iterable[pytest.Item]) -> None:
    """Let a probe's fixtures be the kit's own, whatever fixtures of the same names the suite around them has."""
    for item in items:
        known = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009 - pytest's own, and not typed
        for name, definitions in known.items():
            own = [one for one in definitions if str(one.func.__module__).startswith("conformance.")]
            if own and name != "trunk_target":
                known[name] = own


def summary(terminal: "TerminalReporter", run: Run) -> None:
    """Tell what the tests' outcomes do not: what warns, what was not judged, what was left behind."""
    found = run.judgements
    broken = [id for id, one in found.items() if one.outcome is Outcome.BROKEN]
    warned = [id for id in broken if RULES[id].level is Level.INFERRED and not run.strict]
    open_ = [id for id, one in found.items() if one.outcome is Outcome.NOT_JUDGED]
    terminal.section("trunkcheck")
    requests = f", {run.lab.client.requests} requests" if run.lab else ""
    terminal.line(f"{len(found) - len(open_)} of {len(found)} rules judged, {len(broken)} broken{requests}")
    for id in warned:
        one = found[id].broken
        terminal.line(f"warning: {id} (inferred): expected {one.expected}; got {one.actual}" if one else id)
    for reason in dict.fromkeys(found[id].reason for id in open_):
        terminal.line(f"not judged: {reason}: {', '.join(id for id in open_ if found[id].reason == reason)}")
    for path in run.lab.leftovers if run.lab else ():
        terminal.line(f"left behind: {path}")
