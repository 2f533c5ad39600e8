"""The gateway's environment: the only place that reads it. Every variable may also be given as NAME_FILE."""

import ipaddress
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from nexus.gateway.registry.address import Address, AddressError, parse_address
from nexus.gateway.registry.sources.dns import DnsName
from nexus.gateway.shared.address import parse_redis_url
from nexus.policies.networks import LOOPBACK, Network, parse_network
from nexus.store.address import BlobAddress, parse_database_url, parse_files_url

_PREFIX: Final = "NEXUS_"
_LATER: Final = ("NEXUS_REQUEST_LOG",)
"""Variables of the contract that this version knows but does not act on yet; none of them restricts anyone."""


class SettingsError(ValueError):
    """A variable has a bad value; the message is one line that names it and shows no secret."""


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
    if not address.startswith("https://") and not _is_loopback(urlsplit(address).hostname or ""):
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


class Settings(BaseSettings):
    """What the gateway was told at its start. Intervals are in seconds, sizes in bytes.

    `config` is None where NEXUS_CONFIG was not given: then `nexus.yaml` is read if it is there. `public_url` is where
    clients reach the gateway, None where their requests tell; `advertised_url` where services reach it, None where
    that is where it listens. `trusted_proxies` are those whose X-Forwarded-For counts; from `admin_allow` and
    `metrics_allow` /v1/admin and /metrics are answered, unless nexus.yaml says otherwise. `hsts` is in seconds, 0: off.
    With `redis_url`, limits are shared, and the place of a call whose gateway was killed is free after `lease_seconds`.
    A session ends `session_lifetime` seconds after its beginning, and `session_idle` after its last use. `oidc_*`: who
    else vouches for users, what the gateway is called there, and which role its claims give (`oidc_role`, if no other).
    At the end, it is not ready for `drain_notice` seconds while it serves, and gives what runs `drain_seconds` to end.
    `region` is where it stands, for `routes`.
    `worker` and `listener_fd` are told by the process that keeps several (`gateway.workers`). Read them with
    `load_settings`.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    host: str = Field(default="127.0.0.1", pattern=r"^[A-Za-z0-9._:-]+$")
    port: int = Field(default=8800, ge=0, le=65535)
    services: Addresses = ()
    discovery_dns: DnsNames = ()
    discovery_interval: Seconds = 5.0
    health_interval: Seconds = 2.0
    registration_secret: Secret | None = None
    api_key: Secret | None = None
    auth: Literal["required", "off"] = "required"
    config: File | None = None
    tls_cert: File | None = None
    tls_key: File | None = None
    hsts: int = Field(default=0, ge=0, le=10 * 366 * 86400)
    trusted_proxies: CidrList = ()
    admin_allow: CidrList = LOOPBACK
    metrics_allow: CidrList = LOOPBACK
    workers: int = Field(default=1, ge=1, le=64)
    max_request_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    max_file_bytes: int = Field(default=512 * 1024 * 1024, ge=1)
    database_url: DatabaseUrl = SecretStr("sqlite:///.nexus/nexus.db")
    redis_url: RedisUrl | None = None
    limits_without_redis: Literal["local", "closed"] = "local"
    lease_seconds: float = Field(default=30.0, ge=1, le=300, allow_inf_nan=False)
    files_url: FilesUrl = BlobAddress(folder=Path(".nexus/files"))
    s3_endpoint: HttpUrl | None = None
    s3_region: str = ""
    s3_access_key_id: Secret | None = None
    s3_secret_access_key: Secret | None = None
    public_url: HttpUrl | None = None
    advertised_url: HttpUrl | None = None
    users: Literal["on", "off"] = "off"
    session_lifetime: Lifetime = 7 * 86400.0
    session_idle: Lifetime = 12 * 3600.0
    oidc_issuer: Issuer | None = None
    oidc_client_id: str = ""
    oidc_client_secret: Secret | None = None
    oidc_scopes: str = "openid profile email"
    oidc_role_claim: str = "groups"
    oidc_admin_group: str = ""
    oidc_role: Literal["user", "viewer"] = "viewer"
    region: str = Field(default="", pattern=r"^[\x20-\x7e]{0,256}$")
    head_timeout: Seconds = 10.0
    drain_seconds: Pause = 10.0
    drain_notice: Pause = 0.0
    stack_file: Path | None = None
    lifeline_fd: int | None = Field(default=None, ge=0)
    listener_fd: int | None = Field(default=None, ge=0)
    worker: WorkerName | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.auth == "off" and not _is_loopback(self.host):
            raise ValueError(f"NEXUS_AUTH: off is only for a loopback NEXUS_HOST, not for {self.host}")
        if (self.tls_cert is None) != (self.tls_key is None):
            missing, given = ("CERT", "KEY") if self.tls_cert is None else ("KEY", "CERT")
            raise ValueError(f"NEXUS_TLS_{missing}: it must be set where NEXUS_TLS_{given} is")
        if self.hsts and self.tls_cert is None:
            raise ValueError("NEXUS_HSTS: it is told over TLS alone: set NEXUS_TLS_CERT and NEXUS_TLS_KEY too")
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("NEXUS_S3_ACCESS_KEY_ID: it and NEXUS_S3_SECRET_ACCESS_KEY must be set together")
        self._check_users()
        return self

    def _check_users(self) -> None:
        if self.users == "on" and self.auth == "off":
            raise ValueError("NEXUS_USERS: on is only for NEXUS_AUTH=required: without it everybody is let in")
        if self.oidc_issuer is not None and self.users == "off":
            raise ValueError("NEXUS_OIDC_ISSUER: it is only for NEXUS_USERS=on")
        if self.oidc_issuer is not None and not self.oidc_client_id:
            raise ValueError("NEXUS_OIDC_CLIENT_ID: it must be set where NEXUS_OIDC_ISSUER is")
        if "openid" not in self.oidc_scopes.split():
            raise ValueError("NEXUS_OIDC_SCOPES: openid must be among them")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, _Files(settings_cls)


class _Files(PydanticBaseSettingsSource):
    """Values given as the content of files: NAME_FILE, as Docker's secrets are."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _from_file(_PREFIX + field_name.upper(), os.environ), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        values = {name: self.get_field_value(field, name)[0] for name, field in fields}
        return {name: value for name, value in values.items() if value is not None}


