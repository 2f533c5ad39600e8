"""What one token has used of its limits."""

from typing import Any

from nexus.policies.windows import Window


class Account:
    """Requests and tokens of the last minute, and the calls that run now. It outlives the policy that bounds it.

    The totals of both windows hold until `ends`: before that, who is in a hurry need not look.
    `promised` are the tokens that the calls have which run now, as far as anybody can know: those of their prompts.
    `meter` is kept here by who lets its calls in.
    """

    __slots__ = ("ends", "meter", "promised", "requests", "running", "tokens")

    def __init__(self) -> None:
        self.requests = Window()
        self.tokens = Window()
        self.ends = min(self.requests.ends, self.tokens.ends)
        self.running = 0
        self.promised = 0
        self.meter: Any = None

    def look(self, now: float) -> None:
        """Forget what is older than a minute at `now`."""
        self.requests.count(now)
        self.tokens.count(now)
        self.ends = min(self.requests.ends, self.tokens.ends)
