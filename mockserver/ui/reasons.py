"""Why a request was refused: the contract's sentence, and where the documentation or a standard says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mockserver.journal import Entry, Rules

_OUTSIDE = {400: "BadRequest", 404: "NotFound", 405: "MethodNotAllowed", 408: "RequestTimeout", 431: "HeadersTooLarge"}


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: the field, if it is about one; what must be; more about it; its source; the kit's rules."""

    field: str | None
    says: str
    more: str
    source: str
    rules: tuple[str, ...] = ()


class Reasons:
    """Finds reasons in the contract."""

    def __init__(self, contract: Mapping[str, Any]) -> None:
        self._components = contract["components"]
        self._rules = Rules(contract)
        self._operations = {
            operation["operationId"]: operation
            for methods in contract["paths"].values()
            for operation in methods.values()
            if isinstance(operation, dict)
        }

    def of(self, entry: Entry) -> list[Reason]:
        """Give the reasons for a refusal; none for anything else, nor for one that was made up."""
        if entry.code is None or entry.is_faked:
            return []
        operation = self._operations.get(entry.operation or "", {})
        broken = {it["field"]: tuple(it["rules"]) for it in self._rules.broken(entry)}
        if entry.errors:
            sent = entry.fields or {}
            return [
                self._of_field(operation, name, says, _fitting(broken.get(name, ()), is_sent=name in sent))
                for name, (says, *_) in entry.errors.items()
            ]
        return [self._of_answer(operation, entry, broken.get(None, ()))]

    def summary(self, entry: Entry) -> str:
        """Give the reasons in one line."""
        reasons = self.of(entry)
        if len(reasons) > 1:
            return f"{len(reasons)} fields break their rules: {', '.join(it.field or '' for it in reasons)}"
        return "".join(reason.says for reason in reasons)

    def knows(self, operation_id: str) -> bool:
        """Tell whether the contract has this operation."""
        return operation_id in self._operations

    def place(self, entry: Entry) -> str | None:
        """Give the address of the operation in the pages of the contract."""
        operation = self._operations.get(entry.operation or "")
        return f"/docs#/{operation['tags'][0]}/{entry.operation}" if operation else None

    def title(self, entry: Entry) -> str | None:
        """Say in words what the request was to do."""
        operation = self._operations.get(entry.operation or "")
        return operation["summary"] if operation else None

    def _of_field(self, operation: Mapping[str, Any], name: str, says: str, rules: tuple[str, ...]) -> Reason:
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        schema = self._resolved(self._resolved(body)["properties"].get(name, {}))
        parts = [schema, *map(self._resolved, schema.get("allOf", ()))]
        more = " ".join(part["description"].strip() for part in parts if "description" in part)
        sources = [
            f"{operation['x-source']}, request body: {name}",
            *(it["x-source"] for it in parts if "x-source" in it),
        ]
        return Reason(name, says, more, "; ".join(sources), rules)

    def _of_answer(self, operation: Mapping[str, Any], entry: Entry, rules: tuple[str, ...]) -> Reason:
        answer = self._answer(operation, entry.status)
        body = entry.answer_json
        says = body["message"] if isinstance(body, dict) and "message" in body else (entry.code or "")
        source = answer.get("x-source") or operation.get("x-source", "")
        return Reason(None, says, answer.get("description", "").strip(), source, rules)

    def _answer(self, operation: Mapping[str, Any], status: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = operation.get("responses", {}).get(str(status), {})
        if "$ref" in found:
            return self._named(found["$ref"].rpartition("/")[2])
        return found or self._named(_OUTSIDE.get(status, ""))

    def _named(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._components["responses"].get(name, {})
        return found

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            found: Mapping[str, Any] = self._components["schemas"][schema["$ref"].rpartition("/")[2]]
            return found
        return schema


def _fitting(rules: tuple[str, ...], *, is_sent: bool) -> tuple[str, ...]:
    """Give those of a field's rules that a value can break or, where none was sent, its absence."""
    return tuple(rule for rule in rules if rule.endswith(".required") != is_sent) or rules
