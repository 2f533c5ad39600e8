"""One upstream as its TOML entry describes it."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nexus.contract.operations import BY_NAME
from nexus.sdk.engine import Model

_VERSION: Final = "/v1"


class Options(BaseModel):
    """The `[options]` of an entry; `url` alone is needed.

    `url` is OpenAI's base URL, with its `/v1`; where it has no path, `/v1` is meant. The key is named, never given:
    `key_env` is a variable, `key_file` a file. `prefix` goes before the models' names. `allow` and `deny` are patterns
    of upstream names. `models` are names where the upstream lists none. `only` narrows models, by pattern, to
    operations. `aliases` are further names, by name. `headers` are sent along. `ask_usage`: have streams tell what
    they cost. `direct`: gateways may go there by themselves where nothing is in the way. Times are in seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    key_file: Path | None = None
    prefix: Annotated[str, Field(pattern=r"^[^\s]*$", max_length=64)] = ""
    allow: tuple[str, ...] = ("*",)
    deny: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    only: dict[str, tuple[str, ...]] = {}
    aliases: dict[str, str] = {}
    headers: dict[str, str] = {}
    ask_usage: bool = True
    direct: bool = True
    refresh_seconds: Annotated[float, Field(ge=2)] | None = None
    first_byte_seconds: Annotated[float, Field(gt=0)] = 600
    idle_seconds: Annotated[float, Field(gt=0)] = 120

    @field_validator("url")
    @classmethod
    def _is_a_base(cls, url: str) -> str:
        parts = urlsplit(url.strip().rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it is to be an http or https URL")
        if "@" in parts.netloc:
            raise ValueError("a password does not belong into it; name a key by key_env or key_file")
        if parts.query or parts.fragment:
            raise ValueError("it is to end with its path")
        return f"{parts.scheme}://{parts.netloc}{parts.path or _VERSION}"

    @field_validator("only")
    @classmethod
    def _are_standard(cls, only: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for names in only.values():
            for name in names:
                if name not in BY_NAME:
                    raise ValueError(f"{name!r} is not a standard operation")
        return only

    @field_validator("headers")
    @classmethod
    def _are_no_keys(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if name.lower() in ("authorization", "x-api-key", "api-key", "host", "content-length", "content-type"):
                raise ValueError(f"{name} is not given here; name a key by key_env or key_file")
        return headers

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if self.key_env and self.key_file:
            raise ValueError("give one of key_env and key_file")
        return self


@dataclass(frozen=True, slots=True)
class Described:
    """An upstream by the name of its entry; `operations` are declared there, or empty: then they are probed."""

    name: str
    options: Options
    operations: tuple[str, ...] = ()

    @property
    def has_key(self) -> bool:
        return bool(self.options.key_env or self.options.key_file)

    @property
    def refresh_seconds(self) -> float:
        """How long its list of models is believed: who wants a key may count requests, or be far away."""
        return self.options.refresh_seconds or (60.0 if self.has_key else 5.0)

    @property
    def direct_url(self) -> str | None:
        """Where a gateway may go by itself, and meet the same models under the same names; None where it may not."""
        options = self.options
        renamed = options.prefix or options.aliases or options.deny or options.only or options.allow != ("*",)
        if renamed or self.has_key or options.headers or self.operations or not options.direct:
            return None
        root = options.url.removesuffix(_VERSION)
        return root if root != options.url and urlsplit(root).path in ("", "/") else None

    def offers(self, name: str) -> bool:
        """Whether the upstream's model of this name is to be offered."""
        options = self.options
        allowed = any(fnmatchcase(name, pattern) for pattern in options.allow)
        return allowed and not any(fnmatchcase(name, pattern) for pattern in options.deny)

    def narrowed(self, name: str, operations: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the operations that `only` leaves to the model of this name."""
        for pattern, kept in self.options.only.items():
            if fnmatchcase(name, pattern):
                return tuple(operation for operation in operations if operation in kept)
        return operations


def read_described(model: Model) -> Described:
    """The upstream of an entry. Raises ValueError with one line that says what is wrong and where."""
    if model.aliases:
        raise ValueError("aliases: an entry is an upstream, not a model; give options.aliases")
    try:
        return Described(model.id, Options.model_validate(dict(model.options)), model.operations)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("options", *first["loc"]))
        raise ValueError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
