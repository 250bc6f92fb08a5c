"""A prepared corpus behind any web server that answers range requests."""

import asyncio
from typing import Final
from urllib.parse import quote, urlsplit

import httpx2

from .mirrors import SourceError

#: For connecting, headers and body together: who sends a byte a second is left all the same.
_SECONDS: Final = 60.0
_CONNECT_SECONDS: Final = 10.0
_REDIRECTS_MAX: Final = 3
_OK, _PARTIAL = 200, 206


class HttpSource:
    """The folder at a URL; each request is a connection of its own, within one deadline."""

    def __init__(self, url: str, *, seconds: float = _SECONDS) -> None:
        """Take `http://` or `https://`; `seconds` is how long one request may last."""
        self._url = url.rstrip("/")
        # A URL may hold a password, which belongs into no message.
        self.name = urlsplit(url).hostname or "?"
        self._seconds = seconds
        # Once: reading the certificates takes longer than a block does on a fast line.
        self._tls = httpx2.create_ssl_context()

    async def read(self, file: str, start: int, size: int) -> bytes:
        """A range of a file."""
        span = f"bytes={start}-{start + size - 1}"
        data = await self._get(file, {"Range": span}, _PARTIAL, size)
        if len(data) != size:
            raise SourceError(f"it broke off after {len(data)} of {size} bytes")
        return data

    async def whole(self, file: str, bytes_max: int) -> bytes:
        """A whole file."""
        return await self._get(file, {}, _OK, bytes_max)

    async def _get(self, file: str, headers: dict[str, str], status: int, size: int) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._fetch(file, headers, status, size)
        except TimeoutError:
            raise SourceError(f"no whole answer in {self._seconds:g} seconds") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise SourceError(f"{type(error).__name__}: {error}"[:200]) from error

    async def _fetch(self, file: str, headers: dict[str, str], status: int, size: int) -> bytes:
        # A block's hash is of its bytes: no compression in between.
        headers = {**headers, "Accept-Encoding": "identity"}
        limits = httpx2.Timeout(self._seconds, connect=min(_CONNECT_SECONDS, self._seconds))
        data = bytearray()
        async with (
            httpx2.AsyncClient(
                follow_redirects=True,
                max_redirects=_REDIRECTS_MAX,
                timeout=limits,
                verify=self._tls,
            ) as client,
            client.stream("GET", f"{self._url}/{quote(file)}", headers=headers) as answer,
        ):
            if answer.status_code != status:
                word = " (it has no range requests)" if answer.status_code == _OK else ""
                raise SourceError(f"HTTP status {answer.status_code}{word}")
            async for part in answer.aiter_raw():
                data += part
                if len(data) > size:
                    raise SourceError(f"it sends more than {size} bytes")
        return bytes(data)
