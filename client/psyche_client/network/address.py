"""Address texts: what a participant's account says about where its client is reached.

At most 96 bytes of ASCII: a comma-separated list of `IP:PORT`, `[IPv6]:PORT` and at most
one `relay=URL`. The node key is not in it; the roster has that. The text is written by
other people, so it is checked before it is used.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from psyche_client.network._types import AddressError

MAX_ADDRESS_BYTES = 96
MAX_SOCKETS = 4
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node is reached: up to four `ip:port`, and perhaps a relay."""

    sockets: tuple[str, ...] = ()
    relay_url: str | None = None


def parse_address(text: str) -> Address:
    """Read an address text; the empty text is an empty Address; AddressError if malformed."""
    if not text.isascii() or len(text) > MAX_ADDRESS_BYTES:
        raise AddressError(f"an address is at most {MAX_ADDRESS_BYTES} bytes of ASCII")
    sockets: list[str] = []
    relay: str | None = None
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part.startswith("relay="):
            relay = _relay(part.removeprefix("relay="))
        else:
            sockets.append(_socket(part))
    if len(sockets) > MAX_SOCKETS:
        raise AddressError(f"an address names at most {MAX_SOCKETS} sockets")
    return Address(tuple(sockets), relay)


def format_address(address: Address) -> str:
    """The text of an address; sockets that no longer fit are left out, the relay first in."""
    parts = [f"relay={address.relay_url}"] if address.relay_url else []
    if len(",".join(parts)) > MAX_ADDRESS_BYTES:
        raise AddressError("the relay's URL does not fit an address text")
    for socket in address.sockets[:MAX_SOCKETS]:
        if len(",".join([*parts, socket])) <= MAX_ADDRESS_BYTES:
            parts.append(socket)
    return ",".join(parts)


def _socket(part: str) -> str:
    host, colon, port = part.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ip = ip_address(bare)
    except ValueError:
        raise AddressError(f"{part!r} is no IP:PORT") from None
    if (ip.version == 6) is (bare is host):  # noqa: PLR2004 - IP versions are their own names
        raise AddressError(f"{part!r} is no IP:PORT")
    if not colon or not port.isdigit() or not 0 < int(port) <= _MAX_PORT:
        raise AddressError(f"{part!r} has no port of 1 to {_MAX_PORT}")
    return f"[{ip}]:{int(port)}" if ip.version == 6 else f"{ip}:{int(port)}"  # noqa: PLR2004


def _relay(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise AddressError(f"{url!r} is no relay URL")
    return url
