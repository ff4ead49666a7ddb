"""The whole mock beside a plain-dict model: whatever the order of requests, both give the same answers."""

import itertools

import pytest
from clients import FIRST, GONE, SECOND, Api, trunk
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

TOKENS = {"first": FIRST, "second": SECOND}
CONNECTION = {"domain", "transport", "username", "password", "port", "outbound_proxy", "auth_realm"}
DEFAULT_PORTS = {"tls": 5061, "udp": 5060, "tcp": 5060}
DOMAINS = {
    "sip.carrier.example": None,
    "SIP.other.example": None,
    "auth-fail.carrier.example": "Authentication failed (401)",
    "x-timeout.example": "Connection timeout",
    "unreachable.carrier.example": "Host unreachable",
    "tls-error.carrier.example": "TLS handshake failed",
    "flaky-2.carrier.example": 2,
}
TIMES = {"created_at", "updated_at", "last_health_check_at"}

good = {
    "name": st.sampled_from(["Primary — US", "b", "é" * 255]),
    "provider_name": st.sampled_from(["carrier-x", "carrier-y"]),
    "domain": st.sampled_from(sorted(DOMAINS)),
    "username": st.sampled_from(["user_42", "user_43"]),
    "password": st.sampled_from(["secret-password", "pä§§"]),
    "port": st.integers(1, 65535),
    "transport": st.sampled_from(["tls", "udp", "tcp"]),
    "outbound_proxy": st.sampled_from([None, "proxy.example"]),
    "auth_realm": st.sampled_from([None, "realm"]),
    "is_active": st.booleans(),
}
bad = {
    "name": st.sampled_from(["", "a" * 256, 1]),
    "domain": st.sampled_from(["a b", "sip.carrier.example\n", None]),
    "port": st.sampled_from([0, 65536, True, "5061", 5061.5]),
    "transport": st.sampled_from(["TLS", "", None]),
    "is_active": st.sampled_from([1, "true", None]),
    "password": st.sampled_from(["", None, 1]),
}
changes = st.fixed_dictionaries({}, optional=good)
ignored = st.fixed_dictionaries({}, optional={"is_verified": st.just(True), "id": st.just(GONE), "x": st.just([1])})
environments = st.sampled_from(sorted(TOKENS))
numbers = st.sampled_from(["+12025550123", "+12025550124", "+442079460958"])


class Model:
    """What one environment has, by the contract's words, in dicts."""

    def __init__(self):
        self.trunks = {}

    def create(self, sent):
        if sent.get("is_active"):
            return None
        transport = sent.get("transport", "tls")
        fields = {"outbound_proxy": None, "auth_realm": None, "transport": transport, "is_active": False}
        fields |= {
            "port": DEFAULT_PORTS[transport],
            "is_verified": False,
            "health_status": None,
            "checks": 0,
            "dids": {},
        }
        return fields | sent

    def update(self, it, sent):
        is_verified = it["is_verified"] and not sent.keys() & CONNECTION
        if sent.get("is_active") and not is_verified:
            return False
        it |= sent | {"is_verified": is_verified}
        it["is_active"] = it["is_active"] and is_verified
        if "domain" in sent:
            it["checks"] = 0
        return True

    def check(self, it):
        error = DOMAINS[it["domain"]]
        if isinstance(error, int):
            error = "Service unavailable (503)" if it["checks"] < error else None
        it["checks"] += 1
        it["health_status"] = "unhealthy" if error else "healthy"
        return error

    def has(self, number):
        return any(number == it for trunk in self.trunks.values() for it in trunk["dids"].values())


def told(trunk_id, it):
    """Give what a read shows of a trunk of the model, but for the times."""
    return {"id": trunk_id} | {name: value for name, value in it.items() if name not in ("password", "checks", "dids")}


def timeless(data):
    return {name: value for name, value in data.items() if name not in TIMES}


