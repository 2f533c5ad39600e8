"""The card: what a service says of itself at `/v1/metadata`.

Only `schema_version`, `service.name`, and `endpoints` or `capabilities.operations` are required; every other
field has a default and unknown fields are kept. Sizes are bytes or megabytes as the names say, times seconds.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from nexus.contract.operations import BY_NAME

Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
ModelId = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
Label = Annotated[str, StringConstraints(max_length=256, pattern=r"^[\x20-\x7e]*$")]
Path = Annotated[str, StringConstraints(min_length=2, max_length=512, pattern=r"^/[\x21-\x7e]*$")]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
ModelState = Literal["ready", "loading", "unloaded", "failed"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


class ServiceInfo(_Part):
    name: Name
    version: str = "0"
    description: str = ""


class Backend(_Part):
    """The engine behind the service; `base_url`, when set, is where the data path may go directly."""

    name: str = ""
    vendor: str = ""
    base_url: str | None = None


class Modalities(_Part):
    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


class Capabilities(_Part):
    """`uses` are the operations that the service itself asks of the gateway, on behalf of its callers.

    `needs_models`: it answers by one of its `models` or not at all, so that nobody asks it for what none of them does.
    """

    domains: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    modalities: Modalities = Modalities()
    streaming: bool = False
    max_concurrency: int = Field(default=1, ge=1)
    max_queue: int = Field(default=0, ge=0)
    uses: tuple[str, ...] = ()
    needs_models: bool = False


class Endpoint(_Part):
    operation: str = Field(min_length=1, max_length=128)
    method: Method = "POST"
    path: Path
    summary: str = ""
    request_schema: dict[str, Any] = {}
    response_types: tuple[str, ...] = ()
    streaming: Literal["sse", "bytes"] | bool | None = None
    job: bool = False


class Resources(_Part):
    memory_mb: int = 0
    vram_mb: int = 0


class Model(_Part):
    """`on_demand`: it can be asked for also while it is `unloaded` or `loading`; the first call loads it."""

    id: ModelId
    operations: tuple[str, ...] = ()
    state: ModelState = "ready"
    aliases: tuple[ModelId, ...] = ()
    digest: str | None = None
    context_length: int | None = None
    continuation: bool = False
    on_demand: bool = False
    resources: Resources = Resources()


class Tool(_Part):
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
    description: str = ""
    input_schema: dict[str, Any] = {}
    path: Path


class UiOption(_Part):
    key: str
    label: str = ""
    type: Literal["string", "number", "integer", "boolean", "enum", "json"] = "string"
    values: tuple[Any, ...] = ()
    default: Any = None
    description: str = ""


class Ui(_Part):
    title: str = ""
    options: tuple[UiOption, ...] = ()


class ConfigVariable(_Part):
    env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
    default: Any = None
    description: str = ""
    secret: bool = False


class Gpu(_Part):
    required: bool = False
    vram_mb: int = 0


class HostResources(_Part):
    cpu: float = 0
    memory_mb: int = 0
    gpu: Gpu = Gpu()


class Limits(_Part):
    max_request_bytes: int | None = Field(default=None, gt=0)
    timeout_seconds: float | None = Field(default=None, gt=0)


class Card(_Part):
    """The whole card. `read_card` reads one from bytes that nobody vouches for. `region` is where the instance stands,
    in its operator's words.

    The lists are bounded so that reading a card, however hostile, takes milliseconds.
    """

    schema_version: Literal["v1"]
    service: ServiceInfo
    instance: Label = ""
    region: Label = ""
    backend: Backend = Backend()
    capabilities: Capabilities = Capabilities()
    endpoints: tuple[Endpoint, ...] = Field(default=(), max_length=512)
    models: tuple[Model, ...] = Field(default=(), max_length=2048)
    tools: tuple[Tool, ...] = Field(default=(), max_length=1024)
    ui: Ui = Ui()
    config: tuple[ConfigVariable, ...] = ()
    resources: HostResources = HostResources()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _says_what_it_does(self) -> Self:
        if not self.endpoints and not self.capabilities.operations:
            raise ValueError("neither endpoints nor capabilities.operations say what the service does")
        unknown = [name for name in self.capabilities.operations if name not in BY_NAME]
        if unknown and not self.endpoints:
            raise ValueError(f"operation {unknown[0]!r} is not a standard one and no endpoint gives its path")
        return self

    def all_endpoints(self) -> tuple[Endpoint, ...]:
        """The endpoints given, and for each standard operation only named in the capabilities its usual one."""
        given = {endpoint.operation for endpoint in self.endpoints}
        implied = tuple(
            Endpoint(operation=name, method="POST", path=BY_NAME[name].path, streaming=BY_NAME[name].stream)
            for name in self.capabilities.operations
            if name not in given and name in BY_NAME
        )
        return self.endpoints + implied


class CardError(ValueError):
    """The bytes are not a card; the message is one line that says why and where."""


def read_card(body: bytes) -> Card:
    """A card from what a service answered. Raises CardError."""
    try:
        return Card.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise CardError(f"{where}: {first['msg']}") from error
