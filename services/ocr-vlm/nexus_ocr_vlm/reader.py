"""What every engine behind this service does: it makes Markdown of the picture of one page."""

from collections.abc import Sequence
from typing import Protocol

from nexus.sdk.engine import Found, Model


class PageReader(Protocol):
    """One engine. All its methods raise ApiError."""

    async def discover(self, wanted: Sequence[Model]) -> Sequence[Found]:
        """The models that it has now; `wanted` are those of manifest entries."""
        ...

    def longest_side(self, model: Model) -> int:
        """How large a page's picture is to be, in pixels at most along its longer side."""
        ...

    async def read(self, png: bytes, model: Model) -> str:
        """The page's Markdown. Cancelled when the caller leaves."""
        ...

    async def close(self) -> None: ...
