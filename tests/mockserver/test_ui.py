"""`mockserver.ui` as HTTP has it: who may see what, what a form needs, and that no secret and no markup gets out."""

import asyncio
import html
import json
import os
import re
import shutil
import subprocess
import sys
import time

import httpx
import pytest
from clients import Api
from secret_forms import leaks

import mockserver
from mockserver.audit import Action
from mockserver.environments import PLANS
from mockserver.ui.sessions import ATTEMPTS, ATTEMPTS_BY_ADDRESS, SECONDS, Attempts
from mockserver.ui.site import Site

CONTROL = "let-me-in-Zq9xWv7tRs5"
TOKENS = {"acme": "talq_Yk8wUu6sQp4", "rival": "talq_Xj7vTt5rPn3"}
SCRIPT = "<script>alert('x')</script>\"&"
FORM_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def environment_file(folder):
    path = folder / "environments.toml"
    path.write_text(
        "".join(
            f'[[environments]]\nname = "{name}"\ntoken = "{token}"\n'
            'plan = "enterprise"\nallow_custom_sip_trunks = true\n'
            for name, token in TOKENS.items()
        )
    )
    return f"--environments={path}"


class Browser(httpx.Client):
    """Keeps cookies, and sends forms with the token of the page that it saw last, as a browser would."""

    def __init__(self, root):
        super().__init__(base_url=f"{root}/_mock/ui", timeout=10)
        self.root = root
        self.form_token = ""

    def send(self, request, **options):
        answer = super().send(request, **options)
        if found := FORM_TOKEN.search(answer.text):
            self.form_token = found[1]
        return answer

    def submit(self, path, headers=(), **fields):
        data = {"form_token": self.form_token, **fields}
        return self.post(
            path, data=data, headers={"Origin": self.root, "Sec-Fetch-Site": "same-origin", **dict(headers)}
        )

    def sign_in(self, token):
        self.get("/sign-in")
        answer = self.submit("/sign-in", token=token)
        if answer.status_code == 303:
            self.get(answer.headers["location"].removeprefix("/_mock/ui"))
        return answer


@pytest.fixture(scope="module")
def hosted(mock_class, tmp_path_factory):
    """A mock as an operator has it: a control token, environments of its own, all that it can log."""
    folder = tmp_path_factory.mktemp("hosted")
    mock = mock_class(folder, f"--control-token={CONTROL}", "--log-level=debug", environment_file(folder))
    yield mock
    assert mock.stop() == 0
    log = mock.log.read_bytes()
    assert b"Traceback" not in log
    assert not [token for token in (CONTROL, *TOKENS.values()) if leaks(log, [token])]


@pytest.fixture(scope="module")
def acme(hosted):
    with Browser(hosted.root_url) as browser:
        browser.sign_in(TOKENS["acme"])
        yield browser


@pytest.fixture(scope="module")
def operator(hosted):
    with Browser(hosted.root_url) as browser:
        browser.sign_in(CONTROL)
        yield browser


@pytest.fixture
def stranger(hosted):
    with Browser(hosted.root_url) as browser:
        yield browser


@pytest.fixture
def local():
    """A mock in this process without a control token, and a browser of whoever sits here."""
    with mockserver.running(name="own") as mock, Browser(mock.url) as browser:
        browser.get("/environments")
        yield mock, browser


@pytest.fixture(scope="module")
def refused_request(hosted):
    """The id of a request of acme that broke two rules, with a password that must not be seen again."""
    with Api(hosted.base_url, TOKENS["acme"]) as api:
        body = {"name": SCRIPT, "provider_name": "x", "domain": "sip:no", "username": "u", "port": 70000}
        answer = api.post("/sip-trunks", json=body | {"password": "Qz001kV-secret"})
        assert answer.status_code == 422
        return answer.headers["x-request-id"]


PARTNER_PAGES = ["requests", "trunks", "carrier", "report"]
OPERATOR_PAGES = ["manage", "manage/rotate", "manage/suspend", "manage/reset", "manage/delete"]
FORMS = [
    "carrier",
    "carrier/clear",
    *(f"manage/{it}" for it in ("scenario", "rotate", "suspend", "resume", "reset", "delete")),
]


def test_a_plain_start_does_not_load_the_pages():
    """Nothing of the page is loaded before somebody asks for it."""
    code = (
        "import sys, asyncio, mockserver; mock = mockserver.asgi();"
        "print([name for name in sys.modules if name.startswith('mockserver.ui')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", ["/sign-in", "/environments/acme/requests", "/nothing", "/static/ui.css", ""])
