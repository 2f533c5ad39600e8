"""Base URLs of services: checked, brought to one form, and freed of the credentials that must never be shown."""

import base64
import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?\.?")
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_USERINFO: Final = re.compile(r"//[^/?#]*@")


class AddressError(ValueError):
    """The text is not the base URL of a service; the message is one line and shows no credentials."""


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL in its one form (lower-case scheme and host, no default port, no trailing slash) and what it wants.

    `authorization` is the value of the header that requests to it carry, None for none.
    """

    url: str
    authorization: str | None = None


def parse_address(text: str) -> Address:
    """A service's address from what someone wrote, e.g. `http://:token@host:8000/`. Raises AddressError.

    A user part `:token@` becomes the bearer token, `user:password@` basic authentication (RFC 7617).
    """
    shown = _USERINFO.sub("//", text)
    if not _PRINTABLE.fullmatch(text):
        raise AddressError(f"{shown!r} is not a URL")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"{shown!r}: the host or the port is not a valid one") from error
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise AddressError(f"{shown!r} is not an http:// or https:// URL with a host")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise AddressError(f"{shown!r}: the base URL of a service has neither a query nor a fragment")
    if port == 0:
        raise AddressError(f"{shown!r}: the port is not a valid one")
    place = _host(parts.hostname, shown)
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        place = f"{place}:{port}"
    return Address(f"{scheme}://{place}{parts.path.rstrip('/')}", _authorization(parts, shown))


def base_url(host: str, port: int) -> str:
    """The base URL of a plain HTTP service at an IP address or a name; IPv6 addresses go into brackets."""
    return parse_address(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}").url


def host_of(url: str) -> str:
    """The host of a URL that `parse_address` gave, without brackets."""
    return urlsplit(url).hostname or ""


def _host(host: str, shown: str) -> str:
    host = host.lower()
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host).compressed}]"
        except ValueError as error:
            raise AddressError(f"{shown!r}: the host is not a valid IPv6 address") from error
    if len(host) > 253 or not _HOST.fullmatch(host):
        raise AddressError(f"{shown!r}: the host is not a valid one")
    return host


def _authorization(parts: SplitResult, shown: str) -> str | None:
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user and not password:
        return None
    if user and parts.password is None:
        raise AddressError(f"{shown!r}: give a token as http://:token@host and a login as http://user:password@host")
    if not user:
        if not _PRINTABLE.fullmatch(password):
            raise AddressError(f"{shown!r}: the token has characters that a header cannot carry")
        return f"Bearer {password}"
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
