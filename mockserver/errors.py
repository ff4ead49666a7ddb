"""Every refusal the mock can give: status, code and a fixed message. No class can hold a value that a client sent.

`Refusal` is raised anywhere below the app, which turns it into the error envelope in one place. A `ValidationFailed`
holds the names of contract fields and the contract's own words about them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson


class Refusal(Exception):
    """A request that is turned down; each subclass is one error code."""

    status: ClassVar[int]
    code: ClassVar[str]
    message: ClassVar[str]
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: ClassVar[bytes]

    def __init_subclass__(cls) -> None:
        if not hasattr(cls, "code"):
            return  # a family of codes, not one
        cls.body = orjson.dumps({"success": False, "message": cls.message, "code": cls.code})

    def payload(self) -> bytes:
        """Give the envelope as JSON."""
        return self.body


class BadRequest(Refusal):
    """What came is not HTTP."""

    status, code, message = 400, "BAD_REQUEST", "The request is not well-formed HTTP."
    headers = ((b"connection", b"close"),)


class InvalidJson(Refusal):
    """The body cannot be read as JSON."""

    status, code, message = 400, "INVALID_JSON", "The request body is not valid JSON in UTF-8."


class Unauthenticated(Refusal):
    """No token, or none that names an environment."""

    status, code, message = 401, "UNAUTHENTICATED", "A valid environment token is required."
    headers = ((b"www-authenticate", b"Bearer"),)


class FeatureNotAvailable(Refusal):
    """The plan lacks `allow_custom_sip_trunks`."""

    status, code = 403, "FEATURE_NOT_AVAILABLE"
    message = "The plan of this environment does not include custom SIP trunks."


class EnvironmentSuspended(Refusal):
    """The token is right, but whoever runs the mock has suspended its environment: another token would not help."""

    status, code, message = 403, "ENVIRONMENT_SUSPENDED", "This environment is suspended."


class TrunkLimitReached(Refusal):
    """The environment has as many trunks as it may have. Not 429: waiting does not help."""

    status, code, message = (
        403,
        "TRUNK_LIMIT_REACHED",
        "This environment may have no more SIP trunks; delete one first.",
    )


class ControlTokenRequired(Refusal):
    """No control token, or not the right one."""

    status, code, message = 401, "CONTROL_TOKEN_REQUIRED", "The mock's control token is required."
    headers = ((b"www-authenticate", b"Bearer"),)


class FromAnotherSite(Refusal):
    """A page of another site, or under another name, tried to use the mock's controls."""

    status, code, message = 403, "FROM_ANOTHER_SITE", "The mock's controls answer no page of another site."


class NotFound(Refusal):
    """Nothing answers at this path."""

    status, code, message = 404, "NOT_FOUND", "There is nothing at this path."


class TrunkNotFound(Refusal):
    """No such trunk in this environment."""

    status, code, message = 404, "TRUNK_NOT_FOUND", "There is no such SIP trunk in this environment."


class DidNotFound(Refusal):
    """No such DID on the trunk."""

    status, code, message = 404, "DID_NOT_FOUND", "The SIP trunk has no such DID."


class EnvironmentNotFound(Refusal):
    """The mock has no environment of this name."""

    status, code, message = 404, "ENVIRONMENT_NOT_FOUND", "There is no environment of this name."


class ReportNotFound(Refusal):
    """No report was uploaded for this environment."""

    status, code, message = 404, "REPORT_NOT_FOUND", "No report was uploaded for this environment."


class MethodNotAllowed(Refusal):
    """The path exists, the method does not. Takes the path's methods."""

    status, code, message = 405, "METHOD_NOT_ALLOWED", "This path does not support the method."

    def __init__(self, allow: bytes) -> None:
        super().__init__()
        self.headers = ((b"allow", allow),)


class RequestTimeout(Refusal):
    """The request did not arrive as a whole in time."""

    status, code, message = 408, "REQUEST_TIMEOUT", "The request did not arrive in time."
    headers = ((b"connection", b"close"),)


class TrunkHasDids(Refusal):
    """A trunk with DIDs cannot be deleted."""

    status, code, message = 409, "TRUNK_HAS_DIDS", "The SIP trunk still has DIDs; delete them first."


class TrunkAlreadyExists(Refusal):
    """A trunk was to be put there under the id of another one."""

    status, code, message = 409, "TRUNK_ALREADY_EXISTS", "There is a SIP trunk of this id already."


