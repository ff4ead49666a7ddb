import json
import re
import subprocess
import sys

import jsonschema_rs
import openapi_spec_validator
import pytest

import openapi

CONTRACT = openapi.load()


def resolve(node):
    """Follow `$ref`s and say `nullable` in JSON Schema's words."""
    if isinstance(node, list):
        return [resolve(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = CONTRACT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return resolve(target)
    node = {key: resolve(value) for key, value in node.items()}
    if node.get("nullable") is True:
        node["type"] = [node["type"], "null"]
    return node


def examples():
    def walk(node, path):
        if isinstance(node, dict):
            if "schema" in node and "examples" in node:
                for name, example in node["examples"].items():
                    yield pytest.param(node["schema"], example["value"], id=f"{path}/{name}")
            for key, value in node.items():
                yield from walk(value, f"{path}/{key}")

    return walk(resolve(CONTRACT["paths"]), "")


def test_contract_is_valid_openapi():
    """The contract is valid OpenAPI 3.0."""
    assert CONTRACT["openapi"].startswith("3.0.")
    openapi_spec_validator.validate(CONTRACT)


@pytest.mark.parametrize(("schema", "value"), list(examples()))
def test_example_fits_its_schema(schema, value):
    """Every example validates against its schema."""
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(value)


def test_operations_name_their_rules():
    """Every operation names rules of the kit, in words and dots."""
    for methods in CONTRACT["paths"].values():
        for method in methods.keys() & {"get", "post", "put", "delete"}:
            rules = methods[method]["x-rules"]
            assert rules
            assert all(re.fullmatch(r"[a-z]+(\.[a-z0-9_-]+)+", rule) for rule in rules)


def test_module_prints_the_contract():
    """`python -m openapi` prints the contract, as JSON on request."""
    printed = subprocess.run([sys.executable, "-m", "openapi", "--json"], capture_output=True, check=True).stdout
    assert json.loads(printed) == CONTRACT
