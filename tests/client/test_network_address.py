import pytest
from hypothesis import given
from hypothesis import strategies as st

from psyche_client.network import MAX_ADDRESS_BYTES, Address, AddressError, parse_address
from psyche_client.network.address import format_address


def test_an_address_text_is_read_back() -> None:
    address = Address(("10.1.2.3:9000", "[fe80::1]:7"), "https://relay.example/")
    assert parse_address(format_address(address)) == address


def test_the_empty_text_is_the_empty_address() -> None:
    assert parse_address("") == Address()


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:-1",
        "host.example:80",
        "fe80::1:80",
        "[10.0.0.1]:80",
        "[fe80::1]",
        "relay=ftp://x",
        "relay=https://",
        "relay=http://[",
        "1.1.1.1:1,1.1.1.1:2,1.1.1.1:3,1.1.1.1:4,1.1.1.1:5",
        "1.1.1.1:1" + "," * 90,
        "\u0661.1.1.1:1",
    ],
)
def test_a_malformed_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


@given(st.text(max_size=100))
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    assert len(format_address(address)) <= MAX_ADDRESS_BYTES


def test_sockets_that_do_not_fit_are_left_out() -> None:
    long = tuple(f"[2001:db8:1111:2222:3333:4444:5555:{n}]:65535" for n in range(6001, 6005))
    text = format_address(Address(long))
    assert parse_address(text).sockets == long[:2]
