"""What a source says: which instances there should be."""

from dataclasses import dataclass
from typing import Protocol

from nexus.contract.card import Card


@dataclass(frozen=True, slots=True)
class Listing:
    """One instance that should be there. `url` is its base URL in the form of `registry.address`.

    `card` is provisional: what the instance will say of itself once it runs, where the source knows.
    """

    url: str
    source: str
    card: Card | None = None
    authorization: str | None = None


class Source(Protocol):
    """One way to find instances. `name` is shown with each instance that it lists."""

    @property
    def name(self) -> str: ...

    async def listings(self) -> tuple[Listing, ...]:
        """All that this source lists now. Asked once a discovery interval, and when it is woken."""
        ...
