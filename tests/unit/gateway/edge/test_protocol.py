"""The server side: what becomes the lane's, what is FastAPI's, and what is refused; in order, within bounds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from nexus.contract.errors import ApiError
from nexus.gateway.drive import Signal
from nexus.gateway.values import Client, Request
from tests.servers.raw import Answer
from tests.servers.raw import request as make

CHAT = "/v1/chat/completions"
Serve = Callable[..., Awaitable[Any]]
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-test\r\n"


def ask(body: bytes = b"{}", **options: Any) -> bytes:
    return make(CHAT, body, token="sk-test", **options)


async def exchange(serve: Serve, data: bytes, **limits: Any) -> Answer:
    """The first answer to `data`."""
    connection = await (await serve(**limits)).connect()
    connection.send(data)
    answer: Answer = await connection.answer()
    return answer


# --- who serves


async def test_the_lane_gets_the_whole_request(serve: Serve) -> None:
    served = await serve()
    connection = await served.connect()
    connection.send(
        make(CHAT + "?a=b", b"{}", token="sk-test", headers={"X-Own": "v", "connection": "x-hop", "x-hop": "1"})
    )
    await connection.answer()
    (told,) = served.told
    assert (told.endpoint.operation, told.body) == ("chat.completions", b"{}")
    assert told.started > 0


async def test_other_paths_are_the_applications_with_their_bodies(serve: Serve) -> None:
    connection = await (await serve()).connect()
    for path, body in (("/health", None), ("/v1/registry", b"x" * 100_000), ("/v1/chat", b"{}")):
        connection.send(make(path, body, token="sk-test"))
        verb = "GET" if body is None else "POST"
        assert (await connection.answer()).body == f"{verb} {path} {len(body or b'')}".encode()


async def test_answers_keep_the_order_of_requests_of_both_kinds(serve: Serve) -> None:
    connection = await (await serve()).connect()
    bodies = [b'{"n":%d}' % number for number in range(40)]
    connection.send(b"".join(ask(body) + make("/health") for body in bodies))
    for body in bodies:
        assert (await connection.answer()).body == body
        assert (await connection.answer()).body == b"GET /health 0"


@pytest.mark.parametrize("size", [1, 3, 50])
async def test_requests_may_come_in_any_pieces(serve: Serve, size: int) -> None:
    served = await serve()
    connection = await served.connect()
    chunks = HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\n{} \r\n2;x=y\r\n  \r\n0\r\nx-trailer: v\r\n\r\n"
    for data in (ask(b"{}"), chunks):
        for start in range(0, len(data), size):
            connection.send(data[start : start + size])
            await asyncio.sleep(0)
        assert (await connection.answer()).status == 200
    assert [told.body for told in served.told] == [b"{}", b"{}   "]


async def test_the_token_is_known_again_but_another_one_is_not(serve: Serve) -> None:
    served = await serve()
    connection = await served.connect()
    for token, status in (("sk-test", 200), ("sk-test", 200), ("sk-wrong", 401), ("sk-test", 200), (None, 401)):
        connection.send(make(CHAT, b"{}", token=token))
        assert (await connection.answer()).status == status
    assert len(served.told) == 3


# --- refusals


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"garbage\r\n\r\n", 400, "invalid_request_error"),
        (ask(headers={"host": ""}), 400, "invalid_request_error"),
        (HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400, "invalid_request_error"),
        (HEAD + b"content-length: x\r\n\r\n", 400, "invalid_request_error"),
        (HEAD.replace(b"HTTP/1.1", b"HTTP/1.2") + b"\r\n", 400, "invalid_request_error"),
        (ask(method="GET"), 405, "method_not_allowed"),
        (make(CHAT, b"{}"), 401, "invalid_api_key"),
        (HEAD + b"x: %b\r\n\r\n" % (b"y" * 2000), 431, "headers_too_large"),
        (HEAD + b"x: %b" % (b"y" * 2000), 431, "headers_too_large"),
        (ask(b"x" * 1001), 413, "request_too_large"),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001, 413, "request_too_large"),
        (make("/v1/registry", b"x" * 1001), 413, "request_too_large"),
    ],
    ids=["garbage", "no-host", "two-framings", "bad-length", "version", "method", "token", "head", "half-a-head",
         "length", "chunks", "application"],
)  # fmt: skip
async def test_what_is_refused(serve: Serve, data: bytes, status: int, code: str) -> None:
    answer = await exchange(serve, data, head_bytes=1000, body_bytes=1000)
    assert (answer.status, answer.error["code"]) == (status, code)
    assert answer.header("x-request-id")
    assert answer.header("date")


async def test_a_refused_request_with_a_small_body_leaves_its_connection_open(serve: Serve) -> None:
    connection = await (await serve()).connect()
    connection.send(make(CHAT, b"x" * 1000, token="sk-wrong") + ask())
    assert [(await connection.answer()).status for _ in range(2)] == [401, 200]


async def test_a_refused_request_with_a_large_body_does_not(serve: Serve) -> None:
    connection = await (await serve()).connect()
    connection.send(make(CHAT, b"x" * 1_000_000, token="sk-wrong"))
    answer = await connection.answer()
    assert (answer.status, answer.header("connection")) == (401, "close")
    connection.finish_sending()
    assert await connection.rest() == b""


async def test_garbage_behind_a_request_is_told_after_its_answer(serve: Serve) -> None:
    go_on = Signal()

    async def story(request: Request, client: Client) -> None:
        await go_on
        client.send_whole(200, b"", b"first")

    served = await serve(story)
    connection = await served.connect()
    connection.send(ask() + b"garbage\r\n\r\n")
    async with asyncio.timeout(5):
        while not served.told:
            await asyncio.sleep(0)
    go_on.set()
    assert (await connection.answer()).body == b"first"
    assert (await connection.answer()).status == 400
    assert await connection.rest() == b""


async def test_a_body_that_turns_to_garbage_is_the_requests_own_end(serve: Serve) -> None:
    served = await serve()
    connection = await served.connect()
    connection.send(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n")
    answer = await connection.answer()
    assert (answer.status, answer.header("connection")) == (400, "close")
    assert await connection.rest() == b""
    assert served.told == []


async def test_nothing_of_what_follows_is_served(serve: Serve) -> None:
    served = await serve()
    connection = await served.connect()
    connection.send(b"garbage\r\n\r\n" + ask())
    assert (await connection.answer()).status == 400
    connection.send(ask())
    connection.finish_sending()
    assert await connection.rest() == b""
    assert served.told == []


# --- expectations and upgrades


@pytest.mark.parametrize("path", [CHAT, "/v1/registry"])
async def test_a_client_that_waits_is_told_to_go_on(serve: Serve, path: str) -> None:
    connection = await (await serve()).connect()
    head = make(path, b"", token="sk-test", headers={"expect": "100-continue", "content-length": "2"})
    connection.send(head)
    assert (await connection.head())[0] == 100
    connection.send(b"{}")
    assert (await connection.answer()).status == 200


async def test_a_client_that_waits_behind_another_is_told_in_its_turn(serve: Serve) -> None:
    connection = await (await serve()).connect()
    head = make(CHAT, b"", token="sk-test", headers={"expect": "100-continue", "content-length": "2"})
    connection.send(make("/health") + head)
    assert (await connection.answer()).status == 200
    assert (await connection.head())[0] == 100
    connection.send(b"{}")
    assert (await connection.answer()).body == b"{}"


async def test_a_client_that_waits_and_is_refused_keeps_its_body(serve: Serve) -> None:
    connection = await (await serve()).connect()
    connection.send(make("/health") + make(CHAT, b"", headers={"expect": "100-continue", "content-length": "2"}))
    assert (await connection.answer()).status == 200
    answer = await connection.answer()
    assert (answer.status, answer.header("connection")) == (401, "close")


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("path", [CHAT, "/v1/registry"])
async def test_an_offered_upgrade_is_not_followed(serve: Serve, path: str, size: int) -> None:
    connection = await (await serve()).connect()
    offer = {"connection": "upgrade, http2-settings", "upgrade": "h2c", "http2-settings": "x"}
    data = make(path, b'{"a":1}', token="sk-test", headers=offer) + make("/health")
    for start in range(0, len(data), size):
        connection.send(data[start : start + size])
        await asyncio.sleep(0)
    answer = await connection.answer()
    assert answer.status == 200
    assert answer.body in (b'{"a":1}', b"POST /v1/registry 7")
    assert (await connection.answer()).body == b"GET /health 0"


async def test_an_offered_upgrade_with_a_chunked_body_is_refused(serve: Serve) -> None:
    data = HEAD + b"connection: upgrade\r\nupgrade: h2c\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    answer = await exchange(serve, data)
    assert answer.status == 400
    assert "upgrade" in answer.error["message"]


# --- bounds in time


@pytest.mark.parametrize(
    ("data", "part"),
    [(b"POST /v1/chat", "head"), (HEAD + b"content-length: 5\r\n\r\n{}", "body"), (ask() + b"POST", "head")],
)
async def test_a_client_that_is_too_slow_is_told_so(serve: Serve, data: bytes, part: str) -> None:
    connection = await (await serve(head_seconds=0.05, body_idle_seconds=0.05, linger_seconds=0.05)).connect()
    connection.send(data)
    answer = await connection.answer()
    if data.startswith(ask()):
        answer = await connection.answer()
    assert (answer.status, answer.error["code"]) == (408, "request_timeout")
    assert part in answer.error["message"]
    assert await connection.rest() == b""


@pytest.mark.parametrize("before", [b"", ask(), make("/health")])
async def test_an_idle_connection_is_closed_without_a_word(serve: Serve, before: bytes) -> None:
    connection = await (await serve(head_seconds=0.05, keep_alive_seconds=0.05)).connect()
    if before:
        connection.send(before)
        assert (await connection.answer()).status == 200
    assert await connection.rest() == b""


async def test_a_client_that_sends_on_after_a_refusal_is_cut_in_the_end(serve: Serve) -> None:
    connection = await (await serve(linger_seconds=0.05)).connect()
    connection.send(b"garbage\r\n\r\n")
    assert (await connection.answer()).status == 400
    async with asyncio.timeout(5):
        assert await connection.rest() == b""


# --- clients that leave


async def test_requests_that_wait_behind_one_whose_client_left_are_never_told(serve: Serve) -> None:
    ended = asyncio.Event()

    async def story(request: Request, client: Client) -> None:
        try:
            await Signal()
        finally:
            ended.set()

    served = await serve(story)
    connection = await served.connect()
    connection.send(ask() * 3)
    async with asyncio.timeout(5):
        while not served.told:
            await asyncio.sleep(0)
    connection.close()
    async with asyncio.timeout(5):
        await ended.wait()
    assert len(served.told) == 1


async def test_a_client_that_sends_no_more_has_left_the_lane_but_not_the_application(serve: Serve) -> None:
    async def story(request: Request, client: Client) -> None:
        await Signal()

    served = await serve(story)
    connection = await served.connect()
    connection.send(make("/v1/registry", b"x"))
    connection.finish_sending()
    assert (await connection.answer()).body == b"POST /v1/registry 1"
    other = await served.connect()
    other.send(ask())
    other.finish_sending()
    assert await other.rest() == b""


async def test_very_many_requests_at_once_are_answered_though_few_are_queued(serve: Serve) -> None:
    connection = await (await serve(queued_requests=2)).connect()
    connection.send((ask() + make("/health")) * 50)
    assert [(await connection.answer()).status for _ in range(100)] == [200] * 100


async def test_very_many_refusals_behind_one_answer(serve: Serve) -> None:
    """Each is answered on the spot, so the turn passes from one to the next without the event loop between them."""
    connection = await (await serve()).connect()
    connection.send(make("/health") + make(CHAT, b"{}") * 600)
    assert [(await connection.answer()).status for _ in range(601)] == [200] + [401] * 600


@pytest.mark.parametrize(
    ("data", "before"),
    [(ask() + b"POST", [200, 200]), (HEAD + b"content-length: 5\r\n\r\n{}", [200])],
    ids=["head", "body"],
)
@pytest.mark.parametrize("queued", [1, 16])
async def test_who_is_slow_with_what_waits_its_turn_is_told_so(
    serve: Serve, data: bytes, before: list[int], queued: int
) -> None:
    served = await serve(head_seconds=0.3, body_idle_seconds=0.3, linger_seconds=0.05, queued_requests=queued)
    connection = await served.connect()
    connection.send(make("/health") + data)
    for status in (*before, 408):
        assert (await connection.answer()).status == status


async def test_a_request_has_arrived_when_all_of_it_has_and_its_turn_has_come(serve: Serve) -> None:
    go_on = Signal()

    async def story(request: Request, client: Client) -> None:
        if len(served.told) == 3:
            await go_on
        client.send_whole(200, b"", b"")

    served = await serve(story)
    connection = await served.connect()
    connection.send(ask())
    await connection.answer()
    connection.send(ask()[:-1])
    await asyncio.sleep(0.1)
    connection.send(ask()[-1:])
    await connection.answer()
    connection.send(ask() + ask())
    asyncio.get_running_loop().call_later(0.1, go_on.set)
    assert [(await connection.answer()).status for _ in range(2)] == [200, 200]
    at_once, slowly, _, behind = (one.arrived - one.started for one in served.told)
    assert at_once < 0.05
    assert slowly > 0.09
    assert behind > 0.09


@pytest.mark.parametrize("cut", [10, -1], ids=["head", "body"])
async def test_a_request_that_waits_its_turn_has_come_in_time(serve: Serve, cut: int) -> None:
    go_on = Signal()

    async def story(request: Request, client: Client) -> None:
        if len(served.told) == 1:
            await go_on
        client.send_whole(200, b"", b"")

    served = await serve(story, head_seconds=0.2, body_idle_seconds=0.2)
    connection = await served.connect()
    connection.send(ask() + ask()[:cut])
    async with asyncio.timeout(5):
        while not served.told:
            await asyncio.sleep(0)
    connection.send(ask()[cut:])
    asyncio.get_running_loop().call_later(0.5, go_on.set)
    assert [(await connection.answer()).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"host: y\r\nconnection: upgrade\r\nupgrade: h2c\r\n",
        HEAD.replace(b"/v1", b"v1") + b"connection: upgrade\r\nupgrade: h2c\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n",
    ],
    ids=["two-hosts", "no-path", "connect"],
)
async def test_the_body_of_a_refused_upgrade_is_not_the_next_request(serve: Serve, head: bytes) -> None:
    connection = await (await serve()).connect()
    body = make("/health")
    connection.send(head + b"content-length: %d\r\n\r\n" % len(body) + body)
    assert (await connection.answer()).status == 400
    connection.finish_sending()
    assert await connection.rest() == b""


async def test_fastapi_does_not_answer_what_was_refused_before_it_began(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """The body breaks in the very read that brings the head: the application's task has not run yet."""
    connection = await (await serve(linger_seconds=0.2)).connect()
    with caplog.at_level(logging.ERROR):
        connection.send(b"POST /early HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n")
        assert (await connection.answer()).status == 400
        assert await connection.rest() == b""
    assert caplog.records == []


