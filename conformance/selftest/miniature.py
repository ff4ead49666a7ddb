"""A whole implementation of the ten operations in one small ASGI app, for the kit to be tested on.

It is written from the contract alone and shares nothing with the mock, so that a mistake in one does not hide in the
other. Everything that a fault or a variant changes is an attribute or a method of its own: tables of field checks, what
each operation shows, and two lists of functions that see each request before it is served and each answer before it is
sent.
"""

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

PREFIX: Final = "/api/v1"
TOKENS: Final[Mapping[str, str]] = {
    "talq_first7Kq2mXw9RtZ4": "first",
    "talq_other5Pd8nVb3LsY6": "other",
    "talq_planless6Hj4cGf7": "planless",
}
WORKING: Final = "sip.carrier-x.com"
FAILING: Final = "auth-fail.carrier-x.com"

TEXTS: Final = ("name", "provider_name", "domain", "username", "password", "outbound_proxy", "auth_realm")
REQUIRED: Final = TEXTS[:5]
CREATED: Final = (
    "id", "name", "provider_name", "domain", "transport", "port", "is_active", "is_verified", "created_at",
)  # fmt: skip
CHECKED: Final = ("health_status", "last_health_check_at")
READ: Final = (*CREATED, "username", "outbound_proxy", "auth_realm", *CHECKED, "updated_at")

# RFC 3261, section 25.1; a label may not end in a hyphen, and the last one starts with a letter.
_LABEL = r"[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?"
_HOST = re.compile(
    rf"(?:{_LABEL}\.)*[A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?\.?|\d{{1,3}}(?:\.\d{{1,3}}){{3}}|\[[0-9A-Fa-f:.]+\]"
)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_COUNTRIES = frozenset({"AT", "BR", "CA", "CH", "DE", "ES", "FR", "GB", "IT", "JP", "MX", "NL", "US", "ZA"})

Check = Callable[[Any], Any]
Trunk = dict[str, Any]
Trunks = list[Trunk]
Dids = list[dict[str, Any]]


@dataclass
class Request:
    """A request, and what the app has found out about it so far."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: str = ""
    operation: str = ""
    trunk_id: str = ""
    did_id: str = ""
    environment: str = ""
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def media_type(self) -> str:
        """The Content-Type as it was sent."""
        return self.headers.get("content-type", "")

    @property
    def token(self) -> str:
        """What stands behind the scheme in Authorization."""
        return self.headers.get("authorization", "").partition(" ")[2].strip()


@dataclass
class Answer:
    """An answer; the document becomes the body."""

    status: int
    document: Any
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> list[dict[str, Any]]:
        """The objects in `data`: the entries of a list, or the one that there is."""
        data = self.document.get("data") if isinstance(self.document, dict) else None
        return [one for one in (data if isinstance(data, list) else [data]) if isinstance(one, dict)]


class Refused(Exception):
    """The request is refused."""

    def __init__(self, status: int, code: str, message: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = dict(errors or {})


class Bad(Exception):
    """A value breaks the rule of its field; the text says how, without the value."""


def text(value: Any) -> str:
    """Take a text that is not empty."""
    if not isinstance(value, str) or not value:
        raise Bad("must be a text that is not empty")
    if _UNPRINTABLE.search(value):
        raise Bad("must be printable")
    return value


def name(value: Any) -> str:
    """Take a text of at most 255 characters."""
    if len(text(value)) > 255:
        raise Bad("must have at most 255 characters")
    return str(value)


def host(value: Any) -> str:
    """Take a SIP host."""
    if not _HOST.fullmatch(text(value)):
        raise Bad("must be a host")
    return str(value)


def port(value: Any) -> int:
    """Take an integer from 1 to 65535."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise Bad("must be an integer from 1 to 65535")
    return value


def transport(value: Any) -> str:
    """Take one of the three transports."""
    if not isinstance(value, str) or value not in {"udp", "tcp", "tls"}:
        raise Bad("must be udp, tcp or tls")
    return value


