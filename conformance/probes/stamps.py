"""Times of updates, judged by the server's own times of creates, whatever its clock and however coarse it is."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from conformance import expect
from conformance.client import FIRST, Answer
from conformance.expect import Broken
from conformance.lab import Lab, trunk_path
from conformance.listing import sent_name


def let_a_second_go_by(lab: Lab) -> None:
    """Wait until the first trunk of the run is a second old, where no update has moved an updated_at yet.

    What is created and changed behind it then shows whether any update does.
    """
    if not all(_moves(list(stamps(lab, method))) for method in ("PUT", "GET")):
        lab.client.pause(lab.baseline.received + 1.1 - time.time())


@dataclass
class Stamp:
    """An updated_at that was shown after an update, beside the server's own times of the creates before that update."""

    answer: Answer
    update: Answer
    shown: datetime
    created: Answer  # the create of the same trunk
    latest: Answer  # the last create that was answered before the update was sent

    def want_current(self) -> None:
        """Want it not to be before the latest create: by the server's clock alone, whole seconds, however coarse.

        One second is proof only where it did not move and the kit's own clock saw a second go by.
        """
        shown, made, latest = self.shown.replace(microsecond=0), _whole(self.created), _whole(self.latest)
        behind = (latest - shown).total_seconds()
        waited = self.update.received - self.update.duration_ms / 1000 - self.created.received
        stood_still = shown == made and waited >= 1
        if shown.second and behind >= (1 if stood_still else 2):  # a clock of whole minutes may be behind
            raise Broken(
                f"updated_at not before {latest:%Y-%m-%dT%H:%M:%SZ}, when an earlier create was answered",
                f"updated_at {expect.show(self.answer.member('updated_at'))}",
                self.latest,
                *([self.update] if self.update is not self.answer else []),
                self.answer,
            )


def _whole(created: Answer) -> datetime:
    moment = expect.timestamp(created.member("created_at"))
    return moment.replace(microsecond=0) if moment else datetime.max.replace(tzinfo=UTC)


def _moves(found: list[Stamp]) -> bool:
    """Tell whether any update moved updated_at, or there is none to look at."""
    first = [expect.timestamp(stamp.created.member("created_at")) for stamp in found]
    return not found or any(made and stamp.shown > made for stamp, made in zip(found, first, strict=True))


def stamps(lab: Lab, method: str) -> Iterator[Stamp]:
    """Give what the run's changes of a name answered, or what was read after them, in order."""
    creates: dict[str, Answer] = {}
    latest: Answer | None = None
    updates: dict[str, tuple[Answer, Answer]] = {}
    for answer in lab.client.answers:
        if not answer.is_success or answer.actor != FIRST or expect.says_no(answer):
            continue
        if answer.operation == "POST /sip-trunks" and expect.timestamp(answer.member("created_at")):
            creates[trunk_path(answer) or ""] = answer
            latest = answer if latest is None or _whole(answer) > _whole(latest) else latest
        elif answer.method == "PUT" and sent_name(answer) and not answer.tags and latest:  # another name: it did change
            updates[answer.path] = (answer, latest)
        shown = expect.timestamp(answer.member("updated_at"))
        if answer.method == method and shown and answer.path in creates and answer.path in updates:
            yield Stamp(answer, updates[answer.path][0], shown, creates[answer.path], updates[answer.path][1])
