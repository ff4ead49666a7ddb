"""Imports that a plain start does not need.

Connexion, werkzeug and uvicorn import test clients, HTTP clients and a command line with all else, and those take as
long as the rest together. A command that is started hundreds of times a day gets them only when they are used.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

UNNEEDED = (
    "httpx",  # Connexion asks an OAuth server with it
    "jinja2",  # renders a contract that is a template
    "requests",  # fetches a `$ref` from elsewhere
    "starlette.testclient",
    "uvicorn.main",
    "werkzeug.serving",
    "werkzeug.test",
)


class _Later(ModuleType):
    """Stands for a module that is imported when it is used."""

    is_open = True
    """Whether somebody who only imports is still being served."""

    def __getattr__(self, name: str) -> Any:
        if self.is_open:
            return _calling(self.__name__, name)
        return getattr(importlib.import_module(self.__name__), name)


def _calling(module: str, name: str) -> Callable[..., Any]:
    """Give what does for a function or class when it is called."""
    return lambda *args, **kwargs: getattr(importlib.import_module(module), name)(*args, **kwargs)


@contextlib.contextmanager
def later() -> Iterator[None]:
    """Let what is imported within import the unneeded modules only when it uses them.

    For a process of one's own: whoever subclasses what is imported from one of them finds no class there.
    """
    standing = {name: _Later(name) for name in UNNEEDED if name not in sys.modules}
    sys.modules |= standing
    try:
        yield
    finally:
        for name, module in standing.items():
            module.is_open = False
            if sys.modules.get(name) is module:
                del sys.modules[name]
