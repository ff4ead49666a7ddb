"""The contract as part of somebody's own tests.

One line in a test module makes tests of all the probes:

    from conformance.suite import *

What they judge is named in the configuration (`trunk_app = "service:app"` or `trunk_url = "http://…/api/v1"` among
pytest's options), on the command line (`--trunk-app`, `--trunk-url`), or by a fixture beside that line:

    @pytest.fixture(scope="session")
    def trunk_target():
        return Target(app, token="talq_…", other_token="talq_…")

Tokens that are not given so come from TRUNKCHECK_TOKEN and its siblings.
"""

from importlib import import_module
from typing import Any

from conformance.inside import Target
from conformance.probes import SECTIONS

__all__ = ["Target"]


def _names_of(module: Any) -> list[str]:
    """Give the names of a module's probes and fixtures."""
    fixture = type(module.__dict__.get("lab") or import_module("conformance.plugin").lab)
    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, fixture) or (name.startswith("test_") and {"rule", "rules"} & vars(value).keys())
    ]


def _marked(module: Any, name: str) -> Any:
    """Give a member of a module, with the marks that the module puts on its tests."""
    member, marks = getattr(module, name), getattr(module, "pytestmark", ())
    for mark in marks if isinstance(marks, list | tuple) else (marks,):
        if name.startswith("test_"):
            mark(member)
    return member


for _name in ("conftest", *(f"test_{section}" for section in SECTIONS)):
    _module = import_module(f"conformance.probes.{_name}")
    for _member in _names_of(_module):
        globals()[_member] = _marked(_module, _member)
        __all__ += [_member]
