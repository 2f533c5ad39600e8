"""What a service's author writes down: `service.toml` read into a frozen, validated value, and the card it promises.

Nothing here imports the engine, so a supervisor that holds no model library can read any service's manifest.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from nexus.contract import card as contract
from nexus.contract.card import Card
from nexus.contract.operations import BY_NAME
from nexus.sdk.deployment import DeployTable
from nexus.sdk.models import ModelEntry
from nexus.sdk.problems import ManifestError, first_complaint
from nexus.sdk.tables import read_table

FILE_NAME: Final = "service.toml"
RESERVED_PATHS: Final = ("/health", "/readyz", "/metrics", "/v1/metadata", "/v1/models", "/v1/calls")
_RESERVED_FOLDERS: Final = ("/v1/models/", "/v1/calls/")
OperationName = Annotated[str, StringConstraints(max_length=128, pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "enum": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
}
_STRICT: Final = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Service(BaseModel):
    """The `[service]` table; `engine` is `module:Class`, the module being a file of the service's folder.

    `uses` are the operations that the engine itself asks of the gateway (`Call.ask`).
    """

    model_config = _STRICT

    name: contract.Name
    version: str = "0.1.0"
    description: str = ""
    engine: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$")]
    operations: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()

    @field_validator("operations")
    @classmethod
    def _are_standard(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in BY_NAME:
                raise ValueError(f"{name!r} is not a standard operation; describe it under [[endpoints]]")
        return names

    @field_validator("uses")
    @classmethod
    def _can_be_asked(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in BY_NAME:
                raise ValueError(f"{name!r} is not a standard operation")
            if "json" not in BY_NAME[name].bodies:
                raise ValueError(f"{name!r} takes a form; what is asked of the gateway is JSON")
        return names


class EndpointEntry(BaseModel):
    """One `[[endpoints]]` table: an operation that is not standard, or more precise words on a standard one."""

    model_config = _STRICT

    operation: OperationName
    method: contract.Method = "POST"
    path: contract.Path
    summary: str = ""
    streaming: Literal["sse", "bytes"] | None = None
    response_types: tuple[str, ...] = ()
    job: bool = False

    @field_validator("path")
    @classmethod
    def _is_free(cls, path: str) -> str:
        if path in RESERVED_PATHS or path.startswith(_RESERVED_FOLDERS):
            raise ValueError(f"{path!r} belongs to the service contract")
        if not re.fullmatch(r"/[A-Za-z0-9._~/-]+", path):
            raise ValueError(f"{path!r} is not a plain path")
        return path


class BackendTable(contract.Backend):
    model_config = _STRICT


class ModalitiesTable(contract.Modalities):
    model_config = _STRICT


class CapabilitiesTable(BaseModel):
    """The `[capabilities]` table; `streaming` follows from the operations where it is not given."""

    model_config = _STRICT

    max_concurrency: int = Field(default=1, ge=1, le=4096)
    max_queue: int = Field(default=16, ge=0, le=65536)
    streaming: bool | None = None
    modalities: ModalitiesTable = ModalitiesTable()


class GpuTable(contract.Gpu):
    model_config = _STRICT


class ResourcesTable(contract.HostResources):
    model_config = _STRICT

    gpu: GpuTable = GpuTable()


class LimitsTable(BaseModel):
    """The `[limits]` table: the largest request body, and how long one call may take from its last byte in to its
    last byte out, the queue included."""

    model_config = _STRICT

    max_request_bytes: int = Field(default=1024 * 1024, gt=0)
    timeout_seconds: float = Field(default=600, gt=0)


class ProcessTable(BaseModel):
    """The `[process]` table: how much the service stands back behind others when the machine is busy."""

    model_config = _STRICT

    nice: int = Field(default=0, ge=0, le=19)


class ConfigEntry(BaseModel):
    """One `[[config]]` table: an environment variable of the service's own."""

    model_config = _STRICT

    env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
    type: Literal["str", "int", "float", "bool", "enum"] = "str"
    values: tuple[str, ...] = ()
    default: str | bool | int | float | None = None
    minimum: float | None = None
    maximum: float | None = None
    description: str = ""
    secret: bool = False

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.type == "enum") != bool(self.values):
            raise ValueError(f"{self.env}: 'values' goes with type = \"enum\", and only with it")
        if self.env.endswith("_FILE"):
            raise ValueError(f"{self.env}: NAME_FILE is reserved for reading NAME from a file")
        if self.default is not None and type(self.default) not in _TYPES[self.type]:
            raise ValueError(f"{self.env}: the default {self.default!r} is not of type {self.type}")
        if self.type == "enum" and self.default is not None and self.default not in self.values:
            raise ValueError(f"{self.env}: the default {self.default!r} is not one of its values")
        return self


class ToolEntry(BaseModel):
    """One `[[tools]]` table: an operation offered to agents; without `input_schema` the request's own schema."""

    model_config = _STRICT

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
    description: str = ""
    operation: str
    input_schema: dict[str, Any] = {}


class UiOptionEntry(contract.UiOption):
    model_config = _STRICT


class UiTable(BaseModel):
    model_config = _STRICT

    title: str = ""
    options: tuple[UiOptionEntry, ...] = ()


