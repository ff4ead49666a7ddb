"""What is to go wrong, for which requests, how often: faults that a test asked for, and a request's own `Prefer`.

A fault belongs to one environment. Nothing here sends anything: the app is told what a request has met.
"""

import random
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

import orjson

from mockserver.errors import ValidationFailed
from mockserver.redaction import clean

LONGEST_WAIT = 60  # seconds that a client may ask an answer to wait

_PREFERENCE = re.compile(r'[ \t]*(code|wait)[ \t]*=[ \t]*"?([0-9]{1,4})"?[ \t]*(?:;.*)?', re.IGNORECASE)  # RFC 7240
_EFFECTS = ("status", "transfer", "delay_ms", "spread_ms", "revoke_token")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, its members as the controls' description has them. `times` of None is without end."""

    operations: tuple[str, ...] = ()
    where: Mapping[str, Any] = field(default_factory=dict)
    skip: int = 0
    times: int | None = None
    probability: float = 1.0
    seed: int | None = None
    status: int | None = None
    code: str | None = None
    retry_after: int | None = None
    delay_ms: int = 0
    spread_ms: int = 0
    transfer: str | None = None
    drip_ms: int = 1000
    takes_effect: bool = False
    revoke_token: bool = False

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Fault":
        """Give the fault of a checked document; ValidationFailed where its members do not fit together."""
        if not any(document.get(name) for name in _EFFECTS):
            raise ValidationFailed({"status": [f"one of {', '.join(_EFFECTS)} is required"]})
        for name in ("code", "retry_after"):
            if name in document and "status" not in document:
                raise ValidationFailed({name: [f"{name} must stand beside status"]})
        if document.get("takes_effect") and "status" not in document and document.get("transfer") != "reset":
            raise ValidationFailed({"takes_effect": ["takes_effect must stand beside status or transfer: reset"]})
        return cls.of(document)

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> "Fault":
        """Give the fault with these members."""
        return cls(**{**members, "operations": tuple(members.get("operations", ()))})

    @property
    def is_in_place_of_the_answer(self) -> bool:
        """Tell whether a request that meets it is not carried out."""
        return not self.takes_effect and (self.status is not None or self.transfer == "reset")

    def matches(self, operation_id: str, fields: Mapping[str, Any] | None) -> bool:
        """Tell whether a request, with these fields in its body, is one of those that it is for."""
        if self.operations and operation_id not in self.operations:
            return False
        return not self.where or bool(fields and all(same(fields.get(name), it) for name, it in self.where.items()))

    def members(self) -> dict[str, Any]:
        """Give its members, what is as usual left out."""
        usual = asdict(Fault())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}

    def shown(self) -> dict[str, Any]:
        """Give what there is to tell of it, what is as usual left out."""
        shown = self.members()
        if self.where:
            shown["where"] = {name: "***" if name == "password" else clean(it, ()) for name, it in self.where.items()}
        return shown


@dataclass(slots=True)
class Active:
    """A fault at work: how many matching requests it saw, and how many of them it met."""

    fault: Fault
    random: random.Random
    seen: int = 0
    met: int = 0

    def meets(self, operation_id: str, fields: Mapping[str, Any] | None) -> bool:
        """Tell whether this request, with these fields in its body, meets the fault; counts it."""
        fault = self.fault
        if not fault.matches(operation_id, fields):
            return False
        self.seen += 1
        if self.seen <= fault.skip or self.random.random() >= fault.probability:
            return False
        self.met += 1
        return True

    @property
    def is_over(self) -> bool:
        """Tell whether it has met all the requests that it was to meet."""
        return self.fault.times is not None and self.met >= self.fault.times

    def delay_seconds(self) -> float:
        """Give the delay of the request that it met."""
        return (self.fault.delay_ms + self.random.uniform(0, self.fault.spread_ms)) / 1000


class Faults(Protocol):
    """The faults of each environment. One that is over is gone. Every method may raise ServiceUnavailable."""

    @property
    def by_environment(self) -> Container[str]:
        """The environments that have some, for a quick look at the one whose request it is."""

    async def add(self, environment: str, fault: Fault) -> None:
        """Let matching requests of the environment go wrong."""

    async def active(self, environment: str) -> list[Active]:
        """Give the environment's faults, oldest first."""

    async def clear(self, environment: str) -> None:
        """Let everything go right again."""

    async def meet(self, environment: str, operation_id: str, fields: Mapping[str, Any] | None) -> Active | None:
        """Give the fault that this request meets, if any; it counts for it, at whichever replica."""


