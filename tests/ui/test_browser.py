"""The page in a real Chromium: for everybody, on every screen, with the keyboard, without JavaScript, and live."""

import re
import socket

import httpx
import pytest
from scene import COLOURS, DESKTOP, PHONE, TRUNK

from mockserver.environments import BUILT_IN

ENVIRONMENT = "/environments/{name}"
PAGES = {
    "sign-in": "/sign-in",
    "environments": "/environments",
    "requests": f"{ENVIRONMENT}/requests",
    "requests-none-fits": f"{ENVIRONMENT}/requests?show=broken&operation=list_sip_trunks",
    "requests-nobody": "/environments/-/requests",
    "broken": f"{ENVIRONMENT}/requests/{{broken}}",
    "made-up": f"{ENVIRONMENT}/requests/{{made_up}}",
    "no-json": f"{ENVIRONMENT}/requests/{{no_json}}",
    "trunks": f"{ENVIRONMENT}/trunks",
    "carrier": f"{ENVIRONMENT}/carrier",
    "report": f"{ENVIRONMENT}/report",
    "manage": f"{ENVIRONMENT}/manage?done=resumed",
    "delete": f"{ENVIRONMENT}/manage/delete",
}
EMPTY = ["requests", "trunks", "carrier", "report"]


def address(page, mock):
    """Give the path of a page, with the ids of the requests that fit."""
    entries = mock.requests
    ids = {
        "broken": next((it.request_id for it in entries if it.errors and it.is_broken), ""),
        "made_up": next((it.request_id for it in entries if it.is_faked), ""),
        "no_json": next((it.request_id for it in entries if it.code == "INVALID_JSON"), ""),
    }
    return PAGES[page].format(name=mock.name, **ids)


@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_page_is_accessible_and_as_wide_as_the_screen(visit, sandbox, colours, size):
    """Axe finds nothing on any page, filled or empty, light or dark, and none has to be scrolled sideways."""
    seen = visit(sandbox.url, viewport=size, color_scheme=colours)
    places = [address(page, sandbox) for page in PAGES]
    places += [address(page, sandbox.empty) for page in EMPTY]
    found = {}
    for place in places:
        seen.go(place)
        if problems := [*seen.violations(), *(["too wide"] if seen.is_too_wide() else [])]:
            found[place] = problems
    assert found == {}


@pytest.mark.parametrize("page", PAGES)
def test_long_words_fit_a_phone(visit, sandbox, page):
    """Names without a place to break in do not make a page wider than a narrow phone."""
    seen = visit(sandbox.url, viewport=PHONE)
    seen.go(address(page, sandbox.long))
    assert not seen.is_too_wide()


def test_unfolded_and_refused_pages_are_accessible(visit, own):
    """So are the pages that only a form brings up, and what is folded away."""
    seen = visit(own.url, viewport=PHONE)
    page = seen.go("/sign-in")
    page.get_by_label("Token").fill("talq_wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    assert seen.violations() == []
    page = seen.go("/environments")
    page.get_by_label("Name").fill("-")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("alert").wait_for()
    assert seen.violations() == []
    page = seen.go("/environments/own/manage")
    page.get_by_text("What the scenarios do").click()
    assert seen.violations() == []
    assert not seen.is_too_wide()


def test_partner_signs_in_with_the_keyboard_and_reads_why(visit, sandbox):
    """From the address to the broken rule without a mouse, and every stop can be seen."""
    seen = visit(sandbox.url)
    page = seen.go("/sign-in")
    stops = []
    for _ in range(4):
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.textContent.trim() || document.activeElement.id"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert stops == ["Skip to the content", "trunkmock", "token", "Sign in"]
    page.keyboard.press("Shift+Tab")
    page.keyboard.type(sandbox.token)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/environments/acme/requests"))
    page.locator(".log a").first.focus()
    page.keyboard.press("Enter")
    page.get_by_text("port must be an integer from 1 to 65535", exact=True).wait_for()
    assert "Manage" not in page.locator(".tabs").inner_text()


def test_request_appears_by_itself_and_takes_no_focus(visit, own):
    """A new request is there without a reload, and whoever is at another one stays there."""
    api = {"headers": own.headers}
    httpx.get(f"{own.base_url}/sip-trunks", **api)
    page = visit(own.url).go("/environments/own/requests")
    page.get_by_text("New ones appear by themselves").wait_for()
    first = page.locator(".log a").first
    first.focus()
    httpx.post(f"{own.base_url}/sip-trunks", json={}, **api)
    page.get_by_text("422 Unprocessable").wait_for()
    assert page.locator(".log li").count() == 2
    assert page.evaluate("document.activeElement.closest('li').innerText").startswith("GET")
    page.get_by_role("link", name="Pause").click()
    page.get_by_text("Paused.").wait_for()
    assert page.locator("[hx-get]").count() == 0


def test_first_request_appears_where_none_was(visit, own):
    """The page that says how to send a first request shows it once it is sent."""
    page = visit(own.url).go("/environments/own/requests")
    page.get_by_text("No requests yet").wait_for()
    httpx.get(f"{own.base_url}/sip-trunks", headers=own.headers)
    page.locator(".log li").wait_for()
    assert not page.get_by_text("No requests yet").is_visible()


def test_open_log_ends_with_its_session(visit, start_mock):
    """A log that stays open goes to the sign-in once the token is no longer good."""
    mock = start_mock("--control-token=let-me-in")
    page = visit(mock.root_url).sign_in(next(iter(BUILT_IN)))
    assert page.url.endswith("/environments/first/requests")
    controls = f"{mock.root_url}/_mock/environments/first"
    change = {"is_suspended": True}
    httpx.patch(controls, json=change, headers={"Authorization": "Bearer let-me-in"}).raise_for_status()
    page.wait_for_url(re.compile("/_mock/ui/sign-in$"))


def test_command_is_copied(visit, own):
    """The button copies the command, and says so."""
    httpx.post(f"{own.base_url}/sip-trunks", json=TRUNK, headers=own.headers)
    seen = visit(own.url, permissions=["clipboard-read", "clipboard-write"])
    page = seen.go(f"/environments/own/requests/{own.requests[0].request_id}")
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"curl -sS -i -X POST {own.base_url}/sip-trunks")
    assert '"Authorization: Bearer $TOKEN"' in copied
    assert TRUNK["password"] not in page.content()


