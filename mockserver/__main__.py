"""`trunkmock`, or `python -m mockserver`: the command line."""

import argparse
import contextlib
import io
import json
import logging
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mockserver import environments, imports

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Coroutine

    from mockserver.control import Control
    from mockserver.redaction import Seal
    from mockserver.shared import Shared

EXIT_USAGE = 2
MOST_NAMES = 20  # of environments, in the banner
KEY_VARIABLE = "TRUNKMOCK_KEY"
CONTROL_VARIABLE = "TRUNKMOCK_CONTROL_TOKEN"
STORE_VARIABLE = "TRUNKMOCK_STORE"
LEVELS = ("debug", "info", "warning", "error")


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        _fail(f"{message} (trunkmock --help lists the options)")


def _fail(sentence: str) -> NoReturn:
    print(f"trunkmock: {sentence}", file=sys.stderr)
    raise SystemExit(EXIT_USAGE)


def _number(low: int, high: int) -> Any:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="trunkmock",
        description="A mock of the Talkover SIP trunk API. Not affiliated with Talkover.",
        epilog=f"{KEY_VARIABLE} may hold the key that seals passwords, 32 bytes in base64; else each run makes one. "
        f"{CONTROL_VARIABLE} is better than --control-token, and {STORE_VARIABLE} than a --store with a password: "
        "other users of the machine see arguments.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", default=8080, type=_number(0, 65535), help="port, 0 for any free one (default: %(default)s)"
    )
    parser.add_argument(
        "--environments", metavar="FILE", type=Path, help="TOML file that replaces the built-in environments"
    )
    parser.add_argument(
        "--log-level", default="info", choices=LEVELS, help="least severe log line (default: %(default)s)"
    )
    parser.add_argument(
        "--log-format", default="text", choices=("text", "json"), help="on stderr (default: %(default)s)"
    )
    parser.add_argument(
        "--max-body", default=65536, type=_number(1, 2**30), metavar="BYTES", help="largest body (default: %(default)s)"
    )
    parser.add_argument(
        "--ready-file",
        metavar="PATH",
        type=Path,
        help="write base URL, pid and environment names here, as JSON, once it answers",
    )
    parser.add_argument(
        "--exit-with-stdin",
        action="store_true",
        help="end when standard input ends, as it does with whoever started it",
    )
    _add_store(parser)
    _add_steering(parser.add_argument_group("for tests"))
    return parser.parse_args(argv)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="URL",
        default=os.environ.get(STORE_VARIABLE) or "memory",
        help="memory (the default), or a Redis server that replicas share: redis://host:6379/0, rediss://…, unix://…, "
        "redis+cluster://…",
    )


def _add_steering(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--control-token",
        metavar="TOKEN",
        help="what the controls under /_mock require; without one they are there on a loopback address only",
    )
    group.add_argument("--seed", metavar="N", type=_number(0, 2**32 - 1), help="make the same ids in the same order")
    group.add_argument("--clock", metavar="TIME", help="RFC 3339 time at which the clock stands still")
    group.add_argument("--clock-runs", action="store_true", help="let it run on from --clock instead")
    group.add_argument("--scenario", metavar="NAME", help="misbehave in this way, in every environment")
    group.add_argument("--scenarios", metavar="DIR", type=Path, help="directory of your own scenarios, as TOML files")
    group.add_argument(
        "--journal",
        default=1000,
        type=_number(0, 10**6),
        metavar="N",
        help="requests kept of each environment, 0 for none",
    )
    group.add_argument("--no-prefer", action="store_true", help="pay no heed to Prefer: code=… and wait=…")


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))  # nothing is there yet that would have to be put away
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["rekey"]:
        return _rekey(argv[1:])
    options = _options(argv)
    with imports.later():
        from mockserver.app import contract_as_read, create_app, steered
        from mockserver.serving import Server, settle
    is_shared = options.store != "memory"
    built_in = options.environments is None and not is_shared
    known = _environments(options.environments) if not is_shared or options.environments else None
    sock = _listen(options.host, options.port, built_in=built_in)
    base_url = _url(options.host, sock)
    _prepare_ready_file(options.ready_file)
    _set_up_logging(options.log_level, options.log_format)
    seal = _seal(is_required=is_shared)
    shared = _shared(options, seal, known) if is_shared else None
    control = _control(options, known or environments.MemoryEnvironments(), seal, shared)
    control.metrics.store = shared.times if shared else None
    names = shared.names if shared else known.names_at_once if known else []
    if known and options.scenario and not shared:
        _ask(control.prepare(names))

    from mockserver.access_log import AccessLog

    contract, _ = contract_as_read()
    base_path = contract["servers"][0]["url"]
    access_log = AccessLog(sys.stderr.buffer, options.log_format) if options.log_level in ("debug", "info") else None
    more = {"max_body": options.max_body, "access_log": access_log, "honours_prefer": not options.no_prefer}
    app = create_app(steered(control, is_open=_is_open(options, sock), **more))

    def ready() -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # the documented name has a dash that not every encoding knows
        print(_banner(base_url, base_path, names, built_in=built_in), flush=True)
        if options.ready_file:
            _write_ready_file(options.ready_file, base_url + base_path, names)
        control.look_after_itself()
        settle()
        if options.exit_with_stdin:
            threading.Thread(target=_wait_for_the_end_of_stdin, args=(server.end,), daemon=True).start()

    server = Server(app, options.max_body, ready)
    control.metrics.connections = lambda: len(server.server_state.connections)
    try:
        server.run(sockets=[sock])
    finally:
        if access_log:
            access_log.flush()
        if options.ready_file:
            options.ready_file.unlink(missing_ok=True)
    return 0


