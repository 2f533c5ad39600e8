"""What one token has used of its limits."""

from nexus.policies.windows import Window


class Account:
    """Requests and tokens of the last minute, and the calls that run now. It outlives the policy that bounds it.

    The totals of both windows hold until `ends`: before that, who is in a hurry need not look.
    """

    __slots__ = ("ends", "requests", "running", "tokens")

    def __init__(self) -> None:
        self.requests = Window()
        self.tokens = Window()
        self.ends = min(self.requests.ends, self.tokens.ends)
        self.running = 0

    def look(self, now: float) -> None:
        """Forget what is older than a minute at `now`."""
        self.requests.count(now)
        self.tokens.count(now)
        self.ends = min(self.requests.ends, self.tokens.ends)
