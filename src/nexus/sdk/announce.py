"""Telling the gateway that this service is here: an announcement, a heartbeat with jitter, a farewell at the drain."""

import asyncio
import ipaddress
import logging
import random
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

import httpx

from nexus.sdk.environment import ServiceSettings
from nexus.sdk.trust import trusting

RETRY_SECONDS: Final = 2.0
JITTER: Final = 0.2
_TIMEOUT: Final = httpx.Timeout(3)
_log: Final = logging.getLogger(__name__)


class Announcer:
    """Keeps the service listed at the gateway of `settings`. A gateway that is away is logged once, and tried again."""

    def __init__(self, gateway_url: str, secret: str, base_url: str, trust: ssl.SSLContext | None = None) -> None:
        """`trust`: whom it trusts over TLS, the usual authorities where it is None."""
        self._url = f"{gateway_url}/v1/registry"
        self._headers = {"authorization": f"Bearer {secret}"}
        self._body = {"base_url": base_url}
        self._trust: ssl.SSLContext | bool = True if trust is None else trust
        self._trouble: str | None = "not announced yet"

    async def run(self) -> None:
        """Announce again and again, until cancelled."""
        async with httpx.AsyncClient(timeout=_TIMEOUT, verify=self._trust, trust_env=False) as client:
            while True:
                pause = await self._beat(client)
                await asyncio.sleep(pause * (1 - JITTER * random.random()))  # noqa: S311 - not a secret

    async def leave(self) -> None:
        """Say farewell; a gateway that does not hear it will notice by itself."""
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT, verify=self._trust, trust_env=False) as client:
                await client.request("DELETE", self._url, json=self._body, headers=self._headers)
        except httpx.HTTPError as error:
            _log.warning("the gateway was not told of the leaving", extra={"reason": repr(error)})

    async def _beat(self, client: httpx.AsyncClient) -> float:
        """One announcement; the seconds until the next one is due."""
        try:
            response = await client.post(self._url, json=self._body, headers=self._headers)
            response.raise_for_status()
            pause = float(response.json()["heartbeat_seconds"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            self._tell(_reason(error))
            return RETRY_SECONDS
        self._tell(None)
        return max(pause, 0.1)

    def _tell(self, trouble: str | None) -> None:
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            _log.info("announced to the gateway", extra={"gateway": self._url})
        else:
            _log.warning("the gateway cannot be told", extra={"gateway": self._url, "reason": trouble})


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"it answered {error.response.status_code}"
    return f"{type(error).__name__}: {error}"


def announcer(settings: ServiceSettings, port: int) -> Announcer | None:
    """The announcer that the settings ask for: None unless both the gateway and the secret are given."""
    if settings.gateway_url is None or settings.registration_secret is None:
        return None
    host = reachable_host(settings.host, settings.gateway_url)
    trust = trusting(settings.ca_cert)
    return Announcer(settings.gateway_url, settings.registration_secret, f"http://{host}:{port}", trust)


def reachable_host(host: str, gateway_url: str) -> str:
    """The address under which the gateway reaches this process: `host`, or, when that is "every address", the one
    from which this machine would speak to the gateway. IPv6 addresses come in brackets."""
    parsed = urlsplit(gateway_url)
    with_address = host
    if host in ("0.0.0.0", "::", ""):
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        try:
            family, kind, _, _, address = socket.getaddrinfo(parsed.hostname, port, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind) as probe:
                probe.connect(address)  # of a datagram socket: nothing is sent
                with_address = probe.getsockname()[0]
        except OSError:
            with_address = socket.gethostname()
    try:
        return f"[{with_address}]" if ipaddress.ip_address(with_address).version == 6 else with_address
    except ValueError:
        return with_address
