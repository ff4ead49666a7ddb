"""`mockserver.serving`: addresses and sockets."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.serving import CannotListen, is_loopback, listen, resolve


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::1%lo"])
def test_loopback_address_is_known(address):
    """All of 127.0.0.0/8, ::1, and the first inside IPv6."""
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", "2001:db8::1"])
def test_other_address_can_be_reached_from_elsewhere(address):
    """Every other address counts as open, the one that means all of them too."""
    assert not is_loopback(address)


@given(st.ip_addresses())
def test_any_address_is_judged(address):
    """No address makes the judgement fail."""
    assert is_loopback(str(address)) in (True, False)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "a" * 300, "a..b", "\udcff", "x y"], ids=ascii)
def test_host_that_does_not_exist_is_said_so(host):
    """A name that does not resolve, or cannot, is one sentence."""
    with pytest.raises(CannotListen, match=r"^no such host$"):
        resolve(host, 80)


def test_taken_port_is_said_so():
    """The reason is the system's, in lower case."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotListen, match=r"^address already in use"):
        listen(socket.AF_INET, taken.getsockname())


def test_address_of_another_machine_is_said_so():
    """An address that this machine does not have cannot be listened on."""
    with pytest.raises(CannotListen):
        listen(socket.AF_INET, ("192.0.2.1", 0))


def test_free_port_is_found():
    """Port 0 gives a socket that listens on a port of its own and does not block."""
    ((family, address), *_) = resolve("127.0.0.1", 0)
    with listen(family, address) as sock:
        assert sock.getsockname()[1] > 0
        assert not sock.getblocking()
