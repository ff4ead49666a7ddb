"""Hypothesis strategies: good and bad values per field, and the two kinds of one-difference pairs made of them.

Good values stay where no correct implementation may object: printable text without white space at its ends, at most
255 characters, hosts of several labels, numbers of their country. Bad values are those that every implementation must
refuse. What the documents leave open is neither: control characters, outer white space, `""` or null for an
optional field, `5061.0`, underscores, addresses, a port behind an outbound proxy.
Sources: *Create SIP Trunk*, request body; *SIP Trunk DIDs*; RFC 3261, section 25.1, for hosts; ITU-T E.164.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.canaries import Canaries
from conformance.client import ABSENT
from conformance.values import NAME_LENGTH

REQUIRED = ("name", "provider_name", "domain", "username", "password")
TEXTS = ("name", "provider_name", "username")
TRANSPORTS = ("udp", "tcp", "tls")

_ALNUM = string.ascii_lowercase + string.digits
_PRINTABLE = string.ascii_letters + string.digits + " " + string.punctuation + "éüñßøÆΩλЖя中文日本—…€"
_NOT_IN_HOSTS = " /@;?#!%,\\<>\"'()&=+$*^`{}|~ïя"


@dataclass(frozen=True, slots=True)
class Secret:
    """A password of another type, or one with something in its middle; the value is made when it is sent."""

    shape: str
    extra: str = ""

    def value(self, canaries: Canaries) -> Any:
        """Give the value to send."""
        if self.shape == "text":
            return canaries.password(self.extra)
        if self.shape == "number":
            return canaries.number()
        made = canaries.password(self.extra)
        return {"list": [made], "object": {"value": made}, "nested": [[{"password": made}]]}[self.shape]


@dataclass(frozen=True, slots=True)
class Pair:
    """A rule that refuses, the kind of request, the field that is made bad, and what makes it bad."""

    rule: str
    kind: str  # create, update or did
    field: str
    bad: SearchStrategy[Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that may have another good value: the rules that want it accepted and kept."""

    accepted: str
    kept: str
    kind: str
    field: str
    good: SearchStrategy[Any]


# Good values


def texts(longest: int = 40) -> SearchStrategy[str]:
    """Give printable text without white space at its ends."""
    free = st.text(_PRINTABLE, min_size=1, max_size=longest).map(str.strip).filter(bool)
    return free | st.sampled_from(
        ("0042", "1e5", "null", "true", "a  b", "+1", "<b>&amp;</b>", '"quoted"', "C:\\new", "%41", "😀 ok")
    )


def name_endings() -> SearchStrategy[str]:
    """Give what may stand behind a name of the run's own, up to 200 characters."""
    return texts() | st.builds(lambda letter, count: letter * count, st.sampled_from("né中"), st.integers(100, 200))


def hosts() -> SearchStrategy[str]:
    """Give host names of several labels."""
    label = st.text(_ALNUM + "-", min_size=1, max_size=12).map(lambda text: text.strip("-")).filter(_is_label)
    return st.lists(label, min_size=1, max_size=3).map(lambda labels: ".".join((*labels, "carrier-x.com")))


def _is_label(text: str) -> bool:
    return bool(text) and text[2:4] != "--"  # that is how encoded labels start


def ports() -> SearchStrategy[int]:
    """Give every port."""
    return st.sampled_from((1, 65535, 5060, 5061, 80, 443, 1024, 32768, 49152)) | st.integers(1, 65535)


def transports() -> SearchStrategy[str]:
    """Give every transport."""
    return st.sampled_from(TRANSPORTS)


def passwords() -> SearchStrategy[Secret]:
    """Give passwords with all sorts of printable characters in them."""
    return st.builds(Secret, st.just("text"), st.text(_PRINTABLE, max_size=60))


GOOD: Mapping[str, SearchStrategy[Any]] = {
    "name": name_endings(),
    "provider_name": texts(),
    "domain": hosts(),
    "username": texts(),
    "password": passwords(),
    "port": ports(),
    "transport": transports(),
    "outbound_proxy": hosts(),
    "auth_realm": texts(),
    "is_active": st.just(False),
}


def shapes() -> SearchStrategy[dict[str, Any]]:
    """Give the changes that make other valid creates of the documented one: fields left out, optional ones added."""
    left_out = st.sampled_from(((), ("port",), ("transport",), ("port", "transport"))).map(
        lambda names: dict.fromkeys(names, ABSENT)
    )
    added = st.sampled_from(
        ({}, {"outbound_proxy": "proxy.carrier-x.com"}, {"auth_realm": "carrier-x"}, {"is_active": False})
    )
    return st.builds(lambda one, other: {**one, **other}, left_out, added)