class ServiceManifest(BaseModel):
    """A whole `service.toml`. `folder` is where it was read."""

    model_config = _STRICT

    folder: Path
    service: Service
    endpoints: tuple[EndpointEntry, ...] = ()
    backend: BackendTable = BackendTable()
    capabilities: CapabilitiesTable = CapabilitiesTable()
    resources: ResourcesTable = ResourcesTable()
    limits: LimitsTable = LimitsTable()
    process: ProcessTable = ProcessTable()
    deploy: DeployTable = DeployTable()
    config: tuple[ConfigEntry, ...] = ()
    tools: tuple[ToolEntry, ...] = ()
    ui: UiTable = UiTable()

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def operations(self) -> tuple[str, ...]:
        """Every operation that the service answers: the standard ones first, then those of `[[endpoints]]`."""
        own = tuple(entry.operation for entry in self.endpoints if entry.operation not in self.service.operations)
        return self.service.operations + own

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if not self.operations:
            raise ValueError("neither service.operations nor [[endpoints]] say what the service does")
        _refuse_twice("operation", [entry.operation for entry in self.endpoints])
        _refuse_twice("operation", list(self.service.operations))
        _refuse_twice("path", [f"{endpoint.method} {endpoint.path}" for endpoint in self.card_endpoints()])
        _refuse_twice("variable", [entry.env for entry in self.config])
        _refuse_twice("tool", [entry.name for entry in self.tools])
        engine = self.deploy.engine
        if engine and engine.url_env not in {entry.env for entry in self.config}:
            raise ValueError(f"deploy.engine.url_env: {engine.url_env} is not one of the variables under [[config]]")
        for tool in self.tools:
            if tool.operation not in self.operations:
                raise ValueError(f"tool {tool.name!r}: the service has no operation {tool.operation!r}")
        return self

    def card_endpoints(self) -> tuple[contract.Endpoint, ...]:
        """The endpoints as the card tells them, request schemas left open (they are the engine's)."""
        described = {entry.operation: entry for entry in self.endpoints}
        return tuple(
            contract.Endpoint(**described[name].model_dump())
            if name in described
            else contract.Endpoint(
                operation=name,
                method=_method(name),
                path=BY_NAME[name].path,
                streaming=None if self.capabilities.streaming is False else BY_NAME[name].stream,
            )
            for name in self.operations
        )


def _method(operation: str) -> contract.Method:
    method = BY_NAME[operation].method
    return "GET" if method == "GET" else "POST"


def _refuse_twice(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{what} {name!r} is given twice")


def read_manifest(folder: Path) -> ServiceManifest:
    """The manifest of the service in `folder`. Raises ManifestError."""
    file = folder / FILE_NAME
    table = read_table(file)
    if "folder" in table:
        raise ManifestError(file, "folder", "Extra inputs are not permitted")
    try:
        return ServiceManifest.model_validate({**table, "folder": folder.resolve()})
    except ValidationError as error:
        raise ManifestError(file, *first_complaint(error)) from error


def provisional_card(manifest: ServiceManifest, entries: Sequence[ModelEntry], instance: str = "") -> Card:
    """The card that the service will have, as far as its manifest tells: every model in its first state, no request
    schemas.

    Entries that are for none of the service's operations are left out.
    """
    endpoints = manifest.card_endpoints()
    paths = {endpoint.operation: endpoint.path for endpoint in endpoints}
    streaming = manifest.capabilities.streaming
    return Card(
        schema_version="v1",
        service=contract.ServiceInfo(
            name=manifest.name, version=manifest.service.version, description=manifest.service.description
        ),
        instance=instance,
        backend=manifest.backend,
        capabilities=contract.Capabilities(
            domains=_domains(manifest.operations),
            operations=manifest.operations,
            modalities=manifest.capabilities.modalities,
            streaming=any(endpoint.streaming for endpoint in endpoints) if streaming is None else streaming,
            max_concurrency=manifest.capabilities.max_concurrency,
            max_queue=manifest.capabilities.max_queue,
            uses=manifest.service.uses,
        ),
        endpoints=endpoints,
        models=tuple(
            entry.on_card(manifest.operations, entry.first_state)
            for entry in entries
            if entry.serves(manifest.operations)
        ),
        tools=tuple(
            contract.Tool(
                name=tool.name,
                description=tool.description,
                input_schema=tool.input_schema,
                path=paths[tool.operation],
            )
            for tool in manifest.tools
        ),
        ui=contract.Ui(title=manifest.ui.title or manifest.name, options=manifest.ui.options),
        config=tuple(
            contract.ConfigVariable(
                env=entry.env,
                default=None if entry.secret else entry.default,
                description=entry.description,
                secret=entry.secret,
            )
            for entry in manifest.config
        ),
        resources=manifest.resources,
        limits=contract.Limits(**manifest.limits.model_dump()),
    )


def _domains(operations: Sequence[str]) -> tuple[str, ...]:
    """The families of the operations, each once; what is not standard is a tool."""
    return tuple(dict.fromkeys(BY_NAME[name].domain if name in BY_NAME else "tool" for name in operations))