def test_every_answer_is_fenced_in(acme, path):
    """Page, error, redirect or asset: the browser may load nothing from elsewhere, frame nothing and guess nothing."""
    headers = acme.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("public, max-age=31536000, immutable" if "static" in path else "no-store")


@pytest.mark.parametrize("name", ["htmx.min.js", "ui.js", "ui.css", "icon.svg"])
def test_assets_come_from_the_package(stranger, name):
    """What the pages load is here, and needs no sign-in."""
    answer = stranger.get(f"/static/{name}")
    assert answer.status_code == 200
    assert "charset=utf-8" in answer.headers["content-type"] or name.endswith("svg")


@pytest.mark.parametrize("name", ["", "README", "../site.py", "%2e%2e/site.py", "htmx.LICENSE", "ui.css/"])
def test_no_other_file_is_an_asset(stranger, name):
    """No name gets at another file."""
    assert stranger.get(f"/static/{name}").status_code in (303, 404)


def test_nobody_sees_a_page_without_signing_in(stranger):
    """Whoever is not signed in is sent to where that is done, by a part of a page too."""
    for path in ("", "/environments", "/environments/acme/requests", "/environments/nobody/requests"):
        answer = stranger.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/_mock/ui/sign-in")
    part = stranger.get("/environments/acme/requests", headers={"HX-Request": "true"})
    assert (part.headers["hx-redirect"], part.content) == ("/_mock/ui/sign-in", b"")


def test_partner_and_operator_come_to_their_own_pages(hosted):
    """One form takes both tokens, and leads each to what they may see."""
    for token, home in ((CONTROL, "/environments"), (TOKENS["acme"], "/environments/acme/requests")):
        with Browser(hosted.root_url) as browser:
            answer = browser.sign_in(f" {token}\n")
            assert (answer.status_code, answer.headers["location"]) == (303, f"/_mock/ui{home}")
            assert browser.get(home).status_code == 200


def test_session_cookie_is_for_this_page_alone(stranger):
    """No script reads it, no other site sends it, it ends with the working day, and the token is not in it."""
    cookie = stranger.sign_in(TOKENS["acme"]).headers["set-cookie"]
    assert cookie.startswith("trunkmock_session=")
    assert set(cookie.split("; ")[1:]) == {"Path=/_mock/ui", f"Max-Age={SECONDS}", "HttpOnly", "SameSite=Strict"}
    assert not leaks(cookie.encode(), [TOKENS["acme"]])


