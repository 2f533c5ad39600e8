"""Loans that another process can check."""

import pytest

from nexus.gateway.edge.auth import Keyring, digest
from nexus.gateway.edge.shared_loans import SECONDS, SharedLoans
from nexus.policies.token import Token
from tests.servers.clock import Clock


def test_another_worker_knows_in_whose_name_it_was_made() -> None:
    made = SharedLoans("secret").make("ada lovelace.ä")
    assert SharedLoans("secret").name_of(made.encode()) == "ada lovelace.ä"
    assert SharedLoans("another").name_of(made.encode()) is None


def test_it_ends_by_itself() -> None:
    clock = Clock(1000.0)
    loans = SharedLoans("secret", clock)
    made = loans.make("ada").encode()
    clock.now += SECONDS - 1
    assert loans.name_of(made) == "ada"
    clock.now += 1
    assert loans.name_of(made) is None


@pytest.mark.parametrize(
    "change", [b"", b"lent-", b"lent-x.y", b"sk-nxt-a.b", b"\xff.\xff", b"lent-a.\xff", b"lent-\xff.a", b"lent-.", b"."]
)
def test_what_is_none(change: bytes) -> None:
    assert SharedLoans("secret").name_of(change) is None


def test_no_letter_of_it_can_be_changed() -> None:
    loans = SharedLoans("secret")
    made = loans.make("ada").encode()
    for place in range(len(made)):
        assert loans.name_of(made[:place] + bytes([made[place] ^ 1]) + made[place + 1 :]) is None


def test_a_keyring_lends_and_lets_in_by_it() -> None:
    rings = [Keyring([Token(digest("sk-ada"), "ada")], loans=SharedLoans("secret")) for _ in range(2)]
    bearer = rings[1].check(b"Bearer " + rings[0].lend("ada").encode())
    assert (bearer.name, bearer.lent) == ("ada", True)
    version = rings[0].version
    rings[0].take_back("lent-whatever")
    assert rings[0].version == version
    assert not rings[1].check(b"Bearer sk-ada").lent
