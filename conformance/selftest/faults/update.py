"""Faults in an update."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from conformance.selftest.catalogue import after, around, before, fault, refusals, shown
from conformance.selftest.faults.create import wants
from conformance.selftest.miniature import Answer, Api, Request, Trunk

Inner = Callable[..., Any]
IGNORED = ("provider_name", "auth_realm")
VISIBLE = ("name", "provider_name", "domain", "username", "port", "transport", "outbound_proxy", "auth_realm")


def changed(api: Api, change: Callable[[Trunk, dict[str, Any]], object]) -> None:
    """Do something more with each update."""

    def more(inner: Inner, trunk: Trunk, values: dict[str, Any]) -> None:
        inner(trunk, values)
        change(trunk, values)

    around(api, "change", more)


def untold(api: Api, field: str) -> None:
    """Leave a field out of the answer to its change."""

    def hide(request: Request, answer: Answer) -> None:
        if answer.status == 200 and field in request.fields:
            answer.document["data"].pop(field)

    after(api, "update", hide)


def ignored(api: Api, field: str) -> None:
    """Do not take over a field that is the only one sent."""
    around(api, "change", lambda inner, trunk, values: inner(trunk, {} if values.keys() == {field} else values))


for field in (one for one in VISIBLE if one not in IGNORED):
    fault(
        f"update.{field}.changes",
        name=f"update-does-not-tell-{field}",
        says=f"The answer to an update of {field} lacks it.",
    )(partial(untold, field=field))
for field in IGNORED:
    fault(
        f"update.{field}.changes",
        also=["answer.as-sent"],
        name=f"update-ignores-{field}",
        says=f"An update of {field} alone is accepted and ignored.",
    )(partial(ignored, field=field))


@fault("update.password.accepted")
def update_of_the_password_is_refused(api: Api) -> None:
    """An update of the password alone is refused."""
    wants(api, "update", lambda values: values.keys() == {"password"})


@fault("update.is_active.accepted", also=["activation.off"])
def update_of_is_active_is_refused(api: Api) -> None:
    """An update to is_active false is refused."""
    wants(api, "update", lambda values: values.get("is_active") is False)


@fault("update.only-sent-fields", also=["answer.as-sent"])
def name_clears_the_realm(api: Api) -> None:
    """An update of the username clears the realm."""
    changed(api, lambda trunk, values: trunk.update(auth_realm=None) if "username" in values else None)


@fault("update.only-sent-fields", also=["answer.as-sent"])
def update_replaces(api: Api) -> None:
    """An update of the domain sets the port to 5061."""
    changed(api, lambda trunk, values: trunk.update(port=5061) if "domain" in values else None)


@fault("update.transport.keeps-port", also=["answer.as-sent"])
def transport_sets_the_port(api: Api) -> None:
    """An update of the transport alone sets the port to its default."""

    def reset(trunk: Trunk, values: dict[str, Any]) -> None:
        if "transport" in values and "port" not in values:
            trunk["port"] = api.default_ports[trunk["transport"]]

    changed(api, reset)


@fault("update.transport.keeps-port", name="default-port-follows")
def default_port_follows(api: Api) -> None:
    """A port that is the transport's default follows a change of the transport."""

    def change(inner: Inner, trunk: Trunk, values: dict[str, Any]) -> None:
        follows = trunk["port"] == api.default_ports[trunk["transport"]] and "port" not in values
        inner(trunk, values)
        if follows:
            trunk["port"] = api.default_ports[trunk["transport"]]

    around(api, "change", change)


@fault("update.members")
def update_without_id(api: Api) -> None:
    """The answer to an update has no id."""
    shown(api, "update", lambda trunk: trunk.pop("id"))


@fault("update.updated-at.now")
def updated_an_hour_off(api: Api) -> None:
    """updated_at is an hour off."""
    changed(api, lambda trunk, _values: trunk.update(updated_at=f"{trunk['updated_at'][:4]}-01-01T00:00:00Z"))


def standing_still(api: Api, operation: str) -> None:
    """Let an operation tell created_at as updated_at."""
    shown(api, operation, lambda trunk: trunk.update(updated_at=trunk["created_at"]))


for operation in ("update", "read"):
    fault(
        "update.updated-at.now",
        name=f"updated-at-stands-still-in-{operation}",
        says=f"updated_at never moves in the answers of {operation}.",
    )(partial(standing_still, operation=operation))


@fault("update.updated-at.now")
def updated_at_stands_still_on_a_slow_clock(api: Api) -> None:
    """updated_at never moves, and by the server's clock the run takes less than a second."""
    around(api, "now", lambda _inner: api.written(time.time()))
    standing_still(api, "update")


@fault("update.created-at.stays", "answer.created-at.steady", also=["update.only-sent-fields"])
def created_at_moves(api: Api) -> None:
    """An update moves created_at."""
    changed(api, lambda trunk, _values: trunk.update(created_at=f"{trunk['created_at'][:4]}-01-01T00:00:00Z"))