def test_session_cookie_is_secure_under_tls():
    """Behind TLS, no cookie goes over a connection without it."""

    async def cookies():
        transport = httpx.ASGITransport(mock.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://localhost/_mock/ui") as client:
            page = await client.get("/sign-in")
            data = {"form_token": FORM_TOKEN.search(page.text)[1], "token": mock.token}
            signed_in = await client.post("/sign-in", data=data, headers={"Origin": "https://localhost"})
            return [page.headers["set-cookie"], signed_in.headers["set-cookie"]]

    mock = mockserver.asgi()
    assert all(cookie.endswith("; Secure") for cookie in asyncio.run(cookies()))


def test_wrong_token_is_turned_down_and_not_repeated(start_mock, tmp_path):
    """Whatever is no token of this mock opens nothing, and is not on the page."""
    mock = start_mock(f"--control-token={CONTROL}", environment_file(tmp_path))
    with Browser(mock.root_url) as browser:
        for token in ("", "talq_", "talq_unknown", "talq_" + "x" * 3000, CONTROL[:-1], "\x00", "é" * 10):
            answer = browser.sign_in(token)
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
            assert "is not known here" in answer.text
            assert len(token) < 6 or token not in answer.text


def test_trying_tokens_is_slowed_down(start_mock, tmp_path):
    """After ten tries in a minute, even the right token has to wait, for as long as it is told."""
    mock = start_mock(f"--control-token={CONTROL}", environment_file(tmp_path))
    with Browser(mock.root_url) as browser:
        statuses = {browser.sign_in("talq_wrong").status_code for _ in range(ATTEMPTS_BY_ADDRESS * 2)}
        assert statuses == {403, 429}
        answer = browser.sign_in(CONTROL)
        assert (answer.status_code, "set-cookie" in answer.headers) == (429, False)
        assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_attempts_are_counted_by_address_and_in_all():
    """One address cannot lock another out, until all together are too many; a minute later all may try again."""
    now = [120.0]
    attempts = Attempts(lambda: now[0])
    assert [attempts.count("192.0.2.1") for _ in range(ATTEMPTS_BY_ADDRESS + 1)] == [0] * ATTEMPTS_BY_ADDRESS + [60]
    assert attempts.count("192.0.2.2") == 0
    same_host = [attempts.count(f"2001:db8::{it}") for it in range(ATTEMPTS_BY_ADDRESS + 1)]
    assert same_host[-1] == 60
    assert any(attempts.count(f"198.51.100.{it}") for it in range(ATTEMPTS))
    now[0] += 60
    assert attempts.count("192.0.2.1") == 0


@pytest.mark.parametrize("path", [*PARTNER_PAGES, *OPERATOR_PAGES, "requests/0-1", "nothing"])
def test_another_environment_does_not_exist_for_a_partner(acme, path):
    """A partner gets the same answer for another's page as for one that nobody has."""
    other, nobody = (acme.get(f"/environments/{name}/{path}") for name in ("rival", "nobody"))
    assert (other.status_code, other.text) == (nobody.status_code, nobody.text)
    assert other.status_code == 404
    assert acme.get("/environments").status_code == 404
    assert acme.get("/environments/-/requests").status_code == 404


def test_anothers_request_is_not_found_under_ones_own_name(acme, hosted):
    """A request's id opens it only in the environment that it belongs to."""
    with Api(hosted.base_url, TOKENS["rival"]) as api:
        request_id = api.get("/sip-trunks").headers["x-request-id"]
    assert acme.get(f"/environments/acme/requests/{request_id}").status_code == 404


@pytest.mark.parametrize("form", FORMS)
def test_partner_cannot_change_another_environment(acme, hosted, form):
    """No form of a partner reaches another's environment, and none of the operator's their own."""
    acme.get("/environments/acme/carrier")
    assert acme.submit(f"/environments/rival/{form}", name="rival", answer="timeout").status_code == 404
    if form.startswith("manage"):
        assert acme.submit(f"/environments/acme/{form}", name="acme", scenario="slow").status_code == 404
    headers = {"Authorization": f"Bearer {CONTROL}"}
    controls = f"{hosted.root_url}/_mock/environments"
    assert len(httpx.get(controls, headers=headers).json()["data"]) == len(TOKENS)
    assert httpx.get(f"{controls}/rival/carrier", headers=headers).json()["data"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"headers": {"Origin": "https://evil.example"}}, id="other-origin"),
        pytest.param({"headers": {"Origin": "null"}}, id="no-origin-to-tell"),
        pytest.param({"headers": {"Sec-Fetch-Site": "cross-site"}}, id="cross-site"),
        pytest.param({"headers": {"Sec-Fetch-Site": "same-site"}}, id="sibling-site"),
        pytest.param({"form_token": ""}, id="no-form-token"),
        pytest.param({"form_token": "A" * 32}, id="other-form-token"),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_form_of_another_site_is_refused(operator, hosted, form, wrong):
    """No form is taken that another site could have sent, and nothing changes."""
    operator.get("/environments/rival/manage")
    answer = operator.submit(f"/environments/rival/{form}", **{"name": "rival", "answer": "timeout", **wrong})
    assert answer.status_code == 403
    assert "This form is too old" in answer.text
    with Api(hosted.base_url, TOKENS["rival"]) as api:
        assert api.get("/sip-trunks").status_code == 200


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/environments"])
def test_other_forms_need_their_token_too(operator, path):
    """Signing in, signing out and making an environment are forms like the others."""
    assert operator.submit(path, form_token="x", token=CONTROL, name="new").status_code == 403
    assert operator.post(path, json={"token": CONTROL}).status_code == 415


def test_form_token_of_one_session_is_no_good_in_another(hosted, operator):
    """What stands in one browser's forms does not open another's."""
    with Browser(hosted.root_url) as other:
        other.sign_in(CONTROL)
        assert operator.submit("/sign-out", form_token=other.form_token).status_code == 403


def test_session_ends_with_its_token(local):
    """Rotating, suspending or deleting signs out whoever signed in with the token that is no longer good."""
    mock, here = local
    for action, name in (("rotate", "a"), ("suspend", "b"), ("delete", "c")):
        environment = mock.environment(name=name)
        with Browser(mock.url) as partner:
            partner.sign_in(environment.token)
            assert partner.get(f"/environments/{name}/trunks").status_code == 200
            here.get("/environments")
            assert here.submit(f"/environments/{name}/manage/{action}", name=name).status_code in (200, 303)
            page = partner.get(f"/environments/{name}/trunks")
            assert "Sign out" not in page.text


def test_token_that_was_replaced_stays_so(local):
    """Neither a reset nor a suspension that is over brings back a token that was rotated away."""
    mock, here = local
    environment = mock.environment(name="leaked")
    for action in ("rotate", "reset", "suspend", "resume"):
        here.get("/environments")
        assert here.submit(f"/environments/leaked/manage/{action}").status_code in (200, 303)
    assert httpx.get(f"{mock.base_url}/sip-trunks", headers=environment.headers).status_code == 401


