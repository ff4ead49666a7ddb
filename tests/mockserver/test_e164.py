"""`mockserver.e164`: how a number is written for people."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.e164 import international

numbers = st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True)


@given(numbers)
def test_any_number_is_written_with_the_same_digits(number):
    """Every E.164 number has a form for people, which keeps its plus sign and its digits."""
    text = international(number)
    assert text.startswith("+")
    assert re.sub(r"[^0-9]", "", text) == number[1:]


@pytest.mark.parametrize(
    ("number", "text"), [("+12025550123", "+1 202-555-0123"), ("+442079460958", "+44 20 7946 0958")]
)
def test_known_country_gets_its_own_grouping(number, text):
    """Digits are grouped as in the country."""
    assert international(number) == text


def test_number_of_no_known_country_stays_as_it_is():
    """A country code that nobody has is no reason to fail."""
    assert international("+99") == "+99"


def test_number_that_its_country_would_shorten_stays_as_it_is():
    """A zero that a country's plan takes for a trunk prefix belongs to the number all the same."""
    assert international("+31000000") == "+31000000"
