"""One connection that many ask over: in order, told once, never late, and closed by whatever is wrong."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from nexus.gateway.shared.link import ANSWER_SECONDS, Asked, AskedInVain, AskedOutside, Link
from nexus.gateway.shared.resp import command
from nexus.gateway.shared.scripts import keys_of, load_scripts
from tests.servers.caller import Caller

KEYS = keys_of("ada")


@pytest.fixture
async def lost() -> list[Link]:
    return []


@pytest.fixture
async def link(played: Any, lost: list[Link]) -> Any:
    loop = asyncio.get_running_loop()
    _, link = await loop.create_connection(lambda: Link(loop, lost.append), "127.0.0.1", played.port)
    yield link
    link.close("the test ends")


def ask(link: Link) -> AskedOutside:
    asked = AskedOutside()
    link.say(command("PING"), asked)
    return asked


async def test_answers_come_in_the_order_of_the_questions(link: Link, played: Any) -> None:
    asked = [ask(link) for _ in range(3)]
    for _ in asked:
        assert await played.command() == [b"PING"]
    played.say(b"+a\r\n:2\r\n$1")
    await asked[1]
    assert (asked[0].reply, asked[1].reply) == (b"a", 2)
    played.say(b"\r\nc\r\n")
    await asked[2]
    assert asked[2].reply == b"c"


async def test_the_lane_waits_without_a_task(link: Link, played: Any, caller: Caller) -> None:
    async def story() -> Any:
        asked = Asked()
        link.say(command("PING"), asked)
        await asked
        return asked.reply

    caller.start(story())
    await played.command()
    played.say(b"+PONG\r\n")
    assert await caller.result() == b"PONG"


async def test_a_script_that_redis_does_not_know_is_sent_to_it(link: Link, played: Any) -> None:
    script, asked = load_scripts().spend, AskedOutside()
    link.run(script, KEYS, (5,), asked)
    assert (await played.command())[:2] == [b"EVALSHA", script.sha]
    played.say(b"-NOSCRIPT No matching script.\r\n")
    words = await played.command()
    assert (words[0], words[1], words[-1]) == (b"EVAL", script.text, b"5")
    played.say(b":3\r\n")
    await asked
    assert asked.reply == 3


async def silent(played: Any) -> None:
    """It says nothing."""


async def hung_up(played: Any) -> None:
    await played.hang_up()


async def wrong(played: Any) -> None:
    played.say(b"-OOM command not allowed\r\n")


async def no_redis(played: Any) -> None:
    played.say(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (silent, "in time"),
        (hung_up, "closed the connection"),
        (wrong, "OOM command not allowed"),
        (no_redis, "no reply"),
    ],
)
async def test_whatever_is_wrong_everybody_is_told_and_it_is_closed(
    link: Link, lost: list[Link], played: Any, harm: Callable[[Any], Any], why: str
) -> None:
    begun = time.monotonic()
    asked = [ask(link) for _ in range(3)]
    await played.command()
    await harm(played)
    for one in asked:
        await one
    assert time.monotonic() - begun < ANSWER_SECONDS + 0.2
    assert [one.reply for one in asked] == [None] * 3
    assert why in link.reason
    assert lost == [link]
    after = ask(link)
    await after
    assert after.reply is None
    async with asyncio.timeout(10):
        await played.gone.wait()


async def pinged(link: Link, played: Any, busy: float = 0.0) -> None:
    """Ask, and have the answer, though the loop is busy for so many seconds while that waits in the socket."""
    one = ask(link)
    await played.command()
    played.say(b"+PONG\r\n")
    time.sleep(busy)
    await one
    assert one.reply == b"PONG"


async def test_each_question_has_its_own_time(link: Link, played: Any) -> None:
    """Questions that are answered in time, one after the other, keep the link, however long that goes on."""
    begun = time.monotonic()
    while time.monotonic() - begun < 2 * ANSWER_SECONDS:
        await pinged(link, played)


async def test_a_loop_that_was_busy_reads_the_answer_before_it_calls_it_late(link: Link, played: Any) -> None:
    await pinged(link, played, busy=2 * ANSWER_SECONDS)


async def test_what_nobody_asked_for_closes_it(link: Link, played: Any) -> None:
    one = ask(link)
    await played.command()
    played.say(b"+a\r\n+b\r\n")
    await one
    async with asyncio.timeout(10):
        await played.gone.wait()
    assert "nobody had asked for" in link.reason


async def test_who_has_left_is_told_nothing_and_harms_nobody(link: Link, played: Any) -> None:
    first, vain = ask(link), AskedInVain()
    waiting = asyncio.ensure_future(_wait(first))
    link.say(command("PING"), vain)
    last = ask(link)
    await asyncio.sleep(0)
    waiting.cancel()
    for _ in range(3):
        await played.command()
    played.say(b"+1\r\n+2\r\n+3\r\n")
    await last
    assert last.reply == b"3"
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def _wait(asked: AskedOutside) -> None:
    await asked


async def test_closing_twice_tells_the_first_reason(link: Link, lost: list[Link]) -> None:
    link.close("first")
    link.close("second")
    assert (link.reason, link.closed, lost) == ("first", True, [link])