def _from_file(variable: str, environ: Mapping[str, str]) -> str | None:
    path = environ.get(f"{variable}_FILE")
    if not path:
        return None
    if environ.get(variable):
        raise SettingsError(f"{variable}: it is given twice, also as {variable}_FILE")
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"{variable}_FILE: {path} cannot be read: {reason}") from error


def load_settings() -> Settings:
    """The settings from the environment. Raises SettingsError."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise SettingsError(message) from None
        message = message.replace("Input should", "it should")
        raise SettingsError(f"{_PREFIX}{str(first['loc'][0]).upper()}: {message}") from None


def later_variables() -> tuple[str, ...]:
    """The variables that are set although this version does not act on them: to be told, not to be silent about."""
    return tuple(name for name in _LATER if os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def ensure_api_key(state: Path, make: Callable[[], str] = lambda: "sk-nexus-" + secrets.token_urlsafe(32)) -> str:
    """The administrator's token from `api_key` in the state folder; made there, for its owner alone, if missing.

    Of several processes that start at once, one makes it and all get the same. Raises SettingsError.
    """
    path = state / "api_key"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _publish_secret(path, make())
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"NEXUS_API_KEY: {path} can be neither read nor made: {error}") from error
    if not key:
        raise SettingsError(f"NEXUS_API_KEY: {path} is empty; delete it to have a new key made")
    return key


def _publish_secret(path: Path, secret: str) -> None:
    """Put a whole file in place that only its owner can read, unless another process was faster."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()
