"""Who may ask, over HTTP: the rows of the contract about tokens, plans and what is judged first."""

import httpx
import pytest
from clients import FIRST, GONE, LIMIT_HEADERS, SECOND, WITHOUT_FEATURE, refused, trunk

OPERATIONS = [
    ("POST", "/sip-trunks"),
    ("GET", "/sip-trunks"),
    ("GET", f"/sip-trunks/{GONE}"),
    ("PUT", f"/sip-trunks/{GONE}"),
    ("DELETE", f"/sip-trunks/{GONE}"),
    ("POST", f"/sip-trunks/{GONE}/verify"),
    ("GET", f"/sip-trunks/{GONE}/health"),
    ("GET", f"/sip-trunks/{GONE}/dids"),
    ("POST", f"/sip-trunks/{GONE}/dids"),
    ("DELETE", f"/sip-trunks/{GONE}/dids/{GONE}"),
]
operations = pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(it) for it in OPERATIONS])


def ask(mock, authorization, method="GET", path="/sip-trunks", **options):
    headers = {} if authorization is None else {"Authorization": authorization}
    return httpx.request(method, mock.base_url + path, headers=headers, **options)


@operations
@pytest.mark.parametrize("authorization", [None, "Bearer talq_unknown"], ids=["no-header", "unknown-token"])
def test_request_without_a_good_token_is_refused(mock, method, path, authorization):
    """Every operation asks for a token, and says which scheme it wants, before it looks at anything else."""
    answer = ask(mock, authorization, method, path, content=b"{")
    assert refused(answer) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers.keys() >= LIMIT_HEADERS


@operations
def test_plan_without_the_feature_is_refused(mock, method, path):
    """Every operation needs a plan with custom SIP trunks, whatever the body."""
    assert refused(ask(mock, f"Bearer {WITHOUT_FEATURE}", method, path, content=b"{")) == (403, "FEATURE_NOT_AVAILABLE")


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="empty"),
        pytest.param("Bearer", id="scheme-alone"),
        pytest.param(FIRST, id="no-scheme"),
        pytest.param(f"Basic {FIRST}", id="other-scheme"),
        pytest.param(f"Bearer {FIRST.removeprefix('talq_')}", id="no-prefix"),
        pytest.param(f"Bearer {FIRST[:-1]}", id="a-character-short"),
        pytest.param(f"Bearer {FIRST}x", id="a-character-more"),
        pytest.param(f"Bearer {FIRST.upper()}", id="capitals"),
        pytest.param(f"Bearer {FIRST} {FIRST}", id="two-tokens"),
        pytest.param(f"Bearer {FIRST}, Bearer {SECOND}", id="list"),
        pytest.param(f"Bearer\t{FIRST}", id="tab"),
    ],
)
def test_malformed_credentials_are_refused(mock, authorization):
    """A header that is not `Bearer` and a whole token is as good as none."""
    assert refused(ask(mock, authorization)) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_scheme_is_read_in_any_case(mock, scheme):
    """RFC 9110 leaves the case open; more than one blank is this mock's choice."""
    assert ask(mock, f"{scheme} {FIRST}").status_code == 200


def test_two_authorization_headers_are_refused(mock):
    """Even two good ones leave nothing to go by."""
    headers = [("Authorization", f"Bearer {FIRST}")] * 2
    assert refused(httpx.get(f"{mock.base_url}/sip-trunks", headers=headers)) == (401, "UNAUTHENTICATED")


def test_credentials_are_judged_before_the_media_type_and_the_size(mock):
    """A stranger learns nothing about what would be wrong with the body."""
    huge = {"content": b"a" * 100_000, "method": "POST"}
    assert refused(ask(mock, "Bearer talq_unknown", **huge)) == (401, "UNAUTHENTICATED")
    assert refused(ask(mock, f"Bearer {WITHOUT_FEATURE}", **huge)) == (403, "FEATURE_NOT_AVAILABLE")


def test_refused_stranger_changes_nothing(mock, first):
    """A good body with a bad token makes no trunk."""
    before = first.get("/sip-trunks").json()
    ask(mock, "Bearer talq_unknown", "POST", json=trunk())
    ask(mock, f"Bearer {WITHOUT_FEATURE}", "POST", json=trunk())
    assert first.get("/sip-trunks").json() == before


def test_unknown_path_is_not_found_whoever_asks(mock):
    """On a path that does not exist, nobody asks for a token."""
    assert refused(ask(mock, None, path="/nothing")) == (404, "NOT_FOUND")
    assert refused(ask(mock, f"Bearer {FIRST}", path="/nothing")) == (404, "NOT_FOUND")