def test_rotating_while_suspended_gives_a_token_for_later(local):
    """A new token of a suspended environment is good once that is resumed, and not before."""
    mock, here = local
    mock.environment(name="paused")
    here.submit("/environments/paused/manage/suspend")
    page = here.submit("/environments/paused/manage/rotate")
    headers = {"Authorization": f"Bearer {re.search('talq_[^<]+', page.text)[0]}"}
    assert httpx.get(f"{mock.base_url}/sip-trunks", headers=headers).status_code == 403
    here.get("/environments")
    here.submit("/environments/paused/manage/resume")
    assert httpx.get(f"{mock.base_url}/sip-trunks", headers=headers).status_code == 200


@pytest.mark.parametrize("change", ["cut", "last", "first", "other", "empty", "long"])
def test_cookie_that_was_not_made_here_opens_nothing(hosted, acme, change):
    """A cookie is good as it was made, whole and unchanged."""
    good = acme.cookies["trunkmock_session"]
    bad = {
        "cut": good[:-4],
        "last": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "first": ("A" if good[0] != "A" else "B") + good[1:],
        "other": "bm90IGEgY29va2llIGF0IGFsbCwgYnV0IGxvbmcgZW5vdWdo",
        "empty": "",
        "long": good * 10,
    }[change]
    answer = httpx.get(
        f"{hosted.root_url}/_mock/ui/environments/acme/trunks", headers={"Cookie": f"trunkmock_session={bad}"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/_mock/ui/sign-in")


def test_replicas_with_one_key_share_a_session(mock_class, tmp_path):
    """Who signed in at one replica is signed in at the other, if they have the same key, and only then."""
    (tmp_path / "1").mkdir()
    statuses = []
    for number, key in enumerate((KEY, KEY, KEY[::-1].lstrip("=").ljust(44, "="))):
        folder = tmp_path / str(number)
        folder.mkdir(exist_ok=True)
        env = {**os.environ, "TRUNKMOCK_KEY": key}
        mock = mock_class(folder, f"--control-token={CONTROL}", environment_file(folder), env=env)
        with Browser(mock.root_url) as browser:
            if number == 0:
                browser.sign_in(CONTROL)
                cookie = browser.cookies["trunkmock_session"]
            page = httpx.get(
                f"{mock.root_url}/_mock/ui/environments", headers={"Cookie": f"trunkmock_session={cookie}"}
            )
            statuses.append(page.status_code)
        mock.stop()
    assert statuses == [200, 200, 303]


def test_session_ends_after_eight_hours():
    """A cookie that somebody kept is no good the day after."""
    mock = mockserver.asgi()
    now = [1_000_000.0]
    site = Site(mock._api, mock._api._control, __import__("openapi").load(), now=lambda: now[0])

    async def ask(path, cookie="", method="GET", form=b""):
        async def receive():
            return {"type": "http.request", "body": form}

        headers = [(b"host", b"localhost"), (b"cookie", cookie.encode()), (b"content-length", b"%d" % len(form))]
        headers.append((b"content-type", b"application/x-www-form-urlencoded"))
        return await site.answer(
            {"method": method, "headers": headers}, receive, f"/_mock/ui{path}", Action(method, "-", "-")
        )

    async def run():
        form_cookie = "trunkmock_form=" + "F" * 32
        form = f"form_token={'F' * 32}&token={mock.token}".encode()
        signed_in = await ask("/sign-in", form_cookie, "POST", form)
        cookie = dict(signed_in.headers)[b"set-cookie"].decode().partition(";")[0]
        pages = []
        for passed in (SECONDS - 1, 1):
            now[0] += passed
            pages.append((await ask(f"/environments/{mock.name}/trunks", cookie)).body.decode())
        return ["Sign out" in page for page in pages]

    assert asyncio.run(run()) == [True, False]


def test_signing_out_takes_the_cookie_away(stranger):
    """After signing out, the browser has no session any more."""
    stranger.sign_in(TOKENS["acme"])
    answer = stranger.submit("/sign-out")
    assert (answer.status_code, "Max-Age=0" in answer.headers["set-cookie"]) == (303, True)
    assert stranger.get("").headers["location"] == "/_mock/ui/sign-in"


def test_on_loopback_without_a_control_token_nobody_signs_in(local):
    """Whoever sits at the machine is the operator, and can be a partner for a while."""
    mock, here = local
    assert "whoever can use this machine is the operator" in here.get("/environments").text
    here.sign_in(mock.token)
    assert here.get("/environments").status_code == 404
    here.submit("/sign-out")
    assert here.get("/environments").status_code == 200


def test_page_under_another_name_is_refused(local):
    """Without a control token, a name that anybody could have made point here opens nothing."""
    mock, _ = local
    answer = httpx.get(f"{mock.url}/_mock/ui/environments", headers={"Host": "evil.example"})
    assert (answer.status_code, "own" in answer.text) == (403, False)


def test_pages_are_off_in_the_open(start_mock, tmp_path):
    """Listening on every address without a control token, the mock has no pages."""
    mock = start_mock("--host=0.0.0.0", environment_file(tmp_path))
    for path in ("", "/sign-in", "/static/ui.css", "/environments"):
        assert httpx.get(f"{mock.root_url}/_mock/ui{path}").status_code == 404


def test_markup_in_values_stays_text(local):
    """Whatever a client calls its things, it is shown and not obeyed."""
    mock, here = local
    mock.seed(name=SCRIPT, provider_name=SCRIPT, username=SCRIPT, auth_realm=SCRIPT)
    mock.carrier("timeout", domain=SCRIPT)
    httpx.post(f"{mock.base_url}/sip-trunks", json={"name": SCRIPT, "domain": SCRIPT}, headers=mock.headers)
    httpx.get(
        f"{mock.base_url}/sip-trunks", headers={**mock.headers, "User-Agent": "<script>", "Accept": "<img src=x>"}
    )
    httpx.put(f"{mock.url}/_mock/environments/own/report", json=report(says=SCRIPT, verdict=SCRIPT)).raise_for_status()
    ids = [entry.request_id for entry in mock.requests]
    pages = [*PARTNER_PAGES, *(f"requests/{it}" for it in ids), "requests?show=%3Cscript%3E&operation=%3Cscript%3E"]
    texts = [here.get(f"/environments/own/{page}").text for page in pages]
    assert not [text for text in texts if re.search(r"<script(?! src=)|<img", text)]
    assert sum("&lt;script&gt;" in text for text in texts) >= 5
    assert "<script>" not in here.get("/environments/%3Cscript%3E/requests").text


def test_request_shows_the_rule_its_source_and_no_secret(acme, refused_request):
    """A refused request says for each field what it must be, and where that stands; its password is nowhere."""
    page = acme.get(f"/environments/acme/requests/{refused_request}").text
    for sentence in (
        "port must be an integer from 1 to 65535",
        "Source: Create SIP Trunk, request body: port.",
        "Create SIP Trunk, request body: domain; RFC 3261, section 25.1",
        '<a href="/docs#/trunks/create_sip_trunk">',
        "<code>create.port.range</code>",
        "&#34;password&#34;: &#34;***&#34;",
    ):
        assert sentence in page
    assert "create.domain.required" not in page
    assert not leaks(page.encode(), ["Qz001kV-secret"])
    assert not leaks(page.encode(), [TOKENS["acme"]])


@pytest.mark.parametrize(
    ("sends", "says", "source"),
    [
        ({"method": "POST", "path": "", "content": b"{"}, "is not valid JSON", "RFC 8259"),
        ({"method": "POST", "path": "", "content": b"[]"}, "must be a JSON object", "Create SIP Trunk"),
        ({"method": "POST", "path": "", "content": b"{}", "type": "text/plain"}, "Content-Type must be", "RFC 9110"),
        ({"method": "GET", "path": "/x"}, "no such SIP trunk", "RFC 9110, section 15.5.5"),
    ],
    ids=["no-json", "no-object", "media-type", "unknown"],
)
def test_every_refusal_has_a_sentence_and_a_source(acme, hosted, sends, says, source):
    """What is refused for another reason than a field says why as well."""
    headers = {"Authorization": f"Bearer {TOKENS['acme']}", "Content-Type": sends.get("type", "application/json")}
    url = f"{hosted.base_url}/sip-trunks{sends['path']}"
    answer = httpx.request(sends["method"], url, content=sends.get("content"), headers=headers)
    page = acme.get(f"/environments/acme/requests/{answer.headers['x-request-id']}").text
    assert says in page
    assert source in page
    assert says in acme.get("/environments/acme/requests").text


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("sh")), reason="needs curl and a shell")
def test_copied_command_sends_the_request_again(local):
    """With token and password filled in, the command of the page gets the same answer, whatever stands in the body."""
    mock, here = local
    body = {"name": 'it\'s "quoted" $HOME `x` \\ — é', "provider_name": "x", "domain": "sip.x.example", "username": "!"}
    first = httpx.post(f"{mock.base_url}/sip-trunks", json=body | {"password": "s3cr3t-p4ss"}, headers=mock.headers)
    page = here.get(f"/environments/own/requests/{first.headers['x-request-id']}").text
    command = html.unescape(re.search(r'<pre id="curl"[^>]*>(.*?)</pre>', page, re.DOTALL)[1])
    assert "s3cr3t-p4ss" not in command
    env = {"PATH": os.environ["PATH"], "TOKEN": mock.token, "SIP_PASSWORD": "s3cr3t-p4ss"}
    done = subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("HTTP/1.1 201")
    assert [trunk["name"] for trunk in mock.state()] == [body["name"]] * 2
    assert mock.requests[0].fields == mock.requests[1].fields
    control = mock._api._control
    kept = asyncio.run(control.store.trunks(mock.name))
    assert [control.seal.open(trunk.password) for trunk in kept] == ["s3cr3t-p4ss"] * 2


