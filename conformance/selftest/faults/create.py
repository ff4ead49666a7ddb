"""Faults in a create."""

import html
from collections.abc import Callable
from typing import Any

from conformance.selftest.catalogue import after, around, check, fault, refusals, shown
from conformance.selftest.miniature import Answer, Api, Bad, Check, Refused, Request, Trunk

Inner = Callable[..., Any]


def stored(api: Api, change: Callable[[Request, Trunk], object]) -> None:
    """Change each new trunk before it is stored."""

    def new_trunk(inner: Inner, request: Request, values: dict[str, Any]) -> Trunk:
        trunk: Trunk = inner(request, values)
        change(request, trunk)
        return trunk

    around(api, "new_trunk", new_trunk)


def wants(api: Api, operation: str, when: Callable[[dict[str, Any]], bool]) -> None:
    """Refuse valid fields."""

    def checked(inner: Inner, request: Request, fields: dict[str, Any]) -> Any:
        values = inner(request, fields)
        if request.operation == operation and when(values):
            raise Refused(422, "VALIDATION_ERROR", "Fields are bad.", {"name": "it is not liked"})
        return values

    around(api, "checked", checked)


@fault("create.accepted")
def wants_a_proxy(api: Api) -> None:
    """A create without an outbound proxy is refused."""
    wants(api, "create", lambda values: "outbound_proxy" not in values)


@fault("create.members", also=["create.echo", "create.text.verbatim"])
def create_without_provider(api: Api) -> None:
    """The answer to a create lacks provider_name."""
    shown(api, "create", lambda trunk: trunk.pop("provider_name"))


@fault("create.echo", also=["create.port.kept", "answer.as-sent"])
def create_shows_the_default_port(api: Api) -> None:
    """The answer to a create shows the transport's default port, whatever was sent."""
    shown(api, "create", lambda trunk: trunk.update(port=api.default_ports[trunk["transport"]]))


@fault("create.starts-unverified")
def created_verified(api: Api) -> None:
    """A trunk that is created with is_active false is shown as verified."""

    def claim(request: Request, answer: Answer) -> None:
        if answer.status == 201 and "is_active" in request.fields:
            answer.document["data"]["is_verified"] = True

    after(api, "create", claim)


@fault("create.created-at.now")
def created_an_hour_off(api: Api) -> None:
    """created_at is in local time, marked as UTC."""
    stored(api, lambda _request, trunk: trunk.update(created_at=_an_hour_early(trunk["created_at"])))


def _an_hour_early(moment: str) -> str:
    return f"{moment[:11]}{(int(moment[11:13]) - 1) % 24:02d}{moment[13:]}"


@fault("create.all-fields")
def activity_is_refused(api: Api) -> None:
    """A create that sends is_active false is refused."""
    wants(api, "create", lambda values: "is_active" in values)


@fault("create.all-fields")
def label_from_a_digit(api: Api) -> None:
    """A domain whose first label starts with a digit is refused."""
    check(api, "create", "domain", _from_a_letter)


def _from_a_letter(inner: Check, value: Any) -> Any:
    if inner(value)[0].isdigit():
        raise Bad("must start with a letter")
    return value


@fault("create.text.verbatim", also=["create.echo", "read.accepted", "answer.as-sent"])
def texts_are_escaped(api: Api) -> None:
    """A new trunk's texts are stored with their markup escaped."""
    stored(api, lambda _request, trunk: trunk.update(provider_name=html.escape(trunk["provider_name"])))


@fault("create.text.verbatim", also=["read.accepted", "answer.as-sent", "answer.types"])
def digits_become_a_number(api: Api) -> None:
    """A username of digits becomes a number."""
    stored(
        api,
        lambda _request, trunk: trunk.update(
            username=int(trunk["username"]) if trunk["username"].isdigit() else trunk["username"]
        ),
    )


@fault("create.id.unique", also=["answer.created-at.steady", "delete.not-listed"])
def ids_come_again(api: Api) -> None:
    """The id of a deleted trunk is given again."""
    free: list[str] = []

    def remove(inner: Inner, trunk: Trunk) -> None:
        inner(trunk)
        free.append(trunk["id"])

    around(api, "new_id", lambda inner: free.pop(0) if len(free) > 3 else inner())
    around(api, "remove", remove)


@fault("create.required-fields-alone")
def transport_is_required(api: Api) -> None:
    """A create must send a port or a transport."""
    wants(api, "create", lambda values: "transport" not in values and "port" not in values)


@fault("create.transport.default")
def udp_by_default(api: Api) -> None:
    """A transport that is left out is tcp, on the port of tls."""
    stored(api, lambda request, trunk: trunk.update(transport="tcp") if "transport" not in request.fields else None)


@fault("create.port.default")
def one_default_port(api: Api) -> None:
    """A port that is left out is 5061 for tcp too."""
    api.default_ports["tcp"] = 5061


