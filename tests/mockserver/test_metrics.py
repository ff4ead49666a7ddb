"""`mockserver.metrics`: what the mock counts of itself."""

import subprocess
import sys

import httpx
import pytest
from clients import FIRST, SECOND, WITHOUT_FEATURE, Api, trunk
from prometheus_client.parser import text_string_to_metric_families

from mockserver.metrics import BOUNDS, Metrics, Times


def scrape(mock, **options):
    """Give the samples, by name and labels."""
    answer = httpx.get(f"{mock.root_url}/_mock/metrics", **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def grown(before, after):
    """Give the samples that differ, and by how much."""
    found = {name: value - before.get(name, 0) for name, value in after.items()}
    return {name: value for name, value in found.items() if value and "duration" not in name[0]}


def requests(operation, status, plan):
    return ("trunkmock_requests_total", ("operation", operation), ("plan", plan), ("status", str(status)))


def broken(rule):
    return ("trunkmock_contract_violations_total", ("rule", rule))


@pytest.fixture
def own(start_mock):
    """A mock that nobody else uses."""
    return start_mock()


def test_requests_are_counted_by_operation_status_and_plan(own):
    """Also those that are no operation, or nobody's."""
    before = scrape(own)
    with Api(own.base_url, FIRST) as api:
        path = api.create()
        api.get(path)
        api.get(path)
        api.get("/nothing")
    with Api(own.base_url, WITHOUT_FEATURE) as api:
        assert api.get("/sip-trunks").status_code == 403
    httpx.get(f"{own.base_url}/sip-trunks")
    httpx.get(f"{own.root_url}/openapi.json")
    found = {name: count for name, count in grown(before, scrape(own)).items() if "requests_total" in name[0]}
    assert found == {
        requests("create_sip_trunk", 201, "enterprise"): 1,
        requests("get_sip_trunk", 200, "enterprise"): 2,
        requests("none", 404, "none"): 1,
        requests("list_sip_trunks", 403, "standard"): 1,
        requests("list_sip_trunks", 401, "none"): 1,
        requests("outside", 200, "none"): 2,
    }


def test_latency_has_a_histogram_for_each_operation(own):
    """Each bucket counts what was not slower, and the last one all."""
    with Api(own.base_url) as api:
        for _ in range(3):
            api.create()
    found = scrape(own)
    operation = ("operation", "create_sip_trunk")
    name = "trunkmock_request_duration_seconds"
    buckets = [found[f"{name}_bucket", ("le", bound), operation] for bound in [*map(str, BOUNDS), "+Inf"]]
    assert buckets == sorted(buckets)
    assert buckets[-1] == found[f"{name}_count", operation] == 3
    assert 0 < found[f"{name}_sum", operation] < 3


def test_violations_are_counted_by_rule(own):
    """The same rules as the journal tells, a field's or the answer's; a made-up refusal breaks none."""
    with Api(own.base_url, SECOND) as api:
        api.post("/sip-trunks", json=trunk(name="x" * 256, port=70000))
        api.post("/sip-trunks", json=trunk(name=...))
        api.post("/sip-trunks", json=[])
        api.post("/sip-trunks", json=trunk(), headers={"Prefer": "code=422"})
        entries = httpx.get(f"{own.root_url}/_mock/journal", params={"environment": "second"}).json()["data"]
    told = [rule for entry in entries for broken in entry["broken"] for rule in broken["rules"]]
    found = {name: count for name, count in scrape(own).items() if "violations_total" in name[0]}
    assert found == {broken(rule): told.count(rule) for rule in told}
    assert found[broken("body.json.not-an-object")] == 1
    assert len(found) > 3


def test_scrape_sees_itself_in_flight_and_its_connection(own):
    """Gauges are those of the moment."""
    found = scrape(own)
    assert found["trunkmock_requests_in_flight",] == 1
    with httpx.Client() as other:
        other.get(f"{own.root_url}/openapi.json")
        assert scrape(own)["trunkmock_connections",] == 2


def test_metrics_are_guarded_like_the_other_controls(start_mock):
    """With a control token, only with it."""
    mock = start_mock("--control-token=s3cr3t")
    assert httpx.get(f"{mock.root_url}/_mock/metrics").status_code == 401
    assert scrape(mock, headers={"Authorization": "Bearer s3cr3t"})


def test_counts_of_several_processes_are_added():
    """What each has counted goes over as JSON."""
    here, there = Metrics(), Metrics(store=Times())
    for metrics, seconds in [(here, 0.002), (there, 0.2), (there, 20.0)]:
        metrics.count("verify_sip_trunk", 200, "standard", seconds)
        metrics.broken["verify_sip_trunk", 404, "NOT_FOUND", ""] += 1
    there.store.add(0.001)
    there.store.failures += 1
    here.others = lambda: [there.counted()]
    text = here.text(lambda broken: [f"rule.of.{broken[0]}"])[0].decode()
    for line in (
        'trunkmock_requests_total{operation="verify_sip_trunk",plan="standard",status="200"} 3.0',
        'trunkmock_request_duration_seconds_bucket{le="0.25",operation="verify_sip_trunk"} 2.0',
        'trunkmock_request_duration_seconds_count{operation="verify_sip_trunk"} 3.0',
        'trunkmock_contract_violations_total{rule="rule.of.verify_sip_trunk"} 3.0',
        "trunkmock_store_duration_seconds_count 1.0",
        "trunkmock_store_failures_total 1.0",
    ):
        assert f"{line}\n" in text


def test_prometheus_package_is_imported_only_for_a_scrape():
    """A mock that nobody scrapes does not wait for it."""
    code = "import sys, mockserver.__main__, mockserver.inprocess; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
