"""What the kit made without being told of it: by a create that got no answer, or by one that was said to be refused.

Such trunks are known by their names, which hold the run's id; they are noted for the clean-up like all others.
"""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import quote

from conformance.client import Answer, NotJudged
from conformance.lab import TRUNKS, Lab, entries
from conformance.listing import listed


def note(lab: Lab) -> list[str]:
    """Note for the clean-up what was made unnoticed; give in words what could not be looked for."""
    client, unknown = lab.client, []
    client.limit = None
    pages = [one for one in client.answers if one.operation == f"GET {TRUNKS}" and client.has(one.actor)]
    lost = dict.fromkeys(client.lost)
    client.lost.clear()
    try:
        for actor, path in lost:
            if path == TRUNKS and client.has(actor):
                pages += listed(lab, actor).values()
    except NotJudged:
        unknown.append(f"{TRUNKS} (whatever has {_mark(lab)} in its name)")
    for actor, path in _trunks(lab, pages):
        client.note_made(actor, path)
    for actor, path in lost:
        if path.removesuffix("/dids") in client.paths:
            _note_numbers(lab, actor, path)
    return unknown


def look_again(lab: Lab) -> None:
    """List the trunks once more when all are deleted; one that is still there is left over."""
    with suppress(NotJudged):
        for identity in listed(lab):
            path = f"{TRUNKS}/{quote(identity, safe='')}"
            if path in lab.client.paths and path not in lab.leftovers:
                lab.leftovers.append(path)


def _mark(lab: Lab) -> str:
    return f"trunkcheck {lab.options.run_id}"


def _trunks(lab: Lab, pages: list[Answer]) -> Iterator[tuple[str, str]]:
    """Give the trunks of the run's own names that no create told of."""
    for page in pages:
        for entry in entries(page):
            path = f"{TRUNKS}/{quote(str(entry.get('id')), safe='')}"
            if _mark(lab) in str(entry.get("name")) and path not in lab.client.paths:
                yield page.actor, path


def _note_numbers(lab: Lab, actor: str, path: str) -> None:
    """Note every number on a trunk that the kit made."""
    try:
        answer = lab.client.send("GET", path, actor=actor, operation="GET /sip-trunks/{trunk_id}/dids")
    except NotJudged:
        return
    for entry in entries(answer):
        number = f"{path}/{quote(str(entry.get('id')), safe='')}"
        if number not in lab.client.paths:
            lab.client.note_made(actor, number)
