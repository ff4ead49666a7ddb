import json
from urllib.parse import parse_qs, urlsplit

import pytest
from kit import TOKENS, Script, reply

from conformance import runs
from conformance.client import FIRST, NotJudged
from conformance.listing import listed
from conformance.transport import Reply

IDS = [f"t{number}" for number in range(23)]
SIZE = 5
BASE = "http://127.0.0.1:1/api/v1"


def page(start, *headers, size=SIZE, **members):
    entries = [{"id": id, "name": f"n {id}"} for id in IDS[start : start + size]]
    body = json.dumps({"success": True, "data": entries, **members}).encode()
    return Reply(200, (("Content-Type", "application/json"), *headers), body)


def number(query, name, default):
    return int(query.get(name, [default])[0])


def after(query, *names):
    last = next((query[name][0] for name in names if name in query), None)
    return IDS.index(last) + 1 if last in IDS else 0


def link(query):
    start = number(query, "from", 0)
    more = (("Link", f'<{BASE}/sip-trunks?from={start + SIZE}>; rel="next"'),) if start + SIZE < len(IDS) else ()
    return page(start, *more)


def url_in_body(query):
    start = number(query, "from", 0)
    return page(start, links={"next": f"/api/v1/sip-trunks?from={start + SIZE}" if start + SIZE < len(IDS) else None})


def cursor_in_body(query):
    start = number(query, "cursor", 0)
    return page(start, meta={"next_cursor": start + SIZE if start + SIZE < len(IDS) else None})


def has_more_and_pages(query):
    start = (number(query, "page", 1) - 1) * SIZE
    return page(start, has_more=start + SIZE < len(IDS))


def total_and_offset(query):
    return page(number(query, "offset", 0), meta={"total": len(IDS)})


def has_more_and_starting_after(query):
    start = after(query, "starting_after")
    return page(start, has_more=start + SIZE < len(IDS))


def last_page_and_bracketed(query):
    start = (number(query, "page[number]", 1) - 1) * SIZE
    return page(start, meta={"last_page": 5})


def total_in_a_header(query):
    return page((number(query, "page", 1) - 1) * SIZE, ("X-Total-Count", str(len(IDS))))


def pages_that_say_nothing(query):
    return page((number(query, "page", 1) - 1) * SIZE)


def all_at_once(_query):
    return page(0, size=len(IDS))


STYLES = [
    link, url_in_body, cursor_in_body, has_more_and_pages, total_and_offset, has_more_and_starting_after,
    last_page_and_bracketed, total_in_a_header, all_at_once,
]  # fmt: skip


def bench(style):
    lab = runs.make_lab(BASE, {FIRST: TOKENS[FIRST]})
    lab.client.close()

    def answer(_method, path, _headers, _body):
        return style(parse_qs(urlsplit(path).query))

    lab.client._transport = Script(answer)
    return lab


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.__name__)
def test_every_page_is_read(style):
    """However a list is paged, all of it is read, and nothing twice without need."""
    lab = bench(style)
    assert list(listed(lab)) == IDS
    assert lab.client.requests < 25


@pytest.mark.parametrize("style", [*STYLES, pages_that_say_nothing], ids=lambda style: style.__name__)
def test_trunk_on_a_later_page_is_found(style):
    """What is looked for is found also where no page says that there is more."""
    assert IDS[-1] in listed(bench(style), until=frozenset({IDS[-1]}))


def test_reading_ends_once_all_is_found():
    """The rest of a long list is left."""
    lab = bench(link)
    listed(lab, until=frozenset({IDS[0]}))
    assert lab.client.requests == 1


def test_list_that_ignores_queries_ends():
    """A server that gives the same page for ever is not asked for ever."""
    lab = bench(lambda _query: page(0, has_more=True))
    assert list(listed(lab)) == IDS[:SIZE]
    assert lab.client.requests < 12


def test_trunk_that_is_missing_is_missing():
    """Looking for what is not there ends without it."""
    assert "nowhere" not in listed(bench(link), until=frozenset({"nowhere"}))


@pytest.mark.parametrize("document", [None, {}, "x", 1, [None, 1, "x", []]], ids=repr)
def test_what_is_no_list_has_no_entries(document):
    """An odd answer is an empty list, never an exception."""
    assert dict(listed(bench(lambda _query: reply(200, document)))) == {}


def test_list_that_is_refused_is_not_judged():
    """Without a list there is no verdict on it."""
    with pytest.raises(NotJudged, match="the list was refused"):
        listed(bench(lambda _query: reply(403)))
