"""One connection to a service: whatever comes over it is an answer, a broken answer or no answer at all."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nexus.gateway.upstream.connection import Answer, Connection
from nexus.gateway.upstream.pool import Pool
from nexus.gateway.upstream.upstreams import Upstreams
from tests.servers.caller import Caller
from tests.servers.calls import make_instance
from tests.servers.peer import Peer, Side

HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


async def opened(upstreams: Upstreams, peer: Peer) -> tuple[Pool, Connection, Side]:
    pool = upstreams.pool(make_instance(url=peer.url))
    connection = await Caller().run(pool.open())
    return pool, connection, await peer.accept()


def status_of(answer: Answer) -> int:
    return answer.head.status


def lines_of(answer: Answer) -> list[tuple[bytes, bytes]]:
    """The header lines that may go on to a client, each behind its name."""
    return [(name, line.removesuffix(b"\r\n")) for name, line in answer.head.lines()]


async def until(answer: Answer, condition: Callable[[Answer], object]) -> None:
    """Wait, as the story does, until the answer fulfils the condition."""

    async def wait() -> None:
        while not condition(answer):
            await answer

    await Caller().run(wait())


async def until_ended(answer: Answer) -> None:
    await until(answer, lambda answer: answer.complete or answer.failure)


async def answered(connection: Connection, side: Side, data: bytes, *, close: bool = False) -> Answer:
    """The answer that `data` makes, once it has ended."""
    answer = connection.request(HEAD, b"")
    await side.request()
    side.send(data)
    if close:
        side.close()
    await until_ended(answer)
    return answer


@pytest.mark.parametrize("size", [0, 3, 65_535, 65_536, 3_000_000])
async def test_head_and_body_of_a_request_arrive(upstreams: Upstreams, peer: Peer, size: int) -> None:
    _, connection, side = await opened(upstreams, peer)
    head = b"POST / HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % size
    connection.request(head, b"x" * size)
    assert await side.request() == (head, b"x" * size)


@pytest.mark.parametrize(
    ("data", "body", "length"),
    [
        (b"content-length: 5\r\n\r\nhello", b"hello", 5),
        (b"Content-Length:5 \r\n\r\nhello", b"hello", 5),
        (b"content-length: 0\r\n\r\n", b"", 0),
        (b"transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", b"hello", None),
        (b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-trailer: a\r\n\r\n", b"hello", None),
    ],
    ids=["length", "spaces", "empty", "chunks", "trailers"],
)  # fmt: skip
@pytest.mark.parametrize("piece", [1, 7, 1000])
async def test_a_framed_answer_is_whole_and_the_connection_serves_again(
    upstreams: Upstreams, peer: Peer, data: bytes, body: bytes, length: int | None, piece: int
) -> None:
    pool, connection, side = await opened(upstreams, peer)
    for _ in range(2):
        answer = connection.request(HEAD, b"")
        await side.request()
        whole = OK + b"x-own: v\r\n" + data
        for start in range(0, len(whole), piece):
            side.send(whole[start : start + piece])
            await asyncio.sleep(0)
        await until_ended(answer)
        assert (status_of(answer), answer.failure, answer.touched) == (200, "", True)
        assert answer.take() == body
        assert answer.take() == b""
        assert answer.length == length
        assert lines_of(answer) == [(b"x-own", b"x-own: v")]
        connection.release()
        assert pool.idle.pop() is connection
        assert connection.reused


async def test_headers_are_the_lines_as_they_came(upstreams: Upstreams, peer: Peer) -> None:
    _, connection, side = await opened(upstreams, peer)
    lines = b"Content-Type: text/plain\r\nX-A:1\r\nx-a:  \xe9 \r\ncontent-length: 0\r\n"
    answer = await answered(connection, side, OK + lines + b"\r\n")
    assert lines_of(answer) == [
        (b"content-type", b"Content-Type: text/plain"),
        (b"x-a", b"X-A:1"),
        (b"x-a", b"x-a:  \xe9 "),
    ]


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body_leave_the_connection_usable(
    upstreams: Upstreams, peer: Peer, status: int
) -> None:
    pool, connection, side = await opened(upstreams, peer)
    answer = await answered(connection, side, b"HTTP/1.1 %d X\r\n\r\n" % status)
    assert (status_of(answer), answer.take(), answer.complete) == (status, b"", True)
    connection.release()
    assert pool.idle.pop() is connection


async def test_interim_answers_are_passed_over(upstreams: Upstreams, peer: Peer) -> None:
    pool, connection, side = await opened(upstreams, peer)
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    answer = await answered(connection, side, interim + OK + b"x-a: 1\r\ncontent-length: 2\r\n\r\nhi")
    assert (status_of(answer), answer.take()) == (200, b"hi")
    assert lines_of(answer) == [(b"x-a", b"x-a: 1")]
    connection.release()
    assert pool.idle.pop() is connection


async def test_an_interim_answer_alone_is_none(upstreams: Upstreams, peer: Peer) -> None:
    _, connection, side = await opened(upstreams, peer)
    answer = await answered(connection, side, b"HTTP/1.1 100 Continue\r\n\r\n", close=True)
    assert (status_of(answer), answer.complete, answer.touched) == (0, False, True)
    assert answer.failure == "the service closed the connection"


async def test_empty_lines_before_an_answer_are_no_part_of_it(upstreams: Upstreams, peer: Peer) -> None:
    """RFC 9112 has servers tolerate them before a request; llhttp tolerates them before an answer, too."""
    _, connection, side = await opened(upstreams, peer)
    answer = await answered(connection, side, b"\r\n\r\n" + OK + b"content-type: a/b\r\ncontent-length: 2\r\n\r\nhi")
    assert lines_of(answer) == [(b"content-type", b"content-type: a/b")]
    assert answer.length == 2


async def test_without_a_length_the_end_of_the_connection_is_the_end(upstreams: Upstreams, peer: Peer) -> None:
    pool, connection, side = await opened(upstreams, peer)
    answer = connection.request(HEAD, b"")
    await side.request()
    side.send(OK + b"\r\nhel")
    await until(answer, lambda answer: answer.parts)
    assert not answer.complete
    side.send(b"lo")
    side.close()
    await until_ended(answer)
    assert (answer.take(), answer.complete, answer.failure, answer.length) == (b"hello", True, "", None)
    connection.release()
    assert not pool.idle


async def test_without_a_length_a_reset_is_a_break(upstreams: Upstreams, peer: Peer) -> None:
    _, connection, side = await opened(upstreams, peer)
    answer = connection.request(HEAD, b"")
    await side.request()
    side.send(OK + b"\r\nhel")
    await until(answer, lambda answer: answer.parts)
    side.reset()
    await until_ended(answer)
    assert not answer.complete
    assert answer.failure.startswith("the service closed the connection (")


@pytest.mark.parametrize(
    "data",
    [b"", b"HTTP/1.1 200", OK + b"x: ", OK + b"content-length: 5\r\n\r\nhel",
     OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhel", OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n"],
    ids=["nothing", "half-a-line", "half-a-head", "half-a-body", "half-a-chunk", "no-last-chunk"],
)  # fmt: skip
async def test_an_answer_that_breaks_off_is_never_whole(upstreams: Upstreams, peer: Peer, data: bytes) -> None:
    pool, connection, side = await opened(upstreams, peer)
    answer = await answered(connection, side, data, close=True)
    assert not answer.complete
    assert answer.failure == "the service closed the connection"
    assert answer.touched is bool(data)
    connection.release()
    assert not pool.idle


@pytest.mark.parametrize(
    "data",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 2\n\nhi",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00",
        OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nhi",
        OK + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"content-length: -1\r\n\r\n",
        OK + b"content-length: 99999999999999999999999\r\n\r\n",
        OK + b"x: a\r\n folded\r\n\r\n",
        OK + b"no colon\r\n\r\n",
        OK + b"x: \0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=repr,
)
async def test_what_is_not_http_fails_and_is_never_used_again(upstreams: Upstreams, peer: Peer, data: bytes) -> None:
    pool, connection, side = await opened(upstreams, peer)
    answer = await answered(connection, side, data)
    assert answer.failure.startswith("the service's answer is not valid HTTP (")
    connection.release()
    assert not pool.idle
    await side.closed()


async def test_a_head_that_does_not_end_is_given_up(upstreams: Upstreams, peer: Peer) -> None:
    pool, connection, side = await opened(upstreams, peer)
    answer = await answered(connection, side, OK + b"x: " + b"y" * 1_000_000)
    assert answer.failure == "the head of the service's answer is larger than 262144 bytes"
    connection.release()
    assert not pool.idle
    await side.closed()


async def test_a_switch_of_protocols_is_not_followed(upstreams: Upstreams, peer: Peer) -> None:
    pool, connection, side = await opened(upstreams, peer)
    head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
    answer = await answered(connection, side, head)
    assert answer.failure == "the service switched protocols"
    connection.release()
    assert not pool.idle
    await side.closed()


@pytest.mark.parametrize(
    "data",
    [
        OK + b"connection: close\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        OK + b"content-length: 2\r\n\r\nhi" + OK + b"content-length: 6\r\n\r\nforged",
        OK + b"content-length: 2\r\n\r\nhiHTT",
    ],
    ids=["asked-to-close", "http-1.0", "a-second-answer", "half-a-second-answer"],
)
async def test_some_whole_answers_are_the_last_of_their_connection(
    upstreams: Upstreams, peer: Peer, data: bytes
) -> None:
    pool, connection, side = await opened(upstreams, peer)
    answer = await answered(connection, side, data)
    assert (status_of(answer), answer.take(), answer.complete) == (200, b"hi", True)
    connection.release()
    assert not pool.idle
    await side.closed()


async def test_bytes_behind_a_released_answer_end_the_connection(upstreams: Upstreams, peer: Peer) -> None:
    """They would be taken for the next request's answer."""
    pool, connection, side = await opened(upstreams, peer)
    await answered(connection, side, OK + b"content-length: 2\r\n\r\nhi")
    connection.release()
    side.send(OK + b"content-length: 6\r\n\r\nforged")
    await side.closed()
    assert not pool.idle


