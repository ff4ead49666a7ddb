"""The simulated carrier: what a Verify or Health check finds, told by the trunk's domain and nothing else.

A domain with a label that contains `auth-fail`, `timeout`, `unreachable` or `tls-error` always fails with that error; a
label `flaky-N` fails the first N checks of a trunk and then succeeds; every other domain is healthy. Letter case does
not matter. The first two messages are the documented ones.
"""

import re
from collections.abc import Callable
from zlib import crc32

from mockserver.trunks import Finding

# The carrier's side of a check: (domain, checks made before) -> Finding.
Carrier = Callable[[str, int], Finding]

TIMED_OUT_MS = 5000
ERRORS = {
    "auth-fail": "Authentication failed (401)",
    "timeout": "Connection timeout",
    "unreachable": "Host unreachable",
    "tls-error": "TLS handshake failed",
}

_FLAKY = re.compile(r"(?:^|\.)flaky-([0-9]{1,6})(?:\.|$)")


def simulated(domain: str, checks: int) -> Finding:
    """Give what check number `checks` (from 0) of a trunk with this domain finds; the same each time it is asked."""
    domain = domain.lower()
    error = next((error for label, error in ERRORS.items() if label in domain), None)
    if error == ERRORS["timeout"]:
        return Finding(TIMED_OUT_MS, error)
    flaky = _FLAKY.search(domain)
    if error is None and flaky and checks < int(flaky[1]):
        error = "Service unavailable (503)"
    return Finding(20 + crc32(domain.encode()) % 60, error)
