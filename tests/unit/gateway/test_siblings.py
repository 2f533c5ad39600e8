"""Workers ask one another over sockets in a folder."""

import asyncio
from pathlib import Path

import pytest

from nexus.gateway import siblings as module
from nexus.gateway.setting_types import Worker
from nexus.gateway.siblings import OnlyChild, Siblings


async def answer(rest: bytes) -> bytes:
    return b"heard " + rest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # the path of such a socket has to be short
    return Path("workers")


async def test_all_others_that_are_there_answer(folder: Path) -> None:
    three = [Siblings(Worker("ab", number, 4), folder, {b"say": answer}) for number in (1, 2, 3)]
    for one in three:
        await one.start()
    try:
        assert await three[0].ask(b"say hello you") == {2: b"heard hello you", 3: b"heard hello you"}
        assert await three[1].ask(b"unknown") == {1: b"", 3: b""}
        await three[2].close()
        assert set(await three[0].ask(b"say x")) == {2}
    finally:
        for one in three:
            await one.close()
    assert not list(folder.iterdir())


async def test_one_that_does_not_answer_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.1)

    async def never(_: bytes) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    one, two = Siblings(Worker("ab", 1, 2), folder, {}), Siblings(Worker("ab", 2, 2), folder, {b"say": never})
    await one.start()
    await two.start()
    assert await one.ask(b"say x") in ({}, {2: b""})
    await one.close()
    await two.close()


async def test_a_socket_that_was_left_behind_is_replaced(folder: Path) -> None:
    first = Siblings(Worker("ab", 1, 2), folder, {b"say": answer})
    await first.start()
    again = Siblings(Worker("ab", 1, 2), folder, {b"say": answer})
    await again.start()
    other = Siblings(Worker("ab", 2, 2), folder, {})
    assert await other.ask(b"say x") == {1: b"heard x"}
    await again.close()
    await first.close()


async def test_metrics_are_those_of_all(folder: Path) -> None:
    async def metrics(_: bytes) -> bytes:
        return b"a 2\n"

    one, two = Siblings(Worker("ab", 1, 2), folder, {}), Siblings(Worker("ab", 2, 2), folder, {b"metrics": metrics})
    await two.start()
    assert await one.metrics(b"a 1\n") == b'a{worker="1"} 1\na{worker="2"} 2\n'
    await two.close()
    assert await OnlyChild().metrics(b"a 1\n") == b"a 1\n"
