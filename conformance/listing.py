"""The list of trunks, on whatever pages it comes: paging is left open, so every usual style is followed.

A link (RFC 8288, or a URL in the body) or a cursor that the answer gives is followed. Where an answer only says that
there is more, numbered pages, offsets and the last id are tried, and the first of them that brings something new is
kept to.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from conformance import expect
from conformance.canaries import leaves
from conformance.client import FIRST, Answer, NotJudged
from conformance.lab import TRUNKS, Lab, entries

MOST_PAGES: Final = 200
Style = Callable[[int, int, str], str]  # (pages read, entries read, last id) -> query

_STYLES: Final[tuple[Style, ...]] = (
    lambda pages, _entries, _last: f"page={pages + 1}",
    lambda _pages, entries, _last: f"offset={entries}",
    lambda _pages, _entries, last: f"starting_after={last}",
    lambda _pages, _entries, last: f"after={last}",
    lambda _pages, _entries, last: f"cursor={last}",
    lambda pages, _entries, _last: f"page[number]={pages + 1}",
)
_MORE: Final = {"has_more", "has_next", "has_next_page", "hasmore", "hasnext", "hasnextpage", "more"}
_TOTALS: Final = {"total", "total_count", "totalcount", "total_items", "totalitems", "count", "total_results"}
_LAST_PAGES: Final = {"total_pages", "last_page", "totalpages", "lastpage", "page_count", "pages"}


def listed(
    lab: Lab, actor: str = FIRST, *, until: frozenset[str] = frozenset(), whole: bool = False
) -> dict[str, Answer]:
    """Give the ids of an environment's list, each with the page it stands on.

    `until` are looked for, and once they are all found the rest of the list is left, unless `whole`.
    """
    found: dict[str, Answer] = {}
    for page in _pages(lab, actor, lambda: bool(until) and not until <= found.keys()):
        for entry in entries(page):
            found.setdefault(_id(entry), page)
        if until and until <= found.keys() and not whole:
            break
    return found


def last_list(lab: Lab) -> tuple[dict[str, Answer], list[str]]:
    """Give the whole list towards the end of a run, as `listed` does, and what should be in it; it is fetched once."""
    if lab.last_list is None:
        there = trunks_there(lab)
        lab.last_list = (listed(lab, until=frozenset(there), whole=True), there)
    return lab.last_list


def trunks_there(lab: Lab) -> list[str]:
    """Give the ids of the first environment's trunks that the kit made and did not delete."""
    paths = [path for actor, path in lab.client.made if actor == FIRST and path.count("/") == TRUNKS.count("/") + 1]
    return [unquote(path.rsplit("/", 1)[-1]) for path in paths]


def sent_name(answer: Answer) -> str | None:
    """Give the name that a create's request sent, if it has one of the run's own."""
    try:
        name = json.loads(answer.request_body or b"").get("name")
    except (ValueError, AttributeError, RecursionError):
        return None
    return name.strip() if isinstance(name, str) and name.startswith("trunkcheck ") and answer.status != 429 else None


def _id(entry: dict[str, Any]) -> str:
    return str(entry.get("id"))


def _pages(lab: Lab, actor: str, wanting: Callable[[], bool]) -> Iterator[Answer]:
    """Give the pages of the list. `wanting` tells whether something is still missed, so that a hidden page is looked
    for.
    """
    page = _fetch(lab, actor, "")
    if not page.is_success:
        raise NotJudged(f"the list was refused ({expect.summary(page)})")
    seen: set[str] = set()
    styles = _STYLES
    for number in range(1, MOST_PAGES):
        yield page
        seen.update(map(_id, entries(page)))
        query = _given_next(page)
        if query is not None:
            queries = [query]
        elif entries(page) and (_says_more(page, len(seen), number) or wanting()):
            last = quote(_id(entries(page)[-1]), safe="")
            queries = [style(number, len(seen), last) for style in styles]
        else:
            return
        for position, query in enumerate(queries):
            page = _fetch(lab, actor, query)
            if page.is_success and not seen.issuperset(map(_id, entries(page))):
                styles = styles[position : position + 1] if len(queries) > 1 else styles
                break
        else:
            return


def _fetch(lab: Lab, actor: str, query: str) -> Answer:
    return lab.client.send("GET", f"{TRUNKS}?{query}" if query else TRUNKS, actor=actor, operation="GET /sip-trunks")


def _given_next(page: Answer) -> str | None:
    """Give the query of the next page where the answer gives it: a link, a URL or a cursor."""
    if link := re.search(r'<([^>]+)>\s*;[^,<]*\brel="?next\b', page.header("link") or ""):
        return urlsplit(link[1]).query
    for path, value in _around(page):
        name = path.rsplit(".", 1)[-1]
        if "next" not in path or isinstance(value, bool) or value in (None, ""):
            continue
        if isinstance(value, str) and ("?" in value or value.startswith(("/", "http"))):
            return urlsplit(value).query
        parameter = re.sub(r"next|^_+|_+$", "", name).strip("_") or "cursor"
        return f"{parameter}={quote(str(value), safe='')}"
    return None


def _around(page: Answer) -> list[tuple[str, Any]]:
    """Give what stands in an answer beside its entries, by lower-case path."""
    envelope = (
        {name: value for name, value in page.json.items() if name != "data"} if isinstance(page.json, dict) else {}
    )
    headers = [
        (f"header.{name.lower().removeprefix('x-').replace('-', '_')}", _number(value)) for name, value in page.headers
    ]
    return [(path.lower(), value) for path, value in leaves(envelope)] + headers


def _number(text: str) -> Any:
    return int(text) if text.isdigit() and len(text) < 10 else text


def _says_more(page: Answer, read: int, pages: int) -> bool:
    for path, value in _around(page):
        name = path.rsplit(".", 1)[-1]
        if isinstance(value, bool):
            if name in _MORE and value:
                return True
        elif isinstance(value, int) and ((name in _TOTALS and value > read) or (name in _LAST_PAGES and value > pages)):
            return True
    return False
