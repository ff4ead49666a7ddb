import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from scene import DESKTOP, fill

import mockserver

AXE = (Path(__file__).parent / "axe.min.js").read_text("utf-8")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--no-sandbox",  # the tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")  # no longer than its tests: while Playwright is there, an event loop seems to run
def chromium():
    """One browser for all tests."""
    if CHROMIUM is None:
        assert not os.environ.get("CI"), "CI needs a browser: make services"
        pytest.skip("needs Chromium: make services")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


class Visit:
    """A page in a context of its own, which fails at the end for whatever it complained about or loaded elsewhere."""

    def __init__(self, chromium, root, **options):
        self.root = root
        self.context = chromium.new_context(**{"viewport": DESKTOP, **options})
        self.context.set_default_timeout(10_000)
        self.page = self.context.new_page()
        self.complaints = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append("a script ran"))
        self.page.on("request", self._watch)

    def _hear(self, message):
        if message.type in ("error", "warning") and "status of 4" not in message.text:
            self.complaints.append(message.text)

    def _watch(self, request):
        if not request.url.startswith(f"{self.root}/"):
            self.complaints.append(f"loaded {request.url}")

    def go(self, path):
        answer = self.page.goto(f"{self.root}/_mock/ui{path}")
        assert answer.status < 400, path
        return self.page

    def sign_in(self, token):
        self.go("/sign-in")
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(re.compile("/environments"))
        return self.page

    def violations(self):
        """Give what axe finds: each rule with the elements that break it."""
        self.page.evaluate(AXE)  # as the test's own script, which the page's policy does not hold
        found = self.page.evaluate("axe.run()")
        return [(it["id"], [node["html"][:200] for node in it["nodes"]]) for it in found["violations"]]

    def is_too_wide(self):
        return self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")

    def close(self):
        self.context.close()
        assert self.complaints == []


@pytest.fixture
def visit(chromium):
    """A function that opens a page of a mock, in a browser with nothing in it."""
    opened = []

    def open_(root, **options):
        opened.append(Visit(chromium, root, **options))
        return opened[-1]

    yield open_
    for it in opened:
        it.close()


@pytest.fixture(scope="module")
def sandbox():
    """A mock with something on each of its pages, and with names that try to break them."""
    with mockserver.running(name="acme") as mock:
        fill(mock)
        mock.empty = mock.environment(name="newcomer", plan="standard")
        mock.long = mock.environment(name="x" * 64)
        fill(mock.long, name="W" * 255, domain=f"{'d' * 60}.{'e' * 60}.example")
        yield mock


@pytest.fixture
def own():
    """A mock of the test's own."""
    with mockserver.running(name="own") as mock:
        yield mock
