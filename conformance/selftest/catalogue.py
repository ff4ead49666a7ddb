"""What a fault and a variant are, where they are kept, and the small ways in which they change a miniature API.

A fault or variant is a function that changes a fresh `Api` before it serves; its docstring is its one sentence.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from conformance.selftest.miniature import Answer, Api, Bad, Check, Request, Trunk

Change = Callable[[Api], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake, the rules that must each catch it, and those that may fail because of it as well."""

    name: str
    says: str
    rules: tuple[str, ...]
    also: tuple[str, ...]
    change: Change

    def caught_by(self, broken: Iterable[str]) -> bool:
        """Tell whether all of its rules are among the broken ones."""
        return set(self.rules) <= set(broken)


@dataclass(frozen=True, slots=True)
class Variant:
    """A correct server that takes an unusual side of the open choices it names.

    `warns` are inferred rules that it does not keep, because the documents leave that side open; `silent` are rules
    that cannot be judged on it. Nothing else may fail, warn or stay unjudged.
    """

    name: str
    says: str
    choices: tuple[str, ...]
    warns: tuple[str, ...]
    silent: tuple[str, ...]
    change: Change


FAULTS: dict[str, Fault] = {}
VARIANTS: dict[str, Variant] = {}


def fault(*rules: str, also: Iterable[str] = (), name: str = "", says: str = "") -> Callable[[Change], Change]:
    """Declare a fault that these rules must catch; `also` may fail with them, because they look at the same thing."""

    def declare(change: Change) -> Change:
        one = Fault(name or _name(change), says or _sentence(change), rules, tuple(also), change)
        if FAULTS.setdefault(one.name, one) is not one:
            raise ValueError(f"fault {one.name} is declared twice")
        return change

    return declare


def variant(
    *choices: str, warns: Iterable[str] = (), silent: Iterable[str] = (), name: str = "", says: str = ""
) -> Callable[[Change], Change]:
    """Declare a correct variant of the open choices that it names."""

    def declare(change: Change) -> Change:
        one = Variant(name or _name(change), says or _sentence(change), choices, tuple(warns), tuple(silent), change)
        if VARIANTS.setdefault(one.name, one) is not one:
            raise ValueError(f"variant {one.name} is declared twice")
        return change

    return declare


def _name(change: Change) -> str:
    return change.__name__.replace("_", "-")


def _sentence(change: Change) -> str:
    return (change.__doc__ or "").strip()


# Ways to change an API


def around(api: Api, method: str, change: Callable[..., Any]) -> None:
    """Put a function around a method: it gets the method itself, and then what the method gets."""
    inner = getattr(api, method)
    setattr(api, method, lambda *arguments: change(inner, *arguments))


def noting(api: Api, method: str, note: Callable[..., object]) -> None:
    """Let a function see what a method gets, before the method itself does."""
    around(api, method, lambda inner, *arguments: (note(*arguments), inner(*arguments))[1])


def after(api: Api, operation: str, change: Callable[[Request, Answer], object]) -> None:
    """Change what an operation answers, successes and refusals alike; an Answer that `change` gives is sent instead."""
    api.on_answer.append(lambda request, answer: change(request, answer) if request.operation == operation else None)


def shown(api: Api, operation: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change each object in `data` of an operation's successes."""

    def each(_request: Request, answer: Answer) -> None:
        if answer.status < 300:
            for entry in answer.data:
                change(entry)

    after(api, operation, each)


def refusals(api: Api, change: Callable[[Request, Answer], object]) -> None:
    """Change what a refusal looks like."""
    api.on_answer.append(lambda request, answer: change(request, answer) if answer.status >= 400 else None)


def before(api: Api, operation: str, step: Callable[[Request], Answer | None]) -> None:
    """Let a function see an operation's requests first; the answer that it gives is sent."""
    api.on_request.append(lambda request: step(request) if request.operation == operation else None)


def check(api: Api, operation: str, field: str, change: Callable[[Check, Any], Any]) -> None:
    """Put a function around the check of a field."""
    inner = api.checks[operation][field]
    api.checks[operation][field] = lambda value: change(inner, value)


def either(first: Check, second: Check) -> Check:
    """Take what one check takes, or else the other."""

    def take(value: Any) -> Any:
        try:
            return first(value)
        except Bad:
            return second(value)

    return take


def own_trunk(api: Api, request: Request) -> Trunk | None:
    """Give the trunk that a request's path names, whoever it belongs to."""
    return api.trunks.get(request.trunk_id)
