"""The operator's pages: all environments, and what may be done to each."""

from mockserver.environments import PLANS
from mockserver.errors import Refusal
from mockserver.ui.views import View, sentence
from mockserver.ui.web import Answer, redirect

_HEADINGS = {"rotate": "Rotate the token of", "suspend": "Suspend", "reset": "Reset", "delete": "Delete"}
_CONSEQUENCES = {
    "rotate": "Its token is refused from now on, and whoever signed in with it is signed out. The new one is shown "
    "once.",
    "suspend": "Its token is refused with 403, and whoever signed in with it is signed out, until you resume. "
    "Trunks and requests stay.",
    "reset": "Its trunks, numbers, requests and report are gone, and the carrier is as usual. The token stays.",
    "delete": "The environment, its token and all that is in it are gone for good.",
}


async def environments(view: View, problem: str | None = None) -> Answer:
    """Show all environments, and the form for a new one."""
    asked = view.asked
    return view.page(
        "environments.html",
        422 if problem else 200,
        overviews=await view.state.overviews(),
        plans=PLANS,
        problem=problem,
        sent={
            "name": asked.sent("name"),
            "plan": asked.sent("plan") or "standard",
            "requests_per_minute": asked.sent("requests_per_minute"),
            "allow": asked.method == "GET" or bool(asked.sent("allow_custom_sip_trunks")),
        },
    )


async def create(view: View) -> Answer:
    """Make an environment, and show its token."""
    asked = view.asked
    name, limit = asked.sent("name").strip(), asked.sent("requests_per_minute").strip()
    wanted = {
        "plan": asked.sent("plan"),
        "allow_custom_sip_trunks": bool(asked.sent("allow_custom_sip_trunks")),
        **({"name": name} if name else {}),
        **({"requests_per_minute": int(limit) if limit.isascii() and limit.isdigit() else limit} if limit else {}),
    }
    try:
        made = await view.state.do("create_environment", body=wanted)
    except Refusal as refusal:
        return await environments(view, sentence(refusal))
    return view.page("token.html", 201, name=made["name"], token=made["token"], heading="The environment is made")


async def manage(view: View, name: str) -> Answer:
    """Show what may be done to an environment."""
    scenarios = await view.state.do("list_scenarios")
    return await view.environment_page("manage.html", name, "manage", "Manage", scenarios=scenarios)


async def confirm(view: View, name: str, action: str, problem: str | None = None) -> Answer:
    """Ask before it is done."""
    return await view.environment_page(
        "confirm.html",
        name,
        "manage",
        _HEADINGS[action],
        422 if problem else 200,
        action=action,
        consequence=_CONSEQUENCES[action],
        problem=problem,
    )


async def act(view: View, name: str, action: str) -> Answer:
    """Do it."""
    if action == "rotate":
        token = (await view.state.do("rotate_token", name))["token"]
        return view.page("token.html", name=name, token=token, heading="The token is new")
    if action == "delete":
        if view.asked.sent("name").strip() != name:
            return await confirm(view, name, action, "That is not its name, so nothing was deleted.")
        await view.state.do("delete_environment", name)
        return redirect("/environments?done=deleted")
    if action == "reset":
        await view.state.do("reset_environment", name)
        return redirect(f"/environments/{name}/manage?done=reset")
    await view.state.do("change_environment", name, body={"is_suspended": action == "suspend"})
    return redirect(f"/environments/{name}/manage?done={'suspended' if action == 'suspend' else 'resumed'}")


async def scenario(view: View, name: str) -> Answer:
    """Start a scenario, or end it."""
    if view.asked.sent("end"):
        await view.state.do("end_scenario", name)
        return redirect(f"/environments/{name}/manage?done=ended")
    await view.state.do("start_scenario", name, body={"name": view.asked.sent("scenario")})
    return redirect(f"/environments/{name}/manage?done=started")
