"""`trunkmock`, or `python -m mockserver`: the command line."""

import argparse
import contextlib
import functools
import io
import json
import logging
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mockserver import environments, imports
from mockserver.options import CONTROL_VARIABLE, KEY_VARIABLE, Parser, add_store, fail, parser

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Coroutine

    from mockserver.control import Control
    from mockserver.edge import Bounds
    from mockserver.redaction import Seal
    from mockserver.shared import Shared
    from mockserver.workers import Board

SHARED_DRAIN_SECONDS = 10  # for a mock behind a balancer, as one with a shared store will be
MOST_NAMES = 20  # of environments, in the banner


def main(argv: list[str] | None = None) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))  # nothing is there yet that would have to be put away
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["rekey"]:
        return _rekey(argv[1:])
    if argv[:1] == ["doctor"]:
        from mockserver import doctor

        return doctor.main(argv[1:])
    options = parser().parse_args(argv)
    if options.workers > 1 and options.socket is None:
        return _supervise(options, argv)
    with imports.later():
        from mockserver.app import contract_as_read, create_app, steered
        from mockserver.serving import Server, room_for, settle
    is_shared = options.store != "memory"
    built_in = options.environments is None and not is_shared
    known = _environments(options.environments) if not is_shared or options.environments else None
    tls = _tls(options)
    sock = _listen(options, built_in=built_in)
    base_url = _url(options, sock)
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
    more |= {"cors_origins": options.cors_origin, "logs_clients": bool(options.trusted_proxies)}
    app: Any = create_app(steered(control, is_open=_is_open(options, sock), **more))
    if options.trusted_proxies:
        from mockserver.proxies import TrustedProxies

        app = TrustedProxies(app, options.trusted_proxies)
    board = _board(options, control)

    def ready() -> None:
        _announce(_banner(base_url, base_path, names, built_in=built_in))
        if options.ready_file:
            _write_ready_file(options.ready_file, base_url + base_path, names)
        control.look_after_itself()
        if board:
            board.start()
        settle()
        if options.exit_with_stdin:
            threading.Thread(target=_wait_for_the_end_of_stdin, args=(server.end,), daemon=True).start()

    bounds = _bounds(options, room_for(options.max_connections))
    server = Server(app, bounds, ready, tls=tls, drain_seconds=_drain_seconds(options))
    control.is_closing = lambda: server.doors.is_closing
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
        fail(f"{path} {error}")
    except OSError as error:
        fail(f"cannot read {path}: {_reason(error)}")


def _supervise(options: argparse.Namespace, argv: list[str]) -> int:
    """Run several processes, until Ctrl-C or SIGTERM."""
    import asyncio

    from mockserver.workers import Supervisor

    if options.store == "memory":
        fail("argument --workers: several processes need a store that they share: --store redis://host:6379/0")
    _tls(options)
    known = _environments(options.environments) if options.environments else None
    sockets = _listen_together(options)
    base_url = _url(options, sockets[0])
    _prepare_ready_file(options.ready_file)
    _set_up_logging(options.log_level, options.log_format)
    _shared(options, _seal(is_required=True), known)

    def ready(told: dict[str, Any]) -> None:
        api, names = told["base_url"], told["environments"]
        _announce(_banner(base_url, api.removeprefix(base_url), names, built_in=False))
        if options.ready_file:
            _write_ready_file(options.ready_file, api, names)
        if options.exit_with_stdin:
            end = functools.partial(asyncio.get_running_loop().call_soon_threadsafe, supervisor.end)
            threading.Thread(target=_wait_for_the_end_of_stdin, args=(end,), daemon=True).start()

    supervisor = Supervisor(argv, sockets, _drain_seconds(options), ready)
    try:
        return asyncio.run(supervisor.run())
    finally:
        if options.ready_file:
            options.ready_file.unlink(missing_ok=True)


def _listen_together(options: argparse.Namespace) -> "list[socket.socket]":
    """Give a listening socket for each worker, all on the same port."""
    from mockserver.serving import CannotListen, listen, resolve

    host, port = options.host, options.port
    try:
        family, (address, *_) = resolve(host, port)[0]
        with listen(family, (address, port)) as alone:  # so that nobody shares the port who knows nothing of it
            port = alone.getsockname()[1]
        return [listen(family, (address, port), is_one_of_many=True) for _ in range(options.workers)]
    except CannotListen as error:
        fail(f"cannot listen on {host} port {port}: {error}")


def _listen(options: argparse.Namespace, *, built_in: bool) -> "socket.socket":
    from mockserver.serving import CannotListen, is_loopback, listen, resolve

    host, port = options.host, options.port
    if options.socket is not None:
        import socket

        return socket.socket(fileno=options.socket)
    try:
        family, address = resolve(host, port)[0]
        if built_in and (options.trusted_proxies or not is_loopback(address[0])):
            where = f"{host} can be reached from other machines"
            if options.trusted_proxies:
                where = "behind a proxy the mock can be reached from other machines"
            fail(
                f"{where}, and everybody knows the built-in tokens; "
                "name your own with --environments FILE, or listen on 127.0.0.1"
            )
        return listen(family, address)
    except CannotListen as error:
        fail(f"cannot listen on {host} port {port}: {error}")


