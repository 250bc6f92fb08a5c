"""The local iroh endpoint: this client's key, its sockets, dialling and accepting."""

import asyncio
import contextlib
import ctypes
import logging
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Literal

from iroh import iroh_ffi as iroh

from psyche_client.network._types import NODE_KEY_BYTES, AddressError, EndpointError
from psyche_client.network.address import Address, format_address, parse_address
from psyche_client.network.wire import ALPN

log = logging.getLogger(__name__)

_CLOSE_SECONDS = 1.0

Network = Literal["direct", "n0"]


def _write_at_once(builder: Any, value: bytes) -> None:
    """Copy bytes into the binding's buffer in one call.

    The stock method copies byte by byte in Python: 5 MiB/s, and it holds up the event
    loop. This one reaches the speed of the line.
    """
    size = len(value)
    if not size:
        return
    with builder._reserve(size):
        start = ctypes.addressof(builder.rbuf.data.contents) + builder.rbuf.len
        ctypes.memmove(start, bytes(value), size)


def _speed_up_binding() -> None:
    builder: Any = getattr(iroh, "_UniffiRustBufferBuilder", None)
    if builder is None or not hasattr(builder, "_reserve"):
        log.warning("this iroh binding is not the one known: sending may be slow")
        return
    builder.write = _write_at_once


_speed_up_binding()


class Endpoint:
    """A bound endpoint under this client's node key. Make it with `Endpoint.start`."""

    def __init__(self, inner: iroh.Endpoint, network: Network, sockets: Sequence[str]) -> None:
        self._inner = inner
        self._network = network
        self._sockets = tuple(sockets)
        self.node_key: bytes = inner.id().to_bytes()

    @classmethod
    async def start(
        cls,
        seed32: bytes,
        *,
        network: Network = "direct",
        bind: str = "127.0.0.1:0",
        advertise: Sequence[str] = (),
        relay_urls: Sequence[str] = (),
        relay_token: str | None = None,
    ) -> "Endpoint":
        """Bind a socket and take the key of an ed25519 seed (32 bytes).

        `direct` uses no service of others: peers find each other by the addresses in
        their accounts. `n0` adds iroh's public discovery and relays. Own relays
        (`relay_urls`, with a bearer token) may be given with either. `advertise` replaces
        the addresses told to others, for a forwarded port. EndpointError if it fails.
        """
        if len(seed32) != NODE_KEY_BYTES:
            raise EndpointError(f"a node key's seed has 32 bytes, not {len(seed32)}")
        host = _host_of(bind)
        _check_told(advertise)
        try:
            options = iroh.EndpointOptions(
                # The stock preset asks public DNS; the minimal one asks nobody.
                preset=iroh.preset_n0() if network == "n0" else iroh.preset_minimal(),
                bind_addr=bind,
                secret_key=seed32,
                alpns=[ALPN],
                relay_mode=_relay_mode(network, relay_urls, relay_token),
            )
            inner = await iroh.Endpoint.bind(options)
        except iroh.IrohError as error:
            raise EndpointError(f"cannot bind {bind}: {reason_of(error)}") from None
        return cls(inner, network, advertise or _sockets_to_tell(inner, host))

    def address_text(self) -> str:
        """What stands in the participant's account: see `address`; at most 96 bytes."""
        relay = self._inner.addr().relay_url()
        return format_address(Address(self._sockets, relay))

    async def dial(self, node_key: bytes, address: Address) -> iroh.Connection:
        """Connect to a node; EndpointError if it cannot be reached.

        The handshake proves that the other side has `node_key`.
        """
        if not address.sockets and not address.relay_url and self._network == "direct":
            raise EndpointError("the peer has told no address")
        try:
            target = iroh.EndpointAddr(
                iroh.EndpointId.from_bytes(node_key), address.relay_url, list(address.sockets)
            )
            return await self._inner.connect(target, ALPN)
        except iroh.IrohError as error:
            raise EndpointError(reason_of(error)) from None

    async def accept(self) -> iroh.Incoming | None:
        """The next connection attempt; None once the endpoint is closed."""
        return await self._inner.accept_next()

    async def close(self) -> None:
        """Close all connections and the socket, within a second.

        iroh waits three seconds for the last packets of a peer that is gone already;
        what is not finished by then is dropped with the endpoint.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._inner.close()


def reason_of(error: iroh.IrohError) -> str:
    """One short line: the binding's own messages run over several and name its sources."""
    lines = [line.strip() for line in error.message().splitlines()]
    told = [line for line in lines if line and "/" not in line and line != "Caused by:"]
    return told[-1] if told else error.kind().name.lower()


def _host_of(bind: str) -> IPv4Address | IPv6Address:
    host, colon, port = bind.rpartition(":")
    try:
        if colon and port.isdigit():
            return ip_address(host.strip("[]"))
    except ValueError:
        pass
    raise EndpointError(f"{bind!r} is no IP:PORT to bind")


def _check_told(addresses: Sequence[str]) -> None:
    for told in addresses:
        try:
            parse_address(told)
        except AddressError as error:
            raise EndpointError(f"cannot advertise {told!r}: {error}") from None


def _relay_mode(network: Network, urls: Sequence[str], token: str | None) -> iroh.RelayMode:
    if urls:
        relays = iroh.RelayMap.empty()
        for url in urls:
            relays.insert(iroh.RelayConfig(url=url, auth_token=token))
        return iroh.RelayMode.custom(relays)
    return iroh.RelayMode.default_mode() if network == "n0" else iroh.RelayMode.disabled()


def _sockets_to_tell(inner: iroh.Endpoint, host: IPv4Address | IPv6Address) -> list[str]:
    if host.is_unspecified:
        return list(inner.addr().direct_addresses())
    # Besides the asked one, the binding listens on all IPv6 interfaces.
    return [s for s in inner.bound_sockets() if s.rpartition(":")[0].strip("[]") == str(host)]
