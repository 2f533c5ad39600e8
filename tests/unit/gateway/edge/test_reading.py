"""Reading requests: whose key it is is asked of every other head, known heads are known, faults are told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nexus.gateway.drive import Signal
from nexus.gateway.edge import reading
from nexus.gateway.edge.auth import Keyring, digest
from nexus.gateway.edge.shared_loans import SECONDS, SharedLoans
from nexus.gateway.values import Client, Request
from nexus.policies.token import Token
from tests.servers.raw import request as make

CHAT = "/v1/chat/completions"
Serve = Callable[..., Awaitable[Any]]


def with_key(value: bytes | None) -> bytes:
    line = b"" if value is None else b"authorization: %b\r\n" % value
    return b"POST %b HTTP/1.1\r\nhost: x\r\n%bcontent-length: 2\r\n\r\n{}" % (CHAT.encode(), line)


@pytest.mark.parametrize("key", [None, b"", b" ", b"Bearer", b"Bearer ", b"Bearer sk-tesT", b"Basic sk-test"])
@pytest.mark.parametrize("after_a_good_one", [False, True])
async def test_no_other_key_is_let_in(serve: Serve, key: bytes | None, after_a_good_one: bool) -> None:
    served = await serve()
    connection = await served.connect()
    for _ in range(3 * after_a_good_one):
        connection.send(with_key(b"Bearer sk-test"))
        assert (await connection.answer()).status == 200
    told = len(served.told)
    connection.send(with_key(key))
    answer = await connection.answer()
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert len(served.told) == told


async def test_a_key_is_good_again_after_a_bad_one(serve: Serve) -> None:
    connection = await (await serve()).connect()
    for key, status in ((b"Bearer no", 401), (b"Bearer sk-test", 200), (b"", 401), (b"Bearer sk-test", 200)):
        connection.send(with_key(key))
        assert (await connection.answer()).status == status


async def test_a_fault_of_ours_while_reading_is_500_and_logged(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served = await serve()

    def fails(*args: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(reading, "inspect_head", fails)
    connection = await served.connect()
    with caplog.at_level(logging.ERROR):
        connection.send(make(f"http://host{CHAT}", b"{}", token="sk-test"))
        answer = await connection.answer()
    assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert any("reading a request failed" in record.message for record in caplog.records)


async def test_a_request_answered_before_its_body_gets_no_second_answer(serve: Serve) -> None:
    connection = await (await serve(body_idle_seconds=0.2, linger_seconds=0.2)).connect()
    connection.send(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345")
    assert (await connection.answer()).status == 200
    assert await connection.rest() == b""


async def later(request: Request, client: Client) -> None:
    """Answers a turn of the loop later, as a service does: only then may the next head be known again."""
    signal = Signal()
    asyncio.get_running_loop().call_soon(signal.set)
    await signal
    client.send_whole(200, b"", b"")


@pytest.mark.parametrize("same_head", [True, False], ids=["a head that is known again", "another head"])
async def test_a_key_that_was_taken_back_is_let_in_no_more_on_an_open_connection(serve: Serve, same_head: bool) -> None:
    served = await serve(later)
    lent = served.keyring.lend("ada").encode()
    connection = await served.connect()
    for _ in range(3):
        connection.send(with_key(b"Bearer " + lent))
        assert (await connection.answer()).status == 200
    assert [request.head.token for request in served.told] == ["ada"] * 3
    other = served.keyring.lend("bob")
    served.keyring.take_back(other)  # somebody else's: it is looked up anew, and is still good
    connection.send(with_key(b"Bearer " + lent))
    assert (await connection.answer()).status == 200
    served.keyring.take_back(lent.decode())
    request = with_key(b"Bearer " + lent)
    connection.send(request if same_head else request.replace(b"host: x\r\n", b"host: x\r\nx-more: 1\r\n"))
    answer = await connection.answer()
    assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    assert len(served.told) == 4


@pytest.mark.parametrize("same_head", [True, False], ids=["the same head", "another head"])
async def test_a_loan_that_has_ended_by_itself_is_let_in_no_more_on_an_open_connection(
    serve: Serve, same_head: bool
) -> None:
    clock = [1000.0]
    served = await serve(later)
    served.edge.keyring = Keyring([Token(digest("sk-ada"), "ada")], loans=SharedLoans("secret", lambda: clock[0]))
    request = with_key(b"Bearer " + served.edge.keyring.lend("ada").encode())
    connection = await served.connect()
    for _ in range(3):
        connection.send(request)
        assert (await connection.answer()).status == 200
    clock[0] += SECONDS
    connection.send(request if same_head else request.replace(b"host: x\r\n", b"host: x\r\nx-more: 1\r\n"))
    assert (await connection.answer()).status == 401


async def test_what_a_client_prefers_and_whom_it_asks_is_told_to_the_story(serve: Serve) -> None:
    served = await serve()
    connection = await served.connect()
    connection.send(with_key(b"Bearer sk-test").replace(b"host: x", b"host: gw.test:1\r\nprefer: respond-async"))
    assert (await connection.answer()).status == 200
    (request,) = served.told
    assert (request.head.prefer, request.head.host) == (b"respond-async", b"gw.test:1")


async def test_a_preference_may_be_said_in_several_lines(serve: Serve) -> None:
    served = await serve()
    connection = await served.connect()
    connection.send(
        with_key(b"Bearer sk-test").replace(b"host: x", b"host: x\r\nprefer: respond-async\r\nPrefer: wait=5")
    )
    assert (await connection.answer()).status == 200
    assert served.told[0].head.prefer == b"respond-async, wait=5"
