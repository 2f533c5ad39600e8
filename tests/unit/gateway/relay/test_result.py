"""What relaying came to, before it came to anything."""

from nexus.gateway.relay.result import Relayed


def test_until_something_was_sent_it_counts_as_a_fault_of_ours() -> None:
    result = Relayed()
    assert (result.status, result.bytes_out, result.usage, result.error, result.first_byte) == (500, 0, None, "", None)
