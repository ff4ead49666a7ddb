"""Nested JSON and TOML against a schema of the mock's own controls; every broken place is named, no value repeated."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from mockserver.bodies import describe, flat, json_schema
from mockserver.errors import ValidationFailed

_NESTING = ("required", "minItems", "maxItems", "minProperties")
WHOLE = "body"  # what a broken rule of the whole document is called


class Document:
    """Checks values against one schema of a description."""

    def __init__(self, schema: Mapping[str, Any], schemas: Mapping[str, Any], whole: str = WHOLE) -> None:
        self._whole = whole
        self._schema = resolved(schema, schemas)
        self._validator = jsonschema_rs.Draft202012Validator(_nested(self._schema))

    def check(self, value: Any) -> Any:
        """Give the value back; ValidationFailed with the way to each broken place, its steps joined by dots."""
        errors: dict[str, list[str]] = {}
        for error in self._validator.iter_errors(value):
            self._name(error, value, errors)
        if errors:
            raise ValidationFailed(errors)
        return value

    def _name(self, error: Any, value: Any, errors: dict[str, list[str]]) -> None:
        schema, steps = self._schema, list(error.instance_path)
        for step in steps:
            value = value[step]
            schema = schema["items"] if isinstance(step, int) else _property(schema, step)
        place = ".".join(map(str, steps))
        if error.schema_path[-1] == "required":
            for name in schema["required"]:
                if name not in value:
                    way = f"{place}.{name}" if place else name
                    errors[way] = [f"{way} is required and must be {says(schema['properties'][name])}"]
        elif error.schema_path[-1] == "additionalProperties":
            known = f"no other members than {', '.join(schema['properties'])}" if schema["properties"] else "no members"
            errors[place or self._whole] = [f"{place or self._whole} must have {known}"]
        else:
            errors.setdefault(place or self._whole, [f"{place or self._whole} must be {says(schema)}"])


def says(schema: Mapping[str, Any]) -> str:
    """Say what a value must be."""
    kind = schema.get("type")
    if "x-must-be" in schema:
        return str(schema["x-must-be"])
    if kind == "object":
        return "an object with at least one member" if schema.get("minProperties") else "an object"
    if kind == "array":
        low, high = schema.get("minItems", 0), schema.get("maxItems")
        return f"a list of {low} to {high} items" if high else "a list" if not low else f"a list of at least {low} item"
    if kind in ("integer", "number"):
        return f"{'an integer' if kind == 'integer' else 'a number'}{_range(schema)}"
    return describe(schema)


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    return f" from {low} to {high}" if high is not None else "" if low is None else f" of at least {low}"


def _property(schema: Mapping[str, Any], name: str) -> Any:
    other = schema.get("additionalProperties")
    return schema.get("properties", {}).get(name) or (other if isinstance(other, dict) else {})


def resolved(schema: Any, schemas: Mapping[str, Any]) -> Any:
    """Put what a `$ref` names in its place."""
    if isinstance(schema, list):
        return [resolved(item, schemas) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        return resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return flat({key: resolved(value, schemas) for key, value in schema.items()})


def _nested(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Say it in JSON Schema, all the way down."""
    found: dict[str, Any] = json_schema(schema) | {key: schema[key] for key in _NESTING if key in schema}
    if "properties" in schema:
        found["properties"] = {name: _nested(value) for name, value in schema["properties"].items()}
    if "items" in schema:
        found["items"] = _nested(schema["items"])
    other = schema.get("additionalProperties", True)
    found["additionalProperties"] = _nested(other) if isinstance(other, dict) else other
    return found
