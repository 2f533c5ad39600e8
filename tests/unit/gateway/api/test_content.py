"""Stored bytes as an answer, by what the request's headers ask for."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Response
from fastapi.responses import StreamingResponse

from nexus.contract.errors import ApiError
from nexus.gateway.api.content import content_answer
from nexus.store.address import BlobAddress
from nexus.store.blobs import PIECE, Blobs

BODY = bytes(range(256)) * (PIECE // 256 + 10)  # more than one piece


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[Blobs]:
    blobs = Blobs(BlobAddress(folder=tmp_path / "files"))
    await blobs.open()
    await blobs.put("there", BODY)
    yield blobs
    await blobs.close()


async def answered(blobs: Blobs, key: str = "there", *, head: bool = False, **asked: str) -> tuple[Response, bytes]:
    """The answer and its body; the names of headers are written with `_`."""
    headers = {name.replace("_", "-"): value for name, value in asked.items()}
    further = {"cache-control": "no-store"}
    answer = await content_answer(blobs, key, len(BODY), "audio/wav", headers, etag='"tag"', head=head, further=further)
    if not isinstance(answer, StreamingResponse):
        return answer, bytes(answer.body)
    pieces: Any = answer.body_iterator
    return answer, b"".join([piece async for piece in pieces])


async def test_the_whole_is_told_with_its_length_its_kind_and_its_tag(blobs: Blobs) -> None:
    answer, body = await answered(blobs)
    assert (answer.status_code, body == BODY) == (200, True)
    told = {name: answer.headers[name] for name in ("content-length", "content-type", "etag", "cache-control")}
    assert told == {
        "content-length": str(len(BODY)),
        "content-type": "audio/wav",
        "etag": '"tag"',
        "cache-control": "no-store",
    }
    assert (answer.headers["accept-ranges"], answer.headers["x-content-type-options"]) == ("bytes", "nosniff")


async def test_a_range_of_it(blobs: Blobs) -> None:
    answer, body = await answered(blobs, range="bytes=300-299999")
    assert (answer.status_code, body == BODY[300:]) == (206, True)
    assert answer.headers["content-range"] == f"bytes 300-{len(BODY) - 1}/{len(BODY)}"
    assert answer.headers["content-length"] == str(len(BODY) - 300)


@pytest.mark.parametrize(("tag", "status"), [('"tag"', 206), ('"other"', 200)])
async def test_a_range_of_what_the_client_has_no_more_is_the_whole(blobs: Blobs, tag: str, status: int) -> None:
    answer, _ = await answered(blobs, range="bytes=0-9", if_range=tag)
    assert answer.status_code == status


@pytest.mark.parametrize("tags", ['"tag"', 'W/"tag"', '"a", "tag"', "*"])
async def test_who_has_it_gets_nothing(blobs: Blobs, tags: str) -> None:
    answer, body = await answered(blobs, if_none_match=tags)
    assert (answer.status_code, body, answer.headers["etag"]) == (304, b"", '"tag"')


async def test_a_range_outside_is_refused_with_the_size(blobs: Blobs) -> None:
    answer, _ = await answered(blobs, range=f"bytes={len(BODY)}-")
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(BODY)}")


async def test_a_head_has_no_body_and_reads_nothing(blobs: Blobs) -> None:
    answer, body = await answered(blobs, "gone", head=True, range="bytes=0-9")
    assert (answer.status_code, body, answer.headers["content-length"]) == (206, b"", "10")


async def test_bytes_that_are_gone_are_told_before_the_answer_begins(blobs: Blobs) -> None:
    with pytest.raises(ApiError) as caught:
        await answered(blobs, "gone")
    assert caught.value.status == 404
