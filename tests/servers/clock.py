"""A clock that only the test moves."""


class Clock:
    """Called, it gives `now`, which the test sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
