"""What the API is told of users, and by them."""

from typing import Annotated

from pydantic import StringConstraints

from nexus.contract.roles import Role
from nexus.gateway.shapes.base import Shape
from nexus.gateway.shapes.tokens import Moment, Name

Password = Annotated[str, StringConstraints(min_length=12, max_length=256)]
PolicyName = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class NewUser(Shape):
    """`policy` is one of nexus.yaml's. Without a password, one is made."""

    name: Name
    role: Role = "user"
    policy: PolicyName = "default"
    password: Password | None = None


class UserChange(Shape):
    """What is to be otherwise; None: what stays."""

    role: Role | None = None
    policy: PolicyName | None = None
    disabled: bool | None = None


class NewPassword(Shape):
    """Without one, one is made."""

    password: Password | None = None


class Credentials(Shape):
    """Who signs in. What no password is is wrong, and not told of otherwise."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class OwnPassword(Shape):
    """Another password for oneself."""

    current: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    password: Password


class OwnToken(Shape):
    """A further token for oneself; it is void from `expires` on, None for never."""

    name: Name
    expires: Moment | None = None
