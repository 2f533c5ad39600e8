"""Routes told from the answers to bodies that are no JSON."""

import pytest
from nexus_openai_compatible.probing import path_of, probe

from nexus.contract.errors import ApiError

NAMES = ("chat.completions", "embeddings", "audio.transcriptions")


async def _probed(nowhere: int, **answers: int) -> tuple[tuple[str, ...], bool]:
    statuses = {path_of(name): answers.get(name.replace(".", "_"), nowhere) for name in NAMES}

    async def status(path: str) -> int:
        return statuses.get(path, nowhere)

    found = await probe(status, NAMES)
    return found.operations, found.certain


async def test_complaints_about_the_body_tell_a_route() -> None:
    assert await _probed(404, chat_completions=400, embeddings=501, audio_transcriptions=422) == (
        ("chat.completions", "audio.transcriptions"),
        True,
    )
    assert await _probed(404, chat_completions=500) == (("chat.completions",), True)
    assert await _probed(405) == ((), True)


async def test_passing_trouble_is_asked_about_again() -> None:
    assert await _probed(404, chat_completions=400, embeddings=429) == (("chat.completions",), False)
    assert await _probed(503) == ((), False)


async def test_who_answers_all_paths_alike_cannot_be_told() -> None:
    with pytest.raises(ApiError, match="name its operations"):
        await _probed(400)
    assert await _probed(400, embeddings=422) == (("embeddings",), True)


def test_paths() -> None:
    assert path_of("chat.completions") == "/chat/completions"
