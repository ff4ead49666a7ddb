"""Every form in which a secret might come back, and the search for them."""

import base64
import codecs
import hashlib
import html
import json
from urllib.parse import quote, quote_plus

SHORTEST_PART = 6  # characters of a mask that keeps the beginning or the end
DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "blake2s", "sha3_256")


def forms(secret):
    """Give the forms by name; each is bytes that nothing but the secret explains."""
    raw = secret.encode()
    found = {
        "plain": raw,
        "json": json.dumps(secret)[1:-1].encode(),
        "json-utf-8": json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        "json-in-json": json.dumps(json.dumps(secret))[3:-3].encode(),
        "url": quote(secret, safe="").encode(),
        "url-small": quote(secret, safe="").lower().encode(),
        "url-path": quote(secret).encode(),
        "form": quote_plus(secret).encode(),
        "html": html.escape(secret).encode(),
        "html-text": html.escape(secret, quote=False).encode(),
        "python": repr(secret)[1:-1].encode(),
        "python-bytes": repr(raw)[2:-1].encode(),
        "hex": raw.hex().encode(),
        "hex-capitals": raw.hex().upper().encode(),
        "utf-16": secret.encode("utf-16-le"),
        "reversed": secret[::-1].encode(),
        "rot-13": codecs.encode(secret, "rot13").encode(),
        "capitals": secret.upper().encode(),
        "small": secret.lower().encode(),
        "beginning": secret[:SHORTEST_PART].encode(),
        "end": secret[-SHORTEST_PART:].encode(),
        "base32": base64.b32encode(raw).rstrip(b"="),
        "base85": base64.b85encode(raw),
    }
    for shift in range(3):
        # The characters that depend on the secret's own bytes alone, wherever it stands in what was encoded.
        first, last = -(-shift * 4 // 3), (shift + len(raw)) * 8 // 6
        encoded = base64.b64encode(bytes(shift) + raw + b"\0")[first + (shift > 0) : last]
        found[f"base64-{shift}"] = encoded
        found[f"base64-url-{shift}"] = encoded.replace(b"+", b"-").replace(b"/", b"_")
    for name in DIGESTS:
        digest = hashlib.new(name, raw)
        found[name] = digest.hexdigest().encode()
        found[f"{name}-base64"] = base64.b64encode(digest.digest()).rstrip(b"=")
    return found


def leaks(text, secrets):
    """Give secret and form for each that is in the text."""
    return [(secret, name) for secret in secrets for name, form in forms(secret).items() if form in text]
