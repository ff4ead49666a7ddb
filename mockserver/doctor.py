"""`trunkmock doctor`: looks at a configuration as the mock would use it, and says in plain words what is unsafe.

It takes the mock's own options and environment variables, starts nothing, and changes nothing on the store but one key
that it takes away again. No secret is ever told: not the key, a token, a password or an address that has one in it.
"""

import asyncio
import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from mockserver import environments
from mockserver.options import CONTROL_VARIABLE, KEY_VARIABLE, Parser, parser

if TYPE_CHECKING:
    import argparse

    from mockserver.engine import Engine

LONGEST_SKEW = 5.0  # seconds between this machine's clock and the store's
SLOW_SECONDS = 0.02  # for one step of the store
SHORTEST_TOKEN = 20  # characters of a control token
EXPIRY_DAYS = 14  # before a certificate ends
SHORTEST_ALPHABET = 16  # different bytes in a key
TRIES = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked at, what is so, and if that is not safe, what to do."""

    about: str
    state: Literal["fine", "unsafe"]
    says: str
    advice: str = ""


def main(argv: list[str]) -> int:
    """Look at everything; give 0 if it is fine and 1 if something is unsafe."""
    command: Parser = parser("trunkmock doctor")
    command.add_argument("--json", action="store_true", help="tell it as JSON")
    options = command.parse_args(argv)
    logging.disable(logging.CRITICAL)  # what the store's client would log is told here
    found = list(look(options))
    is_fine = all(one.state == "fine" for one in found)
    if options.json:
        print(json.dumps({"fine": is_fine, "found": [asdict(one) for one in found]}, ensure_ascii=False))
    else:
        for one in found:
            print(f"{one.state:6}  {one.about}: {one.says}" + (f"\n        {one.advice}" if one.advice else ""))
        count = sum(one.state == "unsafe" for one in found)
        print("Nothing is unsafe." if is_fine else f"{count} of {len(found)} are unsafe.")
    return 0 if is_fine else 1


def look(options: "argparse.Namespace") -> Iterator[Found]:
    """Give all there is to tell, in the order in which one reads it."""
    is_shared = options.store != "memory"
    yield from _environments(options, is_shared)
    yield from _key(is_shared)
    yield from _store(options, is_shared)
    yield from _address(options)
    yield from _files(options)
    yield _open_files(options)


def _fine(about: str, says: str) -> Found:
    return Found(about, "fine", says)


def _environments(options: "argparse.Namespace", is_shared: bool) -> Iterator[Found]:
    path: Path | None = options.environments
    if path is None:
        yield _fine("environments", "those in the store" if is_shared else "the built-in ones, whose tokens are public")
        return
    try:
        known = environments.load(path)
    except (environments.BadEnvironments, OSError) as error:
        says = error.strerror if isinstance(error, OSError) else str(error)
        yield Found(
            "environments", "unsafe", f"{path} cannot be used: {says}", "Correct the file; the mock will not start."
        )
        return
    yield _fine("environments", f"{len(known.names_at_once)} in {path}")
    public = [
        it.name for digest, it in known.registered if digest in map(environments.digest_of, environments.BUILT_IN)
    ]
    if public:
        advice = "Everybody knows it; choose another one."
        yield Found("environments", "unsafe", f"{', '.join(public)} has a token of the documentation", advice)


def _key(is_shared: bool) -> Iterator[Found]:
    from mockserver.redaction import BadKey, parse_keys

    text = os.environ.get(KEY_VARIABLE)
    if not text:
        if is_shared:
            advice = "Make one with `openssl rand -base64 32` and give every replica the same."
            yield Found("key", "unsafe", f"{KEY_VARIABLE} is not set, and a shared store needs it", advice)
        else:
            yield _fine("key", "made anew in each run, which is right for state in memory")
        return
    try:
        keys = parse_keys(text)
    except BadKey as error:
        yield Found("key", "unsafe", f"{KEY_VARIABLE} {error}", "Make one with `openssl rand -base64 32`.")
        return
    if any(map(_is_made_up, keys)):
        yield Found("key", "unsafe", f"{KEY_VARIABLE} is no random key", "Make one with `openssl rand -base64 32`.")
    elif len(keys) > 1:
        advice = "Run `trunkmock rekey` once every replica has them, and then take the old ones away."
        yield _fine("key", f"{len(keys)} keys of 32 bytes, of which the first one seals. {advice}")
    else:
        yield _fine("key", "one key of 32 bytes")


def _is_made_up(key: bytes) -> bool:
    """Tell whether a key repeats itself or counts, as no random one does."""
    return len(set(key)) < SHORTEST_ALPHABET or len({(b - a) % 256 for a, b in pairwise(key)}) == 1


def _store(options: "argparse.Namespace", is_shared: bool) -> Iterator[Found]:
    if not is_shared:
        yield _fine("store", "in memory: everything is gone when the process ends")
        return
    try:
        from mockserver.engine import BadAddress, Engine
    except ModuleNotFoundError:
        yield Found("store", "unsafe", "the redis package is not there", "pip install 'trunkkit[redis]'")
        return
    try:
        engine = Engine(options.store)
    except BadAddress as error:
        yield Found("store", "unsafe", f"the address {error}", "Correct --store or TRUNKMOCK_STORE.")
        return
    yield from _way(options.store)
    yield from asyncio.run(_ask(engine))


def _way(url: str) -> Iterator[Found]:
    from mockserver.serving import CannotListen, is_loopback, resolve

    parts = urlsplit(url)
    try:
        is_near = parts.scheme == "unix" or is_loopback(resolve(parts.hostname or "localhost", 0)[0][1][0])
    except CannotListen:
        is_near = False
    if not is_near and parts.scheme == "redis":
        advice = "Use rediss://, or a network that nobody else is on."
        yield Found("way to the store", "unsafe", "not encrypted, to another machine", advice)
    if not is_near and not parts.password:
        advice = "Give it a password (requirepass or an ACL) and put that into TRUNKMOCK_STORE."
        yield Found("way to the store", "unsafe", "another machine's, without a password", advice)


async def _ask(engine: "Engine") -> list[Found]:
    from mockserver.errors import ServiceUnavailable

    try:
        began = time.perf_counter()
        await engine.check()
        for _ in range(TRIES - 1):
            await engine.call("PING")
        taken = (time.perf_counter() - began) / TRIES
    except ServiceUnavailable:
        advice = "See that the server runs, that it can be reached from here, and that the password is right."
        return [Found("store", "unsafe", "cannot be reached, or cannot be written to", advice)]
    found = [_fine("store", f"can be reached and written to, {taken * 1000:.1f} ms for one step")]
    if taken > SLOW_SECONDS:
        advice = "A request takes two to four steps; put the store nearer."
        found = [Found("store", "unsafe", f"slow: {taken * 1000:.0f} ms for one step", advice)]
    try:
        return [*found, await _clock(engine), *await _persistence(engine), await _memory(engine)]
    except (ServiceUnavailable, RuntimeError):
        advice = "Look yourself at appendonly, save and maxmemory-policy there."
        return [*found, Found("store's settings", "unsafe", "cannot be read: the server does not allow it", advice)]


async def _clock(engine: "Engine") -> Found:
    seconds, micros = await engine.call("TIME")
    skew = time.time() - int(seconds) - int(micros) / 1e6
    if abs(skew) > LONGEST_SKEW:
        advice = "Keep the clocks of all machines right (NTP): rate limits and the end of idle environments go by them."
        return Found(
            "clock", "unsafe", f"{abs(skew):.0f} seconds {'ahead of' if skew > 0 else 'behind'} the store's", advice
        )
    return _fine("clock", "the same as the store's")


async def _persistence(engine: "Engine") -> list[Found]:
    found = []
    told = {name: await _setting(engine, name) for name in ("appendonly", "appendfsync", "save")}
    if told["appendonly"] == "yes" and told["appendfsync"] == "always":
        found.append(_fine("kept in a crash", "all that was acknowledged (appendfsync always)"))
    elif told["appendonly"] == "yes" and told["appendfsync"] == "everysec":
        found.append(
            _fine("kept in a crash", "all but the last second or two of the machine's time (appendfsync everysec)")
        )
    elif told["save"]:
        advice = "Set `appendonly yes`, if trunks that were acknowledged should outlive a crash."
        found.append(Found("kept in a crash", "unsafe", "only what was there at the last snapshot (save)", advice))
    else:
        advice = "Set `appendonly yes`, if anything should outlive a crash or a restart of the server."
        found.append(Found("kept in a crash", "unsafe", "nothing: environments and their tokens go as well", advice))
    return found


async def _memory(engine: "Engine") -> Found:
    most, policy = await _setting(engine, "maxmemory"), await _setting(engine, "maxmemory-policy")
    if policy not in ("noeviction", "") and most != "0":
        advice = "Set `maxmemory-policy noeviction`: then a full store refuses, with 503, and loses nothing."
        return Found("full store", "unsafe", f"throws away trunks and environments (maxmemory-policy {policy})", advice)
    if most == "0":
        return _fine("full store", "has no limit of its own (maxmemory 0): the machine's memory is the limit")
    return _fine("full store", "refuses what is new and keeps what it has (noeviction)")


async def _setting(engine: "Engine", name: str) -> str:
    told: Any = await engine.call("CONFIG", "GET", name)
    value = told.get(name.encode(), b"") if isinstance(told, dict) else (told[1] if len(told) > 1 else b"")
    return value.decode() if isinstance(value, bytes) else str(value)


def _address(options: "argparse.Namespace") -> Iterator[Found]:
    from mockserver.serving import CannotListen, is_loopback, resolve

    try:
        is_near = is_loopback(resolve(options.host, options.port)[0][1][0])
    except CannotListen as error:
        yield Found("address", "unsafe", f"{options.host}: {error}", "Correct --host.")
        return
    token = options.control_token or os.environ.get(CONTROL_VARIABLE)
    is_proxied, is_public = bool(options.trusted_proxies), options.environments is None and options.store == "memory"
    if is_near and not is_proxied:
        yield _fine("address", f"{options.host}: only this machine can reach it")
    elif is_public:
        advice = "Name your own with --environments FILE; the mock will not start."
        yield Found("address", "unsafe", "others can reach it, and everybody knows the built-in tokens", advice)
    elif options.tls_cert or is_proxied:
        yield _fine("address", f"{options.host}: others can reach it, by {'TLS' if options.tls_cert else 'a proxy'}")
    else:
        advice = "Give it --tls-cert and --tls-key, or a proxy that has them and --trusted-proxies."
        yield Found("address", "unsafe", f"{options.host}: others can reach it, and the way is not encrypted", advice)
    if any(network.prefixlen == 0 for network in options.trusted_proxies):
        advice = "Name the addresses of your proxies alone."
        yield Found("trusted proxies", "unsafe", "everybody may say who they are", advice)
    yield _control_token(options, token, is_alone=is_near and not is_proxied)


def _control_token(options: "argparse.Namespace", token: str | None, *, is_alone: bool) -> Found:
    advice = f"Make one with `openssl rand -hex 24` and put it into {CONTROL_VARIABLE}."
    if not token:
        says = "none: the controls are for everybody on this machine" if is_alone else "none: there are no controls"
        return _fine("control token", says)
    if options.control_token:
        says = "among the arguments, which other users of the machine see"
        return Found("control token", "unsafe", says, f"Put it into {CONTROL_VARIABLE}.")
    if len(token) < SHORTEST_TOKEN:
        return Found("control token", "unsafe", "short enough to be guessed", advice)
    return _fine("control token", "there is one, and it is long enough")


def _files(options: "argparse.Namespace") -> Iterator[Found]:
    for path, is_secret in ((options.environments, True), (options.tls_key, True), (options.tls_cert, False)):
        if path is not None:
            yield from _file(path, is_secret=is_secret)
    if options.tls_cert and options.tls_key:
        yield _certificate(options.tls_cert, options.tls_key)


def _file(path: Path, *, is_secret: bool) -> Iterator[Found]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield Found("files", "unsafe", f"{path}: {(error.strerror or 'unreadable').lower()}", "Correct the path.")
        return
    others = stat.S_IRWXO if is_secret else stat.S_IWOTH
    if mode & (others | stat.S_IWGRP):
        what = "can be read or changed by others" if is_secret else "can be changed by others"
        yield Found("files", "unsafe", f"{path} {what}", f"chmod {'o=,g-w' if is_secret else 'go-w'} {path}")
    else:
        yield _fine("files", f"{path} is for nobody else to {'read' if is_secret else 'change'}")


def _certificate(certificates: Path, key: Path) -> Found:
    import datetime
    import ssl

    from cryptography import x509

    from mockserver.serving import tls_context

    advice = "It must be a certificate and its private key in PEM, without a password."
    try:
        tls_context(certificates, key)
        ends = x509.load_pem_x509_certificate(certificates.read_bytes()).not_valid_after_utc
    except (ssl.SSLError, OSError, ValueError):
        return Found("certificate", "unsafe", f"{certificates} and {key} cannot be used", advice)
    days = (ends - datetime.datetime.now(datetime.UTC)).days
    if days < EXPIRY_DAYS:
        says = "has ended" if days < 0 else f"ends in {days} days"
        return Found("certificate", "unsafe", f"{certificates} {says}", "Renew it, and restart the mock.")
    return _fine("certificate", f"{certificates} is good for {days} days")


def _open_files(options: "argparse.Namespace") -> Found:
    import resource

    from mockserver.serving import SPARE_FILES

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = options.max_connections
    if hard != resource.RLIM_INFINITY and hard < most + SPARE_FILES:
        advice = f"Allow more open files (LimitNOFILE, ulimit -n), or set --max-connections to {hard - SPARE_FILES}."
        return Found("open files", "unsafe", f"{hard} are allowed, too few for {most} connections", advice)
    return _fine("open files", "enough for every connection that is allowed")
