import base64
import codecs
import hashlib
import html
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.canaries import PASSWORD_MASK, Canaries

TOKEN = "talq_8f14e45fceea167a5a36dedd4bea2543"
FORMS = {
    "plain": lambda text: text,
    "json": lambda text: json.dumps(text),
    "json-ascii-everywhere": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "url": lambda text: quote(text, safe=""),
    "url-everywhere": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "html": lambda text: html.escape(text),
    "html-decimal": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "html-hex": lambda text: "".join(f"&#x{ord(letter):x};" for letter in text),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-behind-one": lambda text: base64.b64encode(b"x" + text.encode()).decode(),
    "base64-behind-two": lambda text: base64.b64encode(b"xy" + text.encode() + b"z").decode(),
    "base64-url": lambda text: base64.urlsafe_b64encode(b"user:" + text.encode()).decode(),
    "base64-without-padding": lambda text: base64.b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "hex-upper": lambda text: text.encode().hex().upper(),
    "hex-colons": lambda text: text.encode().hex(":"),
    "reversed": lambda text: text[::-1],
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
    "swapped": lambda text: text.swapcase(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "first-six": lambda text: text[:6],
    "last-six": lambda text: text[-6:],
    "masked-middle": lambda text: text[:6] + "*" * 10 + text[-6:],
    "in-a-sentence": lambda text: f"The password {text!r} is too weak",
    "spelled-out": lambda text: " ".join(text),
    **{
        f"{name}-{kind}": lambda text, name=name, kind=kind: kind_of(kind)(hashlib.new(name, text.encode()).digest())
        for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b")
        for kind in ("hex", "base64")
    },
    "sha256-cut-short": lambda text: hashlib.sha256(text.encode()).hexdigest()[:16],
}
HASHES = {
    "bcrypt": "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "argon2": "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b2dWRWJTmaQ",
    "pbkdf2": "pbkdf2_sha256$600000$abc$d3d3",
    "crypt": "$6$rounds=5000$abcdefgh$xyz",
    "ldap": "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
}
INNOCENT = [
    "3f0f6a0e-52c1-4c6e-9a35-0d1f6f2b7c11",
    "2024-01-15T14:00:00Z",
    "$SIP_PASSWORD $TOKEN *** password must not be empty",
    "talq_",
    hashlib.sha256(b"something else").hexdigest(),
    base64.b64encode(bytes(range(256))).decode(),
    json.dumps({"success": False, "code": "VALIDATION_ERROR", "errors": {"password": ["password is required"]}}),
    "%41%42 &#65; \\u0041 {0} $HOME $1 $2 {x} :",
    "price: $5$, $10$ and $100$",
]


def kind_of(kind):
    return bytes.hex if kind == "hex" else lambda raw: base64.b64encode(raw).decode()


def body(text):
    return json.dumps({"data": {"hint": text}}, ensure_ascii=False).encode()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), around=st.tuples(st.text(max_size=8), st.text(max_size=8)))
def test_every_form_of_a_password_is_found(form, seed, around):
    """A password of any run is found in any form, wherever it stands in a body or a header."""
    canaries = Canaries(str(seed), [TOKEN])
    password = canaries.password()
    found = list(canaries.search(body(f"{around[0]} {form(password)} {around[1]}"), [("X-Hint", form(password))]))
    assert {hit.secret for hit in found} == {"password"}
    assert {hit.where for hit in found} == {"$.data.hint", "header X-Hint"}


@pytest.mark.parametrize("extra", ['"\\é<&>中', "'$(id)`%s", " ", "\u0000\n"])
@pytest.mark.parametrize("form", ["plain", "json", "url", "html", "base64", "hex", "reversed", "upper", "first-six"])
def test_password_with_odd_characters_is_found(form, extra):
    """Quotes, markup and other alphabets inside a password do not hide it."""
    canaries = Canaries("x")
    assert canaries.find(FORMS[form](canaries.password(extra)))


@pytest.mark.parametrize("text", HASHES.values(), ids=HASHES)
def test_password_hash_is_known_by_its_beginning(text):
    """A salted hash cannot be computed, but it says what it is."""
    assert Canaries("x").find(f'"credential": "{text}"').form.startswith("as a password hash")


