"""Authentication: every operation needs the token of an environment, and the plan of that environment the feature.

Sources: the page *Authentication*; *Create SIP Trunk*, request headers and the note on plans; RFC 6750 and RFC 9110,
section 11.
"""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

from conformance import expect
from conformance.client import FIRST, NO_PLAN, NOBODY, Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import TRUNKS, Lab
from conformance.listing import sent_name
from conformance.rules import Level, Profile, rule

SCHEME = "/components/securitySchemes/bearerAuth"
UNAUTHENTICATED = "/components/responses/Unauthenticated"


def operations(lab: Lab, **how: Any) -> Iterator[Callable[[], Answer]]:
    """Give each of the ten operations as a function that sends it, on the run's main trunk where it needs one."""
    path = lab.main
    ghost = path.rsplit("/", 1)[-1]
    yield lambda: lab.create(**how)
    yield lambda: lab.client.send("GET", TRUNKS, operation="GET /sip-trunks", **how)
    yield lambda: lab.get(path, **how)
    yield lambda: lab.update(path, {"name": lab.name(), "password": lab.canaries.password()}, **how)
    yield lambda: lab.verify(path, **how)
    yield lambda: lab.health(path, **how)
    yield lambda: lab.dids(path, **how)
    yield lambda: lab.add_did(path, {"country_code": "US", "number": lab.number()}, **how)
    yield lambda: lab.delete_did(f"{path}/dids/{ghost}", **how)
    yield lambda: lab.client.send("DELETE", path, operation="DELETE /sip-trunks/{trunk_id}", **how)


def refuse_credentials(lab: Lab, answer: Answer, label: str) -> None:
    """Want 401."""
    if answer.status >= 500:
        return
    if answer.status != 401:
        lab.discard(answer)
        raise Broken(
            "401", expect.summary(answer), answer, control=lab.controls.get("create"), sent=f"{answer.where}, {label}"
        )


def unknown_token(lab: Lab) -> str:
    """Give a token of the right form that names no environment, in the shape of the real one."""
    token = lab.client.token(FIRST)
    turned = token[5:].translate(
        str.maketrans("abcdefghijklmnopqrstuvwxyz0123456789", "nopqrstuvwxyzabcdefghijklm5678901234")
    )
    return lab.canaries.conceal(f"talq_{turned[::-1]}", "talq_that_names_no_environment")


