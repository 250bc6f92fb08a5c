"""Between clients: iroh connections among a run's members, and what goes over them."""

from psyche_client.network._counters import Counters, Tally
from psyche_client.network._types import (
    AddressError,
    BlobSource,
    EndpointError,
    Event,
    EventKind,
    FetchFailed,
    Member,
    NetworkError,
    PeerStatus,
    Settings,
)
from psyche_client.network.address import MAX_ADDRESS_BYTES, Address, parse_address
from psyche_client.network.endpoint import Endpoint
from psyche_client.network.exchange import Exchange
from psyche_client.network.wire import Kind

__all__ = [
    "MAX_ADDRESS_BYTES",
    "Address",
    "AddressError",
    "BlobSource",
    "Counters",
    "Endpoint",
    "EndpointError",
    "Event",
    "EventKind",
    "Exchange",
    "FetchFailed",
    "Kind",
    "Member",
    "NetworkError",
    "PeerStatus",
    "Settings",
    "Tally",
    "parse_address",
]
