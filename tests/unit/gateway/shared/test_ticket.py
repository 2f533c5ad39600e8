"""What a call learns of the tokens that were taken for it."""

from nexus.gateway.shared.ticket import Ticket


def test_the_slot_of_its_tokens() -> None:
    ticket = Ticket(b"keys")
    ticket.taken = 5
    ticket.come(12)
    assert (ticket.slot, ticket.taken) == (12, 5)


def test_what_may_not_have_been_counted_was_not_taken() -> None:
    ticket = Ticket(b"keys")
    ticket.taken = 5
    ticket.come(None)
    assert (ticket.slot, ticket.taken) == (-1, 0)
