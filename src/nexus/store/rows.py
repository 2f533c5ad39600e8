"""What a kept file is, for those who do not talk to the database."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["file", "artifact"]


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that a client uploaded, or an artifact that was made for one. Times are Unix seconds, None for never.

    `token` is the name of the token that it belongs to; `filename` is for people, never a path. `job` is the id of the
    job whose run has made it: it goes when that goes.
    """

    id: str
    kind: Kind
    token: str
    filename: str
    media_type: str
    created_at: float
    expires_at: float | None = None
    purpose: str = ""
    bytes: int = 0
    job: str | None = None

    @property
    def key(self) -> str:
        """Where its bytes are in the blob storage."""
        return f"{self.kind}s/{self.id}"


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list of files, and whether there are more behind it."""

    files: tuple[KeptFile, ...]
    has_more: bool
