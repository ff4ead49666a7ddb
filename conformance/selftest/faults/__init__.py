"""Seeded faults: small ones, one idea each, one sentence each, at least one for every documented or standard rule."""

import importlib

SECTIONS = (
    "answers",
    "credentials",
    "bodies",
    "fields",
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
    """Import every section, so that `conformance.selftest.catalogue.FAULTS` is complete."""
    for section in SECTIONS:
        importlib.import_module(f"conformance.selftest.faults.{section}")
