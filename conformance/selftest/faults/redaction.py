"""Faults in redaction: ways in which a password comes back."""

import base64
import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from conformance.selftest.catalogue import after, fault, refusals, shown
from conformance.selftest.miniature import Answer, Api, Request


def leaks(api: Api, operation: str, turn: Callable[[str], str]) -> None:
    """Add a member to what an operation shows that is made of the password."""

    def leak(request: Request, answer: Answer) -> None:
        trunk = api.trunks.get(request.trunk_id) or (
            api.trunks.get(answer.data[0].get("id", "")) if answer.data else None
        )
        if answer.status < 300 and trunk:
            for entry in answer.data:
                entry["hint"] = turn(str(trunk["password"]))

    after(api, operation, leak)


def _base64(password: str) -> str:
    return base64.b64encode(f"user:{password}".encode()).decode()


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


FORMS: tuple[tuple[str, str, str, Callable[[str], str]], ...] = (
    ("read-tells-the-end", "A read tells the last six characters of the password.", "read", lambda one: one[-6:]),
    ("read-tells-the-start", "A read tells the first six characters of the password.", "read", lambda one: one[:6]),
    ("health-tells-base64", "A health check tells the password in base64.", "health", _base64),
    ("verify-tells-a-digest", "Verify tells the password's SHA-256.", "verify", _digest),
)
for name, says, operation, turn in FORMS:
    also = ["redaction.twins"] if operation == "read" else []
    fault("redaction.password", also=also, name=name, says=says)(partial(leaks, operation=operation, turn=turn))


@fault("redaction.password")
def parser_quotes(api: Api) -> None:
    """The message about broken JSON quotes the body."""

    def quote(request: Request, answer: Answer) -> None:
        if answer.status == 400:
            answer.document["message"] = f"Not JSON: {request.body[:2000].decode('latin-1')}"

    refusals(api, quote)


@fault("redaction.password")
def errors_quote_a_bad_password(api: Api) -> None:
    """An error about a password of the wrong type quotes it."""

    def quote(request: Request, answer: Answer) -> None:
        if "password" in answer.document.get("errors", {}):
            answer.document["errors"]["password"] = [f"{json.dumps(request.fields.get('password'))} is bad"]

    refusals(api, quote)


@fault("redaction.password")
def foreign_update_is_quoted(api: Api) -> None:
    """The answer to an update of another environment's trunk has the body in a header."""

    def quote(request: Request, answer: Answer) -> None:
        if request.operation == "update" and answer.status == 404 and request.environment == "other":
            answer.headers["X-Rejected"] = request.body.decode("latin-1").replace("\n", " ")

    refusals(api, quote)


@fault("redaction.token")
def token_in_a_header(api: Api) -> None:
    """A read has the token in a header."""
    after(
        api,
        "read",
        lambda request, answer: answer.headers.update({"X-Caller": request.token}) if answer.status == 200 else None,
    )


@fault("redaction.no-member")
def password_is_null(api: Api) -> None:
    """A read has a member password that is null."""
    shown(api, "read", lambda trunk: trunk.update(password=None))


@fault("redaction.no-member")
def password_is_masked(api: Api) -> None:
    """The list has a member password that is always ***."""
    shown(api, "list", lambda trunk: trunk.update(password="***"))  # noqa: S106 - what a server would show


@fault("redaction.twins")
def password_length(api: Api) -> None:
    """A read tells how long the password is."""
    leaks(api, "read", lambda password: "*" * len(password))


@fault("redaction.twins")
def fingerprint(api: Api) -> None:
    """The answer to a create has an ETag that is made of the password."""

    def tag(request: Request, answer: Answer) -> None:
        if answer.status == 201:
            seal = hashlib.blake2b(f"v1/{request.fields['password']}".encode(), digest_size=6).hexdigest()
            answer.headers["ETag"] = f'"{seal}"'

    after(api, "create", tag)


@fault("redaction.twins")
def strength(api: Api) -> None:
    """An error about other fields tells how strong the password is."""

    def score(request: Request, answer: Answer) -> None:
        password: Any = request.fields.get("password")
        if answer.document.get("errors") and isinstance(password, str):
            answer.document["strength"] = len(set(password))

    refusals(api, score)


@fault("redaction.twins")
def list_tells_the_last_letter(api: Api) -> None:
    """The list tells the last character of each password, behind a mask."""
    shown(api, "list", lambda trunk: trunk.update(note=f"***{api.trunks[trunk['id']]['password'][-1:]}"))