class DidAlreadyExists(Refusal):
    """The number is on a trunk of this environment already."""

    status, code = 409, "DID_ALREADY_EXISTS"
    message = "This number is already on a SIP trunk of this environment."


class DidInUse(Refusal):
    """A DID that an active agent uses cannot be deleted."""

    status, code, message = 409, "DID_IN_USE", "The DID is assigned to an active agent."


class EnvironmentAlreadyExists(Refusal):
    """The mock has an environment of this name."""

    status, code, message = 409, "ENVIRONMENT_ALREADY_EXISTS", "There is an environment of this name already."


class ExpectationMissed(Refusal):
    """The journal is not what was expected. Takes one sentence for each expectation, and what there is to tell."""

    status, code, message = 409, "EXPECTATION_MISSED", "The requests are not what was expected."

    def __init__(self, sentences: Sequence[str], data: Any) -> None:
        super().__init__()
        self.sentences = sentences
        self.data = data

    def payload(self) -> bytes:
        """Give the envelope as JSON, with `data`."""
        message = "; ".join(self.sentences)
        return orjson.dumps({"success": False, "message": message, "code": self.code, "data": self.data})


class PayloadTooLarge(Refusal):
    """The body is over the size limit. The connection ends, because the rest of the body is not read."""

    status, code, message = 413, "PAYLOAD_TOO_LARGE", "The request body is too large."
    headers = ((b"connection", b"close"),)


class UnsupportedMediaType(Refusal):
    """The body is not declared as JSON in UTF-8."""

    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"
    message = "The Content-Type must be application/json, in UTF-8."


class BodyNotAnObject(Refusal):
    """The body is JSON, but not an object."""

    status, code, message = 422, "VALIDATION_ERROR", "The request body must be a JSON object."


class FieldsRefused(Refusal):
    """A refusal that names fields; `errors` maps each to what it must be."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__()
        self.errors = errors

    def payload(self) -> bytes:
        """Give the envelope as JSON, with the `errors` map."""
        envelope: dict[str, Any] = {"success": False, "message": self.sentence(), "code": self.code}
        return orjson.dumps(envelope | {"errors": self.errors})

    def sentence(self) -> str:
        """Give the message for people."""
        return self.message


class ValidationFailed(FieldsRefused):
    """Fields that break the contract's rules, all of them."""

    status, code, message = 422, "VALIDATION_ERROR", "The request breaks the rules of some fields."

    def sentence(self) -> str:
        """Say how many fields are broken."""
        count = len(self.errors)
        return (
            "The request breaks the rule of 1 field."
            if count == 1
            else f"The request breaks the rules of {count} fields."
        )


class TrunkNotVerified(FieldsRefused):
    """An unverified trunk was to become active."""

    status, code = 422, "TRUNK_NOT_VERIFIED"
    message = "An unverified SIP trunk cannot be active; verify it first."

    def __init__(self) -> None:
        super().__init__({"is_active": ["is_active must be false until the trunk is verified"]})


class RateLimited(Refusal):
    """The environment has used up its minute. Takes the seconds that are left of it."""

    status, code, message = 429, "RATE_LIMITED", "Too many requests; wait as long as Retry-After says."

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.headers = ((b"retry-after", b"%d" % seconds),)


class HeadersTooLarge(Refusal):
    """The header fields are over the size limit."""

    status, code, message = 431, "HEADERS_TOO_LARGE", "The request header fields are too large."
    headers = ((b"connection", b"close"),)


class InternalError(Refusal):
    """The mock itself is broken. No input may bring this about; a test says so."""

    status, code, message = 500, "INTERNAL_ERROR", "The mock server failed; its log says where."


class ServiceUnavailable(Refusal):
    """The store cannot be used now. Whether a change was made is unknown if its answer was lost."""

    status, code, message = 503, "SERVICE_UNAVAILABLE", "The mock's store cannot be reached; try again."
    headers: tuple[tuple[bytes, bytes], ...] = ((b"retry-after", b"1"),)


class TooManyConnections(ServiceUnavailable):
    """There are as many connections as there may be."""

    message = "There are too many connections; try again."
    headers = ((b"retry-after", b"1"), (b"connection", b"close"))


class ShuttingDown(ServiceUnavailable):
    """The mock is about to end; another replica may be there."""

    message = "The mock is about to end; try again."
