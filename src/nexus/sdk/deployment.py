"""The `[deploy]` table of `service.toml`: what a container stack or a cluster has to know beside the card."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from nexus.contract import card as contract

_STRICT: Final = ConfigDict(extra="forbid", frozen=True)
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
Folder = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/-]+$")]
Image = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9._-]+)?$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


class GpuNeed(contract.Gpu):
    model_config = _STRICT


class EngineImage(BaseModel):
    """`[deploy.engine]`: the engine's own image, run beside the service.

    `images` are those for other kinds of GPU, by kind (`nvidia`, `rocm`). `url_env` is the service's variable that is
    told where the engine is. `health` is a path that answers 2xx once it lives. `volumes` are paths in the container
    by the volume's name.
    """

    model_config = _STRICT

    image: Image
    images: dict[Word, Image] = {}
    command: tuple[str, ...] = ()
    port: int = Field(ge=1, le=65535)
    url_env: Variable
    health: Annotated[str, StringConstraints(pattern=r"^/[\x21-\x7e]*$")] = "/"
    cpu: float = Field(default=1, gt=0)
    memory_mb: int = Field(gt=0)
    gpu: GpuNeed = GpuNeed()
    env: dict[Variable, str] = {}
    volumes: dict[Word, Folder] = {}


class DeployTable(BaseModel):
    """How a service is deployed. Without a `profile` it belongs to every stack; with one, to those that ask for it.

    `host_engine`: the engine runs on the host beside the containers. `egress`: the service itself asks addresses
    outside the stack, so it may not be shut in with the others. `extras` are the requirements-EXTRA.txt files
    that go into the service's image. `volumes` are the service's own, by name; `models` is mounted read-only.
    """

    model_config = _STRICT

    profile: Word | None = None
    host_engine: bool = False
    egress: bool = False
    extras: tuple[Word, ...] = ()
    engine: EngineImage | None = None
    volumes: dict[Word, Folder] = {}

    @field_validator("engine")
    @classmethod
    def _paths_differ(cls, engine: EngineImage | None) -> EngineImage | None:
        if engine and len(set(engine.volumes.values())) != len(engine.volumes):
            raise ValueError("two volumes of the engine have the same path")
        return engine