# Bad values


def other_types() -> SearchStrategy[Any]:
    """Give values that are neither text nor null."""
    one = st.sampled_from(("carrier-x", "sip.carrier-x.com", "5061", ""))
    return (
        st.integers(-(10**9), 10**15)
        | st.booleans()
        | st.integers(-1000, 1000).map(lambda number: number + 0.5)
        | st.lists(one, max_size=2)
        | st.dictionaries(st.sampled_from(("value", "name", "0")), one, max_size=2)
        | st.lists(st.lists(one, max_size=1), min_size=1, max_size=1)
    )


def other_passwords() -> SearchStrategy[Any]:
    """Give passwords of other types, most with a secret inside."""
    inside = st.builds(Secret, st.sampled_from(("list", "object", "nested")), st.sampled_from(("", '"\\é<&>')))
    return st.just(Secret("number")) | inside | st.sampled_from((True, False, 0, 1.5, [], {}))


def long_names() -> SearchStrategy[str]:
    """Give names of more than 255 characters, of one UTF-16 unit each."""
    lengths = st.sampled_from((NAME_LENGTH + 1, NAME_LENGTH + 2, 300, 512, 1000)) | st.integers(NAME_LENGTH + 1, 2000)
    return st.builds(lambda letter, length: letter * length, st.sampled_from("né中"), lengths)


def not_hosts(*, proxy: bool = False) -> SearchStrategy[str]:
    """Give texts that are no host; for an outbound proxy none that is one with a port behind it."""
    host = hosts()
    broken = (
        st.builds(
            lambda host, character: f"{host[0]}{character}{host[1:]}",
            host.filter(lambda it: it[1] != "."),
            st.sampled_from(_NOT_IN_HOSTS),
        )
        | st.builds(
            lambda host, prefix: prefix + host,
            host,
            st.sampled_from(("sip:", "sips:", "https://", "//", ".", "-", "user@")),
        )
        | st.builds(
            lambda host, suffix: host + suffix,
            host,
            st.sampled_from(("/", "/x", "?x=1", "#x", "..", ";lr", ",x.com", "@x.com")),
        )
        | host.map(lambda host: host.replace(".", "..", 1))
        | host.map(lambda host: host.replace(".", "-.", 1))
        | host.map(lambda host: host.replace(".", ".-", 1))
        | host.map(lambda host: f"[{host}]")
        | st.sampled_from(("[2001:db8::1", "[2001:db8::zz]", "[1:2:3]", "[]", "sip.[2001:db8::1]"))
    )
    if proxy:
        return broken
    return broken | st.builds(lambda host, port: f"{host}:{port}", host, ports()) | st.sampled_from(("", "2001:db8::1"))


def not_transports() -> SearchStrategy[Any]:
    """Give values that are none of the three transports, nor one with white space around it."""
    near = ("TLS", "Tls", "tLS", "UDP", "Udp", "TCP", "tlsx", "xtls", "tl", "ud", "dtls", "t-l-s", "tls1.2")
    others = ("sctp", "ws", "wss", "sips", "sip", "tls,udp", "udp/tcp", "null", "0", "none", "any", "auto")
    written = st.sampled_from(near + others)
    return written | st.sampled_from((["tls"], {}, {"tls": True}, 0, 1, True, False, 1.5, []))


def out_of_range() -> SearchStrategy[int]:
    """Give integers that are no port."""
    near = st.sampled_from(
        (0, 65536, -1, 65537, 99999, 70000, -5061, 2**16 + 5061, 2**31 - 1, 2**31, 2**32 + 5061, -(2**31), 2**53)
    )
    return near | st.integers(65536, 10**6) | st.integers(-70000, -1)


def no_integers() -> SearchStrategy[Any]:
    """Give values that are no integer, nor null, nor one written with a fraction of 0."""
    written = ports().map(str) | st.sampled_from(
        ("tls", "0x13c5", "5061.0", "5061/tls", "+5061", "5,061", "five", "5061a")
    )
    fractions = st.builds(lambda port, part: port + part, ports(), st.sampled_from((0.5, 0.25, 0.125)))
    return (
        written
        | fractions
        | st.booleans()
        | ports().map(lambda port: [port])
        | st.sampled_from(([], {}, {"port": 5061}, [[5061]]))
    )