def _environments(path: Path | None) -> environments.MemoryEnvironments:
    if path is None:
        return environments.built_in()
    try:
        return environments.load(path)
    except environments.BadEnvironments as error:
        _fail(f"{path} {error}")
    except OSError as error:
        _fail(f"cannot read {path}: {_reason(error)}")


def _listen(host: str, port: int, *, built_in: bool) -> "socket.socket":
    from mockserver.serving import CannotListen, is_loopback, listen, resolve

    try:
        family, address = resolve(host, port)[0]
        if built_in and not is_loopback(address[0]):
            _fail(
                f"{host} can be reached from other machines, and everybody knows the built-in tokens; "
                "name your own with --environments FILE, or listen on 127.0.0.1"
            )
        return listen(family, address)
    except CannotListen as error:
        _fail(f"cannot listen on {host} port {port}: {error}")


def _is_open(options: argparse.Namespace, sock: "socket.socket") -> bool:
    """Tell whether the controls are there: on loopback, or with a token."""
    from mockserver.serving import is_loopback

    return bool(_control_token(options)) or is_loopback(sock.getsockname()[0])


def _control_token(options: argparse.Namespace) -> str | None:
    token = options.control_token or os.environ.get(CONTROL_VARIABLE) or None
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        _fail("the control token must be printable ASCII without blanks")
    return token


def _control(
    options: argparse.Namespace, known: environments.MemoryEnvironments, seal: "Seal", shared: "Shared | None"
) -> "Control":
    from mockserver.clock import BadTime, Clock, Ids, parse_time
    from mockserver.control import Control
    from mockserver.journal import MemoryJournal
    from mockserver.scenarios import BadScenario, Scenarios

    clock = Clock()
    try:
        if options.clock:
            clock.set(parse_time(options.clock), frozen=not options.clock_runs)
        scenarios = Scenarios(options.scenarios)
        scenario = scenarios.get(options.scenario) if options.scenario else None
    except BadTime as error:
        _fail(f"argument --clock: {error}")
    except BadScenario as error:
        _fail(f"argument --scenario{'' if options.scenario else 's'}: {error}")
    parts: dict[str, Any] = {"environments": known, "journal": MemoryJournal(options.journal)}
    if shared:
        names = ("environments", "store", "carriers", "clock_settings", "reports")
        parts = {name: getattr(shared, name) for name in names}
        parts |= {"faults": shared.faults(seal), "journal": shared.journal(seal, options.journal)}
    return Control(
        **parts,
        seal=seal,
        clock=clock,
        ids=Ids(options.seed),
        scenarios=scenarios,
        scenario=scenario,
        token=_control_token(options),
    )


def _wait_for_the_end_of_stdin(end: "Callable[[], None]") -> None:
    with contextlib.suppress(OSError):  # it was closed before the start
        while os.read(0, 65536):
            pass
    end()


def _url(host: str, sock: "socket.socket") -> str:
    """Give the server's address as a client on this machine writes it."""
    address, port = sock.getsockname()[:2]
    if address in ("0.0.0.0", "::"):  # noqa: S104 - every address; this machine's own is one of them
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _seal(*, is_required: bool = False) -> "Seal":
    from mockserver.redaction import BadKey, Seal, parse_keys

    text = os.environ.get(KEY_VARIABLE)
    if is_required and not text:
        _fail(f"{KEY_VARIABLE} is required with a store that replicas share: 32 bytes in base64, the same for each")
    try:
        return Seal(*(parse_keys(text) if text else ()))
    except BadKey as error:
        _fail(f"{KEY_VARIABLE} {error}")


