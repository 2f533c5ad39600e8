"""Pictures of an answer become URLs; whatever is no picture stays as it is."""

import base64
import json
from typing import Any

import pytest

from nexus.gateway.pictures import Pictures, kind_of

PNG = b"\x89PNG\r\n\x1a\n rest"


@pytest.fixture
def published() -> list[tuple[str, str | None, str, str, bytes]]:
    return []


@pytest.fixture
def pictures(published: list[tuple[str, str | None, str, str, bytes]]) -> Pictures:
    async def publish(token: str, job: str | None, media_type: str, filename: str, body: bytes) -> str:
        published.append((token, job, media_type, filename, body))
        return f"/v1/artifacts/{len(published)}"

    return Pictures(publish)


def item(body: bytes, **fields: Any) -> dict[str, Any]:
    return {"b64_json": base64.b64encode(body).decode(), **fields}


async def test_each_picture_has_its_url_and_all_else_stays(pictures: Pictures, published: list[Any]) -> None:
    body = json.dumps({"created": 1, "data": [item(PNG, revised_prompt="p"), item(b"\xff\xd8\xff")], "usage": None})
    answer = json.loads(await pictures(body.encode(), "ada", "job_1", "http://gw"))
    assert answer == {
        "created": 1,
        "data": [
            {"revised_prompt": "p", "url": "http://gw/v1/artifacts/1"},
            {"url": "http://gw/v1/artifacts/2"},
        ],
        "usage": None,
    }
    assert published == [
        ("ada", "job_1", "image/png", "image-1.png", PNG),
        ("ada", "job_1", "image/jpeg", "image-2.jpg", b"\xff\xd8\xff"),
    ]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff", b"[]", b'"x"', b"{}", b'{"data":{}}', b'{"data":[1]}', b"[" * 5000 + b"]" * 5000,
     b'event: x\ndata: {"b64_json":"AA=="}\n\n'],
    ids=lambda body: body[:12],
)  # fmt: skip
async def test_a_body_that_holds_none_is_sent_as_it_came(pictures: Pictures, published: list[Any], body: bytes) -> None:
    assert await pictures(body, "ada", None, "http://gw") is body
    assert published == []


@pytest.mark.parametrize("encoded", ["not base64!", "AAA", "é", 7, None, ["AA=="]])
async def test_what_is_no_base64_stays_beside_what_is(pictures: Pictures, published: list[Any], encoded: Any) -> None:
    body = json.dumps({"data": [{"b64_json": encoded}, item(PNG), {"url": "http://else"}]}).encode()
    answer = json.loads(await pictures(body, "ada", None, "http://gw"))
    assert answer["data"] == [{"b64_json": encoded}, {"url": "http://gw/v1/artifacts/1"}, {"url": "http://else"}]
    assert [one[1:4] for one in published] == [(None, "image/png", "image-2.png")]


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (PNG, ("image/png", "png")),
        (b"\xff\xd8\xff\xe0", ("image/jpeg", "jpg")),
        (b"GIF89a", ("image/gif", "gif")),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", ("image/webp", "webp")),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", ("application/octet-stream", "bin")),
        (b"<svg onload=", ("application/octet-stream", "bin")),
        (b"", ("application/octet-stream", "bin")),
    ],
)
def test_the_kind_is_known_by_the_first_bytes(start: bytes, kind: tuple[str, str]) -> None:
    assert kind_of(start) == kind