def _tls(options: argparse.Namespace) -> "ssl.SSLContext | None":
    if not (options.tls_cert or options.tls_key):
        return None
    if not (options.tls_cert and options.tls_key):
        fail("arguments --tls-cert and --tls-key: there must be both or neither")
    import ssl

    from mockserver.serving import tls_context

    for option, path in (("--tls-cert", options.tls_cert), ("--tls-key", options.tls_key)):
        try:
            path.read_bytes()
        except OSError as error:
            fail(f"argument {option}: cannot read {path}: {_reason(error)}")
    try:
        return tls_context(options.tls_cert, options.tls_key)
    except (ssl.SSLError, OSError, ValueError) as error:
        mismatch = getattr(error, "reason", "") == "KEY_VALUES_MISMATCH"
        fail(
            f"arguments --tls-cert and --tls-key: {options.tls_key} is not the key of {options.tls_cert}"
            if mismatch
            else f"arguments --tls-cert and --tls-key: {options.tls_cert} and {options.tls_key} "
            "must be a certificate and its private key in PEM, without a password"
        )


def _board(options: argparse.Namespace, control: "Control") -> "Board | None":
    """Give where a worker tells the others what it counts, if it is one."""
    if not options.board:
        return None
    from mockserver.workers import Board

    board = Board(options.board, control.metrics)
    control.metrics.others = board.others
    return board


def _bounds(options: argparse.Namespace, connections: int) -> "Bounds":
    from mockserver.edge import Bounds

    times = (options.request_timeout, options.idle_timeout, options.write_timeout)
    return Bounds(options.max_body, options.max_head, connections, *times)


def _drain_seconds(options: argparse.Namespace) -> int:
    if options.drain is not None:
        return int(options.drain)
    return SHARED_DRAIN_SECONDS if options.store != "memory" else 0


def _is_open(options: argparse.Namespace, sock: "socket.socket") -> bool:
    """Tell whether the controls are there: on loopback without a proxy that lets in others, or with a token."""
    from mockserver.serving import is_loopback

    is_alone = not options.trusted_proxies and is_loopback(sock.getsockname()[0])
    return bool(_control_token(options)) or is_alone


def _control_token(options: argparse.Namespace) -> str | None:
    token = options.control_token or os.environ.get(CONTROL_VARIABLE) or None
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        fail("the control token must be printable ASCII without blanks")
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
        fail(f"argument --clock: {error}")
    except BadScenario as error:
        fail(f"argument --scenario{'' if options.scenario else 's'}: {error}")
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


def _url(options: argparse.Namespace, sock: "socket.socket") -> str:
    """Give the server's address as a client on this machine writes it."""
    host, scheme = options.host, "https" if options.tls_cert else "http"
    address, port = sock.getsockname()[:2]
    if address in ("0.0.0.0", "::"):  # noqa: S104 - every address; this machine's own is one of them
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _seal(*, is_required: bool = False) -> "Seal":
    from mockserver.redaction import BadKey, Seal, parse_keys

    text = os.environ.get(KEY_VARIABLE)
    if is_required and not text:
        fail(f"{KEY_VARIABLE} is required with a store that replicas share: 32 bytes in base64, the same for each")
    try:
        return Seal(*(parse_keys(text) if text else ()))
    except BadKey as error:
        fail(f"{KEY_VARIABLE} {error}")


def _shared(options: argparse.Namespace, seal: "Seal", known: environments.MemoryEnvironments | None) -> "Shared":
    """Give the parts of a mock that are on a server, after a look whether they can be used."""
    if options.seed is not None:
        fail("argument --seed: replicas that share a store would make the same ids")
    shared = _open(options.store)
    _ask(shared.prepare(seal, known.registered if known else ()))
    return shared


def _open(url: str) -> "Shared":
    try:
        from mockserver.engine import BadAddress
        from mockserver.shared import Shared
    except ModuleNotFoundError:
        fail("a store that replicas share needs the redis package: pip install 'trunkkit[redis]'")
    try:
        return Shared(url)
    except BadAddress as error:
        fail(f"argument --store: {error}")


def _ask(coroutine: "Coroutine[Any, Any, Any]") -> Any:
    """Give what the store's server has to say, or fail."""
    import asyncio

    from mockserver.errors import ServiceUnavailable
    from mockserver.redaction import BadKey

    try:
        return asyncio.run(coroutine)
    except ServiceUnavailable:
        fail("the store's server cannot be used; the line above says why")
    except BadKey:
        fail(f"{KEY_VARIABLE} has not the key under which the store's passwords are sealed")


def _rekey(argv: list[str]) -> int:
    """Seal every password of a store anew under the first key."""
    parser = Parser(
        prog="trunkmock rekey",
        description=f"Seal all passwords of a store anew, under the first of the keys in {KEY_VARIABLE}.",
        epilog="First let every replica know both keys, the new one first; then run this; then take the old one away.",
    )
    add_store(parser)
    options = parser.parse_args(argv)
    if options.store == "memory":
        fail("argument --store is required: what is in memory goes with its process and its key")
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


def _announce(banner: str) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # the documented name has a dash that not every encoding knows
    print(banner, flush=True)


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
        fail(f"cannot write {path}: {_reason(error)}")


def _write_ready_file(path: Path, base_url: str, names: list[str]) -> None:
    """Write it under another name first: whoever waits for the file never sees half of it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(json.dumps({"base_url": base_url, "pid": os.getpid(), "environments": names}) + "\n", "utf-8")
    draft.replace(path)


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


if __name__ == "__main__":
    raise SystemExit(main())
