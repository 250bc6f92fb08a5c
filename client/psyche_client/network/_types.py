"""The words that the network's parts share: members, peers, events, settings, errors."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from psyche_client.network.wire import Kind

NODE_KEY_BYTES = 32


class NetworkError(Exception):
    """Root of what this package raises.

    NetworkError
      AddressError      an address text that cannot be used
      EndpointError     the local endpoint could not start, or is closed
      FetchFailed       nothing valid arrived in time
    """


class AddressError(NetworkError):
    """An address text is empty, too long or malformed."""


class EndpointError(NetworkError):
    """The local endpoint could not start or is closed; the message names the cause."""


class FetchFailed(NetworkError):  # noqa: N818 - it tells what happened, as its siblings do
    """No peer delivered valid bytes before the deadline; `reasons` says why, a line a peer."""

    def __init__(self, what: str, reasons: dict[bytes, str]) -> None:
        told = "; ".join(f"{key.hex()[:8]}: {why}" for key, why in reasons.items())
        super().__init__(f"cannot fetch {what}: {told or 'no peer to ask'}")
        self.reasons = reasons


class BlobSource(Protocol):
    """What this client can give to others; the client's store implements it."""

    def load(self, kind: Kind, key: bytes) -> bytes | None:
        """The whole blob, or None if not held. Called in a worker thread."""

    def may_serve(self, commitment: bytes) -> bool:
        """Whether Train of this payload's round has closed. Called in the event loop."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the roster has it: slot (0 ..), member id, and its address text."""

    slot: int
    member_id: int
    address_text: str = ""


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One member as this client sees it; bytes are of messages and blobs, both ways."""

    node_key: bytes
    slot: int
    alive: bool
    rtt_ms: float | None
    sent_bytes: int
    received_bytes: int
    #: "direct ADDRESS", "relay ADDRESS", or "" without a connection.
    path: str
    banned: bool
    #: The epoch that it was in when it connected; None without a connection.
    epoch: int | None


class EventKind(Enum):
    """What an event says."""

    PEER_UP = "peer up"
    PEER_DOWN = "peer down"
    #: `commitments` holds what the peer newly says it has.
    ANNOUNCED = "announced"
    BANNED = "banned"
    #: A connection of no member was closed; slot is -1.
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Event:
    """Something the client may want to know at once."""

    kind: EventKind
    node_key: bytes
    slot: int
    detail: str = ""
    commitments: tuple[bytes, ...] = ()


OnEvent = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Times (seconds) and limits of one exchange. The defaults suit lines of 20 Mb/s."""

    #: With more than `brisk_peers` connections both times grow in proportion, so that
    #: heartbeats cost a bounded part of a core.
    heartbeat_seconds: float = 1.0
    #: Without a sign of life for so long a peer's connection is closed.
    dead_seconds: float = 3.0
    brisk_peers: int = 32
    dial_seconds: float = 5.0
    #: Longest wait between dials; the first waits are shorter and double.
    redial_seconds: float = 5.0
    #: A transfer that brings nothing for so long is given up, with a mark against the peer.
    stall_seconds: float = 3.0
    #: A transfer must bring this much a second, so that a trickle does not hold a fetch.
    floor_bytes_per_second: int = 4096
    upload_slots: int = 6
    upload_slots_per_peer: int = 2
    #: A request waits so long for an upload slot before it is told "busy".
    upload_queue_seconds: float = 1.0
    upload_bytes_per_second: int | None = None
    download_slots: int = 16
    downloads_per_peer: int = 2
    #: First ban; each further one is twice as long, at most an hour.
    ban_seconds: float = 15.0
