"""What the control plane has of users, where there are any."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nexus.gateway.edge.visitors import Visitors

if TYPE_CHECKING:
    from nexus.gateway.users.oidc import Provider
    from nexus.gateway.users.sign_in import SignIns
    from nexus.gateway.users.vouched import Vouched


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who else vouches for users: how it is asked, what it gives back of a secret, and whom its word makes of one."""

    provider: "Provider"
    state_of: Callable[[str], str]
    vouched: "Vouched"


@dataclass(frozen=True, slots=True)
class People:
    """Who is signed in, and how one signs in. `issuer` is None where nobody else vouches."""

    visitors: Visitors
    sign_ins: "SignIns"
    issuer: Issuer | None = None
