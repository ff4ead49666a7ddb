"""The command line's options, and how a wrong one is told: in one line, with exit status 2."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    Network = IPv4Network | IPv6Network

EXIT_USAGE = 2
KEY_VARIABLE = "TRUNKMOCK_KEY"
CONTROL_VARIABLE = "TRUNKMOCK_CONTROL_TOKEN"
STORE_VARIABLE = "TRUNKMOCK_STORE"
LEVELS = ("debug", "info", "warning", "error")


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end."""
        fail(f"{message} (trunkmock --help lists the options)")


def fail(sentence: str) -> NoReturn:
    """Say what cannot be done, and end."""
    print(f"trunkmock: {sentence}", file=sys.stderr)
    raise SystemExit(EXIT_USAGE)


def number(low: int, high: int) -> Any:
    """Give what reads a whole number within these bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def parser(prog: str = "trunkmock") -> Parser:
    """Give what reads the command line."""
    parser = Parser(
        prog=prog,
        description="A mock of the Talkover SIP trunk API. Not affiliated with Talkover.",
        epilog=f"{KEY_VARIABLE} may hold the key that seals passwords, 32 bytes in base64; else each run makes one. "
        f"{CONTROL_VARIABLE} is better than --control-token, and {STORE_VARIABLE} than a --store with a password: "
        "other users of the machine see arguments.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", default=8080, type=number(0, 65535), help="port, 0 for any free one (default: %(default)s)"
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
    add_store(parser)
    _add_steering(parser.add_argument_group("for tests"))
    _add_hosting(parser.add_argument_group("for a mock that others reach"))
    _add_bounds(parser.add_argument_group("bounds"))
    return parser


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the store."""
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
    group.add_argument("--seed", metavar="N", type=number(0, 2**32 - 1), help="make the same ids in the same order")
    group.add_argument("--clock", metavar="TIME", help="RFC 3339 time at which the clock stands still")
    group.add_argument("--clock-runs", action="store_true", help="let it run on from --clock instead")
    group.add_argument("--scenario", metavar="NAME", help="misbehave in this way, in every environment")
    group.add_argument("--scenarios", metavar="DIR", type=Path, help="directory of your own scenarios, as TOML files")
    group.add_argument(
        "--journal",
        default=1000,
        type=number(0, 10**6),
        metavar="N",
        help="requests kept of each environment, 0 for none",
    )
    group.add_argument("--no-prefer", action="store_true", help="pay no heed to Prefer: code=… and wait=…")


def _add_hosting(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--workers",
        default=1,
        type=number(1, 256),
        metavar="N",
        help="processes on the same port, with a shared store (default: %(default)s)",
    )
    group.add_argument(
        "--drain",
        type=number(0, 3600),
        metavar="SECONDS",
        help="at SIGTERM, finish what was asked, for so long at the most (default: 10 with a shared store, else 0)",
    )
    group.add_argument("--tls-cert", metavar="FILE", type=Path, help="serve HTTPS with this certificate, in PEM")
    group.add_argument("--tls-key", metavar="FILE", type=Path, help="the certificate's private key, in PEM")
    group.add_argument(
        "--trusted-proxies",
        metavar="CIDR,…",
        default=(),
        type=networks,
        help="believe X-Forwarded-For, X-Forwarded-Proto and X-Request-Id of these addresses",
    )
    group.add_argument(
        "--cors-origin",
        metavar="ORIGIN",
        action="append",
        default=[],
        type=_origin,
        help="let web pages of this origin use the API; may be repeated",
    )
    group.add_argument("--socket", type=number(0, 2**20), help=argparse.SUPPRESS)  # of a worker: its listening socket
    group.add_argument("--board", type=Path, help=argparse.SUPPRESS)  # where workers tell each other what they count


def _add_bounds(group: "argparse._ArgumentGroup") -> None:
    for name, default, low, high, unit, says in (
        ("--max-body", 65536, 1, 2**30, "BYTES", "largest body"),
        ("--max-head", 32768, 1024, 2**24, "BYTES", "largest request line with header fields"),
        ("--max-connections", 10_000, 0, 10**6, "N", "open connections, 0 for any number"),
        ("--request-timeout", 30, 1, 3600, "SECONDS", "for a whole request to arrive"),
        ("--idle-timeout", 75, 1, 86400, "SECONDS", "between two requests of a connection"),
        ("--write-timeout", 30, 1, 3600, "SECONDS", "for a client that does not read its answer"),
    ):
        group.add_argument(
            name, default=default, type=number(low, high), metavar=unit, help=f"{says} (default: %(default)s)"
        )


def networks(text: str) -> "tuple[Network, ...]":
    """Read addresses and networks with commas between them."""
    import ipaddress

    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("must be addresses or networks like 10.0.0.0/8, with commas between") from None


def _origin(text: str) -> bytes:
    if not re.fullmatch(r"https?://[a-z0-9.-]+(:[1-9][0-9]{0,4})?|https?://\[[0-9a-f:.]+\](:[1-9][0-9]{0,4})?", text):
        raise argparse.ArgumentTypeError("must be an origin like https://app.example, in lower case and without a path")
    return text.encode()
