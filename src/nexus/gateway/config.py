"""nexus.yaml: aliases, timeouts and who may reach what, checked key by key, and read again when the file changes."""

import asyncio
import difflib
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from nexus.contract.operations import OPERATIONS
from nexus.gateway.allowlist import AllowlistShape, read_rules
from nexus.gateway.log import Log
from nexus.gateway.networks import Networks
from nexus.gateway.values import Timeouts
from nexus.jobs.rules import JobRules

_LATER: Final = ("fallbacks", "retries", "stream_recovery")
"""Keys of the contract that this version does not act on yet: without them service is worse, but nobody is let in."""

_REFUSED: Final = ("routes", "policies", "tokens")
"""Keys that restrict who may do what: to pass over one would let through what somebody meant to keep out."""

CONFIG_FILE: Final = "nexus.yaml"

_LARGEST: Final = 1024 * 1024
"""As many bytes of the file are read."""


class ConfigError(ValueError):
    """The file cannot be used; the message is one line that says which key and why."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """Timeouts in seconds that differ for an operation or a model; None where they do not."""

    connect: float | None = None
    first_byte: float | None = None
    idle: float | None = None
    total: float | None = None

    def over(self, base: Timeouts) -> Timeouts:
        """`base` with what is set here in its place."""
        return Timeouts(
            base.connect if self.connect is None else self.connect,
            base.first_byte if self.first_byte is None else self.first_byte,
            base.idle if self.idle is None else self.idle,
            base.total if self.total is None else self.total,
        )


SLOW: Final[Mapping[str, Overrides]] = {
    operation.name: Overrides(first_byte=600.0) for operation in OPERATIONS if operation.job != "never"
}
"""Work that may run as a job takes its time also where it does not, unless the file says otherwise."""

VERBS: Final[Mapping[str, Overrides]] = {
    "models.load": Overrides(first_byte=600.0),
    "models.unload": Overrides(first_byte=600.0),
    "models.pull": Overrides(first_byte=600.0, idle=600.0, total=inf),
}
"""What is done about models takes as long as their size and the disk or the network want; only the file's own words for
such a verb bound it otherwise. A pull may take for ever, as long as it tells of something now and then."""


@dataclass(frozen=True, slots=True)
class Config:
    """What nexus.yaml says. `aliases` maps each configured alias to the name that it finally stands for.

    `ip_allowlist` are networks by path prefix. `later` are the keys that are there although this version does not act
    on them.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts = field(default_factory=Timeouts)
    operations: Mapping[str, Overrides] = field(default_factory=lambda: {**VERBS, **SLOW})
    models: Mapping[str, Overrides] = field(default_factory=dict)
    jobs: JobRules = field(default_factory=JobRules)
    ip_allowlist: Mapping[str, Networks] = field(default_factory=dict)
    later: tuple[str, ...] = ()

    def timeouts_for(self, operation: str, model: str | None) -> Timeouts:
        """The timeouts of one call: a model's own before an operation's own before those of all."""
        timeouts = self.timeouts
        if operation in self.operations:
            timeouts = self.operations[operation].over(timeouts)
        if model is not None and model in self.models:
            timeouts = self.models[model].over(timeouts)
        return timeouts

    def job_timeouts_for(self, operation: str, model: str | None) -> Timeouts:
        """The timeouts of a job's run: nobody waits for its first byte, and it may take as long as jobs may."""
        timeouts = self.timeouts_for(operation, model)
        return Timeouts(timeouts.connect, self.jobs.timeout, max(timeouts.idle, self.jobs.timeout), self.jobs.timeout)


# The file's shape

_Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\s\x00-\x1f\x7f]+$")]
_Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Times(_Shape):
    connect: _Seconds = None  # type: ignore[assignment]  # None is what was not written; nobody can write it
    first_byte: _Seconds = None  # type: ignore[assignment]
    idle: _Seconds = None  # type: ignore[assignment]
    total: _Seconds = None  # type: ignore[assignment]

    def overrides(self) -> Overrides:
        return Overrides(self.connect, self.first_byte, self.idle, self.total)


class _AllTimes(_Times):
    operations: dict[_Name, _Times] = {}
    models: dict[_Name, _Times] = {}


class _Jobs(_Shape):
    """See `jobs.rules.JobRules`."""

    timeout: _Seconds = JobRules.timeout
    keep: Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)] = JobRules.keep
    max_wait: Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)] = JobRules.max_wait
    max_attempts: Annotated[int, Field(ge=1, le=100)] = JobRules.max_attempts
    max_queued: Annotated[int, Field(ge=1, le=1_000_000)] = JobRules.max_queued


class _File(_Shape):
    aliases: dict[_Name, _Name] = {}
    timeouts: _AllTimes = _AllTimes()
    jobs: _Jobs = _Jobs()
    ip_allowlist: AllowlistShape = {}


_ADAPTER: Final = TypeAdapter(_File)
_KNOWN: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    (): tuple(_File.model_fields),
    ("timeouts",): tuple(_AllTimes.model_fields),
    ("jobs",): tuple(_Jobs.model_fields),
}


