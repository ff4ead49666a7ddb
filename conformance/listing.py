"""The list of trunks, on whatever pages it comes: paging is left open, so every usual style is followed.

Followed are a Link header (RFC 8288), a URL or cursor whose name has `next` in it, offset and limit, and numbered pages.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlsplit

from conformance import expect
from conformance.canaries import leaves
from conformance.client import FIRST, Answer, NotJudged
from conformance.lab import TRUNKS, Lab

MOST_PAGES: Final = 200


def listed(lab: Lab, actor: str = FIRST, *, until: frozenset[str] = frozenset()) -> dict[str, Answer]:
    """Give the ids of an environment's list, each with the page it stands on; stops early once `until` are all found."""
    found: dict[str, Answer] = {}
    for page in _pages(lab, actor):
        fresh = False
        for entry in page.data if isinstance(page.data, list) else []:
            if isinstance(entry, dict) and "id" in entry:
                fresh |= str(entry["id"]) not in found
                found.setdefault(str(entry["id"]), page)
        if not fresh or until and until <= found.keys():
            break
    return found


def names_in_list(lab: Lab, actor: str = FIRST) -> dict[str, Answer]:
    """Give the names in an environment's list, each with the page it stands on."""
    found: dict[str, Answer] = {}
    seen: set[str] = set()
    for page in _pages(lab, actor):
        entries = [entry for entry in page.data if isinstance(entry, dict)] if isinstance(page.data, list) else []
        if seen.issuperset(str(entry.get("id")) for entry in entries):
            break
        for entry in entries:
            seen.add(str(entry.get("id")))
            if isinstance(entry.get("name"), str):
                found[entry["name"]] = page
    return found


def sent_name(answer: Answer) -> str | None:
    """Give the name that a create's request sent, if it has one of the run's own."""
    try:
        name = json.loads(answer.request_body or b"").get("name")
    except (ValueError, AttributeError, RecursionError):
        return None
    return name.strip() if isinstance(name, str) and name.startswith("trunkcheck ") and answer.status != 429 else None


def _pages(lab: Lab, actor: str) -> Iterator[Answer]:
    """Give the pages of the list: the first, then whatever the answers, or the usual parameters, lead to."""
    path, size = TRUNKS, 0
    for number in range(1, MOST_PAGES):
        page = lab.client.send("GET", path, actor=actor, operation="GET /sip-trunks")
        if page.status >= 500 or not page.is_success:
            raise NotJudged(f"the list was refused ({expect.summary(page)})")
        yield page
        entries = len(page.data) if isinstance(page.data, list) else 0
        size = size or entries
        following = _next_page(page, number, size)
        if following is None or entries == 0:
            return
        path = following


def _next_page(page: Answer, number: int, size: int) -> str | None:
    """Give the path of the page behind this one, or None at the end. Paging is left open, so every usual style is read."""
    if link := re.search(r'<([^>]+)>\s*;[^,]*\brel="?next\b', page.header("link") or ""):
        return _path_of(link[1])
    envelope = {name: value for name, value in (page.json or {}).items() if name != "data"} if isinstance(page.json, dict) else {}
    hints = {path.rsplit(".", 1)[-1].casefold(): value for path, value in leaves(envelope)}
    parents = {path.casefold(): value for path, value in leaves(envelope)}
    for path, value in parents.items():
        if isinstance(value, str) and "next" in path and ("?" in value or value.startswith(("/", "http"))):
            return _path_of(value)
    for path, value in parents.items():
        if "next" in path and isinstance(value, str) and value:
            return f"{TRUNKS}?{_cursor_name(path)}={quote(value, safe='')}"
        if "next" in path and "offset" in path and isinstance(value, int) and not isinstance(value, bool):
            return f"{TRUNKS}?offset={value}"
        if "next" in path and isinstance(value, int) and not isinstance(value, bool) and "page" in path:
            return f"{TRUNKS}?page={value}"
    if "offset" in hints or "limit" in hints and "page" not in hints and "current_page" not in hints:
        return f"{TRUNKS}?offset={number * size}&limit={size}" if _is_more(page, hints, number, size) else None
    if _is_more(page, hints, number, size):
        return f"{TRUNKS}?page={number + 1}"
    return None


def _is_more(page: Answer, hints: dict[str, Any], number: int, size: int) -> bool:
    for name in ("has_more", "has_next", "has_next_page", "hasmore", "more", "hasnext"):
        if isinstance(hints.get(name), bool):
            return bool(hints[name])
    for name in ("total_pages", "last_page", "pages", "page_count", "totalpages", "lastpage"):
        if isinstance(hints.get(name), int):
            return number < hints[name]
    for name in ("total", "total_count", "count", "total_items", "totalcount"):
        if isinstance(hints.get(name), int) and hints[name] > size:
            return number * size < hints[name]
    totals = [value for name, value in page.headers if name.lower() in {"x-total-count", "x-total"}]
    if totals and totals[0].isdigit():
        return number * size < int(totals[0])
    return bool(hints) and not any(name in hints for name in ("total", "total_count", "count"))


def _cursor_name(path: str) -> str:
    name = path.rsplit(".", 1)[-1]
    return {"next_cursor": "cursor", "nextcursor": "cursor", "next_page_token": "page_token", "next": "cursor"}.get(name, "cursor")


def _path_of(url: str) -> str:
    """Give the path below the base URL of a link to another page of the list."""
    parts = urlsplit(url)
    return f"{TRUNKS}?{parts.query}" if parts.query else TRUNKS
