"""The contract's operations, as Connexion reads them, and the way from a method and a path to one of them."""

import re
import warnings
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import unquote

from mockserver.bodies import JsonBody
from mockserver.environments import Environment
from mockserver.errors import MethodNotAllowed, NotFound
from mockserver.handlers import Answer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Connexion imports a test client that Starlette announces the end of
    from connexion.middleware.abstract import RoutedAPI
    from connexion.operations import AbstractOperation
    from connexion.security import SecurityHandlerFactory


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the contract, with all that a request needs of it."""

    operation_id: str
    method: str
    path: str
    handler: Callable[..., Awaitable[Answer]]
    authenticate: Callable[[bytes | None], Awaitable[Environment]]
    media_types: frozenset[str]
    body: JsonBody | None


class ContractAPI(RoutedAPI[Operation]):  # type: ignore[misc]
    """The contract's operations and their paths."""

    def __init__(self, *args: Any, security_map: dict[str, Any], validator_map: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._security = SecurityHandlerFactory(security_map)
        self._body_checks = validator_map["body"]
        self.add_paths()

    def make_operation(self, operation: AbstractOperation) -> Operation:
        """Give the operation with its security and its body's check, both found in Connexion's maps."""
        (scheme,) = operation.security[0]
        authenticate = self._security.parse_security_scheme(operation.security_schemes[scheme], [])
        media_types = operation.request_body.get("content", {})
        body = None
        for media_type in media_types:
            body = self._body_checks[media_type](operation.body_schema(media_type))
        return Operation(
            operation.operation_id,
            operation.method.upper(),
            self.base_path + operation.path,
            operation.function,
            authenticate,
            frozenset(media_types),
            body,
        )


class Routed(Protocol):
    """What has a method and a path."""

    @property
    def method(self) -> str:
        """In capitals."""

    @property
    def path(self) -> str:
        """From the root, with templates."""


Found = TypeVar("Found", bound=Routed)


class Routes(Generic[Found]):
    """Finds the operation of a method and path. Plain paths are looked up, templated ones matched one by one."""

    def __init__(self, operations: Iterable[Found]) -> None:
        self._plain: dict[str, dict[str, Found]] = {}
        templated: dict[str, dict[str, Found]] = {}
        for operation in operations:
            table = templated if "{" in operation.path else self._plain
            methods = table.setdefault(operation.path, {})
            methods[operation.method] = operation
            if operation.method == "GET":
                methods["HEAD"] = operation  # RFC 9110, section 9.3.2
        self._patterns = [
            (re.compile(re.sub(r"\{[^}]*\}", "([^/]+)", path)), methods) for path, methods in templated.items()
        ]

    def find(self, method: str, path: str) -> tuple[Found, list[Any]]:
        """Give the operation and the path's parameters, decoded; NotFound, or MethodNotAllowed with what is allowed.

        The path is the one that was sent, still percent-encoded: an encoded slash is no separator.
        """
        methods = self._plain.get(path)
        parameters: list[str] = []
        if methods is None:
            methods, parameters = self._match(path)
        operation = methods.get(method)
        if operation is None:
            raise MethodNotAllowed(", ".join(methods).encode())
        return operation, parameters

    def _match(self, path: str) -> tuple[dict[str, Found], list[str]]:
        for pattern, methods in self._patterns:
            if match := pattern.fullmatch(path):
                return methods, [unquote(text) if "%" in text else text for text in match.groups()]
        raise NotFound
