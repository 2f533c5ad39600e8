"""nexus.yaml: what it says, checked key by key, and read again when the file changes."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from nexus.contract.operations import OPERATIONS
from nexus.gateway.allowlist import AllowlistShape, read_rules
from nexus.gateway.log import Log
from nexus.gateway.shapes.base import Name, Shape
from nexus.gateway.shapes.document import ConfigError, Keys, mistake, read_document, told
from nexus.gateway.shapes.hedging import HEDGING_KEYS, HedgingShape
from nexus.gateway.shapes.policies import (
    POLICY_KEYS,
    PolicyName,
    PolicyShape,
    TokenMistakeError,
    TokenShape,
    policies_of,
    tokens_of,
)
from nexus.gateway.shapes.queue import QUEUE_KEYS, QueueShape
from nexus.gateway.shapes.retries import (
    RETRIES_KEYS,
    FallbackMistakeError,
    FallbacksShape,
    RetriesShape,
    fallbacks_of,
)
from nexus.gateway.shapes.routes import ROUTE_KEYS, Routes, rules_of
from nexus.gateway.shapes.times import TIMES_KEYS, AllTimes, Jobs, Times
from nexus.gateway.values import QueueRules, Retries, Rules, Timeouts
from nexus.jobs.rules import JobRules
from nexus.policies.networks import Networks
from nexus.policies.policy import Policy
from nexus.policies.routing.rule import Rule
from nexus.policies.token import Token

CONFIG_FILE: Final = "nexus.yaml"

_LARGEST: Final = 1024 * 1024
"""As many bytes of the file are read."""


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

    `ip_allowlist` are networks by path prefix.
    """

    aliases: Mapping[str, str] = field(default_factory=dict)
    timeouts: Timeouts = field(default_factory=Timeouts)
    operations: Mapping[str, Overrides] = field(default_factory=lambda: {**VERBS, **SLOW})
    models: Mapping[str, Overrides] = field(default_factory=dict)
    queue: QueueRules = field(default_factory=QueueRules)
    rules: Rules = field(default_factory=Rules)
    jobs: JobRules = field(default_factory=JobRules)
    policies: Mapping[str, Policy] = field(default_factory=dict)
    tokens: tuple[Token, ...] = ()
    routes: tuple[Rule, ...] = ()
    ip_allowlist: Mapping[str, Networks] = field(default_factory=dict)

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


class _File(Shape):
    aliases: dict[Name, Name] = Field(default_factory=dict)
    fallbacks: FallbacksShape = Field(default_factory=dict)
    retries: RetriesShape = RetriesShape()
    hedging: HedgingShape = HedgingShape()
    timeouts: AllTimes = AllTimes()
    queue: QueueShape = QueueShape()
    jobs: Jobs = Jobs()
    policies: dict[PolicyName, PolicyShape] = Field(default_factory=dict)
    tokens: list[TokenShape] = Field(default_factory=list)
    routes: Routes = Field(default_factory=list)
    ip_allowlist: AllowlistShape = Field(default_factory=dict)
    stream_recovery: Literal["resume", "error"] = "resume"


_KEYS: Final[Keys] = {
    (): _File,
    **RETRIES_KEYS,
    **HEDGING_KEYS,
    **QUEUE_KEYS,
    **TIMES_KEYS,
    **POLICY_KEYS,
    **ROUTE_KEYS,
}


def parse_config(text: str) -> Config:
    """The configuration that a file's text gives. Raises ConfigError."""
    document = read_document(text)
    if document is None:
        return Config()
    if not isinstance(document, dict):
        raise ConfigError("it should be a mapping of keys to values")
    try:
        file = TypeAdapter(_File).validate_python(document)
        policies = policies_of(file.policies)
        tokens = tokens_of(file.tokens, policies)
        aliases = _resolved(file.aliases)
        fallbacks = fallbacks_of(file.fallbacks, aliases)
        retries, resumes = Retries(**file.retries.model_dump()), file.stream_recovery == "resume"
        rules = Rules(retries, fallbacks, resumes, file.hedging.by_operation)
    except ValidationError as error:
        raise told(error, text, _KEYS) from error
    except TokenMistakeError as error:
        path = ("tokens", str(error.index), error.key)
        raise mistake(".".join(path), str(error), text, path) from error
    except FallbackMistakeError as error:
        path = ("fallbacks", error.model, str(error.index))
        raise mistake(".".join(path), str(error), text, path) from error
    times = file.timeouts
    usual: Mapping[str, Overrides] = {**VERBS, **SLOW} if times.first_byte is None else VERBS
    return Config(
        aliases=aliases,
        rules=rules,
        timeouts=_overrides(times).over(Timeouts()),
        operations={
            **usual,
            **{name: _unless_said(_overrides(own), usual.get(name)) for name, own in times.operations.items()},
        },
        models={name: _overrides(own) for name, own in times.models.items()},
        queue=QueueRules(**file.queue.model_dump()),
        jobs=JobRules(**file.jobs.model_dump()),
        policies=policies,
        tokens=tokens,
        routes=rules_of(file.routes),
        ip_allowlist=read_rules(file.ip_allowlist),
    )


def _overrides(times: Times) -> Overrides:
    return Overrides(times.connect, times.first_byte, times.idle, times.total)


def _unless_said(own: Overrides, usual: Overrides | None) -> Overrides:
    """What the file says of an operation; one that usually takes long keeps what it does not speak of."""
    if usual is None:
        return own
    return replace(usual, **{name: value for name, value in asdict(own).items() if value is not None})


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
    and what was read last stays, as it does after a bad edit. `rules` are those of `config`: every call looks at them.
    """

    def __init__(self, path: Path, log: Log) -> None:
        self.path = path
        self.config = Config()
        self.rules = self.config.rules
        self._log = log
        self._stamp: tuple[int, int, int] | None = None

    def load(self) -> Config:
        """Read the file now. Raises ConfigError, its message headed by the file's name."""
        self._stamp = self._look()
        if self._stamp is not None:
            self._hold(read_config(self.path))
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
            config = read_config(self.path)
        except ConfigError as error:
            self._log("error", "config_refused", path=str(self.path), reason=str(error))
            return None
        self._log("info", "config_read", path=str(self.path))
        self._hold(config)
        return config

    def _hold(self, config: Config) -> None:
        self.config, self.rules = config, config.rules

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


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
