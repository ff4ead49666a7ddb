"""Schemathesis as a generator of requests, for what holds for every answer: no 5xx, the forms, no secret.

Only its data are used: the kit sends them, and the kit judges. Its own reports hold request bodies in plain.
"""

import string
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.client import ABSENT
from conformance.deep.bench import Bench
from conformance.deep.pairs import take_off
from conformance.lab import Lab
from conformance.strategies import Secret

_SAFE: Final = frozenset(string.ascii_letters + string.digits + "~-_")


def explore(bench: Bench) -> None:
    """Send what Schemathesis makes of the contract."""
    bench.say("answer.no-5xx")
    bench.each(2000, st.one_of(_cases()), max(10, bench.share), lambda case: _send_case(bench, case))


@cache
def _cases() -> list[SearchStrategy[Any]]:
    """Give strategies for the ten operations: data that fit the contract, and where there is a body such as do not."""
    import schemathesis
    from schemathesis import GenerationMode

    import openapi

    schema = schemathesis.openapi.from_dict(openapi.load())
    found: list[SearchStrategy[Any]] = []
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr]
        modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if operation.body else [GenerationMode.POSITIVE]
        found += [operation.as_strategy(generation_mode=mode) for mode in modes]
    return found


def _send_case(bench: Bench, case: Any) -> None:
    """Send what Schemathesis made up: its body, and its path with ids that nobody else's trunk can have."""
    lab = bench.lab
    method, template = str(case.method).upper(), str(case.path)
    drawn = {name: _made_up(lab, str(value)) for name, value in case.path_parameters.items()}
    if method != "DELETE" and len(drawn.get("trunk_id", "")) % 4:
        drawn["trunk_id"] = bench.trunk().path.rsplit("/", 1)[-1]
    path = template
    for name, value in drawn.items():
        path = path.replace(f"{{{name}}}", value)
    how: dict[str, Any] = {"operation": f"{method} {template}", "tags": ("odd", "packed", "no-json")}
    if case.media_type is None or method in {"GET", "DELETE"} or path.endswith("/verify"):
        bench.ask(lambda: bench.client.send(method, path, **how))
        return
    body = _with_canary(lab, case.body)
    if path == "/sip-trunks":
        answer = bench.ask(lambda: lab.create(body, **how))
        bench.discard(answer)
    elif path.endswith("/dids"):
        answer = bench.ask(lambda: lab.add_did(path.removesuffix("/dids"), body, **how))
        take_off(bench, path.removesuffix("/dids"), answer)
    else:
        bench.ask(lambda: lab.update(path, body, **how))


def _made_up(lab: Lab, text: str) -> str:
    return f"trunkcheck-{lab.options.run_id}-" + "".join(character for character in text if character in _SAFE)


def _with_canary(lab: Lab, body: Any) -> Any:
    """Give a generated body whose password, if it has one, is one that the kit knows again."""
    if not isinstance(body, dict):
        return body if isinstance(body, bytes) or _is_json(body) else b""
    password = body.get("password", ABSENT)
    if isinstance(password, str) and password:
        return {**body, "password": lab.canaries.password(password[:40])}
    if isinstance(password, bool | None) or password is ABSENT or password == "":
        return body
    shape = "number" if isinstance(password, int | float) else "list" if isinstance(password, list) else "object"
    return {**body, "password": Secret(shape).value(lab.canaries)}


def _is_json(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | list)
