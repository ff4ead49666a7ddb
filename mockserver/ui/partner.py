"""The pages of one environment, for its partner and for the operator."""

from itertools import groupby
from typing import Any

from mockserver.errors import NotFound, Refusal, ReportNotFound
from mockserver.ui import curl, words
from mockserver.ui.views import View, sentence
from mockserver.ui.web import Answer, redirect

_SHOWS = {"all": "All", "refused": "Refused", "broken": "Contract broken"}
_TRUNK: dict[str, Any] = {
    "name": "Primary Carrier — US",
    "provider_name": "carrier-x",
    "domain": "sip.carrier.example",
    "username": "user_42",
    "password": "***",
    "transport": "tls",
}
_NOTHING_NEW = Answer(204)


async def start(_view: View, name: str) -> Answer:
    """Go to what a partner looks at first."""
    return redirect(f"/environments/{name}/requests")


async def requests(view: View, name: str) -> Answer:
    """Show the request log; for htmx only the log, and nothing while there is nothing new."""
    query = view.asked.query
    show = query.get("show", "all") if query.get("show") in _SHOWS else "all"
    operation = query.get("operation", "")
    operation = operation if view.reasons.knows(operation) else ""
    seen = await view.state.newest(name)
    if view.asked.is_partial and query.get("seen") == seen:
        return _NOTHING_NEW
    page = await view.state.entries(name, view.number(), show, operation)
    groups = groupby(page.items, key=lambda entry: words.day(entry.time))
    return await view.environment_page(
        "log.html" if view.asked.is_partial else "requests.html",
        name,
        "requests",
        "Requests",
        show=show,
        shows=list(_SHOWS.items()),
        operation=operation,
        page=page,
        total=page.total or await view.state.count(name),
        days=[{"day": day, "entries": list(entries)} for day, entries in groups],
        seen=seen,
        is_live=page.number == 1 and query.get("live") != "off",
        is_kept=view.control.journal.is_on,
        first_request=_first_request(view),
        reasons=view.reasons,
    )


async def request(view: View, name: str, request_id: str) -> Answer:
    """Show one request: what was sent, what came back and, where it was refused, why."""
    entry = await view.state.entry(name, request_id)
    if entry is None:
        raise NotFound
    return await view.environment_page(
        "request.html",
        name,
        "requests",
        f"{entry.method} {words.short_path(entry.path)}",
        entry=entry,
        found=view.reasons.of(entry),
        place=view.reasons.place(entry),
        title=view.reasons.title(entry),
        curl=curl.curl(entry, view.asked.origin),
        complete=curl.is_complete(entry),
    )


async def trunks(view: View, name: str) -> Answer:
    """Show the trunks with their numbers."""
    page = await view.state.trunks(name, view.number())
    return await view.environment_page(
        "trunks.html", name, "trunks", "Trunks", page=page, first_trunk=_first_request(view)
    )


async def carrier(view: View, name: str, problem: str | None = None) -> Answer:
    """Show what checks find."""
    return await view.environment_page(
        "carrier.html",
        name,
        "carrier",
        "Carrier",
        422 if problem else 200,
        checks=await view.state.checks(name),
        own=await view.state.do("show_carrier", name),
        problem=problem,
        sent_domain=view.asked.sent("domain") if problem else "",
    )


async def set_carrier(view: View, name: str) -> Answer:
    """Say what the checks of a domain find."""
    domain = view.asked.sent("domain").strip()
    answers = [it for it in view.asked.form.get("answer", []) if it]
    try:
        await view.state.do("set_carrier", name, body={"answers": answers} | ({"domain": domain} if domain else {}))
    except Refusal as refusal:
        return await carrier(view, name, sentence(refusal))
    return redirect(f"/environments/{name}/carrier?done=carrier")


async def clear_carrier(view: View, name: str) -> Answer:
    """Let a domain decide again."""
    await view.state.do("reset_carrier", name, domain=view.asked.sent("domain"))
    return redirect(f"/environments/{name}/carrier?done=cleared")


async def report(view: View, name: str) -> Answer:
    """Show the kit's last report."""
    try:
        found = await view.state.do("read_report", name)
    except ReportNotFound:
        found = None
    tones = {0: "good", 1: "bad"}
    return await view.environment_page(
        "report.html",
        name,
        "report",
        "Report",
        report=found,
        verdict_tone=tones.get(found["exit_code"], "warn") if found else "",
        upload=_upload(view, name),
    )


def _first_request(view: View) -> str:
    return (
        f"curl -sS -X POST {view.asked.origin}/api/v1/sip-trunks \\\n"
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  --data-raw {curl.body(_TRUNK)}"
    )


def _upload(view: View, name: str) -> str:
    return (
        "trunkcheck https://your-implementation.example/api/v1 --report json=report.json\n"
        f"curl -sS -X PUT {view.asked.origin}/_mock/environments/{name}/report \\\n"
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        "  --data-binary @report.json"
    )