def _shared(options: argparse.Namespace, seal: "Seal", known: environments.MemoryEnvironments | None) -> "Shared":
    """Give the parts of a mock that are on a server, after a look whether they can be used."""
    if options.seed is not None:
        _fail("argument --seed: replicas that share a store would make the same ids")
    shared = _open(options.store)
    _ask(shared.prepare(seal, known.registered if known else ()))
    return shared


def _open(url: str) -> "Shared":
    try:
        from mockserver.engine import BadAddress
        from mockserver.shared import Shared
    except ModuleNotFoundError:
        _fail("a store that replicas share needs the redis package: pip install 'trunkkit[redis]'")
    try:
        return Shared(url)
    except BadAddress as error:
        _fail(f"argument --store: {error}")


def _ask(coroutine: "Coroutine[Any, Any, Any]") -> Any:
    """Give what the store's server has to say, or fail."""
    import asyncio

    from mockserver.errors import ServiceUnavailable
    from mockserver.redaction import BadKey

    try:
        return asyncio.run(coroutine)
    except ServiceUnavailable:
        _fail("the store's server cannot be used; the line above says why")
    except BadKey:
        _fail(f"{KEY_VARIABLE} has not the key under which the store's passwords are sealed")


def _rekey(argv: list[str]) -> int:
    """Seal every password of a store anew under the first key."""
    parser = _Parser(
        prog="trunkmock rekey",
        description=f"Seal all passwords of a store anew, under the first of the keys in {KEY_VARIABLE}.",
        epilog="First let every replica know both keys, the new one first; then run this; then take the old one away.",
    )
    _add_store(parser)
    options = parser.parse_args(argv)
    if options.store == "memory":
        _fail("argument --store is required: what is in memory goes with its process and its key")
    _set_up_logging("info", "text")
    count = _ask(_open(options.store).rekey(_seal(is_required=True)))
    print(f"{count} passwords sealed anew")
    return 0


def _set_up_logging(level: str, form: str) -> None:
    from mockserver.redaction import JsonFormatter, TextFormatter

    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    if level != "debug":
        logging.getLogger("connexion").setLevel(logging.WARNING)


def _banner(base_url: str, base_path: str, names: list[str], *, built_in: bool) -> str:
    lines = [
        "trunkmock: a mock of the Talkover SIP trunk API. Not affiliated with Talkover.",
        f"  API   {base_url}{base_path}",
        f"  docs  {base_url}/docs",
    ]
    if not built_in:
        told = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if names[MOST_NAMES:] else "")
        return "\n".join([*lines, f"  environments: {told or 'none yet'}", "Ctrl-C ends it."])
    tokens = [
        f"  token {token}  ({it.name}{'' if it.allow_custom_sip_trunks else ', every request is refused with 403'})"
        for token, it in environments.BUILT_IN.items()
    ]
    return "\n".join([*lines, *tokens, "Try:", _curl(base_url + base_path), "Ctrl-C ends it."])


def _curl(api: str) -> str:
    body = {
        "name": "Primary Carrier — US",
        "provider_name": "carrier-x",
        "domain": "sip.carrier-x.com",
        "username": "user_42",
        "password": "secret-password",
        "port": 5061,
        "transport": "tls",
    }
    return (
        f'  curl -X POST "{api}/sip-trunks" \\\n'
        f'    -H "Authorization: Bearer {next(iter(environments.BUILT_IN))}" \\\n'
        f'    -H "Content-Type: application/json" \\\n'
        f"    -d '{json.dumps(body, ensure_ascii=False)}'"
    )


def _prepare_ready_file(path: Path | None) -> None:
    """Take away what an earlier run may have left, and see that the file can be written."""
    if path is None:
        return
    try:
        path.unlink(missing_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        _fail(f"cannot write {path}: {_reason(error)}")


def _write_ready_file(path: Path, base_url: str, names: list[str]) -> None:
    """Write it under another name first: whoever waits for the file never sees half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"base_url": base_url, "pid": os.getpid(), "environments": names}) + "\n", "utf-8")
    draft.replace(path)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


if __name__ == "__main__":
    raise SystemExit(main())
