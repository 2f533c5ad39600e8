"""The simulated server, asked over HTTP: what it hears, what it ignores, its errors and its absence."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nexus_whisper.server import WhisperServer
from nexus_whisper.wire import Manner

from nexus.contract.errors import ApiError


@asynccontextmanager
async def at(url: str, path: str = "/inference", timeout: float = 30) -> AsyncIterator[WhisperServer]:
    server = WhisperServer(url, path, timeout)
    try:
        yield server
    finally:
        await server.close()


async def test_it_hears(whisper_cpp: Callable[..., Any], samples: Any) -> None:
    running = whisper_cpp()
    async with at(running.url) as server:
        await server.look()
        heard = await server.listen(samples(400, 0, 700), None, Manner())
        assert (heard.task, heard.language) == ("transcribe", "en")
        (segment,) = heard.segments
        assert segment.text == " at 400 hertz. at 700 hertz."
        assert [word.text for word in segment.words][:3] == [" at", " 400", " hertz."]
        long = await server.listen(samples(*range(200, 700, 100)), "de", Manner("translate", "Tones."))
        assert [len(segment.text) > 60 for segment in long.segments] == [True]  # uncut
        assert (long.task, long.language) == ("translate", "de")
        asked = json.loads(running.wait_for('"prompt"', 5).partition("fields ")[2])
        assert (asked["prompt"], asked["language"], asked["translate"]) == ("Tones.", "de", "true")


async def test_silence(whisper_cpp: Callable[..., Any], samples: Any) -> None:
    async with at(whisper_cpp().url) as server:
        assert (await server.listen(samples(0, 0), None, Manner())).segments == ()


async def test_a_model_of_english_alone_is_not_silent_about_it(whisper_cpp: Callable[..., Any], samples: Any) -> None:
    async with at(whisper_cpp("--english-only").url) as server:
        for language, manner, param in ((None, Manner("translate"), "model"), ("de", Manner(), "language")):
            with pytest.raises(ApiError) as caught:
                await server.listen(samples(400), language, manner)
            assert (caught.value.status, caught.value.param) == (400, param)
        assert (await server.listen(samples(400), "en", Manner())).segments


@pytest.mark.parametrize("arguments", [(), ("--old",)])
async def test_errors_in_both_ways_of_writing_them(
    whisper_cpp: Callable[..., Any], samples: Any, arguments: tuple[str, ...]
) -> None:
    running = whisper_cpp(*arguments)
    async with at(running.url) as server:
        with pytest.raises(ApiError, match="failed to process audio") as caught:
            await server.listen(samples(400), None, Manner(vad=True))
        assert caught.value.status == 502
        with pytest.raises(ApiError) as caught:
            await server.listen(samples(400)[:0], "jw", Manner())
        assert caught.value.status == 502
    async with at(running.url, "/v1/inference") as server:
        with pytest.raises(ApiError, match="no such path") as caught:
            await server.listen(samples(400), None, Manner())
        assert caught.value.status == 502


async def test_a_load(whisper_cpp: Callable[..., Any]) -> None:
    old, new = whisper_cpp("--old"), whisper_cpp()
    (new.control / "loading").touch()
    async with at(new.url) as server:
        await server.look()  # its error handler makes 404 of 503: it is there, as far as one can tell
    async with at(old.url) as server:
        with pytest.raises(ApiError, match="loading a model") as caught:
            await server.look()
        assert (caught.value.status, caught.value.code) == (503, "overloaded")
        (new.control / "loading").unlink()
        await server.look()


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"[]", b'{"text": "hello"}', b"null"])
async def test_malformed_answers(whisper_cpp: Callable[..., Any], samples: Any, body: bytes) -> None:
    running = whisper_cpp()
    (running.control / "answer").write_bytes(body)
    async with at(running.url) as server:
        with pytest.raises(ApiError) as caught:
            await server.listen(samples(400), None, Manner())
        assert (caught.value.status, caught.value.code) == (502, "upstream_error")
        (running.control / "answer").unlink()
        assert (await server.listen(samples(400), None, Manner())).segments


async def test_who_leaves_ends_the_work_within_a_second(whisper_cpp: Callable[..., Any], samples: Any) -> None:
    running = whisper_cpp("--pace", "20")
    async with at(running.url) as server:
        task = asyncio.create_task(server.listen(samples(400), None, Manner()))
        await asyncio.to_thread(running.wait_for, "processing", 10)
        left = time.monotonic()
        task.cancel()
        await asyncio.to_thread(running.wait_for, "client disconnected, aborted processing", 1)
        assert time.monotonic() - left < 1


async def test_death_and_return(whisper_cpp: Callable[..., Any], samples: Any) -> None:
    running = whisper_cpp("--pace", "20")
    async with at(running.url) as server:
        task = asyncio.create_task(server.listen(samples(400), None, Manner()))
        await asyncio.to_thread(running.wait_for, "processing", 10)
        running.kill()
        with pytest.raises(ApiError) as caught:
            await task
        assert caught.value.status == 502
        for asked in (server.look(), server.listen(samples(400), None, Manner())):
            with pytest.raises(ApiError, match="cannot be reached") as caught:
                await asked
            assert (caught.value.status, caught.value.code) == (503, "no_ready_service")
        running.start()
        await server.look()


async def test_too_slow(whisper_cpp: Callable[..., Any], samples: Any) -> None:
    async with at(whisper_cpp("--pace", "20").url, timeout=0.5) as server:
        with pytest.raises(ApiError) as caught:
            await server.listen(samples(400), None, Manner())
        assert caught.value.status == 504


def test_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="http"):
        WhisperServer("ftp://example.com", "/inference", 1)