@fault(
    "update.refused-changes-nothing", also=["answer.as-sent", "update.null.not-stored", "update.empty-changes-nothing"]
)
def changes_before_it_refuses(api: Api) -> None:
    """A refused update has changed the fields that were good."""

    def half(request: Request, answer: Answer) -> None:
        trunk = api.trunks.get(request.trunk_id)
        if (
            request.operation == "update"
            and answer.document.get("errors")
            and trunk
            and trunk["environment"] == request.environment
        ):
            good = request.fields.keys() - answer.document["errors"].keys()
            trunk.update({name: request.fields[name] for name in good & {"name", "auth_realm", "provider_name"}})

    refusals(api, half)


@fault("update.null.not-stored")
def null_becomes_a_text(api: Api) -> None:
    """null as a name is stored as the text None."""
    check = api.checks["update"]["name"]
    api.checks["update"]["name"] = lambda value: "None" if value is None else check(value)


@fault("update.null.not-stored", "answer.types")
def null_is_stored(api: Api) -> None:
    """null as a name is stored."""
    check = api.checks["update"]["name"]
    api.checks["update"]["name"] = lambda value: None if value is None else check(value)


@fault("update.is-verified.server-made")
def update_verifies(api: Api) -> None:
    """An update that sends is_verified true makes the trunk verified."""

    def take(request: Request) -> Answer | None:
        trunk = api.trunks.get(request.trunk_id)
        if trunk and trunk["environment"] == request.environment and b'"is_verified": true' in request.body:
            trunk["is_verified"] = True
        return None

    before(api, "update", take)


@fault("update.empty-changes-nothing", also=["answer.as-sent"])
def empty_update_unsets(api: Api) -> None:
    """An update without a field unsets the outbound proxy and the realm."""
    changed(api, lambda trunk, values: None if values else trunk.update(outbound_proxy=None, auth_realm=None))


@fault("update.empty-changes-nothing", also=["answer.as-sent"])
def empty_update_resets(api: Api) -> None:
    """An update without a field sets port and transport to their defaults."""
    changed(api, lambda trunk, values: None if values else trunk.update(transport="tls", port=5061))


@fault("update.limits-accepted")
def update_refuses_low_ports(api: Api) -> None:
    """An update to a port below 1024 is refused."""
    wants(api, "update", lambda values: values.get("port", 5061) < 1024)


@fault("update.others-untouched")
def realm_for_all(api: Api) -> None:
    """An update of the realm sets it on every trunk that has none."""

    def spread(trunk: Trunk, values: dict[str, Any]) -> None:
        for other in api.trunks.values():
            if "auth_realm" in values and other["environment"] == trunk["environment"]:
                other["auth_realm"] = other["auth_realm"] or values["auth_realm"]

    changed(api, spread)


@fault("update.refused-changes-nothing", also=["update.empty-changes-nothing", "answer.as-sent"])
def changes_what_stands_before_the_bad(api: Api) -> None:
    """A refused update has changed the fields that stand before the bad one in the alphabet."""

    def half(request: Request, answer: Answer) -> None:
        trunk = api.trunks.get(request.trunk_id)
        if request.operation == "update" and answer.status == 422 and trunk and answer.document.get("errors"):
            first = min(answer.document["errors"])
            trunk.update({name: value for name, value in request.fields.items() if name < first and name in VISIBLE})

    refusals(api, half)


def after_refusal(api: Api, change: Callable[[Trunk], object]) -> None:
    """Do something to a trunk whose update is refused for a field."""

    def do(request: Request, answer: Answer) -> None:
        trunk = api.trunks.get(request.trunk_id)
        own = trunk is not None and trunk["environment"] == request.environment
        if request.operation == "update" and answer.document.get("errors") and trunk and own:
            change(trunk)

    refusals(api, do)


@fault("update.refused-changes-nothing", also=["answer.verified-by-verify", "verify.sets-verified"])
def refused_update_unverifies(api: Api) -> None:
    """A refused update takes the verification away."""
    after_refusal(api, lambda trunk: trunk.update(is_verified=False, is_active=False))


@fault("update.refused-changes-nothing")
def refused_update_moves_updated_at(api: Api) -> None:
    """A refused update moves updated_at."""
    after_refusal(api, lambda trunk: trunk.update(updated_at=f"{trunk['updated_at'][:4]}-02-01T00:00:00Z"))


@fault("update.null.not-stored", "answer.types")
def null_activity_is_stored(api: Api) -> None:
    """null as is_active is stored."""
    check = api.checks["update"]["is_active"]
    api.checks["update"]["is_active"] = lambda value: None if value is None else check(value)


@fault("update.username.resets-verification")
def only_active_trunks_are_reset(api: Api) -> None:
    """A change takes the verification away from an active trunk alone."""
    around(api, "unverify", lambda inner, trunk, values: inner(trunk, values) if trunk["is_active"] else None)


@fault("update.port.changes", "update.limits-accepted")
def update_refuses_the_ends(api: Api) -> None:
    """An update refuses the ports 1 and 65535."""
    wants(api, "update", lambda values: values.get("port") in {1, 65535})
