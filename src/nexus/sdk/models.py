"""The model manifest: `*.toml` files, one a model, read into frozen entries without touching the models themselves."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from nexus.contract import card as contract
from nexus.sdk.problems import ManifestError, first_complaint
from nexus.sdk.tables import read_table


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Source(_Table):
    """Where a model's files are: exactly one of `path` (relative to the entry's file), `package` with `file` (a glob
    inside the installed package that matches one file or folder), or `url` with `sha256` (hex)."""

    path: Path | None = None
    package: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")] | None = None
    file: str | None = None
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")] | None = None
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if [self.path, self.package, self.url].count(None) != 2:
            raise ValueError("give exactly one of path, package and url")
        if (self.package is None) != (self.file is None):
            raise ValueError("package and file go together")
        if self.url is not None and self.sha256 is None:
            raise ValueError("a url needs its sha256")
        return self


class ResourcesTable(contract.Resources):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LoadTable(_Table):
    """When a model is in memory: from the start, or (`on_demand`) from the first call on. One that is loaded on demand
    is unloaded after `idle_seconds` without a call; 0 keeps it."""

    on_demand: bool = False
    idle_seconds: float = Field(default=0, ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _comes_back(self) -> Self:
        if self.idle_seconds and not self.on_demand:
            raise ValueError("idle_seconds goes with on_demand = true: nothing else would load the model again")
        return self


class ModelEntry(_Table):
    """One model as its file describes it. `file` is that file; two entries of the same content are equal only if
    they stand in the same one. `operations` empty means all of the service's."""

    file: Path
    id: contract.ModelId
    aliases: tuple[contract.ModelId, ...] = ()
    operations: tuple[str, ...] = ()
    context_length: int | None = Field(default=None, gt=0)
    continuation: bool = False
    licence: str = ""
    source: Source | None = None
    load: LoadTable = LoadTable()
    resources: ResourcesTable = ResourcesTable()
    options: dict[str, Any] = {}

    @property
    def first_state(self) -> contract.ModelState:
        """The state that the model begins in."""
        return "unloaded" if self.load.on_demand else "loading"

    def serves(self, operations: tuple[str, ...]) -> bool:
        """Whether the entry is for a service of these operations (a shared folder holds those of others too)."""
        return not self.operations or any(name in operations for name in self.operations)

    def on_card(
        self, operations: tuple[str, ...], state: contract.ModelState, digest: str | None = None
    ) -> contract.Model:
        """The model as the card tells it; `operations` are the service's."""
        return contract.Model(
            id=self.id,
            operations=tuple(name for name in operations if not self.operations or name in self.operations),
            state=state,
            aliases=self.aliases,
            digest=digest,
            context_length=self.context_length,
            continuation=self.continuation,
            on_demand=self.load.on_demand,
            resources=self.resources,
        )


@dataclass(frozen=True, slots=True)
class Scan:
    """What the manifest folders hold: the entries that can be used, and why the others cannot, by file."""

    entries: tuple[ModelEntry, ...]
    problems: tuple[ManifestError, ...] = ()


def read_entry(file: Path) -> ModelEntry:
    """The entry in one file. Raises ManifestError."""
    table = read_table(file)
    if "file" in table:
        raise ManifestError(file, "file", "belongs under [source]")
    try:
        return ModelEntry.model_validate({**table, "file": file})
    except ValidationError as error:
        raise ManifestError(file, *first_complaint(error)) from error


def scan_entries(folders: Iterable[Path], in_place: Collection[Path] = ()) -> Scan:
    """Every `*.toml` of the folders, in the order of the folders and, within one, of the names.

    A name (id or alias) that an earlier entry has taken makes the later entry a problem. The files `in_place` come
    before all others, so that a new file never takes a name from a model that is there. A folder that does not exist
    is empty.
    """
    entries: list[ModelEntry] = []
    problems: list[ManifestError] = []
    owners: dict[str, Path] = {}
    files = [file for folder in folders for file in sorted(folder.glob("*.toml"))]
    for file in sorted(files, key=lambda file: file not in in_place):
        try:
            entry = read_entry(file)
        except ManifestError as problem:
            problems.append(problem)
            continue
        taken = next((name for name in (entry.id, *entry.aliases) if name in owners), None)
        if taken is not None:
            problems.append(ManifestError(file, "id", f"{taken!r} is already a model of {owners[taken].name}"))
            continue
        owners.update(dict.fromkeys((entry.id, *entry.aliases), file))
        entries.append(entry)
    return Scan(tuple(entries), tuple(problems))


def read_entries(folders: Sequence[Path]) -> tuple[ModelEntry, ...]:
    """The entries of the folders that can be used; `scan_entries` also tells why others cannot."""
    return scan_entries(folders).entries


def manifest_folders(folder: Path, name: str, models_dir: Path | None) -> tuple[Path, ...]:
    """Where the model manifest of the service `name` in `folder` stands: its own `models/`, then, when `models_dir`
    (NEXUS_MODELS_DIR) is given, `models_dir/name` if there is such a folder, else `models_dir` itself."""
    own = folder / "models"
    if models_dir is None:
        return (own,)
    named = models_dir / name
    return (own, named if named.is_dir() else models_dir)
