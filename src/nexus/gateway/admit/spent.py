"""What has become of a call, as far as its permit has to know."""

from typing import Protocol

from nexus.contract.usage import Usage


class Spent(Protocol):
    """`usage` None: nobody has counted its tokens. `events` are those of a stream, `bytes_out` the answer's bytes.

    `ended` is when, by `perf_counter`. `since` and `prompt` are its meter's own: when the slot ended in which so many
    tokens were counted as it began; 0: none of its tokens are.
    """

    status: int
    usage: Usage | None
    events: int
    bytes_out: int
    ended: float
    since: float
    prompt: int