# --- the end of the gateway


@pytest.mark.parametrize("path", [CHAT, "/health"])
async def test_while_it_drains_each_answer_is_the_last_one_on_its_connection(serve: Serve, path: str) -> None:
    served = await serve()
    connection = await served.connect()
    question = ask() if path == CHAT else make(path)
    for _ in range(2):  # the second time, its head is known
        connection.send(question)
        assert (await connection.answer()).header("connection") is None
    served.edge.begin_drain()
    connection.send(question)
    answer = await connection.answer()
    assert (answer.status, answer.header("connection")) == (200, "close")
    assert await connection.rest() == b""


async def test_what_is_left_at_the_end_is_told_so(serve: Serve) -> None:
    async def wait(request: Request, client: Client) -> None:
        try:
            await Signal()
        except ApiError as error:
            client.send_whole(error.status, b"", error.body())

    served = await serve(wait)
    waiting, idle = await served.connect(), await served.connect()
    waiting.send(ask())
    idle.send(make("/health"))
    await idle.answer()
    served.edge.break_off()
    answer = await waiting.answer()
    assert (answer.status, answer.header("connection")) == (503, "close")
    assert answer.error["code"] == "overloaded"
    assert await waiting.rest() == b""


@pytest.mark.parametrize("name", ["x-nexus-timeout", "x-nexus-deadline"])
async def test_how_long_a_client_waits_is_in_the_head(serve: Serve, name: str) -> None:
    served = await serve()
    connection = await served.connect()
    for value in ("2000000000", "soon", "2000000000"):
        connection.send(ask(headers={name: value}))
        assert (await connection.answer()).status == (400 if value == "soon" else 200)
    first, second = served.told
    assert {first.head.timeout, first.head.deadline} == {None, 2e9} == {second.head.timeout, second.head.deadline}
    assert name.encode() not in first.head.lines
