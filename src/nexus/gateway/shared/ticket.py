"""What one call holds in Redis."""

from nexus.gateway.shared.resp import Reply


class Ticket:
    """`keys` are those of its token, `lease` its own name among that token's calls, empty where it needs none.

    `taken` tokens were added for it in `slot`, or will be: a ticket may itself be told by Redis in which.
    `known`: Redis may have heard of the lease.
    """

    __slots__ = ("keys", "known", "lease", "slot", "taken")

    def __init__(self, keys: bytes, lease: bytes = b"") -> None:
        self.keys = keys
        self.lease = lease
        self.taken = 0
        self.slot = -1  # in no window
        self.known = False

    def come(self, reply: Reply) -> None:
        """The slot of its tokens; None: nobody knows whether they were counted."""
        if isinstance(reply, int):
            self.slot = reply
        else:
            self.taken = 0
