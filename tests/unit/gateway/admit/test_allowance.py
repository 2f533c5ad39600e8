"""Tokens are settled once the call has ended: as they were counted, or as we estimate them."""

from typing import Any

import pytest

from nexus.contract.usage import Usage
from nexus.gateway.admit.allowance import Allowance, TokenAllowance, prompt_of
from nexus.gateway.admit.slots import Slots
from nexus.gateway.relay.result import Relayed
from nexus.gateway.values import Call
from nexus.policies.account import Account
from tests.servers.calls import endpoint, make_call

CALL = make_call(body=b'{"model":"m","messages":[]}'.ljust(200))
PROMPT = 50


def allowance(account: Account, clock: Any, call: Call = CALL, prompt: int = PROMPT) -> TokenAllowance:
    account.running += 1
    account.promised += prompt
    return TokenAllowance(account, Slots(9).admit(call), 1, prompt, call, clock)


@pytest.mark.parametrize(
    ("spent", "tokens"),
    [
        (Relayed(200, usage=Usage(10, 5)), 15),
        (Relayed(200, usage=Usage(10, 500)), 510),
        (Relayed(499, usage=Usage(60, 0)), 60),
        (Relayed(200, bytes_out=80), PROMPT + 20),
        (Relayed(200, bytes_out=8000, events=7), PROMPT + 7),
        (Relayed(499, events=3), PROMPT + 3),
        (Relayed(499), PROMPT),
        (Relayed(400, bytes_out=100), 0),
        (Relayed(503, bytes_out=100), 0),
    ],
)
def test_what_a_call_has_used(clock: Any, spent: Relayed, tokens: int) -> None:
    account = Account()
    permit = allowance(account, clock)
    clock.now += 5
    estimated = spent.usage is None
    permit.release(spent)
    assert (account.tokens.count(clock.now), account.promised, account.running) == (tokens, 0, 0)
    if tokens and estimated:
        assert spent.usage == Usage(PROMPT, tokens - PROMPT, estimated=True)
    clock.now += 57  # a minute after it began, and not yet one after it ended
    assert account.tokens.count(clock.now) == tokens


def test_the_call_of_one_that_lends_to_it_gives_back_no_place(clock: Any) -> None:
    account = Account()
    account.running, account.promised = 1, PROMPT
    TokenAllowance(account, Slots(9).admit(CALL), 0, PROMPT, CALL, clock).release(Relayed(200, usage=Usage(1, 2)))
    assert (account.running, account.promised, account.tokens.count(clock.now)) == (1, 0, 3)


@pytest.mark.parametrize(
    ("operation", "tokens"),
    [("chat.completions", 10), ("embeddings", 10), ("audio.transcriptions", 0), ("images.generations", 0)],
)
def test_only_requests_that_are_text_have_tokens_before_anybody_has_counted(operation: str, tokens: int) -> None:
    assert prompt_of(make_call(body=b" " * 40, at=endpoint(operation))) == tokens


def test_the_places_of_an_account_share_one_object() -> None:
    account, slots = Account(), Slots(9)
    permit = Allowance(account, slots.admit(CALL))
    slots.admit(CALL)
    account.running = 2
    spent = Relayed(200, bytes_out=100)
    permit.release(spent)
    assert (slots.taken, account.running, spent.usage) == (1, 1, None)
    permit.release(spent)
    assert (slots.taken, account.running) == (0, 0)


def test_vectors_are_no_text_and_sounds_have_none(clock: Any) -> None:
    account, spent = Account(), Relayed(200, bytes_out=8000)
    allowance(account, clock, make_call(body=b" " * 40, at=endpoint("embeddings")), 10).release(spent)
    assert spent.usage == Usage(10, 0, estimated=True)
    spent = Relayed(200, bytes_out=8000)
    allowance(account, clock, make_call(body=b" " * 40, at=endpoint("audio.transcriptions")), 0).release(spent)
    assert spent.usage is None
    assert account.tokens.count(clock.now) == 10
