"""`mockserver.environments`: tokens, plans, and the file that replaces the built-in ones."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.environments import BUILT_IN, BadEnvironments, Environment, MemoryEnvironments, built_in, load

ENTRY = {"name": "ci", "token": "talq_ci", "plan": "standard", "allow_custom_sip_trunks": True}


def find(known, token):
    return asyncio.run(known.find(token))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "environments.toml"


def test_built_in_environments_are_three_and_unlimited():
    """Two with the feature, one without, none with a limit."""
    assert [it.allow_custom_sip_trunks for it in BUILT_IN.values()] == [True, True, False]
    assert {it.requests_per_minute for it in BUILT_IN.values()} == {0}
    assert asyncio.run(built_in().names()) == ["first", "second", "without-feature"]


@given(st.dictionaries(st.from_regex(r"talq_[a-z]{1,6}", fullmatch=True), st.text(max_size=3), max_size=5), st.text())
def test_token_finds_its_environment_and_no_other(names, other):
    """A token finds what it was made for; any other text finds nothing."""
    known = MemoryEnvironments((token, Environment(name, "standard", True, 0)) for token, name in names.items())
    for token, name in names.items():
        assert find(known, token.encode()).name == name
    if other not in names:
        assert find(known, other.encode()) is None


@pytest.mark.parametrize("wrong", [b"", b"talq_c", b"talq_ci ", b"talq_cii", b"TALQ_CI", b"talq_ci\0"])
def test_nearly_right_token_finds_nothing(wrong):
    """A token is right as a whole or not at all."""
    assert find(MemoryEnvironments([("talq_ci", Environment("ci", "standard", True, 0))]), wrong) is None


def test_tokens_are_not_kept():
    """What is kept is a digest: no text form of the environments has a token in it."""
    shown = repr(vars(built_in()))
    assert not [token for token in BUILT_IN if token in shown]


@pytest.mark.parametrize(
    ("plan", "limit"), [("standard", 100), ("professional", 1000), ("enterprise", 0)], ids=lambda it: str(it)
)
def test_limit_follows_the_plan(environments_file, plan, limit):
    """Each plan has its documented limit, unless the file has another."""
    known = load(environments_file(ENTRY | {"plan": plan}))
    assert find(known, b"talq_ci") == Environment("ci", plan, True, limit)
    own = load(environments_file(ENTRY | {"plan": plan, "requests_per_minute": 7}))
    assert find(own, b"talq_ci").requests_per_minute == 7


def test_limit_of_zero_is_unlimited(environments_file):
    """0 stands for no limit, also on a plan that has one."""
    assert find(load(environments_file(ENTRY | {"requests_per_minute": 0})), b"talq_ci").requests_per_minute == 0


def test_quotas_come_from_the_file(environments_file):
    """What an environment may have, if the file says so."""
    quotas = {"max_trunks": 3, "journal_entries": 0, "idle_seconds": 60}
    found = find(load(environments_file(ENTRY | quotas)), b"talq_ci")
    assert found == Environment("ci", "standard", True, 100, **quotas)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"name": ""}, "environment 1: name must be 1 to 64 letters", id="empty-name"),
        pytest.param({"name": "-a"}, "environment 1: name must be", id="odd-first-letter"),
        pytest.param({"name": "a\n"}, "environment 1: name must be", id="line-feed-in-name"),
        pytest.param({"name": "a" * 65}, "environment 1: name must be", id="long-name"),
        pytest.param({"name": 1}, "environment 1: name must be", id="number-for-a-name"),
        pytest.param({"token": "xalq_ci"}, "environment 1: token must be talq_ and", id="other-prefix"),
        pytest.param({"token": "talq_"}, "environment 1: token must be", id="prefix-alone"),
        pytest.param({"token": "talq_c i"}, "environment 1: token must be", id="blank-in-token"),
        pytest.param({"token": "talq_ci\n"}, "environment 1: token must be", id="line-feed-in-token"),
        pytest.param({"token": "talq_" + "a" * 501}, "environment 1: token must be", id="long-token"),
        pytest.param({"token": 1}, "environment 1: token must be", id="number-for-a-token"),
        pytest.param({"plan": "gold"}, "plan must be one of standard, professional, enterprise", id="unknown-plan"),
        pytest.param({"plan": ["standard"]}, "plan must be one of", id="list-for-a-plan"),
        pytest.param({"allow_custom_sip_trunks": 1}, "allow_custom_sip_trunks must be true or false", id="number"),
        pytest.param({"requests_per_minute": -1}, "requests_per_minute must be a whole number", id="negative"),
        pytest.param({"requests_per_minute": 1.5}, "requests_per_minute must be a whole number", id="fraction"),
        pytest.param({"requests_per_minute": True}, "requests_per_minute must be a whole number", id="boolean"),
        pytest.param({"max_trunks": -1}, "max_trunks must be a whole number, 0 for unlimited", id="trunks"),
        pytest.param({"journal_entries": "1"}, "journal_entries must be a whole number", id="journal"),
        pytest.param({"idle_seconds": 0.5}, "idle_seconds must be a whole number", id="idle"),
        pytest.param({"is_suspended": True}, "environment 1 has 1 unknown key(s)", id="suspended"),
        pytest.param({"colour": "red"}, "environment 1 has 1 unknown key(s); known are name, token", id="unknown-key"),
    ],
)
def test_bad_entry_is_told_by_place_and_rule(environments_file, change, says):
    """The sentence names the entry, the key and the rule, and never the token."""
    with pytest.raises(BadEnvironments) as caught:
        load(environments_file(ENTRY | change))
    assert says in str(caught.value)
    assert "alq_c" not in str(caught.value)


@pytest.mark.parametrize("key", ENTRY)
def test_missing_key_is_named(environments_file, key):
    """Four keys are required."""
    with pytest.raises(BadEnvironments, match=f"environment 1: {key} must be"):
        load(environments_file({name: value for name, value in ENTRY.items() if name != key}))


@pytest.mark.parametrize(("change", "key"), [({"token": "talq_b"}, "name"), ({"name": "b"}, "token")])
def test_twins_are_refused(environments_file, change, key):
    """Two environments share neither name nor token."""
    with pytest.raises(BadEnvironments) as caught:
        load(environments_file(ENTRY, {**ENTRY, "name": "a", "token": "talq_a"}, ENTRY | change))
    assert str(caught.value) == f"environments 1 and 3 have the same {key}"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "must have a list [[environments]] and nothing else", id="empty"),
        pytest.param(b"environments = []", "must have a list", id="empty-list"),
        pytest.param(b"environments = 1", "must have a list", id="number"),
        pytest.param(b"environments = [1]", "environment 1 must be a table", id="list-of-numbers"),
        pytest.param(b"[environments]\na = 1", "must have a list", id="table"),
        pytest.param(b"x = 1\n[[environments]]", "must have a list", id="something-else"),
        pytest.param(b"\xff", "is not text in UTF-8", id="not-utf-8"),
        pytest.param(b'a = "talq_ci', "is not TOML (at", id="not-toml"),
        pytest.param(b'["(at talq_ci)"]\n["(at talq_ci)"]', "is not TOML (at line", id="quoted-by-the-parser"),
        pytest.param(b"a = " + b"[" * 100_000, "is not TOML", id="deep"),
        pytest.param(b"a = 1" + b"0" * 5_000, "is not TOML", id="integer-of-5000-digits"),
    ],
)
def test_file_that_cannot_be_used_is_told_in_one_sentence(file, content, says):
    """Whatever a file holds, the answer is one sentence, which repeats nothing of it."""
    file.write_bytes(content)
    with pytest.raises(BadEnvironments) as caught:
        load(file)
    assert says in str(caught.value)
    assert "talq" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_missing_file_is_an_os_error(file):
    """What the file system says is the caller's to tell."""
    with pytest.raises(OSError, match="No such file"):
        load(file)
