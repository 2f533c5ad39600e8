"""What the administrator is shown, as the document describes it."""

from typing import Any, Literal

from pydantic import BaseModel

from nexus.contract.roles import Role


class ShownToken(BaseModel):
    """A token without what it is; times are Unix seconds."""

    id: str
    object: Literal["token"]
    name: str
    owner: str
    policy: str | None
    state: Literal["active", "expired", "revoked", "shadowed", "powerless"]
    created_at: int | None
    expires_at: int | None
    last_used_at: int | None
    revoked_at: int | None
    source: str
    read_only: bool


class Figure(BaseModel):
    """What was used, and the most that may be; None: no bound."""

    used: float
    limit: int | None


class UsedPeriod(BaseModel):
    """A day or a month, in Unix seconds."""

    starts_at: int
    ends_at: int
    requests: Figure
    tokens: Figure
    engine_seconds: Figure


class ShownUsage(BaseModel):
    """What a token has used of its budgets in the day and the month that it is in a time zone."""

    timezone: str
    day: UsedPeriod
    month: UsedPeriod


class TokenWithUsage(ShownToken):
    """The same with what it has used; None: it has no budgets."""

    usage: ShownUsage | None


class MadeToken(ShownToken):
    """The same with the token itself, this once."""

    token: str


class GoneToken(BaseModel):
    """What is told of one that was revoked."""

    id: str
    object: Literal["token"]
    name: str
    deleted: Literal[True]


class ShownUser(BaseModel):
    """A user; times are Unix seconds. `issuer` is who vouches for it, None where it has a password here."""

    id: str
    object: Literal["user"]
    name: str
    role: Role
    policy: str
    disabled: bool
    issuer: str | None
    created_at: int
    signed_in_at: int | None


class MadeUser(ShownUser):
    """The same with the password, this once, where it was made here."""

    password: str | None = None


class GoneUser(BaseModel):
    """What is told of one that was deleted."""

    id: str
    object: Literal["user"]
    name: str
    deleted: Literal[True]


class ShownEntry(BaseModel):
    """Who did what to whom; `created_at` is in Unix seconds."""

    id: str
    object: Literal["audit.entry"]
    created_at: int
    actor: str
    action: str
    subject: str
    details: dict[str, Any]


class _Page(BaseModel):
    object: Literal["list"]
    first_id: str | None
    last_id: str | None
    has_more: bool


class TokenPage(_Page):
    data: list[ShownToken]


class UserPage(_Page):
    data: list[ShownUser]


class AuditPage(_Page):
    data: list[ShownEntry]


class ShownCondition(BaseModel):
    condition: str
    wanted: str
    found: str
    holds: bool


class ShownRule(BaseModel):
    rule: int
    matches: bool
    action: str
    conditions: list[ShownCondition]


class ShownTarget(BaseModel):
    model: str
    service: str
    instance: str


class ShownExplanation(BaseModel):
    """What would become of a call: `rule` is the first that matches, `header` what `x-nexus-route` would say."""

    object: Literal["route.explanation"]
    operation: str
    token: str | None
    policy: str | None
    asked_model: str | None
    rules: list[ShownRule]
    rule: int | None
    header: str | None
    model: str | None
    status: int
    message: str | None
    targets: list[ShownTarget]
