"""The SIP trunk contract, and the description of the mock's controls: OpenAPI 3.0.3, as files and in parsed form."""

from pathlib import Path
from typing import Any, cast

PATH = Path(__file__).with_name("sip-trunks.yaml")
CONTROL_PATH = Path(__file__).with_name("mock-control.yaml")

_FOREIGN = f"{PATH.name}#"


def load() -> dict[str, Any]:
    """Give the contract as plain dicts and lists, `$ref`s unresolved; a fresh copy each time."""
    return _parse(PATH)


def load_control(contract: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give the description of the mock's controls likewise, with what it refers to in the contract brought in.

    `contract` is what `load` gives, for a caller that has it already.
    """
    contract, control = contract or load(), _parse(CONTROL_PATH)
    control["components"]["schemas"]["OperationId"] = {"type": "string", "enum": operation_ids(contract)}
    brought: dict[str, Any] = {}
    _bring_in(control, contract, brought)
    control["components"]["schemas"] |= brought
    return control


def operation_ids(contract: dict[str, Any]) -> list[str]:
    """Give the operationIds of a description, in its order."""
    operations = (it for methods in contract["paths"].values() for it in methods.values() if isinstance(it, dict))
    return [operation["operationId"] for operation in operations]


def _parse(path: Path) -> dict[str, Any]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times as fast, where it was built
    return cast(dict[str, Any], yaml.load(path.read_bytes(), Loader=loader))  # noqa: S506 - both loaders are safe ones


def _bring_in(node: Any, contract: dict[str, Any], brought: dict[str, Any]) -> None:
    """Make each `$ref` into the contract one within the document, and collect what it names."""
    if isinstance(node, list):
        for item in node:
            _bring_in(item, contract, brought)
    elif isinstance(node, dict):
        target = node.get("$ref")
        if isinstance(target, str) and target.startswith(_FOREIGN):
            node["$ref"] = target.removeprefix(PATH.name)
            _collect(target.rpartition("/")[2], contract, brought)
        for value in node.values():
            _bring_in(value, contract, brought)


def _collect(name: str, contract: dict[str, Any], brought: dict[str, Any]) -> None:
    """Bring in a schema of the contract and those that it refers to itself."""
    if name in brought:
        return
    brought[name] = schema = contract["components"]["schemas"][name]
    for target in _targets(schema):
        _collect(target.rpartition("/")[2], contract, brought)


def _targets(node: Any) -> list[str]:
    if isinstance(node, list):
        return [target for item in node for target in _targets(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [target for value in node.values() for target in _targets(value)]
