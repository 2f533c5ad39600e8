"""What the gateways together decided on a call."""

from typing import Final, NamedTuple, Self

from nexus.gateway.shared.resp import Reply

LET_IN: Final = 0
TOO_MANY_CALLS: Final = 1
TOO_MANY_TOKENS: Final = 2
TOO_MANY_REQUESTS: Final = 3

_FIGURES: Final = 7


class Verdict(NamedTuple):
    """`decision` is one of those above. Times are milliseconds: `wait` until it may be asked again, `…_reset` until
    nothing of what is counted counts any more. `slot` is where the window of tokens stands."""

    decision: int
    wait: int
    requests: int
    requests_reset: int
    tokens: int
    tokens_reset: int
    slot: int

    @classmethod
    def of(cls, reply: Reply) -> Self | None:
        """From what the script `admit` replies; None where it did not."""
        if not isinstance(reply, list) or len(reply) != _FIGURES:
            return None
        return cls(*(one if isinstance(one, int) else 0 for one in reply))
