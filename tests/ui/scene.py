"""Something for each page to show: what a client that is half done would have sent."""

import httpx

DESKTOP, PHONE = {"width": 1200, "height": 800}, {"width": 360, "height": 740}
COLOURS = ["light", "dark"]

TRUNK = {
    "name": "Primary Carrier — US",
    "provider_name": "carrier-x",
    "domain": "sip.carrier-x.example",
    "username": "user_42",
    "password": "s3cret-of-the-scene",
    "transport": "tls",
}
RULES = [
    {
        "id": "create.name.max-length",
        "level": "documented",
        "says": "A name has at most 255 characters.",
        "source": "Create SIP Trunk, request body: name",
        "verdict": "fail",
        "findings": [
            {
                "sent": "POST /sip-trunks, name of 256 characters",
                "expected": "400 or 422",
                "actual": "201",
                "exchanges": [
                    {"curl": 'curl -sS -i -X POST "$BASE/sip-trunks" \\\n  -H "Authorization: Bearer $TOKEN"'}
                ],
            }
        ],
    },
    {
        "id": "update.transport.keeps-port",
        "level": "documented",
        "says": "Changing transport alone leaves port as it is.",
        "source": "Update SIP Trunk",
        "verdict": "warn",
        "findings": [{"sent": "PUT with transport udp", "expected": "port 5061", "actual": "port 5060"}],
    },
]
REPORT = {
    "schema": 1,
    "target": "https://staging.partner.example/api/v1",
    "profile": "standard",
    "strict": True,
    "started": "2026-01-31T12:00:00Z",
    "seconds": 3.2,
    "requests": 301,
    "verdict": "Does not conform",
    "exit_code": {"number": 1, "word": "broken"},
    "counts": {"rules": 189, "judged": 188, "pass": 186, "warn": 1, "fail": 1, "not_judged": 1},
    "notes": ["The rules on plans need an environment without the feature: give --no-plan-token."],
    "rules": RULES,
}


def fill(mock, **changes):
    """Let a client use an environment, well and badly; `changes` are made to each trunk that it sends."""
    trunk = TRUNK | changes
    with httpx.Client(base_url=mock.base_url, headers=mock.headers) as api:
        path = f"/sip-trunks/{api.post('/sip-trunks', json=trunk).json()['data']['id']}"
        api.put(path, json={"is_active": True})
        api.post(f"{path}/verify")
        api.put(path, json={"is_active": True})
        for number, country in (("+12025550123", "US"), ("+442079460123", "GB")):
            api.post(f"{path}/dids", json={"number": number, "country_code": country})
        api.get("/sip-trunks/9f3c1c1e-0000-4000-8000-000000000000")
        api.post("/sip-trunks", content=b"{name: }", headers={"Content-Type": "application/json"})
        mock.fail_next(status=503, retry_after=1)
        api.get("/sip-trunks")
        api.get("/sip-trunks")
        bad = {name: it for name, it in trunk.items() if name != "username"}
        api.post("/sip-trunks", json=bad | {"domain": "sip:carrier-x.example", "port": 70000})
    mock.seed({"domain": "sip.auth-fail.example", "health_status": "unhealthy", "name": "Backup"} | changes)
    mock.seed({"domain": "sip.flaky-2.example", "name": "<script>alert(1)</script>"} | changes)
    mock.carrier("timeout", "healthy", domain="sip.carrier-x.example")
    httpx.put(f"{mock.url}/_mock/environments/{mock.name}/report", json=REPORT).raise_for_status()
