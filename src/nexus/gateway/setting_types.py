"""What the values of environment variables are, each read from its text; what it cannot be is a ValueError."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from nexus.gateway.registry.address import Address, AddressError, parse_address
from nexus.gateway.registry.sources.dns import DnsName
from nexus.gateway.shared.address import parse_redis_url
from nexus.policies.networks import Network, parse_network
from nexus.store.address import BlobAddress, parse_database_url, parse_files_url


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _address(value: Any) -> Any:
    try:
        return parse_address(value) if isinstance(value, str) else value
    except AddressError as error:
        raise ValueError(str(error)) from error


def _dns_name(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name, _, port = value.rpartition(":")
    if not name or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{value!r} is not of the form name:port")
    try:
        parse_address(f"http://{name}:{port}")
    except AddressError as error:
        raise ValueError(f"{value!r} is not of the form name:port") from error
    return DnsName(name, int(port))


def _network(value: Any) -> Any:
    return parse_network(value) if isinstance(value, str) else value


def _sendable(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it may have only printable ASCII characters and no spaces")
    return value


def _file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError(f"there is no file {value}")
    return value


def _database(value: SecretStr) -> SecretStr:
    parse_database_url(value.get_secret_value())
    return value


def _redis(value: SecretStr) -> SecretStr:
    parse_redis_url(value.get_secret_value())
    return value


def _blobs(value: Any) -> Any:
    return parse_files_url(value) if isinstance(value, str) else value


def _public(value: str) -> str:
    """Where clients reach the gateway: a URL without credentials, and without a slash at its end."""
    try:
        address = parse_address(value)
    except AddressError as error:
        raise ValueError(str(error)) from error
    if address.authorization is not None:
        raise ValueError("it may have no credentials")
    return address.url


def _issuer(value: str) -> str:
    """An issuer as it writes itself, to the last slash: over TLS, or on this machine."""
    address = _public(value)
    if not address.startswith("https://") and not is_loopback(urlsplit(address).hostname or ""):
        raise ValueError("it must be reached over https, or be on this machine")
    return value


@dataclass(frozen=True, slots=True)
class Worker:
    """Which of `count` processes it is (from 1), of the gateway that goes by `family`."""

    family: str
    number: int
    count: int


def _worker(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    family, number, count = value.split(".")
    return Worker(family, int(number), int(count))


Addresses = Annotated[tuple[Annotated[Address, BeforeValidator(_address)], ...], NoDecode, BeforeValidator(_split)]
DnsNames = Annotated[tuple[Annotated[DnsName, BeforeValidator(_dns_name)], ...], NoDecode, BeforeValidator(_split)]
CidrList = Annotated[tuple[Annotated[Network, BeforeValidator(_network)], ...], NoDecode, BeforeValidator(_split)]
Seconds = Annotated[float, Field(ge=0.05, le=3600, allow_inf_nan=False)]
Pause = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Secret = Annotated[SecretStr, AfterValidator(_sendable)]
File = Annotated[Path, AfterValidator(_file)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis)]
FilesUrl = Annotated[BlobAddress, NoDecode, BeforeValidator(_blobs)]
HttpUrl = Annotated[str, AfterValidator(_public)]
Issuer = Annotated[str, AfterValidator(_issuer)]
Lifetime = Annotated[float, Field(ge=1, le=366 * 86400, allow_inf_nan=False)]
WorkerName = Annotated[Worker, NoDecode, BeforeValidator(_worker)]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine as nobody else reaches it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
