"""Where a JSON pointer stands in the contract file: the line that an annotation points at."""

from functools import cache

import yaml

import openapi

FILE = "openapi/sip-trunks.yaml"
"""The contract file as the repository names it."""


def line(pointer: str) -> int:
    """Give the line, counted from 1, of what `pointer` names ("/paths/~1sip-trunks/post", with or without a leading #).

    LookupError when the contract has no such place.
    """
    number, rest = _walk(pointer)
    if rest:
        raise LookupError(f"{FILE} has nothing at {pointer}")
    return number


def nearest_line(pointer: str) -> int:
    """Give the line of what `pointer` names or, where that does not exist, of the closest place around it."""
    return _walk(pointer)[0]


@cache
def _walk(pointer: str) -> tuple[int, tuple[str, ...]]:
    """Follow `pointer` as far as it leads; give the line there and the steps that are left."""
    node, number = _contract(), 1
    steps = pointer.removeprefix("#").split("/")[1:]
    for index, step in enumerate(steps):
        found = _child(node, step.replace("~1", "/").replace("~0", "~"))
        if found is None:
            return number, tuple(steps[index:])
        node, number = found
    return number, ()


def _child(node: yaml.Node, step: str) -> tuple[yaml.Node, int] | None:
    """Give the node one step below and the line it starts at; for a member that is the line of its name."""
    if isinstance(node, yaml.MappingNode):
        for name, child in node.value:
            if name.value == step:
                return child, name.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and step.isascii() and step.isdigit() and int(step) < len(node.value):
        child = node.value[int(step)]
        return child, child.start_mark.line + 1
    return None


@cache
def _contract() -> yaml.Node:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times as fast, where it was built
    node = yaml.compose(openapi.PATH.read_text("utf-8"), Loader=loader)
    if node is None:
        raise LookupError(f"{FILE} is empty")
    return node
