"""`mockserver.redaction`: secrets that cannot be printed, and logs that cannot repeat one."""

import base64
import contextlib
import copy
import io
import json
import logging
import os
import pickle
import re
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.clock import random_bytes
from mockserver.redaction import BadKey, JsonFormatter, Seal, Sealed, TextFormatter, parse_key, parse_keys, scrub

KEY = bytes(range(32))
SECRET = "correct-horse-battery"
SEALED = Seal(KEY).close(SECRET)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_sealed_secret_opens_under_its_key(secret):
    """Sealing and opening give the secret back, also in another process with the same key."""
    assert Seal(KEY).open(Seal(KEY).close(secret)) == secret


def test_same_secret_is_sealed_differently_each_time():
    """Two trunks with one password do not show that they have."""
    seal = Seal(KEY)
    assert len({seal.close(SECRET).box for _ in range(20)}) == 20


def test_first_key_seals_and_every_key_opens():
    """With several keys, what was sealed under any can be opened, and `again` brings it under the first."""
    both = Seal(bytes(32), KEY)
    assert both.open(SEALED) == SECRET
    again = both.again(SEALED)
    assert Seal(bytes(32)).open(again) == both.open(again) == SECRET
    assert both.again(again) is again
    with pytest.raises(BadKey):
        Seal(KEY).open(both.close(SECRET))


def test_keys_are_read_with_commas_between_them():
    """A list of keys, blanks around them or not; one bad key spoils it."""
    one, two = base64.b64encode(KEY).decode(), base64.b64encode(bytes(32)).decode()
    assert parse_keys(f"{one}, {two}") == [KEY, bytes(32)]
    assert parse_keys(one) == [KEY]
    for text in ("", f"{one},", f"{one},x", f"{one} {two}"):
        with pytest.raises(BadKey):
            parse_keys(text)


@pytest.mark.parametrize(
    "keys",
    [(), (bytes(32),), (bytes(32), b"x" * 32)],
    ids=["own-key-of-a-process", "other-key", "other-keys"],
)
def test_other_key_does_not_open(keys):
    """What was sealed elsewhere stays closed, and the complaint says nothing else."""
    with pytest.raises(BadKey) as caught:
        Seal(*keys).open(SEALED)
    assert str(caught.value) == "the secret was sealed under another key"
    assert caught.value.__context__ is None


def test_changed_box_does_not_open():
    """A bit that was turned is noticed."""
    box = bytearray(SEALED.box)
    box[-1] ^= 1
    with pytest.raises(BadKey):
        Seal(KEY).open(Sealed(bytes(box)))


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(repr, id="repr"),
        pytest.param(str, id="str"),
        pytest.param("{}".format, id="format"),
        pytest.param(lambda it: f"{it!s} {it!r} {it!a}", id="f-string"),
        pytest.param(lambda it: repr([it, {"password": it}]), id="inside"),
        pytest.param(lambda it: repr(pickle.dumps(it)), id="pickle"),
        pytest.param(lambda it: repr(copy.deepcopy(it)), id="copy"),
        pytest.param(lambda it: repr(it.box), id="box"),
    ],
)
def test_no_text_form_shows_a_secret(show):
    """Whatever prints a sealed secret prints none of it."""
    assert SECRET not in show(SEALED)


def test_sealed_secret_has_no_vars():
    """There is nothing in it that a debugger's dump would show, beside the box."""
    with pytest.raises(TypeError):
        vars(SEALED)
    with pytest.raises(TypeError):
        json.dumps(SEALED)


def test_seal_does_not_show_its_key():
    """The key is in no text form of the seal."""
    shown = repr(Seal(KEY)) + repr(vars(Seal(KEY)))
    assert not any(form in shown for form in (KEY.hex(), repr(KEY)[2:-1], base64.b64encode(KEY).decode()))


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_key_is_read_from_base64(encode):
    """Both alphabets do, with white space around."""
    key = bytes([255, 254, 253, 252] * 8)
    assert parse_key(f" {encode(key).decode()}\n") == key


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_text_is_a_key_of_32_bytes_or_is_refused(text):
    """Whatever the text, what comes out has 32 bytes."""
    with contextlib.suppress(BadKey):
        assert len(parse_key(text)) == 32


def test_refusal_of_a_key_does_not_quote_it():
    """The sentence is fixed, and no library's error hangs on it."""
    with pytest.raises(BadKey) as caught:
        parse_key(SECRET)
    assert caught.value.args == ("must be 32 bytes in base64",)
    assert caught.value.__context__ is None


