"""The gateway's environment: the only place that reads it. Every variable may also be given as NAME_FILE."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from nexus.gateway.setting_types import (
    Addresses,
    CidrList,
    DatabaseUrl,
    DnsNames,
    File,
    FilesUrl,
    HttpUrl,
    Issuer,
    Lifetime,
    Pause,
    RedisUrl,
    Seconds,
    Secret,
    WorkerName,
    is_loopback,
)
from nexus.policies.networks import LOOPBACK
from nexus.store.address import BlobAddress

_PREFIX: Final = "NEXUS_"
_LATER: Final = ("NEXUS_REQUEST_LOG",)
"""Variables of the contract that this version knows but does not act on yet; none of them restricts anyone."""


class SettingsError(ValueError):
    """A variable has a bad value; the message is one line that names it and shows no secret."""


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
        if self.auth == "off" and not is_loopback(self.host):
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