class MockBesideModel(RuleBasedStateMachine):
    """Steps that are taken on both; after each, both lists are compared."""

    apis = None  # by environment

    trunks = Bundle("trunks")
    dids = Bundle("dids")

    def __init__(self):
        super().__init__()
        self.models = {name: Model() for name in TOKENS}
        for api in self.apis.values():
            empty(api)

    def ask(self, environment, method, path, status, code=None, **options):
        """Send a request, see that status and code are the model's, and give the answer's `data`."""
        answer = self.apis[environment].request(method, path, **options)
        envelope = answer.json()
        assert (answer.status_code, envelope.get("code")) == (status, code), answer.text
        return envelope.get("data")

    def known(self, environment, trunk_id):
        return self.models[environment].trunks.get(trunk_id)

    @rule(target=trunks, environment=environments, sent=changes, extra=ignored)
    def create(self, environment, sent, extra):
        model, sent = self.models[environment], trunk() | sent
        it = model.create(sent)
        if it is None:
            self.ask(environment, "POST", "/sip-trunks", 422, "TRUNK_NOT_VERIFIED", json=sent | extra)
            return multiple()
        data = self.ask(environment, "POST", "/sip-trunks", 201, json=sent | extra)
        model.trunks[data["id"]] = it
        assert timeless(data).items() <= told(data["id"], it).items()
        return data["id"]

    @rule(environment=environments, sent=st.fixed_dictionaries({}, optional=bad).filter(bool))
    def create_badly(self, environment, sent):
        self.ask(environment, "POST", "/sip-trunks", 422, "VALIDATION_ERROR", json=trunk() | sent)

    @rule(environment=environments, trunk_id=trunks, sent=changes, extra=ignored)
    def update(self, environment, trunk_id, sent, extra):
        path, it = f"/sip-trunks/{trunk_id}", self.known(environment, trunk_id)
        if it is None:
            self.ask(environment, "PUT", path, 404, "TRUNK_NOT_FOUND", json=sent | extra)
        elif self.models[environment].update(it, sent):
            data = self.ask(environment, "PUT", path, 200, json=sent | extra)
            assert timeless(data) == told(trunk_id, it)
        else:
            self.ask(environment, "PUT", path, 422, "TRUNK_NOT_VERIFIED", json=sent | extra)

    @rule(
        environment=environments,
        trunk_id=trunks,
        sent=changes,
        wrong=st.fixed_dictionaries({}, optional=bad).filter(bool),
    )
    def update_badly(self, environment, trunk_id, sent, wrong):
        self.ask(environment, "PUT", f"/sip-trunks/{trunk_id}", 422, "VALIDATION_ERROR", json=sent | wrong)

    @rule(environment=environments, trunk_id=trunks)
    def verify(self, environment, trunk_id):
        path, it = f"/sip-trunks/{trunk_id}/verify", self.known(environment, trunk_id)
        if it is None:
            self.ask(environment, "POST", path, 404, "TRUNK_NOT_FOUND")
            return
        error = self.models[environment].check(it)
        it["is_verified"] = error is None
        it["is_active"] = it["is_active"] and it["is_verified"]
        data = self.ask(environment, "POST", path, 200)
        expected = {"is_verified": it["is_verified"], "health_status": it["health_status"]}
        assert timeless(data) == (expected | {"error": error} if error else expected)

    @rule(environment=environments, trunk_id=trunks)
    def verify_and_activate(self, environment, trunk_id):
        self.verify(environment, trunk_id)
        self.update(environment, trunk_id, {"is_active": True}, {})

    @rule(environment=environments, trunk_id=trunks)
    def health(self, environment, trunk_id):
        path, it = f"/sip-trunks/{trunk_id}/health", self.known(environment, trunk_id)
        if it is None:
            self.ask(environment, "GET", path, 404, "TRUNK_NOT_FOUND")
            return
        error = self.models[environment].check(it)
        data = self.ask(environment, "GET", path, 200)
        assert (data["is_healthy"], data.get("error")) == (error is None, error)

    @rule(target=dids, environment=environments, trunk_id=trunks, number=numbers)
    def add_did(self, environment, trunk_id, number):
        path, it = f"/sip-trunks/{trunk_id}/dids", self.known(environment, trunk_id)
        sent = {"number": number, "country_code": "US"}
        if it is None:
            self.ask(environment, "POST", path, 404, "TRUNK_NOT_FOUND", json=sent)
        elif self.models[environment].has(number):
            self.ask(environment, "POST", path, 409, "DID_ALREADY_EXISTS", json=sent)
        else:
            data = self.ask(environment, "POST", path, 201, json=sent)
            it["dids"][data["id"]] = number
            return data["id"]
        return multiple()

    @rule(environment=environments, trunk_id=trunks, number=st.sampled_from(["12025550123", "+0", "", None]))
    def add_did_badly(self, environment, trunk_id, number):
        sent = {"number": number, "country_code": "US"}
        self.ask(environment, "POST", f"/sip-trunks/{trunk_id}/dids", 422, "VALIDATION_ERROR", json=sent)

    @rule(environment=environments, trunk_id=trunks, did_id=consumes(dids))
    def delete_did(self, environment, trunk_id, did_id):
        path, it = f"/sip-trunks/{trunk_id}/dids/{did_id}", self.known(environment, trunk_id)
        if it is None:
            self.ask(environment, "DELETE", path, 404, "TRUNK_NOT_FOUND")
        elif it["dids"].pop(did_id, None) is None:
            self.ask(environment, "DELETE", path, 404, "DID_NOT_FOUND")
        else:
            self.ask(environment, "DELETE", path, 200)

    @rule(environment=environments, trunk_id=trunks)
    def delete(self, environment, trunk_id):
        path, it = f"/sip-trunks/{trunk_id}", self.known(environment, trunk_id)
        if it is None:
            self.ask(environment, "DELETE", path, 404, "TRUNK_NOT_FOUND")
        elif it["dids"]:
            self.ask(environment, "DELETE", path, 409, "TRUNK_HAS_DIDS")
        else:
            self.ask(environment, "DELETE", path, 200)
            del self.models[environment].trunks[trunk_id]

    @invariant()
    def both_have_the_same(self):
        for environment, model in self.models.items():
            listed = self.ask(environment, "GET", "/sip-trunks", 200)
            assert [timeless(it) for it in listed] == [told(trunk_id, it) for trunk_id, it in model.trunks.items()]
            for trunk_id, it in itertools.islice(model.trunks.items(), 3):
                dids = self.ask(environment, "GET", f"/sip-trunks/{trunk_id}/dids", 200)
                assert {did["id"]: did["number"] for did in dids} == it["dids"]


def empty(api):
    """Delete everything that an environment has."""
    for it in api.get("/sip-trunks").json()["data"]:
        path = f"/sip-trunks/{it['id']}"
        for did in api.get(f"{path}/dids").json()["data"]:
            api.delete(f"{path}/dids/{did['id']}")
        assert api.delete(path).status_code == 200


@pytest.mark.parametrize("half", [1, 2])
def test_mock_and_model_agree_whatever_the_order_of_requests(start_mock, half):
    """Creates, updates, verifies, DIDs and deletes in two environments; half of the examples on each worker."""
    mock = start_mock("--log-level=warning")
    with Api(mock.base_url, FIRST) as first, Api(mock.base_url, SECOND) as second:
        MockBesideModel.apis = {"first": first, "second": second}
        run_state_machine_as_test(
            MockBesideModel,
            settings=settings(
                max_examples=15,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert mock.stop() == 0
    assert "Traceback" not in mock.log.read_text("utf-8")
