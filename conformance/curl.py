"""One request as a shell command that sends it again as pasted, with shell variables in place of secrets.

It needs curl and what every Unix has. Texts come masked: `$TOKEN` and its siblings, and what a shell makes of them, are
left for the shell to fill in; everything else is quoted so that the shell leaves it alone.
"""

import re
import shlex

LONGEST = 32_000  # bytes of a body, after repetitions are folded, that a command holds
_PLAIN = 8_000  # characters of a body that stand in the command as they are
_NAME = r"(?:OTHER_|NO_PLAN_)?TOKEN"
_EXPRESSION = re.compile(  # what the client writes for a token, whole or changed
    rf"\$\(printf '%s:?' \"\$(?:{_NAME}|\{{{_NAME}#talq_\}})\" \| (?:base64 \| tr -d '\\n'|tr 'a-zA-Z' 'A-Za-z')\)"
    rf"|\$\{{{_NAME}(?:%\?|#talq_)\}}|\${_NAME}\b"
)
_RUN = re.compile(rb"(.{1,12}?)\1{99,}", re.DOTALL)


def command(method: str, url: str, headers: tuple[tuple[str, str], ...], body: bytes | None, secret: str) -> str:
    """Give the command, on several lines; `secret` is what stands in the body for a password."""
    lines = [f"curl -sS -i{_flags(method, url)} {shlex.quote(url)}"]
    lines += [f"  -H {_header(name, value)}" for name, value in headers]
    source = ""
    if body is not None:
        if not any(name.lower() == "content-type" for name, _ in headers):
            lines.append("  -H 'Content-Type:'")
        if (text := _plain(body)) is not None:
            lines.append(f"  --data-raw {_spliced(text, secret)}")
        else:
            source, argument = _piped(body, secret.encode())
            lines.append(f"  {argument}")
    return source + " \\\n".join(lines)


def _flags(method: str, url: str) -> str:
    flags = " --head" if method == "HEAD" else f" -X {method}"
    if re.search(r"[\[\]{}]", url):
        flags += " --globoff"
    return flags + (" --path-as-is" if re.search(r"/\.{1,2}(/|$)", url) else "")


def _header(name: str, value: str) -> str:
    if not value.strip():
        return shlex.quote(f"{name};")  # curl leaves out a header that is written with nothing behind its colon
    text, written, rest = f"{name}: {value}", "", 0
    for expression in _EXPRESSION.finditer(text):
        written += _literal(text[rest : expression.start()]) + expression[0]
        rest = expression.end()
    return f'"{written}{_literal(text[rest:])}"'


def _literal(text: str) -> str:
    """Quote a text that stands between double quotes."""
    return re.sub(r'([\\"`$])', r"\\\1", text)


def _plain(body: bytes) -> str | None:
    """Give a body that may stand in the command as it is, or None."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    fits = len(text) <= _PLAIN and all(character.isprintable() or character == "\n" for character in text)
    return text if fits else None


def _spliced(text: str, secret: str) -> str:
    parts = [shlex.quote(part) if part else "" for part in text.split(secret)]
    return f'"{secret}"'.join(parts) or "''"


def _piped(body: bytes, secret: bytes) -> tuple[str, str]:
    """Give what writes a body, as the beginning of a pipe, and the argument with which curl reads it."""
    pieces, rest, folded = [], 0, 0
    for run in _RUN.finditer(body) if len(body) > _PLAIN else ():
        before, unit = body[rest : run.start()], run[1]
        pieces += [_printed(before, secret)] if before else []
        pieces.append(_repeated(unit, len(run[0]) // len(unit), secret))
        rest, folded = run.end(), folded + len(before)
    if folded + len(body) - rest > LONGEST:
        return (
            f"# a body of {len(body)} bytes, too many to print; put one like it into body.json\n",
            "--data-binary @body.json",
        )
    pieces += [_printed(body[rest:], secret)] if body[rest:] else []
    return f"{{ {'; '.join(pieces)}; }} | \\\n", "--data-binary @-"


def _printed(part: bytes, secret: bytes) -> str:
    """Give a printf of these bytes, with the secret's variable as its arguments."""
    texts = part.split(secret)
    written = "%s".join("".join(map(_escaped, text)) for text in texts)
    return " ".join([f"printf '{written}'", *[f'"{secret.decode()}"'] * (len(texts) - 1)])


def _escaped(byte: int) -> str:
    r"""Write a byte so that printf, in single quotes, gives it back."""
    if byte == ord("%"):
        return "%%"
    if chr(byte) in "\\'-" or not 0x20 <= byte < 0x7F:
        return f"\\{byte:03o}"
    return chr(byte)


def _repeated(unit: bytes, times: int, secret: bytes) -> str:
    if len(unit) == 1:
        return f"head -c {times} /dev/zero | tr '\\0' '\\{unit[0]:03o}'"
    return f"for _ in $(seq {times}); do {_printed(unit, secret)}; done"