def no_booleans() -> SearchStrategy[Any]:
    """Give values that are neither true nor false nor null."""
    written = st.sampled_from(("false", "true", "False", "yes", "no", "on", "off", "0", "1", "t", "f", "null"))
    return written | st.sampled_from((0, 1, 2, -1, 1.5, [], [False], {}, {"value": False}))


def no_numbers() -> SearchStrategy[str]:
    """Give texts that are no E.164 number."""
    digits = st.text(string.digits, min_size=10, max_size=10)
    return (
        digits.map(lambda text: f"1{text}")
        | digits.map(lambda text: f"+0{text}")
        | digits.map(lambda text: f"001{text}")
        | st.integers(16, 30).map(lambda length: "+1" + "2" * (length - 1))
        | st.sampled_from(
            (
                "+",
                "+1",
                "+0",
                "++12025550123",
                "+1+2025550123",
                "+1202555012x",
                "tel:+12025550123",
                "+1.2025550123",
                "abc",
            )
        )
        | st.builds(
            lambda text, between: f"+1{text[:3]}{between}{text[3:]}",
            digits,
            st.sampled_from((" ", "-", ".", "/", "x", "(", "_")),
        )
    )


def no_country_codes() -> SearchStrategy[str]:
    """Give texts that are not two capital letters."""
    lower = st.sampled_from(("us", "Us", "uS", "de", "gb", "fr"))
    return lower | st.sampled_from(
        ("USA", "U", "1", "+1", "840", "U1", "1U", "U-", "USUS", "United States", "ÜS", "us-US")
    )


def pairs() -> list[Pair]:
    """Give every rule that refuses a field's value, with bad values for it."""
    found = [Pair(f"create.{name}.required", "create", name, st.sampled_from((ABSENT, None))) for name in REQUIRED]
    for kind in ("create", "update"):
        found += [
            Pair(f"{kind}.name.max-length", kind, "name", long_names()),
            *(
                Pair(f"{kind}.{name}.type", kind, name, other_types())
                for name in (*TEXTS, "domain", "outbound_proxy", "auth_realm")
            ),
            Pair(f"{kind}.password.type", kind, "password", other_passwords()),
            *(Pair(f"{kind}.{name}.not-empty", kind, name, st.just("")) for name in (*TEXTS, "password")),
            Pair(f"{kind}.port.range", kind, "port", out_of_range()),
            Pair(f"{kind}.port.type", kind, "port", no_integers()),
            Pair(f"{kind}.transport.values", kind, "transport", not_transports()),
            Pair(f"{kind}.is-active.type", kind, "is_active", no_booleans()),
            Pair(f"{kind}.domain.host", kind, "domain", not_hosts()),
            Pair(f"{kind}.outbound-proxy.host", kind, "outbound_proxy", not_hosts(proxy=True)),
        ]
    missing = st.sampled_from((ABSENT, None, ""))
    return [
        *found,
        Pair("did.number.form", "did", "number", no_numbers()),
        Pair("did.number.required", "did", "number", missing | other_types()),
        Pair("did.country.form", "did", "country_code", no_country_codes()),
        Pair("did.country.assigned", "did", "country_code", st.sampled_from(("ZZ", "AA", "QQ"))),
        Pair("did.country.required", "did", "country_code", missing | other_types()),
    ]


def differences() -> list[Difference]:
    """Give every field that may have another value, with good values for it."""
    found = [
        Difference("create.all-fields", "create.text.verbatim", "create", "name", name_endings()),
        Difference("create.all-fields", "create.text.verbatim", "create", "provider_name", texts()),
        Difference("create.all-fields", "create.text.verbatim", "create", "username", texts()),
        Difference("create.all-fields", "create.echo", "create", "domain", hosts()),
        Difference("create.all-fields", "create.echo", "create", "password", passwords()),
        Difference("create.all-fields", "create.text.verbatim", "create", "auth_realm", texts()),
        Difference("create.all-fields", "create.echo", "create", "outbound_proxy", hosts()),
        Difference("create.port.accepted", "create.port.kept", "create", "port", ports()),
        Difference("create.transport.accepted", "create.echo", "create", "transport", transports()),
    ]
    names = ("name", "provider_name", "domain", "username", "port", "transport", "outbound_proxy", "auth_realm")
    found += [
        Difference(f"update.{name}.changes", f"update.{name}.changes", "update", name, GOOD[name]) for name in names
    ]
    found.append(Difference("update.password.accepted", "update.only-sent-fields", "update", "password", passwords()))
    return [
        *found,
        Difference(
            "update.is_active.accepted", "update.is_active.keeps-verification", "update", "is_active", GOOD["is_active"]
        ),
    ]
