"""`trunkcheck`: judge an implementation of the SIP trunk API by its base URL and tokens.

Exit codes: 0 it conforms, 1 a rule is broken, 2 the command was used wrongly, 3 it could not be judged, 4 the kit
itself failed.
"""

import argparse
import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from conformance import client, probes, runs
from conformance.results import ExitCode, Report
from conformance.rules import RULES, Profile
from conformance.session import Run

PROBES = Path(probes.__file__).parent


class Usage(Exception):
    """The command was used wrongly; the text is one sentence."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack the characters of a sentence
    options = _parser().parse_args(argv)
    try:
        code = _do(options)
        sys.stdout.flush()
    except Usage as error:
        print(f"trunkcheck: {error}", file=sys.stderr)
        return ExitCode.USAGE
    except KeyboardInterrupt:
        print("trunkcheck: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trunkcheck",
        description="Check whether an implementation keeps the SIP trunk contract. Not affiliated with Talkover.",
        epilog="Exit codes: 0 conforms, 1 a rule is broken, 2 usage, 3 could not be judged, 4 the kit itself failed.",
    )
    add = parser.add_argument
    add("base_url", metavar="BASE_URL", nargs="?", help="as in the documentation, ending in /api/v1")
    add("--app", metavar="MODULE:NAME", help="judge an ASGI app in this process instead of a URL")
    add("--token", help="the token of an environment (or TRUNKCHECK_TOKEN, which stays out of the process list)")
    add("--other-token", help="the token of a second environment, for isolation (or TRUNKCHECK_OTHER_TOKEN)")
    add("--no-plan-token", help="the token of an environment without the feature (or TRUNKCHECK_NO_PLAN_TOKEN)")
    add("--working-domain", metavar="HOST", help="a SIP domain on which Verify succeeds")
    add("--failing-domain", metavar="HOST", help="a SIP domain on which Verify fails")
    add(
        "--profile",
        choices=[str(one) for one in Profile],
        default=str(Profile.STANDARD),
        help="how much to send (standard)",
    )
    add("--strict", action="store_true", help="let broken inferred rules fail too")
    add("--seed", type=int, help="of the deep profile; a run prints its own")
    add("--requests", type=int, metavar="N", help="of the deep profile: at most so many beyond its tables (2000)")
    add("--minutes", type=float, metavar="N", help="of the deep profile: at most so long beyond its tables (10)")
    add("--rate", metavar="N/m", help="at most so many requests a second, minute or hour: 100/m, 5/s")
    add("--only", metavar="GLOB", action="append", default=[], help="judge only these rules; may be repeated")
    add("--skip", metavar="GLOB", action="append", default=[], help="leave these rules out; may be repeated")
    add("--waive", metavar="FILE", type=Path, help="rules that are known to be broken, in TOML")
    add("--read-only", action="store_true", help="send nothing that could change anything")
    add("--keep", action="store_true", help="leave what was made where it is")
    add("--report", metavar="FORMAT=PATH", action="append", default=[], help="write a report; may be repeated")
    add("--plan", action="store_true", help="say how much would be sent, and send nothing")
    add("--list", action="store_true", help="print every rule and every statement of the contract")
    add("--explain", metavar="ID", help="print all about one rule")
    add("--self-test", action="store_true", help="check the kit itself against seeded faults and correct variants")
    add("--version", action="version", version=f"trunkcheck {version('trunkkit')}")
    return parser


def _do(options: argparse.Namespace) -> int:
    probes.load()
    if options.list or options.explain:
        from conformance import ledger

        return _print(_explained(options.explain) if options.explain else ledger.listing())
    if options.self_test:
        from conformance import selftest

        return selftest.main()
    profile = Profile(options.profile)
    rate = _rate(options.rate)
    only, skip = tuple(options.only), tuple(options.skip)
    wanted = [rule for rule in RULES.values() if Run(None, profile, only=only, skip=skip).wants(rule)]
    if not wanted:
        raise Usage("no rule is left to judge; --list prints them all")
    if options.plan:
        from conformance import plan

        return _print(plan.text(profile, wanted, rate, options.requests, options.minutes))
    return _judge(options, profile, rate, only, skip, len(wanted))


def _explained(identity: str) -> str:
    from conformance import ledger

    text = ledger.explain(identity)
    if text is None:
        near = ledger.near(identity)
        hint = f"is it {' or '.join(near)}?" if near else "--list prints them all"
        raise Usage(f"there is no such rule; {hint}")
    return text


def _print(text: str) -> int:
    print(text)
    return ExitCode.CONFORMS


def _rate(text: str | None) -> float | None:
    """Read `100/m` as requests a second."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})(?:/([smh]))?", text)
    if not match or not int(match[1]):
        raise Usage("--rate must be a number and s, m or h, as in 100/m")
    return int(match[1]) / {"s": 1, "m": 60, "h": 3600, None: 60}[match[2]]


