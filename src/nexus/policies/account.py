"""What one token has used of its limits."""

from typing import Any

from nexus.policies.windows import Window


class Account:
    """Requests and tokens of the last minute, and the calls that run now. It outlives the policy that bounds it.

    `permit` is what its calls share, kept here by who hands it out.
    """

    __slots__ = ("permit", "requests", "running", "tokens")

    def __init__(self) -> None:
        self.requests = Window()
        self.tokens = Window()
        self.running = 0
        self.permit: Any = None