def test_digest_of_sip_authentication_is_found():
    """The digest over username, realm and password gives the password away too."""
    canaries = Canaries("x")
    password = canaries.password()
    canaries.remember(password, "user_42", "sip.carrier-x.com")
    ha1 = hashlib.md5(f"user_42:sip.carrier-x.com:{password}".encode()).hexdigest()
    assert canaries.find(f"ha1={ha1}").form == "as a digest (md5)"


def test_number_is_found():
    """A password that was no text is found as it was."""
    canaries = Canaries("x")
    assert canaries.find(f'{{"rejected": {canaries.number()}}}')


@pytest.mark.parametrize("length", [0, 3, 9])
def test_ends_of_a_twin_are_found(length):
    """Twins have ends of their own, which are known too."""
    canaries = Canaries("x")
    twin = canaries.twin(length)
    assert canaries.find(twin[:6])
    assert canaries.find(twin[-6:])


@pytest.mark.parametrize("form", ["plain", "json", "url-everywhere", "base64-behind-one", "hex", "reversed", "upper"])
def test_token_is_found(form):
    """A bearer token is found as a password is, with and without its prefix."""
    canaries = Canaries("x", [TOKEN])
    for text in (TOKEN, TOKEN.removeprefix("talq_")):
        assert canaries.find(f"a {FORMS[form](text)} b").secret == "token"


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_text_is_not_found(text):
    """Ids, times, masks, other digests and messages about a password raise no alarm."""
    canaries = Canaries("x", [TOKEN])
    for _ in range(50):
        canaries.password()
    assert canaries.find(text) is None


@given(st.text(max_size=300), st.integers(0, 10**6))
def test_arbitrary_text_is_not_found(text, seed):
    """Nothing that does not come from a secret looks like one."""
    canaries = Canaries(str(seed), [TOKEN])
    canaries.password()
    assert canaries.find(text) is None


@settings(deadline=None)
@given(
    before=st.text(max_size=20),
    behind=st.text(max_size=20),
    extra=st.text(max_size=6),
    write=st.sampled_from([str, json.dumps, lambda text: json.dumps(text, ensure_ascii=False)]),
)
def test_mask_leaves_nothing_of_a_password(before, behind, extra, write):
    """No end and no part of a password that was sent is left, whatever stands beside it."""
    canaries = Canaries("x", [TOKEN])
    password = canaries.password(extra)
    masked = canaries.mask(f"{before}{write(password)}{behind}")
    assert PASSWORD_MASK in masked
    assert canaries.find(masked) is None
    assert password[:4] not in masked
    assert password[-4:] not in masked


def test_mask_hides_tokens_and_numbers_and_what_was_made_of_them():
    """Tokens and passwords that are numbers are replaced, and what the kit made of a token."""
    canaries = Canaries("x", [TOKEN])
    number = canaries.number()
    made = canaries.conceal("talq_made_of_it", "talq_unknown")
    masked = canaries.mask(f"Bearer {TOKEN} {TOKEN[5:]} {number} {made}")
    assert masked == f"Bearer $TOKEN $TOKEN {PASSWORD_MASK} talq_unknown"


def test_mask_of_a_large_body_is_quick():
    """A million letters beside a password take no longer to mask than to read."""
    canaries = Canaries("x", [TOKEN])
    password = canaries.password()
    large = "n" * 1_000_000
    started = time.monotonic()
    masked = canaries.mask(f'{{"name": "{large}", "x": "{large}{password[3:]}", "password": "{password}"}}')
    assert time.monotonic() - started < 5
    assert canaries.find(masked) is None


def test_empty_password_is_no_secret():
    """A password that was sent empty changes neither what is masked nor what is found."""
    canaries = Canaries("seed")
    canaries.remember("")
    assert canaries.mask(f"one {canaries.password()} more") == f"one {PASSWORD_MASK} more"
    assert canaries.find(hashlib.md5(b"", usedforsecurity=False).hexdigest()) is None


def test_passwords_of_a_run_are_all_different():
    """No password is used twice, and another run has others."""
    one, two = Canaries("a"), Canaries("b")
    made = [kit.password() for kit in (one, two) for _ in range(200)]
    assert len(set(made)) == 400
    assert Canaries("a").password() == made[0]


def test_place_of_a_hit_does_not_repeat_the_secret():
    """A member that is named for a password is told as the body."""
    canaries = Canaries("x")
    password = canaries.password()
    (hit,) = canaries.search(json.dumps({"data": {password: 1}}).encode(), [])
    assert password not in hit.where
