"""The secrets that the kit sends, every form in which they might come back, the search for them, and the mask.

A password of the kit is `head + marker + a number of its own + tail`. Head, marker and tail are the same all through a
run and unmistakable, so that a handful of needles finds any of them, whole, encoded or cut to its ends; digests are
looked up per password. Sources: the API's pages ("never returned", "write-only") and, for the forms, what servers are
known to do with passwords.
"""

import base64
import codecs
import hashlib
import html
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

PASSWORD_MASK = "$SIP_PASSWORD"  # noqa: S105 - what stands in place of one
TOKEN_MASK = "$TOKEN"  # noqa: S105
MASK = "***"

_ALPHABET = "bcdfghjkmnpqrstvwxz23456789"  # no vowels: no word of a language comes up by chance
_DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_512", "blake2b", "blake2s")
_DIGEST_PREFIX = 12  # characters of a digest that must match, so that one cut short is found too
_RUNS = re.compile(r"[0-9a-z+/_-]{12,}")
# bcrypt, Argon2, scrypt, PBKDF2, crypt(3) and LDAP: how their outputs start.
_HASH_PREFIXES = re.compile(
    r"\$2[abxy]?\$\d\d\$|\$argon2(?:id|i|d)\$|\$7\$|\$scrypt\$|scrypt:\d|\$pbkdf2|pbkdf2_sha\d|pbkdf2:sha\d"
    r"|\$[156y]\$(?:rounds=\d+\$)?[./0-9a-z]{2,}\$|\{s?sha\d*\}|\{crypt\}"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret that came back: which kind, in what form, and where (`body`, `header Location`, `$.data.hint`)."""

    secret: str  # "password" or "token"
    form: str
    where: str


class Canaries:
    """Makes the passwords of one run, remembers them, and knows them again in any form."""

    def __init__(self, seed: str, tokens: Iterable[str] = ()) -> None:
        self._random = random.Random(f"canaries {seed}")  # noqa: S311 - unmistakable, not unguessable
        self._count = 0
        self._head, self._marker, self._tail = self._letters(6), self._letters(10), self._letters(6)
        self._known: dict[str, str] = {}  # every password that was made, to what its mask is
        self._digests: dict[str, str] = {}  # the first characters of a digest, to its form
        self._needles: dict[str, str] = {}  # casefolded text to find, to its form
        self._numbers: set[str] = set()
        self._clean: set[str] = set()  # header lines without a secret; none that was made later can be in them
        self._tokens = [token for token in tokens if token]
        self._concealed: dict[str, str] = {}
        self._token_needles: dict[str, str] = {}
        self._expect_part(self._marker, "whole or in part")
        for end, form in ((self._head, "its first characters"), (self._tail, "its last characters")):
            self._needles[end] = form
            self._needles[end[::-1]] = form + ", reversed"
        for token in self._tokens:
            secret = token.removeprefix("talq_") if len(token) >= 13 else token
            self._token_needles.update(dict(_forms(secret, "in plain")))

    def password(self, extra: str = "") -> str:
        """Give a new password of letters and digits, with `extra` in its middle."""
        self._count += 1
        return self.remember(f"{self._head}{self._marker}{extra}{self._count:04d}{self._tail}")

    def twin(self, length: int) -> str:
        """Give a password that shares neither ends nor length with a twin of another length, odd where that is even."""
        self._count += 1
        ends = "ghjkm" if length % 2 else "npqrstvwxz"  # so that even one character at an end differs
        head, tail = ("".join(self._random.choices(ends, k=6)) for _ in range(2))
        password = self.remember(f"{head}{self._marker}{self._letters(length)}{tail}")
        for end, form in ((head, "its first characters"), (tail, "its last characters")):
            self._needles[end] = form
        return password

    def number(self) -> int:
        """Give a password that is no string: an integer of 15 digits that any JSON parser keeps exact."""
        number = self._random.randrange(6 * 10**14, 9 * 10**14)
        self._numbers.add(str(number))
        self._known[str(number)] = PASSWORD_MASK
        return number

    @property
    def numbers(self) -> frozenset[str]:
        """The passwords that are numbers, as they are written."""
        return frozenset(self._numbers)

    def remember(self, password: str, *context: str) -> str:
        """Take note of a password, and of the digests that a server could make of it; give it back.

        `context` are the username and the realm or domain it was sent with: SIP's digest authentication hashes the
        three together (RFC 3261, section 22.4; RFC 7616, section 3.4.2).
        """
        if not password:
            return password
        self._known.setdefault(password, PASSWORD_MASK)
        texts = [password] if not context else [f"{context[0]}:{realm}:{password}" for realm in context[1:]]
        for text in texts:
            for name in _DIGESTS:
                digest = hashlib.new(name, text.encode(), usedforsecurity=False).digest()
                for form in (digest.hex(), *_base64(digest)):
                    self._digests[form[:_DIGEST_PREFIX].casefold()] = f"as a digest ({name})"
        return password

    def conceal(self, text: str, shown: str) -> str:
        """Give back a text that was made of a secret; masks show something else in its place."""
        self._concealed[text] = shown
        return text

    def search(self, body: bytes, headers: Iterable[tuple[str, str]]) -> Iterator[Hit]:
        """Find every secret that came back in an answer, once per kind and place."""
        text = body.decode("utf-8", "replace")
        if hit := self.find(text):
            place = _place(self, text)
            yield Hit(hit.secret, hit.form, "body" if self.find(place) else place)
        for name, value in headers:
            line = f"{name}: {value}"
            if line in self._clean:
                continue
            if hit := self.find(line):
                yield Hit(hit.secret, hit.form, "a header's name" if self.find(name) else f"header {name}")
            else:
                self._clean.add(line)

    def find(self, text: str) -> Hit | None:
        """Find a secret in a text; also used on the kit's own output before it is written."""
        for plain in _readings(text):
            for needle, form in self._needles.items():
                if needle in plain:
                    return Hit("password", form, "")
            if any(number in plain for number in self._numbers):
                return Hit("password", "whole or in part", "")
            for needle, form in self._token_needles.items():
                if needle in plain:
                    return Hit("token", form, "")
            if digest := self._digest_in(plain):
                return Hit("password", digest, "")
        return None

    def mask(self, text: str) -> str:
        """Replace every secret, as it was sent, by the name of a shell variable."""
        if self._marker in text:
            for password in sorted(self._known, key=len, reverse=True):
                for written in {password, json.dumps(password)[1:-1], json.dumps(password, ensure_ascii=False)[1:-1]}:
                    text = text.replace(written, PASSWORD_MASK)
            text = self._mask_words(text)
        for number in self._numbers:
            text = text.replace(number, PASSWORD_MASK)
        for made, shown in self._concealed.items():
            text = text.replace(made, shown)
        for token in self._tokens:
            text = text.replace(token, TOKEN_MASK).replace(token.removeprefix("talq_"), TOKEN_MASK)
        return text

    def _mask_words(self, text: str) -> str:
        """Replace every word that the marker stands in; in linear time, since a word may be a million letters long."""
        parts, rest = [], 0
        while (start := text.find(self._marker, rest)) >= 0:
            end = start + len(self._marker)
            while start > rest and _in_word(text[start - 1]):
                start -= 1
            while end < len(text) and _in_word(text[end]):
                end += 1
            parts += [text[rest:start], PASSWORD_MASK]
            rest = end
        return "".join([*parts, text[rest:]])

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(_ALPHABET, k=count))

    def _expect_part(self, part: str, form: str) -> None:
        self._needles.update(dict(_forms(part, form)))

    def _digest_in(self, text: str) -> str | None:
        if "$" in text or "{" in text or ":" in text:
            scheme = _HASH_PREFIXES.search(text)
            if scheme:
                return f"as a password hash ({scheme[0].strip('$')})"
        for run in _RUNS.findall(text):
            for start in range(len(run) - _DIGEST_PREFIX + 1):
                if form := self._digests.get(run[start : start + _DIGEST_PREFIX]):
                    return form
        return None