tokens = st.from_regex(r"talq_[A-Za-z0-9._~+/=-]{8,40}", fullmatch=True)
words = st.text(st.characters(categories=["L", "N"]), min_size=6)


@given(tokens, st.sampled_from(["", '"', "'", " ", "=", "%20"]))
def test_token_is_masked_wherever_it_stands(token, around):
    """No token survives, whatever stands around it."""
    shown = scrub(f"Authorization: Bearer {around}{token}{around} next")
    assert token[5:] not in shown
    assert "talq_***" in shown


def in_json(value):
    return json.dumps(value, ensure_ascii=False)


@given(words)
def test_password_member_is_masked_in_python_and_json(secret):
    """A `password` member is masked in JSON, in JSON inside JSON, and in a Python repr, quotes inside it or not."""
    for password in (secret, f'{secret}"{secret}', f"{secret}'{secret}", f"{secret}\\"):
        body = {"name": "n", "password": password, "port": 1}
        for text in (in_json(body), in_json(in_json(body)), repr(body)):
            assert secret not in scrub(text)


def test_other_text_stays_as_it_is():
    """What looks like no secret is not touched."""
    text = "GET /api/v1/sip-trunks 200 talk password reset"
    assert scrub(text) == text


def logged(formatter, *message, error=None, **extra):
    """Give the line that a record becomes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    exc_info = (type(error), error, error.__traceback__) if error else None
    handler.handle(logging.LogRecord("trunkmock", logging.ERROR, "x.py", 1, message[0], message[1:], exc_info))
    return stream.getvalue()


def failure():
    """Give an error whose message and note quote a secret."""
    try:
        {}[SECRET]
    except KeyError as error:
        error.add_note(SECRET)
        return error


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_traceback_is_logged_without_messages_or_values(formatter):
    """Of an exception, the log has places and types."""
    line = logged(formatter, "it failed", error=failure())
    assert SECRET not in line
    assert "in failure" in line
    assert "KeyError" in line
    assert SECRET in "".join(traceback.format_exception(failure()))


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_traceback_that_another_formatter_has_made_is_not_taken_over(formatter):
    """A record remembers its first formatter's traceback; the message in that one is not ours to repeat."""
    error = failure()
    record = logging.LogRecord(
        "x", logging.ERROR, "x.py", 1, "it failed", (), (type(error), error, error.__traceback__)
    )
    assert SECRET in logging.Formatter().format(record)
    line = formatter.format(record)
    assert SECRET not in line
    assert "in failure" in line


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_secrets_in_a_message_and_its_arguments_are_masked(formatter):
    """The scrubber sees the whole line, arguments included."""
    line = logged(formatter, "body %s token %s", {"password": SECRET}, "talq_your_token")
    assert (SECRET in line, "your_token" in line) == (False, False)


def test_json_line_is_one_object_with_the_usual_members():
    """Each line of the json log can be parsed, whatever the message has in it."""
    line = logged(JsonFormatter(), 'a "quoted"\nline %s', {"password": 'x"y'})
    assert line.count("\n") == 1
    entry = json.loads(line)
    assert entry.keys() == {"time", "level", "logger", "message"}
    assert (entry["level"], entry["logger"]) == ("error", "trunkmock")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])


def test_fields_of_a_record_stand_beside_the_usual_members():
    """Structured fields become members, scrubbed at any depth, and what JSON does not know becomes its repr."""
    record = logging.LogRecord("trunkmock", logging.INFO, "x.py", 1, "ignored", (), None)
    record.fields = {"status": 200, "body": {"password": SECRET, "list": [("talq_your_token", SEALED, None)]}}
    entry = json.loads(JsonFormatter().format(record))
    assert (entry["status"], entry["body"]) == (200, {"password": "***", "list": [["talq_***", "***", None]]})
    assert "message" not in entry


def test_text_line_begins_with_time_level_and_logger():
    """The text log has the time in UTC."""
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ERROR trunkmock hello$", logged(TextFormatter(), "hello"))


def test_no_random_bytes_are_given_twice():
    """Neither to two threads nor to a process and the one that it forked: a nonce must not be used again."""
    with ThreadPoolExecutor(4) as threads:
        taken = list(threads.map(lambda _: random_bytes(), range(2000)))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, random_bytes())
        os._exit(0)
    os.waitpid(child, 0)
    taken += [os.read(reading, 16), random_bytes()]
    os.close(reading)
    os.close(writing)
    assert len(set(taken)) == len(taken)
    assert {len(it) for it in taken} == {16}
