"""What every view gets, and how an environment's page is made of it."""

from dataclasses import dataclass
from typing import Any

from mockserver.control import Control
from mockserver.errors import FieldsRefused, Refusal
from mockserver.journal import NOBODY
from mockserver.ui import pages
from mockserver.ui.reasons import Reasons
from mockserver.ui.sessions import Session
from mockserver.ui.state import State
from mockserver.ui.web import BASE, Answer, Asked

NOTICES = {
    "carrier": "The carrier answers as you said.",
    "cleared": "Domains decide again.",
    "deleted": "The environment is gone.",
    "ended": "The scenario is over.",
    "reset": "The environment is as it was at its start.",
    "resumed": "The token is good again.",
    "started": "The scenario is on.",
    "suspended": "The token is refused until you resume.",
}
_TABS = [("requests", "Requests"), ("trunks", "Trunks"), ("carrier", "Carrier"), ("report", "Report")]


@dataclass(frozen=True, slots=True)
class View:
    """A request of somebody who may make it, and all that it takes to answer."""

    asked: Asked
    session: Session
    form_token: str
    state: State
    reasons: Reasons
    control: Control

    def page(self, template: str, status: int = 200, **values: Any) -> Answer:
        """Give a page."""
        notice = NOTICES.get(self.asked.query.get("done", ""))
        return pages.render(status, template, self.form_token, session=self.session, notice=notice, **values)

    async def environment_page(
        self, template: str, name: str, tab: str, heading: str, status: int = 200, **values: Any
    ) -> Answer:
        """Give a page of an environment, under its head and tabs."""
        tabs = [*_TABS, ("manage", "Manage")] if self.session.is_operator else _TABS
        return self.page(
            template,
            status,
            head=await self.state.head(name),
            here=f"{BASE}/environments/{name}",
            tab=tab,
            tabs=tabs if name != NOBODY else [],
            heading=heading,
            **values,
        )

    def number(self) -> int:
        """Give the number of the page that is asked for."""
        text = self.asked.query.get("page", "1")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def sentence(refusal: Refusal) -> str:
    """Say what is wrong with a form."""
    if isinstance(refusal, FieldsRefused):
        return "; ".join(says[0].upper() + says[1:] for (says, *_) in refusal.errors.values()) + "."
    return refusal.message