async def test_an_answer_that_nobody_waits_for_any_more_ends_the_connection(upstreams: Upstreams, peer: Peer) -> None:
    pool, connection, side = await opened(upstreams, peer)
    connection.request(HEAD, b"")
    assert connection.busy
    connection.release()
    assert not connection.busy
    await side.closed()
    assert not pool.idle
    connection.release()  # nothing is left to be given back


async def test_a_request_on_a_connection_that_is_closed_fails_untouched(upstreams: Upstreams, peer: Peer) -> None:
    _, connection, side = await opened(upstreams, peer)
    connection.abort()
    await side.closed()
    answer = connection.request(HEAD, b"")
    assert (answer.failure, answer.touched) == ("the connection was closed", False)


async def test_a_paused_answer_stands_still_until_it_goes_on(upstreams: Upstreams, peer: Peer) -> None:
    _, connection, side = await opened(upstreams, peer)
    answer = connection.request(HEAD, b"")
    size = 30_000_000
    side.send(OK + b"content-length: %d\r\n\r\n" % size)
    await until(answer, status_of)
    answer.pause()
    side.send(b"x" * size)
    flushed = asyncio.ensure_future(side.sent())
    done, _ = await asyncio.wait([flushed], timeout=0.3)
    assert not done  # it cannot get rid of its bytes: nobody reads
    assert sum(map(len, answer.parts)) < 1_000_000
    answer.proceed()
    await until_ended(answer)
    await flushed
    assert len(answer.take()) == size


async def test_pausing_what_is_closed_does_nothing(upstreams: Upstreams, peer: Peer) -> None:
    _, connection, side = await opened(upstreams, peer)
    answer = await answered(connection, side, b"", close=True)
    answer.pause()
    answer.proceed()
    assert connection.closed


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            [OK, b"\r\n", b"content-length: 2\r\n", b"transfer-encoding: chunked\r\n", b"hi", b"2\r\nhi\r\n", b"0\r\n",
             b"HTTP/1.1 100 X\r\n", b"connection: close\r\n", b"HTTP/1.0 200 X\r\n", b"upgrade: h2c\r\n", b"\0", b": "]
        ),
        max_size=12,
    ).map(b"".join)
)  # fmt: skip
async def test_whatever_comes_it_ends(upstreams: Upstreams, peer: Peer, data: bytes) -> None:
    _, connection, side = await opened(upstreams, peer)
    answer = await answered(connection, side, data, close=True)
    assert answer.complete or answer.failure
    connection.release()
    assert not connection.busy