class MemoryFaults:
    """The faults in memory."""

    def __init__(self) -> None:
        self.by_environment: dict[str, list[Active]] = {}
        """Only environments that have some; for a quick look. Changed by this class alone."""

    async def add(self, environment: str, fault: Fault) -> None:
        """Let matching requests of the environment go wrong."""
        chance = random.Random(fault.seed)  # noqa: S311 - not for secrets
        self.by_environment.setdefault(environment, []).append(Active(fault, chance))

    async def active(self, environment: str) -> list[Active]:
        """Give the environment's faults, oldest first."""
        return list(self.by_environment.get(environment, ()))

    async def clear(self, environment: str) -> None:
        """Let everything go right again."""
        self.by_environment.pop(environment, None)

    async def meet(self, environment: str, operation_id: str, fields: Mapping[str, Any] | None) -> Active | None:
        """Give the fault that this request meets, if any."""
        active = self.by_environment.get(environment, [])
        for one in active:
            if one.meets(operation_id, fields):
                if one.is_over:
                    active.remove(one)
                    if not active:
                        await self.clear(environment)
                return one
        return None


@dataclass(frozen=True, slots=True)
class Reply:
    """An error answer: its status, body and header fields."""

    status: int
    payload: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Replies:
    """Error answers as the contract shows them in its examples."""

    def __init__(self, contract: Mapping[str, Any]) -> None:
        self._contract = contract

    def documented(self, operation_id: str, status: int) -> Reply | None:
        """Give the error that the contract has for the operation with this status."""
        answer = self._answer(operation_id, str(status))
        if status < 400 or answer is None:
            return None
        example = next(iter(answer["content"]["application/json"]["examples"].values()))
        headers = []
        if "Retry-After" in answer["headers"]:
            headers.append((b"retry-after", b"1"))
        if "WWW-Authenticate" in answer["headers"]:
            headers.append((b"www-authenticate", b"Bearer"))
        return Reply(status, orjson.dumps(self._resolved(example)["value"]), tuple(headers))

    def of_fault(self, fault: Fault, operation_id: str) -> Reply:
        """Give the answer of a fault that has a status: the documented one, unless it asks for another code."""
        status = fault.status or 500
        reply = self.documented(operation_id, status)
        if reply is None or (fault.code and orjson.loads(reply.payload)["code"] != fault.code):
            code = fault.code or _CODES.get(status) or (HTTPStatus(status).name if status in _STATUSES else "ERROR")
            payload = {"success": False, "message": f"The mock was told to answer {status}.", "code": code}
            reply = Reply(status, orjson.dumps(payload), reply.headers if reply else ())
        if fault.retry_after is None:
            return reply
        others = [header for header in reply.headers if header[0] != b"retry-after"]
        return Reply(status, reply.payload, (*others, (b"retry-after", b"%d" % fault.retry_after)))

    def _answer(self, operation_id: str, status: str) -> Any:
        for methods in self._contract["paths"].values():
            for operation in methods.values():
                if isinstance(operation, dict) and operation["operationId"] == operation_id:
                    return self._resolved(operation["responses"].get(status))
        return None

    def _resolved(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            target: Any = self._contract
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step]
            node = target
        return node


_CODES = {500: "INTERNAL_ERROR"}
_STATUSES = frozenset(HTTPStatus)


@dataclass(frozen=True, slots=True)
class Preference:
    """What a request asks for itself: an error answer, a wait in seconds."""

    code: int | None = None
    wait: int | None = None

    def applied(self) -> bytes:
        """Give the value of `Preference-Applied`."""
        parts = {"code": self.code, "wait": self.wait}
        return ", ".join(f"{name}={value}" for name, value in parts.items() if value is not None).encode()


def preference(values: Iterable[bytes]) -> Preference:
    """Read the `Prefer` fields of a request; what is not understood is not asked for (RFC 7240, section 2)."""
    found: dict[str, int] = {}
    for part in b",".join(values).decode("latin-1").split(","):
        if match := _PREFERENCE.fullmatch(part):
            found.setdefault(match[1].lower(), int(match[2]))
    wait = found.get("wait")
    return Preference(found.get("code"), wait if wait is not None and wait <= LONGEST_WAIT else None)


def same(actual: Any, expected: Any) -> bool:
    """Tell whether two values of JSON are the same; `true` is not 1."""
    return isinstance(actual, bool) == isinstance(expected, bool) and bool(actual == expected)
