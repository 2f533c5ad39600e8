"""What a user may be: everything's administrator, somebody who asks, or somebody who looks."""

from typing import Final, Literal

Role = Literal["admin", "user", "viewer"]

ADMIN: Final = "admin"
USER: Final = "user"
VIEWER: Final = "viewer"
"""Sees the lists that the policy shows, and can neither ask for inference nor change anything."""
