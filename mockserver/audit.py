"""The audit log: who did what with the mock's controls, when, and what came of it."""

import logging
import re
from dataclasses import dataclass

log = logging.getLogger("trunkmock.audit")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of an environment; what else a path may have is nobody's


@dataclass(slots=True)
class Action:
    """A request for the controls. No token is ever in it.

    `by` is how somebody was let in: `token`, `loopback`, `partner` (an environment's own token), or `operator`.
    """

    method: str
    address: str
    request_id: str
    by: str = "nobody"
    operation: str = "-"
    environment: str = "-"

    def concerns(self, environment: str) -> None:
        """Note the environment that it is about."""
        self.environment = environment if environment == "-" or _NAME.fullmatch(environment) else "?"


def note(action: Action, status: int) -> None:
    """Write it down, unless somebody who may has only looked."""
    if action.method in ("GET", "HEAD") and status not in (401, 403):
        return
    fields = {
        "by": action.by,
        "address": action.address,
        "operation": action.operation,
        "environment": action.environment,
        "status": status,
        "request_id": action.request_id,
    }
    log.info(" ".join(["%s"] * len(fields)), *fields.values(), extra={"fields": fields})