def boolean(value: Any) -> bool:
    """Take true or false."""
    if not isinstance(value, bool):
        raise Bad("must be true or false")
    return value


def number(value: Any) -> str:
    """Take an E.164 number."""
    if not isinstance(value, str) or not _E164.fullmatch(value):
        raise Bad("must be an E.164 number")
    return value


def country(value: Any) -> str:
    """Take a country code that is assigned."""
    if not isinstance(value, str) or value not in _COUNTRIES:
        raise Bad("must be an ISO 3166-1 alpha-2 code")
    return value


def optional(check: Check) -> Check:
    """Take null as well."""
    return lambda value: None if value is None else check(value)


TRUNK_CHECKS: Final[Mapping[str, Check]] = {
    "name": name, "provider_name": text, "domain": host, "username": text, "password": text, "port": port,
    "transport": transport, "outbound_proxy": optional(host), "auth_realm": optional(text), "is_active": boolean,
}  # fmt: skip
DID_CHECKS: Final[Mapping[str, Check]] = {"country_code": country, "number": number}


class Api:
    """The implementation. An instance has its own state and its own tables, which may be changed before it serves."""

    def __init__(self) -> None:
        self.tokens = dict(TOKENS)
        self.planless = {"planless"}  # environments without the feature
        self.trunks: dict[str, Trunk] = {}
        self.dids: dict[str, dict[str, Any]] = {}
        self.checks = {"create": dict(TRUNK_CHECKS), "update": dict(TRUNK_CHECKS), "add-did": dict(DID_CHECKS)}
        self.required = {"create": set(REQUIRED), "update": set[str](), "add-did": set(DID_CHECKS)}
        self.default_transport = "tls"
        self.default_ports = {"udp": 5060, "tcp": 5060, "tls": 5061}
        self.resets = {"domain", "transport", "username", "password"}  # fields whose change takes the verification away
        self.shows: dict[str, tuple[str, ...]] = {"create": CREATED, "list": CREATED, "read": READ, "update": READ}
        self.statuses = {"create": 201, "add-did": 201}
        self.media_types = {"application/json"}
        self.most_bytes = 65536
        self.on_request: list[Callable[[Request], Answer | None]] = []  # an Answer that they give is sent
        self.on_answer: list[
            Callable[[Request, Answer], object]
        ] = []  # an Answer that they give replaces the one they got
        self.made = 0
        self.served = 0

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Serve a request as ASGI has it."""
        if scope["type"] != "http":
            raise NotImplementedError
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        body = (await receive()).get("body", b"")
        query = scope["query_string"].decode("latin-1")
        answer = self.respond(Request(scope["method"], scope["path"].removeprefix(PREFIX), headers, body, query))
        raw = answer.document
        if not isinstance(raw, bytes):
            raw = self.write(raw)
            answer.headers.setdefault("Content-Type", "application/json")
        pairs = [(key.encode("latin-1"), value.encode("latin-1", "replace")) for key, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": raw})

    def respond(self, request: Request) -> Answer:
        """Give the answer to a request."""
        self.served += 1
        try:
            answer = self.serve(request)
        except Refused as refused:
            answer = self.refuse(request, refused)
        answer.headers = {**self.limits(request), **answer.headers}
        for change in self.on_answer:
            changed = change(request, answer)
            answer = changed if isinstance(changed, Answer) else answer
        return answer

    def serve(self, request: Request) -> Answer:
        """Route, authenticate, and let the operation answer."""
        self.route(request)
        request.environment = self.authenticate(request)
        if request.environment in self.planless:
            raise Refused(403, "FEATURE_NOT_AVAILABLE", "The plan has no custom SIP trunks.")
        for step in self.on_request:
            if early := step(request):
                return early
        served: Answer = getattr(self, request.operation.replace("-", "_"))(request)
        return served

    # Form

    def write(self, document: Any) -> bytes:
        """Give the body of a document."""
        return json.dumps(document, ensure_ascii=False).encode()

    def succeed(self, request: Request, data: Any) -> Answer:
        """Give the answer of a success."""
        return Answer(self.statuses.get(request.operation, 200), {"success": True, "data": data})

    def deleted(self, _request: Request) -> Answer:
        """Give the answer of a delete."""
        return Answer(200, {"success": True, "message": "It is deleted."})

    def refuse(self, _request: Request, refused: Refused) -> Answer:
        """Give the answer of a refusal."""
        document: dict[str, Any] = {"success": False, "message": refused.message, "code": refused.code}
        if refused.errors:
            document["errors"] = {name: [message] for name, message in refused.errors.items()}
        headers = {"WWW-Authenticate": "Bearer"} if refused.status == 401 else {}
        if refused.status == 405:
            headers["Allow"] = refused.message.rpartition(": ")[2]
        return Answer(refused.status, document, headers)

    def limits(self, _request: Request) -> dict[str, str]:
        """Give the rate limit headers."""
        return {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "999", "X-RateLimit-Reset": "60"}

    def now(self) -> str:
        """Give the time, by a clock that is a little fast: each request takes a fiftieth of a second more."""
        return self.written(time.time() + self.served / 50)

    def written(self, seconds: float) -> str:
        """Write a time."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))

    def new_id(self) -> str:
        """Give an id that nothing else has."""
        self.made += 1
        return str(UUID(int=self.made * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4))

    # From a request to an operation

    def route(self, request: Request) -> None:
        """Find the operation."""
        found = self.operations(request)
        if not found:
            raise Refused(404, "NOT_FOUND", "There is no such path.")
        if request.method not in found:
            raise Refused(405, "METHOD_NOT_ALLOWED", f"It has: {', '.join(found)}")
        request.operation = found[request.method]

    def operations(self, request: Request) -> dict[str, str]:
        """Give the operations of a path by their methods, and take the ids from the path."""
        parts = request.path.split("/")[1:]
        if parts[0] != "sip-trunks" or "" in parts:
            return {}
        request.trunk_id, request.did_id = (*parts[1:2], "")[0], (*parts[3:4], "")[0]
        shape = tuple(part if at in {0, 2} else "*" for at, part in enumerate(parts))
        return {
            ("sip-trunks",): {"POST": "create", "GET": "list"},
            ("sip-trunks", "*"): {"GET": "read", "PUT": "update", "DELETE": "delete"},
            ("sip-trunks", "*", "verify"): {"POST": "verify"},
            ("sip-trunks", "*", "health"): {"GET": "health"},
            ("sip-trunks", "*", "dids"): {"GET": "list-dids", "POST": "add-did"},
            ("sip-trunks", "*", "dids", "*"): {"DELETE": "delete-did"},
        }.get(shape, {})

    def authenticate(self, request: Request) -> str:
        """Give the environment that the token names."""
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        if scheme.lower() != "bearer" or (environment := self.environment_of(request.token)) is None:
            raise Refused(401, "UNAUTHENTICATED", "A valid token is needed.")
        return environment

    def environment_of(self, token: str) -> str | None:
        """Give the environment that a token names, or None."""
        return self.tokens.get(token)

    def read_body(self, request: Request) -> dict[str, Any]:
        """Give the fields in a body."""
        self.check_media_type(request)
        if len(request.body) > self.most_bytes:
            raise Refused(413, "PAYLOAD_TOO_LARGE", "The body is too large.")
        try:
            document = self.parse(request.body)
        except (ValueError, RecursionError):
            raise Refused(400, "INVALID_JSON", "The body is not JSON.") from None
        if not isinstance(document, dict):
            raise Refused(422, "VALIDATION_ERROR", "The body is not a JSON object.")
        request.fields = document
        return document

    def check_media_type(self, request: Request) -> None:
        """Want JSON."""
        if request.media_type.partition(";")[0].strip().lower() not in self.media_types:
            raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json.")

    def parse(self, body: bytes) -> Any:
        """Read JSON; ValueError."""
        return json.loads(body.decode(), parse_constant=_no_number)

    def checked(self, request: Request, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Give the documented fields of a body, each checked; all that are bad are told together."""
        checks, found, errors = self.checks[request.operation], {}, {}
        for name in checks:
            if name in fields:
                try:
                    found[name] = checks[name](fields[name])
                except Bad as bad:
                    errors[name] = f"{name} {bad}"
            elif name in self.required[request.operation]:
                errors[name] = f"{name} is required"
        if errors:
            raise Refused(422, "VALIDATION_ERROR", "Fields are bad.", errors)
        return found

    def find(self, request: Request) -> Trunk:
        """Give the trunk that the path names, if it is the environment's own."""
        trunk = self.trunks.get(request.trunk_id)
        if trunk is None or trunk["environment"] != request.environment:
            raise Refused(404, "TRUNK_NOT_FOUND", "There is no such trunk.")
        return trunk

    def show(self, operation: str, trunk: Trunk) -> dict[str, Any]:
        """Give the members of a trunk that an operation shows."""
        return {name: trunk[name] for name in self.shows[operation]}

    # The operations

    def create(self, request: Request) -> Answer:
        """Register a trunk."""
        values = self.checked(request, self.read_body(request))
        self.want_startable(values)
        trunk = self.new_trunk(request, values)
        self.trunks[trunk["id"]] = trunk
        return self.succeed(request, self.show("create", trunk))

    def want_startable(self, values: Mapping[str, Any]) -> None:
        """Refuse a new trunk that is to be active."""
        if values.get("is_active"):
            raise Refused(422, "TRUNK_NOT_VERIFIED", "A trunk must be verified before it is active.")

    def new_trunk(self, request: Request, values: Mapping[str, Any]) -> Trunk:
        """Make a trunk of checked values."""
        now, carried = self.now(), values.get("transport", self.default_transport)
        return {
            "id": self.new_id(), "environment": request.environment, "transport": carried,
            "port": self.default_ports.get(carried, 5061), "outbound_proxy": None, "auth_realm": None,
            "is_active": False,
            **values,
            "is_verified": False, "health_status": None, "last_health_check_at": None,
            "created_at": now, "updated_at": now,
        }  # fmt: skip

    def list(self, request: Request) -> Answer:
        """List the environment's trunks."""
        return self.succeed(request, [self.show("list", trunk) for trunk in self.own(request)])

    def own(self, request: Request) -> Trunks:
        """Give the environment's trunks, the oldest first."""
        return [trunk for trunk in self.trunks.values() if trunk["environment"] == request.environment]

    def read(self, request: Request) -> Answer:
        """Read a trunk."""
        return self.succeed(request, self.show("read", self.find(request)))

    def update(self, request: Request) -> Answer:
        """Change what is sent."""
        trunk = self.find(request)
        values = self.checked(request, self.read_body(request))
        self.want_activatable(trunk, values)
        self.change(trunk, values)
        return self.succeed(request, self.show("update", trunk))

    def want_activatable(self, trunk: Trunk, values: Mapping[str, Any]) -> None:
        """Refuse to activate a trunk that is not verified, or will no longer be."""
        if values.get("is_active") and (not trunk["is_verified"] or self.loses(trunk, values)):
            raise Refused(422, "TRUNK_NOT_VERIFIED", "A trunk must be verified before it is active.")

    def loses(self, _trunk: Trunk, values: Mapping[str, Any]) -> bool:
        """Tell whether a change takes the verification away."""
        return bool(self.resets & values.keys())

    def change(self, trunk: Trunk, values: Mapping[str, Any]) -> None:
        """Take over checked values."""
        if self.loses(trunk, values):
            self.unverify(trunk, values)
        trunk.update(values)
        trunk["updated_at"] = self.now()

    def unverify(self, trunk: Trunk, _values: Mapping[str, Any]) -> None:
        """Take the verification away, and with it the activity."""
        trunk.update(is_verified=False, is_active=False)

    def delete(self, request: Request) -> Answer:
        """Delete a trunk that has no DIDs."""
        trunk = self.find(request)
        if self.dids_of(trunk["id"]):
            raise Refused(409, "TRUNK_HAS_DIDS", "The trunk has DIDs.")
        self.remove(trunk)
        return self.deleted(request)

    def remove(self, trunk: Trunk) -> None:
        """Take a trunk out of the state."""
        del self.trunks[trunk["id"]]

    def problem(self, trunk: Trunk) -> str | None:
        """Give what is wrong with a trunk's carrier."""
        return "Authentication failed (401)" if trunk["domain"] == FAILING else None

    def verify(self, request: Request) -> Answer:
        """Ask the carrier, and keep what it says."""
        trunk = self.find(request)
        error = self.problem(trunk)
        found = {"health_status": "unhealthy" if error else "healthy", "last_health_check_at": self.now()}
        self.keep_verified(trunk, {"is_verified": not error, **found})
        if error:
            return Answer(200, {"success": False, "data": {"is_verified": False, **found, "error": error}})
        return self.succeed(request, {"is_verified": True, **found})

    def keep_verified(self, trunk: Trunk, found: Mapping[str, Any]) -> None:
        """Keep the outcome of a Verify."""
        trunk.update(found)
        trunk["is_active"] = trunk["is_active"] and trunk["is_verified"]

    def health(self, request: Request) -> Answer:
        """Ask the carrier, and change nothing but the health."""
        trunk = self.find(request)
        error, now = self.problem(trunk), self.now()
        trunk.update(health_status="unhealthy" if error else "healthy", last_health_check_at=now)
        found = {"is_healthy": not error, "response_time_ms": 12, "checked_at": now}
        return self.succeed(request, {**found, "error": error} if error else found)

    def dids_of(self, trunk_id: str) -> Dids:
        """Give the DIDs of a trunk."""
        return [did for did in self.dids.values() if did["trunk_id"] == trunk_id]

    def list_dids(self, request: Request) -> Answer:
        """List a trunk's DIDs."""
        return self.succeed(request, [dict(did) for did in self.dids_of(self.find(request)["id"])])

    def add_did(self, request: Request) -> Answer:
        """Put a number on a trunk, unless the environment has it."""
        trunk = self.find(request)
        values = self.checked(request, self.read_body(request))
        if self.is_taken(trunk, values["number"]):
            raise Refused(409, "DID_ALREADY_EXISTS", "The number is there already.")
        did = {"id": self.new_id(), **values, "formatted_number": values["number"][:3] + " " + values["number"][3:]}
        self.dids[did["id"]] = {**did, "trunk_id": trunk["id"]}
        return self.succeed(request, dict(self.dids[did["id"]]))

    def is_taken(self, trunk: Trunk, number: str) -> bool:
        """Tell whether the environment has a number already."""
        there = (did for did in self.dids.values() if did["number"] == number)
        return any(self.trunks[did["trunk_id"]]["environment"] == trunk["environment"] for did in there)

    def delete_did(self, request: Request) -> Answer:
        """Take a number off its trunk."""
        self.remove_did(self.find_did(request))
        return self.deleted(request)

    def find_did(self, request: Request) -> dict[str, Any]:
        """Give the DID that the path names, if it is on the trunk that the path names."""
        trunk, did = self.find(request), self.dids.get(request.did_id)
        if did is None or did["trunk_id"] != trunk["id"]:
            raise Refused(404, "DID_NOT_FOUND", "There is no such DID on this trunk.")
        return did

    def remove_did(self, did: dict[str, Any]) -> None:
        """Take a DID out of the state."""
        del self.dids[did["id"]]


def _no_number(_text: str) -> None:
    raise ValueError
