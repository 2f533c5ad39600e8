"""What relaying an answer came to."""

import msgspec

from nexus.contract.usage import Usage


class Relayed(msgspec.Struct, gc=False):
    """Filled in while the answer passes; `error` is the code of what went wrong, `first_byte` a loop time.

    `queued` is how many seconds the call waited for its turn, if it had to, and `priority` what it did so as.
    `events` are those of a stream. `limits` are header lines, each with its CR LF, that say what is left to the caller.
    `ended` is when the call did, by `perf_counter`; for `since` and `prompt` see `admit.spent`.
    """

    status: int = 500
    bytes_out: int = 0
    events: int = 0
    usage: Usage | None = None
    error: str = ""
    first_byte: float | None = None
    limits: bytes = b""
    queued: float | None = None
    priority: str = ""
    ended: float = 0.0
    since: float = 0.0
    prompt: int = 0
