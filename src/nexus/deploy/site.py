"""The site file: which services run, where, how many, and on which GPU. TOML, read into a frozen, validated value."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

SITE_FILE: Final = "site.toml"
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")]
LabelKey = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")
]
LabelValue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
Size = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$")]
Cores = Annotated[float, Field(gt=0, le=1024, allow_inf_nan=False)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/[^\s]*)?$")]
GpuKind = Literal["nvidia", "rocm"]


class SiteError(ValueError):
    """The site file cannot be used; the message is one line that names the file and the key."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class General(_Part):
    """`[site]`. `name` is the Compose project and the namespace; `images` precedes the images' names, with a registry
    where one is used; `profiles` are those whose services run in the cluster (Compose has its own `--profile`)."""

    name: Word = "nexus"
    images: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._/:-]*$")] = "nexus"
    version: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")] | None = None
    profiles: tuple[Word, ...] = ()


class GatewayPart(_Part):
    """`[gateway]`. More than one replica needs a cluster, the PostgreSQL that every rendered stack has, and files that
    all of them reach. `max_replicas` lets a cluster add copies while they are busy."""

    replicas: int = Field(default=1, ge=1, le=64)
    max_replicas: int | None = Field(default=None, ge=1, le=64)
    port: int = Field(default=8800, ge=1, le=65535)
    public_url: HttpUrl | None = None
    host: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")] | None = None
    cpu: Cores = 1
    memory_mb: int = Field(default=1024, ge=128)  # bodies of requests are held: 725 MB with four of 57 MB at once
    env: Mapping[Variable, str] = {}


class StorePart(_Part):
    """`[postgres]` and `[valkey]`: run here, or somewhere else; then `external_secret` is a Secret of the cluster whose
    value under the key `url` is the address, or, for Compose, a file that holds the address."""

    external_secret: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9./_-]+$")] | None = None
    image: Annotated[str, StringConstraints(pattern=r"^\S+$")] | None = None
    cpu: Cores = 1
    memory_mb: int = Field(default=512, ge=64)
    disk: Size = "10Gi"


class ServicePart(_Part):
    """`[service.NAME]`, NAME being the service's folder.

    `replicas` 0 leaves it out. `url`: it runs elsewhere, at this address, and is only made known to the gateway.
    `gpu` is the kind of GPU it is given, `gpus` how many. `node` are labels of the nodes it may run on. What the
    manifest says of processors and memory is replaced by `cpu` and `memory_mb`; `max_replicas` lets a cluster add
    copies while calls wait.
    """

    replicas: int | None = Field(default=None, ge=0, le=256)
    max_replicas: int | None = Field(default=None, ge=1, le=256)
    url: HttpUrl | None = None
    gpu: GpuKind | None = None
    gpus: int = Field(default=1, ge=1, le=16)
    node: Mapping[LabelKey, LabelValue] = {}
    cpu: Cores | None = None
    memory_mb: int | None = Field(default=None, gt=0)
    env: Mapping[Variable, str] = {}
    extras: tuple[Word, ...] = ()


class Cluster(_Part):
    """`[cluster]`: what only Kubernetes has. `mesh` adds the annotations and the mutual-TLS policy of a service mesh,
    `ingress_class` an Ingress, `gateway_class` a Gateway and HTTPRoute, `metrics` a ServiceMonitor and scaling by what
    waits; `storage_class` is the volumes' (the cluster's default where none is named). `files_access` is how the
    gateway's files may be mounted, `s3_secret` a Secret with the keys `access-key-id` and `secret-access-key` for the
    bucket where `gateway.env.NEXUS_FILES_URL` names one."""

    ingress_class: Name | None = None
    gateway_class: Name | None = None
    tls_secret: Name | None = None
    storage_class: Name | None = None
    mesh: Literal["istio", "linkerd"] | None = None
    metrics: bool = False
    models_disk: Size = "20Gi"
    files_disk: Size = "20Gi"
    files_access: Literal["ReadWriteOnce", "ReadWriteMany"] = "ReadWriteOnce"
    s3_secret: Name | None = None


class Site(_Part):
    """A validated site file; the defaults are one machine with every service that needs no profile."""

    site: General = General()
    gateway: GatewayPart = GatewayPart()
    postgres: StorePart = StorePart()
    valkey: StorePart = StorePart()
    service: Mapping[Name, ServicePart] = {}
    cluster: Cluster = Cluster()

    def part(self, name: str) -> ServicePart:
        """What the file says of the service in the folder `name`; defaults where it says nothing."""
        return self.service.get(name, ServicePart())


def read_site(path: Path) -> Site:
    """The site in a file. Raises SiteError."""
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SiteError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SiteError(f"{path}: {error}") from error
    try:
        return Site.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SiteError(f"{path}: {where}: {first['msg']}") from error