@rule(
    "auth.required",
    Level.DOCUMENTED,
    "Every operation needs a token.",
    source="Authentication; Create SIP Trunk, request headers",
    sends="all ten operations without Authorization (quick: create, update and delete), then GET of the trunk",
    accepts="401, and nothing changed",
    contract=UNAUTHENTICATED,
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_every_operation_needs_a_token(lab: Lab) -> None:
    sends = [*operations(lab, actor=NOBODY, authorization=None, tags=("negative",))]
    for send in (sends[0], sends[3], sends[-1]) if lab.brief else sends:
        refuse_credentials(lab, send(), "no Authorization")
    if not lab.wants("auth.unknown-token"):
        unchanged(lab)


def unchanged(lab: Lab) -> None:
    """Want nothing of what was sent without a valid token to have come about on the main trunk."""
    after = lab.get(lab.main)
    refused = [one for one in lab.client.answers if one.actor == NOBODY and one.path.startswith(lab.main)]
    if after.status == 404:
        raise Broken("the trunk still there", "404", *refused[-1:], after)
    for answer in refused:
        if (name := sent_name(answer)) and after.member("name") == name:
            raise Broken("the name as it was", "the name that was sent without a valid token", answer, after)
    if after.is_success and after.member("is_verified") is True:
        verify = next((one for one in refused if one.path.endswith("/verify")), after)
        raise Broken("is_verified false", "is_verified true", verify, after)


@rule(
    "auth.unknown-token",
    Level.DOCUMENTED,
    "A token that names no environment is refused by every operation.",
    source="Authentication",
    sends="create, read, update and delete with a token of the right form that was never issued; deep: all operations",
    accepts="401, and nothing changed",
    contract=UNAUTHENTICATED,
    needs=("create.accepted",),
)
def test_unknown_token_is_refused(lab: Lab) -> None:
    sends = [*operations(lab, actor=NOBODY, authorization=f"Bearer {unknown_token(lab)}", tags=("negative",))]
    # All ten are asked without any token, by another rule.
    for send in lab.cases((sends[0], sends[2], sends[3], sends[-1]), (sends[1], *sends[4:-1])):
        refuse_credentials(lab, send(), "an unknown token")
    unchanged(lab)


def _list_with(lab: Lab, authorization: str, *headers: tuple[str, str]) -> Answer:
    return lab.client.send(
        "GET",
        TRUNKS,
        actor=NOBODY,
        authorization=authorization,
        operation="GET /sip-trunks",
        headers=headers,
        tags=("negative",),
    )


@rule(
    "auth.whole-token",
    Level.DOCUMENTED,
    "The whole token must be right, letter case and all.",
    source="Authentication",
    sends="GET /sip-trunks with the token cut short, with more behind it, in other letter case",
    accepts="401",
    contract=UNAUTHENTICATED,
    needs=("create.accepted",),
)
def test_almost_right_token_is_refused(lab: Lab) -> None:
    token = lab.client.token(FIRST)
    last = "a" if token[-1] != "a" else "b"
    cases = {
        "the token without its last character": token[:-1],
        "the token with a character more": token + "x",
    }
    if lab.options.profile.includes(Profile.DEEP):
        cases["the token with another first character"] = "talq_" + ("a" if token[5:6] != "a" else "b") + token[6:]
        cases["nothing behind talq_"] = "talq_"
        cases["the token with another last character"] = token[:-1] + last
    if token[5:].swapcase() != token[5:]:
        cases["the token in other letter case"] = "talq_" + token[5:].swapcase()
    known = {lab.client.token(actor) for actor in (FIRST, "other", NO_PLAN) if lab.client.has(actor)}
    for label, wrong in cases.items():
        if wrong not in known:
            refuse_credentials(lab, _list_with(lab, f"Bearer {wrong}"), label)


@rule(
    "auth.blank",
    Level.DOCUMENTED,
    "A blank Authorization is refused.",
    source="Authentication",
    sends='GET /sip-trunks with an empty Authorization and with "Bearer" alone',
    accepts="401",
    contract=UNAUTHENTICATED,
    needs=("create.accepted",),
)
def test_blank_credentials_are_refused(lab: Lab) -> None:
    for value in ("", "Bearer"):
        refuse_credentials(lab, _list_with(lab, value), f"Authorization {expect.show(value)}")


@rule(
    "auth.other-scheme",
    Level.DOCUMENTED,
    "Only the scheme Bearer is taken.",
    source="Create SIP Trunk, request headers",
    sends="GET /sip-trunks with the token as Basic, Token, and without a scheme",
    accepts="401",
    contract=SCHEME,
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_other_scheme_is_refused(lab: Lab) -> None:
    token = lab.client.token(FIRST)
    basic = base64.b64encode(f"{token}:".encode()).decode()
    for label, value in (("Token", f"Token {token}"), ("Basic", f"Basic {basic}"), ("no scheme", token))[
        : 1 if lab.brief else 3
    ]:
        refuse_credentials(lab, _list_with(lab, value), f"the token with {label}")


@rule(
    "auth.prefix",
    Level.DOCUMENTED,
    "A token starts with talq_.",
    source="Create SIP Trunk, request headers",
    sends="GET /sip-trunks with the token without talq_",
    accepts="401",
    contract=SCHEME,
    needs=("create.accepted",),
)
def test_token_without_prefix_is_refused(lab: Lab) -> None:
    token = lab.client.token(FIRST)
    if not token.startswith("talq_"):
        raise NotJudged("the token that was given does not start with talq_")
    for label, wrong in lab.cases(
        (("without talq_", token[5:]),), (("with talk_", "talk_" + token[5:]), ("with TALQ_", "TALQ_" + token[5:]))
    ):
        refuse_credentials(lab, _list_with(lab, f"Bearer {wrong}"), f"the token {label}")


@rule(
    "auth.scheme-letter-case",
    Level.STANDARD,
    "The letter case of the scheme does not matter.",
    source="RFC 9110, section 11.1",
    sends="GET /sip-trunks with bearer; deep: with BEARER",
    accepts="200",
    contract=SCHEME,
    needs=("create.accepted",),
)
def test_scheme_in_other_letter_case_is_accepted(lab: Lab) -> None:
    token = lab.client.token(FIRST)
    for scheme in lab.cases(("bearer",), ("BEARER",)):
        answer = lab.client.send("GET", TRUNKS, operation="GET /sip-trunks", authorization=f"{scheme} {token}")
        if answer.status == 401:
            control = lab.control("first")
            raise Broken("200", expect.summary(answer), answer, control=control, sent=f"GET /sip-trunks, {scheme}")


@rule(
    "auth.challenge",
    Level.STANDARD,
    "A 401 says with WWW-Authenticate how to authenticate.",
    source="RFC 9110, section 15.5.2",
    sends="every request of the run that was answered 401",
    accepts="a header WWW-Authenticate with a challenge of Bearer among others",
    contract="/components/headers/WwwAuthenticate",
    profile=Profile.QUICK,
)
def test_401_has_a_challenge(lab: Lab) -> None:
    seen = [one for one in lab.client.answers if one.status == 401]
    seen = seen or [_list_with(lab, "Bearer talq_unknown")]
    for answer in seen:
        challenges = ",".join(value for name, value in answer.headers if name.lower() == "www-authenticate")
        if answer.status == 401 and not re.search(r"(?:^|[\s,])bearer(?:$|[\s,])", challenges, re.IGNORECASE):
            raise Broken("WWW-Authenticate: Bearer", challenges or "none", answer)


@rule(
    "auth.before-body",
    Level.INFERRED,
    "Credentials are judged before the body.",
    source="The pages are silent; what is in a body concerns nobody unknown",
    sends="POST /sip-trunks with an unknown token and with bad bodies",
    accepts="401",
    contract=f"{SCHEME}/description",
    profile=Profile.DEEP,
    needs=("create.accepted",),
)
def test_credentials_come_before_the_body(lab: Lab) -> None:
    credentials = f"Bearer {unknown_token(lab)}"
    for body in lab.cases((lab.body(port=0),), (b'{"name": ',)):
        answer = lab.create(body, actor=NOBODY, authorization=credentials, tags=("negative",))
        refuse_credentials(lab, answer, "an unknown token and a bad body")


@rule(
    "plan.required",
    Level.DOCUMENTED,
    "An environment whose plan lacks custom SIP trunks cannot use them.",
    source="Create SIP Trunk: allow_custom_sip_trunks",
    sends="POST and GET /sip-trunks with the token of an environment without the feature",
    accepts="a 4xx",
    contract="/components/responses/FeatureNotAvailable",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_plan_without_the_feature_is_refused(lab: Lab) -> None:
    for answer in _without_plan(lab):
        lab.discard(answer)
        if answer.is_success and not expect.says_no(answer):
            raise Broken("403 or 402", expect.summary(answer), answer, control=lab.controls.get("create"))


def _without_plan(lab: Lab) -> list[Answer]:
    create = lab.create(actor=NO_PLAN, tags=("negative", "no-plan"))
    if lab.brief:
        return [create]
    listing = lab.client.send("GET", TRUNKS, actor=NO_PLAN, operation="GET /sip-trunks", tags=("negative", "no-plan"))
    if create.status == listing.status == 401:
        raise NotJudged("the token without the feature was not accepted at all (401)")
    return [create, listing]


@rule(
    "plan.status",
    Level.INFERRED,
    "A plan without the feature is answered 403 or 402.",
    source="The pages do not give the status",
    sends="POST /sip-trunks with the token of an environment without the feature",
    accepts="403 or 402",
    contract="/components/responses/FeatureNotAvailable",
    needs=("plan.required",),
)
def test_plan_without_the_feature_has_its_status(lab: Lab) -> None:
    seen = [one for one in lab.client.answers if "no-plan" in one.tags and one.status != 429]
    for answer in seen or _without_plan(lab):
        if answer.is_refusal:
            expect.status_in(answer, (403, 402))