def test_made_up_answer_is_said_to_be(local):
    """A fault is not taken for a mistake of the client."""
    mock, here = local
    mock.fail_next(status=503)
    answer = httpx.get(f"{mock.base_url}/sip-trunks", headers=mock.headers)
    page = here.get(f"/environments/own/requests/{answer.headers['x-request-id']}").text
    assert "The answer was made up" in page
    assert "Why it was refused" not in page
    assert "Made up: the mock was told to." in here.get("/environments/own/requests").text


def test_log_is_paged_newest_first(local):
    """Fifty requests stand on a page; others are behind it, and nothing lies beyond the last."""
    mock, here = local
    with Api(mock.base_url, mock.token) as api:
        ids = [api.get("/sip-trunks").headers["x-request-id"] for _ in range(120)]
    shown = [
        re.findall(r'id="request-([^"]+)"', here.get(f"/environments/own/requests?page={it}").text) for it in (1, 3, 99)
    ]
    assert shown == [ids[:-51:-1], ids[19::-1], ids[19::-1]]
    for text in ("0", "-1", "x", "9" * 30, "²"):
        assert here.get(f"/environments/own/requests?page={text}").status_code == 200


def test_log_is_filtered(local):
    """Only what was refused, only what broke the contract, or only one operation can be shown."""
    mock, here = local
    with Api(mock.base_url, mock.token) as api:
        api.get("/sip-trunks")
        missing = api.get("/sip-trunks/x").headers["x-request-id"]
        broken = api.post("/sip-trunks", json={}).headers["x-request-id"]

    def shown(query):
        return re.findall(r'id="request-([^"]+)"', here.get(f"/environments/own/requests?{query}").text)

    assert shown("show=refused") == [broken, missing]
    assert shown("show=broken") == [broken]
    assert shown("operation=get_sip_trunk") == [missing]
    assert "None of the 3 requests" in here.get("/environments/own/requests?show=broken&operation=get_sip_trunk").text