@fault("create.port.default")
def default_port_is_not_stored(api: Api) -> None:
    """A port that is left out is shown as the transport's in the answer, and stored as 5060."""

    def forget(request: Request, answer: Answer) -> None:
        if answer.status == 201 and "port" not in request.fields:
            api.trunks[answer.document["data"]["id"]]["port"] = 5060

    after(api, "create", forget)


@fault("create.port.kept", also=["answer.as-sent"])
def port_follows_the_transport(api: Api) -> None:
    """Port 5060 becomes 5061 with tls."""
    stored(
        api,
        lambda _request, trunk: (
            trunk.update(port=5061) if trunk["transport"] == "tls" and trunk["port"] == 5060 else None
        ),
    )


@fault("create.port.accepted")
def low_ports_are_refused(api: Api) -> None:
    """Ports below 1024 are refused."""
    wants(api, "create", lambda values: values.get("port", 5061) < 1024)


@fault("create.transport.accepted", also=["create.port.default"])
def tcp_is_refused(api: Api) -> None:
    """A create with tcp is refused."""
    wants(api, "create", lambda values: values.get("transport") == "tcp")


@fault("create.transport.accepted", also=["answer.as-sent"])
def tcp_becomes_tls(api: Api) -> None:
    """tcp becomes tls."""
    stored(api, lambda _request, trunk: trunk.update(transport="tls") if trunk["transport"] == "tcp" else None)


@fault("create.name.longest")
def name_of_254(api: Api) -> None:
    """A name has at most 254 characters in a create."""
    wants(api, "create", lambda values: len(values["name"]) == 255)


@fault("create.name.longest")
def name_of_255_bytes(api: Api) -> None:
    """A name has at most 255 bytes in a create."""
    wants(api, "create", lambda values: len(values["name"].encode()) > 255)


@fault("create.name.longest", also=["answer.as-sent"])
def long_name_is_cut(api: Api) -> None:
    """A name is cut to 250 characters."""
    stored(api, lambda _request, trunk: trunk.update(name=trunk["name"][:250]))


@fault("create.is-verified.server-made")
def create_verifies(api: Api) -> None:
    """A create that sends is_verified true makes a verified trunk."""
    stored(api, lambda request, trunk: trunk.update(is_verified=request.fields.get("is_verified") is True))


@fault("create.refused-makes-nothing")
def refused_is_stored(api: Api) -> None:
    """A create that is refused for its port makes a trunk all the same."""

    def store(request: Request, answer: Answer) -> None:
        if request.operation == "create" and "port" in answer.document.get("errors", {}):
            name = request.fields.get("name")
            trunk = api.new_trunk(
                request,
                {"name": name if isinstance(name, str) else "x", "provider_name": "x", "domain": "x", "username": "x"},
            )
            api.trunks[trunk["id"]] = trunk

    refusals(api, store)


@fault("create.null.default")
def null_port_is_one(api: Api) -> None:
    """null as a port becomes port 1."""
    check(api, "create", "port", lambda inner, value: 1 if value is None else inner(value))
    check(api, "create", "transport", lambda inner, value: "tls" if value is None else inner(value))
    check(api, "create", "is_active", lambda inner, value: False if value is None else inner(value))


@fault("create.port.default")
def no_default_beside_a_proxy(api: Api) -> None:
    """With an outbound proxy the default port is 5060, also for tls."""
    stored(api, lambda request, trunk: trunk.update(port=5060) if _has_proxy_alone(request) else None)


def _has_proxy_alone(request: Request) -> bool:
    return "port" not in request.fields and bool(request.fields.get("outbound_proxy"))


@fault("create.transport.default", also=["create.port.kept"])
def port_picks_the_transport(api: Api) -> None:
    """Port 5060 without a transport makes it udp."""
    stored(
        api,
        lambda request, trunk: (
            trunk.update(transport="udp") if trunk["port"] == 5060 and "transport" not in request.fields else None
        ),
    )


@fault("create.name.longest")
def no_short_names(api: Api) -> None:
    """A name of one character is refused."""
    wants(api, "create", lambda values: len(values["name"]) < 2)


@fault("create.refused-makes-nothing", also=["list.complete-at-end"])
def refused_for_activity_but_made(api: Api) -> None:
    """A create that is refused for is_active true has made the trunk all the same."""

    def make(inner: Inner, values: dict[str, Any]) -> None:
        try:
            inner(values)
        except Refused:
            trunk = api.new_trunk(Request("POST", "", {}, b"", environment="first"), {**values, "is_active": False})
            api.trunks[trunk["id"]] = trunk
            raise

    around(api, "want_startable", make)


@fault(
    "create.echo", also=["answer.as-sent", "read.accepted", "update.domain.changes", "update.outbound_proxy.changes"]
)
def hosts_get_a_dot(api: Api) -> None:
    """A dot is put behind every domain."""
    check(api, "create", "domain", lambda inner, value: f"{inner(value)}.")
