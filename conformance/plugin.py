"""The pytest face of the kit: its options, the bench that probes work on, and the way from outcomes to a report.

pytest is the runner. The command hands over a `Run` through `config.stash`; in somebody's own suite the options below
make one (`pytest --pyargs conformance.probes --trunk-url URL`, or an ASGI app given with `--trunk-app module:name`),
or the fixture `trunk_target` does: see `conformance.suite`. Without a target the probes are skipped, and nothing else
of this plugin does anything.
"""

import importlib
import sys
from collections.abc import Generator, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from conformance.rules import RULES, Level, Outcome, Profile, Rule
from conformance.session import GROUND, Judgement, Run

PROBES = Path(__file__).parent / "probes"
_ON_MOST = ("plan.status", "create.refused-makes-nothing", "did.refused-not-stored", "update.refused-changes-nothing",
            "update.updated-at.now", "list.complete-at-end")  # fmt: skip
_ON_ALL = ("answer.", "redaction.password", "redaction.no-member", "redaction.token", "auth.challenge", "method.allow",
           "create.id.", "delete.not-listed", "list.entries")  # fmt: skip


RUN = pytest.StashKey[Run]()
RULE = pytest.StashKey[Rule | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the kit's options for somebody's own suite; tokens come from the environment."""
    group = parser.getgroup("trunkcheck", "conformance with the SIP trunk contract")
    group.addoption(
        "--trunk-url", metavar="BASE_URL", help="judge the implementation at this base URL (token: TRUNKCHECK_TOKEN)"
    )
    group.addoption("--trunk-app", metavar="MODULE:NAME", help="judge an ASGI app in this process")
    parser.addini("trunk_url", "the base URL that the trunk contract is judged at")
    parser.addini("trunk_app", "the ASGI app, module:name, that the trunk contract is judged on")
    group.addoption(
        "--trunk-profile", choices=[str(one) for one in Profile], default="standard", help="how much to send"
    )
    group.addoption("--trunk-strict", action="store_true", help="let broken inferred rules fail")
    group.addoption("--trunk-working-domain", metavar="HOST", help="a SIP domain on which Verify succeeds")
    group.addoption("--trunk-failing-domain", metavar="HOST", help="a SIP domain on which Verify fails")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the probes on one worker of pytest-xdist, where there is a target."""
    if any(_targets(config)) and getattr(config.option, "dist", "no") in {"load", "loadscope", "loadfile", "worksteal"}:
        config.option.dist = "loadgroup"


def _targets(config: pytest.Config) -> tuple[str, str]:
    """Give the base URL and the app that options or the configuration name."""
    url, app = (config.getoption(f"--trunk-{kind}", None) for kind in ("url", "app"))
    if url or app:
        return url or "", app or ""
    return str(config.getini("trunk_url") or ""), str(config.getini("trunk_app") or "")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the probes whatever names the suite around them looks for."""
    if file_path.parent == PROBES and file_path.name.startswith("test_") and file_path.suffix == ".py":
        patterns = parent.config.getini("python_files")
        if not any(fnmatchcase(file_path.name, pattern) for pattern in patterns):
            return pytest.Module.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> Any:
    """Collect a probe as a test, whatever names the suite around it looks for."""
    if _rules_of(obj) and not collector.funcnamefilter(name):
        return list(collector._genfunctions(name, obj))
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test of a probe for each of its fields."""
    rules = getattr(metafunc.function, "rules", None)
    if rules:
        metafunc.parametrize("field", list(rules))


def _rules_of(obj: object) -> dict[str, Rule]:
    members = getattr(obj, "__dict__", {})
    found = members.get("rules") or ({"": members["rule"]} if "rule" in members else {})
    is_probe = isinstance(found, dict) and all(isinstance(one, Rule) for one in found.values())
    return found if is_probe else {}


def rule_of(item: pytest.Item) -> Rule | None:
    """Give the rule that a test judges, or None where it is no probe."""
    if RULE not in item.stash:
        item.stash[RULE] = _find_rule(item)
    return item.stash[RULE]


def _find_rule(item: pytest.Item) -> Rule | None:
    if not isinstance(item, pytest.Function):
        return None
    rules = _rules_of(item.function)
    field = item.callspec.params.get("field", "") if hasattr(item, "callspec") else ""
    return rules.get(str(field)) or rules.get("")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    """Leave out what this run does not want; put the rules that look back on the whole run at its end."""
    probes = [item for item in items if rule_of(item)]
    if not probes:
        return (yield)
    run = _run(config)
    if run.own:
        from conformance import inside

        inside.group(probes)
        inside.shield(probes)
    result = yield  # others may have shuffled them
    probes = [item for item in items if rule_of(item)]
    unwanted = [item for item in probes if not run.wants(_rule(item))]
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
    order = {identity: number for number, identity in enumerate(RULES)}
    wanted = [item for item in probes if item not in unwanted]
    wanted.sort(key=lambda item: (looks_back(_rule(item)), order[_rule(item).id]))
    items[:] = [item for item in items if item not in probes] + wanted
    return result


def looks_back(rule: Rule) -> int:
    """Tell whether a rule is judged on the exchanges of the whole run: 0 no, 1 on most of them, 2 on all."""
    return 2 if rule.id.startswith(_ON_ALL) else int(rule.id.startswith(_ON_MOST))


def _rule(item: pytest.Item) -> Rule:
    rule = rule_of(item)
    if rule is None:
        raise ValueError(f"{item.nodeid} judges no rule")
    return rule


@pytest.fixture(scope="session")
def trunk_target(request: pytest.FixtureRequest) -> Any:
    """What is judged; somebody's own suite may have a fixture of this name instead: see `conformance.suite`."""
    run = _run(request.config)
    url, app = _targets(request.config)
    if run.lab is None and not url and not app:
        pytest.skip("no target: give --trunk-url or --trunk-app")
    if run.lab is not None:
        return None
    from conformance.inside import Target

    domains = (request.config.getoption(f"--trunk-{kind}-domain") for kind in ("working", "failing"))
    return Target(load_app(app) if app else url, None, None, None, *domains)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, trunk_target: Any) -> Iterator[Any]:
    """The bench that the run's probes share."""
    run = _run(request.config)
    if run.lab is None:
        from conformance import inside

        inside.open_bench(run, trunk_target)
    yield run.lab
    run.lab.close()
    if run.own:
        run.lab.client.close()