def _reports(texts: Sequence[str]) -> list[tuple[str, Path]]:
    from conformance.report import FORMATS

    found = []
    for text in texts:
        name, equals, path = text.partition("=")
        if name not in FORMATS or not equals or not path:
            raise Usage(f"--report must be FORMAT=PATH with one of {', '.join(FORMATS)}")
        found.append((name, Path(path)))
        if path != "-" and (problem := _unwritable(Path(path))):
            raise Usage(f"the {name} report could not be written to {path}: {problem}")
    return found


def _unwritable(path: Path) -> str:
    """Say why a file could not be written, before a run is spent on it; an empty text when it can be."""
    if path.is_dir():
        return "that is a folder"
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        return f"{folder} is no folder"
    return "" if os.access(path if path.exists() else folder, os.W_OK) else "permission denied"


def _tokens(options: argparse.Namespace) -> dict[str, str]:
    given = {client.FIRST: options.token, client.OTHER: options.other_token, client.NO_PLAN: options.no_plan_token}
    return {**runs.tokens_of_environment(os.environ), **{actor: token for actor, token in given.items() if token}}


def _target(options: argparse.Namespace) -> Any:
    if bool(options.base_url) == bool(options.app):
        raise Usage("give a BASE_URL, or an app with --app")
    if options.base_url:
        return options.base_url
    import pytest

    from conformance.plugin import load_app

    try:
        return load_app(options.app)
    except pytest.UsageError as error:
        raise Usage(str(error)) from None


def _judge(
    options: argparse.Namespace,
    profile: Profile,
    rate: float | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    total: int,
) -> int:
    from rich.console import Console

    from conformance import report, waivers
    from conformance.report.console import Progress, print_report

    formats = _reports(options.report)
    try:
        waived = waivers.load(options.waive) if options.waive else ()
    except waivers.BadWaivers as error:
        raise Usage(str(error)) from None
    console = Console(soft_wrap=False, highlight=False)
    target = _target(options)
    try:
        lab = runs.make_lab(
            target, _tokens(options), rate=rate, profile=profile, working_domain=options.working_domain,
            failing_domain=options.failing_domain, read_only=options.read_only, keep=options.keep, seed=options.seed or
            0,
        )  # fmt: skip
    except ValueError as error:
        raise Usage(str(error)) from None
    run = Run(lab, profile, options.strict, only, skip)
    with Progress(console, total) as progress:
        run.on_rule = lambda rule: progress.say(rule.id)
        run.on_judgement = lambda rule, judgement: progress.done(runs.verdict_of(run, rule, judgement))
        result = judge(run, options.base_url or options.app, {"requests": options.requests, "minutes": options.minutes})
    result = waivers.apply(result, waived, date.today())
    print_report(result, console)
    return _write(result, formats, lab.canaries, report)


def judge(run: Run, target: str, limits: Mapping[str, Any] | None = None) -> Report:
    """Run the probes with pytest on a bench, and give the report. Cleans up also when it is interrupted."""
    started, seconds = runs.now(), runs.stopwatch()
    try:
        with _terminate_like_interrupt():
            stopped, why = _run(run, target, limits or {})
            run.lab.close()
    except KeyboardInterrupt:
        stopped, why = ExitCode.NOT_JUDGED, "The run was interrupted."
    run.lab.client.close()
    return runs.report(run, started, seconds(), run.lab.canaries.mask(target), stopped, why)


