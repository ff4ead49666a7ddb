"""The pages beside the API: the contract as JSON and YAML, and Swagger UI over it, all from this machine."""

import functools
import re
from dataclasses import dataclass

import orjson

import openapi

_ASSET = re.compile(r"/docs/(swagger-ui(?:-bundle)?\.(css|js)|favicon-32x32\.(png))")
_MEDIA_TYPES = {"css": b"text/css; charset=utf-8", "js": b"text/javascript; charset=utf-8", "png": b"image/png"}

# Nothing is fetched from elsewhere; Swagger UI styles its elements inline and has its icons as data.
_POLICY = b"default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"

_INDEX = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>SIP trunk API (mock)</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

# A validator's badge would be fetched from its maker's site, with the contract's address in the request.
_START = b"""SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its media type, its bytes and its other header fields."""

    media_type: bytes
    content: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


CONTROLS = "/_mock"
"""Where the pages of the mock's controls are, beside those of the API."""


@functools.cache  # only what exists is found, so the cache cannot grow without end; see `find`
def _page(path: str) -> Page:
    match path:
        case "/openapi.json":
            return Page(b"application/json", orjson.dumps(openapi.load(), option=orjson.OPT_INDENT_2))
        case "/openapi.yaml":
            return Page(b"application/yaml", openapi.PATH.read_bytes())  # RFC 9512
        case "/_mock/openapi.json":
            return Page(b"application/json", orjson.dumps(openapi.load_control(), option=orjson.OPT_INDENT_2))
        case "/_mock/openapi.yaml":
            return Page(b"application/yaml", _control_yaml())
        case "/docs":
            return Page(b"text/html; charset=utf-8", _INDEX, ((b"content-security-policy", _POLICY),))
        case "/docs/start.js":
            return Page(_MEDIA_TYPES["js"], _START)
        case _:
            return _asset(path)


def _asset(path: str) -> Page:
    from swagger_ui_bundle import swagger_ui_path  # not at start: most runs never open the page

    name = path.removeprefix("/docs/")
    return Page(_MEDIA_TYPES[name.rpartition(".")[2]], (swagger_ui_path / name).read_bytes())


def _control_yaml() -> bytes:
    import yaml

    return yaml.safe_dump(openapi.load_control(), sort_keys=False, allow_unicode=True, width=120).encode()


def find(path: str) -> Page | None:
    """Give the page at a path, or None."""
    if path in ("/_mock/openapi.json", "/_mock/openapi.yaml"):
        return _page(path)
    path = path.removeprefix(CONTROLS)
    if path in ("/openapi.json", "/openapi.yaml", "/docs", "/docs/start.js") or _ASSET.fullmatch(path):
        return _page(path)
    return None