class _Loader(yaml.SafeLoader):
    """YAML that is refused where a key is written twice: silently, the last one would win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ConfigError(f"{key.value}: it is given twice (line {key.start_mark.line + 1})")
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_config(text: str) -> Config:
    """The configuration that a file's text gives. Raises ConfigError."""
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(f"it is not YAML: {where}{error.problem}") from error
    except ConfigError:
        raise
    except Exception as error:  # PyYAML lets through whatever a scalar that fits no type does to its constructors
        raise ConfigError(f"it is not YAML: {' '.join(str(error).split())}") from error
    if document is None:
        return Config()
    if not isinstance(document, dict):
        raise ConfigError("it should be a mapping of keys to values")
    for key in document:
        if key in _REFUSED:
            raise ConfigError(f"{key}: this version does not act on it yet; take it out")
    try:
        file = _ADAPTER.validate_python({key: value for key, value in document.items() if key not in _LATER})
    except ValidationError as error:
        raise ConfigError(_told(error)) from error
    times = file.timeouts
    usual: Mapping[str, Overrides] = {**VERBS, **SLOW} if times.first_byte is None else VERBS
    return Config(
        aliases=_resolved(file.aliases),
        timeouts=times.overrides().over(Timeouts()),
        operations={
            **usual,
            **{name: _unless_said(own.overrides(), usual.get(name)) for name, own in times.operations.items()},
        },
        models={name: own.overrides() for name, own in times.models.items()},
        jobs=JobRules(**file.jobs.model_dump()),
        ip_allowlist=read_rules(file.ip_allowlist),
        later=tuple(key for key in _LATER if key in document),
    )


def _unless_said(own: Overrides, usual: Overrides | None) -> Overrides:
    """What the file says of an operation; one that usually takes long keeps what it does not speak of."""
    if usual is None:
        return own
    return replace(usual, **{name: value for name, value in asdict(own).items() if value is not None})


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = tuple(str(part) for part in first["loc"] if part != "[key]")
    where = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = _KNOWN.get(path[:-1], tuple(_Times.model_fields))
        near = difflib.get_close_matches(path[-1], known, 1)
        return f"{where}: there is no such key" + (
            f"; did you mean {near[0]}?" if near else f" among {', '.join(known)}"
        )
    if first["type"] == "value_error":
        return f"{where}: {first['msg'].removeprefix('Value error, ')}"
    return f"{where}: {first['msg'].replace('Input should', 'it should')}, not {reprlib.repr(first['input'])}"


def _resolved(aliases: Mapping[str, str]) -> dict[str, str]:
    """Each alias with what it finally stands for. Raises ConfigError for a circle."""
    resolved: dict[str, str] = {}
    for alias in aliases:
        path = [alias]
        while path[-1] in aliases:
            path.append(aliases[path[-1]])
            if path[-1] in path[:-1]:
                raise ConfigError(f"aliases.{alias}: it leads in a circle: {' → '.join(path)}")
        resolved[alias] = path[-1]
    return resolved


class ConfigFile:
    """One file that is read at the start and again whenever it changes.

    A file that is not there is like an empty one at the start, and later one that was removed: it is logged
    and what was read last stays, as it does after a bad edit.
    """

    def __init__(self, path: Path, log: Log) -> None:
        self.path = path
        self.config = Config()
        self._log = log
        self._stamp: tuple[int, int, int] | None = None

    def load(self) -> Config:
        """Read the file now. Raises ConfigError, its message headed by the file's name."""
        self._stamp = self._look()
        if self._stamp is not None:
            self.config = self._read()
        return self.config

    def timeouts_for(self, operation: str, model: str | None) -> Timeouts:
        """The timeouts of one call, by the configuration that holds now."""
        config = self.config
        return config.timeouts_for(operation, model) if config.operations or config.models else config.timeouts

    async def watch(self, interval: float, changed: Callable[[Config], None]) -> None:
        """Look at the file every `interval` seconds for ever, and hand over each good edit."""
        while True:
            await asyncio.sleep(interval)
            config = await asyncio.to_thread(self.check)
            if config is not None:
                changed(config)

    def check(self) -> Config | None:
        """The new configuration where the file was changed into another good one since the last look."""
        stamp = self._look()
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        if stamp is None:
            self._log("warning", "config_removed", path=str(self.path), reason="what was read last stays")
            return None
        try:
            config = self._read()
        except ConfigError as error:
            self._log("error", "config_refused", path=str(self.path), reason=str(error))
            return None
        self._log("info", "config_read", path=str(self.path))
        self.config = config
        return config

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> Config:
        config = read_config(self.path)
        for key in config.later:
            self._log("warning", "config_key_not_acted_on", path=str(self.path), key=key)
        return config


def read_config(path: Path) -> Config:
    """What a file says; nothing at all where there is none. Raises ConfigError, its message headed by its name."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST)
        return parse_config(content.decode())
    except FileNotFoundError:
        return Config()
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name}: it is not UTF-8 text") from error
    except OSError as error:
        raise ConfigError(f"{path.name}: it cannot be read: {error.strerror}") from error