def test_log_is_asked_for_again_without_cost(local):
    """While nothing is new there is nothing to send; then it is the log alone, without the page around it."""
    mock, here = local
    page = here.get("/environments/own/requests").text
    again = html.unescape(re.search(r'hx-get="([^"]+)"', page)[1]).removeprefix("/_mock/ui")
    assert here.get(again, headers={"HX-Request": "true"}).status_code == 204
    httpx.get(f"{mock.base_url}/sip-trunks", headers=mock.headers)
    part = here.get(again, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="log"')
    assert "<html" not in part.text


def test_request_with_a_wrong_token_is_the_operators_to_see(operator, acme, hosted):
    """A request that named no environment is in none, and the operator finds it."""
    answer = httpx.get(f"{hosted.base_url}/sip-trunks", headers={"Authorization": "Bearer talq_Wh6uSs4qNm2"})
    page = operator.get(f"/environments/-/requests/{answer.headers['x-request-id']}")
    assert "A valid environment token is required" in page.text
    assert not leaks(page.content, ["talq_Wh6uSs4qNm2"])
    assert operator.get("/environments/-/trunks").status_code == 404


def test_operator_makes_an_environment_and_sees_its_token_once(local):
    """The token is on the page that makes the environment and on no other, and works."""
    mock, here = local
    page = here.submit("/environments", name="made", plan="standard", allow_custom_sip_trunks="1")
    token = re.search("talq_[^<]+", page.text)[0]
    assert (page.status_code, "set-cookie" in page.headers) == (201, False)
    assert httpx.get(f"{mock.base_url}/sip-trunks", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    for path in ("/environments", "/environments/made/requests", "/environments/made/manage"):
        assert not leaks(here.get(path).content, [token])
    assert (
        "There is an environment of this name already"
        in here.submit("/environments", name="made", plan="standard").text
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": SCRIPT}, "Name must be 1 to 64 letters"),
        ({"plan": "<b>"}, "Plan must be one of standard"),
        ({"requests_per_minute": "many"}, "Requests_per_minute must be an integer"),
        ({"requests_per_minute": "9" * 400}, "Requests_per_minute must be an integer"),
    ],
    ids=["name", "plan", "no-number", "long-number"],
)
def test_bad_environment_is_refused_with_a_sentence(local, fields, says):
    """What is wrong with the form stands above it, and what was typed is still there."""
    _, here = local
    page = here.submit("/environments", **{"plan": "standard", **fields})
    assert page.status_code == 422
    assert says in page.text
    assert "<b>" not in page.text.replace("<b>&", "")


def test_operator_does_what_the_buttons_say(local):
    """Scenario, suspend, resume, reset and delete do what they are called."""
    mock, here = local
    environment = mock.environment(name="busy")
    environment.seed()

    def status():
        return httpx.get(f"{mock.base_url}/sip-trunks", headers=environment.headers).status_code

    def act(action, **fields):
        here.get("/environments/busy/manage")
        return here.submit(f"/environments/busy/manage/{action}", **fields)

    assert act("scenario", scenario="unavailable").status_code == 303
    assert "Scenario: unavailable" in here.get("/environments/busy/manage").text
    assert status() == 503
    act("scenario", scenario="unavailable", end="1")
    assert "Scenario:" not in here.get("/environments/busy/manage").text
    assert status() == 200
    act("suspend")
    assert status() == 403
    assert "Suspended" in here.get("/environments").text
    act("resume")
    assert status() == 200
    assert environment.state()
    act("reset")
    assert environment.state() == []
    assert act("delete", name="busi").status_code == 422
    assert status() == 200
    assert act("delete", name="busy").status_code == 303
    assert status() == 401
    assert act("scenario", scenario="nonsense").status_code == 404


def test_partner_says_what_the_carrier_answers(local):
    """Own answers are set, shown, met and cleared, without a check being used up by looking."""
    mock, here = local
    (trunk,) = mock.seed(domain="sip.carrier.example")
    here.get("/environments/own/carrier")
    here.submit("/environments/own/carrier", domain="SIP.carrier.example", answer=["timeout", "healthy", ""])
    for _ in range(3):
        page = here.get("/environments/own/carrier").text
    assert "Connection timeout, then Healthy" in page
    health = f"{mock.base_url}/sip-trunks/{trunk['id']}/health"
    assert httpx.get(health, headers=mock.headers).json()["data"]["error"] == "Connection timeout"
    here.submit("/environments/own/carrier/clear", domain="sip.carrier.example")
    assert "Nothing: domains decide." in here.get("/environments/own/carrier").text
    assert here.submit("/environments/own/carrier", answer="<b>").status_code == 422


def report(**changes):
    """A report of the kit with one broken rule."""
    rule = {"id": "read.accepted", "level": "documented", "says": "A trunk can be read.", "source": "Get SIP Trunk"}
    finding = {"sent": "GET", "expected": "200", "actual": "404", "exchanges": [{"curl": "curl -i http://x"}]}
    return {
        "schema": 1,
        "target": "https://implementation.example/api/v1",
        "profile": "quick",
        "started": "2026-01-31T12:00:00Z",
        "requests": 2,
        "verdict": changes.get("verdict", "Does not conform"),
        "exit_code": {"number": 1, "word": "broken"},
        "counts": {"rules": 2, "judged": 2, "pass": 1, "fail": 1},
        "rules": [
            {**rule, "verdict": "fail", "findings": [finding], "says": changes.get("says", rule["says"])},
            {**rule, "id": "create.accepted", "verdict": "pass", "findings": []},
        ],
    }


def test_uploaded_report_is_shown(acme, hosted):
    """The environment's own token uploads a report, and its page tells what is broken."""
    url = f"{hosted.root_url}/_mock/environments/acme/report"
    own, rival = ({"Authorization": f"Bearer {TOKENS[name]}"} for name in ("acme", "rival"))
    assert httpx.get(url, headers=own).json()["code"] == "REPORT_NOT_FOUND"
    assert "No report yet" in acme.get("/environments/acme/report").text
    for headers in (rival, {}, {"Authorization": "Bearer talq_unknown"}):
        assert httpx.put(url, json=report(), headers=headers).status_code == 401
    assert httpx.put(url, json=report(), headers=own).status_code == 200
    page = acme.get("/environments/acme/report").text
    for text in ("Does not conform", "2 of 2 rules judged: 1 pass, 1 fail", "A trunk can be read.", "curl -i http://x"):
        assert text in page
    assert "create.accepted" not in page
    assert httpx.get(url, headers=own).json()["data"]["rules"][0]["id"] == "read.accepted"
    assert httpx.delete(url, headers=own).status_code == 401
    assert httpx.post(url.replace("report", "reset"), headers=own).status_code == 401


def test_report_is_bounded_and_scrubbed(local):
    """A report that is too large or no report is refused, long texts are cut, and what looks like a token is masked."""
    mock, here = local
    url = f"{mock.url}/_mock/environments/own/report"
    assert httpx.put(url, content=b" " * 600_000, headers={"Content-Type": "application/json"}).status_code == 413
    assert httpx.put(url, json=report() | {"schema": 2}).json()["errors"].keys() == {"schema"}
    assert httpx.put(url, json=report() | {"rules": [{}]}).status_code == 422
    assert httpx.put(url, json=report(says="x" * 9000 + "y", verdict=f"No {mock.token}")).status_code == 200
    page = here.get("/environments/own/report").text
    assert not leaks(page.encode(), [mock.token])
    assert "x" * 2000 in page
    assert "x" * 2001 not in page
    mock.reset()
    assert "No report yet" in here.get("/environments/own/report").text


def test_report_of_the_kit_is_taken(local, tmp_path):
    """What `trunkcheck --report json=…` writes can be uploaded as it is."""
    mock, here = local
    path = tmp_path / "report.json"
    command = [sys.executable, "-m", "conformance", mock.base_url, "--profile=quick", f"--report=json={path}"]
    subprocess.run(command, env={**os.environ, "TRUNKCHECK_TOKEN": mock.token}, capture_output=True, check=False)
    answer = httpx.put(f"{mock.url}/_mock/environments/own/report", json=json.loads(path.read_text("utf-8")))
    assert answer.status_code == 200
    assert "Conforms" in here.get("/environments/own/report").text


def test_methods_that_a_page_does_not_have_are_refused(acme):
    """A page is read, a form is sent; HEAD is answered like GET without a body."""
    assert acme.head("/environments/acme/trunks").status_code == 200
    assert acme.head("/environments/acme/trunks").content == b""
    for method, path in (("PUT", "/environments/acme/trunks"), ("DELETE", "/sign-in"), ("GET", "/sign-out")):
        answer = acme.request(method, path)
        assert (answer.status_code, "allow" in answer.headers) == (405, True)
    large = acme.post("/sign-in", content=b"x" * 20000, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert large.status_code == 413


@pytest.mark.parametrize("cookie", ['a="', "trunkmock_session", "=;=", "trunkmock_session=\xff", "x" * 5000])
def test_odd_cookie_is_nobodys(hosted, cookie):
    """No cookie, however odd, breaks the page."""
    headers = {"Cookie": cookie.encode("latin-1")}
    assert httpx.get(f"{hosted.root_url}/_mock/ui/environments", headers=headers).status_code == 303


@pytest.mark.parametrize("body", [b"", b"&&&", b"=", b"a=%ff%00&form_token=%F0%9F", b"form_token=\xff", b"x=1&" * 4000])
def test_odd_form_is_refused(operator, body):
    """No form, however odd, breaks the page."""
    answer = operator.post("/sign-in", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 403


def test_plans_of_the_form_are_those_of_the_mock(operator):
    """The form offers each plan there is."""
    assert re.findall(r'<option value="([^"]*)"', operator.get("/environments").text) == list(PLANS)


def test_what_is_done_on_the_page_is_in_the_audit_log(hosted, stranger):
    """Who signed in, who could not, and what they did."""
    stranger.sign_in("talq_nobody")
    stranger.sign_in(CONTROL)
    stranger.submit("/environments/acme/manage/suspend")
    last = stranger.submit("/environments/acme/manage/resume")
    assert last.status_code == 303
    request_id, deadline = last.headers["x-request-id"], time.monotonic() + 5
    while request_id not in hosted.log.read_text("utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    audited = [line.split() for line in hosted.log.read_text("utf-8").splitlines() if " trunkmock.audit " in line]
    assert [line[3:8] for line in audited[-4:]] == [
        ["nobody", "127.0.0.1", "page.sign_in", "-", "403"],
        ["operator", "127.0.0.1", "page.sign_in", "-", "303"],
        ["operator", "127.0.0.1", "page.suspend", "acme", "303"],
        ["operator", "127.0.0.1", "page.resume", "acme", "303"],
    ]
