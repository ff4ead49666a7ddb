"""`mockserver.docs`: the contract and its page, all from this machine."""

import json
import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import openapi
from mockserver.docs import find

ASSETS = ["docs/swagger-ui.css", "docs/swagger-ui-bundle.js", "docs/start.js", "docs/favicon-32x32.png"]


def test_contract_is_served_in_both_forms(mock):
    """JSON and YAML are the contract, as its media types say."""
    answer = httpx.get(f"{mock.root_url}/openapi.json")
    assert (answer.json(), answer.headers["content-type"]) == (openapi.load(), "application/json")
    answer = httpx.get(f"{mock.root_url}/openapi.yaml")
    assert (answer.content, answer.headers["content-type"]) == (openapi.PATH.read_bytes(), "application/yaml")


def test_page_may_load_from_this_server_alone(mock):
    """The policy allows this origin; the page names nothing but relative addresses that are served."""
    answer = httpx.get(f"{mock.root_url}/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    assert re.findall(r'(?:src|href)="([^"]+)"', answer.text) == [ASSETS[0], ASSETS[3], *ASSETS[1:3]]
    assert "http" not in answer.text


@pytest.mark.parametrize("asset", ASSETS)
def test_asset_is_served_with_its_media_type(mock, asset):
    """Script, style and icon are declared as what they are."""
    answer = httpx.get(f"{mock.root_url}/{asset}")
    declared = {"css": "text/css", "js": "text/javascript", "png": "image/png"}[asset.rpartition(".")[2]]
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(declared)
    assert len(answer.content) == int(answer.headers["content-length"]) > 0


def test_page_asks_nobody_to_validate_the_contract():
    """Swagger UI's badge would send the contract's address to its maker."""
    start = find("/docs/start.js").content.decode()
    assert "validatorUrl: null" in start
    assert json.loads(re.search(r"url: (\".*?\")", start)[1]) == "openapi.json"


@given(st.text(max_size=20) | st.sampled_from(["../__init__.py", "swagger-ui.css/", "", "package.json", "%2e%2e/x"]))
def test_nothing_else_is_found_below_docs(name):
    """No name gets at another file."""
    assert find(f"/docs/{name}") is None or f"docs/{name}" in ASSETS


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/docs/start.js"])
def test_page_can_only_be_read(mock, path):
    """Other methods are told so."""
    answer = httpx.post(f"{mock.root_url}{path}", json={})
    assert (answer.status_code, answer.headers["allow"], answer.json()["code"]) == (
        405,
        "GET, HEAD",
        "METHOD_NOT_ALLOWED",
    )
    head = httpx.head(f"{mock.root_url}{path}")
    assert (head.status_code, head.content) == (200, b"")
