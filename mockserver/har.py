"""The journal as a HAR 1.2 document, for the tools that browsers have (http://www.softwareishard.com/blog/har-12-spec/)."""

from collections.abc import Iterable
from typing import Any

import orjson

from mockserver.clock import show_time
from mockserver.journal import Entry, Headers

_NO_ANSWER = "The connection ended without an answer"


def har(entries: Iterable[Entry], version: str) -> dict[str, Any]:
    """Give the document."""
    creator = {"name": "trunkmock", "version": version}
    return {"log": {"version": "1.2", "creator": creator, "entries": [_entry(entry) for entry in entries]}}


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "startedDateTime": show_time(entry.time),
        "time": entry.duration_ms,
        "request": _request(entry),
        "response": _response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": entry.duration_ms, "receive": 0},
        "comment": f"{entry.environment or 'no environment'}, {entry.operation or 'no operation'}, {entry.request_id}",
    }


def _request(entry: Entry) -> dict[str, Any]:
    host = dict(entry.headers).get(b"host", b"localhost").decode("latin-1")
    request = {
        "method": entry.method,
        "url": f"http://{host}{entry.path}",
        **_common(entry.headers),
        "queryString": [],
        "bodySize": entry.body_bytes,
    }
    if entry.fields is not None:
        request["postData"] = {"mimeType": "application/json", "text": orjson.dumps(entry.fields).decode()}
    return request


def _response(entry: Entry) -> dict[str, Any]:
    text = entry.answer.decode("utf-8", "replace")
    return {
        "status": entry.status,
        "statusText": "" if entry.status else _NO_ANSWER,
        **_common(entry.answer_headers),
        "content": {"size": len(entry.answer), "mimeType": "application/json", "text": text},
        "redirectURL": "",
        "bodySize": len(entry.answer),
    }


def _common(headers: Headers) -> dict[str, Any]:
    pairs = [{"name": name.decode("latin-1"), "value": value.decode("latin-1")} for name, value in headers]
    return {"httpVersion": "HTTP/1.1", "cookies": [], "headers": pairs, "headersSize": -1}
