"""The probes, one file per section of the contract. Importing this package declares every rule."""

import importlib

SECTIONS = (
    "answers",
    "auth",
    "bodies",
    "create",
    "read",
    "update",
    "delete",
    "lifecycle",
    "dids",
    "isolation",
    "redaction",
)


def load() -> None:
    """Import every section, so that `conformance.rules.RULES` is complete."""
    for section in SECTIONS:
        importlib.import_module(f"conformance.probes.test_{section}")


load()  # whoever imports one section first gets all of them, in their order
