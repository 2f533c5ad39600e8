"""What head and first bytes tell of an answer."""

import pytest

from nexus.gateway.dispatch.retries import Kind
from nexus.gateway.dispatch.troubles import HELD, has_begun, is_fine, retry_after, trouble_of, wants_more
from nexus.gateway.health.circuit import Failure
from nexus.gateway.upstream.connection import Answer, Connection
from nexus.gateway.upstream.head import read_head

WALL = 1_700_000_000.0


def answer(
    *parts: bytes, status: int = 200, complete: bool = True, lines: bytes = b"", kind: str = "application/json"
) -> Answer:
    made = Answer(Connection(lambda _: None, lambda _: None))
    head = b"content-type: %b\r\n" % kind.encode() if kind else b""
    made.head, made.length = read_head(status, head + lines)
    made.parts, made.complete, made.touched = list(parts), complete, True
    return made


EVENTS = "text/event-stream"


@pytest.mark.parametrize(
    ("made", "fine"),
    [
        (answer(b'{"id":"x"}'), True),
        (answer(b'{"id":"resp_0123456789abcdef","error":null}'), True),
        (answer(b'data: {"id":1}\n\n', kind=EVENTS, complete=False), True),
        (answer(b'{"error":{}}'), False),
        (answer(b'{"id":', complete=False), False),
        (answer(b""), False),
        (answer(), False),
        (answer(b"{}", status=500), False),
        (answer(b": x\n\n", kind=EVENTS), False),
        (answer(b'data: {"error":{}}\n\n', kind=EVENTS), False),
        (answer(b"{}", kind="text/html"), False),
    ],
)
def test_what_needs_no_closer_look(made: Answer, fine: bool) -> None:
    assert is_fine(made) is fine


@pytest.mark.parametrize(
    ("parts", "begun"),
    [
        ((), False),
        ((b": ping\n\n",), False),
        ((b"\n",), False),
        ((b"event: start\n",), False),
        ((b"data:\n\n",), False),
        ((b"event: start\n", b"data: {}\n\n"), True),
        ((b": ping\r\n\r\n", b"data: 1\r\n\r\n"), True),
        ((b"data: [DONE]\n\n",), True),
        ((b":" + b"x" * 70_000,), True),
    ],
)
def test_when_a_stream_begins(parts: tuple[bytes, ...], begun: bool) -> None:
    assert has_begun(answer(*parts, kind=EVENTS, complete=False)) is begun


def test_anything_else_begins_with_its_first_byte() -> None:
    assert has_begun(answer(b" ", complete=False))
    assert not has_begun(answer(complete=False))


@pytest.mark.parametrize(
    ("made", "kind", "more"),
    [
        (answer(b"{", complete=False), Kind.AGAIN, True),
        (answer(b"{", complete=False), Kind.ONCE, False),
        (answer(b"{", complete=False, status=400), Kind.ONCE, True),
        (answer(b"{", complete=False, status=400), Kind.OWN, False),
        (answer(b"{", complete=False, status=500), Kind.AGAIN, False),
        (answer(b"{" * 70_000, complete=False, status=400), Kind.AGAIN, False),
        (answer(b"{" * (HELD + 1), complete=False), Kind.AGAIN, False),
        (answer(b"{", complete=False, lines=b"content-length: %d\r\n" % (HELD + 1)), Kind.AGAIN, False),
        (answer(b"{"), Kind.AGAIN, False),
        (answer(b"RIFF", complete=False, kind="audio/wav"), Kind.AGAIN, False),
    ],
)
def test_what_is_held_until_more_has_come(made: Answer, kind: Kind, more: bool) -> None:
    assert wants_more(made, kind) is more


@pytest.mark.parametrize(
    ("made", "failure"),
    [
        (answer(b"{}"), None),
        (answer(b"{}", kind=""), None),
        (answer(b"x", kind="text/plain"), Failure.BROKEN),
        (answer(b"<html>", kind="text/html; charset=utf-8"), Failure.BROKEN),
        (answer(status=204, kind=""), None),
        (answer(status=302), None),
        (answer(), Failure.BROKEN),
        (answer(b'{"error":{"message":"no"}}'), Failure.BROKEN),
        (answer(b'{"error":null}'), None),
        (answer(b'{"error":{}}'), None),
        (answer(b"{}", status=500), Failure.STATUS),
    ],
)
def test_what_is_wrong_with_a_chat_answer(made: Answer, failure: Failure | None) -> None:
    trouble = trouble_of(made, "chat.completions", Kind.AGAIN, WALL)
    assert (trouble.failure if trouble else None) is failure


def test_other_operations_answer_in_other_ways() -> None:
    assert trouble_of(answer(b"x", kind="text/plain"), "audio.transcriptions", Kind.AGAIN, WALL) is None
    assert trouble_of(answer(b"x", kind="audio/wav"), "audio.speech", Kind.AGAIN, WALL) is None
    assert trouble_of(answer(b"x", kind="text/html"), "audio.speech", Kind.AGAIN, WALL) is not None
    assert trouble_of(answer(b"x", kind="text/html"), "service.page", Kind.OWN, WALL) is None
    assert trouble_of(answer(b"{}", status=503), "service.page", Kind.OWN, WALL) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"5", 5),
        (b"1.5", 1.5),
        (b"-3", None),
        (b"soon", None),
        (b"9e", None),
        (b"Tue, 14 Nov 99999999999999999999 22:13:30 GMT", None),
        (b"Tue, 14 Nov 2023 22:13:30 GMT", 10),
        (b"Tue, 14 Nov 2000 22:13:30 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: bytes, seconds: float | None) -> None:
    assert retry_after(answer(lines=b"Retry-After: %b\r\n" % value), WALL) == seconds
    assert retry_after(answer(), WALL) is None


def test_codes_of_the_client_win_over_numbers() -> None:
    body = b'{"error":{"message":"m","code":400,"type":"exceed_context_size_error"}}'
    trouble = trouble_of(answer(body, status=400), "chat.completions", Kind.AGAIN, WALL)
    assert trouble is not None
    assert (trouble.code, trouble.too_long) == ("exceed_context_size_error", True)
