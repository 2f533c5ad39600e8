"""What the control plane has of users, where there are any."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nexus.gateway.edge.visitors import Visitors

if TYPE_CHECKING:
    from nexus.gateway.users.sign_in import SignIns


@dataclass(frozen=True, slots=True)
class People:
    """Who is signed in, and how one signs in."""

    visitors: Visitors
    sign_ins: "SignIns"
