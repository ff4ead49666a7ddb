"""Faults in what a field may be: the same for creates and updates, one field at a time."""

from collections.abc import Callable
from functools import partial
from typing import Any

from conformance.selftest.catalogue import check, either, fault
from conformance.selftest.miniature import REQUIRED, TEXTS, Api, Bad, Check, text

OPERATIONS = ("create", "update")


def lacking(api: Api, field: str, value: str) -> None:
    """Fill in a field that is left out."""
    inner = api.new_trunk
    api.required["create"].discard(field)
    setattr(api, "new_trunk", lambda request, values: inner(request, {field: value, **values}))  # noqa: B010 - a method


for field in REQUIRED:
    value = "default.carrier-x.com" if field == "domain" else "unnamed"
    fault(f"create.{field}.required", name=f"create-without-{field}", says=f"A create may leave out {field}.")(
        partial(lacking, field=field, value=value)
    )


def coerce(api: Api, operation: str, field: str, kinds: tuple[type, ...], turn: Callable[[Any], Any]) -> None:
    """Turn values of other types into a text first."""
    check(api, operation, field, lambda inner, value: inner(turn(value) if isinstance(value, kinds) else value))


def _text(value: Any) -> str:
    return str(value) if not isinstance(value, dict | list) else "something.carrier-x.com"


for operation in OPERATIONS:
    for field in TEXTS:
        if field in {"domain", "outbound_proxy"}:
            kinds: tuple[type, ...] = (list, dict)
        else:
            kinds = (int, float)
        what = "a list or an object" if list in kinds else "a number or true"
        fault(
            f"{operation}.{field}.type",
            name=f"{operation}-{field}-of-any-type",
            says=f"The {operation} takes {what} as {field}, and makes a text of it.",
        )(partial(coerce, operation=operation, field=field, kinds=kinds, turn=_text))


def also_takes(api: Api, operation: str, field: str, more: Check) -> None:
    """Take more than the field's rule allows."""
    api.checks[operation][field] = either(api.checks[operation][field], more)


def only(*values: Any) -> Check:
    """Take these values, of just these types."""

    def take(value: Any) -> Any:
        if not any(type(value) is type(one) and value == one for one in values):
            raise Bad("is another")
        return value

    return take


def _longer(limit: int) -> Check:
    def take(value: Any) -> Any:
        if not isinstance(value, str) or not 255 < len(value) <= limit:
            raise Bad("is another")
        return value

    return take


def _bytes_counted_wrong(value: Any) -> Any:
    if text(value).isascii() or len(value) > 300:
        raise Bad("is another")
    return value


def _turned(turn: Callable[[Any], Any], *values: Any) -> Check:
    take = only(*values)
    return lambda value: turn(take(value))


def _loose_host(part: str) -> Check:
    def take(value: Any) -> Any:
        if not isinstance(value, str) or part not in value:
            raise Bad("is another")
        return value

    return take


ONCE = {"port-65536", "port-fraction", "transport-sctp", "domain-port"}  # tried in a create alone
MORE: tuple[tuple[str, str, str, str, Check], ...] = (
    ("name.max-length", "name", "a name of 256 characters", "name-of-256", _longer(256)),
    ("password.not-empty", "password", "an empty password", "empty-password", only("")),
    ("port.range", "port", "port 0", "port-0", only(0)),
    ("port.range", "port", "port 65536", "port-65536", only(65536)),
    ("port.type", "port", "a port that is a text", "port-text", _turned(int, "5061")),
    ("port.type", "port", "a port with a fraction", "port-fraction", _turned(int, 5061.5)),
    ("transport.values", "transport", "a transport in capitals", "transport-capitals", _turned(str.lower, "TLS")),
    ("transport.values", "transport", "sctp", "transport-sctp", only("sctp")),
    ("is-active.type", "is_active", 'the text "false"', "is-active-text", _turned(lambda _value: False, "false")),
    ("domain.host", "domain", "a domain with a scheme", "domain-scheme", _loose_host("sip:")),
    ("domain.host", "domain", "a domain with a port", "domain-port", _loose_host(":5061")),
    ("outbound-proxy.host", "outbound_proxy", "an outbound proxy with a space", "proxy-space", _loose_host(" ")),
)  # fmt: skip

for operation in OPERATIONS:
    for rule, field, what, name, more in MORE:
        if operation == "update" and name in ONCE:
            continue
        also = ["body.media-type.no-way-round"] if (operation, name) == ("create", "port-0") else []  # it tries port 0
        fault(
            f"{operation}.{rule}", also=also, name=f"{operation}-takes-{name}", says=f"The {operation} takes {what}."
        )(partial(also_takes, operation=operation, field=field, more=more))

fault(
    "create.name.max-length",
    name="create-counts-only-ascii",
    says="Only ASCII names are held to 255 characters in a create.",
)(partial(also_takes, operation="create", field="name", more=_bytes_counted_wrong))

for field in ("name", "provider_name", "username"):
    fault(f"create.{field}.not-empty", name=f"create-takes-empty-{field}", says=f"The create takes an empty {field}.")(
        partial(also_takes, operation="create", field=field, more=only(""))
    )

# What a new DID takes beyond its rules.
DIDS: tuple[tuple[str, str, str, str, Check], ...] = (
    ("did.number.form", "number", "a number without its plus", "number-without-plus", lambda value: _digits(value)),
    ("did.number.form", "number", "a number of 16 digits", "number-of-16", lambda value: _plus(value, 16)),
    ("did.number.required", "number", "null as a number", "number-null", _turned(lambda _none: "+12025550000", None)),
    ("did.country.form", "country_code", "a country code in small letters", "country-small", _turned(str.upper, "us")),
    ("did.country.required", "country_code", "null as a country code", "country-null", only(None)),
    ("did.country.assigned", "country_code", "a country code that nobody has", "country-unassigned", only("ZZ")),
)  # fmt: skip


def _digits(value: Any) -> Any:
    if not isinstance(value, str) or not value.isdigit():
        raise Bad("is another")
    return value


def _plus(value: Any, digits: int, start: str = "+") -> Any:
    if not isinstance(value, str) or not value.startswith(start) or len(value) != digits + 1 or not value[1:].isdigit():
        raise Bad("is another")
    return value


for rule, field, what, name, more in DIDS:
    fault(rule, name=f"did-takes-{name}", says=f"A new DID may have {what}.")(
        partial(also_takes, operation="add-did", field=field, more=more)
    )


@fault("did.number.required", name="did-without-number")
def did_without_number(api: Api) -> None:
    """A new DID may come without a number."""
    _filled(api, "number", "+12025550000")


@fault("did.country.required", name="did-without-country")
def did_without_country(api: Api) -> None:
    """A new DID may come without a country code."""
    _filled(api, "country_code", "US")


def _filled(api: Api, field: str, value: str) -> None:
    inner = api.checked
    api.required["add-did"].discard(field)
    setattr(api, "checked", lambda request, fields: _fill(inner(request, fields), request.operation, field, value))  # noqa: B010


def _fill(values: dict[str, Any], operation: str, field: str, value: str) -> dict[str, Any]:
    return {field: value, **values} if operation == "add-did" else values


@fault("did.number.longest")
def did_number_of_14(api: Api) -> None:
    """A number has at most 14 digits."""
    check(api, "add-did", "number", _at_most_14)


def _at_most_14(inner: Check, value: Any) -> Any:
    if len(inner(value)) > 15:
        raise Bad("is too long")
    return value
