"""The life of a trunk: verify, activate, change, and lose the verification again; and what a health check tells.

Sources: the pages *Verify SIP Trunk*, *SIP Trunk Health*, *Update SIP Trunk*; *Create SIP Trunk*, notes.
"""

from conformance import expect
from conformance.client import Answer, NotJudged
from conformance.expect import Broken
from conformance.lab import Lab, path_of
from conformance.probes.lives import Life, is_yes
from conformance.rules import Level, Profile, rule, rule_for_each

VERIFY = "/paths/~1sip-trunks~1{trunk_id}~1verify/post"
HEALTH = "/paths/~1sip-trunks~1{trunk_id}~1health/get"
UPDATE = "/paths/~1sip-trunks~1{trunk_id}/put"
IS_ACTIVE = "/components/schemas/IsActive"


def want_inactive(*answers: Answer) -> None:
    """Want a trunk that is not active in every answer that tells."""
    for answer in answers:
        if answer.is_success and answer.member("is_active") not in (False, None):
            raise Broken(
                "is_active false", f"is_active {expect.show(answer.member('is_active'))}", *answers[:1], answer
            )


@rule(
    "activation.unverified.create",
    Level.DOCUMENTED,
    "A trunk cannot be created active: an unverified trunk is never active.",
    source="Create SIP Trunk, request body: is_active (“you must verify before activating”)",
    sends="POST /sip-trunks with is_active true, then GET",
    accepts="a 4xx, or a success in which is_active is false",
    contract=IS_ACTIVE,
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_trunk_is_not_created_active(lab: Lab) -> None:
    answer = lab.create(lab.body(is_active=True), tags=("odd",))
    if not answer.is_success:
        return
    read = lab.get(path_of(answer))
    lab.discard(answer)
    want_inactive(answer, read)


@rule(
    "activation.unverified.update",
    Level.DOCUMENTED,
    "An unverified trunk cannot be activated.",
    source="Create SIP Trunk, notes; Update SIP Trunk",
    sends="PUT with is_active true on an unverified trunk, then GET",
    accepts="a 4xx, or a success in which is_active is false",
    contract=IS_ACTIVE,
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_unverified_trunk_cannot_be_activated(unverified: Life) -> None:
    want_inactive(unverified.step("activate"), unverified.step("read after health"))


@rule(
    "health.members",
    Level.DOCUMENTED,
    "A health check tells is_healthy, response_time_ms and checked_at, and the error when there is one.",
    source="SIP Trunk Health, response",
    sends="GET /sip-trunks/{trunk_id}/health",
    accepts="200 with success true; response_time_ms a number, or null when nothing answered",
    contract=f"{HEALTH}/responses/200",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_health_has_the_documented_members(unverified: Life) -> None:
    _want_health(unverified.step("health"))


def _want_health(answer: Answer) -> None:
    expect.status_in(answer, (200,))
    if not isinstance(answer.json, dict) or answer.json.get("success") is not True:
        raise Broken(
            "success true",
            expect.show((answer.json or {}).get("success") if isinstance(answer.json, dict) else None),
            answer,
        )
    expect.members(answer, ("is_healthy", "response_time_ms", "checked_at"))
    healthy, duration = answer.member("is_healthy"), answer.member("response_time_ms")
    if not isinstance(healthy, bool):
        raise Broken("is_healthy true or false", expect.show(healthy), answer)
    if (not expect.has_type(duration, "number") and not (duration is None and not healthy)) or (duration or 0) < 0:
        raise Broken("a number of milliseconds", f"response_time_ms {expect.show(duration)}", answer)
    if not healthy and (not isinstance(answer.member("error"), str) or not answer.member("error")):
        raise Broken("an error, because it is unhealthy", expect.show(answer.member("error")), answer)


@rule(
    "health.checked-at.now",
    Level.DOCUMENTED,
    "checked_at is the time of the check, or of one a short while ago.",
    source="SIP Trunk Health, response",
    sends="GET /sip-trunks/{trunk_id}/health",
    accepts="a time within ten minutes of the Date header, or of the kit's clock",
    contract="/components/schemas/Health/properties/checked_at",
    needs=("health.members",),
)
def test_checked_at_is_the_time_of_the_check(unverified: Life) -> None:
    expect.is_now(unverified.step("health"), "checked_at")


@rule(
    "health.leaves-verification",
    Level.DOCUMENTED,
    "A health check does not change is_verified, neither way.",
    source="SIP Trunk Health",
    sends="Health of an unverified trunk and of a verified, active one, then GET",
    accepts="is_verified as it was; a verified trunk still active",
    contract=f"{HEALTH}/description",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_health_check_leaves_the_verification(unverified: Life, verified: Life) -> None:
    read = unverified.step("read after health")
    if read.is_success:
        expect.member_is(read, "is_verified", False, unverified.step("health"))
    before, after = verified.steps.get("activate"), verified.steps.get("read after health")
    if before and after and "health" in verified.steps and before.member("is_verified") is True and after.is_success:
        for name in ("is_verified", "is_active"):
            expect.member_is(after, name, before.member(name), before, verified.step("health"))


@rule(
    "verify.members",
    Level.DOCUMENTED,
    "A Verify that succeeds answers is_verified true, health_status healthy and last_health_check_at.",
    source="Verify SIP Trunk, response",
    sends="POST /sip-trunks/{trunk_id}/verify on a working domain",
    accepts="200 with success true and these members",
    contract="/components/schemas/VerifySucceeded",
    profile=Profile.QUICK,
    needs=("create.accepted",),
)
def test_successful_verify_has_the_documented_members(verified: Life) -> None:
    verified.step("read after verify")
    for answer in filter(None, (verified.step("verify"), verified.steps.get("verify again"))):
        expect.status_in(answer, (200,))
        if not isinstance(answer.json, dict) or answer.json.get("success") is not True:
            raise Broken("success true", "something else", answer)
        expect.member_is(answer, "is_verified", True)
        expect.member_is(answer, "health_status", "healthy")
        expect.is_now(answer, "last_health_check_at")


@rule(
    "verify.agrees-with-health",
    Level.DOCUMENTED,
    "Verify succeeds on a carrier that can be reached.",
    source="Verify SIP Trunk",
    sends="POST …/verify on the domain that was given as working and that Health finds healthy",
    accepts="200 with success true",
    contract=f"{VERIFY}/responses/200",
    needs=("create.accepted",),
)
def test_verify_succeeds_where_health_does(lab: Lab, unverified: Life, verified: Life) -> None:
    answer = verified.step("verify")
    if is_yes(answer):
        return
    if not lab.options.working_domain:
        raise NotJudged(verified.why)
    again = lab.verify(verified.path)
    health = lab.health(verified.path)
    healthy = [one.member("is_healthy") for one in (unverified.step("health"), health)]
    if healthy != [True, True] or is_yes(again):
        raise NotJudged(verified.why)
    raise Broken(
        "success true: the domain was given as working, and Health finds it healthy", _verify_said(again), health, again
    )


def _verify_said(answer: Answer) -> str:
    return f"{answer.status}, is_verified {expect.show(answer.member('is_verified'))}"


@rule(
    "verify.sets-verified",
    Level.DOCUMENTED,
    "After a Verify that succeeds, the trunk is verified and healthy, and stays so when it is verified again.",
    source="Verify SIP Trunk; Get SIP Trunk",
    sends="POST …/verify, then GET; once more",
    accepts="is_verified true, health_status healthy, last_health_check_at now",
    contract=f"{VERIFY}/description",
    profile=Profile.QUICK,
    needs=("verify.members",),
)
def test_verify_makes_the_trunk_verified(verified: Life) -> None:
    for answer in filter(None, (verified.step("read after verify"), verified.steps.get("read after name"))):
        read = expect.status_in(answer, (200,))
        if answer is verified.steps.get("read after name") and answer.member("is_verified") is False:
            continue  # the change of the name took it away: another rule judges that
        expect.member_is(read, "is_verified", True, verified.step("verify"))
        expect.member_is(read, "health_status", "healthy", verified.step("verify"))
        expect.is_now(read, "last_health_check_at")


@rule(
    "verify.does-not-activate",
    Level.DOCUMENTED,
    "Verify does not activate a trunk: that is a step of its own.",
    source="Create SIP Trunk, notes; Verify SIP Trunk",
    sends="POST …/verify on a trunk that is not active, then GET",
    accepts="is_active false",
    contract=f"{VERIFY}/description",
    needs=("verify.sets-verified",),
)
def test_verify_does_not_activate(verified: Life) -> None:
    expect.member_is(verified.step("read after verify"), "is_active", False, verified.step("verify"))


@rule(
    "activation.verified",
    Level.DOCUMENTED,
    "A verified trunk can be activated.",
    source="Create SIP Trunk, notes; Update SIP Trunk",
    sends="PUT with is_active true on a verified trunk, then GET",
    accepts="200, is_active true, is_verified still true",
    contract=IS_ACTIVE,
    profile=Profile.QUICK,
    needs=("verify.sets-verified",),
)
def test_verified_trunk_can_be_activated(verified: Life) -> None:
    expect.status_in(verified.step("activate"), (200,), verified.step("read after verify"))
    for answer in (verified.step("activate"), verified.step("read after health")):
        expect.member_is(answer, "is_active", True, verified.step("verify"))
        expect.member_is(answer, "is_verified", True, verified.step("verify"))


@rule(
    "activation.off",
    Level.DOCUMENTED,
    "An active trunk can be turned off.",
    source="Update SIP Trunk; Create SIP Trunk, request body: is_active",
    sends="PUT with is_active false on a verified, active trunk",
    accepts="200, is_active false",
    contract=IS_ACTIVE,
    needs=("activation.verified",),
)
def test_active_trunk_can_be_turned_off(verified: Life) -> None:
    answer = expect.status_in(verified.step("deactivate"), (200,), verified.step("activate"))
    expect.member_is(answer, "is_active", False, verified.step("activate"))


@rule_for_each(
    ("name", "provider_name", "is_active"),
    "update.{field}.keeps-verification",
    Level.DOCUMENTED,
    "A change of {field} leaves the verification alone.",
    source="Update SIP Trunk",
    sends="PUT with {field} on a verified trunk, then GET",
    accepts="is_verified true; still active, unless is_active was changed",
    contract=f"{UPDATE}/description",
    needs=("activation.verified",),
)
def test_change_of_a_label_keeps_the_verification(verified: Life, field: str) -> None:
    name = "deactivate" if field == "is_active" else field
    change, read = verified.step(name), verified.step(f"read after {name}")
    if not change.is_success:
        raise NotJudged(f"the update was refused ({expect.summary(change)})")
    if field == "name" and change.member("is_verified") is True and read.member("is_verified") is False:
        raise NotJudged("the refused update behind it took the verification away, which another rule judges")
    if field == "name" and change.member("is_active") is True and read.member("is_active") is False:
        raise NotJudged("the refused update behind it deactivated the trunk, which another rule judges")
    before = {"provider_name": "read after name", "is_active": "read after provider_name"}.get(field)
    if before and verified.step(before).member("is_verified") is not True:
        raise NotJudged("the trunk was no longer verified before the change")
    for answer in (change, read):
        expect.member_is(answer, "is_verified", True, change)
        expect.member_is(answer, "is_active", field != "is_active", change)


@rule(
    "list.verified-too",
    Level.DOCUMENTED,
    "The list has verified and active trunks too.",
    source="Authentication: what an environment is",
    sends="GET /sip-trunks, all its pages, while a trunk is verified and active",
    accepts="a list with it",
    contract="/paths/~1sip-trunks/get",
    needs=("activation.verified", "list.complete"),
)
def test_list_has_verified_trunks(verified: Life) -> None:
    if "listed" not in verified.steps:
        raise Broken("the verified trunk in the list", "it is not there", verified.step("read after name"))


@rule_for_each(
    ("domain", "transport", "username", "password"),
    "update.{field}.resets-verification",
    Level.DOCUMENTED,
    "A change of {field} takes the verification away.",
    source="Update SIP Trunk",
    sends="PUT with another {field} on a verified, active trunk, then GET; username also while it is not active",
    accepts="is_verified false",
    contract=f"{UPDATE}/description",
    profile=Profile.STANDARD,
    needs=("verify.sets-verified",),
)
def test_change_of_what_was_verified_resets_it(resets: Life, field: str) -> None:
    idle = resets.steps.get("username while inactive")
    if field == "username" and idle and idle.is_success:
        expect.member_is(idle, "is_verified", False)
    before, change, after = _reset(resets, field)
    for answer in (change, after):
        if answer.is_success:
            expect.member_is(answer, "is_verified", False, before, change)


def _reset(resets: Life, field: str) -> tuple[Answer, Answer, Answer]:
    change, before = resets.step(field), resets.step(f"before {field}")
    if before.member("is_verified") is not True:
        raise NotJudged("the trunk was not verified before the change")
    if not change.is_success:
        raise NotJudged(f"the update was refused ({expect.summary(change)})")
    return before, change, resets.step(f"after {field}")


@rule_for_each(
    ("domain", "transport", "username", "password"),
    "update.{field}.deactivates",
    Level.DOCUMENTED,
    "A trunk that loses its verification by a change of {field} is no longer active.",
    source="Create SIP Trunk: an unverified trunk is never active; Update SIP Trunk",
    sends="PUT with another {field} on a verified, active trunk, then GET",
    accepts="is_active false",
    contract=IS_ACTIVE,
    needs=("activation.verified",),
)
def test_trunk_that_loses_its_verification_is_not_active(resets: Life, field: str) -> None:
    before, change, after = _reset(resets, field)
    if before.member("is_active") is not True:
        raise NotJudged("the trunk was not active before the change")
    if after.member("is_verified") is True:
        raise NotJudged("the trunk did not lose its verification")
    for answer in (change, after):
        if answer.is_success:
            expect.member_is(answer, "is_active", False, before, change)


@rule(
    "activation.with-a-change",
    Level.DOCUMENTED,
    "A change that takes the verification away cannot activate the trunk in the same request.",
    source="Create SIP Trunk: an unverified trunk is never active; Update SIP Trunk",
    sends="PUT with another domain, transport, username and password and is_active true on a verified trunk, then GET",
    accepts="a 4xx that changes nothing, or a success in which is_verified and is_active are false",
    contract=IS_ACTIVE,
    needs=("activation.verified",),
)
def test_change_and_activation_in_one_request(resets: Life) -> None:
    change, after = resets.step("all and is_active"), resets.step("after all and is_active")
    before = resets.step("before all and is_active")
    if change.is_success:
        for answer in (change, after):
            for name in ("is_verified", "is_active"):
                expect.member_is(answer, name, False, before, change)
    elif change.is_refusal and after.is_success:
        for name in ("is_verified", "is_active"):
            expect.member_is(after, name, before.member(name), before, change)


@rule(
    "verify.failed.members",
    Level.DOCUMENTED,
    "A Verify that fails is an answer: success false, is_verified false, health_status unhealthy, and the error.",
    source="Verify SIP Trunk, response",
    sends="POST …/verify on a domain that fails",
    accepts="200 or 422 with these members in data",
    contract="/components/schemas/VerifyFailed",
    needs=("create.accepted",),
)
def test_failed_verify_has_the_documented_members(failing: Life) -> None:
    answer = expect.status_in(failing.step("verify"), (200, 422))
    if not isinstance(answer.json, dict) or answer.json.get("success") is not False:
        raise Broken("success false", "something else", answer)
    expect.member_is(answer, "is_verified", False)
    expect.member_is(answer, "health_status", "unhealthy")
    if not isinstance(answer.member("error"), str) or not answer.member("error"):
        raise Broken("an error in data", expect.show(answer.member("error")), answer)


@rule(
    "verify.failed.unverified",
    Level.DOCUMENTED,
    "After a Verify that fails, the trunk is unhealthy, and neither verified nor active.",
    source="Verify SIP Trunk",
    sends="POST …/verify on a domain that fails, GET; PUT with is_active true, GET",
    accepts="is_verified false, is_active false, health_status unhealthy",
    contract=f"{VERIFY}/description",
    needs=("verify.failed.members",),
)
def test_failed_verify_leaves_the_trunk_unverified(failing: Life) -> None:
    verify, read = failing.step("verify"), failing.step("read after verify")
    expect.member_is(read, "is_verified", False, verify)
    expect.member_is(read, "is_active", False, verify)
    expect.member_is(read, "health_status", "unhealthy", verify)
    want_inactive(failing.step("activate"), failing.step("read after activate"))


@rule(
    "verify.after-failure",
    Level.INFERRED,
    "A trunk whose Verify failed can be verified later.",
    source="The pages do not say so outright",
    sends="POST …/verify on a failing domain, PUT with a working one, POST …/verify",
    accepts="success true, is_verified true",
    contract=f"{VERIFY}/description",
    needs=("verify.failed.unverified", "verify.sets-verified"),
)
def test_trunk_can_be_verified_after_a_failure(failing: Life, verified: Life) -> None:
    verified.step("read after verify")
    expect.member_is(failing.step("verify back"), "is_verified", True, failing.step("verify"))


@rule(
    "health.unhealthy",
    Level.DOCUMENTED,
    "A health check of a trunk whose carrier fails says so, as a success with an error in it.",
    source="SIP Trunk Health, response",
    sends="GET …/health on a domain that fails",
    accepts="200, success true, is_healthy false with an error; a recent result from a cache is tolerated",
    contract="/components/schemas/Health",
    needs=("verify.failed.members", "health.members"),
)
def test_health_of_a_failing_domain(failing: Life) -> None:
    _want_health(failing.step("health"))
