"""Values that fields must refuse, as cases. Sources: *Create SIP Trunk*, request body; RFC 3261, section 25.1, for
hosts.
"""

from typing import Any

from conformance.canaries import Canaries
from conformance.refusals import Case, field_cases

NAME_LENGTH = 255  # characters

# One text that every layer likes to change: quotes, markup, escapes, a double space, letters of four scripts, a
# decomposed accent; and the same with a character beyond the basic plane, which some count as two.
TRICKY_BASIC = 'Primary "Carrier" — US\'s <b>&amp;</b> \\n %41+1  {0} $HOME a@b -- ünï Ω 中文 e\u0301'
TRICKY = f"{TRICKY_BASIC} \U0001f4de"

HOST = "sip.carrier-x.com"
NOT_HOSTS = (
    f"sip:{HOST}", f"https://{HOST}", "sip carrier-x.com", f"{HOST}:5061", "sip..carrier-x.com", f"{HOST}/path",
    f"user@{HOST}",
    "-sip.carrier-x.com", "sïp.carrier-x.com", "",
)  # fmt: skip
MORE_NOT_HOSTS = (
    "sip-.carrier-x.com", ".carrier-x.com", "2001:db8::1", f"{HOST};transport=tls", f"{HOST}?x=1", "[2001:db8::zz]",
    f"{HOST},sip2.carrier-x.com", "[2001:db8::1", "sip%2ecarrier-x.com",
)  # fmt: skip
# A port behind an outbound proxy, and "" for an unset one, are matters of choice.
NOT_PROXIES = tuple(host for host in NOT_HOSTS if host not in {"", f"{HOST}:5061"})
MORE_NOT_PROXIES = tuple(host for host in MORE_NOT_HOSTS if host != "2001:db8::1")


def wrong_types(canaries: Canaries, field: str) -> list[Case]:
    """Give a text field's values of every other JSON type; a password's carry a secret."""
    secret = field == "password"
    text = HOST if field in {"domain", "outbound_proxy"} else "carrier-x"
    values: dict[str, Any] = {
        "a number": canaries.number() if secret else 12345,
        "a list": [canaries.password() if secret else text],
        "an object": {"value": canaries.password() if secret else text},
        "true": True,
        "a fraction": 1.5,
        "false": False,
        "an empty list": [],
        "an empty object": {},
        "zero": 0,
    }
    # Who lets a number or a list pass hardly stops there.
    telling = {"a number", "a list", "an object"} if secret else {"a number", "a list" if field < "n" else "an object"}

    def rank(kind: str) -> int:
        return 0 if kind in telling else 1 if kind in {"a list", "an object", "true"} else 2

    return [Case(f"{field} that is {kind}", field, value, rank(kind)) for kind, value in values.items()]


def ports_out_of_range(*, update: bool = False) -> list[Case]:
    """Give integers that are no port."""
    return field_cases("port", (0, 65536) if update else (0, 65536, -1), (*((-1,) if update else ()), 99999, 2**31))


def ports_of_other_types() -> list[Case]:
    """Give values that are no integer. Whether an empty text counts as not sent is left open, here and below."""
    return field_cases("port", ("5061", True, 5061.5), ([5061], {"port": 5061}, False, "tls", 0.5, " 5061", "5061.0"))


def other_transports() -> list[Case]:
    """Give values that are none of the three transports."""
    return field_cases("transport", ("TLS", "sctp", 1), (["tls"], "Udp", "ws", "tls,udp", True, {}, "tlsx", "TCP", 0))


def other_activities() -> list[Case]:
    """Give values of is_active that are neither true nor false."""
    return field_cases("is_active", ("false", 0), ([], "true", 1, "no", {}, "yes", "0", 0.0))


def hosts(field: str) -> list[Case]:
    """Give values of a host field that are no host."""
    if field == "domain":
        return field_cases(field, NOT_HOSTS, MORE_NOT_HOSTS)
    return field_cases(field, ("proxy carrier-x.com", f"https://{HOST}/path"), (*NOT_PROXIES, *MORE_NOT_PROXIES))
