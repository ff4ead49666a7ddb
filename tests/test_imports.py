import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each module may import those above it.
MOCKSERVER = [
    "imports",
    "errors",
    "metrics",
    "clock",
    "redaction",
    "trunks",
    "store",
    "engine",
    "redis_store",
    "carrier",
    "environments",
    "redis_environments",
    "e164",
    "bodies",
    "documents",
    "faults",
    "scenarios",
    "reports",
    "redis_reports",
    "journal",
    "redis_misbehaviour",
    "redis_journal",
    "shared",
    "verification",
    "har",
    "handlers",
    "control",
    "routing",
    "requests",
    "limits",
    "access_log",
    "docs",
    "audit",
    "control_api",
    "cors",
    "proxies",
    "exchanges",
    "events",
    "misfortunes",
    "ui.web",
    "ui.words",
    "ui.curl",
    "ui.reasons",
    "ui.sessions",
    "ui.state",
    "ui.pages",
    "ui.views",
    "ui.partner",
    "ui.operator",
    "ui.site",
    "app",
    "lingering",
    "cycle",
    "edge",
    "serving",
    "options",
    "workers",
    "doctor",
    "inprocess",
    "testing",
    "__main__",
]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def place(name):
    """Give a module's file; scenarios are a folder, with their data beside the module."""
    path = ROOT.joinpath("mockserver", *name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@pytest.mark.parametrize("name", MOCKSERVER)
def test_mock_module_imports_only_those_above(name):
    """The mock's modules import in one direction."""
    below = {f"mockserver.{other}" for other in MOCKSERVER[MOCKSERVER.index(name) :]}
    assert not below & set(imported(place(name)))


def test_every_mock_module_has_its_place():
    """No module is missing from the order."""
    found = {path.relative_to(ROOT / "mockserver") for path in (ROOT / "mockserver").rglob("*.py")}
    assert found == {place(name).relative_to(ROOT / "mockserver") for name in [*MOCKSERVER, "__init__", "ui.__init__"]}


@pytest.mark.parametrize(("package", "other"), [("mockserver", "conformance"), ("conformance", "mockserver")])
def test_mock_and_kit_do_not_know_each_other(package, other):
    """The mock and the kit share no code: a shared mistake would cancel out."""
    for path in (ROOT / package).rglob("*.py"):
        assert not [name for name in imported(path) if name and name.split(".")[0] == other], path


def test_start_imports_no_test_client_and_no_http_client():
    """What Connexion would use at other times is imported then, and works."""
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", START], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["[]", "TestClient", "httpx"]


START = """
import sys
from mockserver import imports
with imports.later():
    import mockserver.app, mockserver.serving
print([name for name in imports.UNNEEDED if name in sys.modules])
import connexion
print(type(connexion.AsyncApp("x").test_client()).__name__)
print(connexion.security.httpx.AsyncClient.__module__)
"""
