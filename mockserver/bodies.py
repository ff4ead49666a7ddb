"""Bytes to checked fields: the only reader of request bodies, driven by the contract's schema.

Each error message is made once, from the field's name and the contract's rule; nothing that was sent can get into it.
"""

import re
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import orjson

from mockserver.errors import BodyNotAnObject, InvalidJson, ValidationFailed
from mockserver.redaction import MASK, Seal, Words, clean, reveals

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?', re.DOTALL)
_KEYWORDS = ("type", "enum", "minLength", "maxLength", "pattern", "minimum", "maximum")


class JsonBody:
    """Checks the bodies of one operation against its schema."""

    def __init__(self, schema: Mapping[str, Any], seal: Seal) -> None:
        fields = {name: flat(field) for name, field in schema["properties"].items()}
        required = schema.get("required", [])
        self._seal = seal
        self._rules = {name: f"{name} must be {describe(field)}" for name, field in fields.items()}
        self._missing = {name: f"{name} is required and must be {describe(fields[name])}" for name in required}
        self._integers = [name for name, field in fields.items() if field["type"] == "integer"]
        self._words = Words(fields)
        self._secrets = [name for name, field in fields.items() if field.get("writeOnly")]
        self._defaults = {name: field["default"] for name, field in fields.items() if "default" in field}
        self._transport_defaults = [
            (name, field["x-default-by-transport"])
            for name, field in fields.items()
            if "x-default-by-transport" in field
        ]
        properties = {name: json_schema(field) for name, field in fields.items()}
        self._validator = jsonschema_rs.Draft202012Validator(
            {"type": "object", "required": required, "properties": properties}
        )
        self._checks = {name: jsonschema_rs.Draft202012Validator(schema) for name, schema in properties.items()}

    def fields(self, raw: bytes) -> dict[str, Any]:
        """Give the contract's fields that were sent, defaults added and secrets sealed; others are ignored.

        Raises InvalidJson, BodyNotAnObject, or ValidationFailed with all broken fields.
        """
        return self.read(raw)[0]

    def read(self, raw: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give the fields as `fields` does, and what was sent as it was parsed, secrets and all."""
        sent = parse(raw)
        if not self._validator.is_valid(sent):
            raise self._refusal(sent)
        fields = {**self._defaults, **sent}
        if not sent.keys() <= self._rules.keys():
            fields = {name: value for name, value in fields.items() if name in self._rules}
        for name in self._integers:
            if type(fields.get(name)) is float:  # 5061.0 is an integer to JSON Schema
                fields[name] = int(fields[name])
        for name in self._secrets:
            if name in fields:
                fields[name] = self._seal.close(fields[name])
        for name, by_transport in self._transport_defaults:
            if name not in fields:
                fields[name] = by_transport[fields["transport"]]
        return fields, sent

    def strays(self, raw: bytes, sent: Mapping[str, Any]) -> list[str]:
        """Give the secrets that a body, which `read` gave as `sent`, has in other fields as well."""
        found = []
        for name in self._secrets:
            secret = sent.get(name)
            # Once in a body without escapes is once in its place, as nearly every time.
            if secret is not None and (raw.count(secret.encode()) != 1 or b"\\" in raw):
                others = (value for other, value in sent.items() if other != name)
                found += [secret for value in others if type(value) is str and reveals(value, [secret])][:1]
        return found

    def shown(self, raw: bytes) -> tuple[dict[str, Any] | None, list[str]]:
        """Give what may be kept of a body, readable or not, and the secrets that were in it.

        Of an object the contract's fields, secrets and what repeats one as `***`; of anything else nothing. Members
        that the contract does not have are there by name if that looks like a slip of the pen, their values never.
        """
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return None, []
        if type(body) is not dict:
            return None, []
        secrets = [it for name in self._secrets if name in body for it in texts(body[name])]
        shown: dict[str, Any] = {}
        for name, value in body.items():
            if name not in self._rules:
                shown[self._words.shown(name)] = MASK
            elif name in self._secrets:
                shown[name] = MASK
            else:
                shown[name] = clean(value, secrets)
        return shown, secrets

    def _refusal(self, body: Any) -> Exception:
        if not isinstance(body, dict):
            return BodyNotAnObject()
        errors = {}
        for name, rule in self._rules.items():
            if name in self._missing and name not in body:
                errors[name] = [self._missing[name]]
            elif name in body and not self._checks[name].is_valid(body[name]):
                errors[name] = [rule]
        return ValidationFailed(errors)


def parse(raw: bytes) -> Any:
    """Read JSON in UTF-8; InvalidJson also for a member that is there twice, a byte order mark, and deep nesting."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        # Not chained: the library's error holds the document.
        value = _UNREADABLE
    if value is _UNREADABLE or _has_twin_members(raw, value):
        raise InvalidJson
    return value


_UNREADABLE = object()


def texts(value: Any) -> list[str]:
    """Give every text in a value that was to be a secret, of whatever type it is."""
    found, open_values = [], [value]
    while open_values:
        value = open_values.pop()
        if type(value) is dict:
            open_values += [*value.keys(), *value.values()]
        elif type(value) is list:
            open_values += value
        elif type(value) is str or type(value) in (int, float):
            found.append(str(value))
    return found


def _has_twin_members(raw: bytes, value: Any) -> bool:
    """Tell whether an object has a member twice: more members are written than are left.

    Each member that is written has a colon, so as many colons as there are members leave none for a twin.
    """
    if type(value) is dict and raw.count(b":") == len(value):
        return False
    written = sum(1 for string in _STRING.finditer(raw) if string[1])
    return written != _members(value)


def _members(value: Any) -> int:
    count, open_values = 0, [value]
    while open_values:
        value = open_values.pop()
        if type(value) is dict:
            count += len(value)
            open_values.extend(value.values())
        elif type(value) is list:
            open_values.extend(value)
    return count


def describe(field: Mapping[str, Any]) -> str:
    """Say what a field must be, in words made from its schema (`an integer from 1 to 65535`)."""
    kind, says = field["type"], field.get("x-says", "")
    if kind == "boolean":
        text = "true or false"
    elif kind == "integer":
        text = f"an integer from {field['minimum']} to {field['maximum']}"
    elif "enum" in field and not says:
        text = "one of " + ", ".join(field["enum"])
    elif "maxLength" in field:
        text = f"a string of {field['minLength']} to {field['maxLength']} characters"
    else:
        text = "a non-empty string" if "minLength" in field else "a string"
    if says:
        text += f" {says}" if says.startswith("that ") else f", {says}"
    return f"{text}, or null" if field.get("nullable") else text


def flat(field: Mapping[str, Any]) -> dict[str, Any]:
    """Merge a field's `allOf` into it: the contract uses it only to put words or a default beside a `$ref`."""
    parts = [flat(part) for part in field.get("allOf", [])]
    own = {key: value for key, value in field.items() if key != "allOf"}
    return {key: value for part in [*parts, own] for key, value in part.items()}


def json_schema(field: Mapping[str, Any]) -> dict[str, Any]:
    """Say in JSON Schema what the field says in OpenAPI 3.0, where `nullable` stands beside `type`."""
    schema = {key: field[key] for key in _KEYWORDS if key in field}
    if field.get("nullable"):
        schema["type"] = [schema["type"], "null"]
    return schema
