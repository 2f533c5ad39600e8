"""A gateway that speaks TLS, with a certificate by an authority that a test trusts."""

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from nexus.stack.authority import Folder, renew
from tests.servers.gateway import TOKEN, Gateway
from tests.servers.raw import wait_until


class SecureGateway(Gateway):
    """Its certificate lies in `tls` in its folder. `client` asks it; httpx does, as its users' programs do."""

    def __init__(self, folder: Path, services: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        self.tls = Folder(folder / "tls")
        self.renew()
        own = {"NEXUS_TLS_CERT": str(self.tls.certificate), "NEXUS_TLS_KEY": str(self.tls.key)}
        super().__init__(folder, services, {**own, **(env or {})})

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def renew(self) -> None:
        renew(self.tls, ())

    def wait_until_alive(self, within: float = 20.0) -> None:
        """Until it says so: plain requests it does not answer."""
        wait_until(lambda: b"gateway_started" in self.stdout.read_bytes() or self.process.poll() is not None, within)
        assert self.process.poll() is None, self.stderr.read_text()

    def trusting(self) -> ssl.SSLContext:
        """A client's context that trusts the authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.tls.authority))

    def client(self) -> httpx.Client:
        """A client with connections of its own, which sends the token."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        return httpx.Client(base_url=self.url, verify=self.trusting(), headers=headers, trust_env=False, timeout=10)

    def wait_for_state(self, url: str, state: str, within: float = 5.0) -> None:
        def found() -> bool:
            services: list[dict[str, Any]] = client.get("/v1/services").json()["data"]
            return any(one["url"] == url and one["state"] == state for each in services for one in each["instances"])

        with self.client() as client:
            wait_until(found, within)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of its log of one event."""
        return [line for line in self.log_lines() if line["event"] == name]
