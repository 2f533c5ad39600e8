"""What relaying comes to is what a permit has to know."""

from nexus.gateway.admit.spent import Spent
from nexus.gateway.relay.result import Relayed


def test_the_result_of_relaying_is_one() -> None:
    spent: Spent = Relayed()
    assert (spent.usage, spent.events, spent.bytes_out) == (None, 0, 0)
