"""From the URIs in model.json to sources that can be asked."""

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from .errors import DataError
from .http import HttpSource
from .mirrors import Source
from .tcp import TcpSource

SCHEMES: Final = ("https", "http", "tcp")


def check_uri(uri: str) -> None:
    """Refuse what no client could ask.

    Raises:
        DataError: the URI has another scheme, no host, or a tcp one no port.
    """
    try:
        parts = urlsplit(uri)
        right = parts.scheme in SCHEMES and bool(parts.hostname)
        right = right and (parts.scheme != "tcp" or bool(parts.port))
    except ValueError:
        right = False
    if not right:
        raise DataError(
            f"`{uri}` is no place of data",
            hint="write https://HOST/FOLDER, http://HOST/FOLDER or tcp://HOST:PORT",
        )


def open_sources(
    uris: Sequence[str], *, run: bytes, node_key: bytes, sign: Callable[[bytes], bytes]
) -> list[Source]:
    """A source for each URI that this client understands; a run may name others."""
    found: list[Source] = []
    for uri in uris:
        try:
            check_uri(uri)
        except DataError:
            continue
        parts = urlsplit(uri)
        if parts.scheme == "tcp":
            assert parts.hostname
            assert parts.port
            found.append(
                TcpSource(parts.hostname, parts.port, run=run, node_key=node_key, sign=sign)
            )
        else:
            found.append(HttpSource(uri))
    return found
