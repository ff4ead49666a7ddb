"""The SIP trunk contract: an OpenAPI 3.0.3 description, as a file and in parsed form."""

from pathlib import Path
from typing import Any, cast

PATH = Path(__file__).with_name("sip-trunks.yaml")


def load() -> dict[str, Any]:
    """Give the contract as plain dicts and lists, `$ref`s unresolved; a fresh copy each time."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times as fast, where it was built
    return cast(dict[str, Any], yaml.load(PATH.read_bytes(), Loader=loader))  # noqa: S506 - both loaders are safe ones
