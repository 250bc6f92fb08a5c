"""How many bytes went each way, by kind of message and by peer."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Bytes sent and received."""

    sent: int = 0
    received: int = 0


@dataclass(slots=True)
class Counters:
    """Totals over the life of an exchange; kinds are hello, announce, ping, payload, ..."""

    kinds: dict[str, Tally] = field(default_factory=dict)
    peers: dict[bytes, Tally] = field(default_factory=dict)

    def sent(self, node: bytes, kind: str, size: int) -> None:
        """Count bytes that were handed to the transport."""
        self.kinds.setdefault(kind, Tally()).sent += size
        self.peers.setdefault(node, Tally()).sent += size

    def received(self, node: bytes, kind: str, size: int) -> None:
        """Count bytes that arrived."""
        self.kinds.setdefault(kind, Tally()).received += size
        self.peers.setdefault(node, Tally()).received += size

    def of(self, node: bytes) -> Tally:
        """One peer's totals."""
        return self.peers.get(node, Tally())
