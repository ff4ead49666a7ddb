"""`make demo`: start the mock on a free port, send it the documented request and one it refuses, judge it, stop it."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TOKEN = "talq_your_environment_token_here"
TOKENS = {
    "TRUNKCHECK_TOKEN": TOKEN,
    "TRUNKCHECK_OTHER_TOKEN": "talq_another_environment_token_here",
    "TRUNKCHECK_NO_PLAN_TOKEN": "talq_token_without_the_feature_here",
}
TRUNK = {
    "name": "Primary Carrier — US",
    "provider_name": "carrier-x",
    "domain": "sip.carrier-x.com",
    "username": "user_42",
    "password": "secret-password",
    "port": 5061,
    "transport": "tls",
}


@contextlib.contextmanager
def mock() -> Iterator[str]:
    """Run the mock, and give its base URL once it answers."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder, "ready.json")
        command = [sys.executable, "-m", "mockserver", "--port=0", f"--ready-file={ready}", "--log-level=warning"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not ready.exists():
                if process.poll() is not None:
                    raise SystemExit("the mock did not start")
                time.sleep(0.05)
            yield json.loads(ready.read_text("utf-8"))["base_url"]
        finally:
            process.terminate()
            process.wait()


def show(base_url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Send a request, print it with its answer, and give that."""
    content = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(base_url + path, content, headers, method=method)
    print(f"> {method} /api/v1{path}" + ("" if body is None else f"  {json.dumps(body, ensure_ascii=False)}"))
    try:
        with urllib.request.urlopen(request) as response:
            status, answer = response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        status, answer = refusal.code, json.load(refusal)
    print(f"< {status}")
    print(json.dumps(answer, ensure_ascii=False, indent=2) + "\n")
    return answer


def judge(base_url: str) -> int:
    """Run the standard profile of the conformance kit against the mock, print its verdict, and give its exit code."""
    report = Path("reports", "conformance.html")
    print(f"$ trunkcheck {base_url} --strict --report html={report}")
    command = [sys.executable, "-m", "conformance", base_url, "--strict", "--report", f"html={report}"]
    code = subprocess.call(command, env=os.environ | TOKENS)
    if report.exists():
        print(f"\nEvery rule, on a page of its own: {report}")
    return code


def main() -> int:
    """Show the documented request and one that breaks two rules, then the verdict on the whole contract."""
    with mock() as base_url:
        show(base_url, "POST", "/sip-trunks", TRUNK)
        show(base_url, "POST", "/sip-trunks", TRUNK | {"port": 70000, "transport": "TLS"})
        return judge(base_url)


if __name__ == "__main__":
    raise SystemExit(main())
