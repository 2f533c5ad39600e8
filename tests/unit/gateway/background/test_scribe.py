"""The scribe: what a story tells is written down whole, or it is said why it is not; no timer outlives the story."""

import asyncio
from collections.abc import Callable

import pytest

from nexus.contract.errors import UPSTREAM_ERROR, ApiError
from nexus.gateway.background import scribe as module
from nexus.gateway.background.scribe import Scribe, envelope_of, error_in
from nexus.gateway.drive import Signal
from nexus.gateway.values import ClientGoneError, LateError

HEAD = b"Content-Type: audio/wav\r\nx-nexus-service:  svc \r\nx-nexus-service: other\r\n"


@pytest.fixture
async def scribe() -> Scribe:
    return Scribe(asyncio.get_running_loop())


def timers(scribe: Scribe) -> list[bool]:
    """Of each timer that was set, whether it is cancelled."""
    return [timer.cancelled() for timer in (scribe._timer, scribe._last) if timer is not None]


async def test_a_whole_answer(scribe: Scribe) -> None:
    async def story() -> None:
        scribe.send_whole(200, HEAD, b"sound")

    scribe.tell(story())
    assert scribe.ended.is_set()
    assert (scribe.status, scribe.body, scribe.failure, scribe.head_sent) == (200, b"sound", None, True)
    assert (scribe.line("content-type"), scribe.line("x-nexus-service")) == ("audio/wav", "svc")
    assert scribe.line("x-nexus") == scribe.line("etag") == ""


async def test_an_answer_in_pieces_is_ended_only_with_its_story(scribe: Scribe) -> None:
    signal = Signal()

    async def story() -> None:
        scribe.send_head(200, HEAD, None)
        await scribe.drain()
        scribe.send(b"so")
        await signal
        scribe.send(b"und")
        scribe.finish()

    scribe.tell(story())
    assert not scribe.ended.is_set()
    signal.set()
    assert scribe.ended.is_set()
    assert (scribe.body, scribe.failure) == (b"sound", None)


@pytest.mark.parametrize("end", [Scribe.cut, Scribe.finish_and_close])
async def test_an_answer_that_broke_off_is_none(scribe: Scribe, end: Callable[[Scribe], None]) -> None:
    async def story() -> None:
        scribe.send_head(200, HEAD, 5)
        scribe.send(b"so")
        end(scribe)

    scribe.tell(story())
    assert envelope_of(scribe)["code"] == "upstream_error"
    assert envelope_of(scribe)["message"] == "The answer broke off."


async def test_a_fault_of_ours_is_told_by_its_kind_alone(scribe: Scribe) -> None:
    async def story() -> None:
        raise ZeroDivisionError("a secret")

    scribe.tell(story())
    assert scribe.ended.is_set()
    assert scribe.failure is not None
    assert (scribe.failure.status, scribe.failure.message) == (
        500,
        "The gateway failed on this job: ZeroDivisionError.",
    )


async def test_a_fault_in_the_middle_of_an_answer_does_not_make_it_look_whole(scribe: Scribe) -> None:
    async def story() -> None:
        scribe.send_head(200, HEAD, None)
        scribe.send(b"so")
        raise ZeroDivisionError

    scribe.tell(story())
    assert scribe.failure is not None
    assert scribe.failure.status == 500


@pytest.mark.parametrize("in_pieces", [True, False])
async def test_a_fault_after_the_answer_leaves_it_whole(scribe: Scribe, in_pieces: bool) -> None:
    async def story() -> None:
        if in_pieces:
            scribe.send_head(200, HEAD, None)
            scribe.finish()
        else:
            scribe.send_whole(200, HEAD, b"")
        raise ZeroDivisionError

    scribe.tell(story())
    assert scribe.failure is None


async def test_bounds_interrupt_the_story_with_what_did_not_happen(scribe: Scribe) -> None:
    seen: list[BaseException] = []

    async def story() -> None:
        try:
            await Signal()
        except ApiError as error:
            seen.append(error)
            scribe.send_whole(error.status, b"", error.body())

    scribe.tell(story())
    scribe.end_within(60)
    scribe.expect_within(60, "rise")
    scribe.expect_within(0.01, "sing")
    await asyncio.wait_for(scribe.ended.wait(), 5)
    (error,) = seen
    assert isinstance(error, ApiError)
    assert (error.code, error.message) == ("upstream_timeout", "The service did not sing in time.")
    assert envelope_of(scribe)["code"] == "upstream_timeout"