def _in_word(character: str) -> bool:
    return character.isalnum() or character in "_$.*+-"


def _place(canaries: Canaries, text: str) -> str:
    """Give the JSON path of the first leaf that holds a secret, or `body`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "body"
    return next((path for path, leaf in leaves(document) if canaries.find(f"{path.rsplit('.', 1)[-1]} {leaf}")), "body")


def leaves(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """Give every leaf of a JSON document with its path (`$.data.name`, `$.data[0]`)."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}")
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from leaves(member, f"{path}[{number}]")
    else:
        yield path, value


def _readings(text: str) -> list[str]:
    """Give the text as it stands and with each kind of escape undone, casefolded."""
    readings = [text]
    if "\\u" in text or "\\x" in text:
        readings.append(re.sub(r"\\+(?:u00|x)([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text))
    if "%" in text:
        readings.append(unquote_plus(text, errors="replace"))
    if "&#" in text:
        readings.append(html.unescape(text))
    if " " in text and re.search(r"(?:\b\w\b[ ,.\"'|:-]+){8}", text):  # spelled out, one character at a time
        readings.append(re.sub(r"[^0-9a-zA-Z]+", "", text))
    return [reading.casefold() for reading in readings]


def _forms(secret: str, form: str) -> Iterator[tuple[str, str]]:
    """Give the texts, casefolded, as which a secret of ASCII characters can come back, with the form of each."""
    raw = secret.encode()
    for text in (raw, raw[::-1]):
        for aligned in _aligned_base64(text):
            yield aligned.casefold(), "in base64"
    yield raw.hex(), "in hexadecimal"
    yield raw.hex(" "), "in hexadecimal"
    yield raw.hex(":"), "in hexadecimal"
    yield raw[::-1].hex(), "reversed, in hexadecimal"
    yield codecs.encode(secret, "rot13").casefold(), "shifted by 13 letters"
    yield secret[::-1].casefold(), "reversed"
    yield secret.casefold(), form


def _base64(raw: bytes) -> tuple[str, str]:
    return base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()


def _aligned_base64(raw: bytes) -> Iterator[str]:
    """Give what of a text's base64 is the same whatever stands before and behind it, for each of three alignments."""
    for before in range(3):
        first = (before * 8 + 5) // 6  # the first sextet that holds nothing of what stands before
        for encoded in _base64(b"\0" * before + raw):
            yield encoded[first : (before + len(raw)) * 8 // 6]