def test_operator_makes_suspends_and_deletes_an_environment(visit, own):
    """All by clicking: the token is shown once, a deletion wants the name, and each step says that it was done."""
    page = visit(own.url).go("/environments")
    page.get_by_label("Name").fill("partner-7")
    page.get_by_label("Plan").select_option("professional")
    page.get_by_role("button", name="Create").click()
    token = page.locator("#token").inner_text()
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{own.base_url}/sip-trunks", headers=headers).headers["x-ratelimit-limit"] == "1000"
    page.get_by_role("link", name="Go to partner-7").click()
    page.get_by_role("link", name="Manage").click()
    page.get_by_role("link", name="Suspend…").click()
    page.get_by_role("button", name="Suspend").click()
    page.get_by_role("status").filter(has_text="The token is refused until you resume.").wait_for()
    assert httpx.get(f"{own.base_url}/sip-trunks", headers=headers).status_code == 403
    page.get_by_role("link", name="Delete…").click()
    page.get_by_label("Its name, to be sure").fill("partner-7")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("status").filter(has_text="The environment is gone.").wait_for()
    assert page.get_by_role("link", name="partner-7").count() == 0


def test_page_works_without_javascript(visit, own):
    """Reading, signing in and every form work without a script; buttons that need one are not there."""
    httpx.post(f"{own.base_url}/sip-trunks", json={}, headers=own.headers)
    seen = visit(own.url, java_script_enabled=False)
    page = seen.sign_in(own.token)
    page.get_by_text("Reload the page to see newer ones.").wait_for()
    assert not page.get_by_text("New ones appear by themselves").is_visible()
    page.locator(".log a").first.click()
    page.get_by_text("Where the contract was broken").wait_for()
    assert not page.locator("button.copy").is_visible()
    page.get_by_role("link", name="Carrier").click()
    page.get_by_label("First check").select_option("timeout")
    page.get_by_role("button", name="Set").click()
    page.get_by_role("status").filter(has_text="The carrier answers as you said.").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()


def send_many(mock, count, batch=100):
    """Send requests without waiting for each answer, on one connection."""
    token = next(iter(BUILT_IN))
    raw = f"GET /api/v1/sip-trunks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", mock.port), timeout=10) as connection:
        for _ in range(count // batch):
            connection.sendall(raw * batch)
            came = b""
            while came.count(b'"data":[]}') < batch:
                came += connection.recv(65536)


def test_ten_thousand_requests_stay_readable(visit, start_mock):
    """A full journal is a page of fifty and a way to all others."""
    mock = start_mock("--journal=10000")
    send_many(mock, 10_000)
    seen = visit(mock.root_url, viewport=PHONE)
    page = seen.go("/environments/first/requests")
    page.get_by_text("10,000 requests are kept").wait_for()
    assert page.locator(".log li").count() == 50
    page.get_by_role("link", name="Oldest").click()
    page.get_by_text("Page 200 of 200").wait_for()
    assert page.locator(".log li").count() == 50
    assert seen.violations() == []
    assert not seen.is_too_wide()
