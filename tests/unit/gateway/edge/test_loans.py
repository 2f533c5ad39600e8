"""A token on loan: it lets in under the caller's name, and never again once it was given back."""

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.edge.auth import ADMINISTRATOR, Keyring, digest
from nexus.gateway.edge.loans import Lender
from nexus.policies.token import Token


def token_in(lines: str) -> str:
    fields = dict(line.split(": ", 1) for line in lines.removesuffix("\r\n").split("\r\n"))
    assert fields.pop("x-nexus-gateway") == "http://127.0.0.1:8800"
    (token,) = fields.values()
    return token


def test_a_loan_is_told_in_header_lines_and_ends() -> None:
    keyring = Keyring([Token(digest("sk-own"), ADMINISTRATOR), Token(digest("sk-ada"), "ada")])
    loan = Lender(keyring, "http://127.0.0.1:8800").lend("ada")
    header = f"Bearer {token_in(loan.lines)}".encode()
    assert keyring.check(header).name == "ada"
    loan.give_back()
    with pytest.raises(ApiError) as caught:
        keyring.check(header)
    assert caught.value.status == 401
    loan.give_back()
    assert keyring.check(b"Bearer sk-own").name == ADMINISTRATOR


def test_each_loan_is_another() -> None:
    keyring = Keyring([Token(digest("sk-ada"), "ada"), Token(digest("sk-bob"), "bob")])
    lender = Lender(keyring, "http://127.0.0.1:8800")
    first, second = lender.lend("ada"), lender.lend("bob")
    first.give_back()
    assert keyring.check(f"Bearer {token_in(second.lines)}".encode()).name == "bob"
