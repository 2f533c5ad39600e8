"""What Redis says no with."""


class RedisError(Exception):
    """An error as Redis words it, or why it cannot be asked; the first word of its own errors is a code."""

    @property
    def code(self) -> str:
        """`NOSCRIPT`, `OOM`, `READONLY` …"""
        return str(self).split(" ", 1)[0]
