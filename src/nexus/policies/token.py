"""A token as it is kept, and its bearer as a request knows it."""

from dataclasses import dataclass
from typing import Any

import msgspec

from nexus.contract.roles import Role
from nexus.policies.account import Account
from nexus.policies.policy import Policy


@dataclass(frozen=True, slots=True)
class Token:
    """`digest` is the token's SHA-256. `policy` None: no bounds. `expires`: Unix seconds from which it is void."""

    digest: bytes
    name: str
    policy: Policy | None = None
    expires: float | None = None


class Bearer(msgspec.Struct, frozen=True):
    """Who asks: the token's name, its policy (None: no bounds) and what it has used.

    `lent`: a service asks in its caller's stead, whose own call holds a place already. `role`: of the user who is
    signed in and asks; none where it is a token that does. `meter` is kept here by who lets its calls in.
    """

    name: str
    policy: Policy | None = None
    account: Account = msgspec.field(default_factory=Account)
    lent: bool = False
    role: Role | None = None
    meter: Any = None

    def __post_init__(self) -> None:
        """What is kept is of this bearer, and of none made from it."""
        msgspec.structs.force_setattr(self, "meter", None)

    @property
    def is_bound_to_addresses(self) -> bool:
        """Whether it matters where a request comes from; a service that asks in its caller's stead is elsewhere."""
        return self.policy is not None and bool(self.policy.ip_allow) and not self.lent
