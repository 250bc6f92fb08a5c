import pytest
from solders.keypair import Keypair

from psyche_client.network import MAX_ADDRESS_BYTES, Endpoint, EndpointError, parse_address

SEED = bytes([9]) * 32


async def test_the_node_key_is_the_public_key_of_the_seed() -> None:
    endpoint = await Endpoint.start(SEED)
    assert endpoint.node_key == bytes(Keypair.from_seed(SEED).pubkey())
    await endpoint.close()


async def test_only_the_asked_address_is_told() -> None:
    endpoint = await Endpoint.start(SEED, bind="127.0.0.1:0")
    address = parse_address(endpoint.address_text())
    assert len(address.sockets) == 1
    assert address.sockets[0].startswith("127.0.0.1:")
    assert address.relay_url is None
    await endpoint.close()


async def test_bound_to_all_interfaces_its_address_still_fits() -> None:
    endpoint = await Endpoint.start(SEED, bind="0.0.0.0:0")
    assert len(endpoint.address_text()) <= MAX_ADDRESS_BYTES
    parse_address(endpoint.address_text())
    await endpoint.close()


async def test_an_advertised_address_replaces_the_bound_one() -> None:
    endpoint = await Endpoint.start(SEED, advertise=["203.0.113.7:4000"])
    assert endpoint.address_text() == "203.0.113.7:4000"
    await endpoint.close()


async def test_an_advertised_address_that_is_none_is_an_error() -> None:
    with pytest.raises(EndpointError, match="advertise"):
        await Endpoint.start(SEED, advertise=["example.org:4000"])


async def test_a_port_in_use_is_an_error() -> None:
    first = await Endpoint.start(SEED)
    with pytest.raises(EndpointError, match="cannot bind"):
        await Endpoint.start(bytes([8]) * 32, bind=first.address_text())
    await first.close()


@pytest.mark.parametrize("bind", ["", "127.0.0.1", "localhost:0", "127.0.0.1:x", "1.2.3:4"])
async def test_a_malformed_bind_address_is_an_error(bind: str) -> None:
    with pytest.raises(EndpointError, match="no IP:PORT"):
        await Endpoint.start(SEED, bind=bind)


async def test_a_seed_of_another_length_is_an_error() -> None:
    with pytest.raises(EndpointError, match="32 bytes"):
        await Endpoint.start(b"short")


async def test_a_relay_that_is_no_url_is_an_error() -> None:
    with pytest.raises(EndpointError):
        await Endpoint.start(SEED, relay_urls=["not a url"])