def _run(run: Run, target: str, limits: Mapping[str, Any]) -> tuple[ExitCode | None, str]:
    """Knock, run the probes, explore; give why the run stopped, if it did. KeyboardInterrupt."""
    import pytest

    from conformance import plugin

    try:
        runs.knock(run.lab)
    except runs.NoTarget as error:
        run.stopped = str(error)
        return ExitCode.NOT_JUDGED, f"{target} could not be judged: {error}."
    with _own_pytest():
        code = pytest.main(_arguments(), plugins=[_Handover(run), plugin])
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if code in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR}:
        return ExitCode.KIT_ERROR, "The kit itself failed before it could judge."
    if run.profile is Profile.DEEP and not run.stopped:
        return _explore(run, limits)
    return None, ""


def _explore(run: Run, limits: Mapping[str, Any]) -> tuple[ExitCode | None, str]:
    """Let the deep part look for more; give why the run stopped, if it did."""
    from conformance import deep

    try:
        deep.explore(run, limits)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        return (
            ExitCode.KIT_ERROR,
            f"The kit itself failed while exploring: {kind} in {Path(place.filename).name}, line {place.lineno}.",
        )
    return None, ""


# What comes with pytest and has no part in a run; their hooks around every probe take time.
_UNUSED = (
    "cacheprovider", "capture", "debugging", "doctest", "faulthandler", "junitxml", "legacypath", "logging",
    "monkeypatch", "pastebin", "recwarn", "setuponly", "setupplan", "skipping", "stepwise", "subtests", "terminal",
    "threadexception", "tmpdir", "unittest", "unraisableexception", "warnings",
)  # fmt: skip


def _arguments() -> list[str]:
    """Give pytest arguments under which nobody's configuration has a say."""
    return [
        str(PROBES), "-c", str(PROBES.parent / "pytest.ini"), "--rootdir", str(PROBES), "--confcutdir", str(PROBES),
        *(argument for plugin in _UNUSED for argument in ("-p", f"no:{plugin}")),
        "--assert=plain", "--import-mode=importlib",
    ]  # fmt: skip


class _Handover:
    """Hands the run over to the plugin."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def pytest_configure(self, config: Any) -> None:
        """Put the run where the plugin looks for it."""
        from conformance.plugin import RUN

        config.stash[RUN] = self._run
        config.option.tbstyle = "line"  # nobody reads pytest's own account of a failure, and making it is slow


def _own_pytest() -> ExitStack:
    """Keep the surrounding's pytest variables out while the probes run."""
    stack = ExitStack()
    kept = {name: os.environ.pop(name) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS") if name in os.environ}
    before = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"

    def restore() -> None:
        os.environ.update(kept)
        if before is None:
            os.environ.pop("PYTEST_DISABLE_PLUGIN_AUTOLOAD", None)

    stack.callback(restore)
    return stack


def _terminate_like_interrupt() -> ExitStack:
    """Let SIGTERM do what Ctrl-C does: stop, and clean up."""
    stack = ExitStack()

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
        stack.callback(signal.signal, signal.SIGTERM, before)
    except ValueError:  # not in the main thread
        pass
    return stack


def _write(result: Report, formats: Sequence[tuple[str, Path]], canaries: Any, report: Any) -> int:
    code: int = result.exit_code

    def secret(text: str) -> str | None:
        hit = canaries.find(text)
        return f"a {hit.secret} {hit.form}" if hit else None

    for name, path in formats:
        try:
            report.write(result, name, path, secret)
        except report.ReportError as error:
            print(f"trunkcheck: {error}", file=sys.stderr)
            code = max(code, ExitCode.USAGE) if code == ExitCode.CONFORMS else code
        except report.LeakStopped as error:
            print(f"trunkcheck: {error}", file=sys.stderr)
            code = ExitCode.KIT_ERROR
    return code


if __name__ == "__main__":
    raise SystemExit(main())
