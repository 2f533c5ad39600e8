"""What is kept, for those who do not talk to the database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from nexus.contract.roles import Role

Kind = Literal["file", "artifact"]

BEARER_PREFIX: Final = "user:"


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


@dataclass(frozen=True, slots=True)
class KeptToken:
    """A token of the database. Times are Unix seconds, None for never.

    `digest` is its SHA-256, `policy` the name of one of nexus.yaml's, `owner` and `source` are for people: whose it is,
    and by what it was made. `last_used_at` is true to the minute. `user` is the id of the user who has it, None where
    it is nobody's: then it goes by its own name and policy, else by its user's.
    """

    id: str
    name: str
    digest: bytes = field(repr=False)
    policy: str
    created_at: float
    owner: str = ""
    expires_at: float | None = None
    last_used_at: float | None = None
    revoked_at: float | None = None
    source: str = "api"
    user: str | None = None


@dataclass(frozen=True, slots=True)
class KeptUser:
    """Somebody who may sign in. Times are Unix seconds, None for never.

    `role` and `policy` are names. `password` is what Argon2 keeps of one; None for those who sign in by `issuer`, where
    they are known as `subject`.
    """

    id: str
    name: str
    role: Role
    policy: str
    created_at: float
    password: str | None = field(default=None, repr=False)
    issuer: str | None = None
    subject: str | None = None
    disabled: bool = False
    signed_in_at: float | None = None

    @property
    def bearer(self) -> str:
        """What sessions and tokens of this user go by: no token that is nobody's can have such a name."""
        return f"{BEARER_PREFIX}{self.name}"


@dataclass(frozen=True, slots=True)
class KeptSession:
    """Somebody who is signed in. `digest` is the SHA-256 of what the browser has; times are Unix seconds."""

    digest: bytes = field(repr=False)
    user: str
    created_at: float
    expires_at: float
    seen_at: float


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """That `actor` (a token's name) did `action` to `subject` at a time in Unix seconds; `seq` is the order."""

    seq: int
    at: float
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Amounts:
    """Requests, tokens and seconds for which calls held instances."""

    requests: int = 0
    tokens: int = 0
    engine_seconds: float = 0.0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.requests + other.requests, self.tokens + other.tokens, self.engine_seconds + other.engine_seconds
        )


@dataclass(frozen=True, slots=True)
class UsedAmounts:
    """All that one gateway has counted for a token (by its name) in one day or month, so far.

    `gateway` is one process, and `starts` and `ends` are Unix seconds.
    """

    gateway: str
    token: str
    kind: Literal["day", "month"]
    starts: float
    ends: float
    amounts: Amounts
