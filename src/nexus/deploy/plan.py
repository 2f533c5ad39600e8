"""What is to run, decided once for Compose and Kubernetes alike: manifests and site in, frozen units out. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from nexus.deploy.site import GpuKind, ServicePart, Site, SiteError
from nexus.sdk.deployment import EngineImage
from nexus.sdk.manifest import ServiceManifest

PRIVATE_NETWORKS: Final = ",".join(
    ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""Where containers and pods have their addresses: from there the gateway's /metrics is answered, to the token."""

SECRET_VARIABLES: Final = (
    "NEXUS_API_KEY",
    "NEXUS_DATABASE_URL",
    "NEXUS_OIDC_CLIENT_SECRET",
    "NEXUS_REDIS_URL",
    "NEXUS_REGISTRATION_SECRET",
    "NEXUS_S3_ACCESS_KEY_ID",
    "NEXUS_S3_SECRET_ACCESS_KEY",
)
"""Variables that no site file may give the gateway or a service: they would stand in what is rendered."""

SERVICE_PORT: Final = 8000
DRAIN: Final = "NEXUS_DRAIN_SECONDS"
_LONGEST_DRAIN: Final = 3600
_MOST_SHARES: Final = 262144
READ_ONLY_VOLUME: Final = "models"
_RESERVED: Final = ("gateway", "postgres", "valkey", "keys", "prometheus", "tls")


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume of a container: `name` is unique in the stack, `path` is where it is mounted."""

    name: str
    path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Gpu:
    """The GPUs that a container is given; `vram_mb` is what its manifest asks of one."""

    kind: GpuKind
    count: int
    vram_mb: int = 0


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine's own container beside a service's. `name` is its host name, `url` where the service finds it.

    `images` are those for kinds of GPU; `vram_mb` is what the manifest says it needs of one, 0 where it needs none.
    """

    name: str
    image: str
    port: int
    health: str
    cpu: float
    memory_mb: int
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Volume, ...] = ()
    gpu: Gpu | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    vram_mb: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Unit:
    """One service to run. `folder` names its image, `shares` its weight where processors are scarce (1024 is a whole
    core's), `secrets` its variables that are secret, `profile` the Compose profile it belongs to, `egress` whether it
    asks addresses outside the stack, `uses` the operations that it asks of the gateway, `concurrency` how many calls
    it answers at once.
    """

    folder: str
    name: str
    description: str
    version: str
    image: str
    cpu: float
    memory_mb: int
    shares: int
    replicas: int = 1
    max_replicas: int | None = None
    profile: str | None = None
    extras: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    gpu: Gpu | None = None
    node: Mapping[str, str] = field(default_factory=dict)
    host_engine: bool = False
    egress: bool = False
    uses: tuple[str, ...] = ()
    concurrency: int = 1
    vram_mb: int = 0
    engine: Engine | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to run. `elsewhere` are addresses of services that run on other machines."""

    site: Site
    version: str
    units: tuple[Unit, ...]
    elsewhere: tuple[str, ...] = ()

    @property
    def gateway_image(self) -> str:
        return image_name(self.site, "gateway", self.version)


def make_plan(site: Site, manifests: Sequence[ServiceManifest], version: str) -> Plan:
    """The plan for a site; `version` tags the images where the site names none. Raises SiteError."""
    by_folder = {manifest.folder.name: manifest for manifest in manifests}
    for name in site.service:
        if name not in by_folder and site.part(name).url is None:
            known = ", ".join(sorted(by_folder)) or "none"
            raise SiteError(f"service.{name}: there is no such service; there are: {known}")
    if site.gateway.max_replicas is not None and site.gateway.max_replicas < site.gateway.replicas:
        raise SiteError("gateway.max_replicas: it is less than replicas")
    for name in SECRET_VARIABLES:
        if name in site.gateway.env:
            raise SiteError(f"gateway.env.{name}: it is secret; give it as a secret, not in the site file")
    profiles = {manifest.deploy.profile for manifest in manifests if manifest.deploy.profile}
    for profile in site.site.profiles:
        if profile not in profiles:
            known = ", ".join(sorted(profiles)) or "none"
            raise SiteError(f"site.profiles: no service has the profile {profile}; there are: {known}")
    version = site.site.version or version
    units = [
        _unit(site, by_folder[name], version)
        for name in sorted(by_folder)
        if site.part(name).replicas != 0 and site.part(name).url is None
    ]
    _refuse_clashes(units)
    elsewhere = tuple(part.url for _, part in sorted(site.service.items()) if part.url and part.replicas != 0)
    return Plan(site, version, tuple(units), elsewhere)


def image_name(site: Site, name: str, version: str) -> str:
    """The image of the gateway or of a service's folder."""
    return f"{site.site.images}/{name}:{version}"


