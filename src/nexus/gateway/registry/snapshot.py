"""The gateway's whole, immutable view of all instances; replaced, never edited."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from math import inf
from typing import Final
from zlib import crc32

from nexus.contract.card import Card

_ITSELF: Final = "#itself"
_COLD: Final = ("unloaded", "loading")


class State(StrEnum):
    """What the prober knows of an instance. Only `ready` ones are given requests."""

    UNKNOWN = "unknown"  # listed, not asked yet
    STARTING = "starting"  # lives, but says that it is not ready
    READY = "ready"
    INVALID = "invalid"  # answers, but its card cannot be read
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Instance:
    """One running copy of a service, as last seen.

    `url` is the base URL under which it was listed (no trailing slash) and identifies it; `data_url` is where
    requests go (`backend.base_url` of its card, else `url`). `card` is None until one was read; in the state
    `starting` it may be provisional: what the stack's manifest says the service will be. `reason` says why an
    instance is not ready, in one line. `authorization` is the header value that it wants, if any, where requests go;
    `own_authorization` the one that it wants at `url`. `since` is when it came into its state, in seconds of the
    monotonic clock.
    """

    url: str
    source: str
    state: State = State.UNKNOWN
    card: Card | None = None
    reason: str = ""
    data_url: str = ""
    authorization: str | None = None
    own_authorization: str | None = None
    since: float = 0.0

    service: str = field(init=False, repr=False, compare=False)
    """The service's name; for an instance whose card was never read, the host and port it is listed under."""
    data_path: str = field(init=False, repr=False, compare=False)
    """The base URL that requests go to."""
    places: int | None = field(init=False, repr=False, compare=False)
    """How many calls it takes at once; None where its card does not say."""
    room: float = field(init=False, repr=False, compare=False)
    """How many calls may run there at once: no bound where it does not say, nor where it answers as itself."""
    asks: bool = field(init=False, repr=False, compare=False)
    """Whether the service asks the gateway for something on its callers' behalf."""
    label: str = field(init=False, repr=False, compare=False)
    """The instance's own name for itself; its URL where it gives none."""

    def __post_init__(self) -> None:
        """Every call asks for these: they are no properties."""
        card, listed = self.card, self.url.removesuffix(_ITSELF)
        service = card.service.name if card else listed.partition("://")[2]
        says = card is not None and "max_concurrency" in card.capabilities.model_fields_set
        places = card.capabilities.max_concurrency if card and says else None
        object.__setattr__(self, "service", service)
        object.__setattr__(self, "data_path", self.data_url or self.url)
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "room", inf if places is None or self.url != listed else places)
        object.__setattr__(self, "asks", card is not None and bool(card.capabilities.uses))
        object.__setattr__(self, "label", (card.instance if card else "") or listed)

    @cached_property
    def itself(self) -> "Instance":
        """The instance as it is asked for its own pages and models' verbs: never at the engine behind it.

        Its URL is another's, so that these are not counted among the calls that it has room for.
        """
        return replace(self, url=self.url + _ITSELF, data_url=self.url, authorization=self.own_authorization)

    @cached_property
    def seed(self) -> int:
        """A number that goes with its URL, the same at every gateway."""
        return crc32(self.url.encode())

    @cached_property
    def swaps(self) -> bool:
        """Whether one of its models may have to be loaded in another's place."""
        models = self.card.models if self.card else ()
        return len(models) > 1 and any(model.state in _COLD for model in models)

    @cached_property
    def region(self) -> str:
        """Where it stands, as its card says; empty where it does not."""
        return self.card.region if self.card else ""


@dataclass(frozen=True)
class Target:
    """A model at an instance: `model` is the id under which that instance knows it, or None where it has no models."""

    instance: Instance
    model: str | None

    names: tuple[str, str, str] = field(init=False, repr=False, compare=False)
    """Model, service and instance, as logs and metrics call them."""
    head: bytes = field(init=False, repr=False, compare=False)
    """The header lines that name the target in an answer."""

    def __post_init__(self) -> None:
        """Every call asks for these: they are no properties."""
        service, label = self.instance.service, self.instance.label
        model = f"x-nexus-model: {self.model}\r\n" if self.model else ""
        head = f"x-nexus-service: {service}\r\nx-nexus-instance: {label}\r\n{model}"
        object.__setattr__(self, "names", (self.model or "", service, label))
        object.__setattr__(self, "head", head.encode())

    @cached_property
    def is_cold(self) -> bool:
        """Whether its instance would answer, but for the model, which is not in memory."""
        card = self.instance.card
        if self.model is None or card is None or self.instance.state is not State.READY:
            return False
        return any(model.id == self.model and model.state in _COLD for model in card.models)

    @cached_property
    def continues(self) -> bool:
        """Whether the model goes on from an answer that was begun for it, as its card says."""
        card = self.instance.card
        return card is not None and any(one.id == self.model and one.continuation for one in card.models)


@dataclass(frozen=True, slots=True)
class Route:
    """All that can answer one operation for one model name (or for none): who is ready, and who is not yet."""

    ready: tuple[Target, ...] = ()
    waiting: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True)
class DynamicEndpoint:
    """A path that only a card gave us: an operation outside OpenAI's words, served as it is, or as a `job`."""

    operation: str
    method: str
    path: str
    job: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The indexes that planning reads. Build one with `registry.index.build`.

    `by_model` maps (operation, requested name) to its route, for model ids, card aliases, configured aliases
    and, for a service without models, its own name. `by_operation` holds the route for requests that name no
    model. `endpoints` maps (method, path) to the endpoints that are not in `contract.operations`.
    `names` are the names known for an operation (for near misses). `settled` is False until every listed
    instance has been asked once: before that, an unknown model may only be unknown yet. `models_narrowed`: it is a
    token's view, in which models are left out.
    """

    instances: tuple[Instance, ...] = ()
    by_model: Mapping[tuple[str, str], Route] = field(default_factory=dict)
    by_operation: Mapping[str, Route] = field(default_factory=dict)
    endpoints: Mapping[tuple[str, str], DynamicEndpoint] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settled: bool = True
    version: int = 0
    models_narrowed: bool = False

    def of_service(self, name: str) -> tuple[Instance, ...]:
        """All instances of one service, in the order in which they are listed."""
        return tuple(instance for instance in self.instances if instance.service == name)
