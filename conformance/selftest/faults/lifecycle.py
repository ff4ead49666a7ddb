"""Faults in the life of a trunk."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from conformance.selftest.catalogue import after, around, fault, noting, shown
from conformance.selftest.faults.create import wants
from conformance.selftest.faults.update import changed
from conformance.selftest.miniature import Answer, Api, Request, Trunk

Inner = Callable[..., Any]


@fault("activation.unverified.create", "answer.unverified-never-active")
def created_active(api: Api) -> None:
    """A trunk can be created active."""
    around(api, "want_startable", lambda _inner, _values: None)


@fault("activation.unverified.update", "answer.unverified-never-active", also=["verify.does-not-activate"])
def activated_unverified(api: Api) -> None:
    """A trunk that was never verified can be activated."""
    around(
        api,
        "want_activatable",
        lambda inner, trunk, values: None if trunk["health_status"] is None else inner(trunk, values),
    )


@fault("health.members")
def health_without_a_duration(api: Api) -> None:
    """A health check tells no response time."""
    shown(api, "health", lambda data: data.pop("response_time_ms"))


@fault("health.checked-at.now")
def checked_at_another_time(api: Api) -> None:
    """checked_at is the start of the year."""
    shown(api, "health", lambda data: data.update(checked_at=f"{data['checked_at'][:4]}-01-01T00:00:00Z"))


@fault("health.leaves-verification", also=["answer.verified-by-verify"])
def health_verifies(api: Api) -> None:
    """A health check that succeeds verifies the trunk."""

    def verify(request: Request, answer: Answer) -> None:
        if answer.status == 200 and answer.data[0]["is_healthy"]:
            api.trunks[request.trunk_id]["is_verified"] = True

    after(api, "health", verify)


@fault("health.leaves-verification", also=["activation.verified"])
def health_unverifies(api: Api) -> None:
    """A health check takes the verification away."""

    def unverify(request: Request, answer: Answer) -> None:
        if answer.status == 200:
            api.trunks[request.trunk_id].update(is_verified=False, is_active=False)

    after(api, "health", unverify)


@fault("health.unhealthy", also=["answer.refusal-is-4xx"])
def unhealthy_is_no_success(api: Api) -> None:
    """A health check that finds something has success false."""

    def deny(_request: Request, answer: Answer) -> None:
        if answer.status == 200 and not answer.data[0]["is_healthy"]:
            answer.document["success"] = False

    after(api, "health", deny)


@fault("health.unhealthy")
def unhealthy_without_an_error(api: Api) -> None:
    """A health check that finds something does not say what."""
    shown(api, "health", lambda data: data.pop("error", None))


@fault("verify.members")
def verify_without_health(api: Api) -> None:
    """A Verify that succeeds does not tell health_status."""
    shown(api, "verify", lambda data: data.pop("health_status") if data["is_verified"] else None)


@fault("verify.agrees-with-health")
def verify_never_succeeds(api: Api) -> None:
    """Verify fails on every carrier, though Health finds it healthy."""

    def verify(inner: Inner, request: Request) -> Any:
        trunk = api.find(request)
        kept, trunk["domain"] = trunk["domain"], "auth-fail.carrier-x.com"
        answer = inner(request)
        trunk["domain"] = kept
        return answer

    around(api, "verify", verify)


@fault("verify.sets-verified", also=["answer.verified-by-verify", "verify.failed.unverified"])
def verify_is_not_kept(api: Api) -> None:
    """What Verify finds is told, and not kept."""
    around(api, "keep_verified", lambda _inner, _trunk, _found: None)


@fault("verify.sets-verified")
def verify_does_not_keep_its_time(api: Api) -> None:
    """Verify does not keep the time of the check."""
    around(api, "keep_verified", lambda inner, trunk, found: inner(trunk, {**found, "last_health_check_at": None}))


@fault("verify.does-not-activate")
def verify_activates(api: Api) -> None:
    """A Verify that succeeds activates the trunk."""

    def keep(inner: Inner, trunk: Trunk, found: Mapping[str, Any]) -> None:
        inner(trunk, found)
        trunk["is_active"] = trunk["is_verified"]

    around(api, "keep_verified", keep)


@fault("activation.verified")
def activation_is_refused(api: Api) -> None:
    """A verified trunk cannot be activated."""
    wants(api, "update", lambda values: values.get("is_active") is True)


@fault("activation.verified")
def activation_does_nothing(api: Api) -> None:
    """The activation of a verified trunk is accepted and ignored."""
    changed(api, lambda trunk, _values: trunk.update(is_active=False))


def resets_too(api: Api, field: str) -> None:
    """Let one more field take the verification away."""
    api.resets.add(field)


def does_not_reset(api: Api, field: str) -> None:
    """Let a field keep the verification."""
    api.resets.discard(field)


def stays_active(api: Api, field: str) -> None:
    """Let a trunk stay active when a field takes its verification away."""
    around(
        api,
        "unverify",
        lambda inner, trunk, values: trunk.update(is_verified=False) if field in values else inner(trunk, values),
    )


def only_deactivates(api: Api, field: str) -> None:
    """Let a trunk be deactivated, but stay verified."""
    around(
        api,
        "unverify",
        lambda inner, trunk, values: trunk.update(is_active=False) if field in values else inner(trunk, values),
    )


for field in ("name", "provider_name"):
    fault(
        f"update.{field}.keeps-verification",
        name=f"{field}-resets",
        says=f"A change of {field} takes the verification away.",
    )(partial(resets_too, field=field))


@fault("update.is_active.keeps-verification")
def deactivation_resets(api: Api) -> None:
    """Deactivation takes the verification away."""
    changed(api, lambda trunk, values: trunk.update(is_verified=False) if values.get("is_active") is False else None)


for field in ("domain", "transport", "username", "password"):
    fault(
        f"update.{field}.resets-verification",
        name=f"{field}-keeps-verification",
        says=f"A change of {field} keeps the verification.",
    )(partial(does_not_reset, field=field))
    fault(
        f"update.{field}.deactivates",
        also=["answer.unverified-never-active"],
        name=f"{field}-keeps-active",
        says=f"A change of {field} takes the verification away, but the trunk stays active.",
    )(partial(stays_active, field=field))


fault(
    "update.username.resets-verification",
    name="username-only-deactivates",
    says="A change of username deactivates the trunk, but keeps the verification.",
)(partial(only_deactivates, field="username"))


@fault("activation.with-a-change", also=["answer.unverified-never-active"])
def activation_with_a_change(api: Api) -> None:
    """A change that takes the verification away may activate the trunk in the same request."""
    around(api, "want_activatable", lambda inner, trunk, values: None if "username" in values else inner(trunk, values))


@fault("verify.failed.members")
def failed_verify_without_error(api: Api) -> None:
    """A Verify that fails does not say why."""
    shown(api, "verify", lambda data: data.pop("error", None))


@fault("verify.failed.members")
def failed_verify_says_success(api: Api) -> None:
    """A Verify that fails has success true."""
    after(
        api, "verify", lambda _request, answer: answer.document.update(success=True) if answer.status == 200 else None
    )


@fault("verify.failed.unverified")
def failed_verify_is_not_kept(api: Api) -> None:
    """What a Verify finds is not kept where it fails."""
    around(api, "keep_verified", lambda inner, trunk, found: inner(trunk, found) if found["is_verified"] else None)


@fault("verify.failed.unverified")
def failed_verify_counts(api: Api) -> None:
    """A Verify that fails verifies the trunk all the same."""
    around(api, "keep_verified", lambda inner, trunk, found: inner(trunk, {**found, "is_verified": True}))


@fault("verify.after-failure")
def once_failed_always_failed(api: Api) -> None:
    """A trunk whose Verify failed cannot be verified later."""
    failed: set[str] = set()
    around(api, "problem", lambda inner, trunk: "It has failed before." if trunk["id"] in failed else inner(trunk))
    noting(api, "keep_verified", lambda trunk, found: None if found["is_verified"] else failed.add(trunk["id"]))


@fault("activation.off", also=["update.is_active.keeps-verification"])
def active_for_good(api: Api) -> None:
    """An active trunk cannot be turned off: the update is accepted and ignored."""
    around(api, "change", lambda inner, trunk, values: inner(trunk, {} if values == {"is_active": False} else values))