async def test_where_both_bounds_end_at_once_it_is_the_last_one(scribe: Scribe) -> None:
    seen: list[BaseException] = []

    async def story() -> None:
        try:
            await Signal()
        except LateError as error:
            seen.append(error)
            raise

    scribe.tell(story())
    scribe.expect_within(0.01, "rise", 0.01)
    await asyncio.wait_for(scribe.ended.wait(), 5)
    (error,) = seen
    assert isinstance(error, LateError)
    assert error.final


async def test_an_answer_that_is_cut_because_time_is_over_says_that(scribe: Scribe) -> None:
    async def story() -> None:
        scribe.send_head(200, HEAD, None)
        try:
            await Signal()
        except ApiError:
            scribe.cut()

    scribe.tell(story())
    scribe.end_within(0.01)
    await asyncio.wait_for(scribe.ended.wait(), 5)
    assert scribe.failure is not None
    assert (scribe.failure.status, scribe.failure.code) == (504, "upstream_timeout")


async def test_time_that_was_over_before_the_answer_began_does_not_matter_to_it(scribe: Scribe) -> None:
    """The first service takes no connection in time, the second breaks off in its answer."""
    signal = Signal()

    async def story() -> None:
        try:
            await Signal()
        except ApiError:
            await signal
        scribe.send_head(200, HEAD, None)
        scribe.cut()

    scribe.tell(story())
    scribe._expire("accept the connection", False)
    signal.set()
    assert scribe.failure is not None
    assert scribe.failure.code == "upstream_error"


@pytest.mark.parametrize("how", ["end", "fault", "interruption"])
async def test_no_timer_outlives_the_story(scribe: Scribe, how: str) -> None:
    signal = Signal()

    async def story() -> None:
        scribe.end_within(60)
        scribe.expect_within(60, "begin")
        scribe.expect_within(60, "go on")
        await signal
        if how == "fault":
            raise ZeroDivisionError

    scribe.tell(story())
    assert timers(scribe) == [False, False]
    if how == "interruption":
        scribe.interrupt(ClientGoneError("called off"))
    else:
        signal.set()
    assert scribe.ended.is_set()
    assert timers(scribe) == [True, True]


async def test_a_bound_that_is_set_anew_leaves_no_other_behind(scribe: Scribe) -> None:
    scribe.expect_within(60, "a")
    first = scribe._timer
    scribe.expect_within(60, "b")
    assert first is not None
    assert first.cancelled()
    scribe._end()
    assert timers(scribe) == [True]


@pytest.mark.parametrize("in_pieces", [True, False])
async def test_a_huge_answer_is_given_up_and_not_held(
    scribe: Scribe, monkeypatch: pytest.MonkeyPatch, in_pieces: bool
) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)

    async def story() -> None:
        """As the story does: an answer that has begun is cut, another is replaced by the error."""
        try:
            if in_pieces:
                scribe.send_head(200, HEAD, None)
                scribe.send(bytes(600))
                scribe.send(bytes(600))
            else:
                scribe.send_whole(200, HEAD, bytes(1001))
        except ApiError as error:
            if in_pieces:
                scribe.cut()
            else:
                scribe.send_whole(error.status, b"", error.body())

    scribe.tell(story())
    assert len(scribe.body) < 600
    assert envelope_of(scribe)["code"] == "upstream_error"
    if not in_pieces:
        assert (scribe.status, envelope_of(scribe)["message"]) == (502, "The answer is larger than 1000 bytes.")


def test_an_error_is_read_out_of_its_envelope() -> None:
    error = ApiError(UPSTREAM_ERROR, "it broke", param="x")
    assert error_in(error.body(), 502) == error.envelope()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"error":"no"}', b'{"error":null}', b"\xff", b"5"])
def test_what_holds_no_error_is_told_by_its_status(body: bytes) -> None:
    assert error_in(body, 418)["message"] == "the answer was 418"
