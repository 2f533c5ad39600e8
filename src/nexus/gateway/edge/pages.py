"""Keeps web pages off a gateway that asks for no token: whatever a browser on this machine opens can send it requests.

A page reaches a loopback port in two ways. It sends a request across origins (the browser names the page's `Origin`, or
says `Sec-Fetch-Site: cross-site`); or its own name is made to lead to 127.0.0.1 (DNS rebinding), and then that name is
in `Host`. Programs send no `Origin` and name the machine.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from nexus.contract.errors import PERMISSION_DENIED, ApiError
from nexus.policies.networks import parse_host


class Names:
    """The names of this gateway: those of loopback, and the `known` ones of its URLs and of where it listens."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = frozenset({"localhost", *(name.lower() for name in known)})

    def is_own_host(self, host: bytes | None) -> bool:
        """Whether a `Host` header names this gateway. No browser leaves it out."""
        return host is None or self._is_own(_host_of(f"//{host.decode('latin-1')}"))

    def check(self, fields: Mapping[bytes, bytes]) -> None:
        """Raises ApiError (403) for a request that a page of another origin may have sent. Names in lower case."""
        if not self.is_own_host(fields.get(b"host")):
            raise _refusal("Host", "it is not a name of this machine")
        origin = fields.get(b"origin")
        if origin is not None and not self._is_own_origin(origin.decode("latin-1")):
            raise _refusal("Origin", "it is a page of another origin")
        followed = fields.get(b"sec-fetch-mode") == b"navigate"  # a link to here; a form that is sent has an Origin
        if fields.get(b"sec-fetch-site") == b"cross-site" and not followed:
            raise _refusal("Sec-Fetch-Site", "it is a page of another site")

    def _is_own_origin(self, origin: str) -> bool:
        return origin.startswith(("http://", "https://")) and self._is_own(_host_of(origin))

    def _is_own(self, name: str | None) -> bool:
        if name is None:
            return False
        address = parse_host(name)
        return name in self._known or (address is not None and address.is_loopback)


_FORBIDDEN: Final = frozenset("/\\?#@ ")


def _host_of(url: str) -> str | None:
    """The host of a URL of nothing but scheme, host and port, in lower case; None where it is not that."""
    authority = url.partition("//")[2]
    if set(authority) & _FORBIDDEN:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is none
    except ValueError:
        return None
    return parts.hostname


def _refusal(header: str, reason: str) -> ApiError:
    return ApiError(
        PERMISSION_DENIED,
        f"The gateway runs without authentication, so it takes no requests of web pages; the {header} header says that "
        f"{reason}.",
    )
