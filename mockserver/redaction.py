"""Secrets that cannot be printed, and logs that cannot repeat one.

A SIP password is sealed (AES-256-GCM) as soon as it has been parsed; what goes on from there is a `Sealed`, whose every
text form is `***`. The log formatter is the second line: it masks what looks like a token or a password member, and
prints a traceback without the exception's message, which may quote its input.
"""

import base64
import binascii
import contextlib
import copy
import difflib
import logging
import re
import time
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mockserver.clock import random_bytes

KEY_BYTES = 32
NONCE_BYTES = 12
MASK = "***"
LONGEST_KEPT = 1000  # characters of a text in the journal
SHORTEST_SECRET = 4  # characters; a shorter one is in too many words

_TOKEN = re.compile(r"talq(?:_|%5[fF])[^\s\"'<>,;|)\]}]*")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NOTHING = re.compile(r"|null|None|nil|undefined|NaN|true|false|0|1|\{\w{1,30}\}|:\w{1,30}")
_PASSWORD_MEMBER = re.compile(r"""(\\?["']password\\?["']\s*:\s*)(\\?"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,}\s]+)""")


class BadKey(ValueError):
    """The sealing key is not 32 bytes in base64. Never quotes it."""


class Sealed:
    """An encrypted secret: nonce and ciphertext. Prints as `***`, whatever prints it."""

    __slots__ = ("box",)

    def __init__(self, box: bytes) -> None:
        self.box = box

    def __repr__(self) -> str:
        return MASK


class Seal:
    """Seals secrets under the first of its keys and opens them under any, each 32 bytes; with no key given, under one
    of this process alone."""

    def __init__(self, *keys: bytes) -> None:
        self._ciphers = [AESGCM(key) for key in keys or (AESGCM.generate_key(KEY_BYTES * 8),)]
        self._cipher = self._ciphers[0]

    def close(self, secret: str) -> Sealed:
        """Encrypt a secret."""
        return Sealed(self.lock(secret.encode()))

    def open(self, sealed: Sealed) -> str:
        """Decrypt a secret; BadKey when it was sealed under another key."""
        return self.unlock(sealed.box).decode()

    def lock(self, content: bytes, purpose: bytes = b"") -> bytes:
        """Encrypt bytes; give nonce and ciphertext. What is locked for one purpose opens for no other."""
        nonce = random_bytes()[:NONCE_BYTES]
        return nonce + self._cipher.encrypt(nonce, content, purpose)

    def unlock(self, box: bytes, purpose: bytes = b"") -> bytes:
        """Decrypt what `lock` gave; BadKey when that was under another key, or for another purpose."""
        return self._opened(box, purpose)[1]

    def again(self, sealed: Sealed) -> Sealed:
        """Give the same secret sealed under the first key, the very same if it is already; BadKey."""
        number, secret = self._opened(sealed.box)
        return Sealed(self.lock(secret)) if number else sealed

    def _opened(self, box: bytes, purpose: bytes = b"") -> tuple[int, bytes]:
        """Give which key it is, and the secret."""
        for number, cipher in enumerate(self._ciphers):
            with contextlib.suppress(InvalidTag):
                return number, cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], purpose)
        raise BadKey("the secret was sealed under another key")


def parse_keys(text: str) -> list[bytes]:
    """Read keys with commas between them, the one that seals first; BadKey."""
    return [parse_key(part) for part in text.split(",")]


def parse_key(text: str) -> bytes:
    """Read a key of 32 bytes from base64 (either alphabet); BadKey when it is not one."""
    try:
        key = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise BadKey(f"must be {KEY_BYTES} bytes in base64")
    return key


def scrub(text: str) -> str:
    """Mask what looks like a bearer token or the value of a `password` member."""
    if "talq" in text:
        text = _TOKEN.sub(f"talq_{MASK}", text)
    if "password" in text:
        text = _PASSWORD_MEMBER.sub(rf'\1"{MASK}"', text)
    return text


def clean(value: Any, secrets: Iterable[str]) -> Any:
    """Give a value of JSON as it may be kept: no token in it, none of the secrets, nothing nested, nothing long."""
    if type(value) is str:
        return MASK if reveals(value, secrets) else value[:LONGEST_KEPT]
    if type(value) in (dict, list):
        return "(an object)" if type(value) is dict else "(a list)"
    return MASK if type(value) in (int, float) and str(value) in secrets else value


def reveals(text: str, secrets: Iterable[str]) -> bool:
    """Tell whether a text has a token or one of these secrets in it; a very short secret counts only by itself."""
    if "talq" in text or ("%" in text and "talq" in unquote(text)):
        return True
    return any(secret in text if len(secret) >= SHORTEST_SECRET else secret == text for secret in secrets)


class Words:
    """Words that may be shown wherever they were sent, and so may what is nearly one of them."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words)

    def shown(self, text: str) -> str:
        """Give the text if it is such a word, a slip of the pen, or no word at all (`null`, a number); else `***`."""
        if text in self._words or _NOTHING.fullmatch(text) or _UUID.fullmatch(text):
            return text
        near = len(text) <= 40 and difflib.get_close_matches(text, self._words, 1, 0.75)
        return text if near and not reveals(text, ()) else MASK


ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class TextFormatter(logging.Formatter):
    """One line a record, `time level logger message`, scrubbed; tracebacks as places and types only."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Give the scrubbed line."""
        record = copy.copy(record)
        record.exc_text = None  # what another formatter made of the exception
        return scrub(super().format(record))

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - logging's name
        """Give each frame's place and the exception's type, without its message or any value."""
        frames = traceback.extract_tb(ei[2])
        places = [f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}' for frame in frames]
        return "\n".join([*places, ei[0].__name__ if ei[0] else "no exception"])


class JsonFormatter(TextFormatter):
    """One JSON object a record; an access record's fields stand beside `time`, `level` and `logger`."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the scrubbed line."""
        import orjson

        entry: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            **(record.__dict__.get("fields") or {"message": record.getMessage()}),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        # Before it is JSON: a mask set in later would have to know how deep in quotes it stands.
        return orjson.dumps(_scrubbed(entry)).decode()


def _scrubbed(value: Any) -> Any:
    """Scrub all texts in a JSON value; what JSON does not know becomes its repr."""
    if isinstance(value, dict):
        return {str(key): MASK if key == "password" else _scrubbed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrub(value if isinstance(value, str) else repr(value))