def _run(config: pytest.Config) -> Run:
    """Give the run of this session; the first call makes it, where the command did not."""
    if RUN not in config.stash:
        profile, strict = Profile(config.getoption("--trunk-profile")), bool(config.getoption("--trunk-strict"))
        config.stash[RUN] = Run(None, profile, strict, own=True)
    return config.stash[RUN]


def load_app(text: str) -> Any:
    """Import `module:name` from the working directory or the path; ValueError where there is no such thing."""
    module, _, name = text.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        app = getattr(importlib.import_module(module), name or "app")
    except (ImportError, AttributeError) as error:
        raise pytest.UsageError(f"{text} cannot be imported: {error}") from None
    finally:
        sys.path.remove(str(Path.cwd()))
    if not callable(app):
        raise pytest.UsageError(f"{text} is no ASGI app")
    return app


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tell the bench which rule is at work, and leave out a rule whose ground is missing."""
    rule = rule_of(item)
    run = _run(item.config) if rule else None
    if run and rule:
        run.rule = rule.id
        if run.on_rule:
            run.on_rule(rule)
        if run.lab is not None:
            run.lab.rule = rule.id
            if looks_back(rule) == 2:
                run.lab.finish()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a rule that would prove nothing, because one that it needs is broken or was not judged."""
    rule = rule_of(item)
    run = _run(item.config) if rule else None
    if run is None or rule is None:
        return
    if run.stopped:
        pytest.skip(run.stopped)
    for needed in rule.needs:
        found = run.judgements.get(needed)
        if found and found.outcome is not Outcome.KEPT:
            pytest.skip(f"it needs {needed}, which is {found.outcome}" + (f": {found.reason}" if found.reason else ""))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what a probe raised into a judgement, and into pytest's own outcome."""
    from conformance.client import NotJudged, Stopped
    from conformance.expect import Broken

    rule = rule_of(item)
    run = _run(item.config) if rule else None
    error = call.excinfo.value if call.excinfo else None
    if run and rule and isinstance(error, NotJudged):
        skipped = pytest.skip.Exception(str(error), _use_item_location=True)
        # Where no command tells that nothing could be judged, a suite must not be green.
        in_vain = run.own and (isinstance(error, Stopped) or rule.id == GROUND)
        told = pytest.fail.Exception(f"trunkcheck: {error}", pytrace=False) if in_vain else skipped
        call.excinfo = pytest.ExceptionInfo.from_exception(told.with_traceback(error.__traceback__))
    report = yield
    if run is None or run.lab is None or rule is None or call.when == "teardown":
        return report
    if isinstance(error, Stopped):
        run.stopped = str(error)
    if isinstance(error, Broken):
        judgement = Judgement(Outcome.BROKEN, broken=error)
        report.longrepr = _sentence(rule, error)
        if rule.level is Level.INFERRED and not run.strict:
            report.outcome = "passed"
    elif report.skipped or isinstance(error, NotJudged):
        judgement = Judgement(Outcome.NOT_JUDGED, str(error).removeprefix("Skipped: "))
    elif error is not None:
        judgement = Judgement(Outcome.KIT_ERROR, _traceback(run, call))
        report.longrepr = judgement.reason
    else:
        judgement = Judgement(Outcome.KEPT)
    if call.when == "call" or judgement.outcome is not Outcome.KEPT:
        judgement.seconds = call.duration
        run.judgements[rule.id] = judgement
        if run.on_judgement:
            run.on_judgement(rule, judgement)
    return report


def _sentence(rule: Rule, broken: Any) -> str:
    sent = broken.sent or (broken.answers[-1].where if broken.answers else rule.sends)
    return (
        f"{rule.id} ({rule.level})\n  {rule.says}  [{rule.source}]\n"
        f"  sent      {sent}\n  expected  {broken.expected}\n  actual    {broken.actual}"
    )


def _traceback(run: Run, call: pytest.CallInfo[None]) -> str:
    """Give the places of a failure inside the kit and its type; its text may quote an answer, so it is masked."""
    if call.excinfo is None:
        return "nothing was raised"
    last = call.excinfo.traceback[-1]
    text = f"{call.excinfo.typename} in {Path(str(last.path)).name}, line {last.lineno + 1}: {call.excinfo.value}"
    masked: str = run.lab.canaries.mask(text[:500])
    return "a value that held a secret" if run.lab.canaries.find(masked) else masked


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Clean up also where the run was broken off."""
    run = session.config.stash.get(RUN, None)
    if run is not None and run.lab is not None:
        run.lab.close()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell what the tests' outcomes do not, inside somebody's own suite."""
    run = config.stash.get(RUN, None)
    if run is not None and run.own and run.judgements:
        from conformance import inside

        inside.summary(terminalreporter, run)
