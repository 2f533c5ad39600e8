"""Where a service's base URL leads: host, port, TLS or not, and the path in front of its own."""

from typing import Self
from urllib.parse import urlsplit

import msgspec


class Address(msgspec.Struct, frozen=True):
    """A base URL taken apart. `authority` is the value of the `host` header."""

    host: str
    port: int
    tls: bool
    authority: str
    prefix: str

    @classmethod
    def of(cls, url: str) -> Self:
        """From `http(s)://host[:port][/prefix]`, which the registry has validated."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        return cls(
            host=parts.hostname or "",
            port=parts.port or (443 if tls else 80),
            tls=tls,
            authority=parts.netloc.rpartition("@")[2],
            prefix=parts.path.rstrip("/"),
        )