def wanted_drain(unit: Unit, otherwise: float) -> float:
    """The seconds that a service's running calls get at its end: the site's, or `otherwise`. Raises SiteError."""
    text = unit.env.get(DRAIN)
    if text is None:
        return otherwise
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _LONGEST_DRAIN:
        raise SiteError(f"service.{unit.folder}.env.{DRAIN}: {text!r} is not a number of seconds up to 3600")
    return seconds


def _unit(site: Site, manifest: ServiceManifest, version: str) -> Unit:
    folder, deploy = manifest.folder.name, manifest.deploy
    part = site.part(folder)
    if part.max_replicas is not None and part.max_replicas < (part.replicas or 1):
        raise SiteError(f"service.{folder}.max_replicas: it is less than replicas")
    engine = _engine(folder, deploy.engine, part) if deploy.engine else None
    gpu = None if engine else _gpu(folder, part, manifest.resources.gpu.vram_mb)
    told = {deploy.engine.url_env: engine.url} if deploy.engine and engine else {}
    secrets = tuple(entry.env for entry in manifest.config if entry.secret)
    for name in part.env:
        if name in secrets or name in SECRET_VARIABLES:
            raise SiteError(f"service.{folder}.env.{name}: it is secret; give it as a secret, not in the site file")
    return Unit(
        folder=folder,
        name=manifest.name,
        description=manifest.service.description,
        version=manifest.service.version,
        image=image_name(site, folder, version),
        cpu=part.cpu or manifest.resources.cpu or 1,
        memory_mb=part.memory_mb or manifest.resources.memory_mb or 512,
        shares=_shares(manifest.process.nice, part.cpu or manifest.resources.cpu or 1),
        replicas=1 if part.replicas is None else part.replicas,
        max_replicas=part.max_replicas,
        profile=deploy.profile,
        extras=tuple(dict.fromkeys((*deploy.extras, *part.extras))),
        env={**told, **part.env},
        secrets=secrets,
        volumes=_volumes(folder, deploy.volumes),
        gpu=gpu,
        node=part.node,
        host_engine=deploy.host_engine,
        egress=deploy.egress or deploy.host_engine,
        uses=manifest.service.uses,
        concurrency=manifest.capabilities.max_concurrency,
        vram_mb=manifest.resources.gpu.vram_mb,
        engine=engine,
    )


def _engine(folder: str, image: EngineImage, part: ServicePart) -> Engine:
    gpu = _gpu(folder, part, image.gpu.vram_mb)
    return Engine(
        name=f"{folder}-engine",
        image=image.images.get(part.gpu, image.image) if part.gpu else image.image,
        port=image.port,
        health=image.health,
        cpu=image.cpu,
        memory_mb=image.memory_mb,
        command=image.command,
        env=image.env,
        volumes=tuple(Volume(f"{folder}-engine-{name}", path) for name, path in sorted(image.volumes.items())),
        gpu=gpu,
        images=image.images,
        vram_mb=image.gpu.vram_mb,
    )


def _gpu(folder: str, part: ServicePart, vram_mb: int) -> Gpu | None:
    if part.gpu is None:
        if part.gpus != 1:
            raise SiteError(f"service.{folder}.gpus: name the kind as well, with gpu")
        return None
    return Gpu(part.gpu, part.gpus, vram_mb)


def _volumes(folder: str, volumes: Mapping[str, str]) -> tuple[Volume, ...]:
    return tuple(
        Volume(f"{folder}-{name}", path, read_only=name == READ_ONLY_VOLUME) for name, path in sorted(volumes.items())
    )


def _shares(nice: int, cpu: float) -> int:
    """The control group's weight of a service whose manifest has that niceness, 1024 times its processors at 0.

    The kernel takes off a fifth of the weight for each step of niceness (sched(7)); containers have a group each, among
    which niceness does not count.
    """
    return min(_MOST_SHARES, max(2, round(1024 * cpu / 1.25**nice)))


def _refuse_clashes(units: Sequence[Unit]) -> None:
    names = [unit.folder for unit in units] + [unit.engine.name for unit in units if unit.engine]
    for name in names:
        if name in _RESERVED or names.count(name) > 1:
            raise SiteError(f"service.{name}: the stack has a part of that name already")
