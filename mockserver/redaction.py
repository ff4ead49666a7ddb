"""Secrets that cannot be printed, and logs that cannot repeat one.

A SIP password is sealed (AES-256-GCM) as soon as it has been parsed; what goes on from there is a `Sealed`, whose every
text form is `***`. The log formatter is the second line: it masks what looks like a token or a password member, and
prints a traceback without the exception's message, which may quote its input.
"""

import base64
import binascii
import logging
import os
import re
import time
import traceback
from types import TracebackType
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
MASK = "***"

_TOKEN = re.compile(r"talq(?:_|%5[fF])[^\s\"'<>,;|)\]}]*")
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
    """Seals and opens secrets under one key of 32 bytes; with no key given, under one of this process alone."""

    def __init__(self, key: bytes | None = None) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(KEY_BYTES * 8) if key is None else key)

    def close(self, secret: str) -> Sealed:
        """Encrypt a secret."""
        nonce = os.urandom(NONCE_BYTES)
        return Sealed(nonce + self._cipher.encrypt(nonce, secret.encode(), None))

    def open(self, sealed: Sealed) -> str:
        """Decrypt a secret; BadKey when it was sealed under another key."""
        try:
            return self._cipher.decrypt(sealed.box[:NONCE_BYTES], sealed.box[NONCE_BYTES:], None).decode()
        except InvalidTag:
            raise BadKey("the secret was sealed under another key") from None


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
        return scrub(orjson.dumps(entry, default=repr).decode())
