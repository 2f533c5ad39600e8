"""Pictures fetched from public addresses, for operators who switch that on: everything a client names is suspect.

The host is looked up once, every address it has must be public, and the connection goes to the very address that was
looked at, whatever the name says a moment later. Redirects are followed by the same rules.
"""

import asyncio
import ipaddress
import socket
from typing import Final

import httpx

from nexus_ollama.errors import invalid

MOST_BYTES: Final = 20 * 1024 * 1024
_SECONDS: Final = 15.0
_HOPS: Final = 3
_PORTS: Final = {"http": 80, "https": 443}
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Fetcher:
    """Fetches pictures; without a `transport` of the caller's, over the network."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(_SECONDS, connect=5.0),
            follow_redirects=False,
            trust_env=False,
            headers={"accept": "image/*", "accept-encoding": "identity", "user-agent": "nexus"},
        )

    async def fetch(self, url: str, param: str) -> bytes:
        """The picture at `url`. Raises ApiError (400) that names `param`, whatever the reason: the client chose it."""
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._followed(url, param)
        except TimeoutError as error:
            raise invalid(f"the picture did not come within {_SECONDS:g} seconds", param) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise invalid("the picture cannot be fetched", param) from error

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def _followed(self, url: str, param: str) -> bytes:
        for _ in range(_HOPS + 1):
            target = httpx.URL(url)
            pinned, extensions = await self._pinned(target, param)
            request = self._client.build_request(
                "GET", pinned, headers={"host": target.netloc.decode("ascii")}, extensions=extensions
            )
            response = await self._client.send(request, stream=True)
            try:
                if not response.is_redirect:
                    return await _body(response, param)
                url = str(target.join(response.headers.get("location", "")))
            finally:
                await response.aclose()
        raise invalid(f"the picture's address leads on more than {_HOPS} times", param)

    async def _pinned(self, url: httpx.URL, param: str) -> tuple[httpx.URL, dict[str, str]]:
        """The address itself in place of the host's name, and the name for TLS to check the certificate by."""
        if url.scheme not in _PORTS or not url.host or url.userinfo:
            raise invalid("a picture's address is http://host/… or https://host/…", param)
        port = url.port or _PORTS[url.scheme]
        if port not in _PORTS.values():
            raise invalid("pictures are fetched from the usual ports alone", param)
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        if not addresses or not all(map(is_public, addresses)):
            raise invalid("pictures are fetched from public addresses alone", param)
        return url.copy_with(host=str(addresses[0])), {"sni_hostname": url.host}


def is_public(address: Address) -> bool:
    """Whether this is an address of the open internet; those that stand for another are judged by that one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


async def _body(response: httpx.Response, param: str) -> bytes:
    if response.status_code != httpx.codes.OK:
        raise invalid(f"the picture's address answered {response.status_code}", param)
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith("image/"):
        raise invalid("what is at the picture's address is no picture", param)
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise invalid(f"the picture is larger than {MOST_BYTES} bytes", param)
    return bytes(body)
