"""What one token has used of its limits."""

from typing import Any

from nexus.policies.windows import Window


class Account:
    """Requests and tokens of the last minute, and the calls that run now. It outlives the policy that bounds it.

    `promised` are the tokens that the calls have which run now, as far as anybody can know: those of their prompts.
    `permit` is what its calls share, kept here by who hands it out; `lines` are what is told of limits but for what
    remains, kept by who tells, for the policy `told`.
    """

    __slots__ = ("lines", "permit", "promised", "requests", "running", "tokens", "told")

    def __init__(self) -> None:
        self.requests = Window()
        self.tokens = Window()
        self.running = 0
        self.promised = 0
        self.permit: Any = None
        self.told: Any = None
        self.lines = b""
