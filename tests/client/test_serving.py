"""Who is a member, as the server of data knows it."""

import pytest

from psyche_client.serving import FRESH_SECONDS, BindError, Members, parse_bind
from psyche_sdk.errors import RpcUnreachable
from support.accounts import roster_bytes

KEY = bytes([7]) * 32


class Chain:
    """A roster that changes, a chain that goes away, and a clock."""

    def __init__(self) -> None:
        self.now, self.reads, self.away = 0.0, 0, False
        self.state = 3

    async def roster(self) -> bytes:
        self.reads += 1
        if self.away:
            raise RpcUnreachable("it is away")
        return roster_bytes({1: {"node_key": KEY, "state": self.state, "member_id": 5}})


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def members(chain: Chain) -> Members:
    return Members(chain.roster, clock=lambda: chain.now)


async def test_who_holds_a_slot_is_known_and_the_chain_is_not_asked_each_time(
    chain: Chain, members: Members
) -> None:
    assert await members.knows(KEY)
    assert not await members.knows(bytes(32))
    assert chain.reads == 1


async def test_who_left_is_let_in_no_more(chain: Chain, members: Members) -> None:
    assert await members.knows(KEY)
    chain.state, chain.now = 5, FRESH_SECONDS
    assert not await members.knows(KEY)


async def test_while_the_chain_is_away_the_last_list_counts(chain: Chain, members: Members) -> None:
    assert await members.knows(KEY)
    chain.away, chain.now = True, FRESH_SECONDS
    assert await members.knows(KEY)
    assert await members.knows(KEY)
    assert chain.reads == 2


@pytest.mark.parametrize("bind", ["", "7900", "host:", ":1", "host:x", "host:65536", "host:٣"])
def test_an_address_that_is_none_says_how_one_is_written(bind: str) -> None:
    with pytest.raises(BindError) as caught:
        parse_bind(bind)
    assert "HOST:PORT" in caught.value.hint


def test_an_address_is_host_and_port() -> None:
    assert parse_bind("0.0.0.0:7900") == ("0.0.0.0", 7900)
    assert parse_bind("[::1]:0") == ("::1", 0)
