"""Named scenarios: a description, faults and carrier answers, each a TOML file. Those here come with the package."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openapi
from mockserver.documents import Document
from mockserver.errors import ValidationFailed
from mockserver.faults import Fault

BUILT_IN = Path(__file__).parent


class BadScenario(ValueError):
    """A scenario that cannot be used, or that is not there. Says which and why."""


@dataclass(frozen=True, slots=True)
class CarrierAnswers:
    """What the carrier answers for a domain, or for every domain if that is empty, one after the other."""

    answers: tuple[str, ...]
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named way to misbehave."""

    name: str
    description: str
    faults: tuple[Fault, ...]
    carrier: tuple[CarrierAnswers, ...]


class Scenarios:
    """The scenarios of the package and, before those of the same name, a user's own. BadScenario if one is no good."""

    def __init__(self, own: Path | None = None) -> None:
        self._files = {path.stem: path for path in sorted(BUILT_IN.glob("*.toml"))}
        if own is not None:
            if not own.is_dir():
                raise BadScenario(f"{own} is not a directory")
            found = {path.stem: path for path in sorted(own.glob("*.toml"))}
            self._files |= found
            for name in found:
                self.get(name)

    @property
    def names(self) -> list[str]:
        """The names there are, in order."""
        return sorted(self._files)

    def get(self, name: str) -> Scenario:
        """Give the scenario of this name; BadScenario."""
        if name not in self._files:
            raise BadScenario(f"there is no such scenario; there are {', '.join(self.names)}")
        return _read(self._files[name])


def _read(path: Path) -> Scenario:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadScenario(f"{path} cannot be read as text in UTF-8") from None
    try:
        return scenario(path.stem, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError):
        raise BadScenario(f"{path} is not TOML") from None
    except ValidationFailed as refusal:
        (first, *_) = refusal.errors.values()
        raise BadScenario(f"{path}: {first[0]}") from None


def scenario(name: str, document: Mapping[str, Any]) -> Scenario:
    """Give the scenario that a document describes; ValidationFailed."""
    _schema().check(document)
    return Scenario(
        name,
        document["description"],
        tuple(Fault.read(fault) for fault in document.get("faults", ())),
        tuple(CarrierAnswers(tuple(it["answers"]), it.get("domain", "")) for it in document.get("carrier", ())),
    )


@functools.cache
def _schema() -> Document:
    schemas = openapi.load_control()["components"]["schemas"]
    return Document(schemas["Scenario"], schemas)
