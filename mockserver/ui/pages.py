"""Templates and assets, both from this package's own folder."""

import functools
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from mockserver.clock import show_time
from mockserver.ui import words
from mockserver.ui.web import BASE, HTML, Answer

_HERE = Path(__file__).parent
_MEDIA_TYPES = {"css": b"text/css; charset=utf-8", "js": b"text/javascript; charset=utf-8", "svg": b"image/svg+xml"}
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")  # the address changes with the content


def render(status: int, template: str, form_token: str, **values: Any) -> Answer:
    """Give a page; `form_token` goes into each of its forms."""
    field = Markup('<input type="hidden" name="form_token" value="{}">').format(form_token)
    shown = {"session": None, "notice": None, **values}
    text = _templates().get_template(template).render(form_field=lambda: field, **shown)
    return Answer(status, text.encode("utf-8", "replace"), [HTML])


def asset(name: str) -> Answer | None:
    """Give a file that the pages need, or None."""
    media_type = _MEDIA_TYPES.get(name.rpartition(".")[2])
    if media_type is None or name not in _assets():
        return None
    return Answer(200, _assets()[name], [(b"content-type", media_type), _FOR_EVER])


@functools.cache
def _assets() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (_HERE / "static").iterdir()}


@functools.cache
def _address(name: str) -> str:
    return f"{BASE}/static/{name}?v={sha256(_assets()[name]).hexdigest()[:12]}"


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        base=BASE,
        static=_address,
        show_time=show_time,
        outcomes=words.OUTCOMES,
        **{it.__name__: it for it in words.FOR_PAGES},
    )
    return environment
