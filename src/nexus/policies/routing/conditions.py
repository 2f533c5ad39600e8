"""The conditions of a rule: one class a kind. Each can say what it wants and what it found, for people who ask why."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from nexus.policies.globs import Globs
from nexus.policies.routing.asked import Asked
from nexus.policies.routing.hours import Hours

NAMES: Final[Mapping[str, Callable[[Asked], Iterable[str]]]] = {
    "policy": lambda asked: () if asked.policy is None else (asked.policy,),
    "token": lambda asked: (asked.token,),
    "operation": lambda asked: (asked.operation,),
    "model": lambda asked: asked.models,
    "service": lambda asked: asked.services,
    "region": lambda asked: (asked.region,) if asked.region else (),
}
FLAGS: Final[Mapping[str, Callable[[Asked], bool]]] = {
    "stream": lambda asked: asked.stream,
    "has_tools": lambda asked: asked.has_tools,
    "has_images": lambda asked: asked.has_images,
}


class Condition(Protocol):
    """`key` is the word that stands in the file."""

    @property
    def key(self) -> str: ...
    @property
    def wanted(self) -> str:
        """What was written, for people."""

    def found(self, asked: Asked) -> str:
        """What the call has, for people; empty for nothing."""

    def holds(self, asked: Asked) -> bool:
        """Whether it does for this call."""


class _AnyOf(ABC):
    """One of the values that a call has is one of those that are meant; a call without one has none that fits."""

    __slots__ = ()
    globs: Globs

    @abstractmethod
    def _values(self, asked: Asked) -> Iterable[str]: ...

    @property
    def wanted(self) -> str:
        return ", ".join(self.globs.patterns)

    def found(self, asked: Asked) -> str:
        return ", ".join(self._values(asked))

    def holds(self, asked: Asked) -> bool:
        return any(map(self.globs.allows, self._values(asked)))


@dataclass(frozen=True, slots=True)
class Named(_AnyOf):
    """A name that a call has, by the word for it."""

    key: str
    globs: Globs

    def _values(self, asked: Asked) -> Iterable[str]:
        return NAMES[self.key](asked)


@dataclass(frozen=True, slots=True)
class Header(_AnyOf):
    """A header that came; `name` is in small letters."""

    name: str
    globs: Globs

    @property
    def key(self) -> str:
        return f"header {self.name}"

    def _values(self, asked: Asked) -> Iterable[str]:
        return asked.header(self.name)


@dataclass(frozen=True, slots=True)
class Flag:
    """Something is so, or is not."""

    key: str
    so: bool

    @property
    def wanted(self) -> str:
        return _word(self.so)

    def found(self, asked: Asked) -> str:
        return _word(FLAGS[self.key](asked))

    def holds(self, asked: Asked) -> bool:
        return FLAGS[self.key](asked) is self.so


@dataclass(frozen=True, slots=True)
class Length:
    """A prompt has more tokens than `over`, or fewer than `under`; what is no text is neither long nor short."""

    over: int | None = None
    under: int | None = None

    @property
    def key(self) -> str:
        return "prompt_tokens_under" if self.over is None else "prompt_tokens_over"

    @property
    def wanted(self) -> str:
        return str(self.under if self.over is None else self.over)

    def found(self, asked: Asked) -> str:
        return "" if asked.prompt_tokens is None else str(asked.prompt_tokens)

    def holds(self, asked: Asked) -> bool:
        tokens = asked.prompt_tokens
        if tokens is None:
            return False
        return (self.over is None or tokens > self.over) and (self.under is None or tokens < self.under)


@dataclass(frozen=True, slots=True)
class At:
    """It is one of the hours that are meant."""

    hours: Hours
    key: str = "time"

    @property
    def wanted(self) -> str:
        return str(self.hours)

    def found(self, asked: Asked) -> str:
        return f"{asked.moment.astimezone(self.hours.zone):%H:%M %a}".lower()

    def holds(self, asked: Asked) -> bool:
        return self.hours.contain(asked.moment)


def _word(so: bool) -> str:
    return "true" if so else "false"
