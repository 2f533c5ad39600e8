"""The end of a pipe is noticed, what is written into it is not."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from nexus.process import lifeline


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends; a test that closes the writing one says so by closing it."""
    read, write = os.pipe()
    yield read, write
    os.close(read)


async def test_the_other_ends_closing_is_told_once(pipe: tuple[int, int]) -> None:
    gone, told = asyncio.Event(), []
    lifeline.watch(pipe[0], lambda: (told.append(1), gone.set()))  # type: ignore[func-returns-value]
    os.close(pipe[1])
    async with asyncio.timeout(5):
        await gone.wait()
    assert not asyncio.get_running_loop().remove_reader(pipe[0])
    assert told == [1]


async def test_what_is_written_is_read_away_and_means_nothing(pipe: tuple[int, int]) -> None:
    read, write = pipe
    gone = asyncio.Event()
    lifeline.watch(read, gone.set)
    os.set_blocking(write, False)
    filled = 0
    async with asyncio.timeout(5):
        while filled < 200_000:  # several times what a pipe holds: it passes only if somebody reads
            try:
                filled += os.write(write, b"x" * 4096)
            except BlockingIOError:
                await asyncio.sleep(0)
    assert not gone.is_set()
    os.close(write)
    async with asyncio.timeout(5):
        await gone.wait()


async def test_a_parent_that_was_already_gone_is_noticed(pipe: tuple[int, int]) -> None:
    os.close(pipe[1])
    gone = asyncio.Event()
    lifeline.watch(pipe[0], gone.set)
    async with asyncio.timeout(5):
        await gone.wait()


async def test_a_descriptor_that_is_not_open_is_refused_at_once() -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError, match="Bad file descriptor"):
        lifeline.watch(read, lambda: None)


async def test_an_end_that_cannot_be_read_counts_as_closed() -> None:
    """A pipe's writing end handed over by mistake becomes ready when its reader goes, and reading it fails."""
    read, write = os.pipe()
    gone = asyncio.Event()
    lifeline.watch(write, gone.set)
    os.close(read)
    async with asyncio.timeout(5):
        await gone.wait()
    os.close(write)


def test_the_lifeline_ends_with_its_holder() -> None:
    with lifeline.held() as read_end:
        kept = os.dup(read_end)
        os.set_blocking(kept, False)
        with pytest.raises(BlockingIOError):
            os.read(kept, 1)
        assert not os.get_inheritable(read_end)
    assert os.read(kept, 1) == b""
    os.close(kept)
